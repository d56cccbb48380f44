#include <asynchat/producers/compressed_producer.hpp>

#include <new>
#include <stdexcept>
#include <string_view>

#include <zlib.h>

namespace asynchat {

/// Python: zlib.compressobj(level).
class compressed_producer::compressor {
public:
    explicit compressor(int level) {
        const int error = deflateInit(&stream_, level);
        if (error == Z_MEM_ERROR) throw std::bad_alloc();
        if (error != Z_OK) throw std::invalid_argument("compressed_producer: a wrong level");
    }
    ~compressor() { deflateEnd(&stream_); }
    compressor(const compressor&) = delete;
    compressor& operator=(const compressor&) = delete;

    std::string compress(std::string_view data) {
        holds_some_ = true;
        std::string all;
        while (!data.empty()) {
            const auto part = data.substr(0, 1 << 30);  // zlib counts in 32 bits
            all += deflated(part, Z_NO_FLUSH);
            data.remove_prefix(part.size());
        }
        return all;
    }
    /// The compressed bytes that compress() has kept back.  Empty if there are none.
    std::string flush_some() {
        if (!holds_some_) return {};
        holds_some_ = false;
        return deflated({}, Z_SYNC_FLUSH);
    }
    std::string flush() { return deflated({}, Z_FINISH); }

private:
    std::string deflated(std::string_view data, int flush) {
        // zlib does not write to what next_in points to.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
        stream_.avail_in = static_cast<uInt>(data.size());
        std::string all;
        do {
            char room[16384];
            stream_.next_out = reinterpret_cast<Bytef*>(room);
            stream_.avail_out = sizeof room;
            deflate(&stream_, flush);
            all.append(room, sizeof room - stream_.avail_out);
        } while (stream_.avail_out == 0);
        return all;
    }

    z_stream stream_{};
    bool holds_some_ = false;
};

compressed_producer::compressed_producer(any_producer from, int level)
    : filtering_producer(std::move(from)), compressor_(std::make_unique<compressor>(level)) {}
compressed_producer::compressed_producer(compressed_producer&&) noexcept = default;
compressed_producer::~compressed_producer() = default;

std::string compressed_producer::more() {
    while (producer_) {
        const auto data = next();
        if (data.empty()) return producer_ ? compressor_->flush_some() : compressor_->flush();
        auto compressed = compressor_->compress(data);
        if (!compressed.empty()) return compressed;
    }
    return {};
}

}  // namespace asynchat
