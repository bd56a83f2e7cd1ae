#pragma once
// What a flip to deny would cost: blocks per active developer-day with an upper bound. A block is
// one distinct (tool, target) that was denied to one developer on one day; a retry loop is one.
//
// Three cases, never in one number (docs/replay.md):
//   A fixed        the policy was written without this recording: every day is evidence
//   B learned      it was learned or tuned on days of this recording: only later days are evidence
//   C new people   it was learned from other people: only who taught it nothing is judged, by what
//                  the others taught

#include "replay/recording.hpp"
#include "replay/statistics.hpp"

#include <functional>
#include <string>
#include <vector>

namespace lilith::replay {

enum class Case { kFixed, kLearned, kNewPeople };
[[nodiscard]] std::string_view name(Case kind);  // fixed, learned, new_people

// Below these no interval is printed: with 59 developer-days and no block, a rate of 5 % can just
// be excluded (0.95^59 < 0.05), and neither four hosts nor four days say how hosts or days differ.
inline constexpr double kTestDeveloperDaysMin = 59;
inline constexpr std::size_t kTestDaysMin = 5, kTestHostsMin = 5;
inline constexpr double kWorkingDaysAhead = 5;  // the forecast is for the next working week
inline constexpr double kWorstThreshold = 2;  // blocks a day that a developer would call "too many"
inline constexpr std::size_t kPastWindowDays = 3;

// Which uses count; all of them where a member is empty.
struct Selection {
  bool enforced_only = false;    // blocks of the policy as written, not of a flip of all of it
  std::string group;             // of Judgement::groups
  std::vector<bool> developers;  // by index of Recording::developers()
  std::vector<bool> taught;      // the same: who taught the policy, and is not judged
};

// Who judges whose calls: one policy everybody's, or, for kNewPeople, each developer's the policy
// that was learned without them. The judgements must outlive this.
class Judges {
 public:
  Judges(const Judgement& everybody) : judgements_{&everybody} {}
  Judges(const std::vector<Judgement>& judgements, std::vector<std::uint32_t> of_developer);
  [[nodiscard]] const Judgement& of(std::uint32_t developer) const {
    return *judgements_[of_developer_.empty() ? 0 : of_developer_[developer]];
  }
  [[nodiscard]] const Judgement::Verdict& verdict(const Use& use) const {
    return of(use.developer).verdicts[use.call];
  }

 private:
  std::vector<const Judgement*> judgements_;
  std::vector<std::uint32_t> of_developer_;
};

// Blocks and activity of the days. Rows are hosts that were active in the range, columns its active
// days. Activity is of the selected developers, whatever they called: who uses no command is not
// spared of one.
[[nodiscard]] Grid grid_of(const Recording& recording, const Judges& judges, DayRange days,
                           const Selection& selection = {});
// What was blocked when it happened, in the same shape: the rate of today.
[[nodiscard]] Grid recorded_blocks(const Recording& recording, DayRange days,
                                   const Selection& selection = {});

struct PastBound {
  DayRange made_on, held_on;
  double upper = 0, came = 0;
  [[nodiscard]] bool held() const { return came <= upper; }
};

// A tool that the baseline did not hold: mostly an update of an agent or a new MCP server, and one
// decision of a person, not many blocks of many people.
struct NewTool {
  std::string tool;
  std::int32_t first_day = 0;
  std::uint64_t events = 0;
  std::size_t developers = 0;
  double blocks = 0;
};

struct Forecast {
  Case kind = Case::kFixed;
  DayRange learned;  // empty for kFixed
  DayRange tested;
  std::size_t hosts = 0, developers = 0, days = 0;
  double developer_days = 0;
  std::string refused;  // why there is no interval; then `bound` and what follows from it is empty
  Bound bound;
  double now = 0;          // blocks per developer-day that were recorded
  bool now_known = false;  // false: imported history, nothing was decided
  std::uint64_t events_denied = 0, events_unknown = 0, events = 0;
  std::size_t sessions = 0, sessions_blocked = 0;
  double top_host_share = 0;  // of the blocks
  std::string top_host;
  double rate_without_top_host = 0;
  std::size_t developers_over = 0;  // above kWorstThreshold a day on their active days
  double worst_rate = 0;
  std::string worst_developer;
  double worst_confidence = 0;     // that worst_rate bounds 95 % of developers like these
  std::vector<NewTool> new_tools;  // kLearned and kNewPeople
  double rate_without_new_tools = 0;
  std::vector<PastBound> past;
};

// The grid of test days for a policy learned on `learned` days; kFixed ignores `learned`.
using Judge = std::function<Grid(DayRange learned, DayRange tested)>;

// Halves of the active days: learn on the first, test on the second.
struct Halves {
  DayRange learned, tested;
};
[[nodiscard]] Halves halves_of(const std::vector<std::int32_t>& active_days);

// `learned` is empty for kFixed.
[[nodiscard]] Forecast forecast(const Recording& recording, const Judges& judges, Case kind,
                                DayRange learned, DayRange tested, Random& random,
                                const Selection& selection = {});

// How often bounds made earlier in this same recording held for the window that followed.
[[nodiscard]] std::vector<PastBound> past_bounds(const std::vector<std::int32_t>& active_days,
                                                 Case kind, const Judge& judge, Random& random);

// Which days of a recording are evidence for a policy.
struct Evidence {
  Case kind = Case::kFixed;
  DayRange learned, tested;
  std::vector<bool> taught;        // of kNewPeople, as of Selection
  std::string refused;             // why no day is
  std::vector<std::string> notes;  // what a reader must know before quoting a number
};
// `policy_path` is read for its learned_from comment; `learned_until` ("2026-01-16") beats it.
// `taught_by`: globs over hosts, or over user@host, of those whose calls the policy was made from;
// when there are any, all others are new people. An error when it names nobody.
[[nodiscard]] Result<Evidence> evidence_for(const Recording& recording,
                                            const std::string& policy_path,
                                            std::string_view learned_until,
                                            const std::vector<std::string>& taught_by = {});
// The forecast of one policy over these days and people.
[[nodiscard]] Forecast forecast(const Recording& recording, const Judges& judges,
                                const Evidence& evidence, Random& random,
                                const Selection& selection = {});

// One sentence that can be quoted.
[[nodiscard]] std::string sentence(const Forecast& forecast, std::string_view policy,
                                   std::string_view sha256);

}  // namespace lilith::replay
