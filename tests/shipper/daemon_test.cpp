// lilith-ship as a service: signals, changes of its configuration file, the service manager.

#include "audit/base/unique_fd.hpp"
#include "audit/confine/landlock.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>

namespace lilith::test {
namespace {

using testing::HasSubstr;

class ShipDaemon : public ShipProcess {
 protected:
  void file_sink(const std::string& path) { configure("type: file, path: \"" + path + "\""); }
  bool arrives(const std::string& path) {
    const std::string last = all_lines(log()).back();
    return eventually([&] {
      const auto lines = lines_in(path);
      return std::find(lines.begin(), lines.end(), last) != lines.end();
    });
  }
};

// What a service manager receives on $NOTIFY_SOCKET.
class Manager {
 public:
  explicit Manager(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (path.starts_with('@')) address.sun_path[0] = '\0';  // an abstract name
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  bool hears(const std::string& wanted) {
    return eventually([&] {
      char message[4096];
      for (ssize_t got = 0; (got = ::recv(fd_.get(), message, sizeof message, 0)) > 0;)
        heard_ += std::string(message, static_cast<std::size_t>(got)) + "\n";
      return heard_.find(wanted) != std::string::npos;
    });
  }
  [[nodiscard]] const std::string& heard() const { return heard_; }

 private:
  UniqueFd fd_;
  std::string heard_;
};

TEST_F(ShipDaemon, ReadsItsConfigurationAgainWhenTheFileChanges) {
  append_events(log_options(log()), 3);
  file_sink(dir_.file("a"));
  Process shipper(command());
  ASSERT_TRUE(arrives(dir_.file("a")));
  file_sink(dir_.file("b"));  // rewritten in place
  append_events(log_options(log()), 3);
  ASSERT_TRUE(eventually([&] {
    return std::filesystem::exists(dir_.file("b")) || [&] {
      append_events(log_options(log()), 1);
      return false;
    }();
  }));
  ASSERT_TRUE(arrives(dir_.file("b")));
  // Replaced by rename, as editors and configuration management do.
  const std::string text = read_text(dir_.file("ship.yaml"));
  std::string next = text;
  next.replace(next.find(dir_.file("b")), dir_.file("b").size(), dir_.file("c"));
  write_text(dir_.file("ship.yaml.new"), next);
  std::filesystem::rename(dir_.file("ship.yaml.new"), dir_.file("ship.yaml"));
  ASSERT_TRUE(eventually([&] {
    return std::filesystem::exists(dir_.file("c")) || [&] {
      append_events(log_options(log()), 1);
      return false;
    }();
  }));
  ASSERT_TRUE(arrives(dir_.file("c")));
  shipper.signal(SIGTERM);
  const auto result = shipper.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> got;
  for (const char* name : {"a", "b", "c"}) {
    for (std::string& line : lines_in(dir_.file(name))) got.push_back(std::move(line));
  }
  EXPECT_TRUE(got == all_lines(log())) << result.err;
}

TEST_F(ShipDaemon, ABadFileIsRefusedWithItsLineAndTheOldOneGoesOn) {
  append_events(log_options(log()), 3);
  file_sink(dir_.file("a"));
  Manager manager(dir_.file("notify"));
  Process shipper(command(), {.environment = {{"NOTIFY_SOCKET", dir_.file("notify")}}});
  ASSERT_TRUE(manager.hears("READY=1"));
  append_text(dir_.file("ship.yaml"), "sink: []\n");
  ASSERT_TRUE(manager.hears("the last new configuration was refused"));
  append_events(log_options(log()), 3);
  EXPECT_TRUE(arrives(dir_.file("a")));
  file_sink(dir_.file("a"));
  ASSERT_TRUE(manager.hears("RELOADING=1\nREADY=1\nSTATUS=delivering\n"));
  shipper.signal(SIGHUP);  // reads again what did not change: a secret's file may have
  ASSERT_TRUE(manager.hears("STATUS=delivering\nRELOADING=1\nREADY=1\nSTATUS=delivering\n"));
  shipper.signal(SIGTERM);
  EXPECT_TRUE(manager.hears("STOPPING=1"));
  const auto result = shipper.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("the old one goes on: " + dir_.file("ship.yaml") +
                                    ":6:1: error: the configuration has no key 'sink'"));
}

// `lilith verify` over what a sink with a route, and later without one, wrote.
class ShipDaemonForms : public ShipDaemon, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Forms, ShipDaemonForms, testing::Values("native", "ecs", "ocsf"),
                         [](const auto& form) { return std::string(form.param); });

TEST_P(ShipDaemonForms, WhatARouteWithheldIsToldFromWhatWasLost) {
  const std::string archive = dir_.file("archive");
  const std::string sink =
      std::string("type: file, form: ") + GetParam() + ", path: \"" + archive + "\"";
  const auto verify = [&] {
    return run({std::string(LILITH_BIN_DIR) + "/lilith", "verify", "--arrived", archive});
  };
  append_events(log_options(log()), 20);  // seq 2 to 21
  configure(sink + ", except: {action: [denied]}");
  ASSERT_EQ(once().exit_code, 0);
  append_events(log_options(log()), 10);  // seq 22 to 31
  ASSERT_EQ(once().exit_code, 0);
  configure(sink);
  append_events(log_options(log()), 5);  // seq 32 to 36
  ASSERT_EQ(once().exit_code, 0);
  auto result = verify();
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("complete but for what was withheld, from seq 1 to 36;"));
  EXPECT_THAT(result.out, HasSubstr("withheld, not missing: 30 events, which sink soc on "));

  std::vector<std::string> lines = lines_in(archive);
  const std::size_t had = lines.size();
  std::erase_if(lines, [](const std::string& line) {
    return line.find("\"seq\":\"33\"") != std::string::npos ||
           line.find("\"sequence\":33,") != std::string::npos;
  });
  ASSERT_EQ(lines.size(), had - 1);
  std::string rest;
  for (const std::string& line : lines) rest += line + "\n";
  write_text(archive, rest);
  result = verify();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("seq 33 is missing"));
  EXPECT_THAT(result.out, HasSubstr("withheld, not missing: 30 events"));
}

TEST_F(ShipDaemon, FeedsTheWatchdogThatTheManagerAsksFor) {
  append_events(log_options(log()), 1);
  file_sink(dir_.file("a"));
  const std::string name = "@" + dir_.path();
  Manager manager(name);
  Process shipper(command(),
                  {.environment = {{"NOTIFY_SOCKET", name}, {"WATCHDOG_USEC", "60000"}}});
  EXPECT_TRUE(manager.hears("WATCHDOG=1\nWATCHDOG=1\nWATCHDOG=1"));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
}

// A directory that was replaced is out of reach of a shipper that confined its writes.
TEST_F(ShipDaemon, ASinkThatNeedsARestartIsLeftToTheServiceManager) {
  if (confine::landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  append_events(log_options(log()), 1);
  std::filesystem::create_directory(dir_.file("out"));
  file_sink(dir_.file("out/a"));
  const int port = free_port();
  append_text(dir_.file("ship.yaml"), "listen: " + std::to_string(port) + "\n");
  Manager manager(dir_.file("notify"));
  Process shipper(command(), {.environment = {{"NOTIFY_SOCKET", dir_.file("notify")},
                                              {"WATCHDOG_USEC", "60000"}}});
  ASSERT_TRUE(arrives(dir_.file("out/a")));
  ASSERT_TRUE(manager.hears("WATCHDOG=1"));
  std::filesystem::rename(dir_.file("out"), dir_.file("before"));
  std::filesystem::create_directory(dir_.file("out"));
  append_events(log_options(log()), 1);
  const auto health = [&] {
    return run({"/usr/bin/curl", "-s", "http://127.0.0.1:" + std::to_string(port) + "/healthz"})
        .out;
  };
  ASSERT_TRUE(
      eventually([&] { return health().starts_with("soc needs a restart: cannot open "); }));
  (void)manager.hears("STATUS");  // all that was said before
  const std::size_t before = manager.heard().size();
  EXPECT_FALSE(eventually(
      [&] {
        (void)manager.hears("STATUS");
        return manager.heard().size() != before;
      },
      std::chrono::milliseconds(600)));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 1);  // one event is not delivered
}

TEST_F(ShipDaemon, AWatchdogOfAnotherProcessIsNotFed) {
  append_events(log_options(log()), 1);
  file_sink(dir_.file("a"));
  Manager manager(dir_.file("notify"));
  Process shipper(command(), {.environment = {{"NOTIFY_SOCKET", dir_.file("notify")},
                                              {"WATCHDOG_USEC", "1000"},
                                              {"WATCHDOG_PID", "1"}}});
  ASSERT_TRUE(manager.hears("READY=1"));
  ASSERT_TRUE(arrives(dir_.file("a")));
  shipper.signal(SIGTERM);
  EXPECT_TRUE(manager.hears("STOPPING=1"));
  EXPECT_EQ(shipper.wait().exit_code, 0);
  EXPECT_THAT(manager.heard(), testing::Not(HasSubstr("WATCHDOG")));
}

TEST_F(ShipDaemon, StatusOnTheWholeTerminalEndsWithQ) {
  append_events(log_options(log()), 3);
  file_sink(dir_.file("a"));
  auto argv = command();
  argv.insert(argv.end(), {"status", "--top"});
  EXPECT_THAT(run(argv, {.input = "q"}).err, HasSubstr("--top needs a terminal"));
  std::string line;
  for (const std::string& word : argv) line += word + " ";
  // script(1) gives it one.
  const auto result = run({"script", "-qec", line, "/dev/null"}, {.input = "q"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("lilith ship, not running"));
  EXPECT_THAT(result.out, HasSubstr("\x1b[?1049l"));
  argv.pop_back();
  EXPECT_THAT(run(argv).out, HasSubstr(log() + ": delivered up to seq 0, 4 events, "));
}

TEST_F(ShipDaemon, WazuhSeesAHeartbeatAsRule100832AndRaisesNoAlert) {
  append_events(log_options(log()), 1);
  file_sink(dir_.file("a"));
  append_text(dir_.file("ship.yaml"), "heartbeat_s: 1\n");
  Process shipper(command());
  const std::string own_log = dir_.file("state/lilith-ship.log");
  ASSERT_TRUE(eventually([&] { return lines_in(own_log).size() >= 2; }));
  ASSERT_TRUE(eventually([&] { return lines_in(dir_.file("a")).size() >= 4; }));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  const auto result =
      run({std::string(LILITH_BIN_DIR) + "/lilith-wazuh", "test",
           std::string(LILITH_SOURCE_DIR) + "/wazuh/lilith_rules.xml", dir_.file("a"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto events = lines_in(dir_.file("a"));
  const auto verdicts = lines_of(result.out);
  ASSERT_GE(verdicts.size(), events.size());
  std::size_t beats = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].find("\"event\":\"heartbeat\"") == std::string::npos) continue;
    ++beats;
    EXPECT_THAT(verdicts[i], HasSubstr("100832")) << events[i];
    EXPECT_THAT(verdicts[i], HasSubstr("\"alert\":false")) << events[i];
  }
  EXPECT_GE(beats, 1U);
}

}  // namespace
}  // namespace lilith::test
