#pragma once
// A path's components, found once for all the lists that are asked about it.

#include "rules/eight_bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lilith::rules {

// Where the components of a path stand in it, the empty ones left out. They stand there in its
// case-folded form, too.
class Components {
 public:
  explicit Components(std::string_view path) {
    std::size_t begin = 0;
    for (std::size_t at = 0; at < path.size(); at += sizeof(std::uint64_t)) {
      const std::uint64_t eight = eight_bytes(path, at);
      has_upper_ = has_upper_ || upper_bytes(eight) != 0;
      for (std::uint64_t slashes = bytes_equal(eight, '/'); slashes != 0; slashes &= slashes - 1) {
        const std::size_t end = at + first_byte(slashes);
        add(begin, end);
        begin = end + 1;
      }
    }
    add(begin, path.size());
  }
  // Is there a letter that case-folding changes?
  [[nodiscard]] bool has_upper() const { return has_upper_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view of(std::string_view path, std::size_t i) const {
    const Span& one = span(i);
    return {path.data() + one.at, one.size};
  }
  // The first component at or behind the byte.
  [[nodiscard]] std::size_t from(std::size_t byte) const {
    std::size_t i = 0;
    while (i < size_ && span(i).at < byte) ++i;
    return i;
  }

 private:
  struct Span {
    std::uint32_t at = 0, size = 0;
  };
  static constexpr std::size_t kFew = 16;

  void add(std::size_t begin, std::size_t end) {
    if (end <= begin) return;
    const Span one{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
    if (size_ < kFew) {
      few_[size_] = one;
    } else {
      more_.push_back(one);
    }
    ++size_;
  }
  [[nodiscard]] const Span& span(std::size_t i) const {
    return i < kFew ? few_[i] : more_[i - kFew];
  }

  std::array<Span, kFew> few_;
  std::vector<Span> more_;
  std::size_t size_ = 0;
  bool has_upper_ = false;
};

// A path with its components. Views of both.
struct PathView {
  std::string_view text;
  const Components& components;

  [[nodiscard]] std::size_t size() const { return components.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const { return components.of(text, i); }
};

}  // namespace lilith::rules
