#pragma once
// Paths: how they resolve on a machine, and the glob patterns of a policy.

#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "rules/text_arena.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// The part of a file system that a decision looks at; a test passes its own.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  enum class Kind { kMissing, kDirectory, kSymlink, kOther, kUnreadable };
  struct Entry {
    Kind kind = Kind::kMissing;
    std::string link_target;  // kSymlink only
  };
  // lstat and readlink of an absolute path whose parent has been resolved already.
  [[nodiscard]] virtual Entry look(const std::string& path) const = 0;
  // Root owns the file and every directory on the way, and no one else may write any of them.
  [[nodiscard]] virtual bool root_owned(const std::string& path) const = 0;
};
const FileSystem& real_file_system();
const FileSystem&
lexical_file_system();  // every component a directory, no links: for history from other machines

// Where the component that begins at `at` ends. Components are short: this loop is done before
// memchr() has begun.
[[nodiscard]] inline std::size_t component_end(std::string_view path, std::size_t at) {
  while (at < path.size() && path[at] != '/') ++at;
  return at;
}

// `given` when absolute, else below `cwd`; nothing is folded or resolved.
[[nodiscard]] std::string join_path(std::string_view given, std::string_view cwd);
// The same; a text that has to be made is in `texts`.
[[nodiscard]] std::string_view join_path(std::string_view given, std::string_view cwd,
                                         TextArena& texts);

struct ResolvedPath {
  std::string lexical;   // absolute, `.` and `..` folded as text
  std::string resolved;  // as the kernel would open it (path_resolution(7)); empty when undecidable
  std::string reason;  // why it is undecidable: "path.nul", "path.relative_without_cwd", ... with a
                       // sentence
};
// `given` as the agent wrote it, joined with `cwd` when relative. Component by component: `..` is
// the parent of the resolved prefix; a missing tail is kept, `..` inside it is undecidable.
[[nodiscard]] ResolvedPath resolve_path(std::string_view given, std::string_view cwd,
                                        const FileSystem& file_system);

// The same for lexical_file_system(), where `resolved` is `lexical` unless there is a reason: one
// string and no look-ups, for decide().
struct FoldedPath {
  std::string lexical;
  std::string_view reason;  // as ResolvedPath::reason, from a fixed list
  bool has_parent = false;  // `..` stands in it: after a link, a tool that folds the text and the
                            // kernel mean two different files
};
[[nodiscard]] FoldedPath fold_path(std::string_view given, std::string_view cwd);
// The same as views: of `given` where there is nothing to fold, of `texts` otherwise.
struct FoldedView {
  std::string_view lexical, reason;
  bool has_parent = false;
};
[[nodiscard]] FoldedView fold_path(std::string_view given, std::string_view cwd, TextArena& texts);

}  // namespace lilith::rules
