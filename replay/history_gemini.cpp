// Chats of Gemini CLI, ~/.gemini/tmp/PROJECT/chats/session-TIME-ID.jsonl, and session-*.json of
// versions before 2026, which is one object (google-gemini/gemini-cli,
// packages/core/src/services/chatRecordingTypes.ts: ConversationRecord, MessageRecord,
// ToolCallRecord; chatRecordingService.ts: a message is appended again whenever it changes, and
// {"$set":{"messages":[...]}} repeats all of them). Status: scheduler/types.ts, CoreToolCallStatus.
//
// A chat names no directory, only projectHash, the SHA-256 of the project's root (utils/paths.ts);
// the root itself stands in PROJECT/.project_root (config/projectRegistry.ts) and is taken when it
// has that hash.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "replay/history.hpp"

#include <filesystem>

namespace lilith::replay {
namespace {

constexpr std::string_view kAgent = "gemini_cli";
constexpr std::string_view kRefusal = "Tool execution denied by policy";
constexpr int kParentsMax = 3;  // of a chat's file; a subagent's chat lies one level deeper

std::optional<Outcome> outcome_of(json::View call) {
  const std::string_view status = call.text("status");
  if (status == "success") return Outcome::kOk;
  if (status == "error") {
    const auto result = call.find("result");
    const bool refused = result && result->to_json().find(kRefusal) != std::string::npos;
    return refused ? Outcome::kRejected : Outcome::kError;
  }
  // Cancelled, or still waiting for a person when the chat ended: it was not done.
  if (status == "cancelled" || status == "awaiting_approval" || status == "validating" ||
      status == "scheduled") {
    return Outcome::kRejected;
  }
  return std::nullopt;
}

class GeminiHistory final : public HistoryForm {
 public:
  explicit GeminiHistory(std::string path) : path_(std::move(path)) {}

  Result<bool> line(json::View root, HistorySink& sink) override {
    if (root.find("$rewindTo")) return true;  // what was done stays done
    if (const auto set = root.find("$set")) return record(*set, sink);
    if (root.find("sessionId") && root.find("projectHash")) return record(root, sink);
    if (root.text("type") != "gemini" || !root.find("id")) return false;
    return message(root, sink);
  }

 private:
  // A whole chat, its first line, or members that changed.
  Result<bool> record(json::View root, HistorySink& sink) {
    if (!root.text("sessionId").empty()) session_ = root.text("sessionId");
    if (!root.text("projectHash").empty()) find_root(root.text("projectHash"));
    if (root.text("kind") == "subagent") child_ = session_;
    const auto messages = root.find("messages");
    Result<bool> status = true;
    if (messages) {
      messages->each_element([&](json::View one) {
        status = message(one, sink);
        return status.has_value();
      });
    }
    return status;
  }

  Result<bool> message(json::View message, HistorySink& sink) {
    const auto calls = message.find("toolCalls");
    if (!calls) return true;
    Result<bool> status = true;
    calls->each_element([&](json::View one) {
      status = tool_call(message, one, sink);
      return status.has_value();
    });
    return status;
  }

  Result<bool> tool_call(json::View message, json::View one, HistorySink& sink) {
    auto time = time_of(one.text("timestamp").empty() ? message : one, "timestamp");
    if (!time) return pass_error(time);
    const auto input = one.find("args");
    HistoryCall call;
    call.agent = kAgent;
    call.tool = one.text("name");
    if (call.tool.empty() || !input)
      return fail(ErrorCode::kInvalidInput, "a call needs name and args");
    call.session = session_;
    call.child = one.text("agentId").empty() ? std::string_view(child_) : one.text("agentId");
    call.call_id = one.text("id");
    call.time = *time;
    call.outcome = outcome_of(one);
    std::string directory = root_;
    if (call.tool == "run_shell_command") {
      const bool newer = !input->text("dir_path").empty();
      directory = resolved_directory(root_, input->text(newer ? "dir_path" : "directory"));
    }
    call.cwd = directory;
    sink.call(call, *input);
    return true;
  }

  void find_root(std::string_view hash) {
    std::filesystem::path directory = std::filesystem::path(path_).parent_path();
    for (int i = 0; i < kParentsMax; ++i, directory = directory.parent_path()) {
      const auto text = read_file(directory / ".project_root", limits::kPathBytesMax);
      if (!text) continue;
      const std::string root = text->substr(0, text->find_last_not_of(" \r\n") + 1);
      if (sha256_hex(root) == hash) root_ = root;
      return;
    }
  }

  std::string path_, session_, child_, root_;
};

}  // namespace

std::unique_ptr<HistoryForm> gemini_history(const std::string& path) {
  return std::make_unique<GeminiHistory>(path);
}

}  // namespace lilith::replay
