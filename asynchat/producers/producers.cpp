#include <asynchat/producers/producers.hpp>

#include <asynchat/terminator.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/socket.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <unistd.h>

namespace asynchat {

namespace platform = asyncore::platform;

namespace {

std::string taken(asyncore::byte_buffer& data, std::size_t size) {
    std::string piece(data.view().substr(0, size));
    data.consume(piece.size());
    return piece;
}

std::string read_descriptor(int fd, std::size_t size) {
    std::string data(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const auto got = platform::uninterrupted(
            fd, [&] { return ::read(fd, data.data() + have, size - have); });
        if (got.error != 0) throw platform::os_error(got.error, "read");
        if (got.count == 0) break;
        have += got.count;
    }
    data.resize(have);
    return data;
}

std::string read_stream(std::istream& file, std::size_t size) {
    std::string data(size, '\0');
    file.read(data.data(), static_cast<std::streamsize>(size));
    if (file.bad()) throw platform::os_error(EIO, "read");
    data.resize(static_cast<std::size_t>(file.gcount()));
    return data;
}

}  // namespace

// --- Producers that have their bytes.

std::string lines_producer::more() {
    const auto end = std::min(next_ + 50, lines_.size());
    std::string piece;
    for (; next_ < end; ++next_) piece += std::move(lines_[next_]) + "\r\n";
    return piece;
}

std::string buffer_list_producer::more() {
    return next_ < buffers_.size() ? std::move(buffers_[next_++]) : "";
}

file_producer::file_producer(platform::unique_fd file) {
    read_ = [fd = std::make_shared<platform::unique_fd>(std::move(file))](std::size_t size) {
        return read_descriptor(fd->get(), size);
    };
}

file_producer::file_producer(std::unique_ptr<std::istream> file) {
    if (!file || !*file) throw std::invalid_argument("file_producer: the file is not open");
    read_ = [stream = std::shared_ptr<std::istream>(std::move(file))](std::size_t size) {
        return read_stream(*stream, size);
    };
}

std::string file_producer::more() {
    if (!read_) return {};
    auto data = read_(out_buffer_size);
    if (data.empty()) read_ = nullptr;
    return data;
}

void output_producer::write(std::string_view text) {
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
        writeline(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    data += text;
}

void output_producer::writeline(std::string_view line) {
    data += line;
    data += "\r\n";
}

void output_producer::writelines(const std::vector<std::string>& lines) {
    for (const auto& line : lines) writeline(line);
}

std::string output_producer::more() { return taken(data, 512); }

std::string composite_producer::more() {
    while (!producers.empty()) {
        const auto first = producers.front();
        auto data = first->more();
        if (!data.empty() || first->not_done_yet_()) return data;
        if (!producers.empty()) producers.pop_front();
    }
    return {};
}

// --- Producers that change what another producer gives.

std::string filtering_producer::next() {
    const auto from = producer_;
    if (!from) return {};
    auto data = from->more();
    if (data.empty() && !from->not_done_yet_()) producer_.reset();
    return data;
}

std::string globbing_producer::more() {
    while (buffer_.size() < buffer_size_) {
        const auto data = next();
        if (data.empty()) break;
        buffer_ += data;
    }
    const bool waits = producer_ && buffer_.size() < buffer_size_;
    return waits ? "" : std::exchange(buffer_, {});
}

std::string hooked_producer::more() {
    if (!producer_) return {};
    auto data = next();
    bytes_ += data.size();
    if (!producer_) function_(bytes_);
    return data;
}

std::string chunked_producer::more() {
    if (!producer_) return {};
    const auto data = next();
    if (!data.empty()) {
        char size[2 * sizeof data.size()];
        auto* const end = std::to_chars(size, size + sizeof size, data.size(), 16).ptr;
        return std::string(size, end) + "\r\n" + data + "\r\n";
    }
    if (producer_) return {};
    std::string last = "0\r\n";
    for (const auto& footer : footers_) last += footer + "\r\n";
    return last + "\r\n";
}

escaping_producer::escaping_producer(any_producer from, std::string esc_from, std::string esc_to)
    : filtering_producer(std::move(from)),
      esc_from_(std::move(esc_from)),
      esc_to_(std::move(esc_to)) {
    if (esc_from_.empty()) throw std::invalid_argument("escaping_producer: esc_from is empty");
}

std::string escaping_producer::more() {
    while (producer_) {
        const auto data = next();
        if (!data.empty()) {
            auto piece = escaped(std::exchange(held_, {}) + data);
            if (!piece.empty()) return piece;
        } else if (producer_) {
            return {};
        }
    }
    return std::exchange(held_, {});
}

/// Keeps in held_ what may be the beginning of esc_from_.
std::string escaping_producer::escaped(std::string_view data) {
    std::string piece;
    for (auto at = data.find(esc_from_); at != data.npos; at = data.find(esc_from_)) {
        piece.append(data.substr(0, at)).append(esc_to_);
        data.remove_prefix(at + esc_from_.size());
    }
    held_ = data.substr(data.size() - find_prefix_at_end(data, esc_from_));
    data.remove_suffix(held_.size());
    return piece.append(data);
}

}  // namespace asynchat
