#pragma once
// Why a call is decided as it is, and the smallest change of the policy that would turn it. The
// change is made and the call decided again before it is shown.

#include "rules/decide_trace.hpp"
#include "rules/policy_edit.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

struct PolicyChange {
  PolicyEdit edit;
  std::string risk;  // in words: what else the change lets through, or stops
};

struct Explanation {
  Decision decision;
  DecisionTrace trace;
  // Empty: no entry of a policy turns this verdict, and `why_no_change` says why.
  PolicyChange change;
  std::string why_no_change;
  Decision after;  // under the changed policy
};

// `policy_yaml` is the text that `policy` was loaded from.
[[nodiscard]] Explanation explain(const Policy& policy, std::string_view policy_yaml,
                                  const Caller& caller, const CallAnalysis& analysis,
                                  const audit::Facts& facts);

// For people, several lines; for programs, one JSON object.
[[nodiscard]] std::string to_text(const Explanation& explanation, std::string_view file_name);
[[nodiscard]] std::string to_json(const Explanation& explanation, std::string_view file_name);

}  // namespace lilith::rules
