"""The compiler warns of each deprecated name of smtpd, as Python does when a program uses one.

    check_deprecated.py ROOT COMPILER...
"""

import re
import subprocess
import sys

NAMES = ["server", "line", "state", "greeting", "mailfrom", "rcpttos", "data", "fqdn", "peer", "conn", "addr"]
SOURCE = '#include "smtpd.hpp"\nvoid use(smtpd::SMTPChannel& channel) {\n%s}\n' % "".join(
    "    (void)channel._%s();\n" % name for name in NAMES)


def main(root, *compiler):
    done = subprocess.run(
        [*compiler, "-std=c++20", "-fsyntax-only", "-I" + root, "-I" + root + "/docs/examples/smtpd", "-xc++", "-"],
        input=SOURCE, stderr=subprocess.PIPE, text=True)
    print(done.stderr)
    warned = re.findall(r"[‘':]_(\w+)(?:\(\))?[’'] is deprecated", done.stderr)
    return 0 if done.returncode == 0 and warned == NAMES else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
