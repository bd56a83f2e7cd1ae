#include "enforcer/setup/child.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace lilith::enforcer::setup {
namespace {

using std::chrono::milliseconds;
constexpr std::size_t kKeptBytes = std::size_t{64} * 1024;
constexpr milliseconds kLookAgain{20};

struct Pipe {
  UniqueFd read, write;
};
Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<pid_t> spawn(const std::vector<std::string>& argv, int in, int out, int err) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // A group of its own, so that what it started ends with it; signals as a shell has them.
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, words.front(), &actions, &attributes, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail_errno("cannot start " + argv.front(), error);
  return pid;
}

// Reads what there is; false at the end.
bool take(int fd, std::string& out) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  const std::size_t room = kKeptBytes - std::min(out.size(), kKeptBytes);
  out.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
  return got > 0;
}

// Until both are at their end, or the time is over; returns whether they are.
bool read_both(int out, int err, MonotonicTime until, ChildResult& result) {
  std::array<pollfd, 2> wait{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  while (wait[0].fd >= 0 || wait[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - system_clock().monotonic());
    if (left.count() <= 0) return false;
    if (::poll(wait.data(), wait.size(), static_cast<int>(left.count())) < 0) continue;
    if (wait[0].revents != 0 && !take(out, result.out)) wait[0].fd = -1;
    if (wait[1].revents != 0 && !take(err, result.err)) wait[1].fd = -1;
  }
  return true;
}

}  // namespace

Result<ChildResult> run_child(const std::vector<std::string>& argv, std::string_view input,
                              milliseconds deadline) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in || !out || !err) return fail(ErrorCode::kIo, "cannot make a pipe");
  const MonotonicTime until = system_clock().monotonic() + deadline;
  const auto pid = spawn(argv, in->read.get(), out->write.get(), err->write.get());
  if (!pid) return fail(pid.error().code, pid.error().message, pid.error().os_errno);
  in->read = UniqueFd();
  out->write = UniqueFd();
  err->write = UniqueFd();
  // Shorter than a pipe's buffer. A program that does not read it says so by its answer.
  if (auto ignored = write_all(in->write.get(), input); !ignored) in->write = UniqueFd();
  in->write = UniqueFd();
  ChildResult result;
  bool ended = read_both(out->read.get(), err->read.get(), until, result);
  int status = 0;
  while (ended && ::waitpid(*pid, &status, WNOHANG) == 0) {
    if (system_clock().monotonic() >= until) ended = false;
    if (ended) ::poll(nullptr, 0, static_cast<int>(kLookAgain.count()));
  }
  if (!ended) {
    ::kill(-*pid, SIGKILL);
    result.timed_out = true;
    ::waitpid(*pid, &status, 0);
  }
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace lilith::enforcer::setup
