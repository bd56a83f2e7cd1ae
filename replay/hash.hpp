#pragma once
// Calls and event ids are remembered by a 128-bit hash instead of their text.
//
// XXH3 with a secret of 192 bytes that getrandom(2) gives once in a process: two of n calls share a
// hash with probability n^2 / 2^129, below 1e-22 for ten million, and whoever writes a log can't
// aim at it without the secret. XXH3 is no cryptographic hash; none is needed where the key is
// thrown away with the process and no hash is ever shown.

#include <cstdint>
#include <string_view>

namespace lilith::replay {

struct Hash128 {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};
// Never {0, 0}, which the tables below use for an empty place.
[[nodiscard]] Hash128 keyed_hash(std::string_view bytes);

}  // namespace lilith::replay
