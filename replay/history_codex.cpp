// Rollouts of OpenAI's Codex CLI, ~/.codex/sessions/YYYY/MM/DD/rollout-TIME-ID.jsonl. Lines are
// {"timestamp","type","payload"} (openai/codex, codex-rs/protocol/src/protocol.rs: RolloutLine,
// RolloutItem, SessionMeta, TurnContextItem); calls and their outputs are response items
// (codex-rs/protocol/src/models.rs: ResponseItem, LocalShellExecAction, ShellToolCallParams,
// ShellCommandToolCallParams; `exec_command` takes `cmd`: core/src/tools/handlers/unified_exec).
// web_search_call is left out: it runs at the vendor, and no hook sees it.

#include "audit/json/writer.hpp"
#include "replay/history.hpp"

#include <array>
#include <charconv>
#include <vector>

namespace lilith::replay {
namespace {

constexpr std::string_view kAgent = "codex";
// core/src/tools/events.rs gives these to the model for a call that the person declined.
constexpr std::array<std::string_view, 2> kRefusals{"exec command rejected by user",
                                                    "patch rejected by user"};
// Before their exit code, in the three forms that outputs had: JSON, and two of plain text.
constexpr std::array<std::string_view, 3> kExitCodes{
    "\"exit_code\":", "Exit code: ", "Process exited with code "};
// All of them run a command: rules/agents knows the form as `shell`.
constexpr std::array<std::string_view, 5> kShells{"shell", "container.exec", "local_shell",
                                                  "shell_command", "exec_command"};
constexpr std::size_t kOutputHeadBytes = 512;

bool is_shell(std::string_view tool) {
  for (const std::string_view one : kShells) {
    if (one == tool) return true;
  }
  return false;
}

// The text of an output: a string, a list of parts with text, or an object around one of them.
std::string text_of(json::View output) {
  if (const auto text = output.string()) return std::string(*text);
  if (output.is_object()) {
    const auto content = output.find("content");
    return content ? text_of(*content) : std::string();
  }
  std::string out;
  if (output.is_array()) {
    output.each_element([&out](json::View part) {
      out += part.text("text");
      return out.empty();
    });
  }
  return out;
}

std::optional<Outcome> outcome_of(json::View output) {
  const std::string text = text_of(output);
  for (const std::string_view refusal : kRefusals) {
    if (text.starts_with(refusal)) return Outcome::kRejected;
  }
  // The code stands before the output in plain text, and behind it in JSON.
  const std::string_view all = text;
  for (const std::string_view mark : kExitCodes) {
    const bool json = mark.front() == '"';
    if (json && !all.starts_with('{')) continue;
    const std::string_view part = json ? all : all.substr(0, kOutputHeadBytes);
    const std::size_t at = json ? part.rfind(mark) : part.find(mark);
    if (at == std::string_view::npos) continue;
    int code = 0;
    const char* const begin = part.data() + at + mark.size();
    const auto [end, error] = std::from_chars(begin, part.data() + part.size(), code);
    if (error == std::errc()) return code == 0 ? Outcome::kOk : Outcome::kError;
  }
  return std::nullopt;
}

class CodexHistory final : public HistoryForm {
 public:
  Result<bool> line(json::View root, HistorySink& sink) override {
    const auto payload = root.find("payload");
    const std::string_view type = root.text("type");
    if (!payload) {
      if (type == "function_call" || type == "local_shell_call") {
        return fail(ErrorCode::kInvalidInput,
                    "a call without a time: this rollout was written by a Codex of before 2025-09");
      }
      return false;
    }
    if (!payload->is_object()) return false;
    if (type == "session_meta") {
      // A forked session begins with a copy of its parent's lines, their session_meta among them.
      if (session_.empty()) session_ = payload->text("id");
      if (cwd_.empty()) cwd_ = payload->text("cwd");
    } else if (type == "turn_context") {
      if (!payload->text("cwd").empty()) cwd_ = payload->text("cwd");
    } else if (type == "response_item") {
      return item(root, *payload, sink);
    }
    return true;
  }

 private:
  Result<bool> item(json::View root, json::View payload, HistorySink& sink) {
    const std::string_view type = payload.text("type");
    if (type == "function_call_output" || type == "custom_tool_call_output") {
      const auto output = payload.find("output");
      const auto outcome = output ? outcome_of(*output) : std::nullopt;
      if (outcome) sink.outcome(kAgent, payload.text("call_id"), *outcome);
      return true;
    }
    if (type != "function_call" && type != "custom_tool_call" && type != "local_shell_call")
      return true;
    auto time = time_of(root, "timestamp");
    if (!time) return pass_error(time);
    HistoryCall call;
    call.agent = kAgent;
    call.tool = payload.text("name");
    call.session = session_;
    call.call_id = payload.text("call_id");
    call.cwd = cwd_;
    call.time = *time;
    if (type == "function_call") return function(payload, call, sink);
    if (type == "local_shell_call") {
      const auto action = payload.find("action");
      if (!action) return fail(ErrorCode::kInvalidInput, "the shell call has no action");
      call.tool = "local_shell";
      return shell(*action, "working_directory", call, sink);
    }
    const auto input = payload.find("input");
    if (call.tool.empty() || !input)
      return fail(ErrorCode::kInvalidInput, "a call needs name and input");
    sink.call(call, *input);
    return true;
  }

  // `arguments` is JSON in a string. MCP tools carry their server in the name, or as a namespace.
  Result<bool> function(json::View payload, HistoryCall call, HistorySink& sink) {
    auto input = arguments_.parse(payload.text("arguments"));
    if (!input) return fail(ErrorCode::kInvalidInput, "arguments: " + input.error().message);
    if (call.tool.empty()) return fail(ErrorCode::kInvalidInput, "the call names no tool");
    if (is_shell(call.tool)) return shell(*input, "workdir", call, sink);
    std::string_view space = payload.text("namespace");
    constexpr std::string_view kMcp = "mcp__";
    if (space.starts_with(kMcp)) {
      space.remove_prefix(kMcp.size());
      call.server = space.substr(0, space.find("__"));
    }
    sink.call(call, *input);
    return true;
  }

  Result<bool> shell(json::View input, std::string_view directory_key, HistoryCall call,
                     HistorySink& sink) {
    const std::string directory = resolved_directory(call.cwd, input.text(directory_key));
    call.cwd = directory;
    call.shaped_as = "shell";
    const auto words = input.find("command");
    std::vector<json::View> argv;
    if (words) {
      words->each_element([&argv](json::View word) {
        argv.push_back(word);
        return argv.size() < 3;
      });
    }
    if (argv.size() == 2 && argv[0].string() == "apply_patch") {
      call.shaped_as = "apply_patch";  // Codex itself applies it; no such program is run
      sink.call(call, argv[1]);
      return true;
    }
    const auto text = input.find("cmd");
    if (!text || words) {
      sink.call(call, input);
      return true;
    }
    std::string json;
    json::Writer(json).begin_object().member("command", text->string().value_or("")).end_object();
    auto shaped = shaped_.parse(json);
    if (!shaped) return pass_error(shaped);
    sink.call(call, *shaped);
    return true;
  }

  json::Document arguments_, shaped_;
  std::string session_, cwd_;
};

}  // namespace

std::unique_ptr<HistoryForm> codex_history() { return std::make_unique<CodexHistory>(); }

}  // namespace lilith::replay
