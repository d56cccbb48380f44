// Calls that the loop makes later.  Python: call_later() and call_every() of pyftpdlib's ioloop.
#pragma once
