#pragma once
// What the analysis knows of builtins, wrappers, dangerous names and options: data, each row with
// its source in docs/commands.md.

#include "rules/command.hpp"

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

// How many of the words after `name` belong to the wrapper itself, so that the wrapped command
// begins after them; npos when that can't be told. `assignments` gets env's NAME=VALUE words.
[[nodiscard]] std::size_t wrapped_at(const std::vector<Argument>& argv,
                                     std::vector<std::string>& assignments);

}  // namespace lilith::rules::shell
