#pragma once
// Sets of seq numbers as ranges; memory goes by the ranges, not by the numbers.

#include <cstdint>
#include <iterator>
#include <map>

namespace lilith::audit {

class SeqSet {
 public:
  // False when it was there already, or when there would be more than `ranges_max` ranges.
  bool add(std::uint64_t seq, std::size_t ranges_max) {
    const auto after = ranges_.upper_bound(seq);
    const auto before = after == ranges_.begin() ? ranges_.end() : std::prev(after);
    if (before != ranges_.end() && before->second >= seq) return false;
    const bool joins_before = before != ranges_.end() && before->second + 1 == seq;
    const bool joins_after = after != ranges_.end() && after->first == seq + 1;
    if (joins_before && joins_after) {
      before->second = after->second;
      ranges_.erase(after);
    } else if (joins_before) {
      before->second = seq;
    } else if (joins_after) {
      const std::uint64_t last = after->second;
      ranges_.erase(after);
      ranges_.emplace(seq, last);
    } else {
      if (ranges_.size() >= ranges_max) return false;
      ranges_.emplace(seq, seq);
    }
    ++count_;
    return true;
  }
  // A range above all that are there. False when there would be more than `ranges_max` ranges.
  bool add_above(std::uint64_t first, std::uint64_t last, std::size_t ranges_max) {
    if (!ranges_.empty() && std::prev(ranges_.end())->second + 1 == first) {
      std::prev(ranges_.end())->second = last;
    } else {
      if (ranges_.size() >= ranges_max) return false;
      ranges_.emplace_hint(ranges_.end(), first, last);
    }
    count_ += last - first + 1;
    return true;
  }
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] bool contains(std::uint64_t seq) const {
    const auto after = ranges_.upper_bound(seq);
    return after != ranges_.begin() && std::prev(after)->second >= seq;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // First -> last, both included.
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& ranges() const { return ranges_; }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
  std::uint64_t count_ = 0;
};

}  // namespace lilith::audit
