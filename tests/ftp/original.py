"""pyftpdlib as the original of the port: `original.py FOLDER` prints "PORT n", and serves until it is interrupted."""

import logging
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, FTPHandler
from pyftpdlib.servers import FTPServer

logging.disable(logging.CRITICAL)
os.umask(0o022)
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1], perm="elradfmwMT")
FTPHandler.authorizer.add_user("ann", "secret", sys.argv[1], perm="elr")
FTPHandler.auth_failed_timeout = 0
FTPHandler.timeout = DTPHandler.timeout = 65535
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print("PORT %d" % server.socket.getsockname()[1], flush=True)
try:
    server.serve_forever(handle_exit=False)
except KeyboardInterrupt:
    server.close_all()
