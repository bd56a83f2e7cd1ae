// Histories of five agents become the calls that their hooks would have reported: files in
// tests/replay/history are written after the agents' own sources (named in replay/history_*.cpp).

#include "replay/import.hpp"

#include "replay/recording.hpp"
#include "replay/replay.hpp"
#include "replay/report.hpp"
#include "tests/replay/call_maker.hpp"
#include "tests/replay/traffic_log.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::replay {
namespace {

using test::TempDir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string history(std::string_view name) {
  return std::string(LILITH_SOURCE_DIR) + "/tests/replay/history/" + std::string(name);
}

struct Imported {
  std::vector<audit::Event> events;
  ImportReport report;
};

Imported import(const std::vector<std::string>& paths, const std::string& form = "auto",
                WallTime until = WallTime::max()) {
  Imported out;
  auto events = read_history(paths, {"ws-7", "", form, until}, out.report);
  EXPECT_TRUE(events) << events.error().message;
  if (events) out.events = std::move(*events);
  return out;
}

std::string outcome_of(const audit::Event& event) {
  for (const auto& [name, value] : event.detail) {
    if (name == "outcome") return value;
  }
  return "-";
}

// "codex exec_command | run_command pytest | in /home/dana/projects/shop/api | error"
std::string line_of(const audit::Event& event) {
  std::string what(audit::name(event.call.kind));
  if (!event.call.command.empty()) what += " " + event.call.command;
  for (const auto* list : {&event.call.paths, &event.call.urls}) {
    for (const std::string& text : *list) what += " " + text;
  }
  if (event.call.kind == audit::OperationKind::kMcpTool) what += " server=" + event.server;
  if (!event.call.undecidable.empty()) what += " ? " + event.call.undecidable;
  return event.agent + " " + event.tool + " | " + what + " | in " + event.facts.cwd + " | " +
         outcome_of(event);
}

std::vector<std::string> lines_of(const std::vector<audit::Event>& events) {
  std::vector<std::string> out;
  for (const audit::Event& event : events) out.push_back(line_of(event));
  return out;
}

TEST(ImportTest, CodexRolloutsGiveCommandsPatchesAndMcpCallsWithWhatBecameOfThem) {
  const Imported got = import({history("codex-rollout.jsonl")}, "codex");
  EXPECT_THAT(
      lines_of(got.events),
      ElementsAre(
          "codex shell_command | run_command git status --short | in /home/dana/projects/shop | ok",
          "codex exec_command | run_command pytest tests/test_cart.py | in "
          "/home/dana/projects/shop/api | error",
          "codex apply_patch | write_file api/cart.py api/total.py | in /home/dana/projects/shop | "
          "ok",
          "codex shell | run_command 'bash' '-lc' 'curl https://example.net/x' | in "
          "/home/dana/projects/shop | rejected",
          "codex local_shell | run_command 'ls' 'my dir' | in /home/dana/projects/shop | -",
          "codex create_issue | mcp_tool server=linear | in /home/dana/projects/shop | -",
          "codex mcp__linear__list_issues | mcp_tool server=linear | in /home/dana/projects/shop | "
          "-",
          "codex shell | write_file old.py | in /home/dana/projects/shop | -"));
  const audit::Event& first = got.events.front();
  EXPECT_EQ(first.type, audit::EventType::kImported);
  EXPECT_EQ(first.action, audit::Action::kRecorded);
  EXPECT_EQ(first.session, "0199b1d4-77aa-7c31-9d0e-0d6f0a2f6c11");
  EXPECT_EQ(first.call_id, "call_shellcommand0001");
  EXPECT_EQ(first.host, "ws-7");
  EXPECT_EQ(first.facts.user, "dana");
  EXPECT_EQ(first.facts.home, "/home/dana");
  EXPECT_EQ(format_time(first.time), "2026-02-03T09:00:07.010000Z");
  EXPECT_EQ(got.report.bad_lines, 0);
}

TEST(ImportTest, CopilotEventsGiveCallsOfTheAgentAndNotThoseThatThePersonTyped) {
  const Imported got = import({history("copilot-events.jsonl")}, "copilot-cli");
  EXPECT_THAT(
      lines_of(got.events),
      ElementsAre(
          "gh_copilot_cli bash | run_command make -j2 | in /home/erik/projects/api | ok",
          "gh_copilot_cli edit | write_file /home/erik/projects/api/Makefile | in "
          "/home/erik/projects/api | rejected",
          "gh_copilot_cli github-mcp-server-list_issues | mcp_tool server=github-mcp-server | in "
          "/home/erik/projects/api | -",
          "gh_copilot_cli view | read_file src/index.ts | in /home/erik/projects/web | error"));
  EXPECT_EQ(got.events[0].session, "3f0a9a52-2e31-4b7c-8f86-0d0d9b3f5a10");
  EXPECT_EQ(got.events[2].child, "a6204063");
}

TEST(ImportTest, TranscriptsOfVsCodeAreToldFromThoseOfCopilotCli) {
  EXPECT_THAT(lines_of(import({history("vscode-transcript.jsonl")}).events),
              ElementsAre("vscode_copilot run_in_terminal | run_command git reflog; git status | "
                          "in /home/erik/projects/api | ok"));
}

TEST(ImportTest, GeminiChatsOfBothAgesGiveEachCallOnceInTheDirectoryOfTheirProject) {
  const Imported got = import({history("gemini")}, "gemini-cli");
  EXPECT_THAT(
      lines_of(got.events),
      ElementsAre("gemini_cli list_directory | read_file src | in /home/gita/projects/ml | ok",
                  "gemini_cli run_shell_command | run_command pytest -q | in "
                  "/home/gita/projects/ml/train | ok",
                  "gemini_cli write_file | write_file /home/gita/projects/ml/train/a.py | in "
                  "/home/gita/projects/ml | rejected",
                  "gemini_cli web_fetch | egress https://docs.example.org/a | in "
                  "/home/gita/projects/ml | rejected",
                  "gemini_cli mcp_linear_list | mcp_tool server= | in /home/gita/projects/ml | "
                  "ok"));
  EXPECT_EQ(got.report.duplicates, 1);  // the first call, in the message that was appended again
  EXPECT_EQ(got.events[1].session, "1c2d3e4f-0000-4000-8000-000000000001");
  EXPECT_EQ(got.events[4].child, "codebase_investigator");
}

TEST(ImportTest, AGeminiChatWithoutItsProjectSaysThatItsDirectoryIsNotKnown) {
  const TempDir dir;
  const std::string chat =
      test::read_text(history("gemini/chats/session-2026-03-02T08-00-1c2d3e4f.jsonl"));
  // Another project's root lies beside it: the hash tells.
  write_text(dir.file("tmp/ml/.project_root"), "/home/gita/projects/other");
  write_text(dir.file("tmp/ml/chats/session-1.jsonl"), chat);
  const Imported got = import({dir.path()}, "gemini-cli");
  ASSERT_EQ(got.events.size(), 4);
  for (const audit::Event& event : got.events) EXPECT_EQ(event.facts.cwd, "");
  EXPECT_EQ(got.report.no_directory, 4);
}

TEST(ImportTest, ClaudeCodeTranscriptsGiveRefusedCallsAsRefused) {
  EXPECT_THAT(lines_of(import({history("claude-code.jsonl")}, "claude-code").events),
              ElementsAre("claude_code Bash | run_command cargo test | in /home/finn/projects/cli "
                          "| rejected",
                          "claude_code Read | read_file /home/finn/projects/cli/src/main.rs | in "
                          "/home/finn/projects/cli | ok"));
}

TEST(ImportTest, AutoTellsTheFormOfEachLineAndAFormTakesOnlyItsOwn) {
  const Imported all = import({history("")});
  EXPECT_EQ(all.events.size(), 8U + 4U + 1U + 5U + 2U);
  EXPECT_EQ(all.report.bad_lines, 0);
  EXPECT_THAT(import({history("")}, "neutral").events, IsEmpty());
  EXPECT_EQ(import({history("")}, "codex").events.size(), 8U);
}

TEST(ImportTest, CallsFromTheDayOnThatTheHookRecordsThemAreLeftOut) {
  const Imported got =
      import({history("codex-rollout.jsonl")}, "codex", parse_time("2026-02-03T09:00:20Z").value());
  EXPECT_EQ(got.events.size(), 2);
  EXPECT_EQ(got.report.too_late, 6);
}

TEST(ImportTest, DamagedLinesAreNamedWithTheirPlaceAndTheRestIsImported) {
  const TempDir dir;
  const std::string meta =
      R"({"timestamp":"2026-02-03T09:00:01Z","type":"session_meta","payload":{"id":"s","cwd":"/w"}})";
  const auto call = [](std::string_view payload) {
    return R"({"timestamp":"2026-02-03T09:00:02Z","type":"response_item","payload":)" +
           std::string(payload) + "}";
  };
  write_text(dir.file("a.jsonl"),
             meta + "\n" +
                 call(R"({"type":"function_call","name":"shell","call_id":"1","arguments":"{"})") +
                 "\n" +
                 R"({"type":"function_call","name":"shell","arguments":"{}","call_id":"2"})" +
                 "\n{\"torn\n" + R"({"type":"tool.execution_start","data":{"toolCallId":"3"},)" +
                 R"("timestamp":"yesterday"})" + "\n" +
                 call(R"({"type":"function_call","name":"update_plan","call_id":"4",)"
                      R"("arguments":"{\"plan\":[]}"})") +
                 "\n");
  const Imported got = import({dir.file("a.jsonl")});
  EXPECT_THAT(lines_of(got.events), ElementsAre("codex update_plan | other | in /w | -"));
  EXPECT_THAT(got.report.problems,
              ElementsAre(HasSubstr("a.jsonl:2: arguments: "),
                          HasSubstr("a.jsonl:3: a call without a time"), HasSubstr("a.jsonl:4: "),
                          HasSubstr("a.jsonl:5: timestamp: ")));
}

// --- the same call in the log of the hook and in the agent's history --------------------------

audit::Event live(std::string_view call_id, audit::Verdict verdict) {
  test::CallMaker make;
  audit::Event event = make.command("ws-7", "dana", "2026-02-03T09:00:07Z", "git status --short");
  event.id = "live-" + std::string(call_id);
  event.agent = "codex";
  event.call_id = call_id;
  event.decision = verdict;
  event.action =
      verdict == audit::Verdict::kDeny ? audit::Action::kDenied : audit::Action::kAllowed;
  return event;
}

TEST(ImportTest, ACallThatLogAndHistoryHoldCountsOnceInEitherOrder) {
  const std::vector<audit::Event> past = import({history("codex-rollout.jsonl")}).events;
  const std::vector<audit::Event> log{live("call_shellcommand0001", audit::Verdict::kAllow),
                                      live("call_later", audit::Verdict::kAllow)};
  for (const bool log_first : {true, false}) {
    std::vector<audit::Event> events = log_first ? log : past;
    const std::vector<audit::Event>& second = log_first ? past : log;
    events.insert(events.end(), second.begin(), second.end());
    const TempDir dir;
    write_text(dir.file("all.log"), test::lines_of_events(events));
    auto summary = replay_files({dir.file("all.log")}, {test::policy_of(test::small_policy("go"))});
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->quality.in_both, 1);
    EXPECT_EQ(summary->quality.duplicates, 0);
    EXPECT_EQ(summary->quality.decided + summary->quality.refused_by_person, 9);
    EXPECT_THAT(to_text(*summary, 5),
                HasSubstr("in the log and in imported history, counted once: 1 call\n"));
    Recording recording;
    for (const audit::Event& event : events) recording.add(event);
    EXPECT_EQ(recording.quality().in_both, 1);
    EXPECT_EQ(recording.quality().calls + recording.quality().refused, 9);
  }
}

TEST(ImportTest, HistoryThatWasImportedTwiceCountsOnce) {
  Recording recording;
  for (int i = 0; i < 2; ++i) {
    for (const audit::Event& event : import({history("codex-rollout.jsonl")}).events)
      recording.add(event);
  }
  EXPECT_EQ(recording.quality().calls + recording.quality().refused, 8);
  EXPECT_EQ(recording.quality().duplicates, 8);
}

// The log says that it was blocked, or the history that a person refused it: whichever is read
// first, the call is no evidence for an allow list.
TEST(ImportTest, WhatEitherOfThemKnowsToBeBlockedOrRefusedIsNoEvidence) {
  const std::vector<audit::Event> past = import({history("codex-rollout.jsonl")}).events;
  Recording history_first;
  history_first.add(past[0]);
  history_first.add(live("call_shellcommand0001", audit::Verdict::kDeny));
  ASSERT_EQ(history_first.uses().size(), 1);
  EXPECT_EQ(history_first.uses()[0].blocked, 1);
  Recording log_first;
  log_first.add(live("call_declined0000004", audit::Verdict::kAllow));
  log_first.add(past[3]);
  ASSERT_EQ(log_first.uses().size(), 1);
  EXPECT_EQ(log_first.uses()[0].refused, 1);
}

// An MCP server may number its calls anew in each session: two decisions are two calls.
TEST(ImportTest, TwoDecisionsOnOneCallIdAreTwoCalls) {
  Recording recording;
  recording.add(live("1", audit::Verdict::kAllow));
  audit::Event again = live("1", audit::Verdict::kAllow);
  again.id = "live-again";
  recording.add(again);
  EXPECT_EQ(recording.quality().calls, 2);
}

}  // namespace
}  // namespace lilith::replay
