// `lilith replay merge`: summaries of several machines become one report.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/range_folder.hpp"
#include "replay/report.hpp"

#include <cstdio>
#include <filesystem>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string output;
  bool as_json = false;
  std::size_t top = 10;
};

// A folder stands for the summaries in it.
Result<std::vector<std::string>> summary_files(const std::vector<std::string>& given) {
  std::vector<std::string> out;
  for (const std::string& one : given) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(one, ignored)) {
      out.push_back(one);
      continue;
    }
    auto inside = summaries_in(one);
    if (!inside) return inside;
    if (inside->empty())
      return fail(ErrorCode::kNotFound,
                  one + ": no summaries in it, as `lilith replay run --kafka` writes them");
    out.insert(out.end(), inside->begin(), inside->end());
  }
  return out;
}

Result<Summary> merged(const std::vector<std::string>& files) {
  Result<Summary> out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto at_file = [&](const Error& error) {
      return fail(error.code, files[i] + ": " + error.message, error.os_errno);
    };
    auto text = read_file(files[i], limits::kReplaySummaryBytesMax);
    if (!text) return pass_error(text);
    auto one = Summary::from_json(*text);
    if (!one) return at_file(one.error());
    if (i == 0) {
      out = std::move(one);
    } else if (auto added = out->merge(*one); !added) {
      return at_file(added.error());
    }
  }
  return out;
}

int run(const Options& options) {
  auto files = summary_files(options.files);
  if (!files) return complain(files.error().message);
  auto summary = merged(*files);
  if (!summary) return complain(summary.error().message);
  if (!options.output.empty()) {
    if (auto put = replace_file(options.output, summary->to_json(), 0640); !put) {
      return complain(put.error().message);
    }
  }
  std::fputs(
      (options.as_json ? to_json(*summary, options.top) : to_text(*summary, options.top)).c_str(),
      stdout);
  return exit_code(*summary);
}

}  // namespace

int merge_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Adds up summaries of `lilith replay run --summary`: the report is the one that a single "
      "machine with all logs would print. Summaries that share events are refused.",
      "lilith replay merge");
  arguments
      .option("summaries", &options.files,
              "summary files of the same candidate policies, or the folder of "
              "a consumer group")
      .required();
  arguments.option("--output", &options.output, "write the sum as a summary file, too");
  arguments.flag("--json", options.as_json, "the report as JSON");
  arguments.option("--top", &options.top, "rows a table (default 10)");
  arguments.footer(
      "Exit codes: 0 nothing newly denied, 1 newly denied calls, 2 wrong usage or summaries that "
      "do "
      "not go together, 3 input incomplete.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
