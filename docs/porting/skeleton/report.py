def report(source, python_2):
    return ""
