#include "audit/read/arrival_check.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/read/seal_check.hpp"
#include "audit/read/seq_set.hpp"
#include "audit/read/withheld.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace lilith::audit {
namespace {

struct Place {
  std::size_t source = 0;
  std::uint64_t number = 0;
};

// Events that follow each other without a gap.
struct Run {
  std::uint64_t last = 0;
  ChainDigest first_prev, last_hash;
  WallTime since{};  // when it began, and with it the gap in front of it
};
using Runs = std::map<std::uint64_t, Run>;  // by the first seq

// Hashes by seq: of the latest events, and of every 2^n-th of all.
class KnownHashes {
 public:
  void put(std::uint64_t seq, std::uint64_t hash) {
    recent_[seq % recent_.size()] = {seq, hash};
    if ((seq & (stride_ - 1)) != 0) return;
    while (sparse_.size() >= limits::kArrivalSparseHashesMax) {
      stride_ *= 2;
      std::erase_if(sparse_, [this](const auto& one) { return (one.first & (stride_ - 1)) != 0; });
    }
    if ((seq & (stride_ - 1)) != 0) return;
    sparse_.emplace_back(seq, hash);
    // Nearly always in order already.
    for (std::size_t i = sparse_.size() - 1; i > 0 && sparse_[i - 1].first > sparse_[i].first; --i)
      std::swap(sparse_[i - 1], sparse_[i]);
  }
  [[nodiscard]] std::optional<std::uint64_t> get(std::uint64_t seq) const {
    const auto& slot = recent_[seq % recent_.size()];
    if (slot.first == seq) return slot.second;
    const auto at =
        std::lower_bound(sparse_.begin(), sparse_.end(), std::pair{seq, std::uint64_t{0}});
    if (at != sparse_.end() && at->first == seq) return at->second;
    return std::nullopt;
  }

 private:
  using Slot = std::pair<std::uint64_t, std::uint64_t>;  // seq, hash; seq 0 is none
  std::vector<Slot> recent_ = std::vector<Slot>(limits::kArrivalRecentHashes);
  std::vector<Slot> sparse_;
  std::uint64_t stride_ = 1;
};

// Repeats that follow each other and have met no known hash yet.
struct RepeatRun {
  std::uint64_t seq = 0;
  ChainDigest hash;
  std::uint64_t pending = 0;
  bool forked = false;
};

// Seqs with one fault, and where the first of each stretch was seen.
struct Faulty {
  SeqSet seqs;
  std::map<std::uint64_t, Place> places;
  std::uint64_t beyond = 0;  // lines that would have begun one range too many

  void add(std::uint64_t seq, const Place& place) {
    if (!seqs.add(seq, limits::kArrivalRangesMax)) {
      if (!seqs.contains(seq)) ++beyond;
    } else if (places.size() < limits::kArrivalRangesMax) {
      places.emplace(seq, place);
    }
  }
};

struct Chain {
  std::string id, host;
  bool has_key = false;  // there is a verify key of that host
  Runs runs;
  Runs::iterator growing = runs.end();
  KnownHashes known;
  RepeatRun repeat;
  Faulty altered, forked, unlinked;
  std::uint64_t newest_seq = 0;
  std::uint64_t events = 0, linked = 0, repeats = 0, not_compared = 0, checkpoint_seq = 0;
  WallTime first = WallTime::max(), last = WallTime::min();
};

// What `withheld` events name of a chain.
class Named {
 public:
  struct Range {
    std::uint64_t last = 0;
    WallTime since{};  // when the range began, and with it the gap in front of it
  };
  using Ranges = std::map<std::uint64_t, Range>;  // by the first seq; none touches another

  void add(std::uint64_t first, std::uint64_t last, WallTime now) {
    auto after = ranges_.upper_bound(first);
    Range range{last, now};
    if (after != ranges_.begin() && std::prev(after)->second.last + 1 >= first) {
      --after;
      first = after->first;
      range.since = after->second.since;
    }
    while (after != ranges_.end() && after->first <= range.last + 1) {
      range.last = std::max(range.last, after->second.last);
      if (after->first == first) range.since = after->second.since;
      after = ranges_.erase(after);
    }
    ranges_.emplace(first, range);
  }
  [[nodiscard]] const Ranges& ranges() const { return ranges_; }

  std::set<std::string> by;  // "sink NAME on HOST"

 private:
  Ranges ranges_;
};

struct Host {
  WallTime last = WallTime::min();
  std::map<std::string, std::uint64_t> withheld, dead_letters;
  std::uint64_t ship_losses = 0;
};

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
template <class T>
using ByName = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

std::string seqs(std::uint64_t first, std::uint64_t last) {
  return first == last ? "seq " + std::to_string(first)
                       : "seq " + std::to_string(first) + " to " + std::to_string(last);
}

void raise(std::map<std::string, std::uint64_t>& counts, const std::string& key,
           std::string_view value) {
  std::uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  if (number == 0) return;
  if (counts.size() >= limits::kArrivalSinksMax && !counts.contains(key)) return;
  std::uint64_t& count = counts[key];
  count = std::max(count, number);
}

// In the order of the faults of seals.
constexpr std::array kSealKinds = {FindingKind::kSealFailed,     FindingKind::kSealMissing,
                                   FindingKind::kSealMiscounted, FindingKind::kSealRolledBack,
                                   FindingKind::kSealStopped,    FindingKind::kSealUnknownKey,
                                   FindingKind::kClockSetBack};
constexpr auto kFirstSealFault = static_cast<std::size_t>(ArrivalFault::kSealFailed);
static_assert(kFirstSealFault + kSealKinds.size() == kArrivalFaults);

}  // namespace

std::string_view name(ArrivalFault fault) {
  switch (fault) {
    case ArrivalFault::kMissing:
      return "missing";
    case ArrivalFault::kAltered:
      return "altered";
    case ArrivalFault::kForked:
      return "forked";
    case ArrivalFault::kUnreadable:
      return "unreadable";
    case ArrivalFault::kSilent:
      return "silent";
    case ArrivalFault::kSealFailed:
    case ArrivalFault::kSealMissing:
    case ArrivalFault::kSealMiscounted:
    case ArrivalFault::kSealRolledBack:
    case ArrivalFault::kSealStopped:
    case ArrivalFault::kSealUnknownKey:
    case ArrivalFault::kClockSetBack:
      break;
  }
  return name(kSealKinds[static_cast<std::size_t>(fault) - kFirstSealFault]);
}

struct ArrivalCheck::Impl {
  explicit Impl(const ArrivalOptions& o) : options(o) {
    if (!options.keys.empty()) seals.emplace(options.keys, SealCheck::Input::kArrived);
  }

  ArrivalOptions options;
  LineOpener opener;
  ByName<Chain> chains;
  ByName<Host> hosts;
  ByName<Named> named;  // by chain
  std::size_t named_ranges = 0;
  Chain* last_chain = nullptr;
  Host* last_host = nullptr;
  std::string_view last_host_name;
  ByName<std::size_t> source_numbers;
  std::vector<std::string> sources;
  std::size_t source = 0;
  std::size_t runs = 0;  // of all chains
  std::vector<std::pair<Place, std::string>> unreadable;
  std::uint64_t unreadable_total = 0;
  ArrivalReport totals;  // its counts of lines
  std::optional<SealCheck> seals;

  // ---- one line

  void open(const Place& place, std::string_view line, WallTime now) {
    ++totals.lines;
    ArrivedEvent event;
    const LineState state = opener.open(line, event);
    if (state == LineState::kForeign) {
      ++totals.foreign;
      return;
    }
    if (state == LineState::kUnreadable) {
      add_unreadable(place, opener.why());
      return;
    }
    if (options.form && *options.form != event.form) {
      add_unreadable(place, "an event in the form " + std::string(name(event.form)) + ", where " +
                                std::string(name(*options.form)) + " was asked for");
      return;
    }
    ++totals.by_form[static_cast<std::size_t>(event.form)];
    Chain* const chain = chain_of(event);
    if (chain == nullptr) {
      ++totals.not_placed;
      return;
    }
    if (state == LineState::kAltered) {
      chain->altered.add(event.seq, place);
      return;
    }
    if (event.added_to) ++totals.added_to;
    const bool is_new = accept(*chain, event, place, state == LineState::kLinked, now);
    if (is_new && seals) look_at_seals(*chain, event, place);
    if (event.kind == ArrivedKind::kWithheld) {
      if (is_new && !event.line.empty()) name_withheld(event, now);
    } else if (event.kind != ArrivedKind::kEvent) {
      note(*chain, event);
    }
  }

  void add_unreadable(const Place& place, std::string why) {
    ++unreadable_total;
    if (unreadable.size() < options.findings_max) unreadable.emplace_back(place, std::move(why));
  }

  Chain* chain_of(const ArrivedEvent& event) {
    if (last_chain != nullptr && last_chain->id == event.chain_id) return last_chain;
    auto at = chains.find(event.chain_id);
    if (at == chains.end()) {
      if (chains.size() >= limits::kArrivalChainsMax) return nullptr;
      at = chains.try_emplace(std::string(event.chain_id)).first;
      at->second.id = event.chain_id;
      set_host(at->second, event.host);
      at->second.growing = at->second.runs.end();
    }
    last_chain = &at->second;
    return last_chain;
  }

  Host* host_of(std::string_view host) {
    if (last_host != nullptr && last_host_name == host) return last_host;
    auto at = hosts.find(host);
    if (at == hosts.end()) {
      if (hosts.size() >= limits::kArrivalChainsMax) return nullptr;
      at = hosts.try_emplace(std::string(host)).first;
    }
    last_host = &at->second;
    last_host_name = at->first;
    return last_host;
  }

  void set_host(Chain& chain, std::string_view host) const {
    chain.host = host;
    chain.has_key = seals && seals->knows(host);
  }

  void look_at_seals(const Chain& chain, const ArrivedEvent& event, const Place& place) {
    const bool is_checkpoint = event.kind == ArrivedKind::kCheckpoint;
    const bool has_key = chain.host == event.host ? chain.has_key : seals->knows(event.host);
    if (!is_checkpoint && !has_key) return;
    if (!is_checkpoint && !event.line.empty() && !event.taken_apart) {
      seals->whole_event({sources[place.source], place.number, event.chain_id, event.host,
                          event.hash_text, event.seq, event.time},
                         event.line);
    } else if (!event.line.empty()) {
      seals->whole_line(sources[place.source], place.number, event.line);
    } else if (is_checkpoint) {
      seals->taken_apart(event.host);
    }
  }

  // Whether it is one more.
  bool accept(Chain& chain, const ArrivedEvent& event, const Place& place, bool linked,
              WallTime now) {
    if (event.seq > chain.newest_seq) {
      chain.newest_seq = event.seq;
      if (chain.host != event.host) set_host(chain, event.host);
    }
    chain.first = std::min(chain.first, event.time);
    chain.last = std::max(chain.last, event.time);
    if (Host* const host = host_of(event.host)) host->last = std::max(host->last, event.time);
    if (event.genesis != (event.seq == 1)) chain.unlinked.add(event.seq, place);
    if (!put(chain, event, place, now)) return false;
    ++chain.events;
    if (linked) ++chain.linked;
    chain.known.put(event.seq, event.hash.high);
    return true;
  }

  // False: a repeat, a fork, or one too many.
  bool put(Chain& chain, const ArrivedEvent& event, const Place& place, WallTime now) {
    const std::uint64_t seq = event.seq;
    auto before = chain.growing;
    auto after = before == chain.runs.end() ? before : std::next(before);
    const bool follows = before != chain.runs.end() && before->second.last + 1 == seq &&
                         (after == chain.runs.end() || after->first > seq);
    if (!follows) {
      after = chain.runs.upper_bound(seq);
      before = after == chain.runs.begin() ? chain.runs.end() : std::prev(after);
      if (before != chain.runs.end() && before->second.last >= seq) {
        repeated(chain, before->second, event, place);
        return false;
      }
    }
    const bool joins_before = before != chain.runs.end() && before->second.last + 1 == seq;
    const bool joins_after = after != chain.runs.end() && after->first == seq + 1;
    if (joins_before && before->second.last_hash != event.prev) chain.unlinked.add(seq, place);
    if (joins_after && after->second.first_prev != event.hash) chain.unlinked.add(seq + 1, place);
    if (joins_before) {
      before->second.last = joins_after ? after->second.last : seq;
      before->second.last_hash = joins_after ? after->second.last_hash : event.hash;
      if (joins_after) {
        chain.runs.erase(after);
        --runs;
      }
      chain.growing = before;
      return true;
    }
    Run run{seq, event.prev, event.hash, now};
    if (joins_after) {
      run.last = after->second.last;
      run.last_hash = after->second.last_hash;
      run.since = after->second.since;
      chain.runs.erase(after);
      --runs;
    } else if (runs >= limits::kArrivalRunsMax) {
      ++totals.not_placed;
      return false;
    }
    chain.growing = chain.runs.emplace(seq, run).first;
    ++runs;
    return true;
  }

  // A seq that is there already: the same event, or another one.
  static void repeated(Chain& chain, const Run& run, const ArrivedEvent& event,
                       const Place& place) {
    RepeatRun& repeat = chain.repeat;
    const bool goes_on = repeat.seq + 1 == event.seq && repeat.hash == event.prev;
    if (!goes_on) {
      chain.not_compared += std::exchange(repeat.pending, 0);
      repeat.forked = false;
    }
    repeat.seq = event.seq;
    repeat.hash = event.hash;
    const auto known = run.last == event.seq ? run.last_hash.high : chain.known.get(event.seq);
    if (known ? *known != event.hash.high : repeat.forked) {
      chain.not_compared += std::exchange(repeat.pending, 0);
      repeat.forked = true;
      chain.forked.add(event.seq, place);
      return;
    }
    ++chain.repeats;
    if (known) {
      repeat.pending = 0;
      repeat.forked = false;
    } else {
      ++repeat.pending;
    }
  }

  // Of an event that arrived whole and is one more of its chain: a copy that was altered, or the
  // other side of a fork, names nothing.
  void name_withheld(const ArrivedEvent& event, WallTime now) {
    const auto whole = decode(event.line);
    const auto withheld = whole ? withheld_of(*whole) : std::nullopt;
    if (!withheld) return;
    auto at = named.find(withheld->chain_id);
    if (at == named.end()) {
      if (named.size() >= limits::kArrivalChainsMax) {
        ++totals.not_placed;
        return;
      }
      at = named.try_emplace(withheld->chain_id).first;
    }
    Named& of = at->second;
    named_ranges -= of.ranges().size();
    for (const auto& [first, last] : withheld->seqs.ranges()) {
      if (named_ranges + of.ranges().size() >= limits::kArrivalWithheldRangesMax) {
        ++totals.not_placed;
        break;
      }
      of.add(first, last, now);
    }
    named_ranges += of.ranges().size();
    if (of.by.size() < limits::kArrivalSinksMax)
      of.by.insert("sink " + withheld->sink + " on " + whole->host);
  }

  // What a rare event says that explains a gap.
  void note(Chain& chain, const ArrivedEvent& event) {
    if (event.kind == ArrivedKind::kCheckpoint) {
      chain.checkpoint_seq = std::max(chain.checkpoint_seq, event.seq);
      return;
    }
    Host* const host = host_of(event.host);
    if (host == nullptr) return;
    if (event.kind == ArrivedKind::kShipLoss) ++host->ship_losses;
    if (event.kind != ArrivedKind::kHeartbeat || event.line.empty()) return;
    const auto whole = decode(event.line);
    if (!whole) return;
    std::string sink;
    for (const auto& [key, value] : whole->detail) {
      if (key == "sink") sink = value;
      if (key == "withheld_events") raise(host->withheld, sink, value);
      if (key == "dead_letters") raise(host->dead_letters, sink, value);
    }
  }

  // ---- the report

  [[nodiscard]] std::string text_of(const Place& place) const {
    return sources.empty() ? "" : sources[place.source] + ":" + std::to_string(place.number);
  }

  static void put_finding(ArrivalReport& out, std::size_t findings_max, ArrivalFinding finding,
                          std::uint64_t weight) {
    ++out.findings_total;
    out.by_fault[static_cast<std::size_t>(finding.fault)] += weight;
    if (out.findings.size() < findings_max) out.findings.push_back(std::move(finding));
  }

  void put_faulty(ArrivalReport& out, const Chain& chain, ArrivalFault fault, const Faulty& faulty,
                  const std::function<std::string(std::uint64_t, std::uint64_t)>& message) const {
    for (const auto& [first, last] : faulty.seqs.ranges()) {
      const auto place = faulty.places.lower_bound(first);
      put_finding(
          out, options.findings_max,
          {fault, chain.host, chain.id, first, last,
           place == faulty.places.end() ? "" : text_of(place->second), message(first, last)},
          last - first + 1);
    }
    if (faulty.beyond == 0) return;
    put_finding(out, options.findings_max,
                {fault, chain.host, chain.id, 0, 0, "",
                 std::to_string(faulty.beyond) + " further lines with this fault, in more than " +
                     std::to_string(limits::kArrivalRangesMax) + " ranges of seq"},
                faulty.beyond);
  }

  // Of a named range, what is in no run.
  static std::uint64_t not_arrived(const Chain& chain, std::uint64_t first, std::uint64_t last) {
    std::uint64_t count = last - first + 1;
    auto run = chain.runs.upper_bound(first);
    if (run != chain.runs.begin()) --run;
    for (; run != chain.runs.end() && run->first <= last; ++run) {
      const std::uint64_t from = std::max(first, run->first), to = std::min(last, run->second.last);
      if (from <= to) count -= to - from + 1;
    }
    return count;
  }

  // Runs, and what was named as withheld, by the first seq; they may overlap. With `since`.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, Named::Range>> known_ranges(
      const Chain& chain) const {
    std::vector<std::pair<std::uint64_t, Named::Range>> out;
    for (const auto& [first, run] : chain.runs) out.push_back({first, {run.last, run.since}});
    const auto of = named.find(chain.id);
    if (of == named.end()) return out;
    const auto arrived = static_cast<std::ptrdiff_t>(out.size());
    for (const auto& [first, range] : of->second.ranges()) out.push_back({first, range});
    std::inplace_merge(out.begin(), out.begin() + arrived, out.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    return out;
  }

  // Seqs between what arrived or was named, without those of which an altered copy arrived.
  std::uint64_t put_missing(ArrivalReport& out, const Chain& chain) const {
    std::uint64_t total = 0;
    const auto gap = [&](std::uint64_t first, std::uint64_t last, WallTime since) {
      for (std::uint64_t from = first; from <= last;) {
        std::uint64_t to = last, next = last + 1;
        const auto& altered = chain.altered.seqs.ranges();
        auto at = altered.upper_bound(from);
        if (at != altered.begin() && std::prev(at)->second >= from) {
          from = std::prev(at)->second + 1;
          continue;
        }
        if (at != altered.end() && at->first <= last) {
          to = at->first - 1;
          next = at->second + 1;
        }
        total += to - from + 1;
        put_finding(out, options.findings_max,
                    {ArrivalFault::kMissing, chain.host, chain.id, from, to, "",
                     seqs(from, to) + (from == to ? " is" : " are") + " missing", since},
                    to - from + 1);
        from = next;
      }
    };
    std::uint64_t next = options.from_start ? 1 : 0;
    for (const auto& [first, range] : known_ranges(chain)) {
      if (next != 0 && first > next) gap(next, first - 1, range.since);
      next = std::max(next, range.last + 1);
    }
    return total;
  }

  void put_chain(ArrivalReport& out, const Chain& chain) const {
    ArrivedChain one;
    one.id = chain.id;
    one.host = chain.host;
    one.missing = put_missing(out, chain);
    put_faulty(out, chain, ArrivalFault::kAltered, chain.altered,
               [&](std::uint64_t first, std::uint64_t last) {
                 bool whole = true;
                 for (std::uint64_t seq = first; whole && seq <= last; ++seq)
                   whole = arrived(chain, seq);
                 return seqs(first, last) + " arrived altered: the bytes do not give the hash" +
                        (whole ? "; unaltered copies arrived as well" : "");
               });
    put_faulty(out, chain, ArrivalFault::kForked, chain.forked,
               [](std::uint64_t first, std::uint64_t last) {
                 return seqs(first, last) +
                        " arrived with two contents, each whole by its own hash: two writers have "
                        "this identity, or the log went back to an older state";
               });
    const Faulty unlinked = unexplained(chain);
    put_faulty(out, chain, ArrivalFault::kForked, unlinked,
               [](std::uint64_t first, std::uint64_t last) {
                 return seqs(first, last) +
                        " names another event before it than the one that arrived: that one was "
                        "replaced, or this one belongs to another branch";
               });
    one.altered = chain.altered.seqs.count() + chain.altered.beyond;
    one.forked =
        chain.forked.seqs.count() + chain.forked.beyond + unlinked.seqs.count() + unlinked.beyond;
    if (chain.runs.empty()) return;
    if (const auto of = named.find(chain.id); of != named.end()) {
      for (const auto& [first, range] : of->second.ranges())
        one.withheld += not_arrived(chain, first, range.last);
      one.withheld_by.assign(of->second.by.begin(), of->second.by.end());
    }
    one.first_seq = chain.runs.begin()->first;
    const Run& last = std::prev(chain.runs.end())->second;
    one.last_seq = last.last;
    one.head = digest_text(last.last_hash);
    one.events = chain.events;
    one.linked = chain.linked;
    one.repeats = chain.repeats;
    one.repeats_not_compared = chain.not_compared + chain.repeat.pending;
    one.checkpoint_seq = chain.checkpoint_seq;
    one.first = chain.first;
    one.last = chain.last;
    out.events += one.events;
    out.linked += one.linked;
    out.withheld += one.withheld;
    out.repeats += one.repeats;
    out.repeats_not_compared += one.repeats_not_compared;
    out.chains.push_back(std::move(one));
  }

  static bool arrived(const Chain& chain, std::uint64_t seq) {
    const auto after = chain.runs.upper_bound(seq);
    return after != chain.runs.begin() && std::prev(after)->second.last >= seq;
  }

  // A seq with two contents makes its neighbours disagree; that is no further finding.
  static Faulty unexplained(const Chain& chain) {
    Faulty out;
    for (const auto& [first, last] : chain.unlinked.seqs.ranges()) {
      for (std::uint64_t seq = first; seq <= last; ++seq) {
        if (chain.forked.seqs.contains(seq) || chain.forked.seqs.contains(seq - 1)) continue;
        const auto place = chain.unlinked.places.find(seq);
        out.add(seq, place == chain.unlinked.places.end() ? Place{} : place->second);
      }
    }
    out.beyond = chain.unlinked.beyond;
    return out;
  }

  static std::string digest_text(const ChainDigest& digest) {
    std::array<unsigned char, 16> bytes{};
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[i] = static_cast<unsigned char>(digest.high >> (56 - 8 * i));
      bytes[8 + i] = static_cast<unsigned char>(digest.low >> (56 - 8 * i));
    }
    return to_hex(bytes.data(), bytes.size());
  }

  void put_seals(ArrivalReport& out) const {
    if (!seals) return;
    SealReport report = seals->report();
    out.seals = std::move(report.seals);
    for (Finding& finding : report.findings) {
      const auto kind = std::find(kSealKinds.begin(), kSealKinds.end(), finding.kind);
      if (kind == kSealKinds.end()) continue;
      const auto fault = static_cast<ArrivalFault>(
          kFirstSealFault + static_cast<std::size_t>(kind - kSealKinds.begin()));
      put_finding(out, options.findings_max,
                  {fault,
                   finding.host,
                   finding.chain_id,
                   finding.seq,
                   finding.seq,
                   finding.line == 0 ? "" : finding.file + ":" + std::to_string(finding.line),
                   std::move(finding.message),
                   {}},
                  1);
    }
    out.findings_total += report.findings_beyond;
  }

  void put_hosts(ArrivalReport& out) const {
    std::map<std::string, ArrivedHost> sorted;
    for (const auto& [host, state] : hosts) {
      ArrivedHost& one = sorted[host];
      one.last = state.last;
      one.withheld = state.withheld;
      one.dead_letters = state.dead_letters;
      one.ship_losses = state.ship_losses;
    }
    for (const std::string& host : options.expected_hosts) sorted.try_emplace(host);
    for (std::size_t i = 0; i < out.chains.size(); ++i)
      sorted[out.chains[i].host].chains.push_back(i);
    for (auto& [host, one] : sorted) {
      one.name = host;
      const bool never = !hosts.contains(host);
      one.silent = never || (options.silent_after && out.judged - one.last > *options.silent_after);
      if (one.silent) {
        put_finding(out, options.findings_max,
                    {ArrivalFault::kSilent, host, "", 0, 0, "",
                     never ? "sent nothing" : "silent since " + format_time(one.last),
                     never ? WallTime{} : one.last},
                    1);
      }
      out.hosts.push_back(std::move(one));
    }
  }

  [[nodiscard]] ArrivalReport report(WallTime now, WallTime judged) const {
    ArrivalReport out = totals;
    out.now = now;
    out.judged = judged;
    std::vector<const Chain*> sorted;
    for (const auto& [id, chain] : chains) sorted.push_back(&chain);
    std::sort(sorted.begin(), sorted.end(), [](const Chain* a, const Chain* b) {
      return std::tie(a->host, a->id) < std::tie(b->host, b->id);
    });
    for (const Chain* const chain : sorted) put_chain(out, *chain);
    put_seals(out);
    for (const auto& [place, why] : unreadable) {
      put_finding(out, options.findings_max,
                  {ArrivalFault::kUnreadable, "", "", 0, 0, text_of(place), why}, 1);
    }
    const std::uint64_t more = unreadable_total - unreadable.size();
    out.findings_total += more;
    out.by_fault[static_cast<std::size_t>(ArrivalFault::kUnreadable)] += more;
    put_hosts(out);
    return out;
  }
};

ArrivalCheck::ArrivalCheck(const ArrivalOptions& options)
    : impl_(std::make_unique<Impl>(options)) {}
ArrivalCheck::~ArrivalCheck() = default;

void ArrivalCheck::begin(const std::string& source) {
  Impl& self = *impl_;
  const auto [at, added] = self.source_numbers.try_emplace(source, self.sources.size());
  if (added) self.sources.push_back(source);
  self.source = at->second;
}

void ArrivalCheck::line(std::uint64_t number, std::string_view line, WallTime now) {
  impl_->open({impl_->source, number}, line, now);
}

void ArrivalCheck::unreadable(std::uint64_t number, std::string why) {
  ++impl_->totals.lines;
  impl_->add_unreadable({impl_->source, number}, std::move(why));
}

ArrivalReport ArrivalCheck::report(WallTime now, WallTime judged) const {
  return impl_->report(now, judged);
}

}  // namespace lilith::audit
