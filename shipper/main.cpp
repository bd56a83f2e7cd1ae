// lilith-ship: follows the audit log and delivers it. Users call it as `lilith ship`.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/json/writer.hpp"
#include "shipper/ship.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <signal.h>
#include <stop_token>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace lilith;

constexpr int kGood = 0, kIncomplete = 1, kUsage = 2;

void say(const std::string& line) { std::fprintf(stderr, "lilith-ship: %s\n", line.c_str()); }

int print_status(const shipper::Config& config, bool as_json) {
  const auto rows = shipper::status(config);
  if (!rows) {
    say(rows.error().message);
    return kUsage;
  }
  std::string out;
  if (as_json) {
    json::Writer writer(out);
    writer.begin_array();
    for (const auto& row : *rows) {
      writer.begin_object().member("sink", row.sink).member("source", row.source);
      writer.member("seq", row.seq).member("lag_bytes", row.lag_bytes).end_object();
    }
    writer.end_array();
    out.push_back('\n');
  } else {
    for (const auto& row : *rows) {
      out += row.sink + "  " + row.source + "  delivered up to seq " + std::to_string(row.seq) +
             ", " + std::to_string(row.lag_bytes) + " bytes behind\n";
    }
  }
  std::fputs(out.c_str(), stdout);
  return kGood;
}

// Turns SIGTERM and SIGINT into a stop request; a second one ends the process.
std::jthread stop_on_signals(std::stop_source& stop) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return std::jthread([&stop, signals](const std::stop_token& ended) {
    while (!ended.stop_requested()) {
      const timespec wait{0, 200'000'000};
      if (sigtimedwait(&signals, nullptr, &wait) < 0) continue;
      if (stop.stop_requested()) ::_exit(kIncomplete);
      stop.request_stop();
    }
  });
}

int run(const shipper::Config& config, bool once, unsigned timeout_s) {
  ::signal(SIGPIPE, SIG_IGN);
  utsname names{};
  ::uname(&names);
  std::stop_source stop;
  const std::jthread signals = stop_on_signals(stop);
  shipper::ShipOptions options;
  options.once = once;
  options.once_timeout = std::chrono::seconds(timeout_s);
  options.host = names.nodename;
  options.say = say;
  const auto result = shipper::ship(config, options, stop.get_token());
  if (!result) {
    say(result.error().message);
    return kUsage;
  }
  return *result == shipper::ShipResult::kDone ? kGood : kIncomplete;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Delivers the audit log to files and syslog receivers, at least once and in order.",
               "lilith ship");
  std::string config_path;
  bool check = false, once = false, status = false, as_json = false;
  unsigned timeout_s = 60;
  app.add_option("--config", config_path, "configuration file (docs/shipping.md)")->required();
  app.add_flag("--check", check, "validate the configuration, print it and exit");
  app.add_flag("--once", once,
               "deliver what is there now, then exit (1: not everything could be delivered)");
  app.add_option("--timeout", timeout_s, "seconds that --once goes on trying (default 60)");
  app.add_flag("--status", status, "how far each sink has got, and exit");
  app.add_flag("--json", as_json, "--status as JSON");
  app.footer("Exit codes: 0 good, 1 not everything was delivered, 2 wrong usage or configuration.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kGood : kUsage;
  }
  const auto text = read_file(config_path, limits::kPolicyBytesMax);
  if (!text) {
    say(text.error().message);
    return kUsage;
  }
  const shipper::ConfigLoad load = shipper::load_config(*text);
  for (const auto& problem : load.problems) {
    std::fprintf(stderr, "%s:%d:%d: error: %s\n", config_path.c_str(), problem.line, problem.column,
                 problem.message.c_str());
  }
  if (!load.problems.empty()) return kUsage;
  if (check) {
    std::fputs(shipper::describe(load.config).c_str(), stdout);
    return kGood;
  }
  if (status) return print_status(load.config, as_json);
  return run(load.config, once, timeout_s);
}
