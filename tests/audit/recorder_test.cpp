#include "audit/recorder.hpp"

#include "audit/base/unique_fd.hpp"
#include "audit/codec.hpp"
#include "audit/seal_key.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <set>
#include <sys/resource.h>
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
  explicit RunningRecorder(const std::string& directory, Sync sync = Sync::kOff,
                           int (*sync_file)(int) = ::fdatasync, const SealOptions& seal = {}) {
    options_.log.seal = seal;
    options_.log.sync = sync;
    options_.sync_file = sync_file;
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

TEST(Recorder, SealsWhatItHasWrittenWhenItStops) {
  const test::TempDir dir;
  SealOptions seal;
  seal.key = dir.file("seal.key");
  ASSERT_TRUE(create_seal_key(seal.key, "ws-42", dir.file("audit.log")));
  RunningRecorder recorder(dir.path(), Sync::kBatch, ::fdatasync, seal);
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  ASSERT_TRUE(client->append(event));
  recorder.stop();
  const auto events = recorder.events();
  ASSERT_EQ(events.size(), 4U) << "log_opened, checkpoint, decision, checkpoint";
  EXPECT_EQ(events[1].reason_code, "seal.begin");
  EXPECT_EQ(events[3].type, EventType::kCheckpoint);
  EXPECT_EQ(events[3].reason_code, "seal.stop");
  const Seal sealed = seal_of(events[3]).value();
  EXPECT_EQ(sealed.first, 3U);
  EXPECT_EQ(to_text(sealed.counts), "allowed=1");
}

TEST(Recorder, SealsWhatIsOldWhileNobodySendsAnything) {
  const test::TempDir dir;
  SealOptions seal;
  seal.key = dir.file("seal.key");
  seal.age_max = std::chrono::seconds(1);
  ASSERT_TRUE(create_seal_key(seal.key, "ws-42", dir.file("audit.log")));
  const RunningRecorder recorder(dir.path(), Sync::kOff, ::fdatasync, seal);
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  ASSERT_TRUE(client->append(event));
  EXPECT_TRUE(test::eventually([&] { return recorder.events().size() == 4; }));
  EXPECT_EQ(recorder.events().back().reason_code, "seal.interval");
}

TEST(Recorder, WithoutItsKeyRefusesAndSaysHowToMakeOne) {
  const test::TempDir dir;
  SealOptions seal;
  seal.key = dir.file("seal.key");
  const RunningRecorder recorder(dir.path(), Sync::kOff, ::fdatasync, seal);
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  Event event = fresh_event();
  const auto refused = client->append(event);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("lilith seal init makes it"));
  // Without a restart.
  ASSERT_TRUE(create_seal_key(seal.key, "ws-42", dir.file("audit.log")));
  EXPECT_TRUE(client->append(event));
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
  // They are forked before there is a second thread, whose locks they would inherit, and wait for
  // the end of the pipe to start all at once.
  int start[2];
  ASSERT_EQ(::pipe(start), 0);
  const UniqueFd started(start[0]);
  UniqueFd hold(start[1]);
  std::vector<pid_t> children;
  for (int i = 0; i < 300; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      hold.reset();
      char nothing = 0;
      if (::read(started.get(), &nothing, 1) != 0) ::_exit(2);
      Event event = fresh_event();
      auto client = open_recorder(dir.path() + "/recorder.sock", kTimeout);
      ::_exit(client && (*client)->append(event) ? 0 : 1);
    }
    children.push_back(pid);
  }
  RunningRecorder recorder(dir.path());
  hold.reset();
  for (const pid_t child : children) {
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(recorder.events().size(), 301U);
}

TEST(Recorder, TellsAPolicyOnceHoweverManyClientsComeUponIt) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  const std::string path = "/a path with blanks\nand a line feed";
  for (const char content : {'a', 'a', 'b', 'b'}) {
    auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
    Event event = fresh_event();
    ASSERT_TRUE(client->append(event, {std::string(64, content), Mode::kAudit, path}));
  }
  const auto events = recorder.events();
  ASSERT_EQ(events.size(), 7U) << "log_opened, four decisions, two policies";
  EXPECT_EQ(events[1].type, EventType::kPolicyLoaded);
  EXPECT_EQ(events[1].policy_sha256, std::string(64, 'a'));
  EXPECT_EQ(events[1].mode, Mode::kAudit);
  EXPECT_EQ(events[1].via, Via::kRecorder);
  EXPECT_EQ(events[1].peer_pid, ::getpid());
  EXPECT_EQ(events[1].detail, (std::vector<std::pair<std::string, std::string>>{{"path", path}}));
  EXPECT_EQ(events[4].type, EventType::kPolicyLoaded);
  EXPECT_EQ(events[4].policy_sha256, std::string(64, 'b'));
}

TEST(Recorder, RefusesWhatIsNoEventAndGoesOn) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  recorder.options().socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string event_line = encode(fresh_event()) + "\n";
  const std::string hash(64, 'a');
  for (const std::string& datagram :
       {std::string("hello"), std::string(limits::kEventLineBytesMax + 1, 'x'),
        R"({"lilith":{"schema":2},"chain":{}})" + std::string(), event_line + "policy",
        event_line + "else enforce " + hash + " /p", event_line + "policy strict " + hash + " /p",
        event_line + "policy enforce " + hash.substr(1) + " /p",
        event_line + "policy enforce " + hash.substr(1) + "A /p",
        event_line + "policy enforce " + hash + " p",
        event_line + "policy enforce " + hash + " /" + std::string(limits::kPathBytesMax, 'x')}) {
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

TEST(Recorder, TakesOnlyTheKindsOfEventsThatHooksAndProxiesWrite) {
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  auto client = open_recorder(recorder.options().socket_path, kTimeout).value();
  for (const EventType type :
       {EventType::kEgressBurst, EventType::kLogOpened, EventType::kLogSealed,
        EventType::kCheckpoint, EventType::kTamper, EventType::kShipLoss, EventType::kHeartbeat,
        EventType::kLogFull, EventType::kLogResumed, EventType::kWithheld, EventType::kImported}) {
    Event forged = fresh_event();
    forged.type = type;
    const auto appended = client->append(forged);
    ASSERT_FALSE(appended.has_value()) << name(type);
    EXPECT_THAT(appended.error().message, HasSubstr("not taken from clients")) << name(type);
  }
  for (const EventType type :
       {EventType::kDecision, EventType::kPolicyLoaded, EventType::kPolicyLoadFailed,
        EventType::kInventory, EventType::kConnectionClosed}) {
    Event event = fresh_event();
    event.type = type;
    EXPECT_TRUE(client->append(event).has_value()) << name(type);
  }
  EXPECT_EQ(recorder.events().size(), 6U) << "with log_opened";
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

// ---- one sync for all that arrived together ----

// What takes the place of fdatasync(2): counts, and may wait at a gate or fail.
struct SyncGate {
  std::atomic<int> syncs{0};
  std::atomic<int> error{0};
  std::binary_semaphore waiting{0}, open{0};
  std::atomic<bool> closed{false};
};
SyncGate* gate = nullptr;

int gated_sync(int fd) {
  ++gate->syncs;
  if (gate->closed.exchange(false)) {
    gate->waiting.release();
    gate->open.acquire();
  }
  if (gate->error != 0) {
    errno = gate->error;
    return -1;
  }
  return ::fdatasync(fd);
}

// A client that sends an event and looks for the answer separately.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_SEQPACKET, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send() {
    Event event = fresh_event();
    event.id = uuid_v7(event.time);
    event.chain_id.clear();
    event.chain_prev.clear();
    event.chain_hash.clear();
    event.seq = 0;
    const std::string line = encode(event);
    EXPECT_EQ(::send(socket_.get(), line.data(), line.size(), 0),
              static_cast<ssize_t>(line.size()));
  }
  bool has_answer() {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
  }
  std::string answer() {
    char bytes[1024];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    return got < 0 ? std::string() : std::string(bytes, static_cast<std::size_t>(got));
  }

 private:
  UniqueFd socket_;
};

TEST(RecorderBatch, SyncsOnceForAllThatArrivedTogetherAndAnswersAfterIt) {
  const test::TempDir dir;
  SyncGate one;
  gate = &one;
  RunningRecorder recorder(dir.path(), Sync::kBatch, gated_sync);
  constexpr std::size_t kClients = 50;
  RawClient first(recorder.options().socket_path);
  std::vector<std::unique_ptr<RawClient>> others;
  for (std::size_t i = 0; i < kClients; ++i) {
    others.push_back(std::make_unique<RawClient>(recorder.options().socket_path));
    others.back()->send();  // so that the recorder has accepted it
    EXPECT_THAT(others.back()->answer(), testing::StartsWith("ok "));
  }
  one.closed = true;
  one.syncs = 0;
  first.send();
  one.waiting.acquire();  // the recorder is syncing
  EXPECT_FALSE(first.has_answer()) << "before the sync has come to its end";
  for (const auto& client : others) client->send();
  one.open.release();
  EXPECT_THAT(first.answer(), testing::StartsWith("ok "));
  for (const auto& client : others) EXPECT_THAT(client->answer(), testing::StartsWith("ok "));
  EXPECT_EQ(one.syncs, 2);
  EXPECT_EQ(recorder.events().size(), 2 * kClients + 2);
}

TEST(RecorderBatch, ThatCanNotBeSyncedIsAnErrorForEachOfIt) {
  const test::TempDir dir;
  SyncGate one;
  gate = &one;
  one.error = EIO;
  RunningRecorder recorder(dir.path(), Sync::kBatch, gated_sync);
  RawClient client(recorder.options().socket_path);
  client.send();
  EXPECT_THAT(client.answer(), testing::StartsWith("error cannot sync the audit log"));
}

TEST(RecorderBatch, WithoutBatchesNothingIsSynced) {
  const test::TempDir dir;
  SyncGate one;
  gate = &one;
  RunningRecorder recorder(dir.path(), Sync::kOff, gated_sync);
  RawClient client(recorder.options().socket_path);
  client.send();
  EXPECT_THAT(client.answer(), testing::StartsWith("ok "));
  EXPECT_EQ(one.syncs, 0);
}

// ---- many clients, and restarts under them ----

TEST(Recorder, ServesTwoThousandClientsAtOnce) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max < 5000) GTEST_SKIP() << "no process here may open 5000 files";
  files.rlim_cur = 5000;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const test::TempDir dir;
  RunningRecorder recorder(dir.path());
  constexpr std::size_t kClients = 2000;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<RawClient>(recorder.options().socket_path));
  }
  for (const auto& client : clients) client->send();
  for (const auto& client : clients) ASSERT_THAT(client->answer(), testing::StartsWith("ok "));
  EXPECT_EQ(recorder.events().size(), kClients + 1);
}

TEST(Recorder, ThatIsRestartedUnderItsClientsLosesNothing) {
  const test::TempDir dir;
  auto recorder = std::make_unique<RunningRecorder>(dir.path());
  const std::string socket = recorder->options().socket_path;
  std::atomic<bool> stop{false};
  std::vector<std::string> acknowledged;
  std::string failure;
  std::thread client([&] {
    auto open = open_recorder(socket, std::chrono::minutes(1));
    if (!open) {
      failure = open.error().message;
      return;
    }
    while (!stop && failure.empty()) {
      Event event = fresh_event();
      const auto appended = (*open)->append(event);
      if (!appended) failure = appended.error().message;
      acknowledged.push_back(event.id);
    }
  });
  // The first event makes the file.
  const auto lines = [&] {
    const std::string log = dir.file("audit.log");
    return std::filesystem::exists(log) ? test::lines_of(test::read_text(log)).size() : 0;
  };
  for (int restart = 0; restart < 3; ++restart) {
    const std::size_t before = lines();
    EXPECT_TRUE(test::eventually([&] { return lines() > before + 3; }));
    recorder.reset();
    recorder = std::make_unique<RunningRecorder>(dir.path());
  }
  stop = true;
  client.join();
  EXPECT_EQ(failure, "");
  std::multiset<std::string> logged;
  for (const Event& event : recorder->events()) logged.insert(event.id);
  for (const std::string& id : acknowledged) EXPECT_GE(logged.count(id), 1U) << id;
}

}  // namespace
}  // namespace lilith::audit
