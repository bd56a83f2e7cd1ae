#include "replay/suggest.hpp"

#include "replay/host_suffix.hpp"
#include "replay/needs.hpp"
#include "replay/new_people.hpp"
#include "replay/path_cut.hpp"
#include "replay/suggest_report.hpp"
#include "tests/replay/call_maker.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace lilith::replay {
namespace {

using test::CallMaker;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(HostSuffix, NamesThatStrangersGetAreMultiTenant) {
  for (const char* host :
       {"co.uk", "github.io", "amazonaws.com", "bucket.s3.us-west-2.amazonaws.com",
        "a.blob.core.windows.net", "x.ngrok-free.app", "foo.ngrok.app", "webhook.site",
        "x.oast.fun", "firebaseio.com", "hf.space", "com"})
    EXPECT_TRUE(is_multi_tenant(host)) << host;
  for (const char* host : {"example.com", "docs.example.co.uk", "registry.corp.internal",
                           "mywindows.network", "notamazonaws.com.example"})
    EXPECT_FALSE(is_multi_tenant(host)) << host;
}

TEST(HostSuffix, RegistrableDomains) {
  EXPECT_EQ(registrable_domain("a.b.example.co.uk"), "example.co.uk");
  EXPECT_EQ(registrable_domain("foo.github.io"), "foo.github.io");
  for (const char* none : {"co.uk", "localhost", "10.0.0.1", "2001:db8::1"})
    EXPECT_EQ(registrable_domain(none), "") << none;
}

Support support(std::uint64_t calls, std::set<std::uint32_t> hosts, std::set<std::int32_t> days) {
  Support out;
  out.calls = calls;
  out.sessions = {1};
  out.hosts = std::move(hosts);
  out.days = std::move(days);
  return out;
}

std::vector<std::string> patterns(const std::vector<UsedPath>& paths,
                                  const PathCutOptions& options) {
  std::vector<std::string> out;
  for (const PathRule& rule : cut_paths(paths, options)) out.push_back(rule.pattern);
  return out;
}

std::vector<UsedPath> files(const std::string& directory, int count, const Support& each) {
  std::vector<UsedPath> out;
  for (int i = 0; i < count; ++i) out.push_back({directory + "/f" + std::to_string(i), each});
  return out;
}

TEST(PathCut, AProjectIsOneRuleHoweverLittleWasSeen) {
  PathCutOptions options;
  options.project_roots = {"~/work/app"};
  EXPECT_THAT(patterns({{"~/work/app/src/a.go", support(1, {1}, {1})}}, options),
              ElementsAre("~/work/app/**"));
}

TEST(PathCut, ADirectoryNeedsChildrenHostsAndDays) {
  const Support wide = support(3, {1, 2}, {1, 2, 3});
  EXPECT_THAT(patterns(files("/opt/tool/share", 6, wide), {}), ElementsAre("/opt/tool/share/**"));
  EXPECT_EQ(patterns(files("/opt/tool/share", 4, wide), {}).size(), 4);
  EXPECT_EQ(patterns(files("/opt/tool/share", 6, support(3, {1}, {1, 2, 3})), {}).size(), 6);
  EXPECT_EQ(patterns(files("/opt/tool/share", 6, support(3, {1, 2}, {1, 2})), {}).size(), 6);
}

TEST(PathCut, NeverOpensAHomeItsFirstLevelTheRootOrWhatIsAboveAProject) {
  const Support wide = support(3, {1, 2}, {1, 2, 3});
  EXPECT_EQ(patterns(files("~", 8, wide), {}).size(), 8);
  EXPECT_EQ(patterns(files("~/stuff", 8, wide), {}).size(), 8);
  EXPECT_EQ(patterns(files("/etc", 8, wide), {}).size(), 8);
  PathCutOptions options;
  options.project_roots = {"~/work/team/app"};
  auto paths = files("~/work/team", 8, wide);
  paths.push_back({"~/work/team/app/x", wide});
  EXPECT_THAT(patterns(paths, options), Not(Contains("~/work/team/**")));
  options.write = true;
  EXPECT_EQ(patterns(files("/tmp", 8, wide), options).size(), 8);
  options.write = false;
  EXPECT_THAT(patterns(files("/tmp", 8, wide), options), ElementsAre("/tmp/**"));
}

TEST(PathCut, EveryPathIsExplainedOnce) {
  PathCutOptions options;
  options.project_roots = {"~/a/b"};
  auto paths = files("~/a/b", 3, support(2, {1}, {1}));
  paths.push_back({"~/.claude/plans/x", support(1, {1}, {1})});
  paths.push_back({"/etc/hosts", support(1, {1}, {1})});
  paths.push_back({"/odd/[name]", support(1, {1}, {1})});  // a pattern can't say this
  std::uint64_t calls = 0;
  for (const PathRule& rule : cut_paths(paths, options)) calls += rule.support.calls;
  EXPECT_EQ(calls, 8);
}

TEST(ProjectRoots, AreNeitherHomesNorFoldersOfFolders) {
  EXPECT_THAT(project_roots({"~", "/", "~/projects", "~/.claude", "~/app", "~/app/src",
                             "~/Work/x/cli", "/usr/lib/x", "/srv/build/app"}),
              ElementsAre("/srv/build/app", "~/Work/x/cli", "~/app"));
}

// Four people keep one project in four places; only its name and how deep it lies are common.
TEST(MovingProjects, AreWorkingCopiesOfOneNameInSeveralFoldersOfSeveralWorkstations) {
  const auto names = [](const std::map<std::string, Support>& directories) {
    std::vector<std::string> out;
    for (const MovingProject& one : moving_projects(directories)) {
      for (const std::size_t folders : one.folders)
        out.push_back(moving_pattern(one.name, folders));
    }
    return out;
  };
  const Support ann = support(5, {1}, {1}), bob = support(5, {2}, {1});
  EXPECT_THAT(names({{"~/wks/cli", ann}, {"~/src/team/cli", bob}}),
              ElementsAre("~/[!.]*/cli/**", "~/[!.]*/[!.]*/cli/**"));
  EXPECT_THAT(names({{"~/wks/cli", ann}, {"~/work/cli", ann}}), IsEmpty());     // one workstation
  EXPECT_THAT(names({{"~/wks/cli", ann}, {"~/wks/cli/cmd", bob}}), IsEmpty());  // one folder
  EXPECT_THAT(names({{"~/cli", ann}, {"~/wks/cli", bob}}), IsEmpty());  // a home is no folder
  EXPECT_THAT(names({{"~/.config/cli", ann}, {"~/wks/cli", bob}}), IsEmpty());  // hidden
  EXPECT_THAT(names({{"/srv/cli", ann}, {"~/wks/cli", bob}}), IsEmpty());
  EXPECT_THAT(names({{"~/a/src", ann}, {"~/b/src", bob}}), IsEmpty());  // a folder of folders
  EXPECT_THAT(names({{"~/a/b/c/d/e/cli", ann}, {"~/wks/cli", bob}}), IsEmpty());  // too deep
}

TEST(MovingProjects, ExplainTheirCopiesAndNothingBesideThem) {
  PathCutOptions options;
  options.moving = {{"cli", {1}}};
  const Support one = support(1, {1}, {1});
  EXPECT_THAT(patterns({{"~/wks/cli/a.go", one},
                        {"~/workspace/cli", one},
                        {"~/wks/other/a.go", one},
                        {"~/.aws/cli/cache/token.json", one},
                        {"~/a/b/cli/x", one}},
                       options),
              ElementsAre("~/.aws/cli/cache/token.json", "~/[!.]*/cli/**", "~/a/b/cli/x",
                          "~/wks/other/a.go"));
}

constexpr std::string_view kBase = R"(version: "1"
egress:
  default_action: deny
  allowed_destinations: [{host: "api.github.com", ports: [443], protocols: [https]}]
  blocked_destinations: [{host: "*.ngrok.io"}]
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: "read_file"
      path_allowlist: ["/srv/known/**"]
    - name: run_command
      command_allowlist: [git]
      command_blocklist: [curl]
audit: {log_path: "/var/log/lilith/agent-audit.log"}
)";

// The same calls on three hosts and four days.
template <class Make>
void on_many(Recording& recording, Make make) {
  for (const char* host : {"h1", "h2", "h3"}) {
    for (const char* day : {"02", "03", "04", "05"})
      recording.add(make(host, "2026-03-" + std::string(day) + "T10:00:00Z"));
  }
}

SuggestedPolicy suggestions(const Recording& recording, std::set<std::string> accepted = {}) {
  SuggestOptions options;
  const auto days = recording.active_days();
  options.days = {days.front(), days.back()};
  options.accepted_risks = std::move(accepted);
  auto out = suggest(recording, *test::policy_of(kBase), kBase, options);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  return out ? std::move(*out) : SuggestedPolicy();
}

std::vector<std::string> accepted(const SuggestedPolicy& policy) {
  std::vector<std::string> out;
  for (const Suggestion& one : policy.suggestions) {
    if (one.accepted()) out.push_back(std::string(name(one.kind)) + " " + one.value);
  }
  std::ranges::sort(out);
  return out;
}

audit::Verdict verdict(const SuggestedPolicy& policy, const audit::Event& event) {
  const auto loaded = test::policy_of(policy.yaml);
  if (!loaded) return audit::Verdict::kNone;
  return rules::decide(*loaded, {event.agent, event.tool, event.server}, rules::analyse(event.call),
                       event.facts)
      .verdict;
}

TEST(Suggest, ThePolicyLoadsAndAllowsWhatItWasLearnedFrom) {
  CallMaker make;
  Recording recording;
  std::vector<audit::Event> made;
  const auto also = [&](audit::Event event) {
    made.push_back(event);
    return event;
  };
  on_many(recording, [&](const char* host, const std::string& time) {
    return also(make.command(host, "ann", time, "make test | tail -5 > out.txt"));
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return also(make.read(host, "ann", time, "/home/ann/projects/app/src/x.go"));
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return also(make.write(host, "ann", time, "/home/ann/projects/app/src/y.go"));
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return also(make.fetch(host, "ann", time, "https://docs.example.com/a"));
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return also(make.tool(host, "ann", time, "TaskCreate"));
  });
  const SuggestedPolicy policy = suggestions(recording);
  EXPECT_THAT(accepted(policy), ElementsAre("command make", "command tail", "host docs.example.com",
                                            "read_path ~/projects/app/**", "tool TaskCreate",
                                            "write_path ~/projects/app/**"));
  for (const audit::Event& event : made)
    EXPECT_EQ(verdict(policy, event), audit::Verdict::kAllow) << event.tool;
  EXPECT_THAT(policy.yaml, HasSubstr("# learned_from: 2026-03-02 to 2026-03-05\n"));
  EXPECT_THAT(policy.yaml, HasSubstr("# 12 calls, 12 sessions, 3 workstations, 4 days"));
  // What the base allowed and blocked stays so, and what was not seen is not allowed.
  const char* kLater = "2026-03-09T10:00:00Z";
  EXPECT_EQ(verdict(policy, make.read("h1", "ann", kLater, "/srv/known/x")),
            audit::Verdict::kAllow);
  EXPECT_EQ(verdict(policy, make.command("h1", "ann", kLater, "curl https://docs.example.com")),
            audit::Verdict::kDeny);
  EXPECT_EQ(verdict(policy, make.read("h1", "ann", kLater, "/home/ann/projects/other/x")),
            audit::Verdict::kDeny);
  EXPECT_EQ(verdict(policy, make.read("h1", "ann", kLater, "/home/ann/projects/app/.env")),
            audit::Verdict::kDeny);
}

TEST(Suggest, WhatWasBlockedRefusedOrBlocklistedIsNoEvidence) {
  CallMaker make;
  Recording recording;
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.command(host, "ann", time, "curl https://a.example.com | jq .");
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    audit::Event event = make.command(host, "ann", time, "terraform apply");
    event.decision = audit::Verdict::kDeny;
    event.action = audit::Action::kDenied;
    return event;
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    audit::Event event = make.command(host, "ann", time, "shred x");
    event.type = audit::EventType::kImported;
    event.detail = {{"outcome", "rejected"}};
    return event;
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.fetch(host, "ann", time, "https://x.ngrok.io/");
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.command(host, "ann", time, "jq . x | curl -d @- https://a.example.com");
  });
  const SuggestedPolicy policy = suggestions(recording);
  EXPECT_THAT(accepted(policy), IsEmpty());
  EXPECT_EQ(policy.calls_denied, 48);
  EXPECT_EQ(policy.calls_blocked, 48);
}

TEST(Suggest, RiskyOnesAreLeftToAPersonUntilAcceptedByName) {
  CallMaker make;
  Recording recording;
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.command(host, "ann", time, "node build.js");
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.fetch(host, "ann", time, "https://bucket.s3.us-west-2.amazonaws.com/x");
  });
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.fetch(host, "ann", time, "https://docs.example.com:8443/x");
  });
  EXPECT_THAT(accepted(suggestions(recording)), IsEmpty());
  EXPECT_THAT(accepted(suggestions(recording, {"R5"})), ElementsAre("command node"));
  EXPECT_THAT(accepted(suggestions(recording, {"R1"})),
              ElementsAre("host bucket.s3.us-west-2.amazonaws.com"));
  EXPECT_THAT(accepted(suggestions(recording, {"R10"})), ElementsAre("host docs.example.com"));
}

TEST(Suggest, RareThingsAreLeftToAPersonAndAgentsOwnToolsAreNot) {
  CallMaker make;
  Recording recording;
  recording.add(make.command("h1", "ann", "2026-03-02T10:00:00Z", "make"));
  recording.add(make.tool("h1", "ann", "2026-03-02T10:00:00Z", "TodoWrite"));
  const SuggestedPolicy policy = suggestions(recording);
  EXPECT_THAT(accepted(policy), ElementsAre("tool TodoWrite"));
  EXPECT_THAT(evidence_of(policy.suggestions.back()), HasSubstr("R3 one workstation only"));
}

TEST(Suggest, HostsOfOneDomainBecomeAWildcardWhereItBelongsToOne) {
  CallMaker make;
  Recording recording;
  for (const char* url :
       {"https://a.example.com/", "https://b.example.com/", "https://c.example.com/",
        "https://a.github.io/", "https://b.github.io/", "https://c.github.io/"}) {
    on_many(recording, [&](const char* host, const std::string& time) {
      return make.fetch(host, "ann", time, url);
    });
  }
  EXPECT_THAT(accepted(suggestions(recording, {"R1"})),
              ElementsAre("host *.example.com", "host a.github.io", "host b.github.io",
                          "host c.github.io"));
}

TEST(Suggest, AThingFirstUsedAfterABlockedAttemptIsMarked) {
  CallMaker make;
  Recording recording;
  audit::Event blocked = make.command("h1", "ann", "2026-03-02T09:00:00Z", "curl x");
  blocked.action = audit::Action::kDenied;
  recording.add(blocked);
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.command(host, "ann", time, "make");
  });
  const SuggestedPolicy policy = suggestions(recording);
  EXPECT_THAT(accepted(policy), IsEmpty());
  EXPECT_THAT(policy.suggestions.at(0).risks, Contains("R7"));
  EXPECT_THAT(accepted(suggestions(recording, {"R7"})), ElementsAre("command make"));
}

TEST(Suggest, DangerousFormsOfSuggestedProgramsAreBlocked) {
  // /dev/null needs no rule of its own, so that the program alone decides.
  CallMaker make;
  Recording recording;
  on_many(recording, [&](const char* host, const std::string& time) {
    return make.command(host, "ann", time, "rm -f /dev/null");
  });
  const SuggestedPolicy policy = suggestions(recording, {"R5"});
  EXPECT_EQ(verdict(policy, make.command("h1", "ann", "2026-03-09T10:00:00Z", "rm -f /dev/null")),
            audit::Verdict::kAllow);
  EXPECT_EQ(verdict(policy, make.command("h1", "ann", "2026-03-09T10:00:00Z", "rm -fr /dev/null")),
            audit::Verdict::kDeny);
}

// Whatever a log holds, the policy stays one that loads.
TEST(Suggest, NamesThatAPolicyCannotSayAreLeftOut) {
  CallMaker make;
  Recording recording;
  for (const char* tool : {"a\nb", "x: [", "\"", "tool\x01", "\xFF"}) {
    on_many(recording, [&](const char* host, const std::string& time) {
      return make.tool(host, "ann", time, tool);
    });
  }
  for (const char* path : {"/srv/a\nb", "/srv/\xE2\x80\xAE", "/srv/[x]*", "/srv/\xFF"}) {
    on_many(recording, [&](const char* host, const std::string& time) {
      return make.read(host, "ann", time, path);
    });
  }
  EXPECT_THAT(accepted(suggestions(recording)), IsEmpty());
}

// Ann and Bob taught it; where Cid will keep his copy nobody has seen. Secrets below a copy stay
// closed, hidden folders are no folders, and a home is not opened.
TEST(Suggest, AProjectThatLiesElsewhereOnEachWorkstationIsOpenWhereTheNextOneKeepsIt) {
  CallMaker make;
  Recording recording;
  const auto used = [&](const char* host, const char* user, const char* directory) {
    for (const char* day : {"2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"}) {
      const std::string cwd = std::string("/home/") + user + directory;
      audit::Event event = make.read(host, user, day, cwd + "/main.go");
      event.facts.cwd = cwd;
      recording.add(event);
    }
  };
  used("ws-1", "ann", "/wks/cli");
  used("ws-2", "bob", "/src/cli");
  const SuggestedPolicy policy = suggestions(recording);
  ASSERT_THAT(accepted(policy), Contains("read_path ~/[!.]*/cli/**")) << policy.yaml;
  const auto loaded = test::policy_of(policy.yaml);
  const auto reads = [&](const char* path) {
    audit::Call call;
    call.kind = audit::OperationKind::kReadFile;
    call.paths = {path};
    audit::Facts facts;
    facts.user = "cid";
    facts.home = "/home/cid";
    facts.cwd = "/home/cid";
    return rules::decide(*loaded, {"claude_code", "Read", ""}, rules::analyse(call), facts)
               .verdict == audit::Verdict::kAllow;
  };
  EXPECT_TRUE(reads("/home/cid/workspace/cli/cmd/main.go"));
  for (const char* path :
       {"/home/cid/cli/main.go", "/home/cid/.aws/cli/cache/token.json", "/home/cid/.cache/cli/x",
        "/home/cid/workspace/other/main.go", "/home/cid/workspace/cli/.env",
        "/home/cid/workspace/cli/deploy/server.pem", "/home/cid/workspace/cli/.ssh/id_ed25519",
        "/home/dan/workspace/cli/main.go", "/home/cid/a/b/cli/main.go"})
    EXPECT_FALSE(reads(path)) << path;
}

TEST(Suggest, NotesOfTheAgentNeedNoSupport) {
  CallMaker make;
  Recording recording;
  recording.add(make.write("ws-1", "ann", "2026-03-02T10:00:00Z", "/home/ann/.claude/plans/a.md"));
  recording.add(
      make.write("ws-1", "ann", "2026-03-02T10:00:00Z", "/home/ann/.claude/settings.json"));
  EXPECT_THAT(accepted(suggestions(recording)), ElementsAre("write_path ~/.claude/plans/**"));
}

// Case C: Cid taught nothing. Commands that only he runs are blocked for him, whatever the policy
// that he would have taught says.
TEST(NewPeople, AreJudgedByWhatTheOthersTaught) {
  CallMaker make;
  Recording recording;
  for (int day = 2; day <= 21; ++day) {
    const std::string time =
        "2026-03-" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "T10:00:00Z";
    for (int host = 0; host < 6; ++host) {
      const std::string name = "ws-" + std::to_string(host);
      recording.add(make.command(name, "dev", time, "jq ."));
      if (host == 0) recording.add(make.command(name, "dev", time, "sort x"));
    }
  }
  SuggestOptions options;
  Random random(1);
  const auto base = test::policy_of(kBase);
  const Halves halves = halves_of(recording.active_days());
  const auto held = hold_out(recording, *base, kBase, options, halves, random);
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->forecast.kind, Case::kLearned);
  EXPECT_EQ(held->forecast.events_denied, 0);
  const Forecast& others = held->new_people;
  EXPECT_EQ(others.kind, Case::kNewPeople);
  EXPECT_EQ(others.refused, "");
  EXPECT_EQ(others.events_denied, 10);
  EXPECT_EQ(others.bound.blocks, 10);
  EXPECT_EQ(others.worst_developer, "dev@ws-0");
  EXPECT_GT(others.bound.upper, held->forecast.bound.upper);
  EXPECT_THAT(sentence(others, "p", "0"), HasSubstr("learned from other people"));
}

TEST(NewPeople, AreRefusedWhereNobodyIsLeftToLearnFrom) {
  CallMaker make;
  Recording recording;
  for (const char* day : {"2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"})
    recording.add(make.command("ws-1", "ann", day, "jq ."));
  Random random(1);
  const auto result = forecast_new_people(recording, *test::policy_of(kBase), kBase, {},
                                          halves_of(recording.active_days()), random);
  ASSERT_TRUE(result);
  EXPECT_THAT(result->refused, HasSubstr("nobody is left to learn from"));
}

// What depends on order (the first use of a thing, what was blocked before it in its session) goes
// by the time of the events, not by the order of the files.
TEST(Suggest, SaysTheSameInWhateverOrderTheEventsAreRead) {
  CallMaker make;
  std::vector<audit::Event> events;
  for (int day = 2; day <= 9; ++day) {
    const std::string date = "2026-03-0" + std::to_string(day);
    for (const char* host : {"ws-1", "ws-2", "ws-3"}) {
      audit::Event blocked = make.command(host, "ann", date + "T09:00:00Z", "nc evil 1");
      blocked.decision = audit::Verdict::kDeny;
      blocked.action = audit::Action::kDenied;
      if (day % 2 == 0) events.push_back(blocked);
      events.push_back(make.command(host, "ann", date + "T10:00:00Z", "jq ."));
      if (day > 4) events.push_back(make.command(host, "ann", date + "T08:00:00Z", "sort x"));
    }
  }
  const auto yaml_of = [](const std::vector<audit::Event>& in_order) {
    Recording recording;
    for (const audit::Event& event : in_order) recording.add(event);
    const SuggestedPolicy policy = suggestions(recording);
    std::string out = policy.yaml;
    for (const Suggestion& one : policy.suggestions) {
      out += one.value + evidence_of(one) + one.why_not + "\n";
    }
    return out;
  };
  const std::string expected = yaml_of(events);
  EXPECT_THAT(expected, HasSubstr("R7"));
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(events.begin(), events.end(), random);
    EXPECT_EQ(yaml_of(events), expected) << round;
  }
}

TEST(ExtendPolicy, WritesTheBaseAgainAsItWas) {
  const std::string again = extend_policy(kBase, {}, "").value();
  const auto loaded = test::policy_of(again);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(extend_policy(again, {}, "").value(), again);
  EXPECT_THAT(again, HasSubstr("- host: \"*.ngrok.io\"\n"));
  EXPECT_THAT(again, HasSubstr("- name: \"read_file\"\n"));
}

}  // namespace
}  // namespace lilith::replay
