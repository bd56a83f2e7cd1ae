// `lilith doctor` on installations that are whole and on ones that are not.

#include "enforcer/setup/doctor.hpp"

#include "audit/json/reader.hpp"
#include "enforcer/setup/canary.hpp"
#include "tests/enforcer/hook_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

using test::HookFolder;
using test::ProcessResult;
using test::read_text;
using test::write_text;

class Doctor : public testing::Test {
 protected:
  Doctor() {
    folder_.write_policy();
    std::filesystem::create_directories(folder_.file("home"));
  }
  ProcessResult lilith(std::vector<std::string> words) const {
    words.insert(words.begin(), test::lilith_program());
    return test::run(words, folder_.options());
  }
  void install(const std::string& agent) const {
    const auto done = lilith({"install", agent, "--home", folder_.file("home"), "--policy",
                              folder_.file("policy.yaml")});
    ASSERT_EQ(done.exit_code, 0) << done.err;
  }
  [[nodiscard]] ProcessResult doctor(const std::string& agent = "claude-code",
                                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"doctor",    agent,
                                   "--home",    folder_.file("home"),
                                   "--project", folder_.file("work"),
                                   "--policy",  folder_.file("policy.yaml")};
    words.insert(words.end(), more.begin(), more.end());
    return lilith(words);
  }
  [[nodiscard]] std::string settings() const { return folder_.file("home/.claude/settings.json"); }
  void replace_in_settings(const std::string& what, const std::string& by) const {
    std::string text = read_text(settings());
    const std::size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << text;
    write_text(settings(), text.replace(at, what.size(), by));
  }
  HookFolder folder_;
};

// What this machine has besides is no matter here: a finding is looked for, not the whole list.
bool says(const ProcessResult& result, const std::string& severity, const std::string& check) {
  for (const std::string& line : test::lines_of(result.out)) {
    if (line.starts_with(severity) && line.ends_with("[" + check + "]")) return true;
  }
  return false;
}

TEST_F(Doctor, TriesTheLineOfEachAgent) {
  for (const std::string_view agent : agents::agent_names()) {
    install(std::string(agent));
    const auto result = doctor(std::string(agent));
    EXPECT_TRUE(says(result, "ok", "canary")) << agent << "\n" << result.out << result.err;
    EXPECT_EQ(result.out.find("canary."), std::string::npos) << result.out;
  }
  const auto events = folder_.decisions();
  ASSERT_EQ(events.size(), agents::agent_names().size());
  for (const audit::Event& event : events) {
    EXPECT_EQ(event.reason_code, kCanaryCode);
    EXPECT_TRUE(event.session.starts_with("lilith-doctor-")) << event.session;
  }
}

TEST_F(Doctor, MissesAHookThatIsNotThere) {
  const auto result = doctor();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(says(result, "error", "hook.missing")) << result.out;
  EXPECT_NE(result.out.find("fix: lilith install claude-code"), std::string::npos) << result.out;
}

TEST_F(Doctor, SeesThatAPolicyLetsThrough) {
  install("claude-code");
  folder_.write_policy({.mode = "audit"});
  const auto result = doctor();
  EXPECT_TRUE(says(result, "ok", "canary")) << result.out;
  EXPECT_NE(result.out.find("runs in audit mode"), std::string::npos) << result.out;
}

TEST_F(Doctor, TellsABrokenPolicyFromAWorkingHook) {
  install("claude-code");
  write_text(folder_.file("policy.yaml"), "version: \"1\"\negres: {}\n");
  const auto result = doctor();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_FALSE(says(result, "ok", "canary")) << result.out;
  EXPECT_TRUE(says(result, "error", "policy.invalid")) << result.out;
}

TEST_F(Doctor, TellsAMissingProgramFromADenial) {
  install("claude-code");
  std::string text = read_text(settings());
  const std::size_t at = text.find("\"command\": \"/") + 12;
  write_text(settings(),
             text.replace(at, text.find(" --agent", at) - at, "/nonexistent/lilith hook"));
  const auto result = doctor();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(says(result, "error", "canary.no_hook")) << result.out;
}

TEST_F(Doctor, SeesALineThatFailsOpen) {
  install("claude-code");
  replace_in_settings(" || exit 2", "");
  const auto result = doctor();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(says(result, "error", "hook.fails_open")) << result.out;
}

TEST_F(Doctor, SeesThatHooksAreSwitchedOff) {
  install("claude-code");
  replace_in_settings("{\n", "{\n  \"disableAllHooks\": true,\n");
  EXPECT_TRUE(says(doctor(), "error", "hook.disabled"));
}

TEST_F(Doctor, SeesSettingsThatNoAgentCanRead) {
  install("claude-code");
  replace_in_settings("{\n", "{ \"a\" 1\n");
  EXPECT_TRUE(says(doctor(), "error", "settings.unreadable"));
}

TEST_F(Doctor, SeesAnEventWithoutAHook) {
  install("cursor");
  const std::string path = folder_.file("home/.cursor/hooks.json");
  std::string text = read_text(path);
  text.replace(text.find("beforeReadFile"), 14, "afterReadFiles");
  write_text(path, text);
  const auto result = doctor("cursor");
  EXPECT_TRUE(says(result, "error", "hook.incomplete")) << result.out;
  EXPECT_NE(result.out.find("no hook for beforeReadFile"), std::string::npos) << result.out;
}

TEST_F(Doctor, RunsNoLineThatInstallWouldNotWrite) {
  install("claude-code");
  replace_in_settings("\"command\": \"", "\"command\": \"touch pwned; ");
  const auto result = doctor();
  EXPECT_TRUE(says(result, "warning", "canary.not_tried")) << result.out;
  EXPECT_FALSE(std::filesystem::exists(folder_.file("pwned")));
}

TEST_F(Doctor, SeesALogThatEveryoneCanRead) {
  install("claude-code");
  ASSERT_EQ(folder_.hook(test::git_event()).exit_code, 0);
  ASSERT_EQ(::chmod(folder_.log().c_str(), 0644), 0);
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "log.mode")) << result.out;
  EXPECT_NE(result.out.find("chmod 0640"), std::string::npos);
}

TEST_F(Doctor, SeesAPolicyThatEveryoneCanChange) {
  ASSERT_EQ(::chmod(folder_.file("policy.yaml").c_str(), 0666), 0);
  EXPECT_TRUE(says(doctor(), "error", "policy.writable"));
}

// ---- the key of audit.seal

class DoctorOfSeals : public Doctor {
 protected:
  explicit DoctorOfSeals(const std::string& mode = "enforce", const std::string& seconds = "3600") {
    test::PolicyText policy;
    policy.mode = mode;
    policy.audit_lines = "  seal: {key: " + key() + ", seconds: " + seconds + "}\n";
    folder_.write_policy(policy);
  }
  [[nodiscard]] std::string key() const { return folder_.file("seal.key"); }
  void init() const {
    const auto made = lilith({"seal", "init", "--policy", folder_.file("policy.yaml")});
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  void write_an_event() const { ASSERT_EQ(folder_.hook(test::git_event()).exit_code, 0); }
};

TEST_F(DoctorOfSeals, MissesAKeyThatWasNotMade) {
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "seal.missing")) << result.out;
  EXPECT_NE(result.out.find("fix: sudo lilith seal init"), std::string::npos);
}

TEST_F(DoctorOfSeals, SaysHowFarTheLogIsSealed) {
  init();
  auto result = doctor();
  EXPECT_TRUE(says(result, "ok", "seal")) << result.out;
  EXPECT_NE(result.out.find("the next event begins to be sealed"), std::string::npos);
  write_an_event();
  result = doctor();
  EXPECT_TRUE(says(result, "ok", "seal")) << result.out;
  EXPECT_NE(result.out.find("sealed up to seq "), std::string::npos) << result.out;
}

TEST_F(DoctorOfSeals, SeesAKeyThatOthersCanRead) {
  init();
  ASSERT_EQ(::chmod(key().c_str(), 0644), 0);
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "seal.mode")) << result.out;
  EXPECT_NE(result.out.find("fix: chmod 600 "), std::string::npos);
}

TEST_F(DoctorOfSeals, SeesAKeyThatTheWriterOfTheLogCanNotUse) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  init();
  write_an_event();
  ASSERT_EQ(::chown(key().c_str(), 65534, 65534), 0);
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "seal.owner")) << result.out;
  EXPECT_NE(result.out.find("fix: sudo chown root "), std::string::npos) << result.out;
}

TEST_F(DoctorOfSeals, SeesAKeyThatIsNone) {
  write_text(key(), "not a key\n");
  ASSERT_EQ(::chmod(key().c_str(), 0600), 0);
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "seal.unusable")) << result.out;
}

TEST_F(DoctorOfSeals, SeesALogThatIsWrittenLongAfterItsLastCheckpoint) {
  init();
  write_an_event();
  std::filesystem::last_write_time(
      folder_.log(), std::filesystem::file_time_type::clock::now() + std::chrono::hours(2));
  const auto result = doctor();
  EXPECT_TRUE(says(result, "error", "seal.stopped")) << result.out;
}

class DoctorOfSealsInAuditMode : public DoctorOfSeals {
 protected:
  DoctorOfSealsInAuditMode() : DoctorOfSeals("audit") {}
};
TEST_F(DoctorOfSealsInAuditMode, WarnsWhereTheKeyIsMissing) {
  const auto result = doctor();
  EXPECT_TRUE(says(result, "warning", "seal.missing")) << result.out;
  EXPECT_NE(result.out.find("events are not sealed"), std::string::npos);
}

TEST_F(Doctor, AsksTheShipper) {
  if (!std::filesystem::exists(std::string(LILITH_BIN_DIR) + "/lilith-ship")) {
    GTEST_SKIP() << "lilith-ship is not built";
  }
  ASSERT_EQ(folder_.hook(test::git_event()).exit_code, 0);
  write_text(folder_.file("ship.yaml"),
             "version: \"1\"\nsources: [" + folder_.log() +
                 "]\nstate_dir: " + folder_.file("ship") +
                 "\nsinks:\n  - {name: out, type: file, path: " + folder_.file("out") + "}\n");
  const auto result = doctor("claude-code", {"--ship-config", folder_.file("ship.yaml")});
  EXPECT_TRUE(says(result, "ok", "ship")) << result.out;
  write_text(folder_.file("ship.yaml"), "sinks: 7\n");
  EXPECT_TRUE(says(doctor("claude-code", {"--ship-config", folder_.file("ship.yaml")}), "error",
                   "ship.status"));
}

TEST_F(Doctor, SpeaksJson) {
  install("claude-code");
  const auto result = doctor("claude-code", {"--json"});
  json::Document document;
  const auto root = document.parse(result.out);
  ASSERT_TRUE(root) << result.out;
  std::size_t canaries = 0;
  root->find("findings")->each_element([&](json::View one) {
    if (one.text("check") == "canary" && one.text("severity") == "ok") ++canaries;
    EXPECT_FALSE(one.text("subject").empty());
    EXPECT_FALSE(one.text("message").empty());
    return true;
  });
  EXPECT_EQ(canaries, 1U);
}

TEST_F(Doctor, KnowsItsAgents) {
  const auto result = lilith({"doctor", "clippy"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("no agent is called clippy"), std::string::npos);
}

struct VersionCase {
  agents::Agent agent;
  const char* version;
  const char* expected;
};
TEST(Versions, KnownToFailOpenAreNamed) {
  using agents::Agent;
  for (const VersionCase& c : {
           VersionCase{Agent::kClaudeCode, "2.1.294", "warning version.fails_open"},
           VersionCase{Agent::kClaudeCode, "2.1.295", "ok version"},
           VersionCase{Agent::kClaudeCode, "2.1.328", "ok version"},
           VersionCase{Agent::kGhCopilotCli, "1.0.73", "error version.fails_open"},
           VersionCase{Agent::kGhCopilotCli, "1.0.102", "ok version"},
           VersionCase{Agent::kCodex, "0.98.0", "error version.fails_open"},
           VersionCase{Agent::kCodex, "0.124.0", "ok version"},
           VersionCase{Agent::kCursor, "3.10.20", "error version.fails_open"},
           VersionCase{Agent::kCursor, "3.10.21", "ok version"},
           VersionCase{Agent::kWindsurf, "", "note version.unknown"},
       }) {
    AgentSurvey agent;
    agent.agent = c.agent;
    agent.programs = {{"/usr/bin/x", c.version}};
    const auto findings = check_versions({agent});
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(std::string(name(findings[0].severity)) + " " + findings[0].check, c.expected)
        << c.version;
  }
}

TEST(Canary, LinesOfOtherFormsAreNotRun) {
  const std::string folder = LILITH_BIN_DIR;
  const std::string program = folder + "/lilith hook --agent claude_code";
  for (const std::string& line : {program + " || exit 2", program + " --on-error allow || exit 0",
                                  program, program + " --policy '/a b'"}) {
    EXPECT_EQ(why_not_run(line, folder, true), "") << line;
  }
  for (const std::string& line :
       {"x; " + program, program + " $(x)", program + " | sh", "FOO=1 " + program,
        program + " || exit 2; x", program + " > /etc/x", program + "\nx",
        std::string("lilith hook --agent claude_code"), std::string("exec ") + program}) {
    EXPECT_NE(why_not_run(line, folder, true), "") << line;
  }
}

}  // namespace
}  // namespace lilith::enforcer::setup
