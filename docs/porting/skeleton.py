#!/usr/bin/env python3
"""Reads a Python server, says what a port of it needs, and writes a C++ skeleton: see skeleton.md.

    skeleton.py SERVER.py [-o FILE|FOLDER] [--report-only] [--force]
"""
import sys

from skeleton.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
