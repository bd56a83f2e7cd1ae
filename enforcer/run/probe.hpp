#pragma once
// Tries to get out of the fence from inside it, by each way that is known.

#include <string>

namespace lilith::enforcer::run {

struct Canaries {
  int host_port = 0;   // where the host's loopback answers: reached, the fence leaks
  int proxy_port = 0;  // the way that shall be open
};
// What got through, in words for a person, comma-separated; empty when nothing did and the proxy
// answers.
[[nodiscard]] std::string leaks(const Canaries& canaries);

}  // namespace lilith::enforcer::run
