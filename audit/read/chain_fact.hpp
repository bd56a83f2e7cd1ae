#pragma once
// What a line proves of itself: which number of which chain it is, and whether its bytes are the
// ones that were hashed. Shared by the check of a log (chain_check.hpp) and of what arrived
// somewhere else (arrival_check.hpp).

#include "audit/codec.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lilith::audit {

// The first 128 bits of a chain hash: nobody finds a second line with them.
struct ChainDigest {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const ChainDigest&, const ChainDigest&) = default;
};

// Nothing unless it is 64 lower-case hexadecimal characters.
[[nodiscard]] std::optional<ChainDigest> chain_digest(std::string_view hex);

// Whether the line's bytes give its chain.hash; `fields` are the line's own.
[[nodiscard]] bool hash_holds(std::string_view line, const ChainFields& fields);

}  // namespace lilith::audit
