#pragma once
// Recorded events decided again under candidate policies. Pure: events in, tallies out; reading
// files and printing are elsewhere. The evaluator is rules::decide, the very same that the enforcer
// uses.

#include "audit/event.hpp"
#include "rules/decide.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lilith::replay {

// What a candidate says of an event, against what is recorded. `unknown` is never counted as
// allowed.
enum class Change { kUnchanged, kNewlyDenied, kNewlyAllowed, kUnknown };
[[nodiscard]] std::string_view name(Change change);

// Why an event can't be decided again; empty when it can. A call that was cut or redacted is not
// the call any more.
[[nodiscard]] std::string why_unknown(const audit::Event& event);

struct Group {
  std::uint64_t events = 0;
  std::uint64_t blocked = 0;  // of those, enforced and not only logged
  std::set<std::uint32_t> hosts, users;
  WallTime first{}, last{};
  std::string example;  // id of the first event
  // Counted last: most events repeat them, and a set is slow to ask.
  std::uint32_t last_host = UINT32_MAX, last_user = UINT32_MAX;
};
// Ways to look at the newly denied.
enum class By { kRule, kTool, kTarget, kHost, kUser };
inline constexpr std::size_t kGroupings = 5;
[[nodiscard]] std::string_view name(By by);

struct CandidateTally {
  std::string name;  // file name of the policy
  std::string sha256;
  std::uint64_t allowed = 0, denied = 0;  // by the candidate, of the decided
  std::map<Change, std::uint64_t> changes;
  std::uint64_t blocked = 0;  // newly denied and enforced: what a person would notice
  std::array<std::unordered_map<std::string, Group>, kGroupings> newly_denied;
  std::unordered_map<std::string, Group> newly_allowed_by_rule;
};

struct Quality {
  std::uint64_t events = 0;        // all events read
  std::uint64_t decided = 0;       // calls that were decided again
  std::uint64_t imported = 0;      // of those, history that was not decided when it happened
  std::uint64_t other_events = 0;  // log_opened and the like
  std::uint64_t duplicates = 0;    // the same id again; counted once
  std::uint64_t refused_by_person =
      0;  // imported calls that a person or the agent's own rules refused; left out
  std::uint64_t unknown = 0;
  std::map<std::string, std::uint64_t> unknown_why;
  WallTime first{}, last{};
  std::set<std::uint32_t> hosts, users;
};

class Replayer {
 public:
  explicit Replayer(std::vector<std::shared_ptr<const rules::Policy>> candidates);
  ~Replayer();
  Replayer(const Replayer&) = delete;
  Replayer& operator=(const Replayer&) = delete;

  void add(const audit::Event& event);

  [[nodiscard]] const std::vector<CandidateTally>& candidates() const { return tallies_; }
  [[nodiscard]] const Quality& quality() const { return quality_; }

 private:
  struct Verdict;  // of one candidate for one call
  struct Memo;
  void count(const audit::Event& event, std::vector<Verdict>& verdicts);
  [[nodiscard]] std::uint32_t id_of(std::string_view name);

  std::vector<std::shared_ptr<const rules::Policy>> policies_;
  std::vector<CandidateTally> tallies_;
  Quality quality_;
  std::unique_ptr<Memo> memo_;
  std::uint32_t host_ = 0, user_ = 0;  // of the event in hand
};

// One event whose recorded decision differs from what the same policy says now.
struct Disagreement {
  std::string id, recorded, now, rule_recorded, rule_now;
};
struct Fidelity {
  std::uint64_t compared = 0, left_out = 0, other_policy = 0;
  std::uint64_t disagreements = 0;
  std::vector<Disagreement> examples;  // the first ones
};
// Decides `event` under `policy` if that is the policy that decided it, and compares.
void check_fidelity(const rules::Policy& policy, const audit::Event& event, Fidelity& out);

}  // namespace lilith::replay
