#include "audit/read/chain_check.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/codec.hpp"
#include "audit/event.hpp"
#include "audit/read/chain_fact.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <map>
#include <optional>
#include <utility>

namespace lilith::audit {
namespace {

// The first 64 bits of a chain hash; never 0, which stands for "not known".
using Digest = std::uint64_t;

Digest digest(std::string_view hex) {
  Digest out = 0;
  const std::string_view head = hex.substr(0, 16);
  std::from_chars(head.data(), head.data() + head.size(), out, 16);
  return out == 0 ? 1 : out;
}

std::string seqs(std::uint64_t first, std::uint64_t last) {
  return first == last ? "seq " + std::to_string(first)
                       : "seq " + std::to_string(first) + " to " + std::to_string(last);
}

// Hashes of a chain's latest lines by seq. Grows to what the whole input may use, then forgets the
// oldest.
class RecentLines {
 public:
  void put(std::uint64_t seq, Digest value, std::size_t& budget) {
    if (slots_.empty()) {
      newest_ = seq;
      resize(kFirst, budget);
    }
    if (seq > newest_) {
      const std::uint64_t steps = seq - newest_;
      while (seq - oldest() >= slots_.size() && slots_.size() <= budget)
        resize(2 * slots_.size(), budget);
      if (steps >= slots_.size()) {
        std::fill(slots_.begin(), slots_.end(), 0);
      } else {
        for (std::uint64_t i = newest_ + 1; i <= seq; ++i) slot(i) = 0;
      }
      newest_ = seq;
    }
    if (covers(seq)) slot(seq) = value;
  }
  // 0 when not known.
  [[nodiscard]] Digest get(std::uint64_t seq) const {
    return covers(seq) ? slots_[seq & (slots_.size() - 1)] : 0;
  }
  [[nodiscard]] bool covers(std::uint64_t seq) const {
    return !slots_.empty() && seq <= newest_ && newest_ - seq < slots_.size();
  }

 private:
  static constexpr std::size_t kFirst = 64;

  [[nodiscard]] std::uint64_t oldest() const {
    return newest_ - std::min<std::uint64_t>(newest_, slots_.size() - 1);
  }
  Digest& slot(std::uint64_t seq) { return slots_[seq & (slots_.size() - 1)]; }
  void resize(std::size_t size, std::size_t& budget) {
    std::vector<Digest> old = std::exchange(slots_, std::vector<Digest>(size, 0));
    budget -= std::min(budget, size - old.size());
    if (old.empty()) return;
    const std::uint64_t from = newest_ - std::min<std::uint64_t>(newest_, old.size() - 1);
    for (std::uint64_t seq = from; seq <= newest_; ++seq) slot(seq) = old[seq & (old.size() - 1)];
  }

  std::vector<Digest> slots_;
  std::uint64_t newest_ = 0;
};

struct Place {
  std::string file;
  std::uint64_t line = 0;
};

// Numbers that were passed over and may still turn up later.
struct Gap {
  std::uint64_t first = 0, last = 0;
  std::uint64_t explained = 0;  // by damaged lines that stand there
  Digest next_prev = 0;         // what the line after `last` says of the one before it
  bool silent = false;          // older files that were moved away, or that could not be read
  Place place;
};

// A fork goes on beside the chain; each of its lines after the first is no news.
struct Branch {
  std::uint64_t seq = 0;
  Digest hash = 0;
};

struct Chain {
  VerifyReport::Chain report;
  std::uint64_t next = 0;  // the seq that the chain goes on with
  Digest head = 0;
  std::uint64_t last_at = 0;  // the input line that was last accepted
  RecentLines recent;
  std::vector<Gap> gaps;
  std::vector<Branch> branches;
  std::string host, log;
};

// A line that can't be trusted, and so may stand for a number that no other line carries.
struct Damaged {
  std::uint64_t at = 0;
  std::string chain_id;
  std::uint64_t seq = 0;
  bool used = false;
};

// A chain that began where another one stood; a restart unless that one goes on later.
struct Restart {
  Place place;
  std::string chain_id, before_id;
  std::uint64_t before_seq = 0;
  std::uint64_t at = 0;
};

// Neighbouring lines with the same fault are one finding.
struct Run {
  FindingKind kind = FindingKind::kUnreadable;
  const Chain* chain = nullptr;
  std::size_t finding = 0;
  std::uint64_t at = 0, first_line = 0, line = 0, first_seq = 0, seq = 0;
};

}  // namespace

struct ChainCheck::Impl {
  explicit Impl(const VerifyOptions& o) : options(o) {}

  VerifyOptions options;
  std::map<std::string, Chain, std::less<>> chains;
  std::vector<std::string> order;  // chain ids as they first appeared
  std::size_t window_budget = limits::kVerifyWindowLinesMax;
  std::deque<Damaged> damaged;
  std::optional<Place> fragment;  // an unreadable line that a log_sealed event may explain
  std::uint64_t fragment_at = 0;
  std::string fragment_sha256;
  std::vector<Restart> restarts;
  std::optional<Run> run;
  std::string file, log;
  std::string last_chain_id;  // in this log
  std::map<std::string, std::string> last_chain_of_log;
  std::uint64_t at = 0;  // lines of the whole input so far
  std::uint64_t unread_at = 0;
  bool unread = false;
  std::vector<Finding> findings;
  std::uint64_t findings_total = 0;
  std::array<std::uint64_t, kFindingKinds> by_kind{};
  Finding dropped;  // takes what is above findings_max

  std::size_t add(FindingKind kind, const Place& place, std::uint64_t seq, std::string_view chain,
                  std::string message) {
    ++findings_total;
    ++by_kind[static_cast<std::size_t>(kind)];
    if (findings.size() >= options.findings_max) return options.findings_max;
    findings.push_back({kind, place.file, place.line, seq, std::string(chain), std::move(message)});
    return findings.size() - 1;
  }

  void remember_damaged(std::uint64_t where, std::string_view chain_id, std::uint64_t seq) {
    if (damaged.size() >= limits::kVerifyDamagedMax) damaged.pop_front();
    damaged.push_back({where, std::string(chain_id), seq, false});
  }

  void settle_fragment(bool sealed) {
    if (!fragment) return;
    const Place place = *std::exchange(fragment, std::nullopt);
    if (sealed) return;
    add(FindingKind::kUnreadable, place, 0, "",
        "this is not an event: a part of a line, or something else was written here");
    remember_damaged(fragment_at, "", 0);
  }

  [[nodiscard]] bool link_is(const Chain& chain, std::uint64_t seq, std::string_view prev) const {
    if (seq == 1) return prev == kGenesis;
    const Digest known = chain.recent.get(seq - 1);
    return known == 0 || known == digest(prev);
  }

  void check_line(const Place& place, std::string_view line) {
    const auto fields = chain_fields(line);
    if (!fields) {
      settle_fragment(false);
      fragment = place;
      fragment_at = at;
      fragment_sha256 = sha256_hex(line);
      return;
    }
    if (!hash_holds(line, *fields)) {
      settle_fragment(false);
      add(FindingKind::kChanged, place, fields->seq, fields->id,
          "the line's bytes do not give its chain.hash: it was changed after it was written");
      remember_damaged(at, fields->id, fields->seq);
      return;
    }
    if (fragment) check_seal(line);
    accept(place, *fields, line);
  }

  // A torn write is closed by log_sealed, which names what it found; log_opened comes first when
  // the torn line was the first of its file.
  void check_seal(std::string_view line) {
    const auto event = decode(line);
    // A checkpoint is put back where the torn line was to be its own.
    if (event && (event->type == EventType::kLogOpened || event->type == EventType::kCheckpoint)) {
      return;
    }
    const bool sealed = event && event->type == EventType::kLogSealed &&
                        std::find(event->detail.begin(), event->detail.end(),
                                  std::pair<std::string, std::string>(
                                      "torn_sha256", fragment_sha256)) != event->detail.end();
    settle_fragment(sealed);
  }

  void accept(const Place& place, const ChainFields& fields, std::string_view line) {
    const auto known = chains.find(fields.id);
    if (known == chains.end()) {
      begin_chain(place, fields, line);
      return;
    }
    Chain& chain = known->second;
    if (fields.seq >= chain.next) {
      go_on(chain, place, fields);
    } else {
      look_back(chain, place, fields);
    }
    last_chain_id = fields.id;
  }

  void begin_chain(const Place& place, const ChainFields& fields, std::string_view line) {
    if (chains.size() >= limits::kVerifyChainsMax) {
      add(FindingKind::kUnreadable, place, fields.seq, fields.id,
          "this chain is not checked: the input holds more than " +
              std::to_string(limits::kVerifyChainsMax) + " chains");
      return;
    }
    Chain chain;
    bool removed = false;
    if (const auto event = decode(line)) {
      chain.host = event->host;
      // A log that goes on after a rotation names the file before it.
      removed = event->type == EventType::kLogOpened &&
                std::none_of(event->detail.begin(), event->detail.end(),
                             [](const auto& entry) { return entry.first == "previous_file"; });
    }
    chain.log = log;
    chain.report.id = fields.id;
    chain.report.first_seq = fields.seq;
    const bool genesis = fields.prev == kGenesis;
    if (genesis != (fields.seq == 1))
      add(FindingKind::kForked, place, fields.seq, fields.id,
          genesis ? "this line begins a chain, but its seq is not 1"
                  : "seq 1 names a line before it, but a chain begins there");
    if (fields.seq > 1) {
      chain.next = 1;
      open_gap(chain, place, fields, options.start_may_be_missing && !removed);
    }
    if (genesis) note_restart(chain, place, fields);
    Chain& kept = chains.emplace(std::string(fields.id), std::move(chain)).first->second;
    order.emplace_back(fields.id);
    take(kept, fields);
    last_chain_id = fields.id;
  }

  void note_restart(const Chain& chain, const Place& place, const ChainFields& fields) {
    if (last_chain_id.empty()) return;
    const Chain& before = chains.find(last_chain_id)->second;
    if (before.host != chain.host || before.log != log) return;
    restarts.push_back(
        {place, std::string(fields.id), before.report.id, before.report.last_seq, at});
  }

  void report_restarts() {
    for (const Restart& one : restarts) {
      if (chains.find(one.before_id)->second.last_at > one.at) continue;  // two logs, interleaved
      add(FindingKind::kRestarted, one.place, 1, one.chain_id,
          "a second chain begins here while chain " + one.before_id + " was at seq " +
              std::to_string(one.before_seq) +
              ": the log was removed together with its lock file, or two logs were put together");
    }
  }

  void take(Chain& chain, const ChainFields& fields) {
    chain.recent.put(fields.seq, digest(fields.hash), window_budget);
    chain.next = fields.seq + 1;
    chain.head = digest(fields.hash);
    chain.last_at = at;
    chain.report.last_seq = fields.seq;
    chain.report.head = fields.hash;
    ++chain.report.events;
  }

  void go_on(Chain& chain, const Place& place, const ChainFields& fields) {
    if (fields.seq > chain.next) {
      open_gap(chain, place, fields, unread && unread_at >= chain.last_at);
    } else if (digest(fields.prev) != chain.head) {
      follow_branch_or_report(chain, place, fields);
    }
    take(chain, fields);
  }

  void follow_branch_or_report(Chain& chain, const Place& place, const ChainFields& fields) {
    for (Branch& branch : chain.branches) {
      if (branch.seq + 1 != fields.seq || branch.hash != digest(fields.prev)) continue;
      branch = {chain.next - 1, chain.head};
      return;
    }
    add(FindingKind::kForked, place, fields.seq, fields.id,
        "chain.prev does not name the line with seq " + std::to_string(fields.seq - 1) +
            " that stands before it: that line was replaced, or this one belongs to another "
            "branch");
  }

  // Numbers from chain.next to fields.seq - 1 were passed over. Damaged lines that stand there take
  // theirs first: by the seq that they still show, else one number each.
  void open_gap(Chain& chain, const Place& place, const ChainFields& fields, bool silent) {
    std::vector<std::uint64_t> claimed;
    std::uint64_t anonymous = 0;
    for (Damaged& one : damaged) {
      if (one.used || one.at <= chain.last_at) continue;
      const bool own = one.chain_id == chain.report.id;
      if (!own && (silent || chains.contains(one.chain_id))) continue;
      one.used = true;
      const bool fits = own && one.seq >= chain.next && one.seq < fields.seq &&
                        std::find(claimed.begin(), claimed.end(), one.seq) == claimed.end();
      if (fits) {
        claimed.push_back(one.seq);
      } else {
        ++anonymous;
      }
    }
    std::sort(claimed.begin(), claimed.end());
    claimed.push_back(fields.seq);
    std::uint64_t first = chain.next;
    for (const std::uint64_t seq : claimed) {
      if (seq > first) {
        Gap gap{first, seq - 1, 0, seq == fields.seq ? digest(fields.prev) : 0, silent, place};
        gap.explained = std::min(anonymous, gap.last - gap.first + 1);
        anonymous -= gap.explained;
        if (gap.explained < gap.last - gap.first + 1 || silent) keep_gap(chain, std::move(gap));
      }
      first = seq + 1;
    }
  }

  void keep_gap(Chain& chain, Gap gap) {
    if (chain.gaps.size() >= limits::kVerifyGapsMax) {
      report_gap(chain, chain.gaps.front());
      chain.gaps.erase(chain.gaps.begin());
    }
    chain.gaps.push_back(std::move(gap));
  }

  void report_gap(const Chain& chain, const Gap& gap) {
    if (gap.silent) return;
    const std::uint64_t count = gap.last - gap.first + 1 - gap.explained;
    std::string message;
    if (gap.explained == 0) {
      message =
          seqs(gap.first, gap.last) + (count == 1 ? " is" : " are") + " missing before this line";
    } else {
      message = std::to_string(count) + " of " + seqs(gap.first, gap.last) +
                " are missing before this line; damaged lines stand for the others";
    }
    add(FindingKind::kMissing, gap.place, gap.first, chain.report.id, std::move(message));
  }

  // A whole, unchanged line whose number was passed already.
  void look_back(Chain& chain, const Place& place, const ChainFields& fields) {
    const Digest hash = digest(fields.hash);
    const auto gap = std::find_if(chain.gaps.begin(), chain.gaps.end(), [&](const Gap& one) {
      return one.first <= fields.seq && fields.seq <= one.last;
    });
    if (gap != chain.gaps.end()) {
      const bool links = link_is(chain, fields.seq, fields.prev) &&
                         (fields.seq != gap->last || gap->next_prev == 0 || gap->next_prev == hash);
      if (links) {
        fill_gap(chain, gap, place, fields);
        return;
      }
    } else if (const Digest known = chain.recent.get(fields.seq); known == hash || known == 0) {
      extend_run(FindingKind::kDuplicated, chain, place, fields.seq);
      return;
    }
    for (Branch& branch : chain.branches) {
      if (branch.seq + 1 != fields.seq || branch.hash != digest(fields.prev)) continue;
      branch = {fields.seq, hash};
      return;
    }
    add(FindingKind::kForked, place, fields.seq, fields.id,
        "a second, different line with seq " + std::to_string(fields.seq) +
            ": the chain has two branches here");
    if (chain.branches.size() < limits::kVerifyBranchesMax)
      chain.branches.push_back({fields.seq, hash});
  }

  void fill_gap(Chain& chain, std::vector<Gap>::iterator gap, const Place& place,
                const ChainFields& fields) {
    Gap before = *gap;
    before.last = fields.seq - 1;
    before.next_prev = digest(fields.prev);
    Gap after = *gap;
    after.first = fields.seq + 1;
    after.explained = 0;
    const std::uint64_t room = before.last + 1 - before.first;
    if (before.explained > room) {
      after.explained = before.explained - room;
      before.explained = room;
    }
    const auto at_index = chain.gaps.erase(gap);
    if (after.first <= after.last) chain.gaps.insert(at_index, after);
    if (room > 0) chain.gaps.push_back(std::move(before));
    chain.recent.put(fields.seq, digest(fields.hash), window_budget);
    ++chain.report.events;
    chain.report.first_seq = std::min(chain.report.first_seq, fields.seq);
    extend_run(FindingKind::kReordered, chain, place, fields.seq);
  }

  void extend_run(FindingKind kind, const Chain& chain, const Place& place, std::uint64_t seq) {
    const bool same = run && run->kind == kind && run->chain == &chain && run->at + 1 == at &&
                      run->seq + 1 == seq && place.line == run->line + 1;
    if (!same) {
      run =
          Run{kind, &chain, add(kind, place, seq, chain.report.id, ""), at, place.line, place.line,
              seq,  seq};
    }
    run->at = at;
    run->line = place.line;
    run->seq = seq;
    Finding& finding = run->finding < findings.size() ? findings[run->finding] : dropped;
    const std::string lines =
        run->line == run->first_line
            ? "this line"
            : "lines " + std::to_string(run->first_line) + " to " + std::to_string(run->line);
    const bool one = run->line == run->first_line;
    if (kind == FindingKind::kReordered) {
      finding.message = lines + " (" + seqs(run->first_seq, run->seq) + ")" +
                        (one ? " stands" : " stand") + " behind a line with a greater seq";
    } else {
      finding.message = lines + (one ? " repeats " : " repeat ") + seqs(run->first_seq, run->seq);
      if (!chain.recent.covers(run->first_seq))
        finding.message += " (too far back to compare byte for byte)";
    }
  }
};

ChainCheck::ChainCheck(const VerifyOptions& options) : impl_(std::make_unique<Impl>(options)) {}
ChainCheck::~ChainCheck() = default;

void ChainCheck::begin_file(const std::string& file, const std::string& log) {
  Impl& self = *impl_;
  self.settle_fragment(false);
  if (!self.log.empty()) self.last_chain_of_log[self.log] = self.last_chain_id;
  self.file = file;
  self.log = log;
  self.last_chain_id = self.last_chain_of_log[log];
}

void ChainCheck::whole_line(std::uint64_t number, std::string_view line) {
  ++impl_->at;
  impl_->check_line({impl_->file, number}, line);
}

void ChainCheck::torn_line(std::uint64_t number, std::string_view bytes) {
  Impl& self = *impl_;
  ++self.at;
  self.settle_fragment(false);
  const auto fields = chain_fields(bytes);
  self.add(FindingKind::kTorn, {self.file, number}, fields ? fields->seq : 0,
           fields ? fields->id : std::string_view(),
           "the file ends with " + std::to_string(bytes.size()) +
               " bytes without LF: a write was cut short and is not sealed yet");
  // The number that an LF alone is missing from is there.
  if (fields) self.check_line({self.file, number}, bytes);
  self.fragment.reset();
}

void ChainCheck::too_long_line(std::uint64_t number) {
  Impl& self = *impl_;
  ++self.at;
  self.settle_fragment(false);
  self.add(FindingKind::kUnreadable, {self.file, number}, 0, "",
           "the line is longer than " + std::to_string(limits::kReaderLineBytesMax) + " bytes");
  self.remember_damaged(self.at, "", 0);
}

void ChainCheck::unreadable_rest() {
  impl_->settle_fragment(false);
  impl_->unread = true;
  impl_->unread_at = impl_->at;
}

void ChainCheck::finish(VerifyReport& report) {
  Impl& self = *impl_;
  self.settle_fragment(false);
  self.report_restarts();
  for (const std::string& id : self.order) {
    Chain& chain = self.chains.find(id)->second;
    std::sort(chain.gaps.begin(), chain.gaps.end(),
              [](const Gap& a, const Gap& b) { return a.first < b.first; });
    for (const Gap& gap : chain.gaps) self.report_gap(chain, gap);
    report.chains.push_back(std::move(chain.report));
  }
  report.findings = std::move(self.findings);
  report.findings_total = self.findings_total;
  report.by_kind = self.by_kind;
}

}  // namespace lilith::audit
