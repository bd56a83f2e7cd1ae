#include "audit/read/verify.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "audit/read/chain_check.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/seal_check.hpp"
#include "audit/read/series.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <tuple>

namespace lilith::audit {
namespace {

constexpr unsigned kVerifyKeyMode = 0644;  // nothing in it is secret

// Adds the files of one log.
Result<void> add_log(const std::string& path, std::vector<std::string>& out) {
  auto series = log_series(path);
  if (!series) return pass_error(series);
  for (const LogFile& one : *series) out.push_back(one.path);
  return {};
}

Result<std::vector<std::string>> expand(const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (const std::string& argument : arguments) {
    struct stat status{};
    const bool exists = argument != "-" && ::stat(argument.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
      auto logs = logs_in(argument);
      if (!logs) return pass_error(logs);
      if (logs->empty())
        return fail(ErrorCode::kNotFound, "there is no log in the directory " + argument);
      for (const std::string& log : *logs) {
        auto added = add_log(log, all);
        if (!added) return pass_error(added);
      }
      continue;
    }
    if (argument == "-" || (exists && !S_ISREG(status.st_mode))) {
      all.push_back(argument);
      continue;
    }
    // `verify agent-audit.log*` names the appender's lock file too.
    if (exists && argument.ends_with(".lock") && arguments.size() > 1) continue;
    const std::size_t before = all.size();
    auto added = add_log(argument, all);
    if (!added) return pass_error(added);
    if (all.size() == before)
      return fail(ErrorCode::kNotFound, argument + " does not exist, nor a rotated file of it");
  }
  std::set<std::string> seen;
  std::erase_if(all, [&](const std::string& path) { return !seen.insert(path).second; });
  return all;
}

void read_file_into(const std::string& path, ChainCheck& check, SealCheck* seals,
                    VerifyReport& report) {
  check.begin_file(path, live_path(path));
  auto reader = LineReader::open(path);
  if (!reader) {
    report.input_errors.push_back(reader.error().message);
    check.unreadable_rest();
    return;
  }
  std::string_view line;
  for (;;) {
    const auto status = (*reader)->next(line);
    if (!status) {
      report.input_errors.push_back(status.error().message);
      check.unreadable_rest();
      return;
    }
    if (*status == LineReader::Status::kEnd) return;
    const std::uint64_t number = (*reader)->line_number();
    ++report.lines;
    report.bytes += line.size() + (*status == LineReader::Status::kTorn ? 0 : 1);
    if (*status == LineReader::Status::kLine) {
      check.whole_line(number, line);
      if (seals != nullptr) seals->whole_line(path, number, line);
    } else if (*status == LineReader::Status::kTorn) {
      check.torn_line(number, line);
    } else {
      check.too_long_line(number);
    }
  }
}

void add_seals(const SealCheck& check, std::size_t findings_max, VerifyReport& report) {
  SealReport seals = check.report();
  report.seals = std::move(seals.seals);
  report.findings_total += seals.findings_beyond;
  for (Finding& finding : seals.findings) {
    ++report.findings_total;
    ++report.by_kind[static_cast<std::size_t>(finding.kind)];
    if (report.findings.size() < findings_max) report.findings.push_back(std::move(finding));
  }
}

std::uint64_t events_of(const VerifyReport& report) {
  std::uint64_t events = 0;
  for (const auto& chain : report.chains) events += chain.events;
  return events;
}

std::string counted(std::uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

}  // namespace

std::string_view name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kMissing:
      return "missing";
    case FindingKind::kChanged:
      return "changed";
    case FindingKind::kReordered:
      return "reordered";
    case FindingKind::kDuplicated:
      return "duplicated";
    case FindingKind::kForked:
      return "forked";
    case FindingKind::kTorn:
      return "torn";
    case FindingKind::kUnreadable:
      return "unreadable";
    case FindingKind::kRestarted:
      return "restarted";
    case FindingKind::kSealFailed:
      return "seal_failed";
    case FindingKind::kSealMissing:
      return "seal_missing";
    case FindingKind::kSealMiscounted:
      return "seal_miscounted";
    case FindingKind::kSealRolledBack:
      return "seal_rolled_back";
    case FindingKind::kSealStopped:
      return "seal_stopped";
    case FindingKind::kSealUnknownKey:
      return "seal_unknown_key";
    case FindingKind::kClockSetBack:
      return "clock_set_back";
  }
  return "unknown";
}

Result<VerifyReport> verify(const std::vector<std::string>& files, const VerifyOptions& options) {
  auto paths = expand(files);
  if (!paths) return pass_error(paths);
  VerifyReport report;
  ChainCheck check(options);
  std::optional<SealCheck> seals;
  if (!options.keys.empty()) seals.emplace(options.keys, SealCheck::Input::kLog);
  for (const std::string& path : *paths) {
    read_file_into(path, check, seals ? &*seals : nullptr, report);
  }
  check.finish(report);
  if (seals) add_seals(*seals, options.findings_max, report);
  report.incomplete_input = !report.input_errors.empty();

  // Gaps are known for certain only at the end; put them where they stand.
  const auto rank = [&](const Finding& finding) {
    return std::find(paths->begin(), paths->end(), finding.file) - paths->begin();
  };
  std::sort(report.findings.begin(), report.findings.end(),
            [&](const Finding& a, const Finding& b) {
              return std::tuple(rank(a), a.line, a.seq, a.kind) <
                     std::tuple(rank(b), b.line, b.seq, b.kind);
            });
  return report;
}

std::string to_text(const VerifyReport& report) {
  std::string out;
  for (const Finding& finding : report.findings) {
    out += printable(finding.file) + ":" + std::to_string(finding.line) + ": " +
           std::string(name(finding.kind)) + ": ";
    if (finding.seq > 0) out += "seq " + std::to_string(finding.seq) + ": ";
    out += printable(finding.message) + "\n";
  }
  if (report.findings_total > report.findings.size())
    out +=
        "... and " + counted(report.findings_total - report.findings.size(), "more finding") + "\n";
  for (const std::string& error : report.input_errors)
    out += "not read: " + printable(error) + "\n";
  for (const auto& chain : report.chains)
    out += "chain " + printable(chain.id) + ": seq " + std::to_string(chain.first_seq) + " to " +
           std::to_string(chain.last_seq) + ", " + counted(chain.events, "event") + ", head " +
           chain.head + "\n";
  for (const auto& sealed : report.seals)
    out += "host " + printable(sealed.host) + ", " + to_text(sealed) + "\n";
  const std::string amount = counted(events_of(report), "event") + " in " +
                             counted(report.lines, "line") + " and " +
                             counted(report.chains.size(), "chain");
  if (report.intact()) {
    out += "intact: " + amount +
           ". Whether lines were cut off behind the last one, only a head kept elsewhere shows.\n";
  } else if (report.findings_total > 0) {
    out += "NOT intact: " + counted(report.findings_total, "finding") + " in " + amount + ".\n";
  } else {
    out += "NOT all of the input could be read; no finding in " + amount + ".\n";
  }
  return out;
}

std::string to_json(const VerifyReport& report) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("intact", report.intact());
  writer.member("incomplete_input", report.incomplete_input);
  writer.member("lines", report.lines).member("bytes", report.bytes);
  writer.member("events", events_of(report));
  writer.member("findings_total", report.findings_total);
  writer.key("kinds").begin_object();
  for (std::size_t i = 0; i < kFindingKinds; ++i)
    if (report.by_kind[i] > 0) writer.member(name(static_cast<FindingKind>(i)), report.by_kind[i]);
  writer.end_object();
  writer.key("findings").begin_array();
  for (const Finding& finding : report.findings) {
    writer.begin_object();
    writer.member("kind", name(finding.kind)).member("file", finding.file);
    writer.member("line", finding.line).member("seq", finding.seq);
    writer.member("chain", finding.chain_id).member("message", finding.message);
    writer.end_object();
  }
  writer.end_array();
  writer.key("chains").begin_array();
  for (const auto& chain : report.chains) {
    writer.begin_object();
    writer.member("id", chain.id).member("first_seq", chain.first_seq);
    writer.member("last_seq", chain.last_seq).member("events", chain.events);
    writer.member("head", chain.head);
    writer.end_object();
  }
  writer.end_array();
  if (!report.seals.empty()) {
    writer.key("seals").begin_array();
    for (const auto& sealed : report.seals) write_sealed(writer, sealed);
    writer.end_array();
  }
  writer.key("input_errors").begin_array();
  for (const std::string& error : report.input_errors) writer.value(error);
  writer.end_array();
  writer.end_object();
  out += '\n';
  return out;
}

Result<void> remember_seals(const std::string& file, const std::vector<VerifyKey>& keys,
                            const std::vector<SealedUpTo>& seals) {
  std::string text;
  for (const VerifyKey& key : keys) {
    const bool is_replaced =
        key.epoch != 0 && std::any_of(seals.begin(), seals.end(), [&](const auto& s) {
          return s.key == key.key && s.verified != 0 && s.epoch + 1 >= key.epoch;
        });
    if (!is_replaced) text += to_line(key) + "\n";
  }
  for (const SealedUpTo& sealed : seals) {
    if (sealed.verified == 0) continue;
    text += to_line({sealed.host, sealed.key, sealed.epoch + 1, sealed.next_public_key,
                     sealed.chain_id, sealed.seq, sealed.hash}) +
            "\n";
  }
  if (const auto now = read_file(file, limits::kVerifyKeyFileBytesMax); now && *now == text)
    return {};
  return replace_file(file, text, kVerifyKeyMode);
}

int exit_code(const VerifyReport& report) {
  if (report.findings_total > 0) return 1;
  return report.incomplete_input ? 3 : 0;
}

}  // namespace lilith::audit
