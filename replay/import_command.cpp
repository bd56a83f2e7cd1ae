// `lilith import`: history that agents keep becomes a log.

#include "audit/base/file.hpp"
#include "audit/log.hpp"
#include "audit/redact.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/import.hpp"

#include <cstdio>
#include <filesystem>
#include <sys/utsname.h>
#include <unistd.h>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs;
  std::string form, output = "-", host, user, until;
  bool no_redaction = false;
};

void tell(const ImportReport& report, std::uint64_t written, const std::string& form) {
  const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
  std::fprintf(stderr,
               "imported %llu calls from %llu lines of %llu files; %llu repeats, %llu lines "
               "without a call, %llu bad lines\n",
               number(written), number(report.lines), number(report.files),
               number(report.duplicates), number(report.without_call), number(report.bad_lines));
  if (report.too_late > 0)
    std::fprintf(stderr, "%llu calls from --until on were left out\n", number(report.too_late));
  if (report.no_directory > 0) {
    std::fprintf(stderr, "%llu calls name no directory: relative paths in them can't be decided\n",
                 number(report.no_directory));
  }
  if (written == 0 && report.lines > 0 && form != "auto") {
    std::fprintf(stderr, "no call of the form %s was found; `lilith import auto` tells the form\n",
                 form.c_str());
  }
  for (const std::string& problem : report.problems)
    std::fprintf(stderr, "  %s\n", problem.c_str());
}

int run(Options options) {
  utsname names{};
  ::uname(&names);
  if (options.host.empty()) options.host = names.nodename;
  ImportOptions import{options.host, options.user, options.form};
  if (!options.until.empty()) {
    const bool is_day = options.until.size() == std::string_view("2026-01-31").size();
    const auto until = parse_time(options.until + (is_day ? "T00:00:00Z" : ""));
    if (!until) return complain("--until: " + until.error().message);
    import.until = *until;
  }
  ImportReport report;
  auto events = read_history(options.logs, import, report);
  if (!events) return complain(events.error().message);
  // Standard output gets a chain as well: through a log of its own that is copied out.
  const bool to_stdout = options.output == "-";
  std::string directory =
      (std::filesystem::temp_directory_path() / "lilith-import-XXXXXX").string();
  if (to_stdout && ::mkdtemp(directory.data()) == nullptr)
    return complain("cannot make a temporary directory");
  audit::LogOptions log_options;
  log_options.path = to_stdout
                         ? directory + "/import.log"
                         : std::filesystem::absolute(options.output).lexically_normal().string();
  log_options.host = options.host;
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
    // Without a call there is no file.
    const auto content =
        written > 0 ? read_file(log_options.path, std::size_t{1} << 40) : Result<std::string>("");
    const auto put = content ? write_all(STDOUT_FILENO, *content) : Result<void>();
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    if (!content || !put) return complain("cannot write to standard output");
  }
  tell(report, written, options.form);
  return report.bad_lines > 0 ? kInputIncomplete : kGood;
}

}  // namespace

int import_command(int argc, char** argv) {
  Options options;
  Arguments arguments("Turns history that agents keep into audit events.", "lilith import");
  arguments
      .option("form", &options.form,
              "whose history it is: claude-code, codex, copilot-cli (and VS Code's transcripts), "
              "gemini-cli, neutral (docs/replay.md), or auto: told by each line")
      .required()
      .one_of(history_form_names());
  arguments
      .option("paths", &options.logs,
              "files, or directories that are walked for *.jsonl, *.ndjson and session-*.json")
      .required();
  arguments.option("--output", &options.output, "log to append to (default: standard output)");
  arguments.option("--host", &options.host, "host of transcripts (default: this one)");
  arguments.option("--user", &options.user, "user where no path tells it");
  arguments.option("--until", &options.until,
                   "leave out calls from this day or time (UTC) on, since when the hook has "
                   "recorded them itself");
  arguments.flag("--no-redaction", options.no_redaction, "keep secrets that commands contain");
  arguments.footer("Exit codes: 0 imported, 2 wrong usage, 3 lines that could not be read.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(std::move(options));
}

}  // namespace lilith::replay
