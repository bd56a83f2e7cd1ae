#include "audit/recorder.hpp"

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
#include <vector>

namespace lilith::audit {
namespace {

constexpr int kListenBacklog = 512;
constexpr int kSystemdFirstFd = 3;  // SD_LISTEN_FDS_START, sd_listen_fds(3)
constexpr std::string_view kOk = "ok ";
constexpr std::string_view kError = "error ";

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

// ---- client

class RecorderClient final : public Appender {
 public:
  RecorderClient(UniqueFd socket, std::string path)
      : socket_(std::move(socket)), path_(std::move(path)) {}

  Result<Appended> append(Event& event) override {
    if (event.time == WallTime{}) event.time = system_clock().now();
    if (event.id.empty()) event.id = uuid_v7(event.time);
    event.chain_id.clear();
    event.chain_prev.clear();
    event.chain_hash.clear();
    event.seq = 0;
    const std::string line = encode(event);
    if (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
      return fail_errno("cannot send to the recorder at " + path_);
    }
    std::string answer(1024, '\0');
    const ssize_t got = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (got < 0 && errno == EAGAIN) {
      return fail(ErrorCode::kUnavailable, "the recorder at " + path_ + " did not answer in time",
                  EAGAIN);
    }
    if (got < 0) return fail_errno("cannot read the answer of the recorder at " + path_);
    if (got == 0) return fail(ErrorCode::kUnavailable, "the recorder at " + path_ + " went away");
    answer.resize(static_cast<std::size_t>(got));
    return read_answer(answer, event);
  }

 private:
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
};

// ---- server

struct Client {
  UniqueFd socket;
  ucred peer{};
};

class Recorder {
 public:
  Recorder(const RecorderOptions& options, std::unique_ptr<Appender> log, UniqueFd socket)
      : options_(options), log_(std::move(log)), socket_(std::move(socket)) {}

  Result<void> serve(int stop_fd);

 private:
  void accept_clients();
  [[nodiscard]] bool serve_client(Client& client);
  [[nodiscard]] std::string record(std::string_view line, const ucred& peer);

  const RecorderOptions& options_;
  std::unique_ptr<Appender> log_;
  UniqueFd socket_;
  std::vector<Client> clients_;
  Decoder decoder_;
  BurstCounter bursts_;
  Event event_;
  std::string buffer_;
};

// The answer for one datagram.
std::string Recorder::record(std::string_view line, const ucred& peer) {
  if (line.size() > limits::kEventLineBytesMax) {
    return std::string(kError) + "the event is larger than " +
           std::to_string(limits::kEventLineBytesMax) + " bytes";
  }
  if (auto read = decoder_.decode(line, event_); !read) {
    return std::string(kError) + read.error().message;
  }
  event_.via = Via::kRecorder;
  event_.peer_pid = peer.pid;
  event_.peer_uid = peer.uid;
  auto appended = log_->append(event_);
  if (!appended) return std::string(kError) + appended.error().message;
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

// Takes one datagram and answers it; false when the client is to be forgotten.
bool Recorder::serve_client(Client& client) {
  buffer_.resize(limits::kEventLineBytesMax + 1);
  const ssize_t got =
      ::recv(client.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  const std::size_t size = std::min(static_cast<std::size_t>(got), buffer_.size());
  std::string answer = record(std::string_view(buffer_).substr(0, size), client.peer);
  // A client that does not read its answers loses them, and the others wait for nobody.
  return ::send(client.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >=
         0;
}

Result<void> Recorder::serve(int stop_fd) {
  std::vector<pollfd> waits;
  for (;;) {
    const bool room = clients_.size() < options_.clients_max;
    waits.assign({{stop_fd, POLLIN, 0}, {socket_.get(), static_cast<short>(room ? POLLIN : 0), 0}});
    for (const Client& client : clients_) waits.push_back({client.socket.get(), POLLIN, 0});
    if (::poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("recorder: poll");
    }
    for (std::size_t i = clients_.size(); i-- > 0;) {
      if (waits[i + 2].revents == 0 || serve_client(clients_[i])) continue;
      clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (waits[1].revents != 0) accept_clients();
    if (waits[0].revents == 0) continue;
    // What has been sent to us before the stop is written; what comes after meets a closed socket.
    accept_clients();
    for (Client& client : clients_) {
      while (true) {
        pollfd one{client.socket.get(), POLLIN, 0};
        if (::poll(&one, 1, 0) <= 0 || !serve_client(client)) break;
      }
    }
    return {};
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
  auto address = address_of(socket_path);
  if (!address) return pass_error(address);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno("cannot make a socket");
  const timeval limit{static_cast<time_t>(timeout.count() / 1000),
                      static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
  // SO_SNDTIMEO bounds connect(2) as well (unix(7), socket(7)).
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    if (::setsockopt(socket.get(), SOL_SOCKET, option, &limit, sizeof limit) != 0) {
      return fail_errno("cannot set a timeout");
    }
  }
  if (::connect(socket.get(), generic(*address), sizeof *address) != 0) {
    auto failure = fail_errno("no recorder answers at " + socket_path);
    failure.error().code = ErrorCode::kUnavailable;
    return failure;
  }
  return std::make_unique<RecorderClient>(std::move(socket), socket_path);
}

Result<void> serve_recorder(const RecorderOptions& options, int stop_fd, const Clock& clock) {
  LogOptions log_options = options.log;
  // One event is acknowledged at a time, so that a batch to sync is one event.
  if (log_options.sync == Sync::kBatch) log_options.sync = Sync::kAlways;
  auto log = open_log(log_options, clock);
  if (!log) return pass_error(log);
  UniqueFd socket = socket_of_systemd();
  const bool own_socket = !socket.valid();
  if (own_socket) {
    auto listening = listen_at(options);
    if (!listening) return pass_error(listening);
    socket = std::move(*listening);
  }
  auto served = Recorder(options, std::move(*log), std::move(socket)).serve(stop_fd);
  if (own_socket) ::unlink(options.socket_path.c_str());
  return served;
}

}  // namespace lilith::audit
