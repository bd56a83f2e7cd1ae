#pragma once
// One agent hook event on a descriptor -> the verdict in that agent's own form, the event in the
// audit log first. Every way of failing ends in a deny, unless the policy (or, without one, the
// roll-out option) says audit.

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/log.hpp"
#include "enforcer/policy_place.hpp"
#include "rules/agents/agents.hpp"
#include "rules/decide.hpp"
#include "rules/path.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace lilith::enforcer {

struct HookOptions {
  agents::Agent agent = agents::Agent::kClaudeCode;
  std::string event;     // --event: for payloads that don't name theirs
  std::string policy;    // --policy, or empty
  std::string recorder;  // --recorder, or empty
  // --on-error allow: a roll-out in audit mode. Without effect once this user or host has run under
  // a policy that enforces.
  bool allow_on_error = false;
  std::chrono::milliseconds deadline = limits::kHookDeadline;
  int input = 0;
  std::string engine;  // program version, for the event
  // Of a program that can't ask the name service: ends the process by starting one that can, on
  // the same input, and comes back only when that failed. Called before anything is read from
  // `input`. Null: this program can.
  void (*hand_over)() = nullptr;
  // As of RecordingOptions.
  std::optional<audit::LogOptions>* seal_later = nullptr;
};

// The machine as the hook sees it; tests pass their own.
struct Machine {
  const Clock& clock;
  const rules::FileSystem& file_system;
  rules::UserRecord user;
  Places places;
};

// Neither prints nor exits.
[[nodiscard]] agents::Answer run_hook(const HookOptions& options, const Machine& machine);

// Everything from `fd` up to its end. kLimitExceeded as soon as it is more than `bytes_max`,
// kUnavailable when the end did not come before `until`.
[[nodiscard]] Result<std::string> read_input(int fd, std::size_t bytes_max, MonotonicTime until,
                                             const Clock& clock);

}  // namespace lilith::enforcer
