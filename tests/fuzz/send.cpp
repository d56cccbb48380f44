// async_chat's queue against a model that copies every byte: after each operation, both have given
// the same to send() and have the same left in the queue, with any short write of the kernel.
#include <asynchat/asynchat.hpp>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "fuzz.hpp"

namespace {

/// The answer to a send() is the number of bytes that it takes at most, or one of these.
constexpr unsigned fails = 14;        // it throws
constexpr unsigned disconnects = 15;  // the peer is gone: the queue is discarded

/// Gives one answer for each send(), and begins again after the last one.
class kernel {
public:
    explicit kernel(std::vector<unsigned> answers) : answers_(std::move(answers)) {}
    unsigned answer() { return answers_[count_++ % answers_.size()]; }

private:
    std::vector<unsigned> answers_;
    std::size_t count_ = 0;
};

std::string shown(const std::string& bytes) { return "'" + bytes + "' "; }

// ---------------------------------------------------------------------------
// The model.
// ---------------------------------------------------------------------------

struct entry {
    enum { bytes, producer, close } kind;
    std::string data;
    std::size_t buffer_size = 0;  // of a producer
};

class model {
public:
    std::string calls;
    bool connected = true;

    model(std::size_t ac_out_buffer_size, kernel answers)
        : ac_out_buffer_size_(ac_out_buffer_size), kernel_(std::move(answers)) {}

    void push(std::string data) {
        while (data.size() > ac_out_buffer_size_) {
            queue_.push_back({entry::bytes, data.substr(0, ac_out_buffer_size_)});
            data.erase(0, ac_out_buffer_size_);
        }
        push_entry({entry::bytes, data});
    }
    void push_entry(entry last) {
        queue_.push_back(std::move(last));
        initiate_send();
    }
    void close_when_done() { queue_.push_back({entry::close, ""}); }
    void discard_buffers() { queue_.clear(); }

    void initiate_send() {
        while (connected && !queue_.empty() && queue_.front().kind == entry::producer) refill();
        if (!connected || queue_.empty()) return;
        if (queue_.front().kind == entry::bytes) return send_some();
        queue_.pop_front();
        calls += "close ";
    }

    std::string queue() const {
        std::string text;
        for (const auto& each : queue_)
            text += each.kind == entry::bytes      ? shown(each.data)
                    : each.kind == entry::producer ? "producer "
                                                   : "close ";
        return text;
    }

private:
    void refill() {
        auto& from = queue_.front();
        const auto data = from.data.substr(0, from.buffer_size);
        from.data.erase(0, data.size());
        if (data.empty()) queue_.pop_front();
        else queue_.push_front({entry::bytes, data});
    }

    void send_some() {
        auto& data = queue_.front().data;
        const auto offered = data.substr(0, ac_out_buffer_size_);
        calls += shown(offered);
        if (data.empty()) queue_.pop_front();  // it leaves the queue, whatever the answer is
        const auto answer = kernel_.answer();
        if (answer == disconnects) return queue_.clear();
        if (answer == fails) {
            calls += "error ";
            return;
        }
        if (offered.empty()) return;
        data.erase(0, std::min<std::size_t>(answer, offered.size()));
        if (data.empty()) queue_.pop_front();
    }

    std::size_t ac_out_buffer_size_;
    kernel kernel_;
    std::deque<entry> queue_;
};

// ---------------------------------------------------------------------------
// The library.
// ---------------------------------------------------------------------------

class writer : public asynchat::async_chat {
public:
    std::string calls;

    writer(unsigned out_buffer_size, kernel answers) : kernel_(std::move(answers)) {
        ac_out_buffer_size = out_buffer_size;
        connected = true;
    }

    std::size_t send(std::string_view data) override {
        calls += shown(std::string(data));
        const auto answer = kernel_.answer();
        if (answer == fails) throw std::system_error(EIO, std::generic_category());
        if (answer != disconnects) return std::min<std::size_t>(answer, data.size());
        discard_buffers();
        return 0;
    }
    void handle_error() override { calls += "error "; }
    void handle_close() override { calls += "close "; }

    std::string queue() {
        std::string text;
        for (std::size_t at = 0; at < producer_fifo.size(); ++at) text += shown_entry(at);
        return text;
    }

private:
    std::string shown_entry(std::size_t at) {
        if (const auto* bytes = std::get_if<asyncore::byte_buffer>(&producer_fifo[at]))
            return shown(bytes->str());
        return std::holds_alternative<asynchat::none_t>(producer_fifo[at]) ? "close " : "producer ";
    }

    kernel kernel_;
};

/// Does the same operation on both.  The bytes that are given to `ours` are freed afterwards.
void operate(fuzz::decisions& input, model& theirs, writer& ours) {
    switch (input.next() % 8) {
    case 0:
    case 1: {
        const auto data = input.letters(input.next(0, 40));
        theirs.push(data);
        return ours.push(data);
    }
    case 2: {
        const auto data = input.letters(input.next(0, 20));
        theirs.push_entry({entry::bytes, data});
        return ours.push_with_producer(data);
    }
    case 3: {
        const auto data = input.letters(input.next(0, 40));
        const auto size = input.next(1, 16);
        theirs.push_entry({entry::producer, data, size});
        return ours.push_with_producer(asynchat::simple_producer(data, size));
    }
    case 4:
        if (input.next() % 2 == 0) {
            theirs.push_entry({entry::close, ""});
            return ours.push_with_producer(std::shared_ptr<asynchat::producer>());
        }
        theirs.close_when_done();
        return ours.close_when_done();
    case 5:
        if (input.next() % 4 > 0) {
            theirs.connected = ours.connected = !ours.connected;
            return;
        }
        theirs.discard_buffers();
        return ours.discard_buffers();
    default:
        theirs.initiate_send();
        return ours.handle_write();
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::decisions input(data, size);
    const auto ac_out_buffer_size = input.next(1, 24);
    std::vector<unsigned> answers(input.next(1, 8));
    for (auto& answer : answers) answer = input.next(0, 15);
    model theirs(ac_out_buffer_size, kernel(answers));
    writer ours(ac_out_buffer_size, kernel(answers));
    while (input.left()) {
        operate(input, theirs, ours);
        fuzz::check_same("calls", theirs.calls, ours.calls);
        fuzz::check_same("producer_fifo", theirs.queue(), ours.queue());
        theirs.calls.clear();
        ours.calls.clear();
    }
    return 0;
}
