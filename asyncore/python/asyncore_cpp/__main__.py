"""Prints what a compiler is told."""

import shlex

import asyncore_cpp

print(shlex.join(asyncore_cpp.arguments()))
