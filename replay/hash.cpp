#include "replay/hash.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sys/random.h>
#include <xxhash.h>

namespace lilith::replay {
namespace {

using Secret = std::array<unsigned char, 192>;

Secret fresh_secret() {
  Secret secret{};
  for (std::size_t have = 0; have < secret.size();) {
    const ssize_t got = ::getrandom(secret.data() + have, secret.size() - have, 0);
    if (got >= 0) {
      have += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      std::perror("getrandom");  // fails only where the kernel lacks it
      std::abort();
    }
  }
  return secret;
}

}  // namespace

Hash128 keyed_hash(std::string_view bytes) {
  static const Secret kSecret = fresh_secret();
  const XXH128_hash_t hash =
      ::XXH3_128bits_withSecret(bytes.data(), bytes.size(), kSecret.data(), kSecret.size());
  return {hash.low64 | static_cast<std::uint64_t>(hash.high64 == 0), hash.high64};
}

}  // namespace lilith::replay
