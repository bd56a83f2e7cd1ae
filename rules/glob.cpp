#include "rules/glob.hpp"

#include "audit/base/text.hpp"

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
  for (Segment& segment : copy.segments_) {
    if (!segment.has_user) segment.text = ascii_lower(segment.text);
  }
  return copy;
}

std::string_view PathPattern::literal_component() const {
  // The longest one is the rarest.
  const Segment* best = nullptr;
  for (const Segment& segment : segments_) {
    if (segment.literal && (best == nullptr || segment.text.size() > best->text.size())) {
      best = &segment;
    }
  }
  return best == nullptr ? std::string_view() : std::string_view(best->text);
}

std::string_view PathPattern::suffix() const {
  if (segments_.empty() || segments_.back().has_user) return {};
  const std::string_view last = segments_.back().text;
  if (!last.starts_with("*.") || last.find_first_of("*?[.", 2) != std::string_view::npos) return {};
  return last.substr(1);
}

bool PathPattern::segment_matches(const Segment& segment, std::string_view component,
                                  const PatternUser& user) const {
  if (segment.literal) return segment.text == component;
  if (!segment.has_user) return glob_matches(segment.text, component);
  if (!usable_user(user.name)) return user.unknown_matches;
  if (segment.text == kUser) {
    return component == user.name ||
           (user.unknown_matches && ascii_lower(component) == ascii_lower(user.name));
  }
  std::string expanded = segment.text;
  for (std::size_t at = expanded.find(kUser); at != std::string::npos;
       at = expanded.find(kUser, at + user.name.size())) {
    expanded.replace(at, kUser.size(), user.name);
  }
  return glob_matches(expanded, component);
}

bool PathPattern::matches(std::string_view path, const PatternUser& user) const {
  if (!from_home_) return segments_match(path, user);
  std::string_view home = user.home;
  while (home.size() > 1 && home.ends_with('/')) home.remove_suffix(1);
  if (home.size() > 1 && home.starts_with('/')) {
    const std::string_view start = path.substr(0, home.size());
    const bool below =
        start == home || (user.unknown_matches && ascii_lower(start) == ascii_lower(home));
    path.remove_prefix(below ? home.size() : 0);
    return below && (path.empty() || path.front() == '/') && segments_match(path, user);
  }
  if (!user.unknown_matches) return false;
  // No home is known: any directory may be it.
  for (std::size_t at = 0; at != std::string_view::npos; at = path.find('/', at + 1)) {
    if (segments_match(path.substr(at), user)) return true;
  }
  return false;
}

bool PathPattern::segments_match(std::string_view path, const PatternUser& user) const {
  // The components of the path are taken one by one, without a list of them.
  const auto next = [&path](std::size_t at, std::string_view& component) {
    while (at < path.size() && path[at] == '/') ++at;
    if (at >= path.size()) return std::string_view::npos;
    const std::size_t end = std::min(path.find('/', at), path.size());
    component = path.substr(at, end - at);
    return end;
  };
  std::size_t s = 0, at = 0, star = std::string_view::npos, mark = 0;
  std::string_view component;
  for (;;) {
    if (s < segments_.size() && segments_[s].any_depth) {
      star = s++;
      mark = at;
      continue;
    }
    const std::size_t end = next(at, component);
    if (end == std::string_view::npos) {
      return s == segments_.size() || (s + 1 == segments_.size() && segments_[s].any_depth);
    }
    if (s < segments_.size() && segment_matches(segments_[s], component, user)) {
      ++s;
      at = end;
    } else if (star != std::string_view::npos) {
      s = star + 1;
      at = mark = next(mark, component);
    } else {
      return false;
    }
  }
}

void PathPatternSet::add(PathPattern pattern) {
  const std::size_t index = patterns_.size();
  if (const auto literal = pattern.literal_component(); !literal.empty()) {
    by_component_[std::string(literal)].push_back(index);
  } else if (const auto suffix = pattern.suffix(); !suffix.empty()) {
    by_suffix_[std::string(suffix)].push_back(index);
  } else {
    others_.push_back(index);
  }
  patterns_.push_back(std::move(pattern));
}

void PathPatternSet::consider(const Index& index, std::string_view key, std::string_view path,
                              const PatternUser& user, std::size_t& best) const {
  const auto found = index.find(key);
  if (found == index.end()) return;
  for (const std::size_t candidate : found->second) {
    if (candidate >= best) return;
    if (patterns_[candidate].matches(path, user)) best = candidate;
  }
}

std::size_t PathPatternSet::find_by_component(std::string_view component) const {
  // {a,b} may become anything that its place allows.
  std::string glob(component);
  for (std::size_t open = glob.find('{'); open != std::string::npos; open = glob.find('{')) {
    const std::size_t close = glob.find('}', open);
    glob.replace(open, close == std::string::npos ? close : close - open + 1, "*");
  }
  for (const auto& [literal, indexes] : by_component_) {
    if (glob_matches(glob, literal)) return indexes.front();
  }
  const std::size_t dot = glob.rfind('.');
  for (const auto& [suffix, indexes] : by_suffix_) {
    if (dot != std::string::npos && glob_matches(std::string_view(glob).substr(dot), suffix) &&
        glob.find_first_not_of("*?.", dot) != std::string::npos) {
      return indexes.front();
    }
  }
  return npos;
}

std::size_t PathPatternSet::find(std::string_view path, const PatternUser& user) const {
  std::size_t best = npos;
  if (patterns_.empty()) return best;
  std::string_view last;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) {
      last = path.substr(at, end - at);
      if (!by_component_.empty()) consider(by_component_, last, path, user, best);
    }
    at = end + 1;
  }
  if (const std::size_t dot = last.rfind('.');
      dot != std::string_view::npos && !by_suffix_.empty()) {
    consider(by_suffix_, last.substr(dot), path, user, best);
  }
  for (const std::size_t candidate : others_) {
    if (candidate >= best) break;
    if (patterns_[candidate].matches(path, user)) best = candidate;
  }
  return best;
}

}  // namespace lilith::rules
