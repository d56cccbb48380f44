# A source of Python 2, with what only Python 2 reads.
import asyncore, asynchat, socket, sys, time
import Queue
from cStringIO import StringIO
try:
    import thread
except ImportError, e:
    thread = None

MODE = 0777
LIMIT = 10L
NAME = ur'a\b'
if MODE <> 0644: LIMIT = 0xFFL


class Session (asynchat.async_chat):
	"tabs"
	ac_out_buffer_size = 1 << 16
	def __init__ (self, server, (host, port), conn=None):
		asynchat.async_chat.__init__ (self, conn)
		self.set_terminator ('\r\n')
		self.data = ''
		self.server = server
		self.started = time.time()
        	self.mixed = `host`

	def collect_incoming_data (self, data):
		print >>sys.stderr, "got", data
		print data,
		print
		exec "x = 1" in {}
		self.data = self.data + data

	def found_terminator (self):
		try:
			method = getattr (self, 'cmd_' + self.data)
		except (AttributeError, KeyError), why:
			raise ValueError, "bad"
		self.getpeername()

	def cmd_quit (self, arg): self.close_when_done()
	def refill_buffer (self): pass
	def writable (self): return len (self.ac_out_buffer) or 0


class Server (asyncore.dispatcher):
	def __init__ (self, port):
		asyncore.dispatcher.__init__ (self)
		self.create_socket (socket.AF_INET, socket.SOCK_STREAM)
		self.listen (5)
	def handle_accept (self):
		conn, addr = self.accept()
		session = Session (self, addr, conn)
		session.set_terminator (10)
		session.ac_in_buffer_size = 10


Server (8080)
asyncore.loop (30.0, 1)
