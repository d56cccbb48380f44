#include "listing.hpp"

#include "text.hpp"

#include <cinttypes>
#include <cstdio>
#include <ctime>

#include <grp.h>
#include <pwd.h>

namespace ftp {

namespace {

constexpr std::time_t six_months = 180 * 24 * 60 * 60;

/// "drwxr-xr-x"
std::string filemode(mode_t mode) {
    std::string text = S_ISDIR(mode)    ? "d"
                       : S_ISLNK(mode)  ? "l"
                       : S_ISFIFO(mode) ? "p"
                       : S_ISSOCK(mode) ? "s"
                       : S_ISCHR(mode)  ? "c"
                       : S_ISBLK(mode)  ? "b"
                                        : "-";
    for (int bit = 8; bit >= 0; --bit) text += mode & (1u << bit) ? "xwr"[bit % 3] : '-';
    if (mode & S_ISUID) text[3] = mode & S_IXUSR ? 's' : 'S';
    if (mode & S_ISGID) text[6] = mode & S_IXGRP ? 's' : 'S';
    if (mode & S_ISVTX) text[9] = mode & S_IXOTH ? 't' : 'T';
    return text;
}

/// The names of users and groups by number.  A look-up may ask a server, so each is made once a listing.
struct owners {
    std::map<uid_t, std::string> users;
    std::map<gid_t, std::string> groups;

    const std::string& user(uid_t id) {
        const auto [found, is_new] = users.try_emplace(id);
        if (!is_new) return found->second;
        const auto* entry = ::getpwuid(id);
        return found->second = entry ? entry->pw_name : std::to_string(id);
    }
    const std::string& group(gid_t id) {
        const auto [found, is_new] = groups.try_emplace(id);
        if (!is_new) return found->second;
        const auto* entry = ::getgrgid(id);
        return found->second = entry ? entry->gr_name : std::to_string(id);
    }
};

/// The hour for a file of the last six months, and the year for an older one.  Months are English,
/// whatever the locale is.
std::string list_time(std::time_t when) {
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm parts{};
    ::gmtime_r(&when, &parts);
    const bool is_old = std::time(nullptr) - when > six_months;
    char text[32];
    std::strftime(text, sizeof text, is_old ? " %d  %Y" : " %d %H:%M", &parts);
    return std::string(months[parts.tm_mon % 12]) + text;
}

std::string list_line(const AbstractedFS& fs, const folder& where, const std::string& name,
                      owners& known) {
    const auto about = fs.lstat(where, name);
    char text[128];
    std::snprintf(text, sizeof text, " %3ju %-8.32s %-8.32s %8jd ",
                  static_cast<std::uintmax_t>(about.st_nlink), known.user(about.st_uid).c_str(),
                  known.group(about.st_gid).c_str(), static_cast<std::intmax_t>(about.st_size));
    auto line = filemode(about.st_mode) + text + list_time(about.st_mtime) + " " + shown(name);
    if (S_ISLNK(about.st_mode)) line += " -> " + shown(fs.readlink(where, name));
    return line + "\r\n";
}

/// What a client may do with a file (RFC 3659, section 7.5.5).
std::string perm_fact(const std::string& perms, bool is_folder) {
    const std::string_view others = is_folder ? "arw" : "celmp";
    std::string text;
    for (const char c : perms)
        if (others.find(c) == others.npos) text += c;
    if (is_folder && perms.find_first_of("waf") != perms.npos) text += 'c';
    if (is_folder && perms.find('d') != perms.npos) text += 'p';
    return text;
}

std::string in_base(const char* format, std::uintmax_t number) {
    char text[32];
    std::snprintf(text, sizeof text, format, number);
    return text;
}

std::string fact_of(std::string_view fact, const struct stat& about, const std::string& perms) {
    const bool is_folder = S_ISDIR(about.st_mode);
    if (fact == "type") return is_folder ? "dir" : "file";
    if (fact == "perm") return perm_fact(perms, is_folder);
    if (fact == "size") return std::to_string(about.st_size);
    if (fact == "modify") return time_value(about.st_mtime);
    if (fact == "unique") return in_base("%jxg", about.st_dev) + in_base("%jx", about.st_ino);
    if (fact == "unix.mode") return in_base("0%jo", about.st_mode & 0777);
    if (fact == "unix.uid") return std::to_string(about.st_uid);
    return std::to_string(about.st_gid);
}

}  // namespace

line_format format_list(std::shared_ptr<const AbstractedFS> fs,
                        std::shared_ptr<const folder> where) {
    return [fs = std::move(fs), where = std::move(where), known = std::make_shared<owners>()](
               const std::string& name) { return list_line(*fs, *where, name, *known); };
}

line_format format_mlsx(std::shared_ptr<const AbstractedFS> fs, std::shared_ptr<const folder> where,
                        const std::string& perms, const std::vector<std::string>& facts) {
    return [fs = std::move(fs), where = std::move(where), perms, facts](const std::string& name) {
        return mlsx_facts(fs->stat(*where, name), perms, facts) + " " + shown(name) + "\r\n";
    };
}

std::string mlsx_facts(const struct stat& about, const std::string& perms,
                       const std::vector<std::string>& facts) {
    std::string text;
    for (const auto& fact : facts) text += fact + "=" + fact_of(fact, about, perms) + ";";
    return text;
}

std::string format_nlst(const std::string& name) { return shown(name) + "\r\n"; }

std::string BufferedIteratorProducer::more() {
    std::string lines;
    // The names of a whole round may be gone, and an empty text would end the listing.
    for (std::size_t i = 0; next_ < names_.size() && (i < loops || lines.empty()); ++i) {
        try {
            lines += format_(names_[next_++]);
        } catch (const FilesystemError&) {
            // The file was removed, or is a link that leads nowhere or out of the home.
        }
    }
    return lines;
}

}  // namespace ftp
