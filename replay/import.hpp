#pragma once
// `lilith import`: history that people already have becomes events, so that a baseline exists on
// day one.
//
// Two forms, told apart line by line: Claude Code's own transcripts (~/.claude/projects/**/*.jsonl:
// assistant messages with tool_use parts, user messages with their tool_result) and the neutral
// form (one call a line: ts, session, host, agent, tool, input, cwd, outcome; docs/replay.md).
// Events are `imported` with action `recorded`: nothing was decided when it happened, so that no
// alert rule and no fidelity check takes them.

#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/log.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lilith::replay {

struct ImportOptions {
  std::string host;  // for transcripts, which name none
  std::string user;  // where no path tells it
};

struct ImportReport {
  std::uint64_t files = 0, lines = 0, calls = 0;
  std::uint64_t duplicates =
      0;  // the same tool_use id again: transcripts of resumed sessions overlap
  std::uint64_t without_call = 0;  // lines of other kinds
  std::uint64_t bad_lines = 0;
  std::vector<std::string> problems;  // the first bad lines, "FILE:LINE: why"
};

// Reads all files (directories are walked for *.jsonl and *.ndjson) and returns the calls as events
// in order of time.
[[nodiscard]] Result<std::vector<audit::Event>> read_history(const std::vector<std::string>& paths,
                                                             const ImportOptions& options,
                                                             ImportReport& report);

}  // namespace lilith::replay
