#include "enforcer/run/fence.hpp"

#include "audit/base/file.hpp"
#include "audit/confine/capabilities.hpp"
#include "enforcer/run/probe.hpp"
#include "enforcer/run/seccomp.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

namespace lilith::enforcer::run {
namespace {

constexpr int kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
constexpr int kBacklog = 1024;
constexpr std::size_t kMessageBytesMax = 4096;
constexpr std::size_t kListenersMax = 64;
constexpr int kSignalExit = 128;
constexpr int kCannotRun = 127;

// Datagrams between the two sides: a letter and a text.
constexpr char kReady = 'L', kProve = 'P', kGo = 'G', kGood = 'K', kError = 'E';

bool tell(int fd, char what, std::string_view text = {}) {
  const std::string message = what + std::string(text.substr(0, kMessageBytesMax - 1));
  return ::send(fd, message.data(), message.size(), MSG_NOSIGNAL) >= 0;
}

// The next message, empty at the end.
std::string hear(int fd, std::vector<UniqueFd>* descriptors = nullptr) {
  std::string text(kMessageBytesMax, '\0');
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kListenersMax * sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int passed = -1;
      std::memcpy(&passed, CMSG_DATA(one) + i * sizeof(int), sizeof passed);
      UniqueFd owner(passed);
      if (descriptors != nullptr) descriptors->push_back(std::move(owner));
    }
  }
  return text;
}

bool hand_out(int fd, const std::vector<UniqueFd>& descriptors) {
  char letter = kReady;
  iovec part{&letter, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kListenersMax * sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const int one = descriptors[i].get();
    std::memcpy(CMSG_DATA(header) + i * sizeof one, &one, sizeof one);
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) >= 0;
}

Result<void> put(const char* path, const std::string& text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || ::write(fd.get(), text.data(), text.size()) < 0) {
    return fail_errno(std::string("cannot write ") + path);
  }
  return {};
}

// The same user inside as outside, and no other.
Result<void> map_user(uid_t uid, gid_t gid) {
  if (auto done = put("/proc/self/setgroups", "deny"); !done) return done;
  const auto same = [](unsigned id) {
    return std::to_string(id) + " " + std::to_string(id) + " 1";
  };
  if (auto done = put("/proc/self/uid_map", same(uid)); !done) return done;
  return put("/proc/self/gid_map", same(gid));
}

Result<void> bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd.valid() || ::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return fail_errno("cannot bring the loopback of the fence up");
  }
  return {};
}

Result<UniqueFd> listen_inside(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* at = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (!fd.valid() || ::bind(fd.get(), at, sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno("cannot listen on port " + std::to_string(port) + " inside the fence");
  }
  return fd;
}

// /proc of the new process ids: the old one shows (and opens the files of) everyone outside.
Result<void> settle_mounts(const std::vector<std::string>& read_only) {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail_errno("cannot make the mounts of the fence private");
  }
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fail_errno("cannot mount /proc inside the fence");
  }
  for (const std::string& path : read_only) {
    if (::access(path.c_str(), F_OK) != 0) continue;
    if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return fail_errno("cannot protect " + path);
    }
    // What the mount below has set can't be taken away (mount_namespaces(7)); nosuid and nodev are
    // the usual ones.
    constexpr unsigned long kReadOnly = MS_BIND | MS_REMOUNT | MS_RDONLY;
    bool done = false;
    for (const unsigned long more :
         {0UL, static_cast<unsigned long>(MS_NOSUID | MS_NODEV),
          static_cast<unsigned long>(MS_NOSUID | MS_NODEV | MS_NOEXEC)}) {
      done = done || ::mount("none", path.c_str(), nullptr, kReadOnly | more, nullptr) == 0;
    }
    if (!done) return fail_errno("cannot protect " + path);
  }
  // The directory that was inherited still lies below the mounts.
  std::array<char, PATH_MAX> here{};
  if (::getcwd(here.data(), here.size()) == nullptr || ::chdir(here.data()) != 0) {
    return fail_errno("cannot enter the current directory inside the fence");
  }
  return {};
}

// What holds for the program and for the probe alike; returns install_filter()'s descriptor.
Result<UniqueFd> restrict_process(const FenceOptions& options) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // An inherited socket would be a way out. To be closed at exec, so that an error can be told.
  constexpr unsigned kFirstOther = 3, kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC
  if (::syscall(SYS_close_range, kFirstOther, ~0U, kCloseOnExec) != 0) {
    return fail_errno("cannot close what was inherited");
  }
  // Nothing of the power that the namespaces gave stays with the program, root or not.
  if (auto left = confine::keep_capabilities(0); !left) return pass_error(left);
  if (auto done = confine::forbid_new_privileges(); !done) return pass_error(done);
  if (options.writable) {
    auto confined = confine::confine_writes(*options.writable);
    if (!confined) return pass_error(confined);
  }
  return install_filter(options.recorder != nullptr);
}

// ---- inside, as the first process of the namespaces

class Inside {
 public:
  Inside(const FenceOptions& options, int control, uid_t uid, gid_t gid)
      : options_(options), control_(control), uid_(uid), gid_(gid) {}
  [[noreturn]] void run();

 private:
  [[nodiscard]] Result<std::vector<UniqueFd>> prepare() const;
  void prove(int host_port) const;
  [[nodiscard]] pid_t start_program();
  [[noreturn]] void become_program(int parent) const;
  [[noreturn]] void look_after(pid_t program);
  [[nodiscard]] bool asks() const { return options_.recorder != nullptr; }

  const FenceOptions& options_;
  int control_;
  uid_t uid_;
  gid_t gid_;
  UniqueFd asking_;  // programs that want the recorder wait here
};

Result<std::vector<UniqueFd>> Inside::prepare() const {
  if (auto done = map_user(uid_, gid_); !done) return pass_error(done);
  if (auto done = settle_mounts(options_.read_only); !done) return pass_error(done);
  if (auto done = bring_loopback_up(); !done) return pass_error(done);
  std::vector<UniqueFd> listeners;
  std::vector<int> ports{options_.proxy_port};
  ports.insert(ports.end(), options_.local_ports.begin(), options_.local_ports.end());
  for (const int port : ports) {
    auto listener = listen_inside(port);
    if (!listener) return pass_error(listener);
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

// In a process of its own, under the very restrictions of the program.
void Inside::prove(int host_port) const {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::string found;
    // Nobody answers the probe: the descriptor is closed at once.
    if (auto done = restrict_process(options_); !done) found = done.error().message;
    if (found.empty()) found = leaks({host_port, options_.proxy_port});
    tell(control_, found.empty() ? kGood : kError, found);
    ::_exit(0);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) {
    tell(control_, kError, "the probe did not come to its end");
  }
}

void Inside::become_program(int parent) const {
  std::vector<char*> argv;
  for (const std::string& word : options_.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  for (const std::string& name : options_.remove_from_environment) ::unsetenv(name.c_str());
  for (const auto& [name, value] : options_.environment) ::setenv(name.c_str(), value.c_str(), 1);
  auto asking = restrict_process(options_);
  if (!asking) {
    tell(control_, kError, asking.error().message);
    ::_exit(kCannotRun);
  }
  if (asks()) {
    std::vector<UniqueFd> handed;
    handed.push_back(std::move(*asking));
    if (!hand_out(parent, handed)) ::_exit(kCannotRun);
  }
  ::execvp(argv[0], argv.data());
  tell(control_, kError, "cannot start " + options_.command.front() + ": " + std::strerror(errno));
  ::_exit(kCannotRun);
}

pid_t Inside::start_program() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return -1;
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid == 0) become_program(theirs.get());
  theirs.reset();
  std::vector<UniqueFd> handed;
  if (asks() && !hear(ours.get(), &handed).empty() && handed.size() == 1) {
    asking_ = std::move(handed.front());
  }
  return pid;
}

// Until the program ends; with this process the kernel ends all others of the namespace.
void Inside::look_after(pid_t program) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
    ::sigaddset(&wanted, number);
  }
  const UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) ::_exit(kCannotRun);
  while (true) {
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended != program) continue;
      ::_exit(WIFSIGNALED(status) ? kSignalExit + WTERMSIG(status) : WEXITSTATUS(status));
    }
    std::array<pollfd, 2> wait{{{signals.get(), POLLIN, 0}, {asking_.get(), POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if ((wait[1].revents & POLLIN) != 0) {
      hand_recorder(asking_.get(), options_.recorder);
    } else if (wait[1].revents != 0) {
      asking_.reset();  // nobody is left who could ask
    }
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const int number = static_cast<int>(info.ssi_signo);
    // What the terminal sent, the program has got itself.
    if (number != SIGCHLD && info.ssi_code <= 0) ::kill(program, number);
  }
}

void Inside::run() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  auto listeners = prepare();
  if (!listeners) {
    tell(control_, kError, listeners.error().message);
    ::_exit(kCannotRun);
  }
  if (!hand_out(control_, *listeners)) ::_exit(kCannotRun);
  listeners->clear();
  while (true) {
    const std::string wish = hear(control_);
    if (wish.empty()) ::_exit(kCannotRun);  // whom it was made for is gone
    if (wish[0] == kProve) {
      int port = 0;
      std::from_chars(wish.data() + 1, wish.data() + wish.size(), port);
      prove(port);
    }
    if (wish[0] != kGo) continue;
    const pid_t program = start_program();
    ::close(control_);
    if (program < 0) ::_exit(kCannotRun);
    look_after(program);
  }
}

std::string remedy(int error) {
  if (error == EPERM || error == EACCES || error == ENOSPC || error == EUSERS) {
    return "; the system refuses user namespaces: see kernel.unprivileged_userns_clone, "
           "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns, and in a "
           "container its seccomp profile";
  }
  return {};
}

}  // namespace

Result<Fence> Fence::make(const FenceOptions& options) {
  if (options.local_ports.size() + 1 > kListenersMax) {
    return fail(ErrorCode::kLimitExceeded, "too many local ports");
  }
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail_errno("cannot make a socket pair");
  }
  Fence fence;
  fence.control_.reset(pair[0]);
  UniqueFd theirs(pair[1]);
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  // fork(2) with namespaces: no stack of its own, so the child goes on here with a copy of all.
  const long pid = ::syscall(SYS_clone, kNamespaces | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (pid == 0) {
    fence.control_.reset();
    Inside(options, theirs.release(), uid, gid).run();
  }
  if (pid < 0) {
    const int error = errno;
    return fail(ErrorCode::kUnavailable,
                std::string("cannot make namespaces: ") + std::strerror(error) + remedy(error),
                error);
  }
  theirs.reset();
  fence.pid_ = static_cast<pid_t>(pid);
  const std::string answer = hear(fence.control_.get(), &fence.listeners_);
  if (answer.starts_with(kReady) && fence.listeners_.size() == options.local_ports.size() + 1) {
    return fence;
  }
  ::kill(fence.pid_, SIGKILL);
  ::waitpid(fence.pid_, nullptr, 0);
  return fail(ErrorCode::kUnavailable,
              answer.starts_with(kError) ? answer.substr(1) : "the fence ended before it stood");
}

Result<void> Fence::prove(int host_port) {
  tell(control_.get(), kProve, std::to_string(host_port));
  const std::string answer = hear(control_.get());
  if (answer.starts_with(kGood)) return {};
  return fail(ErrorCode::kUnavailable,
              answer.starts_with(kError) ? answer.substr(1) : "the probe gave no answer");
}

Result<void> Fence::release() {
  tell(control_.get(), kGo);
  // The end of the conversation is the program's start: the descriptor is closed by exec.
  const std::string answer = hear(control_.get());
  if (answer.empty()) return {};
  return fail(ErrorCode::kNotFound, answer.substr(1));
}

}  // namespace lilith::enforcer::run
