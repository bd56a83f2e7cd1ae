#pragma once
// Why one recorded event gets the verdict that it gets under a policy.

#include "audit/event.hpp"
#include "rules/decide.hpp"

#include <string>

namespace lilith::replay {

struct Explanation {
  audit::Event event;
  std::string unknown;       // why it can't be decided again; empty when it can
  rules::Decision decision;  // under the policy; nothing when unknown
};
[[nodiscard]] Explanation explain(const rules::Policy& policy, const audit::Event& event);

[[nodiscard]] std::string to_text(const Explanation& one, const rules::Policy& policy);
[[nodiscard]] std::string to_json(const Explanation& one, const rules::Policy& policy);

}  // namespace lilith::replay
