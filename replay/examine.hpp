#pragma once
// From a line to what counting needs of it: the policy-independent half of a replay, and the
// verdicts of calls that were not met before. One Examiner a thread.

#include "audit/event.hpp"
#include "replay/summary.hpp"
#include "rules/decide.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

// One event. The views are into the line, or into texts of the Batch that holds this.
struct Observation {
  enum class Kind : std::uint8_t { kOther, kRefused, kUnknown, kCall };
  Kind kind = Kind::kOther;
  Unknown why = Unknown::kNoCall;  // of kUnknown
  bool imported = false, was_denied = false;
  WallTime time{};
  std::uint64_t seq = 0;
  Hash128 id;       // of the event's id; {} when it has none
  Hash128 call_id;  // of the agent's id of the call (call_id_hash); {} when it has none
  Hash128 key;      // of everything that rules::decide looks at; of kCall
  std::string_view id_text, host, user, chain;
};

// What all candidates say of a call.
struct DecidedCall {
  struct One {
    bool deny = false, blocks = false;
    std::string rule, target;
  };
  Hash128 key;
  bool no_call = false;  // nothing to decide: the events are unknown
  std::string tool, user;
  std::vector<One> verdicts;
};

struct Fault {
  std::size_t line = 0;  // index of the line that is no event
  std::string message;
};

// What lines that follow each other gave.
struct Batch {
  std::vector<Observation> events;
  std::vector<DecidedCall> decided;  // calls that the Examiner met for the first time
  std::vector<Fault> faults;
  std::deque<std::string> texts;
  std::size_t lines = 0;
  void clear();
};

class Examiner {
 public:
  // `known`: calls that need no decision any more; may be null.
  Examiner(std::vector<std::shared_ptr<const rules::Policy>> candidates, const HashTable* known);
  ~Examiner();
  Examiner(Examiner&&) noexcept;

  // Appends to `out`. The line has to stay where it is until the batch was counted.
  void line(std::string_view line, Batch& out);
  void event(const audit::Event& event, Batch& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::replay
