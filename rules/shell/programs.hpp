#pragma once
// Programs that are told what to do by a script: where it comes from, and what scripts of sed and
// awk run, read and write. Sources: the programs' manuals, GTFOBins awk and sed,
// GHSA-mhg7-666j-cqg4.

#include "rules/command.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

// Where a shell or an interpreter takes its script from.
enum class ScriptSource {
  kNone,     // is neither, or only prints (--version)
  kGiven,    // a word of the line (-c TEXT, -e TEXT) or a file that it names
  kInput,    // standard input
  kForeign,  // text in a language that is not read, of a shell
  kUnknown,  // a word that may be anything: $X, <(...)
};
[[nodiscard]] ScriptSource script_source(const std::vector<Argument>& argv);
// How a shell is called (bash manual 6.1, POSIX sh).
struct ShellCall {
  bool text = false;        // -c: the first operand is the script itself
  bool input = false;       // -s
  bool prints = false;      // --version, --help
  std::size_t operand = 0;  // index of the first operand; argv.size() when there is none
};
[[nodiscard]] ShellCall shell_call(const std::vector<Argument>& argv);
// python3, node, perl, ruby, php, lua: their scripts are not read.
[[nodiscard]] bool is_interpreter(std::string_view name);

struct ScriptFile {
  std::size_t argument = 0;  // the word of argv that names it
  std::string path;
  bool writes = false;
};
struct ScriptUse {
  std::vector<Hazard> hazards;
  std::vector<ScriptFile> files;
  std::vector<std::string> commands;  // lines of sh that the script runs, constant ones
};
// Of sed and awk: what the script runs, reads and writes. Of the interpreters: the string literals
// of a script given as a word, any of which may be the name of a file.
[[nodiscard]] ScriptUse script_use(const std::vector<Argument>& argv, std::size_t offset);

}  // namespace lilith::rules::shell
