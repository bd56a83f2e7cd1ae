#pragma once
// What a replay counted, in a form that adds up: the summary of two logs is the sum of their
// summaries. Reports are made of it and of nothing else, so that a merged report and the report of
// one machine that read everything are the same bytes.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "replay/input.hpp"
#include "replay/tables.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::json {
class View;
class Writer;
}  // namespace lilith::json

namespace lilith::replay {

// What a candidate says of an event, against what is recorded. `unknown` is never counted as
// allowed.
enum class Change { kUnchanged, kNewlyDenied, kNewlyAllowed, kUnknown };
inline constexpr std::size_t kChanges = 4;
[[nodiscard]] std::string_view name(Change change);

// Ways to look at the newly denied.
enum class By { kRule, kTool, kTarget, kHost, kUser };
inline constexpr std::size_t kGroupings = 5;
[[nodiscard]] std::string_view name(By by);

// Why an event can't be decided again.
enum class Unknown { kCut, kRedacted, kNoCall };
inline constexpr std::size_t kUnknowns = 3;
[[nodiscard]] std::string_view name(Unknown why);  // "the call was cut to fit"

struct Quality {
  std::uint64_t events = 0;             // all events read
  std::uint64_t decided = 0;            // calls that were decided again
  std::uint64_t imported = 0;           // of those, history that was not decided when it happened
  std::uint64_t other_events = 0;       // log_opened and the like
  std::uint64_t duplicates = 0;         // the same id again; counted once
  std::uint64_t in_both = 0;            // calls of the log that imported history holds as well, by
                                        // the agent's id of the call; counted once
  std::uint64_t refused_by_person = 0;  // imported calls that a person or the agent's own rules
                                        // refused; left out
  std::array<std::uint64_t, kUnknowns> unknown{};
  WallTime first{}, last{};  // of what was decided or is unknown
  [[nodiscard]] std::uint64_t unknown_in_all() const {
    return unknown[0] + unknown[1] + unknown[2];
  }
};

// The seqs of one chain that were seen.
class SeqRanges {
 public:
  // False when it was there already.
  bool add(std::uint64_t seq);
  void add_range(std::uint64_t first, std::uint64_t last);
  void add_all(const SeqRanges& other);
  [[nodiscard]] bool contains(std::uint64_t seq) const;
  [[nodiscard]] bool overlaps(const SeqRanges& other) const;
  // Seqs between the first and the last that were not seen.
  [[nodiscard]] std::uint64_t missing() const;
  // First -> last, both included, sorted, with at least one seq missing between any two.
  [[nodiscard]] std::map<std::uint64_t, std::uint64_t> ranges() const;
  [[nodiscard]] bool empty() const { return ranges_.empty() && open_first_ > open_last_; }

 private:
  using Map = std::map<std::uint64_t, std::uint64_t>;
  static void put(Map& ranges, std::uint64_t first, std::uint64_t last);
  Map ranges_;
  // The range that grows, kept apart: nearly every seq follows the one before.
  std::uint64_t open_first_ = 1, open_last_ = 0;
  std::uint64_t open_below_ = 0;  // it may grow while below this one
};

// The seqs of each chain, by chain id.
using ChainSeqs = std::map<std::string, SeqRanges, std::less<>>;

// One partition of a topic of Apache Kafka.
struct PartitionName {
  std::string cluster;  // its id
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const PartitionName&, const PartitionName&) = default;
};
[[nodiscard]] std::string to_string(const PartitionName& name);  // "agent-audit[3]"

struct HostSeen {
  WallTime first{}, last{};  // of any event, heartbeats too
  bool calls = false;        // had a call that was decided or is unknown
};

// What one candidate says of a call.
struct Verdict {
  bool deny = false;
  bool blocks = false;       // enforced, not only logged
  std::uint32_t rule = 0;    // text
  std::uint32_t target = 0;  // text, of what is denied
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

// Calls that nobody can tell apart in a report: the same tool, user, and verdicts of all
// candidates.
struct CallClass {
  std::uint32_t tool = 0, user = 0;  // texts
  std::uint32_t first_row = HashTable::kNone;
};

// The events of one class on one host; those that were denied when they happened apart.
struct Row {
  std::uint32_t call_class = 0, host = 0;  // host: text
  std::uint32_t next_row = HashTable::kNone;
  bool was_denied = false;
  std::uint64_t events = 0;
  WallTime first{}, last{};
  std::uint64_t example_high = 0, example_low = 0;  // id of the first event, see Summary::id_text
};

// One line of a table in the report.
struct Group {
  std::string key;
  std::uint64_t events = 0;
  std::uint64_t blocked = 0;  // of those, enforced and not only logged
  std::uint64_t hosts = 0, users = 0;
  WallTime first{}, last{};
  std::string example;  // id of the first event
};
struct Table {
  std::uint64_t groups = 0;  // in all
  std::vector<Group> rows;   // the largest ones; equal ones by key
};

struct CandidateTally {
  std::string name;  // file name of the policy
  std::string sha256;
  std::uint64_t allowed = 0, denied = 0;  // by the candidate, of the decided
  std::array<std::uint64_t, kChanges> changes{};
  std::uint64_t blocked = 0;  // newly denied and enforced: what a person would notice
  std::array<Table, kGroupings> newly_denied;
  Table newly_allowed_by_rule;
  [[nodiscard]] std::uint64_t count(Change change) const {
    return changes[static_cast<std::size_t>(change)];
  }
};

struct Candidate {
  std::string name, sha256;
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

class Summary {
 public:
  explicit Summary(std::vector<Candidate> candidates = {}) : candidates_(std::move(candidates)) {
    texts_.id_of("");  // 0: no text
  }

  InputReport input;
  Quality quality;
  ChainSeqs chains;
  std::map<std::string, HostSeen, std::less<>> hosts;
  std::set<std::string, std::less<>> users;  // of calls decided or unknown
  // Of what came from Kafka: the messages of each partition that were read, offset 0 as 1, and what
  // its earlier summaries had seen (for whoever reads on; a sum has none).
  std::map<PartitionName, SeqRanges> partitions;
  ChainSeqs earlier;

  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }

  std::uint32_t text(std::string_view text) { return texts_.id_of(text); }
  // The class of these verdicts (one a candidate), this tool and this user.
  [[nodiscard]] std::uint32_t class_of(std::string_view tool, std::string_view user,
                                       const std::vector<Verdict>& verdicts);
  // Counts `events` of a class that a host (a text) had between two times; `example` is the id of
  // the first.
  void count(std::uint32_t call_class, std::uint32_t host, bool was_denied, std::uint64_t events,
             WallTime first, WallTime last, std::string_view example);

  // The tables of each candidate with at most `top` rows; what is counted is counted over all.
  [[nodiscard]] std::vector<CandidateTally> tally(std::size_t top) const;
  // Events by what two candidates say of them: allowed by both, denied by the second alone, by the
  // first alone, by both.
  [[nodiscard]] std::array<std::uint64_t, 4> flips(std::size_t first, std::size_t second) const;
  // Of the events that `from` allows and `to` denies, by `by`.
  [[nodiscard]] Table denied_only_by(std::size_t to, std::size_t from, By by,
                                     std::size_t top) const;
  [[nodiscard]] std::uint64_t hosts_with_calls() const;
  // Hosts whose last event of any kind lies further back from the newest call of all than limits
  // say.
  [[nodiscard]] std::vector<std::string> silent_hosts() const;
  [[nodiscard]] std::uint64_t missing() const;  // seqs, over all chains
  // Offsets before the last one read that no summary accounts for: "agent-audit[3]: offsets 10 to
  // 19 are in no summary".
  [[nodiscard]] std::vector<std::string> unread() const;

  // Adds another summary of the same candidates. Refused when both hold a seq of one chain, or an
  // offset of one partition.
  [[nodiscard]] Result<void> merge(const Summary& other);
  // One JSON object with LF; from_json() gives the same summary back.
  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<Summary> from_json(std::string_view json);

 private:
  [[nodiscard]] const Verdict& verdict(const Row& row, std::size_t candidate) const {
    return verdicts_[row.call_class * candidates_.size() + candidate];
  }
  [[nodiscard]] std::uint32_t key_of(const Row& row, std::size_t candidate, By by) const;
  template <class Wanted>
  [[nodiscard]] Table table(std::size_t candidate, By by, std::size_t top, Wanted wanted) const;
  [[nodiscard]] std::string id_text(const Row& row) const;
  [[nodiscard]] std::size_t place_of(std::uint32_t tool, std::uint32_t user,
                                     const std::vector<Verdict>& verdicts) const;
  [[nodiscard]] Result<void> share_nothing(const Summary& other) const;
  void write_rows(json::Writer& writer) const;
  void read_row(json::View from, std::string& wrong);

  std::vector<Candidate> candidates_;
  Texts texts_;
  // Deques: what grows with the distinct calls never has to be copied to twice its room.
  std::deque<CallClass> classes_;
  std::deque<Verdict> verdicts_;             // one a candidate and class
  std::deque<Row> rows_;                     // in order of first sight
  std::vector<std::uint32_t> class_places_;  // class + 1 by hash of its content, 0 for none
};

}  // namespace lilith::replay
