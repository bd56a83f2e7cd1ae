#include "replay/tables.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

namespace lilith::replay {
namespace {

constexpr std::size_t kPlacesMin = 1024;
constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;

bool full(std::size_t size, std::size_t places) { return (size + 1) * 4 > places * 3; }

bool is_empty(Hash128 key) { return key == Hash128{}; }

std::size_t place_in(const std::vector<Hash128>& keys, Hash128 key) {
  const std::size_t mask = keys.size() - 1;
  std::size_t at = key.low & mask;
  while (!is_empty(keys[at]) && keys[at] != key) at = (at + 1) & mask;
  return at;
}

void prefetch_in(const std::vector<Hash128>& keys, Hash128 key) {
  if (!keys.empty()) __builtin_prefetch(&keys[key.low & (keys.size() - 1)]);
}

}  // namespace

std::size_t HashTable::place_of(Hash128 key) const { return place_in(keys_, key); }

std::uint32_t HashTable::find(Hash128 key) const {
  if (keys_.empty()) return kNone;
  const std::size_t at = place_of(key);
  return is_empty(keys_[at]) ? kNone : numbers_[at];
}

bool HashTable::insert(Hash128 key, std::uint32_t number) {
  if (full(size_, keys_.size())) grow();
  const std::size_t at = place_of(key);
  if (!is_empty(keys_[at])) return false;
  keys_[at] = key;
  numbers_[at] = number;
  ++size_;
  return true;
}

void HashTable::grow() {
  const std::size_t places = std::max(kPlacesMin, keys_.size() * 2);
  const auto keys = std::exchange(keys_, std::vector<Hash128>(places));
  const auto numbers = std::exchange(numbers_, std::vector<std::uint32_t>(places));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (is_empty(keys[i])) continue;
    const std::size_t at = place_of(keys[i]);
    keys_[at] = keys[i];
    numbers_[at] = numbers[i];
  }
}

void HashTable::prefetch(Hash128 key) const { prefetch_in(keys_, key); }

void HashTable::clear() { *this = {}; }

std::size_t HashSet::place_of(Hash128 key) const { return place_in(keys_, key); }

bool HashSet::insert(Hash128 key) {
  if (full(size_, keys_.size())) {
    const auto keys =
        std::exchange(keys_, std::vector<Hash128>(std::max(kPlacesMin, keys_.size() * 2)));
    for (const Hash128 one : keys) {
      if (!is_empty(one)) keys_[place_of(one)] = one;
    }
  }
  const std::size_t at = place_of(key);
  if (!is_empty(keys_[at])) return false;
  keys_[at] = key;
  ++size_;
  return true;
}

bool HashSet::contains(Hash128 key) const {
  return !keys_.empty() && !is_empty(keys_[place_of(key)]);
}

void HashSet::prefetch(Hash128 key) const { prefetch_in(keys_, key); }

void HashSet::clear() { *this = {}; }

std::size_t Texts::place_of(std::string_view text) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(text)&mask;
  while (places_[at] != 0 && texts_[places_[at] - 1] != text) at = (at + 1) & mask;
  return at;
}

std::uint32_t Texts::find(std::string_view text) const {
  if (places_.empty()) return HashTable::kNone;
  const std::uint32_t found = places_[place_of(text)];
  return found == 0 ? HashTable::kNone : found - 1;
}

std::string_view Texts::keep(std::string_view text) {
  if (text.empty()) return {};
  if (room_ - used_ < text.size()) {
    room_ = std::max(kBlockBytes, text.size());
    used_ = 0;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(room_));
  }
  char* const to = blocks_.back().get() + used_;
  std::memcpy(to, text.data(), text.size());
  used_ += text.size();
  return {to, text.size()};
}

std::uint32_t Texts::id_of(std::string_view text) {
  if (full(texts_.size(), places_.size())) {
    places_.assign(std::max(kPlacesMin, places_.size() * 2), 0);
    for (std::uint32_t id = 0; id < texts_.size(); ++id) places_[place_of(texts_[id])] = id + 1;
  }
  const std::size_t at = place_of(text);
  if (places_[at] == 0) {
    texts_.push_back(keep(text));
    places_[at] = static_cast<std::uint32_t>(texts_.size());
  }
  return places_[at] - 1;
}

}  // namespace lilith::replay
