#pragma once
// What `lilith import` reads: the histories that agents keep, one form a file (history_*.cpp). A
// form knows where a call stands and what became of it; import.cpp makes events of them.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/json/reader.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::replay {

// kRejected: a person or the agent's own rules refused the call, or it was broken off before it
// ran.
enum class Outcome { kOk, kError, kRejected };

// The views live as long as the call of HistorySink::call.
struct HistoryCall {
  std::string_view agent;  // spelled as in a policy
  std::string_view tool;   // the agent's own name for it
  // The tool of rules/agents whose arguments `input` has the form of; empty: `tool` itself.
  std::string_view shaped_as;
  std::string_view server;  // MCP; empty where the tool is none, or its name holds the server
  std::string_view host, session, child, call_id, cwd;
  WallTime time{};
  std::optional<Outcome> outcome;
};

class HistorySink {
 public:
  // A call whose id was put before is a repeat and counts once.
  virtual void call(const HistoryCall& call, json::View input) = 0;
  // What became of a call that was put; ids that were not are ignored, and the first word counts.
  virtual void outcome(std::string_view agent, std::string_view call_id, Outcome outcome) = 0;

 protected:
  ~HistorySink() = default;
};

// Reads the lines of one file, in order: what earlier lines said (session, directory) holds on.
class HistoryForm {
 public:
  virtual ~HistoryForm() = default;
  // False: a line of another form. An error: of this form, and it can't be read.
  [[nodiscard]] virtual Result<bool> line(json::View root, HistorySink& sink) = 0;
};

[[nodiscard]] std::unique_ptr<HistoryForm> neutral_history();
[[nodiscard]] std::unique_ptr<HistoryForm> claude_code_history();
[[nodiscard]] std::unique_ptr<HistoryForm> copilot_history(const std::string& path);
[[nodiscard]] std::unique_ptr<HistoryForm> codex_history();
// Gemini's files don't name the directory that they are about; a file beside them does.
[[nodiscard]] std::unique_ptr<HistoryForm> gemini_history(const std::string& path);

// parse_time() of one member, with its name in the error.
[[nodiscard]] Result<WallTime> time_of(json::View object, std::string_view key);
// `directory` as a process in `cwd` sees it; empty when that can't be said.
[[nodiscard]] std::string resolved_directory(std::string_view cwd, std::string_view directory);

}  // namespace lilith::replay
