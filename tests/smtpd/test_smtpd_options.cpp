// Python: Lib/test/test_smtpd.py of 3.11: the tests of what a client may ask for beside an address.
#include "test_smtpd.hpp"

using namespace smtpd;

TEST_SUITE("TestRcptOptionParsing") {
    constexpr std::string_view error_response =
        "555 RCPT TO parameters not recognized or not implemented\r\n";

    TEST_CASE_FIXTURE(debug_at_hand, "test_params_rejected") {
        DummyServer server({HOST, 0}, {"b", 0});
        const auto channel = connected_to(server);
        write_line(*channel, "EHLO example");
        write_line(*channel, "MAIL from: <foo@example.com> size=20");
        write_line(*channel, "RCPT to: <foo@example.com> foo=bar");
        CHECK(mock(channel->socket).last == error_response);
    }

    TEST_CASE_FIXTURE(debug_at_hand, "test_nothing_accepted") {
        DummyServer server({HOST, 0}, {"b", 0});
        const auto channel = connected_to(server);
        write_line(*channel, "EHLO example");
        write_line(*channel, "MAIL from: <foo@example.com> size=20");
        write_line(*channel, "RCPT to: <foo@example.com>");
        CHECK(mock(channel->socket).last == "250 OK\r\n");
    }
}

TEST_SUITE("TestMailOptionParsing") {
    constexpr std::string_view error_response =
        "555 MAIL FROM parameters not recognized or not implemented\r\n";

    TEST_CASE_FIXTURE(debug_at_hand, "test_with_decode_data_true") {
        DummyServer server({HOST, 0}, {"b", 0}, {.decode_data = true});
        const auto channel = connected_to(server, {.decode_data = true});
        write_line(*channel, "EHLO example");
        for (const auto* line : {
                 "MAIL from: <foo@example.com> size=20 SMTPUTF8",
                 "MAIL from: <foo@example.com> size=20 SMTPUTF8 BODY=8BITMIME",
                 "MAIL from: <foo@example.com> size=20 BODY=UNKNOWN",
                 "MAIL from: <foo@example.com> size=20 body=8bitmime",
             }) {
            write_line(*channel, line);
            CHECK(mock(channel->socket).last == error_response);
        }
        write_line(*channel, "MAIL from: <foo@example.com> size=20");
        CHECK(mock(channel->socket).last == "250 OK\r\n");
    }

    TEST_CASE_FIXTURE(debug_at_hand, "test_with_decode_data_false") {
        DummyServer server({HOST, 0}, {"b", 0});
        const auto channel = connected_to(server);
        write_line(*channel, "EHLO example");
        for (const auto* line : {
                 "MAIL from: <foo@example.com> size=20 SMTPUTF8",
                 "MAIL from: <foo@example.com> size=20 SMTPUTF8 BODY=8BITMIME",
             }) {
            write_line(*channel, line);
            CHECK(mock(channel->socket).last == error_response);
        }
        write_line(*channel, "MAIL from: <foo@example.com> size=20 SMTPUTF8 BODY=UNKNOWN");
        CHECK(mock(channel->socket).last ==
              "501 Error: BODY can only be one of 7BIT, 8BITMIME\r\n");
        write_line(*channel, "MAIL from: <foo@example.com> size=20 body=8bitmime");
        CHECK(mock(channel->socket).last == "250 OK\r\n");
    }

    TEST_CASE_FIXTURE(debug_at_hand, "test_with_enable_smtputf8_true") {
        DummyServer server({HOST, 0}, {"b", 0}, {.enable_SMTPUTF8 = true});
        const auto channel = connected_to(server, {.enable_SMTPUTF8 = true});
        write_line(*channel, "EHLO example");
        write_line(*channel, "MAIL from: <foo@example.com> size=20 body=8bitmime smtputf8");
        CHECK(mock(channel->socket).last == "250 OK\r\n");
    }
}

namespace {

/// A limit of 32 bytes, for easy testing.
class SMTPDChannelWithDataSizeLimitTest : public one_channel {
public:
    SMTPDChannelWithDataSizeLimitTest()
        : one_channel(HOST, {.decode_data = true}, {.data_size_limit = 32, .decode_data = true}) {}
};

class SMTPDChannelWithDecodeDataFalse : public one_channel {
public:
    SMTPDChannelWithDecodeDataFalse() : one_channel({}) {}
};

class SMTPDChannelWithDecodeDataTrue : public one_channel {
public:
    SMTPDChannelWithDecodeDataTrue() : one_channel({.decode_data = true}) {}
};

class SMTPDChannelTestWithEnableSMTPUTF8True : public one_channel {
public:
    SMTPDChannelTestWithEnableSMTPUTF8True() : one_channel({.enable_SMTPUTF8 = true}) {}
};

}  // namespace

TEST_SUITE("SMTPDChannelWithDataSizeLimitTest") {
    TEST_CASE_FIXTURE(SMTPDChannelWithDataSizeLimitTest, "test_data_limit_dialog") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        CHECK(last() == "250 OK\r\n");
        write_line("RCPT To:spam@example");
        CHECK(last() == "250 OK\r\n");

        write_line("DATA");
        CHECK(last() == "354 End data with <CR><LF>.<CR><LF>\r\n");
        write_line("data\r\nmore\r\n.");
        CHECK(last() == "250 OK\r\n");
        CHECK(server.messages ==
              std::vector{from_peer("eggs@example", {"spam@example"}, "data\nmore")});
    }

    TEST_CASE_FIXTURE(SMTPDChannelWithDataSizeLimitTest, "test_data_limit_dialog_too_much_data") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        CHECK(last() == "250 OK\r\n");
        write_line("RCPT To:spam@example");
        CHECK(last() == "250 OK\r\n");

        write_line("DATA");
        CHECK(last() == "354 End data with <CR><LF>.<CR><LF>\r\n");
        write_line("This message is longer than 32 bytes\r\n.");
        CHECK(last() == "552 Error: Too much mail data\r\n");
    }
}

TEST_SUITE("SMTPDChannelWithDecodeDataFalse") {
    TEST_CASE_FIXTURE(SMTPDChannelWithDecodeDataFalse, "test_ascii_data") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        write_line("RCPT To:spam@example");
        write_line("DATA");
        write_line("plain ascii text");
        write_line(".");
        CHECK(channel->received_data == "plain ascii text");
    }

    TEST_CASE_FIXTURE(SMTPDChannelWithDecodeDataFalse, "test_utf8_data") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        write_line("RCPT To:spam@example");
        write_line("DATA");
        write_line("utf8 enriched text: \xc5\xbc\xc5\xba\xc4\x87");
        write_line("and some plain ascii");
        write_line(".");
        CHECK(channel->received_data ==
              "utf8 enriched text: \xc5\xbc\xc5\xba\xc4\x87\nand some plain ascii");
    }
}

TEST_SUITE("SMTPDChannelWithDecodeDataTrue") {
    TEST_CASE_FIXTURE(SMTPDChannelWithDecodeDataTrue, "test_ascii_data") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        write_line("RCPT To:spam@example");
        write_line("DATA");
        write_line("plain ascii text");
        write_line(".");
        CHECK(channel->received_data == "plain ascii text");
    }

    TEST_CASE_FIXTURE(SMTPDChannelWithDecodeDataTrue, "test_utf8_data") {
        write_line("HELO example");
        write_line("MAIL From:eggs@example");
        write_line("RCPT To:spam@example");
        write_line("DATA");
        write_line("utf8 enriched text: \xc5\xbc\xc5\xba\xc4\x87");
        write_line("and some plain ascii");
        write_line(".");
        CHECK(channel->received_data == "utf8 enriched text: żźć\nand some plain ascii");
    }
}

TEST_SUITE("SMTPDChannelTestWithEnableSMTPUTF8True") {
    TEST_CASE_FIXTURE(SMTPDChannelTestWithEnableSMTPUTF8True,
                      "test_MAIL_command_accepts_SMTPUTF8_when_announced") {
        write_line("EHLO example");
        write_line("MAIL from: <naïve@example.com> BODY=8BITMIME SMTPUTF8");
        CHECK(last() == "250 OK\r\n");
    }

    TEST_CASE_FIXTURE(SMTPDChannelTestWithEnableSMTPUTF8True, "test_process_smtputf8_message") {
        write_line("EHLO example");
        for (const std::string mail_parameters : {"", "BODY=8BITMIME SMTPUTF8"}) {
            write_line("MAIL from: <a@example> " + mail_parameters);
            CHECK(last().substr(0, 3) == "250");
            write_line("rcpt to:<b@example.com>");
            CHECK(last().substr(0, 3) == "250");
            write_line("data");
            CHECK(last().substr(0, 3) == "354");
            write_line("c\r\n.");
            if (mail_parameters.empty()) CHECK(last() == "250 OK\r\n");
            else CHECK(last() == "250 SMTPUTF8 message okish\r\n");
        }
    }

    TEST_CASE_FIXTURE(SMTPDChannelTestWithEnableSMTPUTF8True, "test_utf8_data") {
        write_line("EHLO example");
        write_line("MAIL From: naïve@examplé BODY=8BITMIME SMTPUTF8");
        CHECK(last().substr(0, 3) == "250");
        write_line("RCPT To:späm@examplé");
        CHECK(last().substr(0, 3) == "250");
        write_line("DATA");
        CHECK(last().substr(0, 3) == "354");
        write_line("utf8 enriched text: \xc5\xbc\xc5\xba\xc4\x87");
        write_line(".");
        CHECK(channel->received_data == "utf8 enriched text: \xc5\xbc\xc5\xba\xc4\x87");
    }

    constexpr std::size_t fill_len =
        (512 + 26 + 10) - std::string_view("mail from:<@example>").size();

    TEST_CASE_FIXTURE(SMTPDChannelTestWithEnableSMTPUTF8True,
                      "test_MAIL_command_limit_extended_with_SIZE_and_SMTPUTF8") {
        write_line("ehlo example");
        write_line("MAIL from:<" + std::string(fill_len + 1, 'a') + "@example>");
        CHECK(last() == "500 Error: line too long\r\n");
        write_line("MAIL from:<" + std::string(fill_len, 'a') + "@example>");
        CHECK(last() == "250 OK\r\n");
    }

    TEST_CASE_FIXTURE(SMTPDChannelTestWithEnableSMTPUTF8True,
                      "test_multiple_emails_with_extended_command_length") {
        write_line("ehlo example");
        for (const char each : {'a', 'b', 'c'}) {
            write_line("MAIL from:<" + std::string(fill_len, each) + "a@example>");
            CHECK(last().substr(0, 3) == "500");
            write_line("MAIL from:<" + std::string(fill_len, each) + "@example>");
            CHECK(last().substr(0, 3) == "250");
            write_line("rcpt to:<hans@example.com>");
            CHECK(last().substr(0, 3) == "250");
            write_line("data");
            CHECK(last().substr(0, 3) == "354");
            write_line("test\r\n.");
            CHECK(last().substr(0, 3) == "250");
        }
    }
}
