#pragma once
// Texts of some dozens of bytes, eight bytes at once: what is asked of them before anything slower
// is. A mask has the highest bit of each byte that was asked for, that of the first byte lowest.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace lilith {

static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");

inline constexpr std::uint64_t kLowBits = 0x0101'0101'0101'0101U;
inline constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080U;

// The bytes of `text` from `at` on, which is before its end; zeros behind the end.
[[nodiscard]] inline std::uint64_t eight_bytes(std::string_view text, std::size_t at) {
  std::uint64_t out = 0;
  const std::size_t left = text.size() - at;
  if (left >= sizeof out) {
    std::memcpy(&out, text.data() + at, sizeof out);
  } else if (text.size() >= sizeof out) {
    std::memcpy(&out, text.data() + text.size() - sizeof out, sizeof out);
    out >>= 8 * (sizeof out - left);
  } else {
    for (std::size_t i = left; i > 0; --i) {
      out = out << 8U | static_cast<unsigned char>(text[at + i - 1]);
    }
  }
  return out;
}
[[nodiscard]] constexpr std::uint64_t bytes_equal(std::uint64_t eight, char c) {
  const std::uint64_t different = eight ^ (kLowBits * static_cast<unsigned char>(c));
  return ~(((different & ~kHighBits) + ~kHighBits) | different) & kHighBits;
}
// Bytes from `first` to `last`, both ASCII. No byte carries into the next.
[[nodiscard]] constexpr std::uint64_t bytes_between(std::uint64_t eight, char first, char last) {
  const std::uint64_t low = eight & ~kHighBits;
  const std::uint64_t from_first = low + kLowBits * (0x80U - static_cast<unsigned char>(first)),
                      above_last = low + kLowBits * (0x7FU - static_cast<unsigned char>(last));
  return from_first & ~above_last & ~eight & kHighBits;
}
[[nodiscard]] inline bool all_between(std::string_view text, char first, char last) {
  for (std::size_t at = 0; at < text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t outside = ~bytes_between(eight_bytes(text, at), first, last) & kHighBits;
    const std::size_t left = text.size() - at;
    if (left < sizeof outside) outside &= (std::uint64_t{1} << (8 * left)) - 1;
    if (outside != 0) return false;
  }
  return true;
}
// Which byte the first of a mask is.
[[nodiscard]] constexpr std::size_t first_byte(std::uint64_t mask) {
  return static_cast<std::size_t>(std::countr_zero(mask)) / 8;
}

}  // namespace lilith
