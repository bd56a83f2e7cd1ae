#include "enforcer/mcp/proxy.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::enforcer::mcp {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
// How long after the client's last word the log stays open for its next one.
constexpr milliseconds kLogHeld{1000};
constexpr int kSignalExit = 128;
constexpr std::array kForwarded{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

struct Child {
  pid_t pid = -1;
  UniqueFd in, out;  // our ends
};

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_server(char** argv, int in, int out, int failed, pid_t parent) {
  ::setpgid(0, 0);
  // Our death by a signal that nobody can handle is the server's as well.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0) ::execvp(argv[0], argv);
  const int error = errno;
  std::ignore = ::write(failed, &error, sizeof error);
  ::_exit(1);
}

Result<Child> start(const std::vector<std::string>& command) {
  auto in = make_pipe(), out = make_pipe(), failed = make_pipe();
  for (auto* one : {&in, &out, &failed}) {
    if (!*one) return pass_error(*one);
  }
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("cannot start a process");
  if (pid == 0) {
    become_server(argv.data(), in->read.get(), out->write.get(), failed->write.get(), parent);
  }
  ::setpgid(pid, pid);
  failed->write.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(failed->read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof error)) {
    ::waitpid(pid, nullptr, 0);
    return fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                "cannot start " + command.front() + ": " + std::strerror(error), error);
  }
  set_nonblocking(in->write.get());
  set_nonblocking(out->read.get());
  return Child{pid, std::move(in->write), std::move(out->read)};
}

// Writes without ever blocking and without changing flags of a descriptor that others may share.
class ClientOutput {
 public:
  explicit ClientOutput(int fd) : fd_(fd) {
    struct stat info{};
    is_socket_ = ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
    if (is_socket_) return;
    // A description of our own for the same pipe; a regular file does not block.
    own_.reset(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(),
                      O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (own_.valid()) fd_ = own_.get();
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] ssize_t write(std::string_view bytes) const {
    if (is_socket_) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return ::write(fd_, bytes.data(), bytes.size());
  }

 private:
  int fd_;
  bool is_socket_ = false;
  UniqueFd own_;
};

class Proxy {
 public:
  Proxy(const ProxyOptions& options, Session& session, Child child, int signals)
      : session_(session),
        child_(std::move(child)),
        client_in_(options.client_in),
        client_out_(options.client_out),
        signals_(signals) {}

  int run();

 private:
  void wait_for_something();
  void read_client();
  void read_server();
  void read_signals();
  void reap();
  void flush();
  void to_client();
  void to_server();
  void client_is_gone();
  void end_broken();
  void signal_group(int number) const { ::kill(-child_.pid, number); }
  // The server shall end now; when it does not, the next signal follows.
  void end_server(int number);
  void keep_deadlines();

  Session& session_;
  Child child_;
  int client_in_;
  ClientOutput client_out_;
  int signals_;
  bool client_open_ = true, client_reads_ = true;
  bool exited_ = false;
  int status_ = 0;
  std::string buffer_ = std::string(kReadBytes, '\0');
  enum class Ending { kNo, kInputEnded, kTerminated, kKilled };
  Ending ending_ = Ending::kNo;
  MonotonicTime deadline_ = MonotonicTime::max();
  MonotonicTime log_held_until_ = MonotonicTime::max();
};

void Proxy::end_server(int number) {
  if (exited_) return;
  signal_group(number);
  ending_ = number == SIGKILL ? Ending::kKilled : Ending::kTerminated;
  deadline_ =
      number == SIGKILL ? MonotonicTime::max() : system_clock().monotonic() + limits::kMcpExitGrace;
}

void Proxy::keep_deadlines() {
  const MonotonicTime now = system_clock().monotonic();
  if (now >= log_held_until_) {
    session_.idle();
    log_held_until_ = MonotonicTime::max();
  }
  if (now < deadline_) return;
  end_server(ending_ == Ending::kTerminated ? SIGKILL : SIGTERM);
}

void Proxy::client_is_gone() {
  if (!client_reads_) return;
  client_reads_ = client_open_ = false;
  session_.to_client.clear();
  session_.to_server.clear();
  child_.in.reset();
  if (ending_ == Ending::kNo || ending_ == Ending::kInputEnded) end_server(SIGTERM);
}

void Proxy::to_client() {
  std::size_t done = 0;
  while (done < session_.to_client.size() && client_reads_) {
    const ssize_t put = client_out_.write(std::string_view(session_.to_client).substr(done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) return client_is_gone();
    if (put < 0) break;
    done += static_cast<std::size_t>(put);
  }
  session_.to_client.erase(0, done);
}

void Proxy::to_server() {
  std::size_t done = 0;
  while (done < session_.to_server.size() && child_.in.valid()) {
    const std::string_view rest = std::string_view(session_.to_server).substr(done);
    const ssize_t put = ::write(child_.in.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) {
      child_.in.reset();
      break;
    }
    done += static_cast<std::size_t>(put);
  }
  session_.to_server.erase(0, done);
  if (!child_.in.valid()) session_.to_server.clear();
  if (!client_open_ && session_.to_server.empty() && child_.in.valid()) {
    // What the client said last is with the server; it ends when it has read that, or is asked to.
    child_.in.reset();
    if (ending_ == Ending::kNo) {
      ending_ = Ending::kInputEnded;
      deadline_ = system_clock().monotonic() + limits::kMcpExitGrace;
    }
  }
}

void Proxy::flush() {
  to_server();
  to_client();
  if (session_.complaints.empty()) return;
  // Standard error is for people; that nobody reads it stops nothing.
  if (auto ignored = write_all(STDERR_FILENO, session_.complaints); !ignored) {
    session_.complaints.clear();
  }
  session_.complaints.clear();
}

void Proxy::read_client() {
  const ssize_t got = ::read(client_in_, buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0) {
    session_.from_client(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
    log_held_until_ = system_clock().monotonic() + kLogHeld;
    return end_broken();
  }
  session_.end_of_client();
  client_open_ = false;
}

void Proxy::read_server() {
  const ssize_t got = ::read(child_.out.get(), buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
    // Drained, and whoever could write to it has ended.
    if (exited_ && errno == EAGAIN) child_.out.reset();
    return;
  }
  if (got <= 0) return child_.out.reset();
  session_.from_server(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
  // A server at work after the client's last word is not to be cut off.
  if (ending_ == Ending::kInputEnded) {
    deadline_ = system_clock().monotonic() + limits::kMcpExitGrace;
  }
  end_broken();
}

void Proxy::end_broken() {
  if (!session_.broken()) return;
  flush();
  child_.out.reset();
  client_is_gone();
}

void Proxy::reap() {
  int status = 0;
  if (exited_ || ::waitpid(child_.pid, &status, WNOHANG) != child_.pid) return;
  exited_ = true;
  status_ = WIFSIGNALED(status) ? kSignalExit + WTERMSIG(status) : WEXITSTATUS(status);
  deadline_ = MonotonicTime::max();
  // What it started and left behind must not outlive the session.
  signal_group(SIGTERM);
  child_.in.reset();
}

void Proxy::read_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) {
      reap();
    } else if (number == SIGTERM || number == SIGINT) {
      end_server(number);
    } else {
      signal_group(number);
    }
  }
}

void Proxy::wait_for_something() {
  const bool room = session_.to_client.size() < limits::kMcpQueueBytesMax;
  const bool asks = client_open_ && !exited_ && !session_.congested();
  const bool waiting_out = !session_.to_client.empty();
  const auto short_of = [](bool wanted, short events) { return wanted ? events : short{0}; };
  std::array<pollfd, 5> fds{{
      {signals_, POLLIN, 0},
      {asks ? client_in_ : -1, POLLIN, 0},
      {room && child_.out.valid() ? child_.out.get() : -1, POLLIN, 0},
      {client_reads_ ? client_out_.fd() : -1, short_of(waiting_out, POLLOUT), 0},
      {child_.in.valid() && !session_.to_server.empty() ? child_.in.get() : -1, POLLOUT, 0},
  }};
  int timeout = -1;
  const MonotonicTime next = std::min(deadline_, log_held_until_);
  if (next != MonotonicTime::max()) {
    const auto left = std::chrono::ceil<milliseconds>(next - system_clock().monotonic()).count();
    timeout = static_cast<int>(std::clamp<milliseconds::rep>(left, 0, 60'000));
  }
  // Once the server has ended its output is read until it is empty, and not waited for.
  if (exited_ && child_.out.valid() && room) timeout = 0;
  if (::poll(fds.data(), fds.size(), timeout) < 0) return;
  if ((fds[0].revents & POLLIN) != 0) read_signals();
  if ((fds[3].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) client_is_gone();
  if (fds[2].revents != 0 || (exited_ && child_.out.valid() && room)) read_server();
  if (fds[1].revents != 0 && client_open_) read_client();
}

int Proxy::run() {
  while (true) {
    wait_for_something();
    keep_deadlines();
    flush();
    const bool said_all = !child_.out.valid() && (session_.to_client.empty() || !client_reads_);
    if (exited_ && said_all) return status_;
  }
}

}  // namespace

Result<int> run_proxy(const ProxyOptions& options, Session& session) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  for (const int number : kForwarded) ::sigaddset(&wanted, number);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return fail_errno("cannot wait for signals");
  auto child = start(options.command);
  if (!child) return pass_error(child);
  return Proxy(options, session, std::move(*child), signals.get()).run();
}

}  // namespace lilith::enforcer::mcp
