// `lilith install` and `lilith uninstall` as programs, on real files.

#include "tests/enforcer/hook_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSettings = "{\n  // mine\n  \"model\": \"opus\"\n}\n";

class Installed : public testing::Test {
 protected:
  Installed() { folder_.write_policy(); }
  ProcessResult lilith(std::vector<std::string> words) const {
    words.insert(words.begin(), lilith_program());
    return run(words, folder_.options());
  }
  [[nodiscard]] std::vector<std::string> here(std::vector<std::string> words) const {
    words.insert(words.end(), {"--home", home()});
    return words;
  }
  [[nodiscard]] std::string home() const { return folder_.file("home"); }
  [[nodiscard]] std::string settings() const { return home() + "/.claude/settings.json"; }
  HookFolder folder_;
};

TEST_F(Installed, HookIsStartedByTheLineInTheFileAndDenies) {
  write_text(settings(), kSettings);
  const auto done = lilith(here({"install", "claude-code", "--policy", "policy.yaml"}));
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const std::string text = read_text(settings());
  const std::string key = "\"command\": \"";
  const std::size_t from = text.find(key) + key.size();
  const std::string line = text.substr(from, text.find("\",", from) - from);
  EXPECT_TRUE(line.ends_with(" || exit 2")) << text;
  EXPECT_NE(done.out.find(line), std::string::npos) << done.out;
  EXPECT_EQ(folder_.shell(line, git_event()).exit_code, 0);
  EXPECT_EQ(folder_.shell(line, claude_event("Bash", R"({"command":"make"})")).exit_code, 2);
  EXPECT_EQ(folder_.decisions().size(), 2U);
}

TEST_F(Installed, FileIsAsBeforeAfterwards) {
  write_text(settings(), kSettings);
  fs::permissions(settings(), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_EQ(lilith(here({"install", "claude-code"})).exit_code, 0);
  EXPECT_NE(read_text(settings()), kSettings);
  EXPECT_EQ(read_text(settings() + ".before-lilith"), kSettings);
  for (const std::string& path : {settings(), settings() + ".before-lilith"}) {
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  const auto again = lilith(here({"install", "claude-code"}));
  EXPECT_NE(again.out.find("nothing was changed"), std::string::npos) << again.out;
  const auto out = lilith(here({"uninstall", "claude-code"}));
  EXPECT_EQ(out.exit_code, 0) << out.err;
  EXPECT_EQ(read_text(settings()), kSettings);
  EXPECT_FALSE(fs::exists(settings() + ".before-lilith"));
  EXPECT_NE(lilith(here({"uninstall", "claude-code"})).out.find("no hook"), std::string::npos);
}

TEST_F(Installed, FileThatWasNotThereIsMadeAndRemoved) {
  fs::create_directories(home());
  ASSERT_EQ(lilith(here({"install", "copilot-cli"})).exit_code, 0);
  const std::string path = home() + "/.copilot/hooks/lilith.json";
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(home() + "/.copilot").permissions(), fs::perms::owner_all);
  EXPECT_NE(lilith(here({"uninstall", "copilot-cli"})).out.find("is removed"), std::string::npos);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(Installed, ProjectFileIsBelowTheProject) {
  const auto done = lilith(
      {"install", "vscode-copilot", "--scope", "project", "--project", folder_.file("work")});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_TRUE(fs::exists(folder_.file("work/.github/hooks/lilith-vscode.json")));
}

TEST_F(Installed, DryRunShowsTheChangeAndMakesNone) {
  write_text(settings(), kSettings);
  const auto shown = lilith(here({"install", "claude-code", "--dry-run"}));
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_NE(shown.out.find("+  \"hooks\": {\n"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("-  \"model\": \"opus\"\n"), std::string::npos) << shown.out;
  EXPECT_EQ(read_text(settings()), kSettings);
  fs::remove_all(home());
  fs::create_directories(home());
  EXPECT_NE(lilith(here({"install", "claude-code", "--dry-run"})).out.find("--- /dev/null"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(home() + "/.claude"));
}

struct RefusedCase {
  const char* name;
  const char* prepare;  // a shell line in the home directory
  const char* said;
};
void PrintTo(const RefusedCase& c, std::ostream* out) { *out << c.name; }
class Refused : public Installed, public testing::WithParamInterface<RefusedCase> {};
TEST_P(Refused, WithARemedyAndNothingChanged) {
  const RefusedCase& c = GetParam();
  fs::create_directories(home());
  const std::string look =
      "cd home && find . -type f -exec md5sum {} + | sort && ls -lR --time-style=+";
  ASSERT_EQ(folder_.shell("cd home && " + std::string(c.prepare)).exit_code, 0);
  const std::string before = folder_.shell(look).out;
  const auto done = lilith(here({"install", "claude-code"}));
  EXPECT_EQ(done.exit_code, 2) << done.out << done.err;
  EXPECT_NE(done.err.find(c.said), std::string::npos) << done.err;
  EXPECT_EQ(folder_.shell(look).out, before);
}
INSTANTIATE_TEST_SUITE_P(
    All, Refused,
    testing::Values(
        RefusedCase{
            "link", "mkdir .claude && echo '{}' >x && ln -s ../x .claude/settings.json",
            "is a symbolic link, and what it leads to may not be meant; name the file itself"},
        RefusedCase{"folder_is_a_link", "mkdir x && ln -s x .claude", ".claude is a symbolic link"},
        RefusedCase{"hard_link", "mkdir .claude && echo '{}' >x && ln x .claude/settings.json",
                    "has 2 names (hard links)"},
        RefusedCase{"pipe", "mkdir .claude && mkfifo .claude/settings.json", "is no regular file"},
        RefusedCase{"folder", "mkdir -p .claude/settings.json", "is no regular file"},
        RefusedCase{
            "unreadable_json",
            "mkdir .claude && printf '{\\n  \"a\": 1\\n  \"b\": 2\\n}' >.claude/settings.json",
            "line 3, column 3: a comma or a closing bracket is missing; nothing was changed"},
        RefusedCase{"other_form", "mkdir .claude && echo '{\"hooks\": 7}' >.claude/settings.json",
                    "hooks is no object"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(Installed, FileOfAnotherUserStaysTheirs) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can write for another user";
  constexpr uid_t kOther = 4242;
  write_text(settings(), kSettings);
  for (const std::string& path : {home(), home() + "/.claude", settings()}) {
    ASSERT_EQ(::chown(path.c_str(), kOther, kOther), 0);
  }
  ASSERT_EQ(lilith(here({"install", "claude-code"})).exit_code, 0);
  ASSERT_EQ(lilith(here({"install", "copilot-cli"})).exit_code, 0);
  for (const char* path : {"/.claude/settings.json", "/.claude/settings.json.before-lilith",
                           "/.copilot", "/.copilot/hooks", "/.copilot/hooks/lilith.json"}) {
    struct stat info{};
    ASSERT_EQ(::stat((home() + path).c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_uid, kOther) << path;
    EXPECT_EQ(info.st_gid, kOther) << path;
  }
}

TEST_F(Installed, RolloutEndsInExitZeroUntilAPolicyWasEnforced) {
  write_text(settings(), kSettings);
  ASSERT_EQ(lilith(here({"install", "claude-code", "--audit-rollout"})).exit_code, 0);
  const std::string text = read_text(settings());
  EXPECT_NE(text.find("--on-error allow || exit 0"), std::string::npos) << text;
  EXPECT_EQ(text.find("onFailure"), std::string::npos) << text;
  ASSERT_EQ(lilith(here({"uninstall", "claude-code"})).exit_code, 0);
  EXPECT_EQ(read_text(settings()), kSettings);
  if (fs::exists("/var/lib/lilith"))
    GTEST_SKIP() << "this machine has a state directory of its own";
  ASSERT_EQ(folder_.hook(git_event()).exit_code, 0);
  const auto refused = lilith(here({"install", "claude-code", "--audit-rollout"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("a policy was enforced here already"), std::string::npos)
      << refused.err;
}

TEST_F(Installed, WrongWordsAreNamed) {
  EXPECT_NE(lilith({"install", "clod"}).err.find("no agent is called clod; there are claude_code"),
            std::string::npos);
  EXPECT_NE(lilith({"install", "vscode-copilot", "--scope", "managed"}).err.find("no managed file"),
            std::string::npos);
  EXPECT_NE(lilith(here({"install", "claude-code", "--program", "/nonexistent/lilith"}))
                .err.find("is no program that can be started"),
            std::string::npos);
  EXPECT_EQ(lilith(here({"install", "claude-code"})).exit_code, 3);  // there is no such home
}

}  // namespace
}  // namespace lilith::test
