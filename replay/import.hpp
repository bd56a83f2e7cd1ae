#pragma once
// `lilith import`: history that people already have becomes events, so that a baseline exists on
// day one. The forms are in history.hpp.
//
// Events are `imported` with action `recorded`: nothing was decided when it happened, so that no
// alert rule and no fidelity check takes them.

#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/log.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::replay {

// Names of the forms, as `lilith import FORM` takes them; "auto" is any of them, by line.
[[nodiscard]] std::vector<std::string> history_form_names();

struct ImportOptions {
  std::string host;           // for transcripts, which name none
  std::string user;           // where no path tells it
  std::string form = "auto";  // of history_form_names()
  // Calls from then on are left out: the log has them.
  WallTime until = WallTime::max();
};

struct ImportReport {
  std::uint64_t files = 0, lines = 0, calls = 0;
  // The same id again: transcripts of resumed and forked sessions overlap.
  std::uint64_t duplicates = 0;
  std::uint64_t too_late = 0;      // from ImportOptions::until on
  std::uint64_t no_directory = 0;  // calls whose history names no directory
  std::uint64_t without_call = 0;  // lines of other kinds
  std::uint64_t bad_lines = 0;
  std::vector<std::string> problems;  // the first bad lines, "FILE:LINE: why"
};

// Reads all files (directories are walked for *.jsonl, *.ndjson and session-*.json) and returns the
// calls as events in order of time.
[[nodiscard]] Result<std::vector<audit::Event>> read_history(const std::vector<std::string>& paths,
                                                             const ImportOptions& options,
                                                             ImportReport& report);

}  // namespace lilith::replay
