#pragma once
// What answers for a hook process that can't: a timer and signal handlers with answers that were
// made beforehand. Agents let the tool run when a hook dies by a signal or takes too long
// (docs/agents.md, "Fail-open"), so neither may happen before the verdict.

#include "rules/agents/agents.hpp"

#include <chrono>

namespace lilith::enforcer {

// Makes sure that descriptors 0, 1 and 2 are open: a log must never be opened as standard output.
void open_standard_descriptors();

// From now on the deadline, signals that end a process, and crashes (also of a full stack) print a
// deny, leave an incident (incidents.hpp) and exit with 2. SIGPIPE and SIGXFSZ are ignored, so that
// the write that caused them fails. Once per process.
void arm_guard(agents::Agent agent, std::chrono::milliseconds deadline);

// Whether the guard lets the tool run instead (audit mode): it then only complains on stderr.
void set_guard_lets_through(bool lets_through);
[[nodiscard]] bool guard_lets_through();

// Writes the answer. After this began, the guard exits with its code.
void give(const agents::Answer& answer);
// The same, and ends the process.
[[noreturn]] void finish(const agents::Answer& answer);

}  // namespace lilith::enforcer
