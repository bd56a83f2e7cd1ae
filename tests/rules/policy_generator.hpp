#pragma once
// Seeded policies and calls over a small vocabulary, so that entries meet, cover and contradict
// each other often. The same seed gives the same policy on every machine.

#include "rules/decide.hpp"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace lilith::rules::test {

using Random = std::mt19937_64;

// An entry is its YAML in one line: `git`, `{host: "a.example", ports: [80]}`.
using Entries = std::vector<std::string>;

// The policy as lists, so that a test can add to one of them or turn its order around.
struct PolicySpec {
  bool audit_mode = false;
  bool private_addresses = true;
  bool protect = false;
  std::string egress_default = "deny";
  std::string tools_default = "deny";
  Entries allowed_hosts, blocked_hosts;
  Entries read_allow, read_block, write_allow, write_block, shell_block;
  Entries commands, blocked_commands;
  Entries allowed_tools, blocked_tools;

  [[nodiscard]] std::string yaml() const;
};

// Lists of an allowing or of a blocking kind, with the vocabulary that entries of each come from.
struct ListOf {
  Entries PolicySpec::* list;
  const Entries* vocabulary;
};
[[nodiscard]] const std::vector<ListOf>& allow_lists();
[[nodiscard]] const std::vector<ListOf>& block_lists();

[[nodiscard]] PolicySpec random_spec(Random& random);
// The same entries in another order.
[[nodiscard]] PolicySpec shuffled(PolicySpec spec, Random& random);
// One more entry in one of `lists`, taken from its vocabulary and not in it yet; the spec as it is
// where there is none.
[[nodiscard]] PolicySpec with_entry(PolicySpec spec, const std::vector<ListOf>& lists,
                                    Random& random);
// Fails the test when the policy is not valid.
[[nodiscard]] std::shared_ptr<const Policy> load_spec(const PolicySpec& spec);

struct Request {
  std::string agent = "claude_code", tool, server;
  audit::Call call;
};
// Every call of the vocabulary: paths, URLs, shell lines, tools.
[[nodiscard]] const std::vector<Request>& all_requests();
[[nodiscard]] Decision decide_request(const Policy& policy, const Request& request);
[[nodiscard]] std::string to_text(const Request& request);

// How much an outcome stops: allowed 0, would_deny 1, denied 2.
[[nodiscard]] int strictness(const Decision& decision);

}  // namespace lilith::rules::test
