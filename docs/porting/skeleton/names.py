"""Names of C++: what a name of Python becomes where C++ does not allow it."""
import errno
import re

KEYWORDS = set("""
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete
    do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires return short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
""".split())

# Names of namespaces, and macros in small letters that the headers of Linux, macOS and the BSDs define.
NOT_FREE = {"std", "asyncore", "asynchat", "errno", "stdin", "stdout", "stderr", "assert", "alloca", "offsetof", "unix",
            "linux", "major", "minor", "makedev", "sched_priority", "strdupa", "strndupa", "timeradd", "timersub",
            "timerclear", "timercmp", "timerisset", "typeof", "i386", "signbit", "putc", "getc", "htons", "htonl", "ntohs",
            "ntohl", "main"}
NOT_FREE_BEGINNINGS = ("be16", "be32", "be64", "le16", "le32", "le64", "htobe", "htole", "pthread_cleanup", "SYS_", "AF_",
                       "PF_", "L_ct", "L_cu", "L_tm", "P_tmpdir", "sa_", "si_", "st_", "s6_", "sv_", "ifr_", "h_addr")
# Macros in capitals: the numbers of errors, signals, sockets, limits and so on.
MACRO = re.compile(r"""
    NULL | TRUE | FALSE | EOF | WEOF | BUFSIZ | NAN | INFINITY | SOMAXCONN | NFDBITS | NSIG | CSIGNAL | NZERO | MAXSYMLINKS | SCOPE_ID
  | SIG[A-Z0-9]{2,7} | SIG_[A-Z_]+ | SIO[A-Z_]+ | FIO[A-Z]+
  | W(?:NOHANG|UNTRACED|STOPPED|EXITED|CONTINUED|NOWAIT|IF[A-Z]+|EXITSTATUS|TERMSIG|STOPSIG)
  | (?:ADJ|AF|AT|ATOMIC|BC|BOOL|BYTE|CHAR|CLOCK|CLOCKS|CLONE|CLOSE|CMSG|CPU|DBL|DST|DT|EPOLL|EXIT|F|FD|FLT|FP|HUGE|I|IN6|INADDR|INET|
      INET6|INT|INT8|INT16|INT32|INT64|INTMAX|INTPTR|IP|IPPORT|IPPROTO|IPV6|ITIMER|LC|LDBL|LLONG|LONG|L|MB|MCAST|MOD|MQ|MSG|
      NI|NL|O|PF|POLL|PTHREAD|PTRDIFF|R|RAND|RE|RENAME|RTSIG|RWF|S|SCHAR|SCHED|SCM|SEEK|SEM|SHRT|SHUT|SI|SIZE|SO|
      SOCK|SOL|SSIZE|STA|STDERR|STDIN|STDOUT|TCP|TFD|TIMER|TIMESPEC|TIMEVAL|UCHAR|UINT|UINT8|UINT16|UINT32|UINT64|
      UINTMAX|UINTPTR|UIO|ULONG|ULLONG|USHRT|W|WCHAR|WINT|X|XATTR)_[A-Z0-9_]*
  | [A-Z_0-9]+_(?:MAX|MIN|BIT|RETRY|ENDIAN|BUF|FILENO|FAILURE|SUCCESS) | BYTE_ORDER | MAX_CANON | MAX_INPUT | NGROUPS | TIME_UTC
  | (?:PTHREAD|POLL)[A-Z_]*
""", re.VERBOSE)
ERRORS = {*errno.errorcode.values(), "EDEADLK", "EHWPOISON", "EOPNOTSUPP", "EWOULDBLOCK"}


def is_free(name):
    """Whether C++ allows the name for a variable, a function or a class."""
    reserved = name.startswith("__") or re.match("_[A-Z]", name)
    macro = MACRO.fullmatch(name) or name in ERRORS or name in NOT_FREE or name.startswith(NOT_FREE_BEGINNINGS)
    return not (reserved or macro or name in KEYWORDS)


def plain(name):
    """A name without Python's double underscores."""
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        name = name[2:-2]
    elif name.startswith("__"):
        name = name.lstrip("_") + "_"
    elif re.match("_[A-Z]", name):
        name = name[1:] + "_"
    return name or "_"


class Names:
    """The names of one scope: each name of Python has one of C++."""

    def __init__(self, taken=()):
        self.taken = set(taken)
        self.given = {}

    def get(self, python_name):
        """The same answer each time."""
        if python_name not in self.given:
            self.given[python_name] = self.new(python_name)
        return self.given[python_name]

    def new(self, python_name):
        name = plain(python_name)
        while not is_free(name) or name in self.taken:
            name += "_" if is_free(name + "_") or not name.endswith("_") else "x"
        self.taken.add(name)
        return name
