// wazuh/install against a tree that looks like a manager's. No manager can be had here, so two
// programs stand in for its own: `wazuh-logtest` answers from the model of the rule engine, and in
// the failure tests it is a stub that says what a broken manager says.

#include "tests/support/support.hpp"

#include <gmock/gmock.h>

#include <filesystem>

namespace lilith::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";
constexpr const char* kConf = "<ossec_config>\n  <ruleset/>\n</ossec_config>\n";

class Manager {
 public:
  Manager() {
    for (const char* name : {"etc/rules", "etc/decoders", "etc/lists", "bin", "queue/sockets"}) {
      fs::create_directories(at(name));
    }
    write_text(at("etc/ossec.conf"), kConf);
    write_text(at("queue/sockets/logtest"), "");
    program("wazuh-control", "echo \"$1\" >>" + at("restarts"));
    program("wazuh-analysisd", "exit 0");
    // The model, in the form of wazuh-logtest's answer.
    program("wazuh-logtest", std::string(LILITH_BIN_DIR) + "/lilith wazuh test " + at("etc/rules") +
                                 "/*.xml - --list " + at("etc/lists/lilith-agents") + " --list " +
                                 at("etc/lists/lilith-mcp-servers") +
                                 R"( | sed -n "s/^[0-9]*\t\([0-9]*\)\t.*/\tid: '\1'/p")");
  }
  [[nodiscard]] std::string at(const std::string& name) const { return folder_.file(name); }
  void program(const std::string& name, const std::string& body) const {
    write_text(at("bin/" + name), "#!/bin/sh\n" + body + "\n");
    fs::permissions(at("bin/" + name), fs::perms::owner_all);
  }
  [[nodiscard]] ProcessResult install(std::vector<std::string> more = {}) const {
    std::vector<std::string> argv{kKit + "install", "--home", folder_.path()};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv);
  }
  // Every file but backups, with its content.
  [[nodiscard]] std::map<std::string, std::string> state() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(at("etc"))) {
      if (entry.is_regular_file()) out[entry.path().string()] = read_text(entry.path().string());
    }
    return out;
  }
  [[nodiscard]] std::size_t restarts() const {
    return fs::exists(at("restarts")) ? lines_of(read_text(at("restarts"))).size() : 0;
  }

 private:
  TempDir folder_;
};

TEST(Install, PutsTheKitInPlaceTestsItAndRestartsOnce) {
  const Manager manager;
  const auto done = manager.install();
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_THAT(done.out, HasSubstr("samples fire their rules"));
  EXPECT_EQ(read_text(manager.at("etc/rules/lilith_rules.xml")),
            read_text(kKit + "lilith_rules.xml"));
  EXPECT_EQ(read_text(manager.at("etc/decoders/lilith_decoders.xml")),
            read_text(kKit + "lilith_decoders.xml"));
  EXPECT_THAT(read_text(manager.at("etc/ossec.conf")),
              HasSubstr("<list>etc/lists/lilith-mcp-servers</list>"));
  EXPECT_EQ(manager.restarts(), 1U);
  EXPECT_EQ(manager.install({"--check"}).exit_code, 0);
}

TEST(Install, RunAgainChangesNothing) {
  const Manager manager;
  ASSERT_EQ(manager.install().exit_code, 0);
  write_text(manager.at("etc/lists/lilith-mcp-servers"), "ide:\nours:\n");  // the site's own entry
  const auto before = manager.state();
  const auto again = manager.install();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.out, HasSubstr("nothing to change"));
  EXPECT_EQ(manager.state(), before);
  EXPECT_EQ(manager.restarts(), 1U);
}

TEST(Install, AnUpdateKeepsTheSitesListsAndABackup) {
  const Manager manager;
  ASSERT_EQ(manager.install().exit_code, 0);
  write_text(manager.at("etc/lists/lilith-agents"), "claude_code:\nours:\n");
  write_text(manager.at("etc/rules/lilith_rules.xml"), "<group name=\"old,\"></group>\n");
  EXPECT_EQ(manager.install({"--check"}).exit_code, 1);
  ASSERT_EQ(manager.install().exit_code, 0);
  EXPECT_EQ(read_text(manager.at("etc/lists/lilith-agents")), "claude_code:\nours:\n");
  bool kept = false;
  for (const auto& entry : fs::recursive_directory_iterator(manager.at("backup"))) {
    kept = kept || (entry.is_regular_file() &&
                    read_text(entry.path().string()) == "<group name=\"old,\"></group>\n");
  }
  EXPECT_TRUE(kept);
}

struct Broken {
  std::string name, program, stub, said;
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }
class InstallTakesItBack : public testing::TestWithParam<Broken> {};

TEST_P(InstallTakesItBack, WhenAStubSaysThatATestFails) {
  const Manager manager;
  write_text(manager.at("etc/rules/lilith_rules.xml"), "<group name=\"old,\"></group>\n");
  manager.program(GetParam().program, GetParam().stub);
  const auto before = manager.state();
  const auto failed = manager.install();
  EXPECT_EQ(failed.exit_code, 1) << failed.out;
  EXPECT_THAT(failed.out + failed.err, HasSubstr(GetParam().said));
  EXPECT_THAT(failed.out, HasSubstr("everything is as it was before"));
  EXPECT_EQ(manager.state(), before);
}
INSTANTIATE_TEST_SUITE_P(
    Wazuh, InstallTakesItBack,
    testing::Values(
        Broken{"rules_refused", "wazuh-analysisd",
               "echo \"wazuh-analysisd: ERROR: Field 'action' is static.\" >&2; exit 1",
               "Field 'action' is static"},
        Broken{"rules_refused_with_status_0", "wazuh-analysisd",
               "echo 'wazuh-analysisd: WARNING: (7612): Rule ID 100800 is duplicated.' >&2",
               "100800 is duplicated"},
        Broken{"another_rule_fires", "wazuh-logtest", "echo \"  id: '1002'\"",
               "rule 100800 was expected, wazuh-logtest says 1002"},
        Broken{"no_answer", "wazuh-logtest", "echo 'ERROR: no connection' >&2; exit 1",
               "wazuh-logtest says none"},
        Broken{"no_restart", "wazuh-control", "exit 1", "the manager did not restart"}),
    [](const auto& test) { return test.param.name; });

TEST(Install, StopsBeforeItTouchesAnythingWhereAnotherFileHasItsIds) {
  const Manager manager;
  write_text(manager.at("etc/rules/local_rules.xml"),
             "<group name=\"x,\">\n<rule id=\"100801\" level=\"13\"></rule>\n</group>\n");
  const auto before = manager.state();
  const auto refused = manager.install();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("local_rules.xml"));
  EXPECT_EQ(manager.state(), before);
  write_text(manager.at("etc/rules/local_rules.xml"),
             "<group name=\"x,\">\n<rule id=\"100801\" level=\"9\" overwrite=\"yes\">"
             "<description>d</description></rule>\n</group>\n");
  EXPECT_EQ(manager.install({"--check"}).exit_code, 1) << "not installed yet";
  EXPECT_THAT(manager.install().err, testing::Not(HasSubstr("local_rules.xml")));
}

TEST(Install, UninstallLeavesWhatWasThereBefore) {
  const Manager manager;
  ASSERT_EQ(manager.install().exit_code, 0);
  const auto gone = manager.install({"--uninstall"});
  EXPECT_EQ(gone.exit_code, 0) << gone.out << gone.err;
  EXPECT_FALSE(fs::exists(manager.at("etc/rules/lilith_rules.xml")));
  EXPECT_THAT(read_text(manager.at("etc/ossec.conf")), testing::Not(HasSubstr("lilith")));
  EXPECT_TRUE(fs::exists(manager.at("etc/lists/lilith-agents")));
  EXPECT_THAT(manager.install({"--uninstall"}).out, HasSubstr("nothing to take away"));
}

TEST(Install, WithoutTheFirstSeenRulesTouchesNoConfiguration) {
  const Manager manager;
  manager.program("wazuh-logtest",
                  std::string(LILITH_BIN_DIR) + "/lilith wazuh test " + manager.at("etc/rules") +
                      R"(/*.xml - | sed -n "s/^[0-9]*\t\([0-9]*\)\t.*/\tid: '\1'/p")");
  ASSERT_EQ(manager.install({"--without-first-seen"}).exit_code, 0);
  EXPECT_EQ(read_text(manager.at("etc/ossec.conf")), kConf);
  EXPECT_FALSE(fs::exists(manager.at("etc/rules/lilith_rules_first_seen.xml")));
}

TEST(Install, SaysWhatIsMissing) {
  const TempDir empty;
  const auto nothing = run({kKit + "install", "--home", empty.path()});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("this is no Wazuh manager"));
  EXPECT_EQ(run({kKit + "install", "--nope"}).exit_code, 2);
  EXPECT_THAT(run({kKit + "install", "--help"}).out, HasSubstr("--uninstall"));
}

}  // namespace
}  // namespace lilith::test
