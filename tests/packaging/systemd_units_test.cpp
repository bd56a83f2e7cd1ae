// The systemd units as systemd reads them, and the hardening that docs/threat-model.md counts on.

#include "tests/support/support.hpp"

#include <gmock/gmock.h>

#include <string>
#include <unistd.h>

namespace lilith::test {
namespace {

const std::string kUnits = std::string(LILITH_SOURCE_DIR) + "/packaging/systemd/";
constexpr const char* kNames[] = {"lilith-recorder.socket", "lilith-recorder.service",
                                  "lilith-ship.service"};

// An installed /usr/bin/lilith is not needed to judge the units: `true` stands in its place.
std::string with_program(std::string text) {
  constexpr std::string_view kInstalled = "/usr/bin/lilith ";
  for (std::size_t at = 0; (at = text.find(kInstalled, at)) != std::string::npos;) {
    text.replace(at, kInstalled.size(), "/bin/true ");
  }
  return text;
}

TEST(SystemdUnits, AreAcceptedBySystemdAnalyze) {
  const std::string analyze = "/usr/bin/systemd-analyze";
  if (::access(analyze.c_str(), X_OK) != 0) GTEST_SKIP() << analyze << " is not installed here";
  TempDir folder;
  std::vector<std::string> argv{analyze, "verify", "--man=no", "--recursive-errors=no"};
  for (const char* name : kNames) {
    write_text(folder.file(name), with_program(read_text(kUnits + name)));
    argv.push_back(folder.file(name));
  }
  const auto result = run(argv);
  if (result.err.find("Failed to initialize manager") != std::string::npos) {
    GTEST_SKIP() << "systemd-analyze verify can't run here: " << result.err;
  }
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out + result.err, "");
}

TEST(SystemdUnits, SystemdAnalyzeNoticesAWrongKey) {
  const std::string analyze = "/usr/bin/systemd-analyze";
  if (::access(analyze.c_str(), X_OK) != 0) GTEST_SKIP() << analyze << " is not installed here";
  TempDir folder;
  const std::string unit = folder.file("lilith-recorder.service");
  write_text(unit, with_program(read_text(kUnits + "lilith-recorder.service")) +
                       "\n[Service]\nProtectHomes=yes\n");
  const auto result = run({analyze, "verify", "--man=no", "--recursive-errors=no", unit});
  if (result.err.find("Failed to initialize manager") != std::string::npos) {
    GTEST_SKIP() << "systemd-analyze verify can't run here: " << result.err;
  }
  EXPECT_THAT(result.out + result.err, testing::HasSubstr("ProtectHomes"));
}

// systemd's own judgement, from 0.0 (nothing can be reached) to 10.0; what keeps the shipper above
// 1 is that it needs the network.
TEST(SystemdUnits, AreLittleExposedAsSystemdCountsIt) {
  const std::string analyze = "/usr/bin/systemd-analyze";
  if (::access(analyze.c_str(), X_OK) != 0) GTEST_SKIP() << analyze << " is not installed here";
  for (const auto& [name, tenths] :
       {std::pair{"lilith-recorder.service", "10"}, std::pair{"lilith-ship.service", "15"}}) {
    TempDir folder;
    write_text(folder.file(name), with_program(read_text(kUnits + name)));
    const auto result = run({analyze, "security", "--offline=true", "--no-pager",
                             std::string("--threshold=") + tenths, folder.file(name)});
    if (result.err.find("unrecognized option") != std::string::npos)
      GTEST_SKIP() << "systemd-analyze security --offline needs systemd 250";
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.out << result.err;
  }
}

TEST(SystemdUnits, GiveNoPrivilegeAway) {
  for (const char* name : {"lilith-recorder.service", "lilith-ship.service"}) {
    const std::string text = read_text(kUnits + name);
    for (const char* line :
         {"\nNoNewPrivileges=yes\n", "\nCapabilityBoundingSet=\n", "\nProtectSystem=strict\n",
          "\nProtectHome=yes\n", "\nMemoryDenyWriteExecute=yes\n", "\nRestrictNamespaces=yes\n"}) {
      EXPECT_THAT(text, testing::HasSubstr(line)) << name;
    }
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("User=root"))) << name;
  }
}

TEST(SystemdUnits, TheRecorderHasNoNetwork) {
  const std::string text = read_text(kUnits + "lilith-recorder.service");
  EXPECT_THAT(text, testing::HasSubstr("\nPrivateNetwork=yes\n"));
  EXPECT_THAT(text, testing::HasSubstr("\nRestrictAddressFamilies=AF_UNIX\n"));
}

}  // namespace
}  // namespace lilith::test
