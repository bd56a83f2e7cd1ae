#pragma once
// Texts that are made while one call is judged: carved off one block and freed together, since an
// allocation for each costs more than what is looked up with it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <vector>

namespace lilith::rules {

// Copies every part to `out`, which has room for all of them; the end of what was written.
inline char* copy_parts(std::initializer_list<std::string_view> parts, char* out) {
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  return out;
}
[[nodiscard]] inline std::size_t size_of(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  return size;
}

// What it gives out stays where it is for as long as the arena lives.
class TextArena {
 public:
  TextArena() = default;
  TextArena(const TextArena&) = delete;
  TextArena& operator=(const TextArena&) = delete;

  // Unset bytes.
  [[nodiscard]] char* room(std::size_t bytes) {
    if (bytes > left_) {
      const std::size_t block = std::max(bytes, kBlockBytes);
      more_.push_back(std::make_unique_for_overwrite<char[]>(block));
      next_ = more_.back().get();
      left_ = block;
    }
    char* const out = next_;
    next_ += bytes;
    left_ -= bytes;
    return out;
  }

  [[nodiscard]] std::string_view joined(std::initializer_list<std::string_view> parts) {
    const std::size_t size = size_of(parts);
    char* const out = room(size);
    copy_parts(parts, out);
    return {out, size};
  }
  [[nodiscard]] std::string_view copy(std::string_view text) { return joined({text}); }

  // A value that lives as long; nothing is run at its end.
  template <class T>
  [[nodiscard]] T* make() {
    static_assert(std::is_trivially_destructible_v<T>);
    void* at = room(sizeof(T) + alignof(T) - 1);
    std::size_t space = sizeof(T) + alignof(T) - 1;
    return new (std::align(alignof(T), sizeof(T), at, space)) T();
  }

 private:
  static constexpr std::size_t kFirstBytes = 512, kBlockBytes = 4096;

  std::array<char, kFirstBytes> first_;
  char* next_ = first_.data();
  std::size_t left_ = kFirstBytes;
  std::vector<std::unique_ptr<char[]>> more_;
};

}  // namespace lilith::rules
