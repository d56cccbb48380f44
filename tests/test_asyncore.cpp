// Python: Lib/test/test_asyncore.py of 3.11, name by name; and nothing else.
#include <asyncore/asyncore.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.hpp"

#include <doctest/doctest.h>

using asyncore::address;
using asyncore::socket_t;
using asyncore::platform::events;
using support::Event;
using support::HOST;
using support::HOSTv6;
using support::TempDir;
using namespace std::chrono_literals;

namespace {

/// Python: Exception.
class Exception : public std::runtime_error {
public:
    explicit Exception(const std::string& message = "") : std::runtime_error(message) {}
};

class ZeroDivisionError : public Exception {};

class dummysocket {
public:
    bool closed = false;
    void close() { closed = true; }
    int fileno() const { return 42; }
};

/// In C++ what is in the map, or is given to read(), is a channel and has all methods of one.  The
/// methods that Python's dummies lack are not called.
class dummy : public asyncore::channel {
public:
    bool readable() override { throw Exception("readable not supposed to be called"); }
    bool writable() override { throw Exception("writable not supposed to be called"); }
    void handle_read_event() override { throw Exception("not supposed to be called"); }
    void handle_write_event() override { handle_read_event(); }
    void handle_close() override { handle_read_event(); }
    void handle_expt_event() override { handle_read_event(); }
    void handle_error() override { throw; }
    void close() override { throw Exception("close not supposed to be called"); }
};

class dummychannel : public dummy {
public:
    dummysocket socket;
    void close() override { socket.close(); }
};

class exitingdummy : public dummy {
public:
    void handle_read_event() override { throw asyncore::ExitNow(); }
};

class crashingdummy : public dummy {
public:
    bool error_handled = false;
    void handle_read_event() override { throw Exception(); }
    void handle_error() override { error_handled = true; }
};

/// For testing senders: accepts one connection, and collects what it gets until a newline comes.
void capture_server(Event& evt, std::ostringstream& buf, socket_t serv) {
    serv.listen(100);
    int error = 0;
    auto conn = serv.accept(error).first;
    for (int n = 200; conn && n > 0; --n) {
        if (!support::wait_readable(conn.fileno(), 100ms)) continue;
        std::array<char, 10> space;
        const std::string_view data(space.data(), conn.recv(space).count);
        // All but the newline, which ends it.
        for (const char byte : data)
            if (byte != '\n') buf << byte;
        if (data.find('\n') != data.npos) break;
    }
    conn.close();
    serv.close();
    evt.set();
}

/// Binds a socket as befits its family.
void bind_af_aware(socket_t& sock, const address& addr) {
    // A path must not exist.
    if (sock.family() == AF_UNIX) std::filesystem::remove(addr.path());
    sock.bind(addr);
}

}  // namespace

TEST_SUITE("HelperFunctionTests") {
    TEST_CASE("test_readwriteexc") {
        // ExitNow in a hook comes all the way up through read(), write() and _exception().
        exitingdummy tr1;
        CHECK_THROWS_AS(asyncore::read(tr1), asyncore::ExitNow);
        CHECK_THROWS_AS(asyncore::write(tr1), asyncore::ExitNow);
        CHECK_THROWS_AS(asyncore::_exception(tr1), asyncore::ExitNow);

        // Any other exception has handle_error() called.
        {
            crashingdummy tr2;
            asyncore::read(tr2);
            CHECK(tr2.error_handled);
        }
        {
            crashingdummy tr2;
            asyncore::write(tr2);
            CHECK(tr2.error_handled);
        }
        {
            crashingdummy tr2;
            asyncore::_exception(tr2);
            CHECK(tr2.error_handled);
        }
    }

    TEST_CASE("test_readwrite") {
        // readwrite() calls the hook that goes with the flag.
        class testobj : public dummy {
        public:
            bool read = false, expt = false, write = false, closed = false, error_handled = false;
            void handle_read_event() override { read = true; }
            void handle_write_event() override { write = true; }
            void handle_close() override { closed = true; }
            void handle_expt_event() override { expt = true; }
            void handle_error() override { error_handled = true; }
        };

        using attribute = bool testobj::*;
        const attribute attributes[] = {&testobj::read, &testobj::expt, &testobj::write,
                                        &testobj::closed, &testobj::error_handled};

        const std::pair<events, attribute> expected[] = {
            {events::read, &testobj::read},     {events::priority, &testobj::expt},
            {events::write, &testobj::write},   {events::error, &testobj::closed},
            {events::hangup, &testobj::closed}, {events::invalid, &testobj::closed},
        };

        for (const auto& each : expected) {
            const auto flag = each.first;
            const auto expectedattr = each.second;
            CAPTURE(static_cast<unsigned>(flag));
            testobj tobj;
            CHECK_FALSE(tobj.*expectedattr);
            asyncore::readwrite(tobj, flag);

            // Only the attribute of the hook that we expect is set.
            for (const auto attr : attributes) CHECK(tobj.*attr == (attr == expectedattr));

            // ExitNow in a hook comes all the way up.
            exitingdummy tr1;
            CHECK_THROWS_AS(asyncore::readwrite(tr1, flag), asyncore::ExitNow);

            // Any other exception has handle_error() called.
            crashingdummy tr2;
            CHECK_FALSE(tr2.error_handled);
            asyncore::readwrite(tr2, flag);
            CHECK(tr2.error_handled);
        }
    }

    void closeall_check(bool usedefault) {
        // close_all() closes all that is in a map.
        std::vector<std::unique_ptr<dummychannel>> l;
        asyncore::channel_map testmap;
        for (int i = 0; i < 10; ++i) {
            auto c = std::make_unique<dummychannel>();
            CHECK_FALSE(c->socket.closed);
            testmap[i] = c.get();
            l.push_back(std::move(c));
        }

        if (usedefault) {
            // The global map cannot be replaced, so its content is exchanged.
            struct exchange {
                asyncore::channel_map& testmap;
                explicit exchange(asyncore::channel_map& map) : testmap(map) {
                    asyncore::socket_map.swap(testmap);
                }
                ~exchange() { asyncore::socket_map.swap(testmap); }
            } exchanged(testmap);
            asyncore::close_all();
        } else {
            asyncore::close_all(&testmap);
        }

        CHECK(testmap.size() == 0);

        for (const auto& c : l) CHECK(c->socket.closed);
    }

    TEST_CASE("test_closeall") { closeall_check(false); }

    TEST_CASE("test_closeall_default") { closeall_check(true); }

    TEST_CASE("test_compact_traceback") {
        try {
            throw Exception("I don't like spam!");
        } catch (const Exception& real) {
            const auto [where, t, v, info] = asyncore::compact_traceback();
            const auto& [f, function, line] = where;
            // A C++ exception does not say where it was thrown: D5.
            CHECK(f == "");
            CHECK(function == "");
            CHECK(t == asyncore::type_name(typeid(real)));
            CHECK(v == real.what());
            CHECK(info == "");
            CHECK(line == "");
        }
    }
}

namespace {

/// Python: tearDown().
struct close_all_at_end {
    ~close_all_at_end() { asyncore::close_all(); }
};

}  // namespace

TEST_SUITE("DispatcherTests") {
    TEST_CASE_FIXTURE(close_all_at_end, "test_basic") {
        asyncore::dispatcher d;
        CHECK(d.readable());
        CHECK(d.writable());
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_repr") {
        asyncore::dispatcher d;
        std::ostringstream id;
        id << static_cast<void*>(&d);
        CHECK(d.repr() == "<asyncore::dispatcher at " + id.str() + ">");
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_log") {
        asyncore::dispatcher d;

        // log() goes to standard error.
        const std::string l1 = "Lovely spam! Wonderful spam!";
        const std::string l2 = "I don't like spam!";
        std::vector<std::string> lines;
        {
            const auto err = support::captured_stderr();
            d.log(l1);
            d.log(l2);
            lines = support::splitlines(err.getvalue());
        }

        CHECK(lines == std::vector{"log: " + l1, "log: " + l2});
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_log_info") {
        asyncore::dispatcher d;

        // log_info() goes to standard output.
        const std::string l1 = "Have you got anything without spam?";
        const std::string l2 = "Why can't she have egg bacon spam and sausage?";
        const std::string l3 = "THAT'S got spam in it!";
        std::vector<std::string> lines;
        {
            const auto out = support::captured_stdout();
            d.log_info(l1, "EGGS");
            d.log_info(l2);
            d.log_info(l3, "SPAM");
            lines = support::splitlines(out.getvalue());
        }

        const std::vector expected{"EGGS: " + l1, "info: " + l2, "SPAM: " + l3};
        CHECK(lines == expected);
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_unhandled") {
        asyncore::dispatcher d;
        d.ignore_log_types = {};

        std::vector<std::string> lines;
        {
            const auto out = support::captured_stdout();
            d.handle_expt();
            d.handle_read();
            d.handle_write();
            d.handle_connect();
            lines = support::splitlines(out.getvalue());
        }

        const std::vector<std::string> expected{
            "warning: unhandled incoming priority event", "warning: unhandled read event",
            "warning: unhandled write event", "warning: unhandled connect event"};
        CHECK(lines == expected);
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_strerror") {
        auto err = asyncore::_strerror(EPERM);
        CHECK(err == std::error_code(EPERM, std::generic_category()).message());
        err = asyncore::_strerror(-1);
        CHECK(err != "");
    }
}

namespace {

class dispatcherwithsend_noread : public asyncore::dispatcher_with_send {
public:
    bool readable() override { return false; }
    void handle_connect() override {}
};

}  // namespace

TEST_SUITE("DispatcherWithSendTests") {
    TEST_CASE_FIXTURE(close_all_at_end, "test_send") {
        Event evt;
        auto sock = support::blocking(socket_t(AF_INET, SOCK_STREAM), 3s);
        const auto port = support::bind_port(sock);
        // Python gives the thread time to do it.
        sock.listen(100);

        std::ostringstream cap;
        auto t = std::async(std::launch::async, capture_server, std::ref(evt), std::ref(cap),
                            std::move(sock));

        const std::string data = "Suppose there isn't a 16-ton weight?";
        dispatcherwithsend_noread d;
        d.create_socket();
        d.connect({HOST, port});

        // Python gives the socket time to connect.
        REQUIRE(support::wait_writable(d.socket.fileno(), 3s));

        d.send(data);
        d.send(data);
        d.send("\n");

        int n = 1000;
        while (!d.out_buffer.empty() && n > 0) {
            asyncore::poll();
            --n;
        }

        evt.wait();

        CHECK(cap.str() == data + data);
        t.get();
    }
}

namespace {

class FileWrapperTest {
protected:
    const std::string d = "It's not dead, it's sleeping!";
    const TempDir dir;
    const std::string TESTFN = dir / "test";
    FileWrapperTest() { support::write_file(TESTFN, d); }

    int open(int flags) const {
        const int fd = ::open(TESTFN.c_str(), flags | O_CLOEXEC);
        REQUIRE(fd >= 0);
        return fd;
    }
    static bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
};

}  // namespace

TEST_SUITE("FileWrapperTest") {
    TEST_CASE_FIXTURE(FileWrapperTest, "test_recv") {
        const int fd = open(O_RDONLY);
        asyncore::file_wrapper w(fd);
        ::close(fd);

        CHECK(w.fd != fd);
        CHECK(w.fileno() != fd);
        CHECK(w.recv(13) == "It's not dead");
        CHECK(w.read(6) == ", it's");
        w.close();
        CHECK_THROWS_AS(w.read(1), std::system_error);
    }

    TEST_CASE_FIXTURE(FileWrapperTest, "test_send") {
        const std::string d1 = "Come again?";
        const std::string d2 = "I want to buy some cheese.";
        const int fd = open(O_WRONLY | O_APPEND);
        asyncore::file_wrapper w(fd);
        ::close(fd);

        w.write(d1);
        w.send(d2);
        w.close();
        CHECK(support::read_file(TESTFN) == d + d1 + d2);
    }

    TEST_CASE_FIXTURE(FileWrapperTest, "test_dispatcher") {
        const int fd = open(O_RDONLY);
        class FileDispatcher : public asyncore::file_dispatcher {
        public:
            using file_dispatcher::file_dispatcher;
            std::vector<std::string> data;
            void handle_read() override { data.push_back(recv(29)); }
        };
        FileDispatcher s(fd);
        ::close(fd);
        asyncore::loop({.timeout = 0.01, .use_poll = true, .count = 2});
        std::string joined;
        for (const auto& each : s.data) joined += each;
        CHECK(joined == d);
    }

    TEST_CASE_FIXTURE(FileWrapperTest, "test_resource_warning") {
        const int fd = open(O_RDONLY);
        auto f = std::make_unique<asyncore::file_wrapper>(fd);

        ::close(fd);
        // There is no warning, since nothing stays open: D7.
        const int duplicate = f->fd;
        CHECK(is_open(duplicate));
        f = nullptr;
        CHECK_FALSE(is_open(duplicate));
    }

    TEST_CASE_FIXTURE(FileWrapperTest, "test_close_twice") {
        const int fd = open(O_RDONLY);
        asyncore::file_wrapper f(fd);
        ::close(fd);

        ::close(f.fd);  // the duplicate
        CHECK_THROWS_AS(f.close(), std::system_error);

        CHECK(f.fd == -1);
        // Closing it twice is no error.
        f.close();
    }
}

namespace {

// A constructor of C++ cannot call what derived classes override.  So what Python's __init__ does
// beyond taking over a socket is an init() here, to be called on the complete object.

class BaseTestHandler : public asyncore::dispatcher {
public:
    bool flag = false;

    explicit BaseTestHandler(socket_t sock = {}) : dispatcher(std::move(sock)) {}

    void handle_accept() override { throw Exception("handle_accept not supposed to be called"); }
    void handle_accepted(socket_t, const address&) override {
        throw Exception("handle_accepted not supposed to be called");
    }
    void handle_connect() override { throw Exception("handle_connect not supposed to be called"); }
    void handle_expt() override { throw Exception("handle_expt not supposed to be called"); }
    void handle_close() override { throw Exception("handle_close not supposed to be called"); }
    void handle_error() override { throw; }
};

/// Python: a class called with a socket, and the result dropped: the map keeps it.
template <class Handler>
void make(socket_t sock) {
    asyncore::spawn<Handler>(std::move(sock));
}

/// Listens on an address, and makes a handler for each connection.
class BaseServer : public asyncore::dispatcher {
public:
    void (*handler)(socket_t);

    BaseServer(int family, const address& local, void (*made)(socket_t) = make<BaseTestHandler>)
        : handler(made) {
        create_socket(family);
        set_reuse_addr();
        bind_af_aware(socket, local);
        listen(5);
    }

    asyncore::address address() const { return socket.getsockname(); }

    void handle_accepted(socket_t sock, const asyncore::address&) override {
        handler(std::move(sock));
    }
    void handle_error() override { throw; }
};

class BaseClient : public BaseTestHandler {
public:
    void init(int family, const address& address) {
        create_socket(family);
        connect(address);
    }
    void handle_connect() override {}
};

class BaseTestAPI {
public:
    const int family;
    const bool use_poll;

    BaseTestAPI(int of_family, bool polled) : family(of_family), use_poll(polled) {}

    /// Python: tearDown().
    ~BaseTestAPI() { asyncore::close_all(nullptr, true); }

    template <class Instance>
    void loop_waiting_for_flag(Instance& instance, std::chrono::seconds timeout = 5s,
                               const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        // It waits as long as Python, in smaller steps.
        int count = 2500;
        const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(timeout) / count;
        while (asyncore::socket_map && count > 0) {
            asyncore::loop({.timeout = 0.01, .use_poll = use_poll, .count = 1});
            if (instance.flag) return;
            --count;
            std::this_thread::sleep_for(pause);
        }
        ADD_FAIL_AT(file, line, "flag not set");
    }

    /// Python: self.skipTest(reason).
    static bool skipTest(const std::string& reason) {
        MESSAGE("skipped: ", reason);
        return true;
    }
    bool not_for_unix() const {
        return family == AF_UNIX && skipTest("Not applicable to AF_UNIX sockets.");
    }
    /// What Python says with a decorator.
    bool skipped() const {
        static const bool has_ipv6 = support::IPV6_ENABLED();
        return family == AF_INET6 && !has_ipv6 && skipTest("IPv6 support required");
    }
};

}  // namespace

// Outside of the unnamed namespace, so that doctest prints their bare names.

struct TestAPI_UseIPv4Sockets : BaseTestAPI {
    const address addr{HOST, 0};
    explicit TestAPI_UseIPv4Sockets(bool polled) : BaseTestAPI(AF_INET, polled) {}
};

struct TestAPI_UseIPv6Sockets : BaseTestAPI {
    const address addr{HOSTv6, 0};
    explicit TestAPI_UseIPv6Sockets(bool polled) : BaseTestAPI(AF_INET6, polled) {}
};

struct TestAPI_UseUnixSockets : BaseTestAPI {
    const TempDir dir;
    const address addr{std::string_view(dir / "test")};
    explicit TestAPI_UseUnixSockets(bool polled) : BaseTestAPI(AF_UNIX, polled) {}
};

struct TestAPI_UseIPv4Select : TestAPI_UseIPv4Sockets {
    TestAPI_UseIPv4Select() : TestAPI_UseIPv4Sockets(false) {}
};

struct TestAPI_UseIPv4Poll : TestAPI_UseIPv4Sockets {
    TestAPI_UseIPv4Poll() : TestAPI_UseIPv4Sockets(true) {}
};

struct TestAPI_UseIPv6Select : TestAPI_UseIPv6Sockets {
    TestAPI_UseIPv6Select() : TestAPI_UseIPv6Sockets(false) {}
};

struct TestAPI_UseIPv6Poll : TestAPI_UseIPv6Sockets {
    TestAPI_UseIPv6Poll() : TestAPI_UseIPv6Sockets(true) {}
};

struct TestAPI_UseUnixSocketsSelect : TestAPI_UseUnixSockets {
    TestAPI_UseUnixSocketsSelect() : TestAPI_UseUnixSockets(false) {}
};

struct TestAPI_UseUnixSocketsPoll : TestAPI_UseUnixSockets {
    TestAPI_UseUnixSocketsPoll() : TestAPI_UseUnixSockets(true) {}
};

#define TEST_API_CLASSES                                                                           \
    TestAPI_UseIPv4Select, TestAPI_UseIPv4Poll, TestAPI_UseIPv6Select, TestAPI_UseIPv6Poll,        \
        TestAPI_UseUnixSocketsSelect, TestAPI_UseUnixSocketsPoll

TEST_SUITE("BaseTestAPI") {
    TEST_CASE_TEMPLATE("test_handle_connect", API, TEST_API_CLASSES) {
        // handle_connect() is called on connect().
        API self;
        if (self.skipped()) return;

        class TestClient : public BaseClient {
        public:
            void handle_connect() override { flag = true; }
        };

        BaseServer server(self.family, self.addr);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_accept", API, TEST_API_CLASSES) {
        // handle_accept() is called when a client connects.
        API self;
        if (self.skipped()) return;

        class TestListener : public BaseTestHandler {
        public:
            asyncore::address address;
            TestListener(int family, const asyncore::address& local) {
                create_socket(family);
                bind_af_aware(socket, local);
                listen(5);
                address = socket.getsockname();
            }
            void handle_accept() override { flag = true; }
        };

        TestListener server(self.family, self.addr);
        BaseClient client;
        client.init(self.family, server.address);
        self.loop_waiting_for_flag(server);
    }

    TEST_CASE_TEMPLATE("test_handle_accepted", API, TEST_API_CLASSES) {
        // handle_accepted() is called when a client connects.
        API self;
        if (self.skipped()) return;

        class TestListener : public BaseTestHandler {
        public:
            asyncore::address address;
            TestListener(int family, const asyncore::address& local) {
                create_socket(family);
                bind_af_aware(socket, local);
                listen(5);
                address = socket.getsockname();
            }
            void handle_accept() override { asyncore::dispatcher::handle_accept(); }
            void handle_accepted(socket_t sock, const asyncore::address&) override {
                sock.close();
                flag = true;
            }
        };

        TestListener server(self.family, self.addr);
        BaseClient client;
        client.init(self.family, server.address);
        self.loop_waiting_for_flag(server);
    }

    TEST_CASE_TEMPLATE("test_handle_read", API, TEST_API_CLASSES) {
        // handle_read() is called when data has come.
        API self;
        if (self.skipped()) return;

        class TestClient : public BaseClient {
        public:
            void handle_read() override { flag = true; }
        };

        class TestHandler : public BaseTestHandler {
        public:
            explicit TestHandler(socket_t conn) : BaseTestHandler(std::move(conn)) {
                send(std::string(1024, 'x'));
            }
        };

        BaseServer server(self.family, self.addr, make<TestHandler>);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_write", API, TEST_API_CLASSES) {
        // handle_write() is called.
        API self;
        if (self.skipped()) return;

        class TestClient : public BaseClient {
        public:
            void handle_write() override { flag = true; }
        };

        BaseServer server(self.family, self.addr);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_close", API, TEST_API_CLASSES) {
        // handle_close() is called when the other end closes the connection.
        API self;
        if (self.skipped()) return;

        class TestClient : public BaseClient {
        public:
            // It takes a recv() to have handle_close() called.
            void handle_read() override { recv(1024); }
            void handle_close() override {
                flag = true;
                close();
            }
        };

        class TestHandler : public BaseTestHandler {
        public:
            explicit TestHandler(socket_t conn) : BaseTestHandler(std::move(conn)) { close(); }
        };

        BaseServer server(self.family, self.addr, make<TestHandler>);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_close_after_conn_broken", API, TEST_API_CLASSES) {
        // ECONNRESET and EPIPE are a close.
        API self;
        if (self.skipped()) return;

        static const std::string data(128, '\0');

        class TestClient : public BaseClient {
        public:
            void handle_write() override { send(data); }
            void handle_close() override {
                flag = true;
                close();
            }
            void handle_expt() override {
                flag = true;
                close();
            }
        };

        class TestHandler : public BaseTestHandler {
        public:
            using BaseTestHandler::BaseTestHandler;
            void handle_read() override {
                recv(data.size());
                close();
            }
            bool writable() override { return false; }
        };

        BaseServer server(self.family, self.addr, make<TestHandler>);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_expt", API, TEST_API_CLASSES) {
        // handle_expt() is called when out-of-band data has come.
        API self;
        if (self.skipped()) return;
        if (self.not_for_unix()) return;

#ifdef __APPLE__
        if (self.use_poll) {
            self.skipTest("poll may fail on macOS; CPython's issue 28087");
            return;
        }
#endif

        class TestClient : public BaseClient {
        public:
            void handle_expt() override {
                std::array<char, 1024> space;
                socket.recv(space, MSG_OOB);
                flag = true;
            }
        };

        class TestHandler : public BaseTestHandler {
        public:
            explicit TestHandler(socket_t conn) : BaseTestHandler(std::move(conn)) {
                socket.send("\xf4", MSG_OOB);
            }
        };

        BaseServer server(self.family, self.addr, make<TestHandler>);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_handle_error", API, TEST_API_CLASSES) {
        API self;
        if (self.skipped()) return;

        class TestClient : public BaseClient {
        public:
            void handle_write() override { throw ZeroDivisionError(); }
            void handle_error() override {
                flag = true;
                if (!std::current_exception()) throw Exception("exception not raised");
                try {
                    throw;
                } catch (const ZeroDivisionError&) {
                }
            }
        };

        BaseServer server(self.family, self.addr);
        TestClient client;
        client.init(self.family, server.address());
        self.loop_waiting_for_flag(client);
    }

    TEST_CASE_TEMPLATE("test_connection_attributes", API, TEST_API_CLASSES) {
        API self;
        if (self.skipped()) return;

        BaseServer server(self.family, self.addr);
        BaseClient client;
        client.init(self.family, server.address());

        // The server starts disconnected.  On some systems the client is connected already.
        CHECK_FALSE(server.connected);
        CHECK(server.accepting);
        CHECK_FALSE(client.accepting);

        // Some turns, in which the client connects.
        asyncore::loop({.timeout = 0.01, .use_poll = self.use_poll, .count = 100});
        CHECK_FALSE(server.connected);
        CHECK(server.accepting);
        CHECK(client.connected);
        CHECK_FALSE(client.accepting);

        // Disconnect the client.
        client.close();
        CHECK_FALSE(server.connected);
        CHECK(server.accepting);
        CHECK_FALSE(client.connected);
        CHECK_FALSE(client.accepting);

        // Stop serving.
        server.close();
        CHECK_FALSE(server.connected);
        CHECK_FALSE(server.accepting);
    }

    TEST_CASE_TEMPLATE("test_create_socket", API, TEST_API_CLASSES) {
        API self;
        if (self.skipped()) return;

        asyncore::dispatcher s;
        s.create_socket(self.family);
        CHECK(s.socket.getsockopt(SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
        CHECK(s.socket.family() == self.family);
        CHECK((::fcntl(s.socket.fileno(), F_GETFL) & O_NONBLOCK) != 0);
        CHECK((::fcntl(s.socket.fileno(), F_GETFD) & FD_CLOEXEC) != 0);
    }

    TEST_CASE_TEMPLATE("test_bind", API, TEST_API_CLASSES) {
        API self;
        if (self.skipped()) return;
        if (self.not_for_unix()) return;

        asyncore::dispatcher s1;
        s1.create_socket(self.family);
        s1.bind(self.addr);
        s1.listen(5);
        const auto port = s1.socket.getsockname().port();

        asyncore::dispatcher s2;
        s2.create_socket(self.family);
        // That it is in use shows that the other one was bound.
        CHECK_THROWS_AS(s2.bind({self.addr.host(), port}), std::system_error);
    }

    TEST_CASE_TEMPLATE("test_set_reuse_addr", API, TEST_API_CLASSES) {
        API self;
        if (self.skipped()) return;
        if (self.not_for_unix()) return;

        socket_t sock(self.family, SOCK_STREAM);
        try {
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
        } catch (const std::system_error&) {
            self.skipTest("SO_REUSEADDR not supported on this platform");
            return;
        }
        // If it can be done to a socket, a dispatcher does the same.
        asyncore::dispatcher s(socket_t(self.family, SOCK_STREAM));
        CHECK_FALSE(s.socket.getsockopt(SOL_SOCKET, SO_REUSEADDR));
        s.socket.close();
        s.create_socket(self.family);
        s.set_reuse_addr();
        CHECK(s.socket.getsockopt(SOL_SOCKET, SO_REUSEADDR));
    }

    TEST_CASE_TEMPLATE("test_quick_connect", API, TEST_API_CLASSES) {
        // A client that resets the connection at once.
        API self;
        if (self.skipped()) return;
        if (self.family != AF_INET && self.family != AF_INET6) {
            self.skipTest("test specific to AF_INET and AF_INET6");
            return;
        }

        BaseServer server(self.family, self.addr);
        // Five turns of a tenth of a second: the client has connected in less.
        auto t =
            std::async(std::launch::async, [] { asyncore::loop({.timeout = 0.1, .count = 5}); });
        {
            auto s = support::blocking(socket_t(self.family, SOCK_STREAM), 200ms);
            const linger reset{1, 0};
            REQUIRE(::setsockopt(s.fileno(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
            s.connect_ex(server.address());  // may fail
        }
        t.get();
    }
}
