// The first line is a pattern, the rest a path: what the index finds is what the pattern matches, a
// path folds to one that folds to itself, and words with braces and globs end.
#include "rules/glob.hpp"
#include "rules/path.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lilith::rules;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string_view path = text.substr(end + 1);
  for (const std::string_view cwd : {"", "/home/dev/app"}) {
    const FoldedPath folded = fold_path(path, cwd);
    if (folded.lexical.empty() && folded.reason.empty()) std::abort();
    if (folded.lexical.empty()) continue;
    const FoldedPath again = fold_path(folded.lexical, "");
    if (again.lexical != folded.lexical && again.reason.empty()) std::abort();
    const ResolvedPath resolved = resolve_path(path, cwd, lexical_file_system());
    if (resolved.resolved.empty() == resolved.reason.empty()) std::abort();
  }
  constexpr std::size_t kWordsMax = 64;
  if (expand_braces(path.substr(0, 4096), kWordsMax).size() > kWordsMax) std::abort();
  const auto pattern = PathPattern::parse(text.substr(0, end));
  if (!pattern) return 0;
  const PatternUser dev{"dev", "/home/dev"};
  PathPatternSet set;
  set.add(*pattern);
  if (pattern->matches(path, dev) != (set.find(path, dev) == 0)) std::abort();
  static_cast<void>(set.find_possible(path, true, {"dev", "/home/dev", true}));
  return 0;
}
