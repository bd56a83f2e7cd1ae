#include "audit/recorder.hpp"

#include "audit/base/unique_fd.hpp"
#include "audit/codec.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lilith::audit {
namespace {

using testing::HasSubstr;
constexpr std::chrono::milliseconds kTimeout{10'000};

// A recorder on a thread of the test, with a log and a socket in a directory of its own.
class RunningRecorder {
 public:
  explicit RunningRecorder(const std::string& directory) {
    int fds[2];
    EXPECT_EQ(::pipe(fds), 0);
    stop_read_.reset(fds[0]);
    stop_write_.reset(fds[1]);
    options_.socket_path = directory + "/recorder.sock";
    options_.log.path = directory + "/audit.log";
    options_.log.host = "ws-42";
    thread_ = std::thread([this] { served_ = serve_recorder(options_, stop_read_.get()); });
    EXPECT_TRUE(test::eventually(
        [this] { return open_recorder(options_.socket_path, kTimeout).has_value(); }));
  }
  ~RunningRecorder() { stop(); }
  void stop() {
    stop_write_.reset();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] const RecorderOptions& options() const { return options_; }
  [[nodiscard]] std::vector<Event> events() const {
    std::vector<Event> out;
    for (const std::string& line : test::lines_of(test::read_text(options_.log.path))) {
      out.push_back(decode(line).value());
      EXPECT_EQ(out.back().seq, out.size());
    }
    return out;
  }

 private:
  RecorderOptions options_;
  UniqueFd stop_read_, stop_write_;
  std::thread thread_;
  Result<void> served_;
};

Event fresh_event() {
  Event event = test::allowed_command();
  event.id.clear();
  return event;
}

TEST(Recorder, WritesStampsThePeerAndAcknowledges) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  event.peer_pid = 1;  // what the sender claims does not count
  event.peer_uid = 0;
  event.via = Via::kDirect;
  const auto appended = client->append(event);
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
  EXPECT_EQ(appended->seq, 2U);
  const auto events = recorder.events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].chain_hash, appended->chain_hash);
  EXPECT_EQ(events[1].peer_pid, ::getpid());
  EXPECT_EQ(events[1].peer_uid, static_cast<std::int64_t>(::getuid()));
  EXPECT_EQ(events[1].via, Via::kRecorder);
}

TEST(Recorder, AddsABurstAfterTheFifthEgressDenialOfOneProcess) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  for (int i = 0; i < 6; ++i) {
    Event event = test::denied_egress();
    event.id.clear();
    ASSERT_TRUE(client->append(event).has_value());
  }
  const auto events = recorder.events();
  ASSERT_EQ(events.size(), 8U) << "log_opened, six denials, one burst";
  EXPECT_EQ(events[6].type, EventType::kEgressBurst);
  EXPECT_EQ(events[6].process_key, events[5].process_key);
  EXPECT_EQ(events[6].chain_prev, events[5].chain_hash);
  EXPECT_FALSE(events[6].id.empty());
}

TEST(Recorder, ServesThreeHundredProcessesInOneChain) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  std::vector<pid_t> children;
  for (int i = 0; i < 300; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      Event event = fresh_event();
      auto client = open_recorder(recorder.options().socket_path, kTimeout);
      ::_exit(client && (*client)->append(event) ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(recorder.events().size(), 301U);
}

TEST(Recorder, RefusesWhatIsNoEventAndGoesOn) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  recorder.options().socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const std::string& datagram :
       {std::string("hello"), std::string(limits::kEventLineBytesMax + 1, 'x'),
        R"({"lilith":{"schema":2},"chain":{}})" + std::string()}) {
    ASSERT_GT(::send(socket.get(), datagram.data(), datagram.size(), 0), 0);
    char answer[1024];
    const ssize_t got = ::recv(socket.get(), answer, sizeof answer, 0);
    ASSERT_GT(got, 0);
    EXPECT_THAT(std::string(answer, static_cast<std::size_t>(got)), testing::StartsWith("error "));
  }
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  EXPECT_TRUE(client->append(event).has_value());
  EXPECT_EQ(recorder.events().size(), 2U);
}

TEST(Recorder, PassesTheLogsErrorOn) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  std::filesystem::create_directory(recorder.options().log.path);
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  const auto appended = client->append(event);
  ASSERT_FALSE(appended.has_value());
  EXPECT_THAT(appended.error().message, HasSubstr(recorder.options().log.path));
}

TEST(Recorder, TakesTheSocketOfADeadOneAndLeavesALivingOnesAlone) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  const auto second = serve_recorder(recorder.options(), -1);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("another recorder"));
  recorder.stop();
  EXPECT_FALSE(std::filesystem::exists(recorder.options().socket_path));
  const auto gone = open_recorder(recorder.options().socket_path, kTimeout);
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, ErrorCode::kUnavailable);
  // The socket file of a process that was killed.
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    recorder.options().socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  RunningRecorder again(dir.path());
  auto client = open_recorder(again.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  EXPECT_TRUE(client->append(event).has_value());
}

}  // namespace
}  // namespace lilith::audit
