// Python: compressed_producer of medusa/producers.py.  The library has it if zlib was found when the
// library was built.
#pragma once

#include <asynchat/producers/producers.hpp>

#include <memory>
#include <string>

namespace asynchat {

/// Compresses what another producer gives, in the format of zlib: Content-Encoding "deflate".
///
/// When the other producer has no bytes yet, all that it gave before is flushed, so that the peer does not
/// wait for it.
class compressed_producer : public filtering_producer {
public:
    /// `level` is 0 to 9, or -1 for zlib's default.
    /// Throws: std::invalid_argument for another level.
    explicit compressed_producer(any_producer from, int level = 5);
    compressed_producer(compressed_producer&&) noexcept;
    ~compressed_producer() override;
    std::string more() override;

private:
    class compressor;
    std::unique_ptr<compressor> compressor_;
};

}  // namespace asynchat
