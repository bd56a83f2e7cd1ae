#include "replay/input.hpp"

#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"

#include <cstring>
#include <filesystem>

namespace lilith::replay {
namespace {

constexpr std::size_t kProblemsMax = 10;

}  // namespace

void InputReport::problem(std::string text) {
  if (problems.size() < kProblemsMax) problems.push_back(std::move(text));
}

void InputReport::add(const InputReport& other) {
  files += other.files;
  lines += other.lines;
  unreadable += other.unreadable;
  torn += other.torn;
  for (const std::string& text : other.problems) problem(text);
}

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

Result<void> each_event(const std::vector<std::string>& files, InputReport& report,
                        const std::function<void(const audit::Event&)>& visit) {
  audit::Decoder decoder;
  audit::Event event;
  for (const std::string& path : files) {
    auto reader = audit::LineReader::open(path);
    if (!reader) return pass_error(reader);
    ++report.files;
    for (bool end = false; !end;) {
      std::string_view line;
      auto status = (*reader)->next(line);
      if (!status) {
        report.problem(path + ": " + status.error().message);
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
      report.problem(path + ":" + std::to_string((*reader)->line_number()) + ": " +
                     (read ? "the line has no end" : read.error().message));
    }
  }
  return {};
}

}  // namespace lilith::replay
