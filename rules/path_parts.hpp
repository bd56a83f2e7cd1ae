#pragma once
// A path's components, found once for all the lists that are asked about it.

#include "audit/base/eight_bytes.hpp"
#include "rules/text_arena.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lilith::rules {

// What a list looks at first of a component: the two bytes at one of its ends in their order, as a
// number below kEndPairs. The same for a path and its case-folded form; other bytes may have it,
// too.
inline constexpr std::size_t kEndPairs = 1024;  // 32 - 10 bits are shifted out
[[nodiscard]] constexpr std::uint16_t end_pair(char first, char second) {
  const unsigned two = static_cast<unsigned char>(first) |
                       static_cast<unsigned>(static_cast<unsigned char>(second)) << 8U;
  return static_cast<std::uint16_t>((two | 0x2020U) * 0x9E37'79B1U >> 22U);
}

// Where the components of a path stand in it, the empty ones left out. They stand there in its
// case-folded form, too.
class Components {
 public:
  // The places are in `texts`.
  Components(std::string_view path, TextArena& texts)
      : spans_(texts.room_for<Span>(most_components(path))) {
    std::size_t begin = 0, size = 0, empty = 0;
    std::uint64_t upper = 0, all = 0, zeros = 0;
    bool folds = false;
    const char* const text = path.data();
    const auto add = [&](std::size_t end) {
      const std::size_t bytes = end - begin;
      if (bytes == 0) {
        ++empty;
        return;
      }
      folds = folds || (text[begin] == '.' && bytes <= 2);
      spans_[size++] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(bytes),
                        end_pair(text[begin], bytes == 1 ? '\0' : text[begin + 1]),
                        end_pair(bytes == 1 ? '\0' : text[end - 2], text[end - 1])};
    };
    for (std::size_t at = 0; at < path.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t eight = eight_bytes(path, at);
      upper |= bytes_between(eight, 'A', 'Z');
      all |= eight;
      const std::size_t left = path.size() - at;  // behind the end stand no NULs of the path
      zeros |= bytes_equal(left < sizeof eight ? eight | kLowBits << (8 * left) : eight, '\0');
      for (std::uint64_t slashes = bytes_equal(eight, '/'); slashes != 0; slashes &= slashes - 1) {
        const std::size_t end = at + first_byte(slashes);
        add(end);
        begin = end + 1;
      }
    }
    add(path.size());
    size_ = size;
    has_upper_ = upper != 0;
    is_folded_ = ((all & kHighBits) | zeros) == 0 && !folds && empty == 1;
  }
  // Is there a letter that case-folding changes?
  [[nodiscard]] bool has_upper() const { return has_upper_; }
  // Of a path that begins with a slash: ASCII without NUL, and no component behind that slash is
  // empty, `.` or `..`.
  [[nodiscard]] bool is_folded() const { return is_folded_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view of(std::string_view path, std::size_t i) const {
    const Span& one = spans_[i];
    return {path.data() + one.at, one.size};
  }
  // end_pair() of its beginning and of its end; the inner byte of a single one is NUL.
  [[nodiscard]] std::uint16_t front(std::size_t i) const { return spans_[i].front; }
  [[nodiscard]] std::uint16_t back(std::size_t i) const { return spans_[i].back; }
  // The first component at or behind the byte.
  [[nodiscard]] std::size_t from(std::size_t byte) const {
    std::size_t i = 0;
    while (i < size_ && spans_[i].at < byte) ++i;
    return i;
  }

 private:
  // One for two bytes, which is soon said; of long texts as many as there are slashes.
  static std::size_t most_components(std::string_view path) {
    constexpr std::size_t kCounted = 4096;
    if (path.size() <= kCounted) return path.size() / 2 + 1;
    return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
  }
  struct Span {
    std::uint32_t at, size;
    std::uint16_t front, back;
  };

  Span* spans_;
  std::size_t size_ = 0;
  bool has_upper_ = false, is_folded_ = false;
};

// A path with its components. Views of both.
struct PathView {
  std::string_view text;
  const Components& components;

  [[nodiscard]] std::size_t size() const { return components.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const { return components.of(text, i); }
};

}  // namespace lilith::rules
