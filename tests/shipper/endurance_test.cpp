// The shipper where there is nothing to do, no room, or no word of changes. Names are those of
// docs/shipping-failures.md.

#include "tests/shipper/ship_fixture.hpp"
#include "tests/support/sanitized.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sys/stat.h>
#include <thread>

namespace lilith::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

std::uint64_t wakeups(int pid) {
  std::uint64_t sum = 0;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task"))
    sum += number_in(thread.path() / "status", "voluntary_ctxt_switches:");
  return sum;
}

class ShipEndurance : public ShipProcess {
 protected:
  void configure_sinks(const std::string& sinks) {
    write_text(dir_.file("ship.yaml"), "version: \"1\"\nsources: [\"" + log() +
                                           "\"]\nstate_dir: \"" + dir_.file("state") +
                                           "\"\nsinks:\n" + sinks);
  }
  // A file sink to `copy`, and syslog to `receiver`.
  void configure_copy_and_syslog(const Receiver& receiver) {
    configure_sinks("  - {name: copy, type: file, path: \"" + dir_.file("copy") +
                    "\"}\n  - {name: soc, type: syslog, address: \"127.0.0.1:" +
                    std::to_string(receiver.port()) + "\"}\n");
  }
  // The shipper in namespaces of its own, after these shell commands. Its files are seen through
  // /proc/PID/root.
  std::vector<std::string> command_after(const std::string& shell) const {
    return {"/usr/bin/unshare", "-Urm", "/bin/sh", "-c",
            "set -e; " + shell + "; exec " + std::string(LILITH_BIN_DIR) +
                "/lilith-ship --config " + dir_.file("ship.yaml")};
  }
  static bool has_namespaces() {
    return run({"/usr/bin/unshare", "-Urm", "/bin/mount", "-t", "tmpfs", "tmpfs", "/mnt"})
               .exit_code == 0;
  }
};

TEST_F(ShipEndurance, T13c_WithoutInotifyChangesAreLookedFor) {
  if (!has_namespaces()) GTEST_SKIP() << "no user namespaces here";
  append_events(log_options(log()), 10);
  configure_sinks("  - {name: copy, type: file, path: \"" + dir_.file("copy") + "\"}\n");
  for (const char* const limit : {"max_inotify_instances", "max_inotify_watches"}) {
    SCOPED_TRACE(limit);
    Process shipper(command_after("echo 0 > /proc/sys/user/" + std::string(limit)));
    for (int i = 0; i < 2; ++i) {
      append_events(log_options(log()), 10);
      EXPECT_TRUE(eventually([&] { return lines_in(dir_.file("copy")) == all_lines(log()); }));
    }
    shipper.signal(SIGTERM);
    EXPECT_EQ(shipper.wait().exit_code, 0);
  }
}

TEST_F(ShipEndurance, T27_AFullDiskUnderSinkAndStateIsWaitedFor) {
  if (!has_namespaces()) GTEST_SKIP() << "no user namespaces here";
  append_events(log_options(log()), 200);
  write_text(dir_.file("ship.yaml"),
             "version: \"1\"\nsources: [\"" + log() +
                 "\"]\nstate_dir: /mnt/state\nsinks:\n  - {name: copy, type: file, path: "
                 "/mnt/copy}\n");
  Process shipper(
      command_after("mount -t tmpfs -o size=512k tmpfs /mnt; mkdir /mnt/state; "
                    "dd if=/dev/zero of=/mnt/filler bs=4k 2> /dev/null || true"));
  const std::string disk = "/proc/" + std::to_string(shipper.pid()) + "/root/mnt/";
  ASSERT_TRUE(eventually([&] { return ::access((disk + "copy").c_str(), F_OK) == 0; }));
  const auto written = all_lines(log());
  EXPECT_LT(lines_in(disk + "copy").size(), written.size());
  ASSERT_EQ(::unlink((disk + "filler").c_str()), 0);
  EXPECT_TRUE(eventually([&] { return lines_in(disk + "copy").size() >= written.size(); }));
  (void)expect_at_least_once_in_order(lines_in(disk + "copy"), written);
  EXPECT_TRUE(eventually(
      [&] { return ::access((disk + "state/copy.checkpoint.json").c_str(), R_OK) == 0; }));
  shipper.signal(SIGTERM);
  const auto ended = shipper.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("No space left on device"));
}

// A disk that gives an error for a while: nothing is passed over.
TEST_F(ShipEndurance, AReadErrorOfTheDiskIsTriedAgainUntilItIsOver) {
  append_events(log_options(log()), 50);
  configure("type: file, path: \"" + dir_.file("copy") + "\"");
  const std::string trouble = dir_.file("trouble");
  write_text(trouble, "");
  Process shipper(command(), ProcessOptions{.environment = {{"LD_PRELOAD", LILITH_FAILING_READS},
                                                            {"LILITH_FAILING_READS", trouble}}});
  auto status = command();
  status.insert(status.end(), {"status", "--json"});
  ASSERT_TRUE(eventually([&] {
    return run(status).out.find("Input/output error") != std::string::npos;
  })) << run(status).out;
  EXPECT_TRUE(lines_in(dir_.file("copy")).empty());
  append_events(log_options(log()), 50);
  fs::remove(trouble);
  EXPECT_TRUE(eventually([&] { return lines_in(dir_.file("copy")) == all_lines(log()); },
                         std::chrono::seconds(60)));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
}

// A log that is removed while nobody looks, and another one that the file system gives the same
// inode, shorter or longer than what was read of the first.
TEST_F(ShipEndurance, T01_ANewLogOnTheInodeOfTheOldOneIsReadFromItsBeginning) {
  std::string place = "/var/tmp/lilith-inode-XXXXXX";  // on a disk: tmpfs never gives one again
  if (::mkdtemp(place.data()) == nullptr) GTEST_SKIP() << "/var/tmp cannot be written";
  const std::string path = place + "/audit.log";
  write_text(dir_.file("ship.yaml"),
             "version: \"1\"\nsources: [\"" + path + "\"]\nstate_dir: \"" + dir_.file("state") +
                 "\"\nsinks:\n  - {name: soc, type: file, path: \"" + dir_.file("copy") + "\"}\n");
  const auto inode_of = [](const std::string& file) {
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
  };
  std::vector<std::string> written;
  bool same = true;
  for (const std::size_t events : {20U, 5U, 60U, 40U}) {
    const auto old = inode_of(path);
    std::vector<std::string> others;
    if (old != 0) {
      fs::remove(path);
      constexpr int kTries = 1000;
      for (same = false; !same && others.size() < kTries;) {
        others.push_back(place + "/" + std::to_string(others.size()));
        write_text(others.back(), "");
        same = inode_of(others.back()) == old;
      }
      if (!same) break;
      fs::rename(others.back(), path);
    }
    append_events(log_options(path), events);
    ASSERT_TRUE(old == 0 || inode_of(path) == old);
    for (const std::string& line : all_lines(path)) written.push_back(line);
    const auto shipped = once();
    EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
    auto copied = lines_in(dir_.file("copy"));
    // The shipper's own log says that the old one is gone.
    std::erase_if(copied, [](const std::string& line) {
      return line.find(R"("host":"ws-42")") == std::string::npos;
    });
    EXPECT_EQ(expect_at_least_once_in_order(copied, written), 0U);
    for (const std::string& other : others) fs::remove(other);
  }
  fs::remove_all(place);
  if (!same) GTEST_SKIP() << "the file system of /var/tmp does not give an inode again";
}

// haproxy ends a connection that was idle for a second (three minutes with LILITH_LONG): what comes
// then is delivered by a new one.
TEST_F(ShipEndurance, T36_NothingIsLostBehindABalancerThatEndsIdleConnections) {
  const std::string root = std::string(LILITH_SOURCE_DIR) + "/build/haproxy";
  const bool unpacked = ::access((root + "/usr/sbin/haproxy").c_str(), X_OK) == 0;
  const std::string program = unpacked ? root + "/usr/sbin/haproxy" : "/usr/sbin/haproxy";
  if (::access(program.c_str(), X_OK) != 0)
    GTEST_SKIP() << "haproxy is not in build/haproxy (scripts/setup test)";
  const std::string idle = is_long() ? "180s" : "1s";
  const Receiver receiver(Receiver::Kind::kTcp);
  const int port = free_port();
  write_text(dir_.file("haproxy.cfg"),
             "global\n  log stdout format raw local0\ndefaults\n  mode tcp\n  log global\n  option "
             "tcplog\n  timeout connect 5s\n  timeout client " +
                 idle + "\n  timeout server " + idle +
                 "\nlisten l\n  bind 127.0.0.1:" + std::to_string(port) +
                 "\n  server s 127.0.0.1:" + std::to_string(receiver.port()) + "\n");
  const std::string said = dir_.file("haproxy.log");
  Process balancer(
      {"/bin/sh", "-c", "exec " + program + " -db -f " + dir_.file("haproxy.cfg") + " >" + said},
      ProcessOptions{.environment = {{"LD_LIBRARY_PATH", root + "/usr/lib/x86_64-linux-gnu"}}});
  append_events(log_options(log()), 10);
  configure("type: syslog, framing: newline, address: \"127.0.0.1:" + std::to_string(port) + "\"");
  Process shipper(command());
  const auto all_there = [&] {
    const std::string stream = receiver.received();
    std::size_t at = 0;
    for (const std::string& line : all_lines(log())) {
      at = stream.find(line, at);
      if (at == std::string::npos) return false;
    }
    return true;
  };
  for (std::size_t round = 1; round <= (is_long() ? 1U : 3U); ++round) {
    ASSERT_TRUE(eventually(all_there, std::chrono::seconds(60))) << "round " << round;
    // A line for each connection, when it has ended.
    ASSERT_TRUE(eventually([&] { return lines_in(said).size() >= round; },
                           std::chrono::seconds(is_long() ? 240 : 60)));
    append_events(log_options(log()), 10);
  }
  EXPECT_TRUE(eventually(all_there, std::chrono::seconds(60)));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  balancer.signal(SIGTERM);
  (void)balancer.wait();
}

TEST_F(ShipEndurance, WithoutLibcurlASinkThatSpeaksHttpIsRefusedAndOthersWork) {
  if (!has_namespaces()) GTEST_SKIP() << "no user namespaces here";
  const std::string without =
      "mount --bind /dev/null $(readlink -f " + std::string(LILITH_LIBCURL) + ")";
  append_events(log_options(log()), 10);
  const std::string file = "  - {name: copy, type: file, path: \"" + dir_.file("copy") + "\"}\n";
  configure_sinks(file);
  {
    Process shipper(command_after(without));
    EXPECT_TRUE(eventually([&] { return lines_in(dir_.file("copy")) == all_lines(log()); }));
    shipper.signal(SIGTERM);
    EXPECT_EQ(shipper.wait().exit_code, 0);
  }
  for (const char* const sink :
       {"  - {name: siem, type: http, api: ndjson, url: \"http://127.0.0.1:1/\"}\n",
        "  - {name: siem, type: wazuh, url: \"https://127.0.0.1:1\", username: a, password: {env: "
        "HOME}}\n"}) {
    configure_sinks(file + sink);
    const auto refused = run(command_after(without));
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.err, HasSubstr("libcurl cannot be loaded: "));
    EXPECT_THAT(refused.err,
                HasSubstr("; sinks that speak HTTP and status need it (Debian: libcurl4)"));
  }
}

TEST_F(ShipEndurance, T34_HasNothingToDoWhereThereIsNothingToDo) {
  append_events(log_options(log()), 10);
  const Receiver receiver(Receiver::Kind::kTcp);
  configure_copy_and_syslog(receiver);
  Process shipper(command());
  ASSERT_TRUE(eventually([&] { return lines_in(dir_.file("copy")) == all_lines(log()); }));
  // A log that goes away is no reason to spin, either.
  for (const bool gone : {false, true}) {
    if (gone) ::unlink(log().c_str());
    std::uint64_t before = 0, after = 0;
    // Rest begins when two looks a second apart agree; one that never rests never gets there.
    EXPECT_TRUE(eventually([&] {
      before = wakeups(shipper.pid());
      std::this_thread::sleep_for(std::chrono::seconds(1));
      after = wakeups(shipper.pid());
      return after - before <= 4;
    })) << after - before
        << " wake-ups in a second";
  }
}

TEST_F(ShipEndurance, T34b_GivesBackWhatABacklogNeededAndHoldsLittle) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  append_events(log_options(log()), 10);
  const Receiver receiver(Receiver::Kind::kTcp);
  configure_copy_and_syslog(receiver);
  Process shipper(command());
  const auto all_there = [&] {
    const auto written = all_lines(log());
    return lines_in(dir_.file("copy")).size() >= written.size() &&
           receiver.received().find(written.back()) != std::string::npos;
  };
  const auto kib = [&](const char* of) {
    return number_in("/proc/" + std::to_string(shipper.pid()) + "/smaps_rollup", of);
  };
  ASSERT_TRUE(eventually(all_there));
  const std::uint64_t before = kib("Anonymous:");
  append_events(log_options(log()), 4'000);  // a few MB: batches and buffers at their largest
  ASSERT_TRUE(eventually(all_there));
  EXPECT_TRUE(eventually([&] { return kib("Anonymous:") < before + 768; }))
      << kib("Anonymous:") << " KiB, " << before << " before";
  std::cout << kib("Rss:") << " KiB resident, of which " << kib("Anonymous:")
            << " of its own; before the backlog " << before << "\n";
#ifdef NDEBUG
  constexpr std::uint64_t kGoalKib = 12 * 1024;  // what is built without optimisation is larger
  EXPECT_LT(kib("Rss:"), kGoalKib);
#endif
}

}  // namespace
}  // namespace lilith::test
