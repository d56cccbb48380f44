// Who may log in, to which folder, and with which permissions.
// Python: authorizers.py of pyftpdlib, class DummyAuthorizer.
#pragma once

#include <istream>
#include <map>
#include <string>
#include <string_view>

namespace ftp {

/// Keeps users, their passwords, and what each may do, in memory.  A server that asks a data base
/// derives from this class.
///
/// Each letter of a user's permissions allows some commands:
///
///     e  CWD, CDUP                    d  DELE, RMD
///     l  LIST, NLST, MLSD, MLST,      f  RNFR, RNTO
///        STAT, SIZE, MDTM             m  MKD
///     r  RETR                         w  STOR, STOU
///     a  APPE                         M  SITE CHMOD
///                                     T  MFMT
class DummyAuthorizer {
public:
    static constexpr std::string_view read_perms = "elr", all_perms = "elradfmwMT";

    virtual ~DummyAuthorizer() = default;

    /// Throws: std::invalid_argument if there is such a user already, for a permission that does not
    ///         exist, and for a home that is no folder.
    void add_user(const std::string& name, std::string password, std::string home,
                  std::string_view perm = all_perms);
    /// The user "anonymous", for whom any password is right.
    void add_anonymous(std::string home, std::string_view perm = read_perms);
    /// Adds the user that a text describes: "name:password:folder" or "name:password:folder:perm".
    /// Throws: as add_user(), and std::invalid_argument if the text is not of this form.
    void add_user_of(std::string_view text);
    /// Adds a user for each line that is neither empty nor begins with '#'.
    void add_users_of(std::istream& file);

    virtual bool has_user(const std::string& name) const { return users_.contains(name); }
    virtual bool validate_authentication(const std::string& name, std::string_view password) const;
    /// The next two are for a user that exists.
    virtual std::string get_home_dir(const std::string& name) const { return users_.at(name).home; }
    virtual std::string get_perms(const std::string& name) const { return users_.at(name).perm; }

private:
    struct user {
        std::string password, home, perm;
        bool takes_any_password = false;
    };
    void add(const std::string& name, user given);

    std::map<std::string, user> users_;
};

}  // namespace ftp
