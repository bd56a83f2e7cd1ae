#pragma once
// Another program, run to its end with a text on standard input.

#include "audit/base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

struct ChildResult {
  int exit_code = -1;  // -1: ended by a signal
  bool timed_out = false;
  std::string out, err;
};
// Killed after `deadline`; of its output the first 64 KiB are kept. kIo: it could not be started.
// SIGPIPE must be ignored by the caller.
[[nodiscard]] Result<ChildResult> run_child(const std::vector<std::string>& argv,
                                            std::string_view input,
                                            std::chrono::milliseconds deadline);

}  // namespace lilith::enforcer::setup
