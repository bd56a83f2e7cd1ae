#include "audit/read/arrival_watch.hpp"

#include "audit/base/number.hpp"
#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"

#include <algorithm>

namespace lilith::audit {
namespace {

constexpr std::string_view kReasonPrefix = "arrival.";
using Ranges = std::map<std::uint64_t, std::uint64_t>;

bool covered(const Ranges& ranges, std::uint64_t first, std::uint64_t last) {
  const auto after = ranges.upper_bound(first);
  return after != ranges.begin() && std::prev(after)->second >= last;
}

void cover(Ranges& ranges, std::uint64_t first, std::uint64_t last) {
  auto after = ranges.upper_bound(first);
  if (after != ranges.begin() && std::prev(after)->second >= first) {
    --after;
    first = after->first;
  }
  while (after != ranges.end() && after->first <= last) {
    last = std::max(last, after->second);
    after = ranges.erase(after);
  }
  ranges.emplace(first, last);
}

std::optional<ArrivalFault> fault_of(std::string_view reason_code) {
  if (!reason_code.starts_with(kReasonPrefix)) return std::nullopt;
  reason_code.remove_prefix(kReasonPrefix.size());
  for (std::size_t i = 0; i < kArrivalFaults; ++i)
    if (reason_code == name(static_cast<ArrivalFault>(i))) return static_cast<ArrivalFault>(i);
  return std::nullopt;
}

// What the seqs of a finding are seqs of.
std::pair<std::string, ArrivalFault> subject(const ArrivalFinding& finding) {
  return {finding.chain_id.empty() ? "host " + finding.host : finding.chain_id, finding.fault};
}

}  // namespace

Event event_of(const ArrivalFinding& finding, const std::string& host) {
  const bool not_there = finding.fault == ArrivalFault::kMissing ||
                         finding.fault == ArrivalFault::kUnreadable ||
                         finding.fault == ArrivalFault::kSilent;
  Event event;
  event.type = not_there ? EventType::kShipLoss : EventType::kTamper;
  event.category = Category::kIntegrity;
  event.action = Action::kError;
  event.host = host;
  event.reason_code = std::string(kReasonPrefix) + std::string(name(finding.fault));
  event.reason = finding.host.empty() ? finding.message : finding.host + ": " + finding.message;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) event.detail.emplace_back(key, value);
  };
  add("host", finding.host);
  add("chain", finding.chain_id);
  if (!finding.chain_id.empty()) {
    add("first_seq", std::to_string(finding.first_seq));
    add("last_seq", std::to_string(finding.last_seq));
  }
  add("place", finding.place);
  if (finding.fault == ArrivalFault::kSilent) add("since", format_time(finding.since));
  return event;
}

std::optional<ArrivalFinding> finding_of(const Event& event) {
  const auto fault = fault_of(event.reason_code);
  if (!fault || event.category != Category::kIntegrity) return std::nullopt;
  ArrivalFinding out;
  out.fault = *fault;
  for (const auto& [key, value] : event.detail) {
    if (key == "host") out.host = value;
    if (key == "chain") out.chain_id = value;
    if (key == "place") out.place = value;
    if (key == "first_seq") out.first_seq = decimal(value).value_or(0);
    if (key == "last_seq") out.last_seq = decimal(value).value_or(0);
    if (key == "since") out.since = parse_time(value).value_or(WallTime{});
  }
  return out;
}

WallTime WatchClock::judged(WallTime now, bool blind) {
  if (blind) {
    if (!stopped_) stopped_ = seen_.value_or(now);
    back_.reset();
    return *stopped_;
  }
  seen_ = now;
  if (!stopped_) return now;
  if (!back_) back_ = now;
  if (now - *back_ < catch_up_) return *stopped_;
  stopped_.reset();
  back_.reset();
  return now;
}

void ArrivalWatch::know(const ArrivalFinding& finding) {
  if (finding.fault == ArrivalFault::kSilent) {
    silent_[finding.host] = finding.since;
  } else if (finding.fault == ArrivalFault::kUnreadable) {
    (void)is_new_place(finding.place);
  } else {
    cover(raised_[subject(finding)], finding.first_seq, finding.last_seq);
  }
}

Result<void> ArrivalWatch::know_log(const std::string& path) {
  const auto files = log_series(path);
  if (!files) return std::unexpected(files.error());
  for (const LogFile& file : *files) {
    auto reader = LineReader::open(file.path);
    if (!reader) return pass_error(reader);
    std::string_view line;
    for (;;) {
      const auto status = (*reader)->next(line);
      if (!status) return std::unexpected(status.error());
      if (*status == LineReader::Status::kEnd) break;
      if (*status != LineReader::Status::kLine ||
          line.find(kReasonPrefix) == std::string_view::npos)
        continue;
      const auto event = decode(line);
      if (!event) continue;
      if (const auto finding = finding_of(*event)) know(*finding);
    }
  }
  return {};
}

// Places of one source come in order.
bool ArrivalWatch::is_new_place(const std::string& place) {
  const std::size_t colon = place.rfind(':');
  if (colon == std::string::npos) return false;
  const auto number = decimal(std::string_view(place).substr(colon + 1));
  if (!number) return false;
  const auto [at, added] = unreadable_.try_emplace(place.substr(0, colon), *number);
  if (!added && at->second >= *number) return false;
  at->second = *number;
  return true;
}

bool ArrivalWatch::is_raised(const ArrivalFinding& finding) const {
  const auto at = raised_.find(subject(finding));
  return at != raised_.end() && covered(at->second, finding.first_seq, finding.last_seq);
}

std::vector<ArrivalFinding> ArrivalWatch::news(const ArrivalReport& report) {
  std::vector<ArrivalFinding> out;
  std::map<std::string, WallTime> silent;
  Raised open;
  for (const ArrivalFinding& finding : report.findings) {
    if (finding.fault == ArrivalFault::kSilent) {
      const auto known = silent_.find(finding.host);
      if (known == silent_.end() || known->second != finding.since) out.push_back(finding);
      silent[finding.host] = finding.since;
    } else if (finding.fault == ArrivalFault::kUnreadable) {
      if (is_new_place(finding.place)) out.push_back(finding);
    } else {
      const bool is_new = !is_raised(finding);
      const bool is_young =
          finding.fault == ArrivalFault::kMissing && report.judged - finding.since < gap_limit_;
      if (is_new && is_young) continue;
      if (is_new) out.push_back(finding);
      cover(open[subject(finding)], finding.first_seq, finding.last_seq);
    }
  }
  const std::uint64_t unnamed = report.findings_total - report.findings.size();
  if (unnamed == 0) {
    // What is whole by now is not kept, and memory goes by what is open.
    raised_ = std::move(open);
    silent_ = std::move(silent);
  } else {
    for (auto& [key, ranges] : open)
      for (const auto& [first, last] : ranges) cover(raised_[key], first, last);
    for (const auto& [host, since] : silent) silent_[host] = since;
  }
  if (unnamed > 2 * unnamed_) {
    ArrivalFinding more;
    more.fault = ArrivalFault::kUnreadable;
    more.message = std::to_string(unnamed) + " findings more than are named one by one";
    out.push_back(std::move(more));
    unnamed_ = unnamed;
  }
  return out;
}

}  // namespace lilith::audit
