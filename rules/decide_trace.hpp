#pragma once
// decide() with its steps written down, for `lilith policy explain`. The same code decides; the
// trace only listens.

#include "rules/decide.hpp"

#include <string>
#include <vector>

namespace lilith::rules {

struct DecisionTrace {
  // One rule that was asked, in order.
  struct Rule {
    std::string rule;  // as Decision::rule: a list (nothing in it applied) or one entry of it
    int line = 0;      // in the policy file
    bool met = false;  // it applied
  };
  // One judged operation with what was asked about it. Several may concern one operation: a command
  // and each of its hazards.
  struct Operation {
    audit::Operation operation;
    bool allowed = false;
    bool deciding = false;
    audit::Mode mode = audit::Mode::kEnforce;
    std::string rule;  // the last one, which judged it
    int line = 0;
    std::string reason_code, reason;  // of a denial
    std::vector<Rule> consulted;
  };
  std::vector<Operation> operations;
};

// As decide(); `trace` receives every operation found.
[[nodiscard]] Decision decide_traced(const Policy& policy, const Caller& caller,
                                     const CallAnalysis& analysis, const audit::Facts& facts,
                                     DecisionTrace& trace);

}  // namespace lilith::rules
