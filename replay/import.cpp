#include "replay/import.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/read/reader.hpp"
#include "replay/history.hpp"
#include "rules/agents/agents.hpp"
#include "rules/decide.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <unordered_map>

namespace lilith::replay {
namespace {

using audit::Event;

constexpr std::size_t kProblemsMax = 10;

struct Form {
  std::string_view name;
  std::unique_ptr<HistoryForm> (*open)(const std::string& path);
};
constexpr Form kForms[] = {
    {"claude-code", [](const std::string&) { return claude_code_history(); }},
    {"codex", [](const std::string&) { return codex_history(); }},
    {"copilot-cli", copilot_history},
    {"gemini-cli", gemini_history},
    {"neutral", [](const std::string&) { return neutral_history(); }},
};

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kError:
      return "error";
    case Outcome::kRejected:
      return "rejected";
  }
  return {};
}

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

class Importer final : private HistorySink {
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
  using Forms = std::vector<std::unique_ptr<HistoryForm>>;

  void call(const HistoryCall& call, json::View input) override;
  void outcome(std::string_view agent, std::string_view call_id, Outcome outcome) override;
  [[nodiscard]] Event& add(const HistoryCall& call, json::View input);
  void text(std::string_view text, const Forms& forms, const std::string& where);
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

std::string call_key(std::string_view agent, std::string_view call_id) {
  return std::string(agent) + "\x1F" + std::string(call_id);
}

Event& Importer::add(const HistoryCall& call, json::View input) {
  Event& event = events_.emplace_back();
  event.type = audit::EventType::kImported;
  event.action = audit::Action::kRecorded;
  event.time = call.time;
  event.id = uuid_v7(call.time);
  event.agent = call.agent;
  event.tool = call.tool;
  std::string shaped_as(call.shaped_as.empty() ? call.tool : call.shaped_as);
  if (!call.server.empty()) shaped_as = "mcp__" + std::string(call.server) + "__" + shaped_as;
  agents::MappedCall mapped = agents::map_call(event.agent, shaped_as, input, call.cwd);
  event.call = std::move(mapped.call);
  event.server = call.server.empty() ? std::move(mapped.server) : std::string(call.server);
  event.category = event.call.kind == audit::OperationKind::kEgress
                       ? audit::Category::kEgress
                       : audit::Category::kToolInvocation;
  rules::UserRecord user{options_.user, -1, options_.user.empty() ? "" : "/home/" + options_.user};
  user_from_path(call.cwd, user.name, user.home);
  if (call.cwd.empty() && !event.call.paths.empty())
    user_from_path(event.call.paths.front(), user.name, user.home);
  // Links of another machine or another day are not to be had: paths count as they are spelled.
  event.facts =
      rules::observe(rules::analyse(event.call), user, call.cwd, rules::lexical_file_system());
  event.operation.kind = event.call.kind;
  if (!event.call.paths.empty()) event.operation.path = event.call.paths.front();
  event.operation.command = event.call.command;
  if (!event.call.urls.empty()) event.operation.url = event.call.urls.front();
  if (event.call.kind == audit::OperationKind::kOther) event.operation.name = event.tool;
  event.operations = 1;
  return event;
}

void Importer::call(const HistoryCall& call, json::View input) {
  if (call.time >= options_.until) {
    ++report_.too_late;
    return;
  }
  if (!call.call_id.empty() &&
      !by_call_id_.emplace(call_key(call.agent, call.call_id), events_.size()).second) {
    ++report_.duplicates;
    return;
  }
  Event& event = add(call, input);
  event.host = call.host.empty() ? std::string_view(options_.host) : call.host;
  event.session = call.session;
  event.child = call.child;
  event.call_id = call.call_id;
  event.process_key = "import/" + event.host + "/" + event.session;
  if (call.outcome) event.detail.emplace_back("outcome", name(*call.outcome));
  if (call.cwd.empty()) ++report_.no_directory;
  ++report_.calls;
}

void Importer::outcome(std::string_view agent, std::string_view call_id, Outcome outcome) {
  const auto found = by_call_id_.find(call_key(agent, call_id));
  if (call_id.empty() || found == by_call_id_.end()) return;
  Event& event = events_[found->second];
  if (event.detail.empty()) event.detail.emplace_back("outcome", name(outcome));
}

void Importer::text(std::string_view text, const Forms& forms, const std::string& where) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
  const auto root = document_.parse(text);
  if (!root) return bad(where, root.error().message);
  if (!root->is_object()) return bad(where, "is no JSON object");
  const std::uint64_t before = report_.calls + report_.duplicates + report_.too_late;
  for (const auto& form : forms) {
    const auto taken = form->line(*root, *this);
    if (!taken) return bad(where, taken.error().message);
    if (*taken) break;
  }
  if (before == report_.calls + report_.duplicates + report_.too_late) ++report_.without_call;
}

Result<void> Importer::file(const std::string& path) {
  Forms forms;
  for (const Form& form : kForms) {
    if (options_.form == "auto" || options_.form == form.name) forms.push_back(form.open(path));
  }
  ++report_.files;
  if (path.ends_with(".json")) {
    auto whole = read_file(path, limits::kHistoryFileBytesMax);
    if (!whole) return pass_error(whole);
    ++report_.lines;
    text(*whole, forms, path);
    return {};
  }
  auto reader = audit::LineReader::open(path);
  if (!reader) return pass_error(reader);
  for (;;) {
    std::string_view line;
    auto status = (*reader)->next(line);
    if (!status) return pass_error(status);
    if (*status == audit::LineReader::Status::kEnd) return {};
    ++report_.lines;
    const std::string where = path + ":" + std::to_string((*reader)->line_number());
    if (*status == audit::LineReader::Status::kTooLong) {
      bad(where, "the line is too long");
    } else {
      text(line, forms, where);
    }
  }
}

// Copilot CLI, Codex and Claude Code write *.jsonl; beside a Gemini chat that is one object lie
// other *.json, which are none.
bool is_history(const std::filesystem::path& path) {
  const std::string extension = path.extension();
  return extension == ".jsonl" || extension == ".ndjson" ||
         (extension == ".json" && path.filename().string().starts_with("session-"));
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
      if (entry->is_regular_file() && is_history(entry->path())) found.push_back(entry->path());
    }
    if (error)
      return fail(ErrorCode::kIo, "cannot walk " + path + ": " + error.message(), error.value());
    std::sort(found.begin(), found.end());
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace

Result<WallTime> time_of(json::View object, std::string_view key) {
  auto time = parse_time(object.text(key));
  if (!time) return fail(ErrorCode::kInvalidInput, std::string(key) + ": " + time.error().message);
  return time;
}

std::string resolved_directory(std::string_view cwd, std::string_view directory) {
  if (directory.empty()) return std::string(cwd);
  if (directory.starts_with('/')) return std::string(directory);
  if (cwd.empty()) return {};
  return std::string(cwd) + "/" + std::string(directory);
}

std::vector<std::string> history_form_names() {
  std::vector<std::string> out{"auto"};
  for (const Form& form : kForms) out.emplace_back(form.name);
  return out;
}

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
