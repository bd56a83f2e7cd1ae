#include "audit/recorder.hpp"

#include "audit/base/file.hpp"
#include "audit/base/text.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/burst.hpp"
#include "audit/codec.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lilith::audit {
namespace {

constexpr int kListenBacklog = 4096;
constexpr int kReconnectPauseMs = 5;
// How long a client waits for a recorder that is not there, which may be its restart. Short: where
// there is none, every call waits as long.
constexpr std::chrono::milliseconds kRestartWait{300};
constexpr std::size_t kAnswerBytesMax = 1024;
constexpr int kSystemdFirstFd = 3;  // SD_LISTEN_FDS_START, sd_listen_fds(3)
constexpr std::string_view kOk = "ok ";
constexpr std::string_view kError = "error ";
constexpr std::string_view kPolicy = "policy ";
// "policy enforce <64 hex> PATH" and its LF.
constexpr std::size_t kPolicyNoteBytesMax = 96 + limits::kPathBytesMax;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kInvalidInput, "socket path is too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

std::string policy_note(const PolicyInForce& policy) {
  if (policy.sha256.empty()) return {};
  return "\n" + std::string(kPolicy) + std::string(name(policy.mode)) + " " + policy.sha256 + " " +
         policy.path;
}

// `note` without its LF; empty when there is none.
Result<PolicyInForce> parse_policy_note(std::string_view note) {
  PolicyInForce policy;
  if (note.empty()) return policy;
  const auto wrong = fail(ErrorCode::kInvalidInput, "what follows the event is no policy note");
  if (!note.starts_with(kPolicy)) return wrong;
  note.remove_prefix(kPolicy.size());
  const auto word = [&note] {
    const std::string_view taken = note.substr(0, note.find(' '));
    note.remove_prefix(std::min(taken.size() + 1, note.size()));
    return taken;
  };
  const auto of_file = mode(word());
  const std::string_view sha256 = word();
  const bool is_hash = sha256.size() == kGenesis.size() &&
                       sha256.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!of_file || !is_hash || !note.starts_with('/') || note.size() > limits::kPathBytesMax) {
    return wrong;
  }
  return PolicyInForce{std::string(sha256), *of_file, std::string(note)};
}

// ---- client

// SO_SNDTIMEO bounds connect(2) as well (unix(7), socket(7)).
Result<void> set_timeout(int socket, std::chrono::milliseconds timeout) {
  const timeval limit{static_cast<time_t>(timeout.count() / 1000),
                      static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    if (::setsockopt(socket, SOL_SOCKET, option, &limit, sizeof limit) != 0) {
      return fail_errno("cannot set a timeout");
    }
  }
  return {};
}

// A socket that is connected to the recorder, with `timeout` for each step.
Result<UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds timeout) {
  auto address = address_of(path);
  if (!address) return pass_error(address);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("cannot make a socket");
  if (auto set = set_timeout(socket.get(), timeout); !set) return pass_error(set);
  // EISCONN: in the fence of `lilith run` a socket comes connected to its recorder, and no other
  // can be had.
  if (::connect(socket.get(), generic(*address), sizeof *address) != 0 && errno != EISCONN) {
    auto failure = fail_errno("no recorder answers at " + path);
    failure.error().code = ErrorCode::kUnavailable;
    return failure;
  }
  return socket;
}

// The same while a recorder is being restarted: its socket is gone, or refuses, for some moments.
Result<UniqueFd> connect_again(const std::string& path, MonotonicTime until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    auto socket = connect_to(path, std::max(left, std::chrono::milliseconds(1)));
    if (socket || (socket.error().os_errno != ECONNREFUSED && socket.error().os_errno != ENOENT) ||
        std::chrono::steady_clock::now() >= until) {
      return socket;
    }
    ::poll(nullptr, 0, kReconnectPauseMs);
  }
}

class RecorderClient final : public Appender {
 public:
  RecorderClient(UniqueFd socket, std::string path, MonotonicTime until)
      : socket_(std::move(socket)), path_(std::move(path)), until_(until) {}

  Result<Appended> append(Event& event, const PolicyInForce& policy) override {
    if (event.time == WallTime{}) event.time = system_clock().now();
    if (event.id.empty()) event.id = uuid_v7(event.time);
    event.chain_id.clear();
    event.chain_prev.clear();
    event.chain_hash.clear();
    event.seq = 0;
    const std::string line = encode(event) + policy_note(policy);
    auto answer = ask(line);
    // The recorder went away under us. Whether it had written the event can't be known: sent once
    // more it is in the log once or twice, with the same id.
    if (!answer && answer.error().code == ErrorCode::kUnavailable &&
        answer.error().os_errno != EAGAIN) {
      auto socket = connect_again(path_, until_);
      if (!socket) return pass_error(socket);
      socket_ = std::move(*socket);
      answer = ask(line);
    }
    if (!answer) return pass_error(answer);
    return read_answer(*answer, event);
  }

 private:
  // kUnavailable with os_errno EAGAIN: no answer in time; with another: nobody is there any more.
  Result<std::string> ask(const std::string& line) {
    if (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
      return gone_or_failed("cannot send to the recorder at " + path_);
    }
    std::string answer(kAnswerBytesMax, '\0');
    const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (got < 0) return gone_or_failed("the recorder at " + path_ + " did not answer in time");
    if (got == 0) {
      return fail(ErrorCode::kUnavailable, "the recorder at " + path_ + " went away", EPIPE);
    }
    answer.resize(static_cast<std::size_t>(got));
    return answer;
  }

  static std::unexpected<Error> gone_or_failed(std::string what) {
    auto failure = fail_errno(std::move(what));
    const int error = failure.error().os_errno;
    if (error == EPIPE || error == ECONNRESET || error == EAGAIN) {
      failure.error().code = ErrorCode::kUnavailable;
    }
    return failure;
  }

  Result<Appended> read_answer(std::string_view answer, Event& event) const {
    if (!answer.starts_with(kOk)) {
      return fail(ErrorCode::kIo,
                  "the recorder at " + path_ + " refused the event: " + printable(answer));
    }
    answer.remove_prefix(kOk.size());
    const std::size_t space = answer.find(' ');
    Appended appended;
    const auto parsed = std::from_chars(answer.data(), answer.data() + answer.size(), appended.seq);
    if (parsed.ec != std::errc{} || space == std::string_view::npos) {
      return fail(ErrorCode::kIo, "the recorder at " + path_ + " answered in another protocol");
    }
    appended.chain_hash = answer.substr(space + 1);
    event.seq = appended.seq;
    event.chain_hash = appended.chain_hash;
    event.via = Via::kRecorder;
    return appended;
  }

  UniqueFd socket_;
  std::string path_;
  MonotonicTime until_;  // for coming back after a restart
};

// ---- server

struct Client {
  UniqueFd socket;
  ucred peer{};
  std::string answer;  // to what it sent in this round; empty when it sent nothing
  bool gone = false;
};

// With Sync::kBatch: one fdatasync(2) for all events between begin() and finish(), also where the
// log was rotated in between.
class BatchSync {
 public:
  explicit BatchSync(const RecorderOptions& options)
      : path_(options.log.path),
        sync_file_(options.sync_file),
        wanted_(options.log.sync == Sync::kBatch) {}

  void begin() {
    if (!wanted_ || begun_) return;
    begun_ = true;
    first_ = open_log_file();
  }
  Result<void> finish() {
    if (!begun_) return {};
    begun_ = false;
    const UniqueFd first = std::move(first_);
    const UniqueFd last = open_log_file();
    // A log that is not there any more can't be synced, and nothing in it is on the disk for sure.
    if (!last.valid() || sync_file_(last.get()) != 0) {
      return fail_errno("cannot sync the audit log " + path_);
    }
    if (first.valid() && !same_file(first.get(), last.get()) && sync_file_(first.get()) != 0) {
      return fail_errno("cannot sync the rotated audit log of " + path_);
    }
    // A file that is new is on the disk when its name is.
    const bool is_new = !first.valid() || !same_file(first.get(), last.get());
    return is_new ? sync_directory(directory_of(path_)) : Result<void>();
  }

 private:
  [[nodiscard]] UniqueFd open_log_file() const {
    return UniqueFd(
        ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  }
  static bool same_file(int a, int b) {
    struct stat left{}, right{};
    return ::fstat(a, &left) == 0 && ::fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
  }

  std::string path_;
  int (*sync_file_)(int fd);
  bool wanted_;
  bool begun_ = false;
  UniqueFd first_;  // the log at begin(); invalid when there was none
};

class Recorder {
 public:
  Recorder(const RecorderOptions& options, std::unique_ptr<Appender> log, UniqueFd socket,
           const Clock& clock)
      : options_(options),
        clock_(clock),
        log_(std::move(log)),
        sync_(options),
        socket_(std::move(socket)) {}

  Result<void> serve(int stop_fd);

 private:
  void accept_clients();
  // Takes one datagram and keeps the answer; false when there was none.
  bool take_from(Client& client);
  // Syncs where that is wanted, then answers everyone who sent something in this round.
  void answer_all();
  [[nodiscard]] std::string record(std::string_view datagram, const ucred& peer);

  void seal_when_answered();
  [[nodiscard]] int idle_milliseconds() const;
  void seal(SealReason reason);

  const RecorderOptions& options_;
  const Clock& clock_;
  std::unique_ptr<Appender> log_;
  BatchSync sync_;
  UniqueFd socket_;
  std::vector<Client> clients_;
  Decoder decoder_;
  BurstCounter bursts_;
  Event event_;
  std::string buffer_;
  bool seal_soon_ = false;
};

// What hooks and proxies have to tell. All other kinds are the log's, the recorder's or the
// shipper's own: from anybody else they would be forged evidence.
bool is_for_clients(EventType type) {
  return type == EventType::kDecision || type == EventType::kPolicyLoaded ||
         type == EventType::kPolicyLoadFailed || type == EventType::kInventory ||
         type == EventType::kConnectionClosed;
}

// The answer for one datagram.
std::string Recorder::record(std::string_view datagram, const ucred& peer) {
  const std::string_view line = datagram.substr(0, datagram.find('\n'));
  datagram.remove_prefix(std::min(line.size() + 1, datagram.size()));
  if (line.size() > limits::kEventLineBytesMax) {
    return std::string(kError) + "the event is larger than " +
           std::to_string(limits::kEventLineBytesMax) + " bytes";
  }
  if (auto read = decoder_.decode(line, event_); !read) {
    return std::string(kError) + read.error().message;
  }
  if (!is_for_clients(event_.type)) {
    return std::string(kError) + "events of kind " + std::string(name(event_.type)) +
           " are not taken from clients";
  }
  const auto policy = parse_policy_note(datagram);
  if (!policy) return std::string(kError) + policy.error().message;
  event_.via = Via::kRecorder;
  event_.peer_pid = peer.pid;
  event_.peer_uid = peer.uid;
  sync_.begin();
  auto appended = log_->append(event_, *policy);
  if (!appended) return std::string(kError) + appended.error().message;
  seal_soon_ = seal_soon_ || appended->seal_soon;
  if (auto burst = bursts_.after(event_)) {
    burst->via = Via::kRecorder;
    // The denials themselves are in the log, and the SIEM counts them by itself.
    if (auto said = log_->append(*burst); !said) {
      std::fprintf(stderr, "lilith recorder: a burst was seen and not recorded: %s\n",
                   said.error().message.c_str());
    }
  }
  return std::string(kOk) + std::to_string(appended->seq) + " " + appended->chain_hash;
}

void Recorder::accept_clients() {
  while (clients_.size() < options_.clients_max) {
    UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    Client client{std::move(socket), {}};
    socklen_t size = sizeof client.peer;
    if (::getsockopt(client.socket.get(), SOL_SOCKET, SO_PEERCRED, &client.peer, &size) != 0) {
      continue;
    }
    clients_.push_back(std::move(client));
  }
}

bool Recorder::take_from(Client& client) {
  buffer_.resize(limits::kEventLineBytesMax + 1 + kPolicyNoteBytesMax);
  const ssize_t got =
      ::recv(client.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    client.gone = true;
    return false;
  }
  const std::size_t size = std::min(static_cast<std::size_t>(got), buffer_.size());
  client.answer = record(std::string_view(buffer_).substr(0, size), client.peer);
  return true;
}

// One fdatasync(2) for all that arrived together; whoever is told "ok" is told after it.
void Recorder::answer_all() {
  const auto synced = sync_.finish();
  for (Client& client : clients_) {
    if (client.answer.empty()) continue;
    if (!synced && client.answer.starts_with(kOk)) {
      client.answer = std::string(kError) + synced.error().message;
    }
    // A client that does not read its answers loses them, and the others wait for nobody.
    client.gone = ::send(client.socket.get(), client.answer.data(), client.answer.size(),
                         MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
    client.answer.clear();
  }
  std::erase_if(clients_, [](const Client& client) { return client.gone; });
}

Result<void> Recorder::serve(int stop_fd) {
  std::vector<pollfd> waits;
  for (;;) {
    const bool room = clients_.size() < options_.clients_max;
    waits.assign({{stop_fd, POLLIN, 0}, {socket_.get(), static_cast<short>(room ? POLLIN : 0), 0}});
    for (const Client& client : clients_) waits.push_back({client.socket.get(), POLLIN, 0});
    const int ready = ::poll(waits.data(), waits.size(), idle_milliseconds());
    if (ready < 0) {
      if (errno == EINTR) continue;
      return fail_errno("recorder: poll");
    }
    if (ready == 0) seal(SealReason::kInterval);
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (waits[i + 2].revents != 0) take_from(clients_[i]);
    }
    answer_all();
    seal_when_answered();
    if (waits[1].revents != 0) accept_clients();
    if (waits[0].revents == 0) continue;
    // What has been sent to us before the stop is written; what comes after meets a closed socket.
    accept_clients();
    for (bool more = true; more;) {
      more = false;
      for (Client& client : clients_) more = take_from(client) || more;
      answer_all();
    }
    seal(SealReason::kStop);
    return {};
  }
}

// A checkpoint waits for the disk: whoever was the cause of it has the answer by now.
void Recorder::seal_when_answered() {
  if (std::exchange(seal_soon_, false)) seal(SealReason::kInterval);
}

// Where nobody appends, nobody sees that a checkpoint is due.
int Recorder::idle_milliseconds() const {
  if (options_.log.seal.key.empty() || options_.log.seal.age_max.count() == 0) return -1;
  constexpr std::chrono::milliseconds kLongest{3'600'000};
  const std::chrono::milliseconds wait = options_.log.seal.age_max;
  return static_cast<int>(std::min(wait, kLongest).count());
}

void Recorder::seal(SealReason reason) {
  if (options_.log.seal.key.empty()) return;
  if (auto sealed = seal_log(options_.log, reason, clock_); !sealed) {
    std::fprintf(stderr, "lilith recorder: no checkpoint was made: %s\n",
                 sealed.error().message.c_str());
  }
}

// The socket that systemd hands over, or nothing.
// https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html
UniqueFd socket_of_systemd() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::to_string(::getpid()) != pid ||
      std::string_view(count) != "1") {
    return {};
  }
  ::fcntl(kSystemdFirstFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kSystemdFirstFd, F_SETFL, O_NONBLOCK);
  return UniqueFd(kSystemdFirstFd);
}

Result<UniqueFd> listen_at(const RecorderOptions& options) {
  auto address = address_of(options.socket_path);
  if (!address) return pass_error(address);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return fail_errno("cannot make a socket");
  if (::bind(socket.get(), generic(*address), sizeof *address) != 0) {
    if (errno != EADDRINUSE) return fail_errno("cannot bind " + options.socket_path);
    // The file of a recorder that was killed: removed only when nobody answers there.
    const UniqueFd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), generic(*address), sizeof *address) == 0 || errno != ECONNREFUSED) {
      return fail(ErrorCode::kUnavailable, "another recorder listens at " + options.socket_path,
                  EADDRINUSE);
    }
    if (::unlink(options.socket_path.c_str()) != 0 ||
        ::bind(socket.get(), generic(*address), sizeof *address) != 0) {
      return fail_errno("cannot bind " + options.socket_path);
    }
  }
  if (::chmod(options.socket_path.c_str(), options.socket_mode) != 0) {
    return fail_errno("cannot set the mode of " + options.socket_path);
  }
  if (::listen(socket.get(), kListenBacklog) != 0) {
    return fail_errno("cannot listen at " + options.socket_path);
  }
  return socket;
}

}  // namespace

Result<std::unique_ptr<Appender>> open_recorder(const std::string& socket_path,
                                                std::chrono::milliseconds timeout) {
  const MonotonicTime now = std::chrono::steady_clock::now();
  auto socket = connect_again(socket_path, now + std::min(timeout, kRestartWait));
  if (!socket) return pass_error(socket);
  if (auto set = set_timeout(socket->get(), timeout); !set) return pass_error(set);
  return std::make_unique<RecorderClient>(std::move(*socket), socket_path, now + timeout);
}

Result<void> serve_recorder(const RecorderOptions& options, int stop_fd, const Clock& clock) {
  LogOptions log_options = options.log;
  // Synced by the batch (BatchSync).
  if (log_options.sync == Sync::kBatch) log_options.sync = Sync::kOff;
  auto log = open_log(log_options, clock);
  if (!log) return pass_error(log);
  UniqueFd socket = socket_of_systemd();
  const bool own_socket = !socket.valid();
  if (own_socket) {
    auto listening = listen_at(options);
    if (!listening) return pass_error(listening);
    socket = std::move(*listening);
  }
  auto served = Recorder(options, std::move(*log), std::move(socket), clock).serve(stop_fd);
  if (own_socket) ::unlink(options.socket_path.c_str());
  return served;
}

}  // namespace lilith::audit
