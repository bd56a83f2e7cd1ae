#pragma once
// What two policies decide differently, without traffic. Every difference is a call that decide()
// was asked under both. "Equivalent", "wider" and "narrower" are claimed as proved only where the
// entries themselves prove it; a search that found nothing says so and no more.

#include "rules/decide.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

enum class PolicyRelation {
  kEquivalent,         // proved: the same entries and settings
  kNoDifferenceFound,  // the files differ, and no call was found that they decide differently
  kNarrower,           // B stops calls that A lets pass, and none was found the other way round
  kWider,
  kIncomparable,  // calls of both kinds
};
[[nodiscard]] std::string_view name(PolicyRelation relation);

// A call, or one connection as the egress proxy asks about it.
struct ExampleRequest {
  std::string tool, server;  // of claude_code
  audit::Call call;
  std::string host, protocol;  // a connection, where protocol is set
  int port = 0;
};
[[nodiscard]] std::string describe(const ExampleRequest& request);
// For the user `dev`, whose home /home/dev is the directory of the session, on a machine without
// links.
[[nodiscard]] Decision decide_example(const Policy& policy, const ExampleRequest& request);

// Calls that one rule decides under A and another one under B, with the shortest of them.
struct PolicyDifference {
  ExampleRequest example;
  Decision a, b;
  bool narrower = false;  // B stops more
  std::size_t found = 0;  // calls tried that differ in the same way
};

struct PolicyDiff {
  PolicyRelation relation = PolicyRelation::kNoDifferenceFound;
  // The relation follows from the entries: no call can say otherwise.
  bool proved = false;
  std::vector<PolicyDifference> differences;
  std::size_t tried = 0;                    // calls
  std::vector<std::string> only_a, only_b;  // entries and settings of one side
};

[[nodiscard]] PolicyDiff diff_policies(const Policy& a, const Policy& b);

[[nodiscard]] std::string to_text(const PolicyDiff& diff, const Policy& a, const Policy& b);
[[nodiscard]] std::string to_json(const PolicyDiff& diff, const Policy& a, const Policy& b);

}  // namespace lilith::rules
