// Python: Lib/test/test_smtpd.py of 3.11: SMTPDChannelTest, which tests every command, and
// SMTPDChannelIPv6Test, which inherits all its tests.
#include <cstddef>

#include "test_smtpd.hpp"

using namespace smtpd;

namespace {

class DummyDispatcherBroken : public std::runtime_error {
public:
    DummyDispatcherBroken() : std::runtime_error("broken") {}
};

class BrokenDummyServer : public DummyServer {
public:
    BrokenDummyServer(const address& localaddr, const address& remoteaddr, const keywords& given) {
        init(localaddr, remoteaddr, given);
    }
    void listen(int) override { throw DummyDispatcherBroken(); }
};

std::string repeat(char letter, std::int64_t times) {
    return std::string(static_cast<std::size_t>(times), letter);
}

}  // namespace

// Outside of the unnamed namespace, so that doctest prints their bare names.

class SMTPDChannelTest : public one_channel {
public:
    SMTPDChannelTest() : one_channel({.decode_data = true}) {}
};

class SMTPDChannelIPv6Test : public one_channel {
public:
    SMTPDChannelIPv6Test() : one_channel(host(), {.decode_data = true}, {.decode_data = true}) {}

private:
    static std::string_view host() {
        if (support::IPV6_ENABLED()) return HOSTv6;
        MESSAGE("IPv6 not enabled: tried on IPv4");
        return HOST;
    }
};

#define TEST(name) TEST_CASE_TEMPLATE(name, Case, SMTPDChannelTest, SMTPDChannelIPv6Test)

TEST_SUITE("SMTPDChannelTest") {
    TEST("test_broken_connect") {
        Case test;
        CHECK_THROWS_AS(BrokenDummyServer({HOST, 0}, {"b", 0}, {.decode_data = true}),
                        DummyDispatcherBroken);
    }

    TEST("test_decode_data_and_enable_SMTPUTF8_raises") {
        Case test;
        CHECK_THROWS_AS(SMTPChannel(test.server, std::move(test.channel->conn), test.channel->addr,
                                    {.enable_SMTPUTF8 = true, .decode_data = true}),
                        std::invalid_argument);
    }

    TEST("test_server_accept") {
        Case test;
        CHECK_NOTHROW(test.server.handle_accept());
    }

    TEST("test_missing_data") {
        Case test;
        test.write_line("");
        CHECK(test.last() == "500 Error: bad syntax\r\n");
    }

    TEST("test_EHLO") {
        Case test;
        test.write_line("EHLO example");
        CHECK(test.last() == "250 HELP\r\n");
    }

    TEST("test_EHLO_bad_syntax") {
        Case test;
        test.write_line("EHLO");
        CHECK(test.last() == "501 Syntax: EHLO hostname\r\n");
    }

    TEST("test_EHLO_duplicate") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("EHLO example");
        CHECK(test.last() == "503 Duplicate HELO/EHLO\r\n");
    }

    TEST("test_EHLO_HELO_duplicate") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("HELO example");
        CHECK(test.last() == "503 Duplicate HELO/EHLO\r\n");
    }

    TEST("test_HELO") {
        Case test;
        const auto name = py::getfqdn();
        test.write_line("HELO example");
        CHECK(test.last() == "250 " + name + "\r\n");
    }

    TEST("test_HELO_EHLO_duplicate") {
        Case test;
        test.write_line("HELO example");
        test.write_line("EHLO example");
        CHECK(test.last() == "503 Duplicate HELO/EHLO\r\n");
    }

    TEST("test_HELP") {
        Case test;
        test.write_line("HELP");
        CHECK(test.last() ==
              "250 Supported commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY\r\n");
    }

    TEST("test_HELP_command") {
        Case test;
        test.write_line("HELP MAIL");
        CHECK(test.last() == "250 Syntax: MAIL FROM: <address>\r\n");
    }

    TEST("test_HELP_command_unknown") {
        Case test;
        test.write_line("HELP SPAM");
        CHECK(test.last() ==
              "501 Supported commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY\r\n");
    }

    TEST("test_HELO_bad_syntax") {
        Case test;
        test.write_line("HELO");
        CHECK(test.last() == "501 Syntax: HELO hostname\r\n");
    }

    TEST("test_HELO_duplicate") {
        Case test;
        test.write_line("HELO example");
        test.write_line("HELO example");
        CHECK(test.last() == "503 Duplicate HELO/EHLO\r\n");
    }

    TEST("test_HELO_parameter_rejected_when_extensions_not_enabled") {
        Case test;
        test.channel->extended_smtp = false;  // Python sets it on the test, to no effect
        test.write_line("HELO example");
        test.write_line("MAIL from:<foo@example.com> SIZE=1234");
        CHECK(test.last() == "501 Syntax: MAIL FROM: <address>\r\n");
    }

    TEST("test_MAIL_allows_space_after_colon") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from:   <foo@example.com>");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_extended_MAIL_allows_space_after_colon") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from:   <foo@example.com> size=20");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_NOOP") {
        Case test;
        test.write_line("NOOP");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_HELO_NOOP") {
        Case test;
        test.write_line("HELO example");
        test.write_line("NOOP");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_NOOP_bad_syntax") {
        Case test;
        test.write_line("NOOP hi");
        CHECK(test.last() == "501 Syntax: NOOP\r\n");
    }

    TEST("test_QUIT") {
        Case test;
        test.write_line("QUIT");
        CHECK(test.last() == "221 Bye\r\n");
    }

    TEST("test_HELO_QUIT") {
        Case test;
        test.write_line("HELO example");
        test.write_line("QUIT");
        CHECK(test.last() == "221 Bye\r\n");
    }

    TEST("test_QUIT_arg_ignored") {
        Case test;
        test.write_line("QUIT bye bye");
        CHECK(test.last() == "221 Bye\r\n");
    }

    TEST("test_bad_state") {
        Case test;
        test.channel->smtp_state = -1;  // Python: 'BAD STATE'
        test.write_line("HELO example");
        CHECK(test.last() == "451 Internal confusion\r\n");
    }

    TEST("test_command_too_long") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from: " + repeat('a', test.channel->command_size_limit) + "@example");
        CHECK(test.last() == "500 Error: line too long\r\n");
    }

    TEST("test_MAIL_command_limit_extended_with_SIZE") {
        Case test;
        test.write_line("EHLO example");
        const auto fill_len = test.channel->command_size_limit - 20;  // "MAIL from:<@example>"
        test.write_line("MAIL from:<" + repeat('a', fill_len) + "@example> SIZE=1234");
        CHECK(test.last() == "250 OK\r\n");

        test.write_line("MAIL from:<" + repeat('a', fill_len + 26) + "@example> SIZE=1234");
        CHECK(test.last() == "500 Error: line too long\r\n");
    }

    TEST("test_MAIL_command_rejects_SMTPUTF8_by_default") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from: <naive@example.com> BODY=8BITMIME SMTPUTF8");
        CHECK(test.last().substr(0, 1) == "5");
    }

    TEST("test_data_longer_than_default_data_size_limit") {
        Case test;
        // A limit lower than the default, so that little data exceeds it.
        test.channel->data_size_limit = 1048;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("DATA");
        test.write_line(repeat('A', test.channel->data_size_limit) + "A\r\n.");
        CHECK(test.last() == "552 Error: Too much mail data\r\n");
    }

    TEST("test_MAIL_size_parameter") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL FROM:<eggs@example> SIZE=512");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_MAIL_invalid_size_parameter") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL FROM:<eggs@example> SIZE=invalid");
        CHECK(test.last() == "501 Syntax: MAIL FROM: <address> [SP <mail-parameters>]\r\n");
    }

    TEST("test_MAIL_RCPT_unknown_parameters") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL FROM:<eggs@example> ham=green");
        CHECK(test.last() == "555 MAIL FROM parameters not recognized or not implemented\r\n");

        test.write_line("MAIL FROM:<eggs@example>");
        test.write_line("RCPT TO:<eggs@example> ham=green");
        CHECK(test.last() == "555 RCPT TO parameters not recognized or not implemented\r\n");
    }

    TEST("test_MAIL_size_parameter_larger_than_default_data_size_limit") {
        Case test;
        test.channel->data_size_limit = 1048;
        test.write_line("EHLO example");
        test.write_line("MAIL FROM:<eggs@example> SIZE=2096");
        CHECK(test.last() == "552 Error: message size exceeds fixed maximum message size\r\n");
    }

    TEST("test_need_MAIL") {
        Case test;
        test.write_line("HELO example");
        test.write_line("RCPT to:spam@example");
        CHECK(test.last() == "503 Error: need MAIL command\r\n");
    }

    TEST("test_MAIL_syntax_HELO") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from eggs@example");
        CHECK(test.last() == "501 Syntax: MAIL FROM: <address>\r\n");
    }

    TEST("test_MAIL_syntax_EHLO") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from eggs@example");
        CHECK(test.last() == "501 Syntax: MAIL FROM: <address> [SP <mail-parameters>]\r\n");
    }

    TEST("test_MAIL_missing_address") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from:");
        CHECK(test.last() == "501 Syntax: MAIL FROM: <address>\r\n");
    }

    TEST("test_MAIL_chevrons") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from:<eggs@example>");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_MAIL_empty_chevrons") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from:<>");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_MAIL_quoted_localpart") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from: <\"Fred Blogs\"@example.com>");
        CHECK(test.last() == "250 OK\r\n");
        CHECK(test.channel->mailfrom == "\"Fred Blogs\"@example.com");
    }

    TEST("test_MAIL_quoted_localpart_no_angles") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from: \"Fred Blogs\"@example.com");
        CHECK(test.last() == "250 OK\r\n");
        CHECK(test.channel->mailfrom == "\"Fred Blogs\"@example.com");
    }

    TEST("test_MAIL_quoted_localpart_with_size") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from: <\"Fred Blogs\"@example.com> SIZE=1000");
        CHECK(test.last() == "250 OK\r\n");
        CHECK(test.channel->mailfrom == "\"Fred Blogs\"@example.com");
    }

    TEST("test_MAIL_quoted_localpart_with_size_no_angles") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL from: \"Fred Blogs\"@example.com SIZE=1000");
        CHECK(test.last() == "250 OK\r\n");
        CHECK(test.channel->mailfrom == "\"Fred Blogs\"@example.com");
    }

    TEST("test_nested_MAIL") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL from:eggs@example");
        test.write_line("MAIL from:spam@example");
        CHECK(test.last() == "503 Error: nested MAIL command\r\n");
    }

    TEST("test_VRFY") {
        Case test;
        test.write_line("VRFY eggs@example");
        CHECK(test.last() ==
              "252 Cannot VRFY user, but will accept message and attempt delivery\r\n");
    }

    TEST("test_VRFY_syntax") {
        Case test;
        test.write_line("VRFY");
        CHECK(test.last() == "501 Syntax: VRFY <address>\r\n");
    }

    TEST("test_EXPN_not_implemented") {
        Case test;
        test.write_line("EXPN");
        CHECK(test.last() == "502 EXPN not implemented\r\n");
    }

    TEST("test_no_HELO_MAIL") {
        Case test;
        test.write_line("MAIL from:<foo@example.com>");
        CHECK(test.last() == "503 Error: send HELO first\r\n");
    }

    TEST("test_need_RCPT") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("DATA");
        CHECK(test.last() == "503 Error: need RCPT command\r\n");
    }

    TEST("test_RCPT_syntax_HELO") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From: eggs@example");
        test.write_line("RCPT to eggs@example");
        CHECK(test.last() == "501 Syntax: RCPT TO: <address>\r\n");
    }

    TEST("test_RCPT_syntax_EHLO") {
        Case test;
        test.write_line("EHLO example");
        test.write_line("MAIL From: eggs@example");
        test.write_line("RCPT to eggs@example");
        CHECK(test.last() == "501 Syntax: RCPT TO: <address> [SP <mail-parameters>]\r\n");
    }

    TEST("test_RCPT_lowercase_to_OK") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From: eggs@example");
        test.write_line("RCPT to: <eggs@example>");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_no_HELO_RCPT") {
        Case test;
        test.write_line("RCPT to eggs@example");
        CHECK(test.last() == "503 Error: send HELO first\r\n");
    }

    TEST("test_data_dialog") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        CHECK(test.last() == "250 OK\r\n");
        test.write_line("RCPT To:spam@example");
        CHECK(test.last() == "250 OK\r\n");

        test.write_line("DATA");
        CHECK(test.last() == "354 End data with <CR><LF>.<CR><LF>\r\n");
        test.write_line("data\r\nmore\r\n.");
        CHECK(test.last() == "250 OK\r\n");
        CHECK(test.server.messages ==
              std::vector{from_peer("eggs@example", {"spam@example"}, "data\nmore")});
    }

    TEST("test_DATA_syntax") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("DATA spam");
        CHECK(test.last() == "501 Syntax: DATA\r\n");
    }

    TEST("test_no_HELO_DATA") {
        Case test;
        test.write_line("DATA spam");
        CHECK(test.last() == "503 Error: send HELO first\r\n");
    }

    TEST("test_data_transparency_section_4_5_2") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("DATA");
        test.write_line("..\r\n.\r\n");
        CHECK(test.channel->received_data == ".");
    }

    TEST("test_multiple_RCPT") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("RCPT To:ham@example");
        test.write_line("DATA");
        test.write_line("data\r\n.");
        CHECK(test.server.messages ==
              std::vector{from_peer("eggs@example", {"spam@example", "ham@example"}, "data")});
    }

    TEST("test_manual_status") {
        Case test;
        // The client receives the status that the server returned.
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("DATA");
        test.write_line("return status\r\n.");
        CHECK(test.last() == "250 Okish\r\n");
    }

    TEST("test_RSET") {
        Case test;
        test.write_line("HELO example");
        test.write_line("MAIL From:eggs@example");
        test.write_line("RCPT To:spam@example");
        test.write_line("RSET");
        CHECK(test.last() == "250 OK\r\n");
        test.write_line("MAIL From:foo@example");
        test.write_line("RCPT To:eggs@example");
        test.write_line("DATA");
        test.write_line("data\r\n.");
        CHECK(test.server.messages ==
              std::vector{from_peer("foo@example", {"eggs@example"}, "data")});
    }

    TEST("test_HELO_RSET") {
        Case test;
        test.write_line("HELO example");
        test.write_line("RSET");
        CHECK(test.last() == "250 OK\r\n");
    }

    TEST("test_RSET_syntax") {
        Case test;
        test.write_line("RSET hi");
        CHECK(test.last() == "501 Syntax: RSET\r\n");
    }

    TEST("test_unknown_command") {
        Case test;
        test.write_line("UNKNOWN_CMD");
        CHECK(test.last() == "500 Error: command \"UNKNOWN_CMD\" not recognized\r\n");
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    // The compiler reports that they are deprecated: see check_deprecated.py.
    TEST("test_attribute_deprecations") {
        Case test;
        SMTPChannel& channel = *test.channel;
        DummyServer spam({HOST, 0}, {"b", 0});
        CHECK(channel._server() == &test.server);
        channel._server() = &spam;
        CHECK(channel.smtp_server == &spam);
        CHECK(channel._line().empty());
        channel._line() = {"spam"};
        CHECK(channel.received_lines == list{"spam"});
        CHECK(channel._state() == SMTPChannel::COMMAND);
        channel._state() = -1;
        CHECK(channel.smtp_state == -1);
        CHECK(channel._greeting().empty());
        channel._greeting() = "spam";
        CHECK(channel.seen_greeting == "spam");
        CHECK(channel._mailfrom().empty());
        channel._mailfrom() = "spam";
        CHECK(channel.mailfrom == "spam");
        CHECK(channel._rcpttos().empty());
        channel._rcpttos() = {"spam"};
        CHECK(channel.rcpttos == list{"spam"});
        CHECK(channel._data().empty());
        channel._data() = "spam";
        CHECK(channel.received_data == "spam");
        CHECK(channel._fqdn() == py::getfqdn());
        channel._fqdn() = "spam";
        CHECK(channel.fqdn == "spam");
        CHECK(channel._peer() == address("peer-address", 1));
        channel._peer() = "spam";
        CHECK(channel.peer == address("spam"));
        CHECK(&channel._conn() == &channel.conn);
        channel._conn() = asyncore::socket_t(AF_INET, SOCK_STREAM);
        CHECK(channel.conn.layer() == nullptr);
        CHECK(channel._addr() == address("c"));
        channel._addr() = "spam";
        CHECK(channel.addr == address("spam"));
    }
#pragma GCC diagnostic pop
}
