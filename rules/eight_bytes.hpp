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
// Bytes from A to Z.
[[nodiscard]] constexpr std::uint64_t upper_bytes(std::uint64_t eight) {
  const std::uint64_t low = eight & ~kHighBits;
  const std::uint64_t from_a = low + kLowBits * (0x80 - 'A'),
                      above_z = low + kLowBits * (0x7F - 'Z');
  return from_a & ~above_z & ~eight & kHighBits;
}
// Whether any byte is below 0x20, above 0x7E, or 0x7F: what a sentence for people does not hold.
[[nodiscard]] constexpr bool has_unprintable(std::uint64_t eight) {
  const std::uint64_t below = (eight - kLowBits * 0x20) & ~eight;
  return (((below | eight) & kHighBits) | bytes_equal(eight, 0x7F)) != 0;
}
[[nodiscard]] inline bool is_printable_ascii(std::string_view text) {
  std::size_t at = 0;
  for (; text.size() - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
    if (has_unprintable(eight_bytes(text, at))) return false;
  }
  // Behind the end stand spaces.
  const std::size_t left = text.size() - at;
  if (left == 0) return true;
  const std::uint64_t end = eight_bytes(text, at) | (kLowBits * 0x20) << (8 * left);
  return !has_unprintable(end);
}
// Which byte the first of a mask is.
[[nodiscard]] constexpr std::size_t first_byte(std::uint64_t mask) {
  return static_cast<std::size_t>(std::countr_zero(mask)) / 8;
}

}  // namespace lilith::rules
