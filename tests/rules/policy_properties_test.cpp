// What must hold of every policy, whatever stands in it: seeded random policies, each asked about
// every call of the vocabulary. LILITH_LONG=1 tries fifty times as many.

#include "rules/policy_model.hpp"
#include "tests/rules/policy_generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace lilith::rules::test {
namespace {

int policies() { return std::getenv("LILITH_LONG") == nullptr ? 60 : 3'000; }

// Runs `check(random, spec)` for each policy; the seed stands in every message.
template <class Check>
void for_each_policy(Check check) {
  for (int seed = 1; seed <= policies() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    check(random, random_spec(random));
  }
}

std::string both(const Request& request, const PolicySpec& before, const PolicySpec& after) {
  return to_text(request) + "\n--- before\n" + before.yaml() + "--- after\n" + after.yaml();
}

TEST(PolicyProperties, AddingAnAllowEntryNeverDenies) {
  int changed = 0;
  for_each_policy([&](Random& random, const PolicySpec& spec) {
    const PolicySpec more = with_entry(spec, allow_lists(), random);
    const auto a = load_spec(spec), b = load_spec(more);
    ASSERT_TRUE(a && b);
    for (const Request& request : all_requests()) {
      const Decision before = decide_request(*a, request), after = decide_request(*b, request);
      ASSERT_LE(strictness(after), strictness(before)) << both(request, spec, more);
      changed += after.verdict != before.verdict ? 1 : 0;
    }
  });
  EXPECT_GT(changed, 0) << "no entry ever allowed anything: the test says nothing";
}

TEST(PolicyProperties, AddingABlockEntryNeverAllows) {
  int changed = 0;
  for_each_policy([&](Random& random, const PolicySpec& spec) {
    const PolicySpec more = with_entry(spec, block_lists(), random);
    const auto a = load_spec(spec), b = load_spec(more);
    ASSERT_TRUE(a && b);
    for (const Request& request : all_requests()) {
      const Decision before = decide_request(*a, request), after = decide_request(*b, request);
      ASSERT_GE(strictness(after), strictness(before)) << both(request, spec, more);
      changed += after.verdict != before.verdict ? 1 : 0;
    }
  });
  EXPECT_GT(changed, 0);
}

TEST(PolicyProperties, TheOrderOfEntriesNeverMatters) {
  for_each_policy([&](Random& random, const PolicySpec& spec) {
    const PolicySpec other = shuffled(spec, random);
    const auto a = load_spec(spec), b = load_spec(other);
    ASSERT_TRUE(a && b);
    for (const Request& request : all_requests()) {
      const Decision one = decide_request(*a, request), two = decide_request(*b, request);
      ASSERT_EQ(one.verdict, two.verdict) << both(request, spec, other);
      ASSERT_EQ(one.action, two.action) << both(request, spec, other);
      ASSERT_EQ(one.mode, two.mode) << both(request, spec, other);
      ASSERT_EQ(one.reason_code, two.reason_code) << both(request, spec, other);
    }
  });
}

bool has_always_block(const PolicySpec& spec) {
  return spec.yaml().find("always_block") != std::string::npos;
}

TEST(PolicyProperties, AuditAndEnforceAgreeOnTheDecision) {
  for_each_policy([&](Random&, PolicySpec spec) {
    spec.audit_mode = false;
    PolicySpec audited = spec;
    audited.audit_mode = true;
    const auto a = load_spec(spec), b = load_spec(audited);
    ASSERT_TRUE(a && b);
    for (const Request& request : all_requests()) {
      const Decision one = decide_request(*a, request), two = decide_request(*b, request);
      ASSERT_EQ(one.verdict, two.verdict) << both(request, spec, audited);
      ASSERT_NE(two.action, audit::Action::kDenied) << both(request, spec, audited);
      // Where a section only records, an enforced denial of the other one is the one that is told.
      if (spec.egress_default == "log" || spec.tools_default == "log") continue;
      ASSERT_EQ(one.rule, two.rule) << both(request, spec, audited);
      ASSERT_EQ(one.reason_code, two.reason_code) << both(request, spec, audited);
      ASSERT_EQ(one.category, two.category) << both(request, spec, audited);
    }
  });
}

TEST(PolicyProperties, ASectionThatOnlyRecordsDecidesAsItWillWhenItDenies) {
  for_each_policy([&](Random&, PolicySpec spec) {
    spec.audit_mode = false;
    spec.egress_default = spec.tools_default = "log";
    PolicySpec later = spec;
    later.egress_default = later.tools_default = "deny";
    const auto a = load_spec(spec), b = load_spec(later);
    ASSERT_TRUE(a && b);
    for (const Request& request : all_requests()) {
      const Decision now = decide_request(*a, request), then = decide_request(*b, request);
      ASSERT_EQ(now.verdict, then.verdict) << both(request, spec, later);
      ASSERT_LE(strictness(now), strictness(then)) << both(request, spec, later);
      if (!has_always_block(spec)) {
        ASSERT_EQ(now.reason_code, then.reason_code) << both(request, spec, later);
        ASSERT_EQ(now.rule, then.rule) << both(request, spec, later);
      }
    }
  });
}

TEST(PolicyProperties, DecidingLeavesNothingBehind) {
  const auto same = [](const Decision& a, const Decision& b) {
    return a.verdict == b.verdict && a.mode == b.mode && a.action == b.action && a.rule == b.rule &&
           a.line == b.line && a.reason_code == b.reason_code && a.reason == b.reason &&
           a.technique == b.technique && a.operation == b.operation && a.others == b.others &&
           a.operations == b.operations;
  };
  for_each_policy([&](Random& random, const PolicySpec& spec) {
    const auto policy = load_spec(spec), again = load_spec(spec);
    ASSERT_TRUE(policy && again);
    std::vector<Decision> first;
    for (const Request& request : all_requests()) first.push_back(decide_request(*policy, request));
    std::vector<std::size_t> order(first.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const std::size_t i : order) {
      ASSERT_TRUE(same(first[i], decide_request(*policy, all_requests()[i])));
      ASSERT_TRUE(same(first[i], decide_request(*again, all_requests()[i])));
    }
  });
}

// ---- block beats allow, for every pair of the vocabulary

PolicySpec only(Entries PolicySpec::* allow, const std::string& allowed,
                Entries PolicySpec::* block, const std::string& blocked) {
  PolicySpec spec;
  if (!allowed.empty()) (spec.*allow).push_back(allowed);
  if (!blocked.empty()) (spec.*block).push_back(blocked);
  return spec;
}

struct PairCase {
  const char* name;
  ListOf allow, block;
};

std::vector<PairCase> pair_cases() {
  const auto& allow = allow_lists();
  const auto& block = block_lists();
  return {{"hosts", allow[0], block[0]},
          {"reading", allow[1], block[1]},
          {"writing", allow[2], block[2]},
          {"commands", allow[3], block[4]},
          {"command_and_path", allow[3], block[3]},
          {"tools", allow[4], block[5]},
          {"commands_and_tools", allow[3], block[5]},
          {"reading_and_tools", allow[1], block[5]},
          {"hosts_and_tools", allow[0], block[5]}};
}

// An entry blocks a call when it stops it under default_action: allow; then it must stop it with
// any allow entry beside it.
TEST(PolicyProperties, BlockBeatsAllowForEveryPair) {
  for (const PairCase& one : pair_cases()) {
    SCOPED_TRACE(one.name);
    int met = 0;
    for (const std::string& blocked : *one.block.vocabulary) {
      PolicySpec open = only(one.allow.list, "", one.block.list, blocked);
      open.egress_default = open.tools_default = "allow";
      const auto blocking = load_spec(open);
      ASSERT_NE(blocking, nullptr);
      std::vector<bool> blocks;
      for (const Request& request : all_requests()) {
        const Decision decision = decide_request(*blocking, request);
        blocks.push_back(decision.verdict == audit::Verdict::kDeny &&
                         decision.reason_code.ends_with(".blocked"));
      }
      for (const std::string& allowed : *one.allow.vocabulary) {
        const PolicySpec spec = only(one.allow.list, allowed, one.block.list, blocked);
        const auto policy = load_spec(spec);
        const auto without = load_spec(only(one.allow.list, allowed, one.block.list, ""));
        ASSERT_TRUE(policy && without);
        for (std::size_t i = 0; i < blocks.size(); ++i) {
          if (!blocks[i]) continue;
          const Request& request = all_requests()[i];
          ASSERT_EQ(decide_request(*policy, request).verdict, audit::Verdict::kDeny)
              << to_text(request) << "\n"
              << spec.yaml();
          met += decide_request(*without, request).verdict == audit::Verdict::kAllow ? 1 : 0;
        }
      }
    }
    EXPECT_GT(met, 0) << "no pair ever met: the test says nothing";
  }
}

// ---- the tables give what the list gives, read from its beginning to its end

TEST(PolicyProperties, HostTablesAgreeWithTheListItself) {
  for_each_policy([&](Random&, const PolicySpec& spec) {
    const auto policy = load_spec(spec);
    ASSERT_NE(policy, nullptr);
    const HostList& list = policy->model().egress.blocked;
    for (const Request& request : all_requests()) {
      for (const std::string& url : request.call.urls) {
        const auto destination = parse_url(url);
        if (!destination) continue;
        const bool any =
            std::any_of(list.entries().begin(), list.entries().end(), [&](const HostEntry& entry) {
              const auto has = [](const auto& wanted, const auto& value) {
                return wanted.empty() ||
                       std::find(wanted.begin(), wanted.end(), value) != wanted.end();
              };
              return entry.pattern.matches(destination->host) &&
                     has(entry.ports, destination->port) &&
                     has(entry.protocols, destination->protocol);
            });
        TextArena texts;
        const HostKey key(destination->host, texts);
        ASSERT_EQ(list.find(key, destination->port, destination->protocol) != nullptr, any)
            << url << "\n"
            << spec.yaml();
      }
    }
  });
}

}  // namespace
}  // namespace lilith::rules::test
