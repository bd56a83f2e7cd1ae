#pragma once
// Texts to numbers, for lists of thousands of entries: one flat table of hashes, so that a look-up
// that finds nothing (most of them) touches one cache line and compares no text.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::rules {

// FNV-1a, 64 bits (draft-eastlake-fnv), byte by byte: whoever walks over a text has the hash of
// each of its beginnings on the way.
inline constexpr std::uint64_t kTextHashStart = 0xCBF2'9CE4'8422'2325U;
[[nodiscard]] constexpr std::uint64_t hash_step(std::uint64_t hash, char c) {
  return (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01B3U;
}
[[nodiscard]] constexpr std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = kTextHashStart;
  for (const char c : text) hash = hash_step(hash, c);
  return hash;
}
// Of a text read from its end to its beginning.
[[nodiscard]] constexpr std::uint64_t reverse_hash(std::string_view text) {
  std::uint64_t hash = kTextHashStart;
  for (std::size_t i = text.size(); i > 0; --i) hash = hash_step(hash, text[i - 1]);
  return hash;
}

class TextIndex {
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t value = 0, before = 0;  // the last value, and where those before it begin
    std::uint32_t count = 0;
  };
  struct Value {
    std::uint32_t value, before;
  };

  // The hash's slot, or the empty one where it belongs. The table is never more than half full.
  template <class Slots>
  [[nodiscard]] static auto& at(Slots& slots, std::uint64_t hash) {
    const std::size_t mask = slots.size() - 1;
    std::size_t i = (hash ^ (hash >> 32U)) & mask;
    while (slots[i].count != 0 && slots[i].hash != hash) i = (i + 1) & mask;
    return slots[i];
  }

 public:
  void add(std::uint64_t hash, std::uint32_t value) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = at(slots_, hash);
    if (slot.count == 0) {
      slot.hash = hash;
      ++used_;
    } else {
      more_.push_back({slot.value, slot.before});
      slot.before = static_cast<std::uint32_t>(more_.size() - 1);
    }
    slot.value = value;
    ++slot.count;
  }
  // Every value filed under the hash. Another text may have the same hash: the caller compares.
  template <class Visit>
  void each(std::uint64_t hash, Visit visit) const {
    if (slots_.empty()) return;
    const Slot& slot = at(slots_, hash);
    if (slot.count == 0) return;
    visit(slot.value);
    std::uint32_t next = slot.before;
    for (std::uint32_t left = slot.count - 1; left > 0; --left) {
      visit(more_[next].value);
      next = more_[next].before;
    }
  }
  [[nodiscard]] std::size_t count(std::uint64_t hash) const {
    return slots_.empty() ? 0 : at(slots_, hash).count;
  }

 private:
  void grow() {
    std::vector<Slot> larger(slots_.empty() ? 16 : slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.count != 0) at(larger, slot.hash) = slot;
    }
    slots_ = std::move(larger);
  }

  std::vector<Slot> slots_;
  std::vector<Value> more_;
  std::size_t used_ = 0;
};

}  // namespace lilith::rules
