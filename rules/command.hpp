#pragma once
// What a shell line would run, read, write and reach, without running it and without any policy.
//
// The reader behind this is strict (rules/shell/): a line is either understood as bash would
// understand it, or it is undecidable and the caller must not allow it. It never guesses. Sources:
// POSIX.1-2017 XCU chapter 2, bash 5.2 manual; docs/policy.md has the tables with a source for each
// row.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// A reason that makes a call not allowed whatever the lists say. `code` is from the closed list in
// docs/policy.md
// ("command.unparsable", "command.dynamic_name", "command.environment", "command.exec_option",
// ...).
struct Hazard {
  std::string code;
  std::string message;     // names the part of the input
  std::size_t offset = 0;  // byte offset in the command text
};

// A word of argv after quote removal. `constant` is false when it holds an expansion whose value is
// not known; then `text` holds the source spelling of the expansion in place of its value ("$FILE",
// "$(...)").
struct Argument {
  std::string text;
  bool constant = true;
  bool splits = false;  // holds an expansion outside of quotes: may become several words, or none
};

// One simple command anywhere in the line: in lists, pipes, subshells, substitutions, expanding
// here-documents, function bodies, behind wrappers (then the wrapper is a CommandUse of its own,
// before it).
struct CommandUse {
  std::string name;            // argv[0] after quote removal, constant by construction
  std::vector<Argument> argv;  // argv[0] included
  std::string text;            // source text
  std::size_t offset = 0;
  bool needs_entry =
      true;  // false: harmless builtin or transparent wrapper, allowed without a list entry
  bool look_through =
      false;  // found behind a wrapper that must itself be listed (sudo, xargs, find -exec)
  std::vector<Hazard> hazards;  // options of this program that run other programs, ...; deny unless
                                // the entry allows
};

enum class PathAccess {
  kRead,      // redirection <, here: judged by read_file
  kWrite,     // redirection >, >>, <>, &>: judged by write_file
  kArgument,  // a word of argv that may be a path: only block lists are asked
  // A word of argv that names what its program writes (tables.hpp, write_operands): judged by
  // write_file where the place is known, by block lists and protect_agent_config where it is not.
  kWriteArgument,
  // The same for what is only made or marked (mkdir, touch): block lists and protect_agent_config.
  kTouchArgument,
};

// A path that the line names. Directory changes by a constant `cd` are followed.
struct PathUse {
  PathAccess access = PathAccess::kArgument;
  std::string text;  // after quote removal and tilde removal, see `base`
  enum class Base {
    kCwd,       // relative to the call's cwd, after `directory`
    kHome,      // text is relative to the user's home (~, $HOME)
    kAbsolute,  // begins with /
    kUnknown,   // relative to a directory that is not known, or the text has an expansion in it
  } base = Base::kCwd;
  std::string
      directory;  // for kCwd: what constant cd's led to, relative to the call's cwd or absolute
  bool directory_is_home = false;  // `directory` is relative to the home
  bool directory_tilde = false;    // `directory` begins with ~NAME, the home of that user
  bool tilde = false;              // `text` does (kUnknown)
  bool glob = false;               // the shell would expand `text`: *, ?, [...] or {...} in it
  std::size_t offset = 0;
};

// A host that the line names in a place where it is surely dialled (/dev/tcp/HOST/PORT, known
// network positions of known programs). URLs elsewhere in argv are recorded in `mentioned_urls`,
// not judged (decisions.md 17).
struct HostUse {
  std::string host;  // as written
  int port = 0;
  std::string protocol;  // tcp, https, ssh, ...
  std::string url;
  std::size_t offset = 0;
};

struct CommandAnalysis {
  std::optional<Hazard> undecidable;  // set: nothing else is meaningful, the line is not allowed
  std::vector<CommandUse> commands;
  std::vector<Hazard>
      hazards;  // of the line as a whole: environment changes, eval, function shadowing, ...
  std::vector<PathUse> paths;
  std::vector<HostUse> hosts;
  std::vector<std::string> mentioned_urls;
};

// Pure; linear in the input up to limits::kShellStepsMax steps.
[[nodiscard]] CommandAnalysis analyse_command(std::string_view text);

// Does a command block entry ("curl", "bash -c") match this command? An entry of several words
// matches when the program is the first word and the options say the same, bundled or spelled
// otherwise (-lc, --login -c).
class CommandPattern {
 public:
  explicit CommandPattern(std::string_view entry);
  [[nodiscard]] bool matches(const CommandUse& command) const;
  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string program_;
  std::vector<std::string> words_;
};

}  // namespace lilith::rules
