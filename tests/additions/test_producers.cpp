// asynchat/producers: the pieces that each producer gives, and the same bytes whatever is put into what.
#include "../support.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/producers/deferred_producer.hpp>
#include <asynchat/producers/producers.hpp>
#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <fcntl.h>

#if __has_include(<zlib.h>)
#include <asynchat/producers/compressed_producer.hpp>

#include <zlib.h>
#endif

using namespace asynchat;

namespace {

using pieces = std::vector<std::string>;

/// Asks until the producer is done.  Where it has nothing yet, the list has an empty piece.
pieces all_pieces(producer& from, std::size_t most = 100000) {
    pieces all;
    while (all.size() < most) {
        all.push_back(from.more());
        if (!all.back().empty()) continue;
        if (from.not_done_yet_()) continue;
        all.pop_back();
        return all;
    }
    FAIL("the producer has no end");
    return all;
}
pieces all_pieces(const any_producer& from) { return all_pieces(*from); }

std::string joined(const pieces& all) {
    std::string text;
    for (const auto& each : all) text += each;
    return text;
}

/// Gives the pieces in turn.  An empty piece is one that is not there yet.
class halting_producer : public producer {
public:
    explicit halting_producer(pieces all) : pieces_(std::move(all)) {}
    std::string more() override {
        return next_ < pieces_.size() ? pieces_[next_++] : std::string();
    }
    bool not_done_yet_() override { return next_ < pieces_.size(); }

private:
    pieces pieces_;
    std::size_t next_ = 0;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

/// Undoes the chunked coding.  The last chunk has to be there, with no footer.
std::string without_chunks(std::string_view text) {
    std::string all;
    while (true) {
        std::size_t size = 0;
        const auto end = std::from_chars(text.data(), text.data() + text.size(), size, 16).ptr;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        REQUIRE(text.substr(0, 2) == "\r\n");
        REQUIRE(text.size() >= size + 4);
        all += text.substr(2, size);
        REQUIRE(text.substr(size + 2, 2) == "\r\n");
        text.remove_prefix(size + 4);
        if (size > 0) continue;
        CHECK(text.empty());
        return all;
    }
}

}  // namespace

// --- Pieces, as medusa's have them.

TEST_CASE("scanning_producer: pieces of 1024 bytes") {
    const std::string data(2500, 'x');
    CHECK(all_pieces(scanning_producer(data)) ==
          pieces{data.substr(0, 1024), data.substr(0, 1024), data.substr(0, 452)});
    CHECK(all_pieces(scanning_producer("abcde", 2)) == pieces{"ab", "cd", "e"});
    CHECK(all_pieces(scanning_producer("")).empty());
}

TEST_CASE("lines_producer: 50 lines in a piece, each with \\r\\n") {
    CHECK(all_pieces(lines_producer({})).empty());
    CHECK(all_pieces(lines_producer({"a", "", "b"})) == pieces{"a\r\n\r\nb\r\n"});
    const pieces lines(120, "x");
    const auto all = all_pieces(lines_producer(lines));
    REQUIRE(all.size() == 3);
    CHECK(all[0].size() == 150);
    CHECK(all[1].size() == 150);
    CHECK(all[2].size() == 60);
}

TEST_CASE("buffer_list_producer: a string in a piece, and an empty string ends it") {
    CHECK(all_pieces(buffer_list_producer({"a", "bc"})) == pieces{"a", "bc"});
    CHECK(all_pieces(buffer_list_producer({"a", "", "b"})) == pieces{"a"});
    CHECK(all_pieces(buffer_list_producer({})).empty());
}

TEST_CASE("file_producer: pieces of 65536 bytes, and the file is closed at its end") {
    const support::TempDir folder;
    const std::string data(150000, 'x');
    support::write_file(folder / "file", data);
    const pieces expected{data.substr(0, 65536), data.substr(0, 65536), data.substr(0, 18928)};

    SUBCASE("a descriptor") {
        asyncore::platform::unique_fd file(::open((folder / "file").c_str(), O_RDONLY));
        const int fd = file.get();
        file_producer from(std::move(file));
        CHECK(all_pieces(from) == expected);
        CHECK_FALSE(support::is_open(fd));
        CHECK(from.more().empty());
    }
    SUBCASE("a stream") {
        CHECK(all_pieces(file_producer(std::ifstream(folder / "file", std::ios::binary))) ==
              expected);
    }
    SUBCASE("another size") {
        file_producer from(std::istringstream("abcde"));
        from.out_buffer_size = 2;
        CHECK(all_pieces(from) == pieces{"ab", "cd", "e"});
    }
    SUBCASE("from the position of the file on") {
        std::istringstream file("head body");
        file.ignore(5);
        CHECK(all_pieces(file_producer(std::move(file))) == pieces{"body"});
    }
    SUBCASE("an empty file") { CHECK(all_pieces(file_producer(std::istringstream(""))).empty()); }
}

TEST_CASE("file_producer: a file that cannot be read is an error, not an empty file") {
    const support::TempDir folder;
    CHECK_THROWS_AS(file_producer(std::ifstream(folder / "none")), std::invalid_argument);
    CHECK_THROWS_AS(file_producer(asyncore::platform::unique_fd()).more(), std::system_error);
    asyncore::platform::unique_fd directory(::open((folder / "").c_str(), O_RDONLY));
    CHECK_THROWS_AS(file_producer(std::move(directory)).more(), std::system_error);
}

TEST_CASE("output_producer: \\r\\n for \\n, in pieces of 512 bytes") {
    output_producer out;
    out.write("one\ntwo");
    out.write("\n\n");
    out.writeline("three");
    out.writelines({"four", "five"});
    out.flush();
    CHECK(out.data.view() == "one\r\ntwo\r\n\r\nthree\r\nfour\r\nfive\r\n");
    out.data.clear();
    out.write(std::string(600, 'x'));
    CHECK(all_pieces(out) == pieces{std::string(512, 'x'), std::string(88, 'x')});
}

TEST_CASE("composite_producer: one producer after the other") {
    CHECK(all_pieces(composite_producer({})).empty());
    composite_producer both(
        {simple_producer("abc", 2), simple_producer(""), lines_producer({"d"})});
    CHECK(all_pieces(both) == pieces{"ab", "c", "d\r\n"});
    both.producers.push_back(simple_producer("e"));
    CHECK(all_pieces(both) == pieces{"e"});
}

TEST_CASE("composite_producer: a producer may add another, or clear the list") {
    struct editing : producer {
        composite_producer* all = nullptr;
        bool clears = false;
        std::string more() override {
            if (clears) all->producers.clear();
            else all->producers.push_back(simple_producer("added"));
            return "";
        }
    };
    const auto first = std::make_shared<editing>();
    composite_producer all({first, simple_producer("second")});
    first->all = &all;
    SUBCASE("adds") { CHECK(all_pieces(all) == pieces{"second", "added"}); }
    SUBCASE("clears") {
        first->clears = true;
        CHECK(all_pieces(all).empty());
    }
}

TEST_CASE("globbing_producer: pieces of buffer_size or more, but for the last") {
    CHECK(all_pieces(globbing_producer(simple_producer("abcdefg", 2), 3)) == pieces{"abcd", "efg"});
    CHECK(all_pieces(globbing_producer(simple_producer("abcdefghi", 2), 3)) ==
          pieces{"abcd", "efgh", "i"});
    CHECK(all_pieces(globbing_producer(simple_producer(""), 3)).empty());
    const auto all = all_pieces(globbing_producer(simple_producer(std::string(100000, 'x'))));
    CHECK(all == pieces{std::string(65536, 'x'), std::string(34464, 'x')});
}

TEST_CASE("filters: take a pointer to any producer, whatever its class is") {
    const std::shared_ptr<producer> unknown = std::make_shared<simple_producer>("abcdefg", 2);
    CHECK(all_pieces(globbing_producer(unknown, 3)) == pieces{"abcd", "efg"});
    const auto known = std::make_shared<simple_producer>("abcdefg", 2);
    CHECK(all_pieces(globbing_producer(known, 3)) == pieces{"abcd", "efg"});
    CHECK(all_pieces(composite_producer({unknown, known, simple_producer("x")})) == pieces{"x"});
}

TEST_CASE("hooked_producer: calls the function once, when all is given") {
    std::vector<std::size_t> calls;
    hooked_producer hooked(simple_producer("abcde", 2),
                           [&](std::size_t bytes) { calls.push_back(bytes); });
    for (int i = 0; i < 3; ++i) CHECK_FALSE(hooked.more().empty());
    CHECK(calls.empty());
    CHECK(hooked.more().empty());
    CHECK(calls == std::vector<std::size_t>{5});
    CHECK(hooked.more().empty());
    CHECK(calls.size() == 1);
    CHECK_FALSE(hooked.not_done_yet_());
}

TEST_CASE("chunked_producer: a chunk a piece, then the last chunk and the footers") {
    CHECK(all_pieces(chunked_producer(buffer_list_producer({"abc", std::string(26, 'x')}))) ==
          pieces{"3\r\nabc\r\n", "1a\r\n" + std::string(26, 'x') + "\r\n", "0\r\n\r\n"});
    CHECK(all_pieces(chunked_producer(simple_producer(""), {"A: 1", "B: 2"})) ==
          pieces{"0\r\nA: 1\r\nB: 2\r\n\r\n"});
}

TEST_CASE("escaping_producer: replaces across pieces, and loses nothing") {
    const auto escape = [](pieces given) {
        return all_pieces(escaping_producer(buffer_list_producer(std::move(given))));
    };
    CHECK(escape({"a\r\n.b"}) == pieces{"a\r\n..b"});
    CHECK(escape({"a\r", "\n.", "b"}) == pieces{"a", "\r\n..", "b"});
    CHECK(escape({"a\r\n", "b"}) == pieces{"a", "\r\nb"});
    CHECK(escape({"end\r\n"}) == pieces{"end", "\r\n"});  // medusa's loses this \r\n
    CHECK(escape({"\r\n", "b"}) == pieces{"\r\nb"});      // medusa's ends before the b
    CHECK(escape({}).empty());
    CHECK(all_pieces(escaping_producer(simple_producer("aXbX"), "X", "")) == pieces{"ab"});
    CHECK(joined(all_pieces(escaping_producer(simple_producer("abab", 1), "ab", "a"))) == "aa");
    CHECK_THROWS_AS(escaping_producer(simple_producer(""), ""), std::invalid_argument);
}

TEST_CASE("filters: are not done yet while their producer is not") {
    const auto source = [] { return halting_producer({"", "a", "", "b", ""}); };
    CHECK(all_pieces(composite_producer({source(), source()})) ==
          pieces{"", "a", "", "b", "", "a", "", "b"});
    CHECK(all_pieces(globbing_producer(source(), 10)) == pieces{"", "", "ab"});
    CHECK(all_pieces(globbing_producer(source(), 1)) == pieces{"", "a", "", "b"});
    CHECK(all_pieces(chunked_producer(source())) ==
          pieces{"", "1\r\na\r\n", "", "1\r\nb\r\n", "0\r\n\r\n"});
    CHECK(all_pieces(escaping_producer(source())) == pieces{"", "a", "", "b"});
    std::size_t given = 0;
    hooked_producer hooked(source(), [&](std::size_t bytes) { given = bytes; });
    CHECK(hooked.more().empty());
    CHECK(hooked.more() == "a");
    CHECK(given == 0);
    all_pieces(hooked);
    CHECK(given == 2);
}

// --- deferred_producer, in a channel.

namespace {

class chat : public async_chat {
public:
    std::size_t most = 100000;
    explicit chat(asyncore::socket_t sock) : async_chat(std::move(sock)) {}
    std::size_t send(std::string_view data) override {
        return most == 0 ? 0 : async_chat::send(data.substr(0, most));
    }
};

struct with_peer {
    std::pair<asyncore::socket_t, asyncore::socket_t> ends = asyncore::socket_t::pair();
    asyncore::socket_t& peer = ends.second;
    std::shared_ptr<chat> channel = asyncore::spawn<chat>(std::move(ends.first));

    ~with_peer() { asyncore::close_all(); }

    static void turns(int count = 3) { asyncore::loop({.timeout = 0.0, .count = count}); }
    std::string received() {
        std::array<char, 65536> room;
        std::string all;
        while (true) {
            const auto [count, error] = peer.recv(room);
            if (count == 0) return all;
            all.append(room.data(), count);
        }
    }
};

}  // namespace

TEST_CASE_FIXTURE(with_peer, "deferred_producer: the queue waits for it, in other producers too") {
    const auto answer = std::make_shared<deferred_producer>(*channel);
    channel->push("head ");
    channel->push_with_producer(chunked_producer(composite_producer({answer})));
    channel->push("next");
    turns();
    CHECK(received() == "head ");
    CHECK_FALSE(channel->writable());
    answer->write("");
    answer->write("abc");
    turns();
    CHECK(received() == "3\r\nabc\r\n");
    answer->close();
    turns();
    CHECK(received() == "0\r\n\r\nnext");
}

TEST_CASE_FIXTURE(with_peer, "deferred_producer: what is written before it is pushed is sent") {
    const auto answer = std::make_shared<deferred_producer>(*channel);
    answer->write("abc");
    answer->close();
    CHECK(answer->size() == 3);
    channel->push_with_producer(answer);
    channel->close_when_done();
    turns();
    CHECK(received() == "abc");
    CHECK(channel->_fileno == -1);
}

TEST_CASE_FIXTURE(with_peer, "deferred_producer: outlives its channel") {
    const auto answer = std::make_shared<deferred_producer>(*channel);
    channel->push_with_producer(answer);
    channel->close();
    channel->discard_buffers();
    channel.reset();
    turns();
    answer->write("abc");
    answer->close();
    CHECK(answer->size() == 3);
}

TEST_CASE("deferred_producer: a channel that spawn() did not make needs the other constructor") {
    auto [ours, theirs] = asyncore::socket_t::pair();
    chat channel(std::move(ours));
    CHECK_THROWS_AS(deferred_producer{channel}, std::logic_error);
    const auto answer = std::make_shared<deferred_producer>([&] { channel.more_to_send_(); });
    channel.push_with_producer(answer);
    answer->write("abc");
    std::array<char, 10> room;
    CHECK(theirs.recv(room).count == 3);
}

TEST_CASE_FIXTURE(with_peer, "deferred_producer: handle_taken writes the next bytes") {
    const auto answer = std::make_shared<deferred_producer>(*channel);
    int left = 5;
    std::size_t longest = 0;
    answer->handle_taken = [&] {
        if (left-- > 0) answer->write("x");
        else answer->close();
        longest = std::max(longest, answer->size());
    };
    answer->write("x");
    channel->push_with_producer(answer);
    channel->push(".");
    turns(10);
    CHECK(received() == "xxxxxx.");
    CHECK(longest == 1);
}

// --- Random producers inside of one another, against a model that knows only the bytes.

namespace {

/// A producer, and all the bytes that it has to give.
struct made {
    any_producer from;
    std::string bytes;
};

class maker {
public:
    explicit maker(unsigned seed) : random_(seed) {}

    std::size_t number(std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random_);
    }
    /// Letters among which the sequence to escape is frequent.
    std::string text(std::size_t most) {
        std::string all(number(most), ' ');
        for (char& c : all) c = "\r\n.ab"[number(4)];
        return all;
    }

    made any(int depth) { return depth > 0 && number(3) > 0 ? outer(depth - 1) : inner(); }

private:
    made inner() {
        pieces list(number(8));
        for (auto& each : list) each = text(20);
        switch (number(5)) {
        case 0: {
            std::string bytes;
            for (const auto& each : list) bytes += each + "\r\n";
            return {lines_producer(list), bytes};
        }
        case 1: {
            std::erase(list, "");
            return {buffer_list_producer(list), joined(list)};
        }
        case 2: {
            file_producer from(std::istringstream(joined(list)));
            from.out_buffer_size = 1 + number(20);
            return {std::move(from), joined(list)};
        }
        case 3: {
            output_producer from;
            for (const auto& each : list) from.write(each);
            return {std::move(from), replaced(joined(list), "\n", "\r\n")};
        }
        case 4:
            return {scanning_producer(joined(list), 1 + number(20)), joined(list)};
        default:
            return {halting_producer(list), joined(list)};
        }
    }

    made outer(int depth) {
        if (number(2) == 0) {
            std::deque<any_producer> list;
            std::string bytes;
            for (auto count = number(4); count > 0; --count) {
                auto [from, more] = any(depth);
                list.push_back(from);
                bytes += more;
            }
            return {composite_producer(list), bytes};
        }
        auto [from, bytes] = any(depth);
        switch (number(2)) {
        case 0:
            return {globbing_producer(from, 1 + number(50)), bytes};
        case 1:
            return {escaping_producer(from), replaced(bytes, "\r\n.", "\r\n..")};
        default:
            return {hooked_producer(
                        from, [size = bytes.size()](std::size_t given) { CHECK(given == size); }),
                    bytes};
        }
    }

    std::mt19937 random_;
};

}  // namespace

TEST_CASE("producers: random ones inside of one another give the bytes of the model") {
    for (unsigned seed = 0; seed < 3000; ++seed) {
        CAPTURE(seed);
        maker random(seed);
        const auto [from, bytes] = random.any(4);
        const bool chunks = random.number(1) == 0;
        const auto all = joined(all_pieces(chunks ? chunked_producer(from) : from));
        REQUIRE((chunks ? without_chunks(all) : all) == bytes);
    }
}

TEST_CASE("producers: random ones in a channel with short writes arrive whole and in order") {
    for (unsigned seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        maker random(seed);
        with_peer scene;
        scene.channel->ac_out_buffer_size = static_cast<std::uint32_t>(1 + random.number(40));
        scene.channel->send_later_ = random.number(1) == 0;
        std::string expected, got;
        for (auto count = random.number(5); count > 0; --count) {
            const auto [from, bytes] = random.any(3);
            scene.channel->push_with_producer(from);
            expected += bytes;
            const auto between = random.text(10);
            scene.channel->push(between);
            expected += between;
        }
        scene.channel->close_when_done();
        for (int turn = 0; scene.channel->_fileno != -1; ++turn) {
            REQUIRE(turn < 20000);
            scene.channel->most = random.number(30);  // 0: there is no room
            if (!scene.channel->writable()) scene.channel->more_to_send_();
            with_peer::turns(1);
            got += scene.received();
        }
        got += scene.received();
        REQUIRE(got == expected);
    }
}

#if __has_include(<zlib.h>)

namespace {

std::string decompressed(std::string data, bool complete = true) {
    z_stream stream{};
    REQUIRE(inflateInit(&stream) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(data.data());
    stream.avail_in = static_cast<uInt>(data.size());
    std::string all(1000000, '\0');
    stream.next_out = reinterpret_cast<Bytef*>(all.data());
    stream.avail_out = static_cast<uInt>(all.size());
    const int result = inflate(&stream, Z_SYNC_FLUSH);
    CHECK((result == Z_STREAM_END) == complete);
    CHECK(stream.avail_in == 0);
    all.resize(stream.total_out);
    inflateEnd(&stream);
    return all;
}

}  // namespace

TEST_CASE("compressed_producer: gives zlib's format in few pieces") {
    std::string text;
    for (int i = 0; i < 2000; ++i) text += std::to_string(i) + " bottles\n";
    const auto all = all_pieces(compressed_producer(simple_producer(text)));
    CHECK(all.front() == "\x78\x5e");  // as compressobj(5): the head of the format leaves at once
    CHECK(all.size() == 2);
    CHECK(joined(all).size() < text.size() / 2);
    CHECK(decompressed(joined(all)) == text);
    CHECK(decompressed(joined(all_pieces(compressed_producer(simple_producer(""))))).empty());
    CHECK_THROWS_AS(compressed_producer(simple_producer(""), 10), std::invalid_argument);
}

TEST_CASE("compressed_producer: what is there leaves while the producer is not done") {
    const pieces given{"abc", "", "", "def", ""};
    compressed_producer from{halting_producer(given)};
    std::string data = from.more();
    data += from.more();
    CHECK(decompressed(data, false) == "abc");
    CHECK(from.more().empty());
    data += joined(all_pieces(from));
    CHECK(decompressed(data) == "abcdef");
}

TEST_CASE("compressed_producer: random producers inside") {
    for (unsigned seed = 0; seed < 500; ++seed) {
        CAPTURE(seed);
        maker random(seed);
        const auto [from, bytes] = random.any(4);
        const int level = static_cast<int>(random.number(10)) - 1;
        const auto all = joined(all_pieces(chunked_producer(compressed_producer(from, level))));
        REQUIRE(decompressed(without_chunks(all)) == bytes);
    }
}

#endif
