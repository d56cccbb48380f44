// TYPE A: the lines of a text end in \r\n on the way, and in \n in a file.
// Python: the _posix_ascii_data_wrapper() of FileProducer and of DTPHandler.
#pragma once

#include <asynchat/producers/producers.hpp>

#include <string>
#include <string_view>

namespace ftp {

/// For RETR: gives \r\n for each \n that has no \r before it.
class ascii_producer : public asynchat::filtering_producer {
public:
    explicit ascii_producer(asynchat::any_producer file) : filtering_producer(std::move(file)) {}
    std::string more() override;

private:
    char last_ = '\0';
};

/// For STOR: gives \n for each \r\n, wherever the pieces are cut.
class ascii_decoder {
public:
    std::string decode(std::string_view piece);
    /// What is left at the end of the file: a \r, or nothing.
    std::string rest() const { return had_cr_ ? "\r" : ""; }

private:
    bool had_cr_ = false;  // at the end of the last piece
};

}  // namespace ftp
