#include "shipper/ship.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/unique_fd.hpp"
#include "shipper/net.hpp"
#include "shipper/watcher.hpp"
#include "tests/shipper/log_writer.hpp"
#include "tests/shipper/sinks.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <filesystem>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>

namespace lilith::shipper {
namespace {

using test::all_lines;
using test::append_events;
using test::append_text;
using test::lines_of;
using test::log_options;
using test::Receiver;
using test::TempDir;
using test::write_text;
using testing::HasSubstr;

class Ship : public testing::Test {
 protected:
  Ship() {
    config_.sources = {dir_.file("audit.log")};
    config_.state_dir = dir_.file("state");
  }
  ShipResult once(std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    ShipOptions options;
    options.once = true;
    options.once_timeout = timeout;
    options.host = "ws-42";
    options.say = [this](const std::string& line) { said_ += line + "\n"; };
    const auto result = ship(config_, options, std::stop_token());
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result.value_or(ShipResult::kFailed);
  }
  [[nodiscard]] std::string log() const { return config_.sources[0]; }

  test::TempDir dir_;
  Config config_;
  std::string said_;
};

TEST_F(Ship, OnceDeliversEveryLineOnceAndNothingTheSecondTime) {
  append_events(log_options(log()), 500);
  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks = {file_sink("copy", dir_.file("copy")), syslog_sink("soc", receiver.port())};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_TRUE(test::read_text(dir_.file("copy")) == test::read_text(log()));
  ASSERT_TRUE(receiver.wait_for(
      [](const std::string& bytes) { return test::unframe(bytes).size() >= 501; }));
  EXPECT_TRUE(test::unframe(receiver.received()) == all_lines(log()));
}

TEST_F(Ship, T31_ASinkThatIsDownStopsNoOther) {
  append_events(log_options(log()), 50);
  int closed_port = 0;
  {
    const Receiver gone(Receiver::Kind::kTcp);
    closed_port = gone.port();
  }
  config_.sinks = {syslog_sink("down", closed_port), file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(std::chrono::milliseconds(300)), ShipResult::kIncomplete);
  EXPECT_TRUE(test::read_text(dir_.file("copy")) == test::read_text(log()));
  EXPECT_THAT(said_, HasSubstr("sink down: cannot connect"));
  // When it is back, it gets everything.
  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks[0].port = receiver.port();
  EXPECT_EQ(once(), ShipResult::kDone);
  ASSERT_TRUE(receiver.wait_for(
      [](const std::string& bytes) { return test::unframe(bytes).size() >= 51; }));
  EXPECT_TRUE(test::unframe(receiver.received()) == all_lines(log()));
}

TEST_F(Ship, RotationKeepsWhatASinkThatIsDownHasNotDelivered) {
  audit::LogOptions writer = log_options(log());
  writer.rotate_bytes = 20'000;
  writer.rotate_interval_min = std::chrono::seconds(0);
  writer.rotate_keep = 1;
  writer.shipper_state = config_.state_dir;
  append_events(writer, 1);
  config_.sinks = {syslog_sink("down", Receiver(Receiver::Kind::kTcp).port()),
                   file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(std::chrono::milliseconds(300)), ShipResult::kIncomplete);
  append_events(writer, 100);
  EXPECT_EQ(once(std::chrono::milliseconds(300)), ShipResult::kIncomplete);
  append_events(writer, 100);
  const auto written = all_lines(log());
  EXPECT_EQ(test::seq_of(written.front()), 1U) << "the sink that never delivered holds all of it";

  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks[0].port = receiver.port();
  EXPECT_EQ(once(), ShipResult::kDone);
  ASSERT_TRUE(receiver.wait_for(
      [&](const std::string& bytes) { return test::unframe(bytes).size() >= written.size(); }));
  EXPECT_TRUE(test::unframe(receiver.received()) == written);
  append_events(writer, 20);
  EXPECT_EQ(audit::rotated_files(log()).value().size(), 1U);
}

TEST_F(Ship, FollowsAWriterOverRotationUntilItIsStopped) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  audit::LogOptions writer = log_options(log());
  writer.rotate_bytes = 20'000;
  writer.rotate_interval_min = std::chrono::seconds(0);
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  for (int i = 0; i < 20; ++i) append_events(writer, 20);
  const std::vector<std::string> written = all_lines(log());
  EXPECT_GT(audit::rotated_files(log()).value().size(), 3U);
  EXPECT_TRUE(test::eventually([&] {
    return std::filesystem::exists(dir_.file("copy")) &&
           lines_of(test::read_text(dir_.file("copy"))).size() >= written.size();
  }));
  stop.request_stop();
  shipper.join();
  EXPECT_EQ(result.value(), ShipResult::kDone);
  EXPECT_TRUE(lines_of(test::read_text(dir_.file("copy"))) == written);
}

TEST_F(Ship, DeliversAgainWhatAReceiverLostWhenItWentAway) {
  auto first = std::make_unique<Receiver>(Receiver::Kind::kTcp);
  const int port = first->port();
  config_.sinks = {syslog_sink("soc", port)};
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  append_events(log_options(log()), 100);
  EXPECT_TRUE(
      first->wait_for([](const std::string& bytes) { return test::unframe(bytes).size() >= 101; }));
  const std::string before = first->received();
  first.reset();
  append_events(log_options(log()), 100);
  Receiver second(Receiver::Kind::kTcp, port);
  std::vector<std::string> all;
  EXPECT_TRUE(second.wait_for([&](const std::string& bytes) {
    all = test::unframe(before);
    const auto more = test::unframe(bytes);
    all.insert(all.end(), more.begin(), more.end());
    return !more.empty() && test::seq_of(more.back()) == 201;
  }));
  stop.request_stop();
  shipper.join();
  (void)test::expect_at_least_once_in_order(all, all_lines(log()));
}

// A receiver whose process reads a part and then closes: what its kernel had acknowledged and
// nobody read is gone, and the reset says so.
TEST_F(Ship, T35_AResetAfterAPartWasReadLosesNothing) {
  append_events(log_options(log()), 2000);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  config_.sinks = {syslog_sink("soc", ntohs(address.sin_port))};
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  std::string stream;
  std::vector<std::string> all;
  std::string buffer(100'000, '\0');
  for (int connection = 0; connection < 2; ++connection) {
    const UniqueFd client(::accept(listener.get(), nullptr, nullptr));
    ASSERT_TRUE(client.valid());
    stream.clear();
    while (connection == 1 || stream.size() < buffer.size()) {
      const ssize_t got = ::read(client.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      stream.append(buffer, 0, static_cast<std::size_t>(got));
      const auto lines = test::unframe(stream);
      if (connection == 1 && !lines.empty() && test::seq_of(lines.back()) == 2001) break;
    }
    for (std::string& line : test::unframe(stream)) all.push_back(std::move(line));
    // Closed with unread bytes: the kernel resets the connection.
  }
  stop.request_stop();
  shipper.join();
  (void)test::expect_at_least_once_in_order(all, all_lines(log()));
}

TEST_F(Ship, SetsAsideWhatIsNoEventAndSaysSoInItsOwnLog) {
  append_events(log_options(log()), 3);
  test::append_text(log(), "not an event\n" + std::string("nul\0nul", 7) + "\n");
  append_events(log_options(log()), 3);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_EQ(once(), ShipResult::kDone);  // the shipper's own events are shipped as well
  const auto dead = lines_of(test::read_text(dir_.file("state/copy.dead-letter.ndjson")));
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_THAT(dead[0], HasSubstr("\"line\":\"not an event\""));
  EXPECT_THAT(dead[1], HasSubstr("NUL"));
  const std::string copy = test::read_text(dir_.file("copy"));
  EXPECT_THAT(copy, HasSubstr("\"event\":\"ship_loss\""));
  EXPECT_THAT(copy, testing::Not(HasSubstr("not an event\n")));
}

struct DamageCase {
  const char* name;
  const char* newest;  // content of the newest generation: bytes, or nullptr for no such file
  std::size_t size;
  bool older_too;
};
void PrintTo(const DamageCase& c, std::ostream* out) { *out << c.name; }
class ShipCheckpoint : public Ship, public testing::WithParamInterface<DamageCase> {};
TEST_P(ShipCheckpoint, DamageCostsRepeatsAndNeverEvents) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  for (int generation = 0; generation < 2; ++generation) {
    append_events(log_options(log()), 10);
    EXPECT_EQ(once(), ShipResult::kDone);
  }
  const std::string newest = dir_.file("state/copy.checkpoint.json");
  for (const std::string& path : {newest, dir_.file("state/copy.checkpoint.1.json")}) {
    if (path != newest && !GetParam().older_too) continue;
    if (GetParam().newest == nullptr) {
      std::filesystem::remove(path);
    } else {
      std::string content(GetParam().newest, GetParam().size);
      if (content == "cut") content = test::read_text(path).substr(0, 200);
      test::write_text(path, content);
    }
  }
  append_events(log_options(log()), 10);
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_EQ(once(), ShipResult::kDone);
  const auto written = all_lines(log());
  auto copied = lines_of(test::read_text(dir_.file("copy")));
  std::erase_if(copied, [&](const std::string& line) {
    return std::find(written.begin(), written.end(), line) == written.end();
  });
  const std::size_t repeats = test::expect_at_least_once_in_order(copied, written);
  EXPECT_LE(repeats, GetParam().older_too ? 21U : 10U);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, ShipCheckpoint,
    testing::Values(DamageCase{"T14_zero_filled", "\0\0\0\0\0\0\0\0", 8, false},
                    DamageCase{"T14_both_zero_filled", "\0\0\0\0\0\0\0\0", 8, true},
                    DamageCase{"T15_cut", "cut", 3, false},
                    DamageCase{"T15_both_cut", "cut", 3, true},
                    DamageCase{"T15_empty", "", 0, false},
                    DamageCase{"T16_killed_between_the_renames", nullptr, 0, false},
                    DamageCase{"T17_garbage", "{\"cursors\":[{\"offset\":-1}]}", 28, true},
                    DamageCase{"T17_no_json", "\xff\xfe rubbish", 10, true}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// The directory takes no new file (as on a full disk), later it does: delivery goes on meanwhile,
// and the checkpoint is written without a restart.
// What a balancer forgot is found out: an idle peer is probed, and bytes that nobody acknowledges
// end the connection.
TEST_F(Ship, T36_ConnectionsProbeAnIdlePeerAndGiveUpOneThatIsSilent) {
  const Receiver receiver(Receiver::Kind::kTcp);
  const auto socket =
      connect_socket({"127.0.0.1", receiver.port()}, SocketKind::kStream, std::chrono::seconds(5));
  ASSERT_TRUE(socket.has_value()) << socket.error().message;
  const auto option = [&](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket->get(), level, name, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_LE(option(IPPROTO_TCP, TCP_KEEPIDLE), 60);
  const int probes_s = option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT);
  EXPECT_GT(probes_s, 0);
  EXPECT_LE(probes_s, 120);
  EXPECT_GT(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_LE(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 120'000);
}

TEST_F(Ship, T27_ACheckpointThatCannotBeWrittenIsWrittenLater) {
  append_events(log_options(log()), 10);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(), ShipResult::kDone);
  const std::string newest = dir_.file("state/copy.checkpoint.json");
  const std::string older = dir_.file("state/copy.checkpoint.1.json");
  std::filesystem::remove(older);
  test::write_text(older + "/file", "");  // rename(2) of a file onto a directory fails
  const std::string before = test::read_text(newest);
  append_events(log_options(log()), 10);
  std::stop_source stop;
  std::mutex mutex;
  std::string said;
  std::thread shipper([&] {
    ShipOptions options;
    options.host = "ws-42";
    options.say = [&](const std::string& line) {
      const std::scoped_lock lock(mutex);
      said += line + "\n";
    };
    (void)ship(config_, options, stop.get_token()).has_value();
  });
  EXPECT_TRUE(test::eventually([&] {
    const std::scoped_lock lock(mutex);
    return said.find("events will come twice") != std::string::npos;
  }));
  std::filesystem::remove_all(older);
  append_events(log_options(log()), 1);
  EXPECT_TRUE(test::eventually([&] {
    // It may be gone between two renames.
    const auto now = read_file(newest, limits::kCheckpointBytesMax);
    return now && *now != before;
  }));
  stop.request_stop();
  shipper.join();
  EXPECT_TRUE(test::read_text(dir_.file("copy")).ends_with(all_lines(log()).back() + "\n"));
}

TEST_F(Ship, T46_AStopDoesNotWaitForASinkThatIsDown) {
  append_events(log_options(log()), 10);
  config_.sinks = {syslog_sink("down", Receiver(Receiver::Kind::kTcp).port()),
                   file_sink("copy", dir_.file("copy"))};
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::exists(dir_.file("copy")); }));
  stop.request_stop();
  shipper.join();
  EXPECT_EQ(result.value(), ShipResult::kIncomplete);
  EXPECT_TRUE(test::read_text(dir_.file("copy")) == test::read_text(log()));
}

TEST_F(Ship, RefusesAStateDirectoryInUse) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  append_events(log_options(log()), 1);
  std::stop_source stop;
  std::thread shipper(
      [&] { (void)ship(config_, {.host = "ws-42"}, stop.get_token()).has_value(); });
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::exists(dir_.file("copy")); }));
  const auto second = ship(config_, {.once = true}, std::stop_token());
  EXPECT_FALSE(second.has_value());
  stop.request_stop();
  shipper.join();
}

TEST_F(Ship, TheWazuhFormIsTheLineBehindAHeaderWithoutTag) {
  append_events(log_options(log()), 2);
  Receiver receiver(Receiver::Kind::kTcp);
  SinkConfig sink = syslog_sink("wazuh", receiver.port());
  sink.format = SyslogFormat::kWazuh;
  sink.framing = Framing::kNewline;
  config_.sinks = {sink};
  EXPECT_EQ(once(), ShipResult::kDone);
  ASSERT_TRUE(receiver.wait_for([](const std::string& bytes) {
    return lines_of(bytes).size() >= 3 && bytes.ends_with('\n');
  }));
  const auto received = lines_of(receiver.received());
  const auto written = all_lines(log());
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_THAT(received[i], testing::MatchesRegex(
                                 "<1[0-9][0-9]>[A-Z][a-z][a-z] [ 0-9][0-9] ..:..:.. ws-42 .*"));
    EXPECT_TRUE(received[i].ends_with(" ws-42 " + written[i]));
  }
}

TEST_F(Ship, UdpSendsOneDatagramAnEvent) {
  append_events(log_options(log()), 20);
  Receiver receiver(Receiver::Kind::kUdp);
  config_.sinks = {syslog_sink("soc", receiver.port(), Transport::kUdp)};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_TRUE(receiver.wait_for([](const std::string& bytes) {
    std::size_t messages = 0;
    for (std::size_t at = bytes.find("<1"); at != std::string::npos; at = bytes.find("<1", at + 1))
      ++messages;
    return messages >= 21;
  }));
}

// Whether something is told within ten seconds; taken back, so that it can be told again.
bool is_told(int event_fd) {
  pollfd wait{event_fd, POLLIN, 0};
  std::uint64_t times = 0;
  return ::poll(&wait, 1, 10'000) == 1 && ::read(event_fd, &times, sizeof times) > 0;
}

// A log's path may be a link, and its target stand in a directory of its own; both may change.
TEST(ShipWatcher, TellsOfWhatALinkLeadsTo) {
  for (const bool swapped : {false, true}) {
    const TempDir dir;
    for (const char* name : {"first/a.log", "second/a.log"}) write_text(dir.file(name), "");
    write_text(dir.file("logs/other"), "");
    const std::string link = dir.file("logs/a.log"), next = dir.file("logs/next");
    std::filesystem::create_symlink("../first/a.log", link);
    std::filesystem::create_symlink("../second/a.log", next);
    Watcher watcher;
    const UniqueFd told(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watcher.tell(told.get());
    watcher.watch({link});
    EXPECT_TRUE(watcher.complete());
    if (swapped) {
      std::filesystem::rename(next, link);
      EXPECT_TRUE(is_told(told.get()));
    }
    append_text(dir.file(swapped ? "second/a.log" : "first/a.log"), "a\n");
    EXPECT_TRUE(is_told(told.get())) << swapped;
    EXPECT_TRUE(watcher.complete());
    watcher.forget(told.get());
  }
}

// What happens under the same path afterwards is not told: it has to be looked for.
TEST(ShipWatcher, IsNotCompleteOnceItsDirectoryIsGoneOrElsewhere) {
  for (const bool moved : {false, true}) {
    const TempDir dir;
    std::filesystem::create_directory(dir.file("logs"));
    Watcher watcher;
    const UniqueFd told(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watcher.tell(told.get());
    watcher.watch({dir.file("logs/a.log")});
    EXPECT_TRUE(watcher.complete());
    if (moved) {
      std::filesystem::rename(dir.file("logs"), dir.file("elsewhere"));
    } else {
      std::filesystem::remove(dir.file("logs"));
    }
    EXPECT_TRUE(is_told(told.get()));
    EXPECT_FALSE(watcher.complete()) << moved;
    watcher.forget(told.get());
  }
}

}  // namespace
}  // namespace lilith::shipper
