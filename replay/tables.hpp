#pragma once
// Compact tables for what grows with the traffic. A std::unordered_map takes some 190 bytes a call;
// ten million distinct calls have to fit beside everything else (docs/replay.md).

#include "replay/hash.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace lilith::replay {

// Hash -> number, open addressing: 20 bytes a place, at most three of four places taken.
class HashTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // The number of `key`, or kNone.
  [[nodiscard]] std::uint32_t find(Hash128 key) const;
  // False when `key` is there already.
  bool insert(Hash128 key, std::uint32_t number);
  // Has the memory of `key` under way for a find() or insert() soon: a table that has outgrown the
  // caches answers from memory, some 100 ns away.
  void prefetch(Hash128 key) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  void clear();

 private:
  [[nodiscard]] std::size_t place_of(Hash128 key) const;
  void grow();
  std::vector<Hash128> keys_;
  std::vector<std::uint32_t> numbers_;
  std::size_t size_ = 0;
};

// The same without numbers: 16 bytes a place.
class HashSet {
 public:
  bool insert(Hash128 key);
  void prefetch(Hash128 key) const;  // as above
  [[nodiscard]] bool contains(Hash128 key) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  void clear();

 private:
  [[nodiscard]] std::size_t place_of(Hash128 key) const;
  std::vector<Hash128> keys_;
  std::size_t size_ = 0;
};

// Texts by number, from 0 in order of first sight; each is kept once.
class Texts {
 public:
  Texts() = default;
  Texts(Texts&&) noexcept = default;
  Texts& operator=(Texts&&) noexcept = default;
  std::uint32_t id_of(std::string_view text);
  // HashTable::kNone when it is not there.
  [[nodiscard]] std::uint32_t find(std::string_view text) const;
  [[nodiscard]] std::string_view operator[](std::uint32_t id) const { return texts_[id]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  [[nodiscard]] std::size_t place_of(std::string_view text) const;
  [[nodiscard]] std::string_view keep(std::string_view text);
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t used_ = 0, room_ = 0;  // of the last block
  std::deque<std::string_view> texts_;
  std::vector<std::uint32_t> places_;  // id + 1, 0 for none
};

}  // namespace lilith::replay
