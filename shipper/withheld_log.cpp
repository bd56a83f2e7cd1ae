#include "shipper/withheld_log.hpp"

#include "audit/base/number.hpp"

#include <utility>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;

// At least so long is collected before it is named; longer where nothing else wakes the worker.
constexpr milliseconds kInterval{60'000};
// Not named yet, of one source; they are in every checkpoint.
constexpr std::size_t kRangesMax = 256;
constexpr std::uint64_t kRotateBytes = std::uint64_t{1024} * 1024;

audit::LogOptions options_of(const std::string& state_dir, const std::string& sink,
                             const std::string& host) {
  audit::LogOptions options;
  options.path = withheld_log_path(state_dir, sink);
  options.host = host;
  // The next checkpoint, which is synced, no longer has what this log says.
  options.sync = audit::Sync::kAlways;
  options.rotate_bytes = kRotateBytes;
  options.rotate_keep = 1;
  options.shipper_state = state_dir;
  options.shipper_sink = sink;
  return options;
}

}  // namespace

WithheldLog::WithheldLog(const std::string& state_dir, std::string sink, const std::string& host,
                         const Clock& clock, std::function<void(const Error&)> failed)
    : sink_(std::move(sink)),
      clock_(clock),
      failed_(std::move(failed)),
      log_(options_of(state_dir, sink_, host), clock) {}

MonotonicTime WithheldLog::later() const { return clock_.monotonic() + kInterval; }

void WithheldLog::restore(const audit::Cursors& cursors) {
  for (const auto& [source, cursor] : cursors) {
    auto seqs = audit::seqs_from_text(cursor.withheld.seqs);
    if (!seqs) continue;
    pending_[source] = {{sink_, cursor.withheld.host, cursor.withheld.chain_id, std::move(*seqs)},
                        clock_.monotonic(),
                        false};
  }
}

void WithheldLog::add(const std::string& source, const LineFields& event) {
  const auto seq = decimal(event.seq);
  if (!seq || event.chain_id.empty()) return;  // never of an event: they have both
  Pending& pending = pending_[source];
  audit::Withheld& withheld = pending.withheld;
  const bool other = withheld.chain_id != event.chain_id || withheld.host != event.host;
  if (!withheld.seqs.empty() && other && !name(pending)) return;
  if (withheld.seqs.empty()) {
    withheld = {sink_, std::string(event.host), std::string(event.chain_id), {}};
    pending.due = later();
  }
  if (withheld.seqs.add(*seq, kRangesMax) || withheld.seqs.contains(*seq)) return;
  // Where there is no room to write, further ones are not named: they will look lost, and never
  // does a lost one look withheld.
  if (name(pending)) add(source, event);
}

// An error is tried again only later: not once for each event that is withheld meanwhile.
bool WithheldLog::name(Pending& pending) {
  if (pending.failed && pending.due > clock_.monotonic()) return false;
  for (audit::Event& event : audit::withheld_events(pending.withheld)) {
    if (auto written = log_.add(std::move(event)); !written) {
      failed_(written.error());
      pending.due = later();
      pending.failed = true;
      return false;
    }
  }
  pending.withheld.seqs = {};
  pending.failed = false;
  return true;
}

bool WithheldLog::name_due(bool everything) {
  bool named = false;
  for (auto& [source, pending] : pending_) {
    if (pending.withheld.seqs.empty()) continue;
    if (everything || pending.due <= clock_.monotonic()) named = name(pending) || named;
  }
  return named;
}

void WithheldLog::put_into(audit::Cursors& cursors) const {
  for (auto& [source, cursor] : cursors) {
    const auto pending = pending_.find(source);
    if (pending == pending_.end() || pending->second.withheld.seqs.empty()) {
      cursor.withheld = {};
      continue;
    }
    const audit::Withheld& withheld = pending->second.withheld;
    cursor.withheld = {withheld.chain_id, withheld.host, audit::seqs_to_text(withheld.seqs)};
  }
}

}  // namespace lilith::shipper
