#include "replay/import.hpp"

#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/read/reader.hpp"
#include "rules/agents/agents.hpp"
#include "rules/decide.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

namespace lilith::replay {
namespace {

using audit::Event;

constexpr std::size_t kProblemsMax = 10;
constexpr std::string_view kNeutralOutcomes[] = {"ok", "error", "rejected"};
// What Claude Code writes into the result of a call that the person refused.
constexpr std::string_view kRefusal = "The user doesn't want to proceed with this tool use";

// "/home/dev/x" or "/Users/dev/x" -> dev and the directory.
void user_from_path(std::string_view path, std::string& user, std::string& home) {
  for (const std::string_view root : {std::string_view("/home/"), std::string_view("/Users/")}) {
    if (!path.starts_with(root)) continue;
    const std::size_t end = std::min(path.find('/', root.size()), path.size());
    if (end == root.size()) continue;
    user = path.substr(root.size(), end - root.size());
    home = path.substr(0, end);
    return;
  }
}

class Importer {
 public:
  Importer(const ImportOptions& options, ImportReport& report)
      : options_(options), report_(report) {}

  Result<void> file(const std::string& path);
  std::vector<Event> take() {
    std::stable_sort(events_.begin(), events_.end(),
                     [](const Event& a, const Event& b) { return a.time < b.time; });
    return std::move(events_);
  }

 private:
  void line(std::string_view text, const std::string& where);
  Result<void> neutral(json::View root);
  Result<void> assistant(json::View root, json::View content);
  void results(json::View content);
  Event& add(std::string agent, std::string_view tool, json::View input, std::string_view cwd,
             WallTime time);
  void bad(const std::string& where, const std::string& why) {
    ++report_.bad_lines;
    if (report_.problems.size() < kProblemsMax) report_.problems.push_back(where + ": " + why);
  }

  const ImportOptions& options_;
  ImportReport& report_;
  json::Document document_;
  std::vector<Event> events_;
  std::unordered_map<std::string, std::size_t> by_call_id_;
};

Event& Importer::add(std::string agent, std::string_view tool, json::View input,
                     std::string_view cwd, WallTime time) {
  Event event;
  event.type = audit::EventType::kImported;
  event.action = audit::Action::kRecorded;
  event.time = time;
  event.id = uuid_v7(time);
  event.agent = std::move(agent);
  event.tool = tool;
  agents::MappedCall mapped = agents::map_call(event.agent, tool, input, cwd);
  event.call = std::move(mapped.call);
  event.server = std::move(mapped.server);
  event.category = event.call.kind == audit::OperationKind::kEgress
                       ? audit::Category::kEgress
                       : audit::Category::kToolInvocation;
  rules::UserRecord user{options_.user, -1, options_.user.empty() ? "" : "/home/" + options_.user};
  user_from_path(cwd, user.name, user.home);
  if (cwd.empty() && !event.call.paths.empty())
    user_from_path(event.call.paths.front(), user.name, user.home);
  // Links of another machine or another day are not to be had: paths count as they are spelled.
  event.facts = rules::observe(rules::analyse(event.call), user, cwd, rules::lexical_file_system());
  event.operation.kind = event.call.kind;
  if (!event.call.paths.empty()) event.operation.path = event.call.paths.front();
  event.operation.command = event.call.command;
  if (!event.call.urls.empty()) event.operation.url = event.call.urls.front();
  if (event.call.kind == audit::OperationKind::kOther) event.operation.name = event.tool;
  event.operations = 1;
  ++report_.calls;
  events_.push_back(std::move(event));
  return events_.back();
}

// {"ts","session","host","agent","tool","input",...}
Result<void> Importer::neutral(json::View root) {
  const auto time = parse_time(root.text("ts"));
  if (!time) return fail(ErrorCode::kInvalidInput, "ts: " + time.error().message);
  const auto input = root.find("input");
  const std::string_view tool = root.text("tool");
  if (tool.empty() || !input) return fail(ErrorCode::kInvalidInput, "a call needs tool and input");
  Event& event = add(std::string(root.text("agent")), tool, *input, root.text("cwd"), *time);
  event.host = root.text("host").empty() ? std::string_view(options_.host) : root.text("host");
  event.session = root.text("session");
  if (const auto child = root.find("subagent"); child && child->string())
    event.child = *child->string();
  event.process_key = "import/" + event.host + "/" + event.session;
  const std::string_view outcome = root.text("outcome");
  if (std::find(std::begin(kNeutralOutcomes), std::end(kNeutralOutcomes), outcome) !=
      std::end(kNeutralOutcomes)) {
    event.detail.emplace_back("outcome", outcome);
  }
  return {};
}

Result<void> Importer::assistant(json::View root, json::View content) {
  const auto time = parse_time(root.text("timestamp"));
  if (!time) return fail(ErrorCode::kInvalidInput, "timestamp: " + time.error().message);
  content.each_element([&](json::View part) {
    if (part.text("type") != "tool_use") return true;
    const auto input = part.find("input");
    const std::string id(part.text("id"));
    if (!input) return true;
    if (!id.empty() && by_call_id_.contains(id)) {
      ++report_.duplicates;
      return true;
    }
    Event& event = add("claude_code", part.text("name"), *input, root.text("cwd"), *time);
    event.host = options_.host;
    event.session = root.text("sessionId");
    event.child = root.text("agentId");
    event.call_id = id;
    event.process_key = "import/" + event.host + "/" + event.session;
    if (!id.empty()) by_call_id_.emplace(id, events_.size() - 1);
    return true;
  });
  return {};
}

void Importer::results(json::View content) {
  content.each_element([&](json::View part) {
    if (part.text("type") != "tool_result") return true;
    const auto found = by_call_id_.find(std::string(part.text("tool_use_id")));
    if (found == by_call_id_.end()) return true;
    Event& event = events_[found->second];
    if (!event.detail.empty()) return true;
    const auto error = part.find("is_error");
    const bool failed = error && error->boolean().value_or(false);
    const auto body = part.find("content");
    const bool refused = failed && body && body->to_json().find(kRefusal) != std::string::npos;
    event.detail.emplace_back("outcome", refused ? "rejected" : failed ? "error" : "ok");
    return true;
  });
}

void Importer::line(std::string_view text, const std::string& where) {
  if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const auto root = document_.parse(text);
  if (!root) return bad(where, root.error().message);
  if (!root->is_object()) return bad(where, "is no JSON object");
  Result<void> status;
  const auto message = root->find("message");
  const auto content = message ? message->find("content") : std::nullopt;
  if (root->find("ts") && root->find("tool")) {
    status = neutral(*root);
  } else if (root->text("type") == "assistant" && content && content->is_array()) {
    const std::uint64_t before = report_.calls + report_.duplicates;
    status = assistant(*root, *content);
    if (before == report_.calls + report_.duplicates) ++report_.without_call;
  } else {
    if (root->text("type") == "user" && content && content->is_array()) results(*content);
    ++report_.without_call;
  }
  if (!status) bad(where, status.error().message);
}

Result<void> Importer::file(const std::string& path) {
  auto reader = audit::LineReader::open(path);
  if (!reader) return pass_error(reader);
  ++report_.files;
  for (;;) {
    std::string_view text;
    auto status = (*reader)->next(text);
    if (!status) return pass_error(status);
    const std::string where = path + ":" + std::to_string((*reader)->line_number());
    switch (*status) {
      case audit::LineReader::Status::kEnd:
        return {};
      case audit::LineReader::Status::kTooLong:
        ++report_.lines;
        bad(where, "the line is too long");
        break;
      case audit::LineReader::Status::kLine:
      case audit::LineReader::Status::kTorn:
        ++report_.lines;
        line(text, where);
        break;
    }
  }
}

// The files behind the arguments, in a fixed order.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      out.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    std::filesystem::recursive_directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::recursive_directory_iterator();
         entry.increment(error)) {
      const std::string extension = entry->path().extension();
      if (entry->is_regular_file() && (extension == ".jsonl" || extension == ".ndjson"))
        found.push_back(entry->path());
    }
    if (error)
      return fail(ErrorCode::kIo, "cannot walk " + path + ": " + error.message(), error.value());
    std::sort(found.begin(), found.end());
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace

Result<std::vector<Event>> read_history(const std::vector<std::string>& paths,
                                        const ImportOptions& options, ImportReport& report) {
  auto files = files_of(paths);
  if (!files) return pass_error(files);
  Importer importer(options, report);
  for (const std::string& path : *files) {
    if (auto read = importer.file(path); !read) return pass_error(read);
  }
  return importer.take();
}

}  // namespace lilith::replay
