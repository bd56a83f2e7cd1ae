#pragma once
// Texts of some dozens of bytes, eight bytes at once: what is asked about a path before any list
// is. A mask has the highest bit of each byte that was asked for, that of the first byte lowest.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace lilith::rules {

static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");

inline constexpr std::uint64_t kLowBits = 0x0101'0101'0101'0101U;
inline constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080U;

// The bytes of `text` from `at` on; zeros behind its end.
[[nodiscard]] inline std::uint64_t eight_bytes(std::string_view text, std::size_t at) {
  std::uint64_t out = 0;
  if (text.size() - at >= sizeof out) {
    std::memcpy(&out, text.data() + at, sizeof out);
  } else {
    std::memcpy(&out, text.data() + at, text.size() - at);
  }
  return out;
}
[[nodiscard]] constexpr std::uint64_t bytes_equal(std::uint64_t eight, char c) {
  const std::uint64_t different = eight ^ (kLowBits * static_cast<unsigned char>(c));
  return ~(((different & ~kHighBits) + ~kHighBits) | different) & kHighBits;
}
// Bytes from A to Z.
[[nodiscard]] constexpr std::uint64_t upper_bytes(std::uint64_t eight) {
  const std::uint64_t low = eight & ~kHighBits;
  const std::uint64_t from_a = low + kLowBits * (0x80 - 'A'),
                      above_z = low + kLowBits * (0x7F - 'Z');
  return from_a & ~above_z & ~eight & kHighBits;
}
// Which byte the first of a mask is.
[[nodiscard]] constexpr std::size_t first_byte(std::uint64_t mask) {
  return static_cast<std::size_t>(std::countr_zero(mask)) / 8;
}

}  // namespace lilith::rules
