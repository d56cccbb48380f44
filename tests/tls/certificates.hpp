// Certificates for a run of the tests.  The command openssl makes them.
#pragma once

#include "../support.hpp"

#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

/// The files of a certificate that is its own authority.
struct certificate {
    std::string cert, key;
    certificate(const support::TempDir& folder, const std::string& name, const std::string& names)
        : cert(folder / (name + ".pem")), key(folder / (name + ".key")) {
        const auto command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            "-days 2 -subj /CN=" +
            name + " -addext subjectAltName=" + names + " -keyout '" + key + "' -out '" + cert +
            "' 2>/dev/null";
        REQUIRE(std::system(command.c_str()) == 0);
    }
};

struct certificates {
    support::TempDir folder;
    certificate server{folder, "server", "DNS:server.example,IP:127.0.0.1"};
    certificate other{folder, "other", "DNS:other.example"};
};

inline const certificates& files() {
    static const certificates made;
    return made;
}
