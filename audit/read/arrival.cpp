#include "audit/read/arrival.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/seal_check.hpp"
#include "audit/read/verify_key.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <utility>

namespace lilith::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLookLines = 16;  // how far looks_arrived() looks

// The files behind the arguments, each inode once.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  const auto add = [&](const std::string& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode) || seen.emplace(status.st_dev, status.st_ino).second)
      out.push_back(path);
  };
  for (const std::string& argument : arguments) {
    struct stat status{};
    if (argument == "-") {
      out.push_back(argument);
    } else if (::stat(argument.c_str(), &status) != 0) {
      return fail_errno("cannot read " + argument);
    } else if (!S_ISDIR(status.st_mode)) {
      add(argument, status);
    } else {
      std::vector<std::string> below;
      std::error_code error;
      for (fs::recursive_directory_iterator at(argument, error), end; !error && at != end;
           at.increment(error))
        if (std::error_code ignored; at->is_regular_file(ignored)) below.push_back(at->path());
      if (error)
        return fail(ErrorCode::kIo, "cannot list " + argument + ": " + error.message(),
                    error.value());
      std::sort(below.begin(), below.end());
      for (const std::string& path : below)
        if (::stat(path.c_str(), &status) == 0) add(path, status);
    }
  }
  return out;
}

// An error when the file could not be read to its end.
Result<void> read_file_into(const std::string& path, const Clock& clock, ArrivalCheck& check) {
  check.begin(path);
  auto reader = LineReader::open(path);
  if (!reader) return pass_error(reader);
  std::string_view line;
  for (;;) {
    const auto status = (*reader)->next(line);
    if (!status) return std::unexpected(status.error());
    const std::uint64_t number = (*reader)->line_number();
    switch (*status) {
      case LineReader::Status::kEnd:
        return {};
      case LineReader::Status::kLine:
        check.line(number, line, clock.now());
        break;
      case LineReader::Status::kTorn: {
        // A file that is being written: whole but for its LF, or half a line.
        LineOpener opener;
        ArrivedEvent event;
        const LineState state = opener.open(line, event);
        if (state == LineState::kWhole || state == LineState::kLinked) {
          check.line(number, line, clock.now());
          break;
        }
        if (line.find("lilith") == std::string_view::npos) break;
        return fail(ErrorCode::kInvalidInput,
                    path + " ends in the middle of line " + std::to_string(number));
      }
      case LineReader::Status::kTooLong:
        if (line.find("lilith") == std::string_view::npos) break;
        check.unreadable(number, "the line is longer than " +
                                     std::to_string(limits::kReaderLineBytesMax) +
                                     " bytes: write one hit a line");
        break;
    }
  }
}

std::string counted(std::uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string(what) + (count == 1 ? "" : "s");
}

std::string age(const WallTime from, const WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - from).count();
  if (seconds < 0) return "in the future";
  if (seconds < 120) return std::to_string(seconds) + " s ago";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86'400) + " days ago";
}

std::uint64_t count_of(const ArrivalReport& report, ArrivalFault fault) {
  return report.by_fault[static_cast<std::size_t>(fault)];
}

bool faulty(const ArrivedChain& chain) { return chain.missing + chain.altered + chain.forked > 0; }

std::string chain_line(const ArrivedChain& chain, const ArrivalReport& report) {
  const WallTime now = report.now;
  std::string out = "  chain " + printable(chain.id) + ": ";
  out += faulty(chain)        ? "seq "
         : chain.withheld > 0 ? "complete but for what was withheld, from seq "
                              : "complete from seq ";
  out += std::to_string(chain.first_seq) + " to " + std::to_string(chain.last_seq);
  if (chain.missing > 0) out += ", " + std::to_string(chain.missing) + " missing";
  if (chain.altered > 0) out += ", " + std::to_string(chain.altered) + " altered";
  if (chain.forked > 0) out += ", " + std::to_string(chain.forked) + " forked";
  out += "; newest " + format_time(chain.last) + ", " + age(chain.last, now);
  if (chain.checkpoint_seq > 0) {
    out += "; " + counted(chain.last_seq - chain.checkpoint_seq, "event") +
           " behind the last checkpoint (seq " + std::to_string(chain.checkpoint_seq) + ")";
  } else if (!report.seals.empty()) {
    out += "; no checkpoint in it";
  }
  if (chain.linked > 0) out += "; content of " + std::to_string(chain.linked) + " not checkable";
  if (chain.repeats > 0) out += "; " + counted(chain.repeats, "repeat");
  if (chain.repeats_not_compared > 0)
    out += " (" + std::to_string(chain.repeats_not_compared) + " not compared)";
  out += "; head " + chain.head + "\n";
  if (chain.withheld == 0) return out;
  out += "    withheld, not missing: " + counted(chain.withheld, "event") + ", which ";
  for (const std::string& by : chain.withheld_by)
    out += (by == chain.withheld_by.front() ? "" : ", ") + printable(by);
  return out + (chain.withheld_by.size() == 1 ? " names" : " name") + " in `withheld` events\n";
}

// What people have to know to read the findings right.
std::string notes(const ArrivalReport& report) {
  std::string out;
  const bool gaps = count_of(report, ArrivalFault::kMissing) > 0;
  for (const ArrivedHost& host : report.hosts) {
    const auto say = [&](const std::map<std::string, std::uint64_t>& counts, const char* what) {
      for (const auto& [sink, count] : counts)
        out += "note: " + printable(host.name) + ": by its shipper's heartbeats sink " +
               printable(sink) + " " + what + " " + counted(count, "event") + "\n";
    };
    say(host.withheld, "withheld, by its route,");
    say(host.dead_letters, "could not deliver");
    if (host.ship_losses > 0)
      out += "note: " + printable(host.name) + ": " + counted(host.ship_losses, "ship_loss event") +
             " say what its shipper lost\n";
  }
  const auto form = [&](LineForm one) { return report.by_form[static_cast<std::size_t>(one)]; };
  if (gaps)
    out +=
        "note: gaps are expected where the input is a part of what arrived, and where a sink has a "
        "route and its shipper's version does not name what was withheld; "
        "prove completeness with a sink that gets everything\n";
  if (report.withheld > 0)
    out +=
        "note: what was withheld is what the shippers say; only a sink that gets everything proves "
        "that the events exist\n";
  if (gaps && form(LineForm::kWazuh) + form(LineForm::kElastic) > 0)
    out +=
        "note: alerts.json and the alert indexes hold only what raised an alert; archives.json "
        "(logall_json) holds everything\n";
  if (report.linked > 0)
    out +=
        "note: " + counted(report.linked, "event") +
        " arrived taken apart (ECS, OCSF, or Wazuh's data without full_log): that none is missing "
        "and that they follow each other is checked, their content can't be\n";
  if (report.repeats_not_compared > 0)
    out += "note: " + counted(report.repeats_not_compared, "repeat") +
           " lie too far back to be compared with the first copy\n";
  if (report.added_to > 0)
    out += "note: a collector added members to " + counted(report.added_to, "event") +
           " behind `chain`; without them the hash holds\n";
  const auto absent = std::count_if(report.seals.begin(), report.seals.end(), [&](const auto& one) {
    return std::none_of(report.hosts.begin(), report.hosts.end(), [&](const ArrivedHost& host) {
      return host.name == one.host && !host.chains.empty();
    });
  });
  if (absent > 0)
    out += "note: no event of the hosts of " + counted(static_cast<std::uint64_t>(absent), "key") +
           " of " + std::to_string(report.seals.size()) +
           " is here; --hosts makes that a finding\n";
  if (report.not_placed > 0)
    out +=
        "NOT CHECKED: " + counted(report.not_placed, "event") +
        ": the input is in too much disorder, or holds too many chains, for this check's memory; "
        "give it in parts, or sorted by time\n";
  return out;
}

std::string summary_line(const ArrivalReport& report) {
  const std::string withheld =
      report.withheld > 0 ? ", " + std::to_string(report.withheld) + " withheld by routes" : "";
  const std::string amount =
      counted(report.events, "event") + " of " + counted(report.chains.size(), "chain") + " and " +
      counted(report.hosts.size(), "host") + " in " + counted(report.lines, "line") + withheld;
  if (report.findings_total > 0) {
    std::string faults;
    for (std::size_t i = 0; i < kArrivalFaults; ++i) {
      if (report.by_fault[i] == 0) continue;
      faults += (faults.empty() ? "" : ", ") + std::to_string(report.by_fault[i]) + " " +
                std::string(name(static_cast<ArrivalFault>(i)));
    }
    return "NOT complete: " + faults + "; " + amount + ".\n";
  }
  if (report.incomplete())
    return "NOT all of the input could be read or held; no finding in " + amount + ".\n";
  if (report.events == 0)
    return "nothing to check: no event in " + counted(report.lines, "line") + ".\n";
  return (report.withheld > 0 ? "complete but for what was withheld: " : "complete: ") + amount +
         ". What was cut off before the first seq or behind the last one, only the host's own head "
         "shows.\n";
}

void write_findings(json::Writer& writer, const ArrivalReport& report) {
  writer.key("findings").begin_array();
  for (const ArrivalFinding& finding : report.findings) {
    writer.begin_object();
    writer.member("fault", name(finding.fault)).member("host", finding.host);
    writer.member("chain", finding.chain_id);
    writer.member("first_seq", finding.first_seq).member("last_seq", finding.last_seq);
    writer.member("place", finding.place).member("message", finding.message);
    writer.end_object();
  }
  writer.end_array();
}

void write_chain(json::Writer& writer, const ArrivedChain& chain) {
  writer.begin_object();
  writer.member("id", chain.id).member("complete", !faulty(chain));
  writer.member("first_seq", chain.first_seq).member("last_seq", chain.last_seq);
  writer.member("events", chain.events).member("not_checkable", chain.linked);
  writer.member("repeats", chain.repeats);
  writer.member("repeats_not_compared", chain.repeats_not_compared);
  writer.member("missing", chain.missing).member("withheld", chain.withheld);
  writer.member("altered", chain.altered);
  writer.member("forked", chain.forked).member("checkpoint_seq", chain.checkpoint_seq);
  writer.member("head", chain.head);
  writer.member("first", format_time(chain.first)).member("last", format_time(chain.last));
  writer.end_object();
}

void write_host(json::Writer& writer, const ArrivalReport& report, const ArrivedHost& host) {
  const auto counts = [&](const char* key, const std::map<std::string, std::uint64_t>& by_sink) {
    writer.key(key).begin_object();
    for (const auto& [sink, count] : by_sink) writer.member(sink, count);
    writer.end_object();
  };
  writer.begin_object().member("host", host.name).member("silent", host.silent);
  writer.member("last", host.chains.empty() ? std::string() : format_time(host.last));
  writer.key("chains").begin_array();
  for (const std::size_t chain : host.chains) write_chain(writer, report.chains[chain]);
  writer.end_array();
  counts("withheld", host.withheld);
  counts("dead_letters", host.dead_letters);
  writer.member("ship_losses", host.ship_losses).end_object();
}

std::string label(std::string_view value) {
  std::string out;
  for (const char c : printable(value)) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

struct HostCounts {
  std::uint64_t missing = 0, withheld = 0, altered = 0, forked = 0;
};
HostCounts counts_of(const ArrivalReport& report, const ArrivedHost& host) {
  HostCounts out;
  for (const std::size_t i : host.chains) {
    out.missing += report.chains[i].missing;
    out.withheld += report.chains[i].withheld;
    out.altered += report.chains[i].altered;
    out.forked += report.chains[i].forked;
  }
  return out;
}

void put_seals(const ArrivalReport& report, std::string& out) {
  std::uint64_t findings = 0;
  for (auto i = static_cast<std::size_t>(ArrivalFault::kSealFailed); i < kArrivalFaults; ++i)
    findings += report.by_fault[i];
  out +=
      "# HELP lilith_verify_seal_findings What seals show.\n"
      "# TYPE lilith_verify_seal_findings gauge\n"
      "lilith_verify_seal_findings " +
      std::to_string(findings) + "\n";
  const auto per_key = [&](const std::string& metric, const char* help, const auto& value) {
    out += "# HELP " + metric + " " + help + "\n# TYPE " + metric + " gauge\n";
    for (const SealedUpTo& sealed : report.seals)
      out += metric + "{host=\"" + label(sealed.host) + "\",key=\"" + label(sealed.key) + "\"} " +
             std::to_string(value(sealed)) + "\n";
  };
  per_key("lilith_verify_sealed_at_seconds",
          "Time of the last verified checkpoint, in seconds since 1970; 0 when there is none.",
          [](const SealedUpTo& sealed) {
            return std::chrono::duration_cast<std::chrono::seconds>(sealed.time.time_since_epoch())
                .count();
          });
  per_key("lilith_verify_unsealed_events", "Seqs behind the last verified checkpoint.",
          [](const SealedUpTo& sealed) { return sealed.tail; });
  per_key("lilith_verify_checkpoints_not_verified", "Checkpoints behind one that failed.",
          [](const SealedUpTo& sealed) { return sealed.unverified; });
}

}  // namespace

Result<void> read_arrived(const std::vector<std::string>& files, const Clock& clock,
                          ArrivalCheck& check, std::vector<std::string>& report_errors) {
  const auto paths = files_of(files);
  if (!paths) return std::unexpected(paths.error());
  for (const std::string& path : *paths)
    if (auto read = read_file_into(path, clock, check); !read)
      report_errors.push_back(read.error().message);
  return {};
}

bool looks_arrived(const std::string& file) {
  struct stat status{};
  if (file == "-" || ::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  auto reader = LineReader::open(file);
  if (!reader) return false;
  LineOpener opener;
  ArrivedEvent event;
  std::string_view line;
  for (std::size_t i = 0; i < kLookLines; ++i) {
    const auto got = (*reader)->next(line);
    if (!got || *got == LineReader::Status::kEnd) return false;
    const LineState state = opener.open(line, event);
    if (state == LineState::kLinked) return true;
    if (state == LineState::kWhole) return event.form != LineForm::kNdjson;
  }
  return false;
}

std::string to_text(const ArrivalReport& report, bool problems_only) {
  std::string out;
  for (const ArrivalFinding& finding : report.findings) {
    out += std::string(name(finding.fault)) + ": ";
    if (!finding.host.empty()) out += printable(finding.host) + ": ";
    if (!finding.chain_id.empty()) out += "chain " + printable(finding.chain_id) + ": ";
    out += printable(finding.message);
    if (!finding.place.empty()) out += " (" + printable(finding.place) + ")";
    out += "\n";
  }
  if (report.findings_total > report.findings.size())
    out +=
        "... and " + counted(report.findings_total - report.findings.size(), "more finding") + "\n";
  for (const std::string& error : report.input_errors)
    out += "not read: " + printable(error) + "\n";
  for (const ArrivedHost& host : report.hosts) {
    std::string chains;
    for (const std::size_t i : host.chains)
      if (!problems_only || faulty(report.chains[i]))
        chains += chain_line(report.chains[i], report);
    if (chains.empty() && (problems_only || host.chains.empty())) continue;
    out += printable(host.name) + "\n" + chains;
    for (const SealedUpTo& sealed : report.seals)
      if (sealed.host == host.name) out += "  " + to_text(sealed) + "\n";
  }
  return out + notes(report) + summary_line(report);
}

std::string to_json(const ArrivalReport& report) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("complete", exit_code(report) == 0);
  writer.member("incomplete_input", report.incomplete());
  writer.member("checked_at", format_time(report.now));
  writer.member("lines", report.lines).member("foreign_lines", report.foreign);
  writer.member("events", report.events).member("not_checkable", report.linked);
  writer.member("repeats", report.repeats);
  writer.member("repeats_not_compared", report.repeats_not_compared);
  writer.member("withheld", report.withheld);
  writer.member("added_to", report.added_to).member("not_placed", report.not_placed);
  writer.key("forms").begin_object();
  for (std::size_t i = 0; i < kLineForms; ++i)
    if (report.by_form[i] > 0) writer.member(name(static_cast<LineForm>(i)), report.by_form[i]);
  writer.end_object();
  writer.member("findings_total", report.findings_total);
  writer.key("faults").begin_object();
  for (std::size_t i = 0; i < kArrivalFaults; ++i)
    if (i < static_cast<std::size_t>(ArrivalFault::kSealFailed) || !report.seals.empty())
      writer.member(name(static_cast<ArrivalFault>(i)), report.by_fault[i]);
  writer.end_object();
  write_findings(writer, report);
  writer.key("hosts").begin_array();
  for (const ArrivedHost& host : report.hosts) write_host(writer, report, host);
  writer.end_array();
  if (!report.seals.empty()) {
    writer.key("seals").begin_array();
    for (const SealedUpTo& sealed : report.seals) write_sealed(writer, sealed);
    writer.end_array();
  }
  writer.key("input_errors").begin_array();
  for (const std::string& error : report.input_errors) writer.value(error);
  writer.end_array();
  writer.end_object();
  return out + '\n';
}

std::string to_prometheus(const ArrivalReport& report) {
  std::string out;
  const auto head = [&](const std::string& metric, const char* help) {
    out += "# HELP " + metric + " " + help + "\n# TYPE " + metric + " gauge\n";
  };
  const auto single = [&](const std::string& metric, const char* help, std::uint64_t value) {
    head(metric, help);
    out += metric + " " + std::to_string(value) + "\n";
  };
  const auto per_host = [&](const std::string& metric, const char* help, const auto& value) {
    head(metric, help);
    for (const ArrivedHost& host : report.hosts)
      out += metric + "{host=\"" + label(host.name) + "\"} " + std::to_string(value(host)) + "\n";
  };
  const auto seconds = [](WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  };
  single("lilith_verify_checked_at_seconds", "When the check ran, in seconds since 1970.",
         static_cast<std::uint64_t>(seconds(report.now)));
  single("lilith_verify_exit_code", "0 complete, 1 findings, 3 input incomplete, 5 no event.",
         static_cast<std::uint64_t>(exit_code(report)));
  single("lilith_verify_incomplete",
         "1 when not all of the input can be read or held, findings or not.",
         report.incomplete() ? 1 : 0);
  single("lilith_verify_lines", "Lines that were read.", report.lines);
  single("lilith_verify_events", "Different events that arrived.", report.events);
  single("lilith_verify_events_not_checkable", "Events of which only the chain members arrived.",
         report.linked);
  single("lilith_verify_repeats", "Events that arrived again.", report.repeats);
  single("lilith_verify_unreadable_lines", "Lines that speak of an event and can't be read.",
         count_of(report, ArrivalFault::kUnreadable));
  per_host("lilith_verify_missing_events", "Seqs between two that arrived.",
           [&](const ArrivedHost& host) { return counts_of(report, host).missing; });
  per_host("lilith_verify_withheld_events", "Seqs that shippers named as withheld by a route.",
           [&](const ArrivedHost& host) { return counts_of(report, host).withheld; });
  per_host("lilith_verify_altered_events", "Events whose bytes do not give their hash.",
           [&](const ArrivedHost& host) { return counts_of(report, host).altered; });
  per_host("lilith_verify_forked_events", "Seqs with two contents or a broken link.",
           [&](const ArrivedHost& host) { return counts_of(report, host).forked; });
  per_host("lilith_verify_last_event_seconds",
           "Time of the host's newest event, in seconds since 1970; 0 when there is none.",
           [&](const ArrivedHost& host) { return host.chains.empty() ? 0 : seconds(host.last); });
  per_host("lilith_verify_silent", "1 when the host is silent.",
           [](const ArrivedHost& host) { return host.silent ? 1 : 0; });
  if (!report.seals.empty()) put_seals(report, out);
  return out;
}

int exit_code(const ArrivalReport& report) {
  if (report.findings_total > 0) return 1;
  if (report.incomplete()) return 3;
  return report.events == 0 ? 5 : 0;
}

Result<std::chrono::seconds> parse_span(const std::string& text) {
  constexpr std::int64_t kSpanMax = std::int64_t{100} * 365 * 86'400;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::int64_t factor = 0;
  if (unit == "s") factor = 1;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  if (unit == "d") factor = 86'400;
  if (error != std::errc{} || factor == 0 || number <= 0 || number > kSpanMax / factor)
    return fail(ErrorCode::kInvalidInput,
                quote(text) + " is no span of time: write 90s, 30m, 72h or 7d");
  return std::chrono::seconds(number * factor);
}

Result<ArrivalOptions> options_of(const ArrivedArguments& arguments) {
  ArrivalOptions out;
  out.from_start = arguments.from_start;
  if (!arguments.verify_keys.empty()) {
    auto keys = read_verify_keys(arguments.verify_keys);
    if (!keys) return pass_error(keys);
    out.keys = std::move(*keys);
  }
  if (arguments.remember) {
    if (auto file = file_to_remember_in(arguments.verify_keys); !file) return pass_error(file);
  }
  if (!arguments.form.empty() && arguments.form != "auto") {
    out.form = line_form(arguments.form);
    if (!out.form)
      return fail(ErrorCode::kInvalidInput, "no form is called " + quote(arguments.form) +
                                                ": auto, ndjson, syslog, wazuh, elastic or json");
  }
  if (!arguments.silent_after.empty()) {
    auto span = parse_span(arguments.silent_after);
    if (!span) return pass_error(span);
    out.silent_after = *span;
  }
  if (arguments.hosts_file.empty()) return out;
  auto text = read_file(arguments.hosts_file, limits::kArrivalHostsBytesMax);
  if (!text) return pass_error(text);
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, std::min(rest.find('#'), end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    constexpr std::string_view kBlanks = " \t\r";
    const std::size_t from = line.find_first_not_of(kBlanks);
    if (from == std::string_view::npos) continue;
    line = line.substr(from, line.find_last_not_of(kBlanks) + 1 - from);
    out.expected_hosts.emplace_back(line);
  }
  return out;
}

Result<void> remember_arrived(const ArrivedArguments& arguments, const std::vector<VerifyKey>& keys,
                              const ArrivalReport& report) {
  if (!arguments.remember || report.incomplete() || report.findings_total != report.findings.size())
    return {};
  std::set<std::string_view> doubtful;
  for (const ArrivalFinding& finding : report.findings)
    if (finding.fault != ArrivalFault::kSilent) doubtful.insert(finding.host);
  std::vector<SealedUpTo> seals;
  for (const SealedUpTo& sealed : report.seals)
    if (sealed.unverified == 0 && !doubtful.contains(sealed.host)) seals.push_back(sealed);
  return remember_seals(arguments.verify_keys.front(), keys, seals);
}

Result<ArrivedOutput> put_report(const ArrivalReport& report, const std::vector<VerifyKey>& keys,
                                 const ArrivedArguments& arguments) {
  if (auto kept = remember_arrived(arguments, keys, report); !kept) return pass_error(kept);
  if (!arguments.prometheus.empty()) {
    if (auto put = replace_file(arguments.prometheus, to_prometheus(report), 0644); !put)
      return pass_error(put);
  }
  return ArrivedOutput{arguments.json ? to_json(report) : to_text(report, arguments.problems_only),
                       exit_code(report)};
}

Result<ArrivedOutput> verify_arrived(const std::vector<std::string>& files,
                                     const ArrivedArguments& arguments, const Clock& clock) {
  auto options = options_of(arguments);
  if (!options) return pass_error(options);
  WallTime now = clock.now();
  if (!arguments.at.empty()) {
    auto at = parse_time(arguments.at);
    if (!at) return pass_error(at);
    now = *at;
  }
  ArrivalCheck check(*options);
  std::vector<std::string> errors;
  if (auto read = read_arrived(files, clock, check, errors); !read) return pass_error(read);
  ArrivalReport report = check.report(now);
  report.input_errors = std::move(errors);
  return put_report(report, options->keys, arguments);
}

}  // namespace lilith::audit
