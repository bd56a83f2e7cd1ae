#include "enforcer/policy_explain.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "audit/read/reader.hpp"
#include "enforcer/cli_text.hpp"
#include "rules/agents/agents.hpp"
#include "rules/explain.hpp"

#include <filesystem>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

// One call with what its machine knew.
struct Question {
  std::string agent, tool, server;
  audit::Call call;
  audit::Facts facts;
  bool facts_known = false;  // recorded ones; otherwise this machine is asked
  std::string cwd;
};

// The tool that stands for the kind of call, where none is named.
std::string usual_tool(const ExplainOptions& options) {
  const bool command = !options.command.empty(), url = !options.url.empty();
  if (options.agent == "vscode_copilot") {
    return command ? "run_in_terminal" : url ? "fetch_webpage" : "read_file";
  }
  if (options.agent == "gh_copilot_cli") return command ? "bash" : url ? "web_fetch" : "view";
  return command ? "Bash" : url ? "WebFetch" : "Read";
}

Result<Question> from_arguments(const ExplainOptions& options, std::string_view input) {
  json::Document document;
  const auto arguments = document.parse(input);
  if (!arguments) {
    return fail(ErrorCode::kInvalidInput,
                "the tool's arguments on standard input: " + arguments.error().message);
  }
  Question out;
  out.agent = options.agent;
  out.tool = options.tool.empty() ? usual_tool(options) : options.tool;
  out.cwd = options.cwd.empty() ? std::filesystem::current_path().string() : options.cwd;
  agents::MappedCall mapped = agents::map_call(out.agent, out.tool, *arguments, out.cwd);
  out.call = std::move(mapped.call);
  out.server = options.server.empty() ? mapped.server : options.server;
  return out;
}

Result<Question> from_options(const ExplainOptions& options) {
  std::string input;
  json::Writer writer(input);
  writer.begin_object();
  if (!options.command.empty()) writer.member("command", options.command);
  if (!options.path.empty()) writer.member("path", options.path);
  if (!options.url.empty()) writer.member("url", options.url);
  writer.end_object();
  return from_arguments(options, input);
}

// A hook event of the agent, or with --tool that tool's arguments.
Result<Question> from_stdin(const ExplainOptions& options) {
  auto input = read_all(STDIN_FILENO, limits::kHookInputBytesMax);
  if (!input) return pass_error(input);
  if (!options.tool.empty()) return from_arguments(options, *input);
  const auto agent = agents::agent_from_name(options.agent);
  if (!agent) return fail(ErrorCode::kInvalidInput, "no agent is called " + options.agent);
  auto event = agents::read_hook_event(*agent, *input, "");
  // Copilot CLI's events don't say what they are.
  if (!event) event = agents::read_hook_event(*agent, *input, "preToolUse");
  if (!event) {
    return fail(ErrorCode::kInvalidInput,
                "standard input is no hook event of " + options.agent + " (" +
                    event.error().message + "); for a tool's arguments name the tool with --tool");
  }
  if (event->tool.empty()) {
    return fail(ErrorCode::kInvalidInput,
                "the hook event on standard input (" + event->hook + ") names no tool");
  }
  Question out;
  out.agent = agents::name(*agent);
  out.tool = event->tool;
  out.server = event->server;
  out.cwd = event->cwd;
  out.call = std::move(event->call);
  return out;
}

Result<std::optional<audit::Event>> find_event(const std::string& log, const std::string& id) {
  auto reader = audit::LineReader::open(log);
  if (!reader) return pass_error(reader);
  std::string_view line;
  for (;;) {
    auto status = (*reader)->next(line);
    if (!status) return pass_error(status);
    using Status = audit::LineReader::Status;
    if (*status == Status::kEnd || *status == Status::kTorn) return std::optional<audit::Event>();
    if (*status != Status::kLine || line.find(id) == std::string_view::npos) continue;
    auto event = audit::decode(line);
    if (event && event->id == id) return std::optional(std::move(*event));
  }
}

Result<Question> from_event(const ExplainOptions& options) {
  if (options.logs.empty()) return fail(ErrorCode::kInvalidInput, "--event needs --log LOG");
  for (const std::string& log : options.logs) {
    auto found = find_event(log, options.event);
    if (!found) return pass_error(found);
    if (!*found) continue;
    audit::Event& event = **found;
    if (!event.truncated.empty() || !event.redacted.empty()) {
      const std::string what = event.truncated.empty() ? event.redacted : event.truncated;
      complain("the event does not hold the whole call (" + printable(what) +
                   "); what is decided here may differ",
               kGood);
    }
    return Question{
        event.agent, event.tool, event.server, std::move(event.call), std::move(event.facts),
        true,        {}};
  }
  return fail(ErrorCode::kInvalidInput, "no event " + printable(options.event) + " in " +
                                            printable(options.logs.front()) +
                                            (options.logs.size() > 1 ? " and the others" : ""));
}

Result<Question> question(const ExplainOptions& options) {
  if (!options.event.empty()) return from_event(options);
  const bool given = !options.command.empty() || !options.path.empty() || !options.url.empty();
  return given ? from_options(options) : from_stdin(options);
}

}  // namespace

int explain_call(ExplainOptions options) {
  if (const auto agent = agents::agent_from_name(options.agent)) {
    options.agent = agents::name(*agent);
  }
  const auto text = read_file(options.file, limits::kPolicyBytesMax);
  if (!text) return complain(text.error().message, kUsage);
  const rules::PolicyLoad load = rules::load_policy(*text, options.file);
  if (!load.policy) {
    std::string said;
    for (const auto& diagnostic : load.diagnostics) said += printable(to_string(diagnostic)) + "\n";
    print(said);
    return complain("the policy is not usable", kUsage);
  }
  auto asked = question(options);
  if (!asked) return complain(asked.error().message, code_of(asked.error()));
  const rules::CallAnalysis analysis = rules::analyse(asked->call);
  if (!asked->facts_known) {
    const auto user = rules::current_user();
    if (!user) return complain(user.error().message, kUsage);
    asked->facts = rules::observe(analysis, *user, asked->cwd, rules::real_file_system());
  }
  const rules::Explanation explanation = rules::explain(
      *load.policy, *text, {asked->agent, asked->tool, asked->server}, analysis, asked->facts);
  print(options.json ? rules::to_json(explanation, options.file)
                     : rules::to_text(explanation, options.file));
  return explanation.decision.verdict == audit::Verdict::kAllow ? kGood : kFound;
}

}  // namespace lilith::enforcer
