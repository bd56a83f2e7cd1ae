#pragma once
// Path patterns: `**` crosses directories, `*` and `?` do not and do match a leading dot, [...]
// classes. Matching is iterative with one point of return per kind of star, so that no pattern
// takes exponential time.

#include "audit/base/result.hpp"
#include "rules/shell/braces.hpp"
#include "rules/text_index.hpp"

#include <bitset>
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
  [[nodiscard]] bool matches(std::string_view absolute_path, const PatternUser& user) const;
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
  [[nodiscard]] bool segments_match(std::string_view path, const PatternUser& user) const;
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
  [[nodiscard]] std::size_t find(std::string_view absolute_path, const PatternUser& user) const;
  // PathPattern::may_match over the set.
  [[nodiscard]] std::size_t find_possible(std::string_view word, bool anchored,
                                          const PatternUser& user) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  [[nodiscard]] std::size_t size() const { return patterns_.size(); }
  // How many patterns a look-up of this path would try; for tests of the index.
  [[nodiscard]] std::size_t candidates(std::string_view absolute_path) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  // Patterns by a key. Most components of a path are no key: the bytes that keys begin with (those
  // of suffixes: end with) and their lengths tell that without a hash.
  struct Index {
    TextIndex patterns;
    std::vector<bool> lengths;
    std::bitset<256> first;

    void add(std::uint64_t hash, std::size_t length, char first_byte, std::size_t pattern);
    [[nodiscard]] bool may_begin(char byte) const {
      return first[static_cast<unsigned char>(byte)];
    }
    [[nodiscard]] bool has_length(std::size_t length) const {
      return length < lengths.size() && lengths[length];
    }
  };
  template <class Visit>
  void each_candidate(std::string_view path, Visit visit) const;

  std::vector<PathPattern> patterns_;
  std::vector<std::size_t> ids_;
  Index whole_, prefix_, suffix_;
  std::vector<std::size_t> others_;
};

}  // namespace lilith::rules
