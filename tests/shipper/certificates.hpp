#pragma once

#include <string>

namespace lilith::test {

// By the openssl program, as PEM files NAME.pem and NAME.key in `directory`: an authority "ca", a
// certificate "server" of it for localhost and 127.0.0.1, one "client" of it, and one "stranger" of
// the authority "other".
void make_certificates(const std::string& directory);

}  // namespace lilith::test
