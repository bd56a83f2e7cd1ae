// Session events of Copilot CLI, ~/.copilot/session-state/SESSION/events.jsonl, and the transcripts
// of VS Code's Copilot, which have the same form. Members: github/copilot-sdk,
// nodejs/src/generated/session-events.ts (SessionEvent, ToolExecutionStartData,
// ToolExecutionCompleteData, WorkingDirectoryContext). `error.code` of a refused call:
// microsoft/vscode-copilot-chat, copilotCLITools.ts. VS Code is told by `vscodeVersion`.

#include "replay/history.hpp"

#include <filesystem>
#include <set>

namespace lilith::replay {
namespace {

class CopilotHistory final : public HistoryForm {
 public:
  // A log whose first lines were cut off names its session by its directory.
  explicit CopilotHistory(const std::string& path)
      : session_(std::filesystem::path(path).parent_path().filename()) {}

  Result<bool> line(json::View root, HistorySink& sink) override {
    const std::string_view type = root.text("type");
    const auto data = root.find("data");
    if (!data || !data->is_object() || type.find('.') == std::string_view::npos) return false;
    if (type == "tool.execution_start") return start(root, *data, sink);
    if (type == "tool.execution_complete") {
      complete(*data, sink);
    } else if (type == "tool.user_requested") {
      by_person_.emplace(data->text("toolCallId"));
    } else if (type == "session.context_changed") {
      moved_to(*data);
    } else if (type == "session.start" || type == "session.resume") {
      if (!data->text("sessionId").empty()) session_ = data->text("sessionId");
      if (data->find("vscodeVersion")) agent_ = "vscode_copilot";
      if (const auto context = data->find("context")) moved_to(*context);
    }
    return true;
  }

 private:
  void moved_to(json::View context) {
    if (!context.text("cwd").empty()) cwd_ = context.text("cwd");
  }

  Result<bool> start(json::View root, json::View data, HistorySink& sink) {
    const std::string_view id = data.text("toolCallId");
    // A person's own command line: no agent asked, and no hook is called.
    if (by_person_.contains(id)) return true;
    auto time = time_of(root, "timestamp");
    if (!time) return pass_error(time);
    HistoryCall call;
    call.agent = agent_;
    call.tool = data.text("toolName");
    if (call.tool.empty()) return fail(ErrorCode::kInvalidInput, "the call names no tool");
    call.server = data.text("mcpServerName");
    call.session = session_;
    call.child = root.text("agentId");
    call.call_id = id;
    call.cwd = cwd_;
    call.time = *time;
    const auto arguments = data.find("arguments");
    if (arguments && !arguments->is_string()) {
      sink.call(call, *arguments);
      return true;
    }
    const auto input = document_.parse(arguments ? data.text("arguments") : "{}");
    if (!input) return fail(ErrorCode::kInvalidInput, "arguments: " + input.error().message);
    sink.call(call, *input);
    return true;
  }

  void complete(json::View data, HistorySink& sink) const {
    const auto success = data.find("success");
    const auto error = data.find("error");
    const std::string_view code = error ? error->text("code") : std::string_view{};
    sink.outcome(agent_, data.text("toolCallId"),
                 code == "rejected" || code == "denied"          ? Outcome::kRejected
                 : success && success->boolean().value_or(false) ? Outcome::kOk
                                                                 : Outcome::kError);
  }

  json::Document document_;
  std::string session_, cwd_;
  std::string_view agent_ = "gh_copilot_cli";
  std::set<std::string, std::less<>> by_person_;
};

}  // namespace

std::unique_ptr<HistoryForm> copilot_history(const std::string& path) {
  return std::make_unique<CopilotHistory>(path);
}

}  // namespace lilith::replay
