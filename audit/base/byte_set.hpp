#pragma once
// A set of bytes, asked with one look.

#include <array>
#include <cstddef>
#include <string_view>

namespace lilith {

class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char c : bytes) add(c);
  }
  constexpr void add(char c) { has_[static_cast<unsigned char>(c)] = true; }
  [[nodiscard]] constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }
  [[nodiscard]] constexpr ByteSet others() const {
    ByteSet out("");
    for (std::size_t i = 0; i < has_.size(); ++i) out.has_[i] = !has_[i];
    return out;
  }

 private:
  std::array<bool, 256> has_{};
};

}  // namespace lilith
