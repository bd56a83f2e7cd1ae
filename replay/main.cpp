// lilith-replay: the planner. Users call it as `lilith replay` and `lilith import`.

#include "audit/base/file.hpp"
#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"
#include "audit/redact.hpp"
#include "replay/import.hpp"
#include "replay/replay.hpp"
#include "replay/report.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sys/utsname.h>
#include <unistd.h>

namespace {

using namespace lilith;

constexpr int kGood = 0, kFound = 1, kUsage = 2, kInputIncomplete = 3, kFidelity = 4;
constexpr std::size_t kProblemsMax = 10;

int complain(const std::string& message) {
  std::fprintf(stderr, "lilith-replay: %s\n", message.c_str());
  return kUsage;
}

struct Options {
  std::vector<std::string> logs, policies;
  bool as_json = false;
  std::size_t top = 10;
  std::string import_output = "-", import_host, import_user;
  bool no_redaction = false;
};

// A directory stands for the logs in it, a log for its rotated files and itself, oldest first.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> logs, out;
  for (const std::string& one : arguments) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(one, ignored)) {
      logs.push_back(one);
      continue;
    }
    auto inside = audit::logs_in(one);
    if (!inside) return pass_error(inside);
    logs.insert(logs.end(), inside->begin(), inside->end());
  }
  for (const std::string& log : logs) {
    if (log == "-" || audit::live_path(log) != log) {
      out.push_back(log);
      continue;
    }
    auto series = audit::log_series(log);
    if (!series) return pass_error(series);
    if (series->empty())
      return fail(ErrorCode::kNotFound, "cannot read " + log + ": " + std::strerror(ENOENT));
    for (const audit::LogFile& file : *series) out.push_back(file.path);
  }
  return out;
}

template <class Visit>
Result<void> each_event(const std::vector<std::string>& files, replay::InputReport& report,
                        Visit visit) {
  audit::Decoder decoder;
  audit::Event event;
  const auto problem = [&report](const std::string& text) {
    if (report.problems.size() < kProblemsMax) report.problems.push_back(text);
  };
  for (const std::string& path : files) {
    auto reader = audit::LineReader::open(path);
    if (!reader) return pass_error(reader);
    ++report.files;
    for (bool end = false; !end;) {
      std::string_view line;
      auto status = (*reader)->next(line);
      if (!status) {
        problem(path + ": " + status.error().message);
        break;
      }
      end = *status == audit::LineReader::Status::kEnd;
      if (end) break;
      ++report.lines;
      if (*status == audit::LineReader::Status::kTorn) ++report.torn;
      auto read = decoder.decode(line, event);
      if (*status == audit::LineReader::Status::kLine && read) {
        visit(event);
        continue;
      }
      if (*status != audit::LineReader::Status::kTorn) ++report.unreadable;
      problem(path + ":" + std::to_string((*reader)->line_number()) + ": " +
              (read ? "the line has no end" : read.error().message));
    }
  }
  return {};
}

// All candidates, or an empty list after every problem of every file was printed.
std::vector<std::shared_ptr<const rules::Policy>> load_policies(
    const std::vector<std::string>& paths) {
  std::vector<std::shared_ptr<const rules::Policy>> out;
  bool good = true;
  for (const std::string& path : paths) {
    rules::PolicyLoad load = rules::load_policy_file(path);
    for (const rules::Diagnostic& diagnostic : load.diagnostics) {
      if (diagnostic.severity == rules::Severity::kError) {
        std::fprintf(stderr, "%s\n", rules::to_string(diagnostic).c_str());
      }
    }
    good = good && load.policy != nullptr;
    out.push_back(std::move(load.policy));
  }
  if (!good) out.clear();
  return out;
}

int run_replay(const Options& options) {
  auto policies = load_policies(options.policies);
  if (policies.empty()) return complain("no candidate policy could be used");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  replay::Replayer replayer(std::move(policies));
  replay::InputReport input;
  if (auto read =
          each_event(*files, input, [&](const audit::Event& event) { replayer.add(event); });
      !read) {
    return complain(read.error().message);
  }
  const std::string report = options.as_json ? replay::to_json(replayer, input, options.top)
                                             : replay::to_text(replayer, input, options.top);
  std::fputs(report.c_str(), stdout);
  if (input.incomplete()) return kInputIncomplete;
  for (const replay::CandidateTally& tally : replayer.candidates()) {
    if (tally.changes.contains(replay::Change::kNewlyDenied)) return kFound;
  }
  return kGood;
}

int run_fidelity(const Options& options) {
  const auto policies = load_policies(options.policies);
  if (policies.size() != 1) return complain("fidelity needs the one policy that was in force");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  replay::Fidelity result;
  replay::InputReport input;
  if (auto read = each_event(
          *files, input,
          [&](const audit::Event& event) { replay::check_fidelity(*policies[0], event, result); });
      !read) {
    return complain(read.error().message);
  }
  std::fputs((options.as_json ? replay::to_json(result) : replay::to_text(result)).c_str(), stdout);
  if (result.disagreements > 0) return kFidelity;
  return input.incomplete() ? kInputIncomplete : kGood;
}

int run_import(Options options) {
  utsname names{};
  ::uname(&names);
  if (options.import_host.empty()) options.import_host = names.nodename;
  replay::ImportReport report;
  auto events =
      replay::read_history(options.logs, {options.import_host, options.import_user}, report);
  if (!events) return complain(events.error().message);
  // Standard output gets a chain as well: through a log of its own that is copied out.
  const bool to_stdout = options.import_output == "-";
  std::string directory =
      (std::filesystem::temp_directory_path() / "lilith-import-XXXXXX").string();
  if (to_stdout && ::mkdtemp(directory.data()) == nullptr)
    return complain("cannot make a temporary directory");
  audit::LogOptions log_options;
  log_options.path =
      to_stdout ? directory + "/import.log"
                : std::filesystem::absolute(options.import_output).lexically_normal().string();
  log_options.host = options.import_host;
  log_options.rotate_bytes = 0;
  auto log = audit::open_log(log_options);
  if (!log) return complain(log.error().message);
  std::uint64_t written = 0;
  for (audit::Event& event : *events) {
    event.engine = LILITH_VERSION;
    if (!options.no_redaction) audit::redact(event);
    if (auto appended = (*log)->append(event); !appended) {
      return complain("after " + std::to_string(written) + " events: " + appended.error().message);
    }
    ++written;
  }
  if (to_stdout) {
    const auto content = read_file(log_options.path, std::size_t{1} << 40);
    const auto put = content ? write_all(STDOUT_FILENO, *content) : Result<void>();
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    if (!content || !put) return complain("cannot write to standard output");
  }
  std::fprintf(stderr,
               "imported %llu calls from %llu lines of %llu files; %llu repeats, %llu lines "
               "without a call, %llu bad "
               "lines\n",
               static_cast<unsigned long long>(written),
               static_cast<unsigned long long>(report.lines),
               static_cast<unsigned long long>(report.files),
               static_cast<unsigned long long>(report.duplicates),
               static_cast<unsigned long long>(report.without_call),
               static_cast<unsigned long long>(report.bad_lines));
  for (const std::string& problem : report.problems)
    std::fprintf(stderr, "  %s\n", problem.c_str());
  return report.bad_lines > 0 ? kInputIncomplete : kGood;
}

void add_replay_options(CLI::App& app, Options& options) {
  app.add_option("logs", options.logs,
                 "audit logs: plain, .gz, .zst, a directory, - for standard input")
      ->required();
  app.add_option("--policy", options.policies, "candidate policy; once for each candidate")
      ->required();
  app.add_flag("--json", options.as_json, "the report as JSON");
  app.add_option("--top", options.top, "rows a table (default 10)");
}

constexpr const char* kFooter =
    "Exit codes: 0 nothing found, 1 newly denied calls, 2 wrong usage or policy, 3 input "
    "incomplete, 4 fidelity.";

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const bool import = command == "import", fidelity = command == "fidelity";
  const bool named = import || fidelity || command == "run";
  Options options;
  CLI::App app(
      import ? "Turns history that agents keep into audit events."
      : fidelity
          ? "Decides recorded events again under the policy that was in force; any difference is a "
            "fault."
          : "Decides recorded events again under candidate policies and says what would change.",
      import     ? "lilith import"
      : fidelity ? "lilith replay fidelity"
                 : "lilith replay");
  std::string form;
  if (import) {
    app.add_option(
           "form", form,
           "claude-code (its transcripts) or neutral (docs/replay.md); both are told apart by line")
        ->required()
        ->check(CLI::IsMember({"claude-code", "neutral"}));
    app.add_option("paths", options.logs,
                   "files, or directories that are walked for *.jsonl and *.ndjson")
        ->required();
    app.add_option("--output", options.import_output,
                   "log to append to (default: standard output)");
    app.add_option("--host", options.import_host, "host of transcripts (default: this one)");
    app.add_option("--user", options.import_user, "user where no path tells it");
    app.add_flag("--no-redaction", options.no_redaction, "keep secrets that commands contain");
  } else {
    add_replay_options(app, options);
  }
  app.footer(kFooter);
  try {
    app.parse(argc - (named ? 1 : 0), argv + (named ? 1 : 0));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kGood : kUsage;
  }
  if (import) return run_import(std::move(options));
  return fidelity ? run_fidelity(options) : run_replay(options);
}
