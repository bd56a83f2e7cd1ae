// Claude Code's transcripts, ~/.claude/projects/DIRECTORY/SESSION.jsonl: assistant messages with
// tool_use parts, user messages with their tool_result.

#include "replay/history.hpp"

namespace lilith::replay {
namespace {

constexpr std::string_view kAgent = "claude_code";
// What Claude Code writes into the result of a call that the person refused.
constexpr std::string_view kRefusal = "The user doesn't want to proceed with this tool use";

class ClaudeHistory final : public HistoryForm {
 public:
  Result<bool> line(json::View root, HistorySink& sink) override {
    const std::string_view type = root.text("type");
    const auto message = root.find("message");
    const auto content = message ? message->find("content") : std::nullopt;
    if (!content || !content->is_array()) return false;
    if (type == "user") results(*content, sink);
    if (type == "assistant") return calls(root, *content, sink);
    return type == "user";
  }

 private:
  static Result<bool> calls(json::View root, json::View content, HistorySink& sink) {
    auto time = time_of(root, "timestamp");
    if (!time) return pass_error(time);
    content.each_element([&](json::View part) {
      const auto input = part.find("input");
      if (part.text("type") != "tool_use" || !input) return true;
      HistoryCall call;
      call.agent = kAgent;
      call.tool = part.text("name");
      call.session = root.text("sessionId");
      call.child = root.text("agentId");
      call.call_id = part.text("id");
      call.cwd = root.text("cwd");
      call.time = *time;
      sink.call(call, *input);
      return true;
    });
    return true;
  }

  static void results(json::View content, HistorySink& sink) {
    content.each_element([&](json::View part) {
      if (part.text("type") != "tool_result") return true;
      const auto error = part.find("is_error");
      const bool failed = error && error->boolean().value_or(false);
      const auto body = part.find("content");
      const bool refused = failed && body && body->to_json().find(kRefusal) != std::string::npos;
      sink.outcome(kAgent, part.text("tool_use_id"),
                   refused  ? Outcome::kRejected
                   : failed ? Outcome::kError
                            : Outcome::kOk);
      return true;
    });
  }
};

}  // namespace

std::unique_ptr<HistoryForm> claude_code_history() { return std::make_unique<ClaudeHistory>(); }

}  // namespace lilith::replay
