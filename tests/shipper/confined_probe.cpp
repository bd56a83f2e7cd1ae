// Confines itself as lilith-ship does, tries what a shipper never does, and says what each try
// came to, a line each: "NAME: ok" or the name of the error.
//
// confined_probe CONFIG OUTSIDE INSIDE         OUTSIDE: a file; INSIDE: the file sink's directory
// confined_probe without landlock|seccomp PROGRAM ARGUMENTS...   runs it as on a kernel that lacks
// it

#include "audit/confine/capabilities.hpp"
#include "audit/confine/system_calls.hpp"
#include "shipper/confinement.hpp"
#include "tests/support/support.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using Try = std::function<long()>;  // below 0: errno says why

void say(const std::string& name, const Try& attempt) {
  errno = 0;
  const long done = attempt();
  const char* const why = done >= 0 ? "ok" : ::strerrorname_np(errno);
  std::printf("%s: %s\n", name.c_str(), why == nullptr ? "?" : why);
}

long opens(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd;
}

long makes_socket(int family, int type) {
  const int fd = ::socket(family, type, 0);
  if (fd >= 0) ::close(fd);
  return fd;
}

// In a process of its own; its exit code is the error. ENOSYS for one that a signal ended.
long apart(const Try& attempt) {
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(attempt() < 0 ? errno : 0);
  int status = 0;
  ::waitpid(pid, &status, 0);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : ENOSYS;
  return errno == 0 ? 0 : -1;
}

long call_of_32_bits() {
#if defined(__x86_64__)
  long result = 20;  // getpid(2) there
  asm volatile("int $0x80" : "+a"(result) : : "memory");
  errno = result < 0 ? static_cast<int>(-result) : 0;
  return result;
#else
  errno = EPERM;
  return -1;
#endif
}

void files(const std::string& state, const std::string& outside, const std::string& inside) {
  say("read elsewhere", [&] { return opens(outside, O_RDONLY); });
  say("write elsewhere", [&] { return opens(outside, O_WRONLY); });
  say("make elsewhere", [&] { return opens(outside + ".new", O_WRONLY | O_CREAT); });
  say("truncate elsewhere", [&] { return ::truncate(outside.c_str(), 1); });
  say("rename elsewhere", [&] { return ::rename(outside.c_str(), (outside + ".old").c_str()); });
  const bool renamed = ::access(outside.c_str(), F_OK) != 0;
  say("remove elsewhere", [&] { return ::unlink((outside + (renamed ? ".old" : "")).c_str()); });
  say("make in state_dir", [&] { return opens(state + "/x", O_WRONLY | O_CREAT); });
  say("rename in state_dir",
      [&] { return ::rename((state + "/x").c_str(), (state + "/y").c_str()); });
  say("give away", [&] { return ::chown((state + "/y").c_str(), 1, 1); });
  say("remove in state_dir", [&] { return ::unlink((state + "/y").c_str()); });
  say("make beside the sink's file", [&] { return opens(inside + "/x", O_WRONLY | O_CREAT); });
  say("make a directory beside the sink's file",
      [&] { return ::mkdir((inside + "/d").c_str(), 0700); });
  say("rename the sink's file",
      [&] { return ::rename((inside + "/x").c_str(), (inside + "/y").c_str()); });
  say("remove the sink's file", [&] { return ::unlink((inside + "/x").c_str()); });
}

void processes(pid_t other) {
  say("run a program", [] {
    return apart([] {
      char program[] = "/bin/true";
      char* const argv[] = {program, nullptr};
      return ::execve(program, argv, nullptr);
    });
  });
  say("run a descriptor", [] {
    return apart([] {
      char name[] = "true";
      char* const argv[] = {name, nullptr};
      return ::syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, nullptr, 0);
    });
  });
  say("trace a process", [&] { return ::ptrace(PTRACE_DETACH, other, nullptr, nullptr); });
  say("read a process",
      [] { return ::syscall(SYS_process_vm_readv, ::getpid(), nullptr, 0, nullptr, 0, 0); });
  say("signal a process", [&] { return ::kill(other, 0); });
  say("leave the namespaces", [] { return apart([] { return ::unshare(CLONE_NEWUSER); }); });
  say("clone with namespaces", [] {
    return apart([] {
      const long pid =
          ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
      if (pid == 0) ::_exit(0);
      return pid;
    });
  });
  say("clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); });
  say("enter a namespace", [] { return ::setns(-1, 0); });
  say("a call of 32 bits", [] { return apart(call_of_32_bits); });
}

void kernel() {
  say("mount", [] { return ::mount(nullptr, nullptr, nullptr, 0, nullptr); });
  say("chroot", [] { return apart([] { return ::chroot("/"); }); });
  say("bpf", [] { return ::syscall(SYS_bpf, 999, nullptr, 0); });
  say("keys", [] { return ::syscall(SYS_keyctl, 999); });
  say("io_uring", [] { return ::syscall(SYS_io_uring_setup, 0, nullptr); });
  say("module", [] { return ::syscall(SYS_finit_module, -1, "", 0); });
  say("type into the terminal", [] { return ::ioctl(STDIN_FILENO, TIOCSTI, "x"); });
}

void sockets() {
  constexpr int kVsock = 40;
  say("packet socket", [] { return makes_socket(AF_PACKET, SOCK_RAW); });
  say("raw socket", [] { return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); });
  say("vsock", [] { return makes_socket(kVsock, SOCK_STREAM); });
  say("crypto socket", [] { return makes_socket(AF_ALG, SOCK_SEQPACKET); });
  say("unix socket", [] { return makes_socket(AF_UNIX, SOCK_STREAM); });
  say("tcp", [] { return makes_socket(AF_INET, SOCK_STREAM); });
  say("udp", [] { return makes_socket(AF_INET, SOCK_DGRAM); });
  say("netlink", [] { return makes_socket(AF_NETLINK, SOCK_RAW); });
}

void what_must_go_on() {
  say("thread", [] {
    std::thread([] {}).join();
    return 0L;
  });
  // The C library loads what it needs for it now.
  say("look up a name", [] {
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo("localhost", "https", nullptr, &found);
    if (failed == 0) ::freeaddrinfo(found);
    errno = failed == 0 ? 0 : EHOSTUNREACH;
    return failed == 0 ? 0L : -1L;
  });
  say("/dev/null", [] { return opens("/dev/null", O_WRONLY); });
}

int run_without(const std::string& what, char** argv) {
  lilith::confine::SystemCallFilter filter(lilith::confine::SystemCallFilter::Foreign::kRefuse);
  if (what == "landlock") filter.refuse(SYS_landlock_create_ruleset, ENOSYS);
  if (what == "seccomp") filter.refuse(SYS_seccomp, EINVAL);
  const auto done = lilith::confine::forbid_new_privileges();
  if (!done || !filter.install()) return 1;
  ::execv(argv[0], argv);
  return 1;
}

// One that ends with this one: no signal from here would reach it.
pid_t start_other() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::close(ends[1]);
  char none = 0;
  (void)!::read(ends[0], &none, 1);
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 3 && std::strcmp(argv[1], "without") == 0) return run_without(argv[2], argv + 3);
  if (argc != 4) return 1;
  const auto load = lilith::shipper::load_config(lilith::test::read_text(argv[1]));
  const pid_t other = start_other();  // of the same user, and not confined
  const auto confinement = lilith::shipper::Confinement::enter(load.config);
  if (!load.problems.empty() || !confinement) return 1;
  files(load.config.state_dir, argv[2], argv[3]);
  processes(other);
  kernel();
  sockets();
  what_must_go_on();
  return 0;
}
