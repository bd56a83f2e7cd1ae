#pragma once
// Path patterns: `**` crosses directories, `*` and `?` do not and do match a leading dot, [...]
// classes. Matching is iterative with one point of return per kind of star, so that no pattern
// takes exponential time.

#include "audit/base/result.hpp"
#include "rules/path_parts.hpp"
#include "rules/shell/braces.hpp"
#include "rules/text_index.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// Whose home and name stand for ~, $HOME and $USER in a pattern.
struct PatternUser {
  std::string_view name;
  std::string_view home;
  // For block lists: what is not known of the user matches everything in its place, so that an odd
  // user database never opens what a block entry closes.
  bool unknown_matches = false;
};

// `*`, `?` and [...] over a whole text without directories.
[[nodiscard]] bool wildcard_match(std::string_view glob, std::string_view text);

class PathPattern {
 public:
  // Error: the pattern is empty, uses {a,b}, an unknown $NAME, a broken class, or begins with
  // neither /, ~, $HOME nor `**`.
  [[nodiscard]] static Result<PathPattern> parse(std::string_view text);
  [[nodiscard]] bool matches(const PathView& absolute_path, const PatternUser& user) const;
  [[nodiscard]] bool matches(std::string_view absolute_path, const PatternUser& user) const {
    TextArena texts;
    return matches(PathView{absolute_path, Components(absolute_path, texts)}, user);
  }
  // Whether a word that the shell still expands may become a path that matches. A component of `*`
  // and `?` alone says nothing: it never gives a leading dot, and stands in half of all benign
  // lines. `anchored`: the word begins at the root; otherwise it may stand below any directory.
  [[nodiscard]] bool may_match(const std::vector<std::string_view>& word, bool anchored,
                               const PatternUser& user) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  // A copy that matches case-folded paths.
  [[nodiscard]] PathPattern folded() const;
  // A folded copy may miss what the pattern itself matches, because folding turns a class around.
  [[nodiscard]] bool has_class() const { return text_.find('[') != std::string::npos; }

  // Text that some component of every matching path has: as the whole of it, as its beginning or as
  // its end.
  struct Key {
    enum class Kind { kWhole, kPrefix, kSuffix } kind = Kind::kWhole;
    std::string_view text;
  };
  [[nodiscard]] std::vector<Key> keys() const;
  // The directory below which every matching path lies: what stands before the first wildcard, and
  // without its last component where there is none; "/" when nothing is known.
  [[nodiscard]] std::string fixed_directory(const PatternUser& user) const;

 private:
  struct Segment {
    std::string text;        // glob text of one component
    bool any_depth = false;  // `**`
    bool has_user = false;   // $USER inside
    bool literal = false;    // no wildcard and no $USER
  };
  // Against the components of the path from `first` on.
  [[nodiscard]] bool segments_match(const PathView& path, std::size_t first,
                                    const PatternUser& user) const;
  [[nodiscard]] bool segment_matches(const Segment& segment, std::string_view component,
                                     const PatternUser& user) const;
  [[nodiscard]] std::string expanded(const Segment& segment, const PatternUser& user) const;

  std::string text_;
  bool from_home_ = false;
  bool folded_ = false;
  std::vector<Segment> segments_;
};

// Many patterns, asked at once. The time of a look-up grows with the patterns that share a key with
// the path, not with all of them; each pattern is filed under its rarest key.
class PathPatternSet {
 public:
  // `id` is what find() answers; of several that match, the lowest.
  void add(PathPattern pattern, std::size_t id);
  void add(PathPattern pattern) { add(std::move(pattern), patterns_.size()); }
  [[nodiscard]] std::size_t find(const PathView& absolute_path, const PatternUser& user) const;
  [[nodiscard]] std::size_t find(std::string_view absolute_path, const PatternUser& user) const {
    TextArena texts;
    return find(PathView{absolute_path, Components(absolute_path, texts)}, user);
  }
  // PathPattern::may_match over the set.
  [[nodiscard]] std::size_t find_possible(std::string_view word, bool anchored,
                                          const PatternUser& user) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  [[nodiscard]] std::size_t size() const { return patterns_.size(); }
  // How many patterns a look-up of this path would try; for tests of the index.
  [[nodiscard]] std::size_t candidates(std::string_view absolute_path) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  // Keys of at least that many bytes are looked up without asking for their length first.
  static constexpr std::size_t kLongKey = 64;
  // Patterns by a key.
  struct Index {
    TextIndex patterns;
    std::size_t longest = 0;    // of the keys
    std::uint64_t lengths = 0;  // by bit, those below kLongKey

    [[nodiscard]] bool has_length(std::size_t length) const {
      return length < kLongKey ? (lengths >> length & 1U) != 0 : length <= longest;
    }
    void add_length(std::size_t length) {
      if (length < kLongKey) lengths |= std::uint64_t{1} << length;
      if (length > longest) longest = length;
    }
  };
  // Most components of a path are no key: the two bytes at the end where the search for a key
  // begins say so. By end_pair(), which kinds of keys have such bytes.
  enum KeyBits : std::uint8_t { kWholeBit = 1, kPrefixBit = 2, kSuffixBit = 4 };
  template <class Visit>
  void each_candidate(const PathView& path, Visit visit) const;

  std::vector<PathPattern> patterns_;
  std::vector<std::size_t> ids_;
  Index whole_, prefix_, suffix_;
  std::array<std::uint8_t, kEndPairs> pairs_{};
  std::vector<std::size_t> others_;
};

}  // namespace lilith::rules
