"""Compares the names of the cases of a test program with those of CPython's test module of the same name.

    check_names.py LIST PROGRAM...
    check_names.py --write LIST MODULE...

LIST has a line for each of CPython's tests: module, class and test, in the order of the source.  An inherited test has a
line for each class that inherits it.  Where there is a CPython 3.11 with its test suite, LIST is compared with it first.

doctest prints the name of a test of several classes as name<class>.  Any other test belongs to its TEST_SUITE.
"""

import ast
import collections
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree


def find_tests(modules):
    """The folder of CPython 3.11's tests, or None."""
    say = ('import sys, sysconfig;'
           'print(sys.version_info[:2] == (3, 11) and sysconfig.get_path("stdlib"))')
    for name in ('python3.11', 'python3', sys.executable):
        program = shutil.which(name)
        if not program:
            continue
        answer = subprocess.run([program, '-c', say], capture_output=True, text=True)
        tests = pathlib.Path(answer.stdout.strip()) / 'test'
        if answer.returncode == 0 and all((tests / f'{m}.py').exists() for m in modules):
            return tests
    return None


def names_in_source(tests, module):
    """Yields (class, test) for each test that unittest would run."""
    classes = {}
    for node in ast.parse((tests / f'{module}.py').read_text()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base) for base in node.bases]
        inherited = [classes[base] for base in bases if base in classes]
        is_case = 'unittest.TestCase' in bases or any(case for case, _ in inherited)
        own = [item.name for item in node.body
               if isinstance(item, ast.FunctionDef) and item.name.startswith('test')]
        all_tests = dict.fromkeys([name for _, found in inherited for name in found] + own)
        classes[node.name] = is_case, list(all_tests)
        if is_case:
            yield from ((node.name, name) for name in all_tests)


def names_in_program(program):
    """Yields (class, test) for each case of a test program."""
    listing = subprocess.run([program, '--list-test-cases', '--reporters=xml'],
                             check=True, capture_output=True, text=True).stdout
    for case in xml.etree.ElementTree.fromstring(listing).iter('TestCase'):
        name, _, parameter = case.get('name').partition('<')
        yield parameter.rstrip('>') or case.get('testsuite'), name


def by_class(names):
    classes = collections.defaultdict(list)
    for class_name, test in names:
        classes[class_name].append(test)
    return classes


def compare(what, expected, found):
    """Prints which names are missing, unknown or in another order, and returns whether the names are equal."""
    equal = True
    for name in list(dict.fromkeys([*expected, *found])):
        if expected.get(name) == found.get(name):
            continue
        equal = False
        wanted, had = expected.get(name, []), found.get(name, [])
        print(f'{what}: {name}: {len(had)} tests, and CPython has {len(wanted)}')
        print('  missing:', *(test for test in wanted if test not in had))
        print('  unknown:', *(test for test in had if test not in wanted))
        if sorted(wanted) == sorted(had):
            print('  in another order')
    return equal


def read_list(path):
    names = collections.defaultdict(list)
    for line in path.read_text().splitlines():
        module, class_name, test = line.split()
        names[module].append((class_name, test))
    return names


def write_list(path, modules):
    tests = find_tests(modules)
    path.write_text(''.join(f'{module} {class_name} {test}\n' for module in modules
                            for class_name, test in names_in_source(tests, module)))


def main(arguments):
    if arguments[0] == '--write':
        write_list(pathlib.Path(arguments[1]), arguments[2:])
        return 0

    names = read_list(pathlib.Path(arguments[0]))
    tests = find_tests(names)
    equal = True
    if tests:
        for module in names:
            source = by_class(names_in_source(tests, module))
            equal &= compare(f'the list of {module}', source, by_class(names[module]))
    print('CPython 3.11 is here' if tests else 'CPython 3.11 is not here: the list itself is not checked')
    for program in arguments[1:]:
        module = pathlib.Path(program).stem
        expected, found = by_class(names[module]), by_class(names_in_program(program))
        equal &= compare(module, expected, found)
        for name, cases in found.items():
            print(f'{module} {name}: {len(cases)} of {len(expected.get(name, []))}')
        total = sum(map(len, found.values()))
        print(f'{module}: {total} of {len(names[module])}')
    return 0 if equal else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
