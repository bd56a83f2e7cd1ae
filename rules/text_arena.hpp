#pragma once
// Texts that are made while one call is judged: carved off one block and freed together, since an
// allocation for each costs more than what is looked up with it.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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

  // Unset room for `count` values; nothing is run at their end.
  template <class T>
  [[nodiscard]] T* room_for(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    char* const at = room(count * sizeof(T) + alignof(T) - 1);
    const auto past = reinterpret_cast<std::uintptr_t>(at) % alignof(T);
    return reinterpret_cast<T*>(past == 0 ? at : at + (alignof(T) - past));
  }
  // A value that lives as long; nothing is run at its end.
  template <class T>
  [[nodiscard]] T* make() {
    return new (room_for<T>(1)) T();
  }

 private:
  // What most calls need, for the judge's lists, too.
  static constexpr std::size_t kFirstBytes = 2048, kBlockBytes = 4096;

  std::array<char, kFirstBytes> first_;
  char* next_ = first_.data();
  std::size_t left_ = kFirstBytes;
  std::vector<std::unique_ptr<char[]>> more_;
};

// A text that is made of many parts, in an arena.
class Sentence {
 public:
  explicit Sentence(TextArena& texts)
      : texts_(&texts), begin_(texts.room(kBytesAtFirst)), room_(kBytesAtFirst) {}

  Sentence& operator+=(std::string_view part) {
    if (part.size() > room_ - size_) grow(part.size());
    if (!part.empty()) std::memcpy(begin_ + size_, part.data(), part.size());
    size_ += part.size();
    return *this;
  }
  Sentence& operator+=(char c) { return *this += std::string_view(&c, 1); }
  [[nodiscard]] std::string_view view() const { return {begin_, size_}; }

 private:
  // Room for most: what is wrong, a path or an entry, the place and the advice.
  static constexpr std::size_t kBytesAtFirst = 320;

  void grow(std::size_t bytes) {
    room_ = (size_ + bytes) * 2;
    char* const larger = texts_->room(room_);
    std::memcpy(larger, begin_, size_);
    begin_ = larger;
  }

  TextArena* texts_;
  char* begin_;
  std::size_t size_ = 0, room_;
};

// For lists of what an arena lets live.
template <class T>
class ArenaAllocator {
 public:
  using value_type = T;
  explicit ArenaAllocator(TextArena& texts) : texts_(&texts) {}
  [[nodiscard]] T* allocate(std::size_t count) { return texts_->room_for<T>(count); }
  void deallocate(T*, std::size_t) {}
  friend bool operator==(const ArenaAllocator&, const ArenaAllocator&) = default;

 private:
  TextArena* texts_;
};
template <class T>
using ArenaVector = std::vector<T, ArenaAllocator<T>>;

}  // namespace lilith::rules
