#pragma once
// One function per command of lilith-replay, each in a file of its own; main.cpp picks one. What
// they share: exit codes (docs/exit-codes.md), messages, candidates.

#include "replay/input.hpp"
#include "replay/recording.hpp"
#include "replay/summary.hpp"
#include "rules/policy.hpp"

#include <memory>
#include <string>
#include <vector>

namespace lilith::replay {

inline constexpr int kGood = 0, kFound = 1, kUsage = 2, kInputIncomplete = 3, kFidelity = 4,
                     kNotEnoughData = 5;

// argv[0] is the command's own name; the result is the exit code.
[[nodiscard]] int run_command(int argc, char** argv);
[[nodiscard]] int diff_command(int argc, char** argv);
[[nodiscard]] int explain_command(int argc, char** argv);
[[nodiscard]] int merge_command(int argc, char** argv);
[[nodiscard]] int fidelity_command(int argc, char** argv);
[[nodiscard]] int import_command(int argc, char** argv);
[[nodiscard]] int forecast_command(int argc, char** argv);
[[nodiscard]] int gate_command(int argc, char** argv);
[[nodiscard]] int suggest_command(int argc, char** argv);
[[nodiscard]] int report_command(int argc, char** argv);
[[nodiscard]] int review_command(int argc, char** argv);

// Prints "lilith-replay: MESSAGE" to standard error; gives kUsage.
int complain(const std::string& message);

// All policies, or an empty list after every problem of every file was printed.
[[nodiscard]] std::vector<std::shared_ptr<const rules::Policy>> load_policies(
    const std::vector<std::string>& paths);

// Adds the calls of all logs (files, directories, -) to `recording`.
[[nodiscard]] Result<void> read_recording(const std::vector<std::string>& logs,
                                          Recording& recording, InputReport& input);

// 3 when the input is incomplete, 1 when a candidate denies what was let through, else 0.
[[nodiscard]] int exit_code(const Summary& summary);
// One per core, within limits.
[[nodiscard]] std::size_t default_threads();

}  // namespace lilith::replay
