#pragma once
// Path patterns: `**` crosses directories, `*` and `?` do not and do match a leading dot, [...]
// classes. Matching is iterative with one point of return per kind of star, so that no pattern
// takes exponential time.

#include "audit/base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
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
  [[nodiscard]] const std::string& text() const { return text_; }
  // A copy that matches case-folded paths.
  [[nodiscard]] PathPattern folded() const;

  // A component that every matching path has, or empty when there is none; for the index.
  [[nodiscard]] std::string_view literal_component() const;
  // ".key" for a pattern whose last component is `*.key`, else empty.
  [[nodiscard]] std::string_view suffix() const;

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

  std::string text_;
  bool from_home_ = false;
  std::vector<Segment> segments_;
};

// Many patterns, asked at once. The time of a look-up grows with the patterns that share a
// component with the path, not with all of them.
class PathPatternSet {
 public:
  void add(PathPattern pattern);
  // Index of the first added pattern that matches, or npos.
  [[nodiscard]] std::size_t find(std::string_view absolute_path, const PatternUser& user) const;
  // Index of a pattern one of whose literal components, or whose suffix, the glob `component` could
  // expand to.
  [[nodiscard]] std::size_t find_by_component(std::string_view component) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  [[nodiscard]] std::size_t size() const { return patterns_.size(); }
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Index = std::unordered_map<std::string, std::vector<std::size_t>, Hash, std::equal_to<>>;

  void consider(const Index& index, std::string_view key, std::string_view path,
                const PatternUser& user, std::size_t& best) const;

  std::vector<PathPattern> patterns_;
  Index by_component_;
  Index by_suffix_;
  std::vector<std::size_t> others_;
};

}  // namespace lilith::rules
