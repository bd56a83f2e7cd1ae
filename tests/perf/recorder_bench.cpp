// What the recorder adds to an event: append and acknowledgement over its socket against an append
// by the process itself, in turn, in one run. Each way as a hook does it (opened anew for one
// event) and with what is open already. The recorder is serve_recorder() in a process of its own.
// Times are printed and never judged.
//
//   recorder_bench [--events 5000]

#include "audit/log.hpp"
#include "audit/recorder.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace lilith;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr int kEventsDefault = 5000, kEventsMax = 10'000'000, kWarmUp = 200;
constexpr std::chrono::milliseconds kTimeout{10'000};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "recorder_bench: %s\n", why.c_str());
  std::exit(1);
}

audit::LogOptions log_options(const std::string& path) {
  audit::LogOptions options;
  options.path = path;
  options.host = "ws-42";
  return options;
}

void append(audit::Appender& to) {
  audit::Event event = test::allowed_command();
  event.id.clear();
  if (const auto done = to.append(event); !done) die(done.error().message);
}

struct Way {
  const char* name;
  std::function<void()> once;
  std::vector<double> took;
};

double percentile(std::vector<double>& took, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(took.size() - 1));
  std::nth_element(took.begin(), took.begin() + at, took.end());
  return took[static_cast<std::size_t>(at)];
}

pid_t start_recorder(const audit::RecorderOptions& options) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto served = audit::serve_recorder(options, STDIN_FILENO);
    std::_Exit(served ? 0 : 1);
  }
  if (!test::eventually(
          [&] { return audit::open_recorder(options.socket_path, kTimeout).has_value(); }))
    die("the recorder does not listen");
  return child;
}

void measure(std::vector<Way>& ways, int events) {
  for (int i = -kWarmUp; i < events; ++i) {
    for (Way& way : ways) {
      const auto begin = std::chrono::steady_clock::now();
      way.once();
      const double us = Microseconds(std::chrono::steady_clock::now() - begin).count();
      if (i >= 0) way.took.push_back(us);
    }
  }
}

void print(std::vector<Way>& ways, int events) {
  std::printf("%d events a way, in turn; microseconds\n%-42s %8s %8s %8s\n", events, "", "p50",
              "p95", "p99");
  std::vector<double> middle;
  for (Way& way : ways) {
    middle.push_back(percentile(way.took, 0.5));
    std::printf("%-42s %8.1f %8.1f %8.1f\n", way.name, middle.back(), percentile(way.took, 0.95),
                percentile(way.took, 0.99));
  }
  std::printf("the recorder adds at p50: %.1f us as a hook does it, %.1f us with both open\n",
              middle[1] - middle[0], middle[3] - middle[2]);
}

}  // namespace

int main(int argc, char** argv) {
  int events = kEventsDefault;
  if (argc == 3 && std::strcmp(argv[1], "--events") == 0) events = std::atoi(argv[2]);
  if ((argc != 1 && argc != 3) || events <= 0 || events > kEventsMax) {
    std::fputs("usage: recorder_bench [--events N]\n", stderr);
    return 2;
  }
  const test::TempDir dir;
  audit::RecorderOptions recorder;
  recorder.socket_path = dir.file("recorder.sock");
  recorder.log = log_options(dir.file("recorder.log"));
  // The recorder ends when this pipe does.
  int ends[2];
  if (::pipe(ends) != 0 || ::dup2(ends[0], STDIN_FILENO) < 0) die("pipe");
  const pid_t child = start_recorder(recorder);
  const auto open_direct = [&] { return audit::open_log(log_options(dir.file("direct.log"))); };
  const auto open_socket = [&] { return audit::open_recorder(recorder.socket_path, kTimeout); };
  auto direct = open_direct();
  auto socket = open_socket();
  if (!direct || !socket) die("cannot open the log or the socket");
  std::vector<Way> ways{
      {"log opened, one event, closed (a hook)", [&] { append(*open_direct().value()); }, {}},
      {"recorder connected, one event, closed", [&] { append(*open_socket().value()); }, {}},
      {"log that is open", [&] { append(**direct); }, {}},
      {"recorder that is connected", [&] { append(**socket); }, {}}};
  measure(ways, events);
  print(ways, events);
  ::kill(child, SIGTERM);
  (void)::waitpid(child, nullptr, 0);
  return 0;
}
