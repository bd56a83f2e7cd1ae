#pragma once
// The server name of a TLS connection as its first bytes tell it (RFC 8446 section 4.1.2, RFC 6066
// section 3), without taking part in it.

#include <optional>
#include <string>
#include <string_view>

namespace lilith::enforcer::proxy {

struct ClientHello {
  std::string server_name;  // lower case; empty when the extension is absent
  bool encrypted = false;   // has encrypted_client_hello (RFC 9849): the inner name can't be seen
};

enum class HelloState { kIncomplete, kNotTls, kWhole };
struct HelloPeek {
  HelloState state = HelloState::kIncomplete;
  ClientHello hello;  // kWhole
};

// `bytes`: all that the client has sent. Never reads beyond limits::kProxyHelloBytesMax: a longer
// hello is kNotTls.
[[nodiscard]] HelloPeek peek_client_hello(std::string_view bytes);

}  // namespace lilith::enforcer::proxy
