#include "enforcer/show.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

namespace lilith::enforcer {
namespace {

using audit::Action;
using audit::Event;
using audit::EventType;

constexpr std::size_t kTextColumns = 160;
constexpr std::size_t kActionColumns = 11;
constexpr std::chrono::milliseconds kFollowPause{200};
constexpr std::string_view kReset = "\033[0m";

std::string_view colour_of(const Event& event) {
  switch (event.action) {
    case Action::kAllowed:
      return "\033[32m";
    case Action::kDenied:
      return "\033[31m";
    case Action::kWouldDeny:
      return "\033[33m";
    case Action::kError:
      return "\033[35m";
    default:
      return "\033[36m";
  }
}

std::string shortened(std::string_view text) {
  const std::string_view part = utf8_prefix(text, kTextColumns);
  return printable(part) + (part.size() < text.size() ? "..." : "");
}

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.append(columns - text.size(), ' ');
  return text;
}

std::string human_text(std::string_view line, const ShowOptions& options) {
  if (options.json) return std::string(line);
  const auto event = audit::decode(line);
  if (!event) return "?  " + shortened(line) + "  (" + printable(event.error().message) + ")";
  return human_line(*event, options.colour);
}

Result<std::vector<std::string>> files_of(const ShowOptions& options) {
  std::vector<std::string> files;
  for (const std::string& log : options.logs) {
    if (!options.whole_series || log == "-") {
      files.push_back(log);
      continue;
    }
    auto series = audit::log_series(log);
    if (!series) return pass_error(series);
    if (series->empty()) return fail(ErrorCode::kNotFound, "there is no log " + log);
    for (const audit::LogFile& file : *series) files.push_back(file.path);
  }
  return files;
}

}  // namespace

std::string human_line(const Event& event, bool colour) {
  const bool decision = event.type == EventType::kDecision || event.type == EventType::kImported;
  const std::string verb(decision ? audit::name(event.action) : audit::name(event.type));
  std::string out = format_time(event.time).substr(0, 19) + "Z  ";
  if (colour) out += colour_of(event);
  out += padded(verb, kActionColumns);
  if (colour) out += kReset;
  if (!event.agent.empty()) out += "  " + padded(printable(event.agent), kActionColumns);
  if (!event.tool.empty()) out += "  " + printable(event.tool);
  if (decision && event.action != Action::kError) {
    out += "  " + shortened(audit::describe(event.operation));
  }
  if (event.operations > 1) out += "  (1 of " + std::to_string(event.operations) + ")";
  if (event.action != Action::kAllowed && !event.reason.empty()) {
    out += "  - " + shortened(event.reason);
  }
  return out;
}

Result<bool> show(const ShowOptions& options, const std::function<void(std::string_view)>& put) {
  auto files = files_of(options);
  if (!files) return pass_error(files);
  bool whole = true;
  std::deque<std::string> last;
  const auto take = [&](std::string_view line) {
    if (options.last == 0) return put(human_text(line, options));
    last.emplace_back(line);
    if (last.size() > options.last) last.pop_front();
  };
  for (const std::string& file : *files) {
    auto reader = audit::LineReader::open(file);
    if (!reader) return pass_error(reader);
    std::string_view line;
    while (true) {
      auto status = (*reader)->next(line);
      if (!status) return pass_error(status);
      if (*status == audit::LineReader::Status::kEnd) break;
      whole = whole && *status == audit::LineReader::Status::kLine;
      take(line);
    }
  }
  for (const std::string& line : last) put(human_text(line, options));
  return whole;
}

Result<void> follow(const ShowOptions& options, const std::function<bool(std::string_view)>& put) {
  audit::FollowOptions follow_options;
  follow_options.path = options.logs.front();
  auto follower = audit::Follower::open(follow_options, {});
  if (!follower) return pass_error(follower);
  // What is there already is only kept as far as it is wanted; one reader does both, so that
  // nothing that is appended meanwhile falls between.
  std::size_t behind = (*follower)->lag_bytes();
  std::deque<std::string> last;
  audit::FollowedLines lines;
  std::string gap;
  while (true) {
    lines = {};
    if (auto read = (*follower)->read(lines, gap); !read) return read;
    std::size_t begin = 0;
    for (const std::size_t end : lines.ends) {
      last.emplace_back(lines.bytes, begin, end - begin - 1);
      if (behind > 0 && last.size() > options.last) last.pop_front();
      behind -= std::min(behind, end - begin);
      begin = end;
    }
    if (lines.ends.empty()) behind = 0;
    if (behind == 0) {
      for (const std::string& line : last) {
        if (!put(human_text(line, options))) return {};
      }
      last.clear();
    }
    if (lines.ends.empty()) std::this_thread::sleep_for(kFollowPause);
  }
}

}  // namespace lilith::enforcer
