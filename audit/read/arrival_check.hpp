#pragma once
// The judgement behind `lilith verify --arrived`, without files: lines of many hosts go in, in any
// order and with repeats, and what is missing, altered or forked comes out.
//
// Memory goes by chains and by gaps, not by events. Of each unbroken stretch of a chain only its
// first prev and its last hash are kept: a stretch grows or two of them join when these agree, so
// that every link between neighbours is looked at once. A repeat is compared with the hashes of a
// chain's recent events and with one of every so many older ones; since a hash stands for all
// events before it, one agreement proves the whole run of repeats that leads there. What reaches no
// known hash is counted as not compared.

#include "audit/base/clock.hpp"
#include "audit/read/arrived_line.hpp"
#include "audit/read/verify.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

enum class ArrivalFault {
  kMissing,     // seqs between two that arrived or were named as withheld
  kAltered,     // an event whose bytes do not give its hash
  kForked,      // one seq with two contents, or a prev that names another event than the one there
  kUnreadable,  // a line that speaks of an event and can't be read
  kSilent,      // a host whose newest event is too old, or that never sent one
  // Of seals, as `lilith verify` has them (FindingKind in verify.hpp):
  kSealFailed,
  kSealMissing,
  kSealMiscounted,
  kSealRolledBack,
  kSealStopped,
  kSealUnknownKey,
  kClockSetBack,
};
inline constexpr std::size_t kArrivalFaults = 12;
[[nodiscard]] std::string_view name(ArrivalFault fault);

struct ArrivalFinding {
  ArrivalFault fault = ArrivalFault::kMissing;
  std::string host, chain_id;
  std::uint64_t first_seq = 0, last_seq = 0;  // both included; 0 where there is none
  std::string place;                          // "FILE:LINE" of the first, empty where there is none
  std::string message;                        // one sentence
  // kMissing: when the check came upon the gap. kSilent: the time of the host's newest event.
  WallTime since{};
};

struct ArrivalOptions {
  std::size_t findings_max = 1000;
  bool from_start = false;       // a chain has to begin with seq 1
  std::optional<LineForm> form;  // a line in another one is unreadable
  std::optional<std::chrono::seconds> silent_after;
  std::vector<std::string> expected_hosts;  // silent when they sent nothing
  std::vector<VerifyKey> keys;              // empty: seals are not looked at
};

struct ArrivedChain {
  std::string id, host;
  std::uint64_t first_seq = 0, last_seq = 0;
  std::uint64_t events = 0;  // different ones
  std::uint64_t linked =
      0;  // of them: only chain members arrived, so that content can't be checked
  std::uint64_t repeats = 0;  // the same event again
  std::uint64_t repeats_not_compared = 0;
  std::uint64_t missing = 0, altered = 0, forked = 0;  // seqs
  // Seqs that did not arrive, and that `withheld` events of shippers name; no findings. May lie
  // outside of first_seq to last_seq.
  std::uint64_t withheld = 0;
  std::vector<std::string> withheld_by;  // "sink NAME on HOST", sorted
  std::uint64_t checkpoint_seq = 0;      // of the newest checkpoint event; 0: none
  std::string head;                      // first 32 characters of the last event's chain.hash
  WallTime first{}, last{};
};

struct ArrivedHost {
  std::string name;
  WallTime last{};
  bool silent = false;
  std::vector<std::size_t> chains;  // indexes
  // What the shipper's heartbeats say that each sink kept back; of routes and dead letters.
  std::map<std::string, std::uint64_t> withheld, dead_letters;
  std::uint64_t ship_losses = 0;  // ship_loss events
};

struct ArrivalReport {
  std::vector<ArrivedHost> hosts;        // by name
  std::vector<ArrivedChain> chains;      // by host, then id
  std::vector<ArrivalFinding> findings;  // at most findings_max
  std::vector<SealedUpTo> seals;         // by key
  std::uint64_t findings_total = 0;
  std::array<std::uint64_t, kArrivalFaults> by_fault{};  // seqs, lines, hosts, checkpoints
  std::array<std::uint64_t, kLineForms> by_form{};       // lines that held an event
  std::uint64_t lines = 0, foreign = 0;
  std::uint64_t events = 0, linked = 0, repeats = 0, repeats_not_compared = 0, added_to = 0;
  std::uint64_t withheld = 0;
  std::uint64_t not_placed = 0;           // events beyond a limit
  WallTime now{};                         // for the ages that are printed
  WallTime judged{};                      // by which hosts are silent
  std::vector<std::string> input_errors;  // which input could not be read, and why
  [[nodiscard]] bool incomplete() const { return !input_errors.empty() || not_placed > 0; }
};

class ArrivalCheck {
 public:
  explicit ArrivalCheck(const ArrivalOptions& options);
  ~ArrivalCheck();
  ArrivalCheck(const ArrivalCheck&) = delete;
  ArrivalCheck& operator=(const ArrivalCheck&) = delete;

  // Where the next lines come from: a file, a partition of a topic.
  void begin(const std::string& source);
  // `number`: of the line, or its offset. `now` dates a gap that opens here.
  void line(std::uint64_t number, std::string_view line, WallTime now);
  // A line that could not even be handed over: too long, or torn.
  void unreadable(std::uint64_t number, std::string why);

  // Everything so far; may be asked again and again. `judged`: where hosts are not called silent by
  // `now`.
  [[nodiscard]] ArrivalReport report(WallTime now) const { return report(now, now); }
  [[nodiscard]] ArrivalReport report(WallTime now, WallTime judged) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::audit
