// hardened_channel, on a clock that the tests set.  test_clients.py holds dialogues with it.
#include "hardened_channel.hpp"

#include "test_smtpd.hpp"

using namespace smtpd;
using namespace std::chrono_literals;

namespace {

/// A channel whose own limits the tests can see.
class shown : public hardened_channel {
public:
    using hardened_channel::hardened_channel;
    const size_limits& limits() const { return *limits_; }
};

/// A server with a hardened channel.
class one_hardened : public debug_at_hand {
public:
    hardened_channels channels;
    DummyServer server{{HOST, 0}, {"b", 0}, keywords{.data_size_limit = 1000}};
    std::unique_ptr<shown> channel = connected();

    std::unique_ptr<shown> connected() {
        auto accepted = server.accept();
        auto& [conn, addr] = accepted.value();
        return std::make_unique<shown>(channels, server, std::move(conn), addr,
                                       keywords{.data_size_limit = 1000});
    }
    /// Says a line.  Returns: the last line of the reply, or nothing if there is none.
    std::string say(std::string_view line) {
        mock(channel->socket).last.clear();
        write_line(*channel, line);
        return mock(channel->socket).last;
    }
    std::string last() { return mock(channel->socket).last; }
    bool is_open() const { return channels.all.contains(channel.get()); }
    void pass(std::chrono::seconds time) {
        channels.now += time;
        channels.check_times();
    }
    /// The socket has room again.
    void take_replies() { channel->handle_write(); }
};

const std::string late = "421 " + py::getfqdn() + " Error: the client took too long\r\n";

}  // namespace

TEST_SUITE("hardened_channel") {
    TEST_CASE("a channel has limits of its own, and unknown commands add none") {
        one_hardened test;
        const auto other = test.connected();
        test.say("EHLO example");
        write_line(*other, "EHLO example");
        for (int i = 0; i < 1000; ++i) CHECK(test.say("X" + std::to_string(i)).starts_with("500 "));
        CHECK(test.channel->limits().size() <= 2);
        CHECK(test.channel->max_command_size_limit() == 512 + 26);
        CHECK(other->max_command_size_limit() == 512 + 26);
        test.connected();
        CHECK(other->max_command_size_limit() == 512 + 26);
        CHECK(SMTPChannel::command_size_limits.empty());
    }

    TEST_CASE("in Python's channel all this is shared") {
        one_channel test(keywords{});
        const auto other = connected_to(test.server);
        test.write_line("EHLO example");
        write_line(*other, "EHLO example");
        CHECK(test.channel->max_command_size_limit() == 512 + 26 + 26);
        for (int i = 0; i < 1000; ++i) test.write_line("X" + std::to_string(i));
        CHECK(SMTPChannel::command_size_limits.size() > 1000);
        connected_to(test.server);
        CHECK(other->max_command_size_limit() == 512);
    }

    TEST_CASE("an address that is nested too deeply is a syntax error") {
        for (const std::size_t depth : {1UL, 400UL, 50'000UL}) {
            one_hardened test;
            test.channel->command_size_limit = 1 << 24;
            test.say("HELO example");
            const auto said = test.say("MAIL FROM:" + std::string(depth, '(') + "<a@b>");
            CHECK(said == "501 Syntax: MAIL FROM: <address>\r\n");
            CHECK(test.say("NOOP") == "250 OK\r\n");
        }
    }

    TEST_CASE("a character may arrive in two pieces, and text that is not UTF-8 is refused") {
        one_hardened test;
        test.channel->_decode_data = true;
        const auto say_in_two = [&](std::string_view before, std::string_view after) {
            mock(test.channel->socket).queue_part(before);
            test.channel->handle_read();
            return test.say(after);
        };
        CHECK(say_in_two("HELO ex\xc3", "\xa9mple").starts_with("250 "));
        CHECK(test.say("VRFY \xc3") == "501 Error: bad syntax\r\n");
        test.say("MAIL FROM:<a@b>");
        test.say("RCPT TO:<c@d>");
        test.say("DATA");
        CHECK(say_in_two("\xc3", "\xa9\r\n.") == "250 OK\r\n");
        CHECK(std::get<3>(test.server.messages.at(0)) == "\xc3\xa9");
        test.say("MAIL FROM:<a@b>");
        test.say("RCPT TO:<c@d>");
        test.say("DATA");
        CHECK(test.say("\xc3\r\n.") == "554 Error: this is not UTF-8\r\n");
        CHECK(test.server.messages.size() == 1);
        CHECK(test.say("NOOP") == "250 OK\r\n");
    }

    TEST_CASE("a command that is too long has the same reply, whatever its pieces") {
        std::string command;
        for (int i = 0; i < 300; ++i) command += "\xc3\xa9";
        for (const std::size_t size : {1UL, 3UL, command.size()}) {
            one_hardened test;
            for (std::size_t at = 0; at < command.size(); at += size) {
                mock(test.channel->socket).queue_part(command.substr(at, size));
                test.channel->handle_read();
            }
            CHECK(test.say("") == "500 Error: line too long\r\n");
            CHECK(test.say("NOOP") == "250 OK\r\n");
        }
    }

    TEST_CASE("a silent client gets 421, and is closed") {
        one_hardened test;
        test.pass(299s);
        CHECK(test.last().starts_with("220 "));
        test.pass(1s);
        CHECK(test.last() == late);
        test.take_replies();
        CHECK(!test.is_open());
    }

    TEST_CASE("a client that does not take the last reply is closed") {
        for (const bool quits : {true, false}) {
            one_hardened test;
            if (quits) test.say("QUIT");
            else test.pass(300s);
            test.pass(299s);
            CHECK(test.is_open());
            test.pass(1s);
            CHECK(!test.is_open());
        }
    }

    TEST_CASE("each command has the whole time, however it arrives") {
        one_hardened test;
        for (int i = 0; i < 3; ++i) {
            test.pass(299s);
            CHECK(test.say("NOOP") == "250 OK\r\n");
        }
        for (int i = 0; i < 300; ++i) {
            CHECK(test.is_open());
            mock(test.channel->socket).queue_part("N");
            test.channel->handle_read();
            test.pass(1s);
        }
        CHECK(test.last() == late);
        test.take_replies();
        CHECK(!test.is_open());
    }

    TEST_CASE("a message may take long, but not come more slowly than the least rate") {
        one_hardened test;
        for (const auto* line : {"HELO example", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA"})
            test.say(line);
        for (int i = 0; i < 10; ++i) {
            test.pass(299s);
            test.say(std::string(30'000, 'x'));
            CHECK(test.is_open());
        }
        test.say(std::string(20'000, 'x'));
        test.pass(300s);
        CHECK(test.last() == late);
        test.take_replies();
        CHECK(!test.is_open());
    }
}
