// The main job with the real programs: history -> events -> verify -> ship -> receive -> replay,
// counted at each step.

#include "audit/codec.hpp"
#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"
#include "tests/traffic/traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace lilith::test {
namespace {

using testing::HasSubstr;

const std::string kLilith = std::string(LILITH_BIN_DIR) + "/lilith";
const std::string kPolicies = std::string(LILITH_SOURCE_DIR) + "/rules/policies";

// Octet-counted frames (RFC 6587 section 3.4.1) taken apart: the event lines behind their RFC 5424
// headers.
std::vector<std::string> unframe(std::string_view stream) {
  std::vector<std::string> lines;
  while (!stream.empty()) {
    const std::size_t blank = stream.find(' ');
    if (blank == std::string_view::npos) break;
    const std::size_t size =
        std::strtoul(std::string(stream.substr(0, blank)).c_str(), nullptr, 10);
    if (stream.size() < blank + 1 + size) break;
    const std::string_view message = stream.substr(blank + 1, size);
    lines.emplace_back(message.substr(message.find('{')));
    stream.remove_prefix(blank + 1 + size);
  }
  return lines;
}

struct Shipped {
  std::vector<std::string> received;
  std::string file;
};

Shipped ship(const TempDir& dir, const std::string& log, std::size_t expected) {
  Receiver receiver(Receiver::Kind::kTcp);
  write_text(dir.file("ship.yaml"),
             "version: \"1\"\nsources: [\"" + log + "\"]\nstate_dir: \"" + dir.file("state") +
                 "\"\nsinks:\n  - {name: soc, type: syslog, address: \"127.0.0.1:" +
                 std::to_string(receiver.port()) + "\"}\n  - {name: wazuh, type: file, path: \"" +
                 dir.file("shipped.log") + "\"}\n");
  const auto result = run({kLilith, "ship", "--config", dir.file("ship.yaml"), "--once"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(receiver.wait_for(
      [&](const std::string& bytes) { return unframe(bytes).size() >= expected; }));
  return {unframe(receiver.received()), read_text(dir.file("shipped.log"))};
}

json::View candidate(json::View report, std::size_t index) {
  std::vector<json::View> all;
  report.find("candidates")->each_element([&](json::View one) {
    all.push_back(one);
    return true;
  });
  return all.at(index);
}

std::int64_t number(json::View object, std::string_view key) {
  return object.find(key)->integer().value();
}

// import -> log -> verify -> ship -> receive; returns the log's path.
std::string import_and_ship(const TempDir& dir, const std::string& history, std::size_t calls) {
  const std::string log = dir.file("audit.log");
  const auto imported = run({kLilith, "import", "neutral", history, "--output", log});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_THAT(imported.err, HasSubstr("imported " + std::to_string(calls) + " calls"));
  const auto lines = lines_of(read_text(log));
  EXPECT_EQ(lines.size(), calls + 1) << "the calls and log_opened";

  const auto verified = run({kLilith, "verify", log});
  EXPECT_EQ(verified.exit_code, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("intact: " + std::to_string(calls + 1) + " events"));

  const Shipped shipped = ship(dir, log, calls + 1);
  EXPECT_TRUE(shipped.received == lines) << "every line once, in order, byte for byte";
  EXPECT_TRUE(shipped.file == read_text(log)) << "the file is the log";
  return log;
}

TEST(MainJob, RecordedBaselineGoesAllTheWay) {
  LILITH_NEEDS_SHARED(history, "data/claude_code_baseline.ndjson");
  LILITH_NEEDS_SHARED(policy, "data/lilith-policy.yaml");
  const TempDir dir;
  const std::string log = import_and_ship(dir, history, 6610);
  const auto replayed = run({kLilith, "replay", log, "--json", "--policy", policy, "--policy",
                             kPolicies + "/starter-audit.yaml"});
  EXPECT_EQ(replayed.exit_code, 1) << replayed.err;
  json::Document document;
  const auto report = document.parse(replayed.out);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const json::View quality = *report->find("quality");
  EXPECT_EQ(number(quality, "events"), 6611);
  EXPECT_EQ(number(quality, "other_events"), 1);
  EXPECT_EQ(number(quality, "refused_by_person"), 51);
  EXPECT_EQ(number(quality, "decided"), 6558);
  EXPECT_EQ(number(quality, "unknown"), 1);
  EXPECT_EQ(number(quality, "hosts"), 8);
  // docs/replay.md explains the difference to a yardstick without builtins.
  EXPECT_EQ(number(candidate(*report, 0), "allowed"), 307);
  EXPECT_EQ(number(candidate(*report, 0), "newly_denied"), 6251);
  EXPECT_EQ(number(candidate(*report, 0), "blocked"), 6251);
  EXPECT_EQ(number(candidate(*report, 1), "newly_denied"), 188);
  EXPECT_EQ(number(candidate(*report, 1), "blocked"), 0);
}

TEST(MainJob, GeneratedTrafficGoesAllTheWay) {
  const TempDir dir;
  std::string history;
  generate_traffic({.seed = 3, .calls = 3000},
                   [&](const std::string& line) { history += line + "\n"; });
  write_text(dir.file("history.ndjson"), history);
  const std::string log = import_and_ship(dir, dir.file("history.ndjson"), 3000);
  const auto replayed =
      run({kLilith, "replay", log, "--json", "--policy", kPolicies + "/lilith-policy.yaml"});
  json::Document document;
  const auto report = document.parse(replayed.out);
  ASSERT_TRUE(report.has_value()) << replayed.err;
  const json::View quality = *report->find("quality");
  const json::View one = candidate(*report, 0);
  EXPECT_EQ(number(quality, "decided") + number(quality, "refused_by_person") +
                number(quality, "unknown"),
            3000);
  EXPECT_EQ(number(one, "allowed") + number(one, "denied"), number(quality, "decided"));
  EXPECT_EQ(number(one, "newly_denied"), number(one, "denied"));
  EXPECT_GT(number(one, "allowed"), 0);
  EXPECT_GT(number(one, "denied"), 0);
}

// What a hook decided, replay decides again from the log alone, on this or any other machine.
TEST(MainJob, ReplayAgreesWithTheHookThatDecided) {
  const TempDir dir;
  const std::string log = dir.file("agent-audit.log");
  std::string policy = read_text(kPolicies + "/lilith-policy.yaml");
  const std::string standard = "/var/log/lilith/agent-audit.log";
  policy.replace(policy.find(standard), standard.size(), log);
  write_text(dir.file("policy.yaml"), policy);
  const std::vector<std::pair<const char*, const char*>> calls = {
      {"Bash", R"({"command":"git status && git log | head"})"},
      {"Bash", R"({"command":"cd /tmp && /usr/bin/git status > out.txt"})"},
      {"Bash", R"({"command":"git log $("})"},
      {"Read", R"({"file_path":"/proc/self/root/etc/passwd"})"},
      {"Read", R"({"file_path":"src/main.cpp"})"},
      {"WebFetch", R"({"url":"https://API.github.com/","prompt":"x"})"},
      {"WebFetch", R"({"url":"https://evil.example/","prompt":"x"})"},
      {"mcp__tracker__get", R"({"id":1})"},
      {"TodoWrite", R"({"todos":[]})"}};
  for (const auto& [tool, input] : calls) {
    const std::string event =
        std::string(
            R"({"session_id":"s","cwd":"/home/nobody/projects/app","hook_event_name":"PreToolUse","tool_name":")") +
        tool + R"(","tool_input":)" + input + R"(,"tool_use_id":"t"})";
    const auto answer =
        run({kLilith, "hook", "--agent", "claude-code", "--policy", dir.file("policy.yaml")},
            {.input = event});
    EXPECT_TRUE(answer.exit_code == 0 || answer.exit_code == 2) << answer.err;
  }
  const auto fidelity =
      run({kLilith, "replay", "fidelity", log, "--policy", dir.file("policy.yaml"), "--json"});
  EXPECT_EQ(fidelity.exit_code, 0) << fidelity.out << fidelity.err;
  json::Document document;
  const auto report = document.parse(fidelity.out);
  ASSERT_TRUE(report.has_value()) << fidelity.out;
  EXPECT_EQ(number(*report, "compared"), static_cast<std::int64_t>(calls.size()));
  EXPECT_EQ(number(*report, "disagreements"), 0);
}

}  // namespace
}  // namespace lilith::test
