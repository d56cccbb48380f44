// Python: Lib/test/test_smtpd.py of 3.11, name by name; and nothing else.  SMTPDChannelTest has a
// file of its own, test_smtpd_channel.cpp.
#include "test_smtpd.hpp"

#include <type_traits>

using namespace smtpd;

TEST_SUITE("SMTPDServerTest") {
    TEST_CASE_FIXTURE(close_all_at_end, "test_process_message_unimplemented") {
        mocked<SMTPServer> server({HOST, 0}, {"b", 0}, {.decode_data = true});
        const auto channel = connected_to(server, {.decode_data = true});

        write_line(*channel, "HELO example");
        write_line(*channel, "MAIL From:eggs@example");
        write_line(*channel, "RCPT To:spam@example");
        write_line(*channel, "DATA");
        CHECK_THROWS_AS(write_line(*channel, "spam\r\n.\r\n"), asyncore::NotImplementedError);
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_decode_data_and_enable_SMTPUTF8_raises") {
        CHECK_THROWS_AS(
            SMTPServer({HOST, 0}, {"b", 0}, {.enable_SMTPUTF8 = true, .decode_data = true}),
            std::invalid_argument);
    }
}

namespace {

class DebuggingServerTest : public close_all_at_end {
public:
    void send_data(SMTPChannel& channel, std::string_view data, bool enable_SMTPUTF8 = false) {
        write_line(channel, "EHLO example");
        if (enable_SMTPUTF8) write_line(channel, "MAIL From:eggs@example BODY=8BITMIME SMTPUTF8");
        else write_line(channel, "MAIL From:eggs@example");
        write_line(channel, "RCPT To:spam@example");
        write_line(channel, "DATA");
        write_line(channel, data);
        write_line(channel, ".");
    }
};

}  // namespace

TEST_SUITE("DebuggingServerTest") {
    TEST_CASE_FIXTURE(DebuggingServerTest, "test_process_message_with_decode_data_true") {
        mocked<DebuggingServer> server({HOST, 0}, {"b", 0}, {.decode_data = true});
        const auto channel = connected_to(server, {.decode_data = true});
        const auto s = support::captured_stdout();
        send_data(*channel, "From: test\n\nhello\n");
        CHECK(s.getvalue() == R"(---------- MESSAGE FOLLOWS ----------
From: test
X-Peer: peer-address

hello
------------ END MESSAGE ------------
)");
    }

    TEST_CASE_FIXTURE(DebuggingServerTest, "test_process_message_with_decode_data_false") {
        mocked<DebuggingServer> server({HOST, 0}, {"b", 0});
        const auto channel = connected_to(server);
        const auto s = support::captured_stdout();
        send_data(*channel, "From: test\n\nh\xc3\xa9llo\xff\n");
        CHECK(s.getvalue() == R"(---------- MESSAGE FOLLOWS ----------
b'From: test'
b'X-Peer: peer-address'
b''
b'h\xc3\xa9llo\xff'
------------ END MESSAGE ------------
)");
    }

    TEST_CASE_FIXTURE(DebuggingServerTest, "test_process_message_with_enable_SMTPUTF8_true") {
        mocked<DebuggingServer> server({HOST, 0}, {"b", 0}, {.enable_SMTPUTF8 = true});
        const auto channel = connected_to(server, {.enable_SMTPUTF8 = true});
        const auto s = support::captured_stdout();
        send_data(*channel, "From: test\n\nh\xc3\xa9llo\xff\n");
        CHECK(s.getvalue() == R"(---------- MESSAGE FOLLOWS ----------
b'From: test'
b'X-Peer: peer-address'
b''
b'h\xc3\xa9llo\xff'
------------ END MESSAGE ------------
)");
    }

    TEST_CASE_FIXTURE(DebuggingServerTest,
                      "test_process_SMTPUTF8_message_with_enable_SMTPUTF8_true") {
        mocked<DebuggingServer> server({HOST, 0}, {"b", 0}, {.enable_SMTPUTF8 = true});
        const auto channel = connected_to(server, {.enable_SMTPUTF8 = true});
        const auto s = support::captured_stdout();
        send_data(*channel, "From: test\n\nh\xc3\xa9llo\xff\n", true);
        CHECK(s.getvalue() == R"(---------- MESSAGE FOLLOWS ----------
mail options: ['BODY=8BITMIME', 'SMTPUTF8']
b'From: test'
b'X-Peer: peer-address'
b''
b'h\xc3\xa9llo\xff'
------------ END MESSAGE ------------
)");
    }
}

TEST_SUITE("TestFamilyDetection") {
    TEST_CASE_FIXTURE(close_all_at_end, "test_socket_uses_IPv6") {
        if (!support::IPV6_ENABLED()) {
            MESSAGE("skipped: IPv6 not enabled");
            return;
        }
        mocked<SMTPServer> server({HOSTv6, 0}, {HOST, 0});
        CHECK(server.socket.family() == AF_INET6);
    }

    TEST_CASE_FIXTURE(close_all_at_end, "test_socket_uses_IPv4") {
        mocked<SMTPServer> server({HOST, 0}, {HOSTv6, 0});
        CHECK(server.socket.family() == AF_INET);
    }
}

TEST_SUITE("MiscTestCase") {
    // C++ has no list of what a module exports; this is what Python's list has, and what the names
    // it leaves out are.
    TEST_CASE("test__all__") {
        CHECK(std::is_base_of_v<asynchat::async_chat, SMTPChannel>);
        CHECK(std::is_base_of_v<asyncore::dispatcher, SMTPServer>);
        CHECK(std::is_base_of_v<SMTPServer, DebuggingServer>);
        CHECK(std::is_base_of_v<SMTPServer, PureProxy>);

        CHECK(program == "smtpd");
        CHECK(DEBUGSTREAM == &Devnull);
        CHECK(NEWLINE == "\n");
        CHECK(COMMASPACE == ", ");
        CHECK(DATA_SIZE_DEFAULT == 33554432);
        CHECK(std::is_same_v<decltype(parseargs), Options(const list&)>);
        CHECK(std::is_same_v<decltype(usage), void(int, const std::string&)>);
    }
}
