"""The tool skeleton.py.  A reader goes from the top of this list to the bottom:

    command     the command line: what is read, printed and written
    lexer       text -> tokens -> logical lines, for every Python from 2.0 to 3.13
    reader      logical lines -> statements, classes, functions and assignments
    library     tables: the classes of asyncore and asynchat, with their names in Python and their signatures in C++
    facts       what each class derives from, overrides, sets and reads
    advice      which pages, additions and differences concern a class
    needs       what the server needs of Python's own library
    report      prints the above
    names       a name of Python -> a name that C++ allows at that place
    guess       values of Python -> types of C++
    signatures  parameters and results of the methods
    bases       what a C++ class derives from, and in which order classes come
    writer      writes the skeleton

Python's own parser is not used: Python 3.13 cannot read the sources of Python 2, and the answer must not depend on the
Python that runs the tool.
"""
