#pragma once
// `lilith proxy`.

#include "audit/base/limits.hpp"

#include <cstddef>
#include <string>

namespace lilith::enforcer::proxy {

struct ProxyArguments {
  std::string listen = "127.0.0.1:3128";
  std::string policy, recorder;
  std::size_t connections_max = limits::kProxyConnectionsMax;
  std::string engine;
};
// The command line's work; returns the exit code (docs/exit-codes.md).
[[nodiscard]] int proxy_main(const ProxyArguments& arguments);

// As many open files as this process may have; two or three for each connection.
void raise_open_files();

}  // namespace lilith::enforcer::proxy
