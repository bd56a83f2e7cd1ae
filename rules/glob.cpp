#include "rules/glob.hpp"

#include "audit/base/text.hpp"
#include "rules/path.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

constexpr std::string_view kUser = "$USER";

// A name that could bend a pattern stands for nobody.
bool usable_user(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of("/*?[]{}$ \t\r\n\\") == std::string_view::npos;
}

// [..] at `at` against one byte; `next` is set behind the class. Broken classes never pass parse().
bool class_matches(std::string_view glob, std::size_t at, unsigned char c, std::size_t& next) {
  std::size_t i = at + 1;
  const bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < glob.size() && (first || glob[i] != ']'); first = false) {
    const auto low = static_cast<unsigned char>(glob[i]);
    auto high = low;
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      high = static_cast<unsigned char>(glob[i + 2]);
      i += 2;
    }
    found = found || (low <= c && c <= high);
    ++i;
  }
  next = i + 1;
  return found != negated;
}

bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    std::size_t next = g + 1;
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = t;
    } else if (g < glob.size() &&
               (glob[g] == '?' ||
                (glob[g] == '[' ? class_matches(glob, g, static_cast<unsigned char>(text[t]), next)
                                : glob[g] == text[t]))) {
      g = next;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view one = path.substr(0, slash);
    if (!one.empty()) out.push_back(one);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return out;
}

std::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidInput,
              "path pattern '" + printable(text) + "': " + std::string(why));
}

Result<void> check_segment(std::string_view whole, std::string_view segment) {
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '{' || segment[i] == '}') {
      return bad(whole, "{a,b} is not supported; write one entry for each");
    }
    if (segment[i] == '\\') return bad(whole, "a backslash has no meaning here");
    if (segment[i] == '$' && !segment.substr(i).starts_with(kUser)) {
      return bad(whole, "only $USER, and $HOME or ~ at its beginning, are known");
    }
    if (segment[i] == '[') {
      const std::size_t end = segment.find(']', i + 2);
      if (end == std::string_view::npos) return bad(whole, "the class [ is not closed by ]");
      i = end;
    }
  }
  if (segment == "." || segment == "..") return bad(whole, "'.' and '..' match no resolved path");
  return {};
}

}  // namespace

bool wildcard_match(std::string_view glob, std::string_view text) {
  return glob_matches(glob, text);
}

Result<PathPattern> PathPattern::parse(std::string_view text) {
  PathPattern pattern;
  pattern.text_ = text;
  std::string_view rest = text;
  if (rest.empty()) return bad(text, "is empty");
  for (const std::string_view home : {std::string_view("$HOME"), std::string_view("~")}) {
    if (rest == home || (rest.starts_with(home) && rest[home.size()] == '/')) {
      pattern.from_home_ = true;
      rest.remove_prefix(home.size());
      break;
    }
  }
  if (!pattern.from_home_ && !rest.starts_with('/') && rest != "**" && !rest.starts_with("**/")) {
    return bad(text,
               "must begin with /, ~, $HOME or **/ (did you mean '**/" + printable(text) + "'?)");
  }
  for (const std::string_view one : components(rest)) {
    if (auto checked = check_segment(text, one); !checked) return pass_error(checked);
    Segment segment;
    segment.text = one;
    segment.any_depth = one == "**";
    segment.has_user = one.find(kUser) != std::string_view::npos;
    segment.literal = !segment.has_user && one.find_first_of("*?[") == std::string_view::npos;
    const bool doubled =
        segment.any_depth && !pattern.segments_.empty() && pattern.segments_.back().any_depth;
    if (!doubled) pattern.segments_.push_back(std::move(segment));
  }
  return pattern;
}

PathPattern PathPattern::folded() const {
  PathPattern copy = *this;
  copy.folded_ = true;
  for (Segment& segment : copy.segments_) {
    segment.text = ascii_lower(segment.text);
    for (std::size_t at = segment.text.find("$user"); at != std::string::npos;
         at = segment.text.find("$user", at)) {
      segment.text.replace(at, kUser.size(), kUser);
    }
  }
  return copy;
}

std::vector<PathPattern::Key> PathPattern::keys() const {
  std::vector<Key> out;
  for (const Segment& segment : segments_) {
    if (segment.any_depth) continue;
    const std::string_view text = segment.text;
    if (segment.literal) {
      out.push_back({Key::Kind::kWhole, text});
      continue;
    }
    const std::size_t first = text.find_first_of("*?[$");
    if (first > 0) out.push_back({Key::Kind::kPrefix, text.substr(0, first)});
    std::size_t last = text.find_last_of("*?]$");
    if (text[last] == '$') last += kUser.size() - 1;
    if (last + 1 < text.size()) out.push_back({Key::Kind::kSuffix, text.substr(last + 1)});
  }
  return out;
}

std::string PathPattern::fixed_directory(const PatternUser& user) const {
  std::string out;
  if (from_home_) {
    if (!user.home.starts_with('/')) return "/";
    out = user.home;
    while (out.ends_with('/')) out.pop_back();
  }
  std::size_t taken = 0;
  for (const Segment& segment : segments_) {
    const bool known = segment.literal || (segment.text == kUser && usable_user(user.name));
    if (!known) break;
    ++taken;
  }
  if (taken > 0 && taken == segments_.size()) --taken;
  for (std::size_t i = 0; i < taken; ++i) out += "/" + expanded(segments_[i], user);
  return out.empty() ? "/" : out;
}

// $USER filled in; a user that is not known is `*` in a block list.
std::string PathPattern::expanded(const Segment& segment, const PatternUser& user) const {
  const std::string name = !usable_user(user.name) ? "*"
                           : folded_               ? ascii_lower(user.name)
                                                   : std::string(user.name);
  std::string out = segment.text;
  for (std::size_t at = out.find(kUser); at != std::string::npos;
       at = out.find(kUser, at + name.size())) {
    out.replace(at, kUser.size(), name);
  }
  return out;
}

bool PathPattern::segment_matches(const Segment& segment, std::string_view component,
                                  const PatternUser& user) const {
  if (segment.literal) return segment.text == component;
  if (!segment.has_user) return glob_matches(segment.text, component);
  if (!usable_user(user.name) && !user.unknown_matches) return false;
  if (segment.text == kUser && !folded_ && usable_user(user.name)) return component == user.name;
  return glob_matches(expanded(segment, user), component);
}

bool PathPattern::matches(const PathView& path, const PatternUser& user) const {
  if (!from_home_) return segments_match(path, 0, user);
  const std::string_view text = path.text;
  std::string_view home = user.home;
  while (home.size() > 1 && home.ends_with('/')) home.remove_suffix(1);
  if (home.size() > 1 && home.starts_with('/')) {
    const std::string_view start = text.substr(0, home.size());
    const bool below =
        start == home || (user.unknown_matches && ascii_lower(start) == ascii_lower(home));
    return below && (text.size() == home.size() || text[home.size()] == '/') &&
           segments_match(path, path.components.from(home.size()), user);
  }
  if (!user.unknown_matches) return false;
  // No home is known: any directory on the way may be it, and one that is named as such (x/), too.
  const std::size_t last = path.size() + (text.ends_with('/') ? 1 : 0);
  for (std::size_t first = 0; first < std::max<std::size_t>(last, 1); ++first) {
    if (segments_match(path, first, user)) return true;
  }
  return false;
}

bool PathPattern::segments_match(const PathView& path, std::size_t first,
                                 const PatternUser& user) const {
  std::size_t s = 0, at = first, star = std::string_view::npos, mark = 0;
  for (;;) {
    if (s < segments_.size() && segments_[s].any_depth) {
      // Whatever follows, the last `**` takes it.
      if (s + 1 == segments_.size()) return true;
      star = s++;
      mark = at;
      continue;
    }
    if (at >= path.size()) return s == segments_.size();
    if (s < segments_.size() && segment_matches(segments_[s], path[at], user)) {
      ++s;
      ++at;
    } else if (star != std::string_view::npos) {
      s = star + 1;
      at = ++mark;
    } else {
      return false;
    }
  }
}

namespace {

bool says_something(std::string_view component) {
  return component.find_first_not_of("*?") != std::string_view::npos;
}
bool is_glob(std::string_view component) {
  return component.find_first_of("*?[") != std::string_view::npos;
}

// Whether two globs can mean the same name, as far as their fixed texts tell: one reads the other
// as a name, or what follows the last dot agrees ("*.k*" and "*.key").
bool globs_meet(std::string_view word, std::string_view pattern) {
  if (glob_matches(word, pattern) || glob_matches(pattern, word)) return true;
  const std::size_t dot = word.rfind('.');
  const std::size_t pattern_dot = pattern.rfind('.');
  return dot != std::string_view::npos && pattern_dot != std::string_view::npos &&
         says_something(word.substr(dot + 1)) &&
         glob_matches(word.substr(dot), pattern.substr(pattern_dot));
}

}  // namespace

bool PathPattern::may_match(const std::vector<std::string_view>& word, bool anchored,
                            const PatternUser& user) const {
  const std::size_t columns = word.size() + 1;
  // reached[s][w]: the segments before s can stand for the components before w; bit 2: and one of
  // them met a glob that says something; bit 4: and a lone `*` stands for a name.
  std::vector<unsigned char> reached((segments_.size() + 1) * columns, 0);
  const auto cell = [&](std::size_t s, std::size_t w) -> unsigned char& {
    return reached[s * columns + w];
  };
  // Below an unknown directory the word may begin at any segment; so it may in a pattern from home.
  cell(0, 0) = 1;
  if (!anchored || from_home_) {
    for (std::size_t s = 0; s <= segments_.size(); ++s) cell(s, 0) = 1;
  }
  if (anchored && from_home_) {
    for (std::size_t w = 0; w < columns; ++w) cell(0, w) = 1;
  }
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    const Segment& segment = segments_[s];
    for (std::size_t w = 0; w < columns; ++w) {
      const unsigned char here = cell(s, w);
      if (here == 0) continue;
      if (segment.any_depth) {
        cell(s + 1, w) |= here;
        if (w < word.size()) cell(s, w + 1) |= here;
        continue;
      }
      if (w == word.size()) continue;
      const std::string_view component = word[w];
      if (!is_glob(component)) {
        if (!segment_matches(segment, component, user)) continue;
        const bool tells = segment.literal && (here & 4U) != 0;
        cell(s + 1, w + 1) |= static_cast<unsigned char>(here | (tells ? 2U : 0U));
      } else if (!says_something(component)) {
        if (!segment.literal && !segment.has_user) {
          cell(s + 1, w + 1) |= here;
        } else if (anchored && !segment.text.starts_with('.')) {
          // `*` in the place of a name says nothing, unless a name behind it is met: /home/*/.aws.
          cell(s + 1, w + 1) |= static_cast<unsigned char>(here | 4U);
        }
      } else {
        const std::string text = segment.has_user ? expanded(segment, user) : segment.text;
        // Without a dot of its own a glob never gives a leading one (bash manual 3.5.8).
        const bool hidden = text.starts_with('.') && !component.starts_with('.');
        const bool meets = segment.literal ? !hidden && glob_matches(component, text)
                                           : globs_meet(component, text);
        if (meets) cell(s + 1, w + 1) |= 3;
      }
    }
  }
  return (cell(segments_.size(), word.size()) & 2U) != 0;
}

void PathPatternSet::add(PathPattern pattern, std::size_t id) {
  const std::size_t index = patterns_.size();
  ids_.push_back(id);
  patterns_.push_back(std::move(pattern));
  const auto index_of = [this](PathPattern::Key::Kind kind) -> Index& {
    return kind == PathPattern::Key::Kind::kWhole    ? whole_
           : kind == PathPattern::Key::Kind::kPrefix ? prefix_
                                                     : suffix_;
  };
  const auto hash_of = [](const PathPattern::Key& key) {
    return key.kind == PathPattern::Key::Kind::kSuffix ? reverse_hash(key.text)
                                                       : text_hash(key.text);
  };
  // The key with the fewest patterns so far; of equal ones a whole component, then the longest.
  const std::vector<PathPattern::Key> keys = patterns_.back().keys();
  const PathPattern::Key* best = nullptr;
  std::size_t best_bucket = 0;
  for (const PathPattern::Key& key : keys) {
    const std::size_t bucket = index_of(key.kind).patterns.count(hash_of(key));
    const bool longer =
        best != nullptr && key.kind == best->kind && key.text.size() > best->text.size();
    const bool better = best == nullptr || bucket < best_bucket ||
                        (bucket == best_bucket && (key.kind < best->kind || longer));
    if (better) {
      best = &key;
      best_bucket = bucket;
    }
  }
  if (best == nullptr) {
    others_.push_back(index);
  } else {
    Index& by_key = index_of(best->kind);
    by_key.patterns.add(hash_of(*best), static_cast<std::uint32_t>(index));
    const std::string_view text = best->text;
    by_key.add_length(text.size());
    const bool from_end = best->kind == PathPattern::Key::Kind::kSuffix;
    const auto bit =
        static_cast<std::uint8_t>(from_end                                        ? kSuffixBit
                                  : best->kind == PathPattern::Key::Kind::kPrefix ? kPrefixBit
                                                                                  : kWholeBit);
    const auto file = [this, bit, from_end](char outer, char inner) {
      pairs_[from_end ? end_pair(inner, outer) : end_pair(outer, inner)] |= bit;
    };
    const char outer = from_end ? text.back() : text.front();
    if (text.size() > 1) {
      file(outer, from_end ? text[text.size() - 2] : text[1]);
    } else {
      for (int inner = 0; inner < 256; ++inner) file(outer, static_cast<char>(inner));
    }
  }
}

// Each pattern that is filed under something in the path; one walk over a component gives the
// hashes of all its beginnings, another one of all its ends.
template <class Visit>
void PathPatternSet::each_candidate(const PathView& path, Visit visit) const {
  // The patterns filed under a beginning (an end) of the component.
  const auto each_part = [&visit](const Index& index, std::string_view one, auto byte_at) {
    std::uint64_t hash = kTextHashStart;
    const std::size_t last = std::min(one.size(), index.longest);
    for (std::size_t length = 1; length <= last; ++length) {
      hash = hash_step(hash, byte_at(length));
      if (index.has_length(length)) index.patterns.each(hash, visit);
    }
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    const unsigned front = pairs_[path.components.front(i)] & (kWholeBit | kPrefixBit);
    const unsigned back = pairs_[path.components.back(i)] & kSuffixBit;
    if ((front | back) == 0) continue;
    const std::string_view one = path[i];
    const char* const begin = one.data();
    const char* const end = begin + one.size();
    if ((front & kWholeBit) != 0 && whole_.has_length(one.size())) {
      whole_.patterns.each(text_hash(one), visit);
    }
    if ((front & kPrefixBit) != 0) {
      each_part(prefix_, one, [begin](std::size_t length) { return begin[length - 1]; });
    }
    if (back != 0) {
      each_part(suffix_, one, [end](std::size_t length) { return *(end - length); });
    }
  }
  for (const std::size_t index : others_) visit(index);
}

std::size_t PathPatternSet::find(const PathView& path, const PatternUser& user) const {
  std::size_t best = npos;
  if (patterns_.empty()) return best;
  each_candidate(path, [&](std::size_t candidate) {
    if (ids_[candidate] < best && patterns_[candidate].matches(path, user)) best = ids_[candidate];
  });
  return best;
}

std::size_t PathPatternSet::find_possible(std::string_view word, bool anchored,
                                          const PatternUser& user) const {
  const std::vector<std::string_view> parts = components(word);
  const bool tells = std::any_of(parts.begin(), parts.end(), [&](std::string_view one) {
    return is_glob(one) && (anchored || says_something(one));
  });
  std::size_t best = npos;
  if (!tells) return best;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (ids_[i] < best && patterns_[i].may_match(parts, anchored, user)) best = ids_[i];
  }
  return best;
}

std::size_t PathPatternSet::candidates(std::string_view path) const {
  std::size_t count = 0;
  TextArena texts;
  each_candidate(PathView{path, Components(path, texts)}, [&](std::size_t) { ++count; });
  return count;
}

}  // namespace lilith::rules
