// The producers of medusa, which most servers of asyncore use.  They give the same pieces as in Python.
// Python: medusa/producers.py.  simple_producer is asynchat's own; in medusa its default is 1024 bytes.
#pragma once

#include <asynchat/producer.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <concepts>
#include <cstddef>
#include <deque>
#include <functional>
#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asynchat {

/// A parameter that takes a producer: a shared_ptr to one, or any producer by value.
struct any_producer : std::shared_ptr<producer> {
    using std::shared_ptr<producer>::shared_ptr;
    any_producer(std::shared_ptr<producer> from) : std::shared_ptr<producer>(std::move(from)) {}
    template <std::derived_from<producer> Producer>
    any_producer(Producer made)
        : std::shared_ptr<producer>(std::make_shared<Producer>(std::move(made))) {}
};

// --- Producers that have their bytes.

/// The same as simple_producer, with medusa's size.
class scanning_producer : public simple_producer {
public:
    explicit scanning_producer(std::string bytes, std::size_t size = 1024)
        : simple_producer(std::move(bytes), size) {}
};

/// Ends each line with \r\n, and gives 50 lines at a time.
class lines_producer : public producer {
public:
    explicit lines_producer(std::vector<std::string> lines) : lines_(std::move(lines)) {}
    std::string more() override;

private:
    std::vector<std::string> lines_;
    std::size_t next_ = 0;
};

/// Gives one string at a time.  As in Python, an empty string is the end.
class buffer_list_producer : public producer {
public:
    explicit buffer_list_producer(std::vector<std::string> buffers)
        : buffers_(std::move(buffers)) {}
    std::string more() override;

private:
    std::vector<std::string> buffers_;
    std::size_t next_ = 0;
};

/// Gives what a file has from its position on, and closes the file.  A read of the file must not wait, but
/// for a disk: a pipe or a socket would block the loop.
class file_producer : public producer {
public:
    std::size_t out_buffer_size = 1 << 16;  // bytes in a piece, but for the last piece

    explicit file_producer(asyncore::platform::unique_fd file);
    /// Throws: std::invalid_argument for a stream that could not be opened.
    explicit file_producer(std::unique_ptr<std::istream> file);
    template <std::derived_from<std::istream> File>
    explicit file_producer(File file)
        : file_producer(std::unique_ptr<std::istream>(std::make_unique<File>(std::move(file)))) {}

    /// Throws: std::system_error if the file cannot be read.
    std::string more() override;

private:
    /// Python: file.read(size).  It is shorter only at the end of the file.
    std::function<std::string(std::size_t size)> read_;  // empty: the file is closed
};

/// Takes what a program prints, and turns each \n into \r\n.  Gives 512 bytes at a time.
///
/// The queue drops an output_producer that is empty: write to it first, and push it then.  For data that is
/// written later there is deferred_producer.
class output_producer : public producer {
public:
    asyncore::byte_buffer data;  // what more() has not given yet

    void write(std::string_view text);
    void writeline(std::string_view line);
    /// Ends each line with \r\n.
    void writelines(const std::vector<std::string>& lines);
    void flush() noexcept {}
    std::string more() override;
};

/// Gives what each producer gives, one producer after the other.
class composite_producer : public producer {
public:
    std::deque<any_producer> producers;  // you may add to it until the queue drops this producer

    explicit composite_producer(std::deque<any_producer> from) : producers(std::move(from)) {}
    std::string more() override;
    bool not_done_yet_() override { return !producers.empty(); }
};

// --- Producers that change what another producer gives.  Each of them is not_done_yet_() until the other
// producer is done.  Python: supervisor has a deferring_... class for each.

/// The base class of the producers below.
class filtering_producer : public producer {
public:
    bool not_done_yet_() override { return producer_ != nullptr; }

protected:
    explicit filtering_producer(any_producer from) : producer_(std::move(from)) {}
    /// The next bytes of the other producer.  If there are none, producer_ is null, or is not done yet.
    std::string next();

    any_producer producer_;  // the other producer; null: it is done
};

/// Gives pieces of `buffer_size` bytes or more, so that fewer calls of send() are needed.
class globbing_producer : public filtering_producer {
public:
    explicit globbing_producer(any_producer from, std::size_t size = 1 << 16)
        : filtering_producer(std::move(from)), buffer_size_(size) {}
    std::string more() override;

private:
    std::size_t buffer_size_;
    std::string buffer_;
};

/// Calls `function` with the number of bytes, when all bytes have been given.  `function` is not called if
/// the channel closes before.
class hooked_producer : public filtering_producer {
public:
    using hook = std::function<void(std::size_t bytes)>;
    hooked_producer(any_producer from, hook function)
        : filtering_producer(std::move(from)), function_(std::move(function)) {}
    std::string more() override;

private:
    hook function_;
    std::size_t bytes_ = 0;
};

/// The chunked transfer coding of HTTP/1.1.  `footers` are lines such as "Expires: 0".
class chunked_producer : public filtering_producer {
public:
    explicit chunked_producer(any_producer from, std::vector<std::string> footers = {})
        : filtering_producer(std::move(from)), footers_(std::move(footers)) {}
    std::string more() override;

private:
    std::vector<std::string> footers_;
};

/// Replaces `esc_from` by `esc_to`, wherever the pieces are cut.  The defaults are for the text of SMTP,
/// which a line with one dot ends.
///
/// The class in medusa loses the beginning of `esc_from` at the end of a piece or of all data, such as the
/// "\r\n" at the end of a message.  This class loses nothing.
class escaping_producer : public filtering_producer {
public:
    /// Throws: std::invalid_argument if `esc_from` is empty.
    explicit escaping_producer(any_producer from, std::string esc_from = "\r\n.",
                               std::string esc_to = "\r\n..");
    std::string more() override;

private:
    std::string escaped(std::string_view data);

    std::string esc_from_, esc_to_;
    std::string held_;  // the end of the last piece, if it is a beginning of esc_from_
};

}  // namespace asynchat
