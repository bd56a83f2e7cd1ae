#pragma once
// The shell line with which an agent starts the hook: made here, and recognised wherever it stands.

#include "rules/agents/agents.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

struct HookLine {
  std::string program;  // absolute path of lilith or lilith-hook
  agents::Agent agent = agents::Agent::kClaudeCode;
  std::string policy, recorder;  // absolute, or empty: as the hook finds them
  bool rollout = false;          // audit roll-out: errors let through (docs/agents.md)
};
// "PROGRAM hook --agent NAME ... || exit 2", or what has the same effect at that agent.
[[nodiscard]] std::string to_shell(const HookLine& line);

// What a line that starts a hook of ours says; nullopt when it starts none.
struct FoundLine {
  std::string program;
  agents::Agent agent = agents::Agent::kClaudeCode;
  bool fails_closed = false;  // denies when the program is missing or killed
};
[[nodiscard]] std::optional<FoundLine> read_hook_line(std::string_view line);

// The line without what to_shell() puts around the program and its options.
[[nodiscard]] std::string plain_line(std::string_view line);

// A word as a shell reads it back.
[[nodiscard]] std::string shell_word(std::string_view word);

}  // namespace lilith::enforcer::setup
