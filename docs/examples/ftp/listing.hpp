// The lines of a listing, which are made while they are sent.
// Python: format_list() and format_mlsx() of AbstractedFS, and class BufferedIteratorProducer.
#pragma once

#include "filesystem.hpp"

#include <asynchat/producer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ftp {

/// What MLSD and MLST can tell of a file (RFC 3659), in the order of FEAT.
inline constexpr std::string_view available_facts[] = {
    "type", "perm", "size", "modify", "unique", "unix.mode", "unix.uid", "unix.gid"};
inline constexpr std::size_t usual_facts =
    5;  // so many of them are told unless OPTS asks for others

/// Makes a line of a name, with "\r\n" at its end; or an empty text, if the name is gone meanwhile.
using line_format = std::function<std::string(const std::string& name)>;

/// Lines of "/bin/ls -lA".
/// Throws: FilesystemError, in the function, for a name that is gone.
line_format format_list(std::shared_ptr<const AbstractedFS> fs,
                        std::shared_ptr<const folder> where);
/// Lines of MLSD, with these facts.  `perms` are the user's.
line_format format_mlsx(std::shared_ptr<const AbstractedFS> fs, std::shared_ptr<const folder> where,
                        const std::string& perms, const std::vector<std::string>& facts);
/// "type=file;size=3;", with what MLSD and MLST tell of a file.
std::string mlsx_facts(const struct stat& about, const std::string& perms,
                       const std::vector<std::string>& facts);
/// Lines of NLST: only the name.
std::string format_nlst(const std::string& name);

/// Gives the lines of some twenty names at a time.
class BufferedIteratorProducer : public asynchat::producer {
public:
    BufferedIteratorProducer(std::vector<std::string> names, line_format format)
        : names_(std::move(names)), format_(std::move(format)) {}
    std::string more() override;

private:
    static constexpr std::size_t loops = 20;
    std::vector<std::string> names_;
    std::size_t next_ = 0;
    line_format format_;
};

}  // namespace ftp
