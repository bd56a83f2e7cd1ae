#pragma once
// Recorded traffic in the shape that the planner counts in: distinct calls, and who made them on
// which day. Every candidate decides a distinct call once, whoever made it how often.
//
// Memory grows with the distinct calls and (call, developer, day, session), not with the events.

#include "audit/event.hpp"
#include "replay/hash.hpp"
#include "rules/decide.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

// Texts by number, from 0 in order of first sight.
class Names {
 public:
  Names();
  ~Names();
  Names(Names&&) noexcept;
  Names& operator=(Names&&) noexcept;
  std::uint32_t id(std::string_view text);
  [[nodiscard]] const std::string& text(std::uint32_t id) const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Map;
  std::unique_ptr<Map> map_;
};

// Days since 1970-01-01 in the recording's own time zone, both ends included.
struct DayRange {
  std::int32_t first = 0, last = -1;
  [[nodiscard]] bool contains(std::int32_t day) const { return day >= first && day <= last; }
  [[nodiscard]] bool empty() const { return last < first; }
};
[[nodiscard]] std::string format_day(std::int32_t day);               // 2026-01-05
[[nodiscard]] Result<std::int32_t> parse_day(std::string_view text);  // the same

struct RecordedCall {
  std::string agent, tool, server;
  audit::Call call;
  audit::Facts facts;    // of its first event
  bool unknown = false;  // cut or redacted: can't be decided, and is never counted as allowed
};

// A developer is one user on one host.
struct Developer {
  std::uint32_t host = 0;  // of hosts
  std::string user;
};

// The same call by the same developer in one session on one day.
struct Use {
  std::uint32_t call = 0, developer = 0, session = 0;
  std::int32_t day = 0;
  std::uint32_t events = 0;
  std::uint32_t blocked = 0;  // of the events, blocked when they happened
  std::uint32_t refused = 0;  // of the events, let through and then refused by a person
  WallTime first{};
};

struct RecordingQuality {
  std::uint64_t events = 0, calls = 0, imported = 0, other_events = 0, duplicates = 0;
  std::uint64_t in_both = 0;  // calls of the log that imported history holds as well; once counted
  std::uint64_t refused = 0;  // by a person or the agent's own rules; they are no calls here
  std::uint64_t unknown = 0;
  WallTime first{}, last{};
};

class Recording {
 public:
  // Days begin at midnight of this offset from UTC: a working day that is cut in two by midnight
  // counts as two and halves every rate.
  explicit Recording(std::int32_t utc_offset_minutes = 0);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void add(const audit::Event& event);

  [[nodiscard]] const std::vector<RecordedCall>& calls() const { return calls_; }
  [[nodiscard]] const std::vector<Use>& uses() const { return uses_; }
  [[nodiscard]] const Names& hosts() const { return hosts_; }
  [[nodiscard]] const Names& sessions() const { return sessions_; }
  [[nodiscard]] const std::vector<Developer>& developers() const { return developers_; }
  [[nodiscard]] const RecordingQuality& quality() const { return quality_; }
  // Days with at least one call, in order.
  [[nodiscard]] std::vector<std::int32_t> active_days() const;
  [[nodiscard]] std::int32_t utc_offset_minutes() const { return utc_offset_minutes_; }

 private:
  struct Index;
  // Whether it counts; what a repeat knows beyond the event that was counted is added to that.
  [[nodiscard]] bool is_new(const audit::Event& event, Hash128 call_id);
  std::uint32_t call_of(const audit::Event& event);
  std::uint32_t developer_of(const audit::Event& event);

  std::int32_t utc_offset_minutes_;
  std::vector<RecordedCall> calls_;
  std::vector<Use> uses_;
  Names hosts_, sessions_;
  std::vector<Developer> developers_;
  RecordingQuality quality_;
  std::unique_ptr<Index> index_;
};

// What one policy says of each call of a recording; the indexes are those of calls().
struct Judgement {
  struct Verdict {
    bool deny = false;    // what the policy says, whatever its mode: what a flip to deny blocks
    bool blocks = false;  // denied and enforced: what the policy blocks as it is written
    bool unknown = false;
    std::uint32_t group = 0;   // of groups: what a gate can flip by itself
    std::uint32_t target = 0;  // of targets: what a developer would name as one block
    std::uint32_t rule = 0;    // of rules
  };
  std::vector<Verdict> verdicts;
  Names groups;   // "egress", "read_file", "write_file", "run_command", "mcp_tool", "other"
  Names targets;  // kind and target, home as ~, volatile parts as *
  Names rules;
};
[[nodiscard]] Judgement judge(const Recording& recording, const rules::Policy& policy);
// The same for the calls of these days, and of these developers (empty: all); all others stay
// unknown.
[[nodiscard]] Judgement judge(const Recording& recording, const rules::Policy& policy,
                              DayRange days, const std::vector<bool>& developers = {});

// Where a retry or a renamed temporary file is the same thing: UUIDs, 16 hexadecimal digits or more
// and 6 digits or more become *.
[[nodiscard]] std::string mask_volatile(std::string_view text);
// `path` with the developer's home as ~.
[[nodiscard]] std::string with_home(std::string_view path, const audit::Facts& facts);

}  // namespace lilith::replay
