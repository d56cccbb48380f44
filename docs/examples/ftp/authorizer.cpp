#include "authorizer.hpp"

#include "text.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <sys/stat.h>

namespace ftp {

namespace {

/// Why the path is no folder; empty if it is one.
std::string fault_of_folder(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return std::generic_category().message(errno);
    return S_ISDIR(about.st_mode) ? "" : "not a folder";
}

/// Compares in a time that does not tell how many characters are right.
bool is_same(std::string_view secret, std::string_view given) {
    unsigned difference = secret.size() == given.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const char right = secret.empty() ? '\0' : secret[i % secret.size()];
        difference |= static_cast<unsigned>(right ^ given[i]) & 0xff;
    }
    return difference == 0;
}

}  // namespace

void DummyAuthorizer::add_user(const std::string& name, std::string password, std::string home,
                               std::string_view perm) {
    add(name, {std::move(password), std::move(home), std::string(perm), false});
}

void DummyAuthorizer::add_anonymous(std::string home, std::string_view perm) {
    add("anonymous", {"", std::move(home), std::string(perm), true});
}

void DummyAuthorizer::add(const std::string& name, user given) {
    if (has_user(name)) throw std::invalid_argument("the user exists already: " + name);
    if (given.perm.find_first_not_of(all_perms) != given.perm.npos)
        throw std::invalid_argument("a permission of " + name + " does not exist: " + given.perm);
    const auto fault = fault_of_folder(given.home);
    if (!fault.empty())
        throw std::invalid_argument("the home of " + name + ": " + fault + ": " + given.home);
    users_.emplace(name, std::move(given));
}

void DummyAuthorizer::add_user_of(std::string_view text) {
    const auto parts = split(text, ':');
    if (parts.size() < 3 || parts.size() > 4 || parts[0].empty())
        throw std::invalid_argument("a user is NAME:PASSWORD:FOLDER or NAME:PASSWORD:FOLDER:PERM");
    add_user(std::string(parts[0]), std::string(parts[1]), std::string(parts[2]),
             parts.size() == 4 ? parts[3] : all_perms);
}

void DummyAuthorizer::add_users_of(std::istream& file) {
    std::string line;
    while (std::getline(file, line))
        if (!line.empty() && line[0] != '#') add_user_of(line);
}

bool DummyAuthorizer::validate_authentication(const std::string& name,
                                              std::string_view password) const {
    const auto found = users_.find(name);
    if (found == users_.end()) return false;
    return found->second.takes_any_password || is_same(found->second.password, password);
}

}  // namespace ftp
