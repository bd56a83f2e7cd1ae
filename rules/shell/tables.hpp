#pragma once
// What the analysis knows of builtins, wrappers, dangerous names and options: data, each row with
// its source in docs/commands.md.

#include "rules/command.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

// Builtins of bash 5.2 that change nothing a later command depends on; they need no entry.
[[nodiscard]] bool is_harmless_builtin(std::string_view name);
// Programs that run their arguments and change nothing else: time, nice, nohup, timeout, env,
// command, stdbuf.
[[nodiscard]] bool is_transparent_wrapper(std::string_view name);
// Programs that run their arguments and must be listed themselves.
[[nodiscard]] bool is_listed_wrapper(std::string_view name);
// Whether this call is one of either kind, or of a program that runs others by a sub-command
// (`uv run`, `bundle exec`, `npx`).
[[nodiscard]] bool is_wrapper(const std::vector<Argument>& argv);
// Of those: it makes an environment of its own, so that a name that is no program of the system is
// one of the project's packages, which the entry of the runner covers. `package`: it is one itself.
[[nodiscard]] bool runs_own_programs(const std::vector<Argument>& argv, bool package);
// Of those: a program that it runs by a path in the project is covered by its entry (`valgrind
// ./build/x`).
[[nodiscard]] bool runs_own_files(const std::vector<Argument>& argv);
// Of those: words that a shell reads as lines of their own (`concurrently 'tsc -w' 'jest'`).
struct LineWord {
  std::size_t argument = 0;
  std::size_t from = 0;  // where in that word's text the line begins
  bool joined = false;   // the words behind it, with blanks between, belong to it
};
[[nodiscard]] std::vector<LineWord> wrapped_lines(const std::vector<Argument>& argv);
// Where the sub-command of a program stands that runs others by one (`uv run`), argv.size() where
// there is none; npos for any other program.
[[nodiscard]] std::size_t runner_sub_command(const std::vector<Argument>& argv);
[[nodiscard]] bool is_system_program(std::string_view name);
// sh, bash, dash, zsh, ...: -c TEXT is read as a line of its own.
[[nodiscard]] bool is_shell(std::string_view name);
// Programs whose first word is a pattern or a script and no path.
[[nodiscard]] bool takes_pattern_first(std::string_view name);

// Whether setting NAME to `value` can change what later commands run (facts 1.5). `constant` is
// false when the value is not known.
[[nodiscard]] bool is_dangerous_assignment(std::string_view name, std::string_view value,
                                           bool constant);

// Options and sub-commands of listed programs that run other programs. argv[0] included.
[[nodiscard]] std::vector<Hazard> exec_hazards(const std::vector<Argument>& argv,
                                               std::size_t offset);
// What a command's options and NAME=VALUE words name by themselves to be run or loaded: where no
// row says what an option is, the words of its name do (--proxy-command, --globalSetup).
struct ValueUse {
  enum class As {
    kNothing,
    kLine,     // a line of sh
    kWords,    // of the words of argv from here, a command; of a variable, options
    kProgram,  // the name of a program, or a file of the project
    kSource,   // of a variable: where code is loaded from
    kCode,     // a file of code from another place than below the directory the line runs in
  };
  std::size_t argument = 0;
  std::size_t from = 0;  // where in that word's text the value begins
  std::size_t size = static_cast<std::size_t>(-1);
  As as = As::kNothing;
  bool elsewhere = false;  // it runs in a directory that is not known
  bool packages = false;   // the project's packages are programs there
};
[[nodiscard]] std::vector<ValueUse> value_uses(const std::vector<Argument>& argv);
// The same of a variable that a program finds in its environment.
[[nodiscard]] ValueUse::As variable_use(std::string_view name);
// A value of such a name that runs nothing: empty, a number, cat, true, never, ...
[[nodiscard]] bool is_inert_value(std::string_view value);
// Whether environment.cpp has a row that says what the variable does.
[[nodiscard]] bool is_known_variable(std::string_view name);
// Whether the place is not below the directory that the line runs in, other than the system's own,
// or is not known.
[[nodiscard]] bool loads_elsewhere(std::string_view value);
// The same for words that may hold such an option because what they become is not known. One value
// for each word of argv: whether nothing in the line says what it is, and whether the line itself
// puts something unknown into it.
[[nodiscard]] std::vector<Hazard> unknown_option_hazards(const std::vector<Argument>& argv,
                                                         const std::vector<bool>& nothing_known,
                                                         const std::vector<bool>& put_in,
                                                         std::size_t offset);

// A word of argv that names a file or directory that the program writes, removes or creates.
struct WriteOperand {
  static constexpr std::size_t kUnknownBase = static_cast<std::size_t>(-1);

  std::size_t argument = 0;  // index in argv
  std::size_t from = 0;      // where in that word's text the path begins ("--output=F", "-oF")
  std::size_t size = static_cast<std::size_t>(-1);  // where it ends, in bytes from there ("F:/mnt")
  // A relative path is relative to the directory that argv[base] names (git -C DIR); 0: to the
  // directory the command runs in; kUnknownBase: to one that can't be told.
  std::size_t base = 0;
  bool touches = false;  // nothing is written into it: mkdir, rmdir, touch

  friend bool operator==(const WriteOperand&, const WriteOperand&) = default;
};
[[nodiscard]] std::vector<WriteOperand> write_operands(const std::vector<Argument>& argv);

// How many of the words after `name` belong to the wrapper itself, so that the wrapped command
// begins after them; npos when that can't be told. `assignments` gets env's NAME=VALUE words.
[[nodiscard]] std::size_t wrapped_at(const std::vector<Argument>& argv,
                                     std::vector<std::string>& assignments);

}  // namespace lilith::rules::shell
