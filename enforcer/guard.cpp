#include "enforcer/guard.hpp"

#include "enforcer/incidents.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <string_view>
#include <sys/time.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

constexpr std::array kEndingSignals{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGXCPU};
constexpr std::array kCrashSignals{SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP};
constexpr suseconds_t kIncidentMicroseconds = 200'000;
constexpr std::size_t kCrashStackBytes = std::size_t{64} * 1024;

// Plain memory that the handlers read; written before they are installed.
struct Prepared {
  std::array<agents::Answer, kCauses> deny;
  std::array<agents::Answer, kCauses> let_through;
};
Prepared* prepared = nullptr;
volatile std::sig_atomic_t lets_through_now = 0;
constexpr int kNotAnswered = -1;
volatile std::sig_atomic_t exit_code_now = kNotAnswered;

// write(2) is on the list of async-signal-safe functions (signal-safety(7)); what can't be written
// is lost, the exit code remains.
void put(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

// What a handler runs, up to its exit. AddressSanitizer asks the C library for the stack's bounds
// before every call that doesn't come back, and that allocates: in a handler that interrupted an
// allocation it would wait for ever.
#define LILITH_IN_HANDLER [[gnu::no_sanitize_address]]

extern "C" LILITH_IN_HANDLER void on_too_long(int) { ::_exit(static_cast<int>(exit_code_now)); }

void handle(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigfillset(&action.sa_mask);
  action.sa_flags = flags;
  ::sigaction(signal_number, &action, nullptr);
}

// The answer is given; whatever comes now must end with its exit code, and soon: agents let the
// tool run when a hook dies by a signal, or hangs on a disk.
void exit_soon() {
  sigset_t still_caught;
  ::sigemptyset(&still_caught);
  ::sigaddset(&still_caught, SIGALRM);
  handle(SIGALRM, on_too_long, SA_ONSTACK);
  for (const int signal_number : kCrashSignals) {
    ::sigaddset(&still_caught, signal_number);
    handle(signal_number, on_too_long, SA_ONSTACK);
  }
  const itimerval once{{0, 0}, {0, kIncidentMicroseconds}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
  ::sigprocmask(SIG_UNBLOCK, &still_caught, nullptr);
}

LILITH_IN_HANDLER void answer_for(Cause cause) {
  if (exit_code_now != kNotAnswered) ::_exit(static_cast<int>(exit_code_now));
  const auto index = static_cast<std::size_t>(cause);
  const bool lets_through = lets_through_now != 0;
  const agents::Answer& answer =
      lets_through ? prepared->let_through[index] : prepared->deny[index];
  exit_code_now = answer.exit_code;
  put(STDERR_FILENO, answer.standard_error);
  put(STDOUT_FILENO, answer.standard_output);
  exit_soon();
  leave_incident(cause, lets_through);
  ::_exit(static_cast<int>(exit_code_now));
}

extern "C" LILITH_IN_HANDLER void on_deadline(int) { answer_for(Cause::kDeadline); }
extern "C" LILITH_IN_HANDLER void on_ending_signal(int) { answer_for(Cause::kSignal); }
extern "C" LILITH_IN_HANDLER void on_crash(int) { answer_for(Cause::kCrash); }

}  // namespace

void open_standard_descriptors() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && ::open("/dev/null", O_RDWR) != fd) ::_exit(2);
  }
}

void arm_guard(agents::Agent agent, std::chrono::milliseconds deadline) {
  static Prepared answers;
  for (std::size_t i = 0; i < kCauses; ++i) {
    const std::string reason(reason_of(static_cast<Cause>(i)));
    answers.deny[i] = agents::deny_answer(agent, reason);
    answers.let_through[i] = agents::allow_answer(agent);
    answers.let_through[i].standard_error = "lilith: " + reason + "; let through in audit mode\n";
  }
  prepared = &answers;
  static std::array<std::byte, kCrashStackBytes> crash_stack;
  stack_t alternate{};
  alternate.ss_sp = crash_stack.data();
  alternate.ss_size = crash_stack.size();
  ::sigaltstack(&alternate, nullptr);
  for (const int signal_number : kEndingSignals)
    handle(signal_number, on_ending_signal, SA_ONSTACK);
  for (const int signal_number : kCrashSignals) handle(signal_number, on_crash, SA_ONSTACK);
  handle(SIGALRM, on_deadline, SA_ONSTACK);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(deadline);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(deadline - seconds);
  const itimerval once{{0, 0}, {seconds.count(), rest.count()}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

void set_guard_lets_through(bool lets_through) { lets_through_now = lets_through ? 1 : 0; }

bool guard_lets_through() { return lets_through_now != 0; }

void give(const agents::Answer& answer) {
  exit_code_now = answer.exit_code;
  put(STDERR_FILENO, answer.standard_error);
  put(STDOUT_FILENO, answer.standard_output);
}

void finish(const agents::Answer& answer) {
  give(answer);
  ::_exit(answer.exit_code);
}

}  // namespace lilith::enforcer
