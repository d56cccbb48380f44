"""Compiles and runs the blocks of docs/porting/tls.md in a folder with the certificate that its block of sh makes.

    test_page.py FILE.md COMPILER... -- LIBRARY...
"""
import os
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "docs"))
import blocks  # noqa: E402

if __name__ == "__main__":
    document = pathlib.Path(sys.argv[1])
    compiler = [os.path.abspath(word) if os.path.isfile(word) else word for word in sys.argv[2:]]
    folder = pathlib.Path("tls_page")
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    for _, language, code in blocks.blocks(document.read_text()):
        if language == "sh":
            subprocess.run(["sh", "-ec", code], check=True, stderr=subprocess.DEVNULL)
    sys.exit(blocks.main(document, compiler))
