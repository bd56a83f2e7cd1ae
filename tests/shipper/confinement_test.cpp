// What lilith-ship gives up by itself when it starts, whoever started it, and that it delivers all
// the same.

#include "audit/confine/landlock.hpp"
#include "tests/shipper/ship_fixture.hpp"
#include "tests/support/sanitized.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

namespace lilith::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr unsigned kNobody = 65534;
constexpr const char* kAll = "confined: capabilities,writes,syscalls\n";

constexpr std::uint64_t kFilesOfOthers = 6;             // CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
constexpr int kKeepsTruncation = 3, kKeepsSignals = 6;  // versions of Landlock

// "NAME: value" of a process or a thread.
std::map<std::string, std::string> status_of(const std::string& task) {
  std::map<std::string, std::string> found;
  for (const std::string& line : lines_of(read_text(task + "/status"))) {
    const std::size_t tab = line.find(":\t");
    if (tab != std::string::npos) found[line.substr(0, tab)] = line.substr(tab + 2);
  }
  return found;
}

std::uint64_t capabilities_of(const std::string& task, const char* set = "CapEff") {
  return std::strtoull(status_of(task)[set].c_str(), nullptr, 16);
}

enum class User { kRoot, kOrdinary };

class Confined : public ShipProcess {
 protected:
  void SetUp() override {
    if (confine::landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    for (const char* name : {"state", "out", "elsewhere"})
      std::filesystem::create_directory(dir_.file(name));
    sink_in("out", "a");
  }
  void sink_in(const std::string& directory, const std::string& file,
               const std::string& more = {}) {
    configure("type: file, path: \"" + dir_.file(directory) + "/" + file + "\"");
    append_text(dir_.file("ship.yaml"), more);
  }
  [[nodiscard]] std::string out(const std::string& file) const { return dir_.file("out/" + file); }
  // Everything here is `uid`'s.
  void give_to(unsigned uid) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path()))
      ASSERT_EQ(::lchown(entry.path().c_str(), uid, uid), 0);
    ASSERT_EQ(::chown(dir_.path().c_str(), uid, uid), 0);
  }
  bool arrives(const std::string& path) {
    const std::string last = all_lines(log()).back();
    return eventually([&] {
      const auto lines = lines_in(path);
      return std::find(lines.begin(), lines.end(), last) != lines.end();
    });
  }
  std::string status(const std::string& form = "") {
    std::vector<std::string> argv{command()[0], "status", "--config", dir_.file("ship.yaml")};
    if (!form.empty()) argv.push_back(form);
    return run(argv).out;
  }
  static std::vector<std::string> without(const std::string& what,
                                          std::vector<std::string> command) {
    command.insert(command.begin(), {LILITH_CONFINED_PROBE, "without", what});
    return command;
  }
};

class ConfinedUser : public Confined, public testing::WithParamInterface<User> {
 protected:
  void SetUp() override {
    Confined::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0 && GetParam() == User::kRoot) GTEST_SKIP() << "not root";
    if (::geteuid() == 0 && GetParam() == User::kOrdinary) options_.uid = kNobody;
  }
  void settle() {
    if (options_.uid) give_to(*options_.uid);
  }
  std::map<std::string, std::string> probe() {
    write_text(dir_.file("elsewhere/file"), "content");
    settle();
    const auto result = run({LILITH_CONFINED_PROBE, dir_.file("ship.yaml"),
                             dir_.file("elsewhere/file"), dir_.file("out")},
                            options_);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::map<std::string, std::string> found;
    for (const std::string& line : lines_of(result.out)) {
      const std::size_t colon = line.rfind(": ");
      found[line.substr(0, colon)] = line.substr(colon + 2);
    }
    return found;
  }

  ProcessOptions options_;
};

const std::set<std::string> kGoesOn{"read elsewhere",
                                    "make in state_dir",
                                    "rename in state_dir",
                                    "remove in state_dir",
                                    "make beside the sink's file",
                                    "unix socket",
                                    "tcp",
                                    "udp",
                                    "netlink",
                                    "thread",
                                    "look up a name",
                                    "/dev/null"};
// Whoever has no privileges may get the same answer from the kernel, and so may all in a container.
const std::set<std::string> kSameForSome{"mount",
                                         "chroot",
                                         "bpf",
                                         "module",
                                         "packet socket",
                                         "raw socket",
                                         "give away",
                                         "keys",
                                         "vsock",
                                         "io_uring",
                                         "leave the namespaces",
                                         "clone with namespaces",
                                         "enter a namespace",
                                         "crypto socket",
                                         "type into the terminal"};

bool has_every_power() {
  constexpr std::uint64_t kAdministrator = 1ULL << 21U;  // CAP_SYS_ADMIN
  return capabilities_of("/proc/self") & kAdministrator &&
         status_of("/proc/self")["Seccomp"] == "0";
}

TEST_P(ConfinedUser, CanDoWhatAShipperDoesAndNothingElse) {
  const auto found = probe();
  const int version = confine::landlock_version();
  EXPECT_EQ(found.size(), 42U);
  for (const auto& [name, came_to] : found) {
    if (kGoesOn.contains(name)) {
      EXPECT_EQ(came_to, "ok") << name;
    } else if (name == "clone3") {
      EXPECT_EQ(came_to, "ENOSYS") << "for which the C library has another way";
    } else if (name == "a call of 32 bits") {
      EXPECT_THAT(came_to, AnyOf("EPERM", "ENOSYS"));
    } else if (name == "signal a process") {
      EXPECT_EQ(came_to, version < kKeepsSignals ? "ok" : "EPERM");
    } else if (name == "truncate elsewhere") {
      EXPECT_EQ(came_to, version < kKeepsTruncation ? "ok" : "EACCES");
    } else if (name != "trace a process" || !kSanitized) {
      EXPECT_THAT(came_to, AnyOf("EPERM", "EACCES")) << name;
    }
  }
}

// What the same program can do where the configuration says `confine: off`: the row before proves
// something only where this differs.
TEST_P(ConfinedUser, WouldOtherwiseBeAbleTo) {
  sink_in("out", "a", "confine: off\n");
  const bool all = GetParam() == User::kRoot && has_every_power();
  for (const auto& [name, came_to] : probe()) {
    if (kSameForSome.contains(name) && !all) continue;
    EXPECT_THAT(came_to, Not(AnyOf("EPERM", "EACCES"))) << name;
  }
}

TEST_P(ConfinedUser, DeliversThroughRotationReloadAndKill) {
  append_events(log_options(log()), 20);
  settle();
  std::vector<std::string> got;
  {
    Process shipper(command(), options_);
    ASSERT_TRUE(arrives(out("a")));
    const bool root = GetParam() == User::kRoot;
    const std::uint64_t left = root ? capabilities_of("/proc/self") & kFilesOfOthers : 0;
    std::size_t threads = 0;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(shipper.pid()) + "/task")) {
      auto status = status_of(task.path());
      EXPECT_EQ(status["Seccomp"], "2");
      EXPECT_EQ(status["NoNewPrivs"], "1");
      for (const char* set : {"CapEff", "CapPrm"})
        EXPECT_EQ(capabilities_of(task.path(), set), left) << set;
      EXPECT_EQ(capabilities_of(task.path(), "CapInh"), 0U);
      if (root) {
        EXPECT_EQ(capabilities_of(task.path(), "CapBnd"), left);
      }
      ++threads;
    }
    EXPECT_GT(threads, 2U);
    EXPECT_THAT(status(), HasSubstr(kAll));
    std::filesystem::rename(out("a"), out("a.1"));  // as logrotate does
    append_events(log_options(log()), 20);
    ASSERT_TRUE(arrives(out("a")));
    sink_in("out", "b");
    ASSERT_TRUE(eventually([&] {
      append_events(log_options(log()), 1);
      return std::filesystem::exists(out("b"));
    }));
    shipper.signal(SIGKILL);
    shipper.wait();
  }
  append_events(log_options(log()), 20);
  Process shipper(command(), options_);
  ASSERT_TRUE(arrives(out("b")));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  for (const char* name : {"a.1", "a", "b"}) {
    for (std::string& line : lines_in(out(name))) got.push_back(std::move(line));
  }
  (void)expect_at_least_once_in_order(got, all_lines(log()));
}

INSTANTIATE_TEST_SUITE_P(Users, ConfinedUser, testing::Values(User::kRoot, User::kOrdinary),
                         [](const auto& one) {
                           return one.param == User::kRoot ? "Root" : "Ordinary";
                         });

TEST_F(Confined, ANewConfigurationThatWritesElsewhereIsRefusedAndTheOldOneGoesOn) {
  append_events(log_options(log()), 3);
  Process shipper(command());
  ASSERT_TRUE(arrives(out("a")));
  sink_in("elsewhere", "b");
  ASSERT_TRUE(eventually(
      [&] { return status("--json").find("\"reloads_refused\":1") != std::string::npos; }));
  append_events(log_options(log()), 3);
  EXPECT_TRUE(arrives(out("a")));
  shipper.signal(SIGTERM);
  const auto result = shipper.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("the old one goes on: sink soc: " + dir_.file("elsewhere/b") +
                                    " lies outside the directories to which the shipper confined "
                                    "its writes when it started; restart it"));
  EXPECT_TRUE(lines_in(out("a")) == all_lines(log()));
  Process again(command());
  append_events(log_options(log()), 3);
  EXPECT_TRUE(arrives(dir_.file("elsewhere/b")));
}

// As when something is mounted there: the kernel keeps writes to what was there at the start.
TEST_F(Confined, ADirectoryThatIsReplacedIsSaidToWantARestartWhichDeliversEverything) {
  append_events(log_options(log()), 3);
  {
    Process shipper(command());
    ASSERT_TRUE(arrives(out("a")));
    std::filesystem::rename(dir_.file("out"), dir_.file("before"));
    std::filesystem::create_directory(dir_.file("out"));
    append_events(log_options(log()), 3);
    EXPECT_TRUE(
        eventually([&] { return status().find("restart the shipper") != std::string::npos; }));
  }
  Process shipper(command());
  EXPECT_TRUE(arrives(out("a")));
  auto got = lines_in(dir_.file("before/a"));
  for (std::string& line : lines_in(out("a"))) got.push_back(std::move(line));
  EXPECT_TRUE(got == all_lines(log()));
}

// Made later it would be out of reach; an event not delivered is worse than a shipper that may
// write.
TEST_F(Confined, WritesAreNotConfinedWhereASinksDirectoryIsNotThereYet) {
  append_events(log_options(log()), 3);
  sink_in("later", "a");
  Process shipper(command());
  ASSERT_TRUE(eventually(
      [&] { return status().find("cannot open " + dir_.file("later/a")) != std::string::npos; }));
  EXPECT_THAT(status(),
              HasSubstr("confined: capabilities,syscalls; writes are not confined, since " +
                        dir_.file("later") + " can't be opened"));
  std::filesystem::create_directory(dir_.file("later"));
  EXPECT_TRUE(arrives(dir_.file("later/a")));
}

struct Lacking {
  const char* what;
  const char* holds;
  const char* why;
};

class ConfinedKernel : public Confined, public testing::WithParamInterface<Lacking> {};

TEST_P(ConfinedKernel, ThatLacksAPartIsSaidOnceAndEverythingIsShipped) {
  const auto& [what, holds, why] = GetParam();
  append_events(log_options(log()), 3);
  Process shipper(without(what, command()));
  ASSERT_TRUE(arrives(out("a")));
  EXPECT_THAT(status(), HasSubstr(std::string("confined: ") + holds + "; " + why));
  shipper.signal(SIGTERM);
  const auto result = shipper.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err,
              HasSubstr(std::string("not fully confined, and shipping all the same: ") + why));
  EXPECT_TRUE(lines_in(out("a")) == all_lines(log()));
}

TEST_P(ConfinedKernel, ThatLacksAPartIsRefusedWhereAllIsRequired) {
  append_events(log_options(log()), 3);
  sink_in("out", "a", "confine: require\n");
  const auto result = run(without(GetParam().what, command()));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr(std::string("confine: require: ") + GetParam().why));
  Process shipper(command());
  EXPECT_TRUE(arrives(out("a")));
  EXPECT_THAT(status(), HasSubstr(kAll));
}

INSTANTIATE_TEST_SUITE_P(
    Parts, ConfinedKernel,
    testing::Values(Lacking{"landlock", "capabilities,syscalls",
                            "writes can't be confined: the kernel has no Landlock"},
                    Lacking{"seccomp", "capabilities,writes",
                            "cannot install the filter of system calls: Invalid argument"}),
    [](const auto& one) { return std::string(one.param.what); });

TEST_F(Confined, OffGivesNothingUpAndSaysSo) {
  append_events(log_options(log()), 3);
  sink_in("out", "a", "confine: off\n");
  Process shipper(command());
  ASSERT_TRUE(arrives(out("a")));
  EXPECT_EQ(status_of("/proc/" + std::to_string(shipper.pid()))["Seccomp"],
            status_of("/proc/self")["Seccomp"]);
  EXPECT_THAT(status(), HasSubstr("confined: none (confine: off)\n"));
}

}  // namespace
}  // namespace lilith::test
