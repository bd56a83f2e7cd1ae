// lilith-ship: follows the audit log and delivers it. Users call it as `lilith ship`.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/json/writer.hpp"
#include "shipper/control.hpp"
#include "shipper/ship.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <signal.h>
#include <stop_token>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>

namespace {

using namespace lilith;

constexpr int kGood = 0, kIncomplete = 1, kUsage = 2;

void say(const std::string& line) { std::fprintf(stderr, "lilith-ship: %s\n", line.c_str()); }

std::string to_json(const std::vector<shipper::SinkReport>& sinks) {
  std::string out;
  json::Writer writer(out);
  writer.begin_array();
  for (const auto& sink : sinks) {
    for (const auto& source : sink.sources) {
      writer.begin_object().member("sink", sink.sink).member("source", source.source);
      writer.member("seq", source.position.seq).member("lag_bytes", source.lag.bytes);
      if (source.lag.events) writer.member("lag_events", *source.lag.events);
      writer.member("lag_s", static_cast<std::uint64_t>(source.lag.seconds)).end_object();
    }
  }
  writer.end_array();
  out.push_back('\n');
  return out;
}

std::string to_text(const std::vector<shipper::SinkReport>& sinks) {
  std::string out;
  for (const auto& sink : sinks) {
    for (const auto& source : sink.sources) {
      out += sink.sink + "  " + source.source + "  delivered up to seq " +
             std::to_string(source.position.seq) + ", ";
      if (source.lag.events) out += std::to_string(*source.lag.events) + " events, ";
      out += std::to_string(source.lag.bytes) + " bytes, " +
             std::to_string(static_cast<std::uint64_t>(source.lag.seconds)) + " s behind\n";
    }
  }
  return out;
}

int print_status(const shipper::Config& config, bool as_json) {
  const auto sinks = shipper::status(config);
  if (!sinks) {
    say(sinks.error().message);
    return kUsage;
  }
  std::fputs((as_json ? to_json(*sinks) : to_text(*sinks)).c_str(), stdout);
  return kGood;
}

// The configuration in `text`, or every problem in one line.
Result<shipper::Config> checked(const std::string& path, const Result<std::string>& text) {
  if (!text) return std::unexpected(text.error());
  shipper::ConfigLoad load = shipper::load_config(*text);
  if (load.problems.empty()) return std::move(load.config);
  std::string all;
  for (const auto& problem : load.problems) {
    all += (all.empty() ? "" : "; ") + path + ":" + std::to_string(problem.line) + ":" +
           std::to_string(problem.column) + ": error: " + problem.message;
  }
  return fail(ErrorCode::kInvalidInput, all);
}

int run(const shipper::Config& config, const std::string& path, const std::string& text, bool once,
        unsigned timeout_s) {
  ::signal(SIGPIPE, SIG_IGN);
  utsname names{};
  ::uname(&names);
  std::stop_source stop;
  const shipper::Control control(path, text, stop, kIncomplete);
  shipper::ShipOptions options;
  options.once = once;
  options.once_timeout = std::chrono::seconds(timeout_s);
  options.host = names.nodename;
  options.say = say;
  options.reload_fd = control.reload_fd();
  if (!once)
    options.load = [&path] { return checked(path, read_file(path, limits::kPolicyBytesMax)); };
  options.notify = [](const std::string& lines) { (void)::sd_notify(0, lines.c_str()); };
  std::uint64_t watchdog_us = 0;
  if (::sd_watchdog_enabled(0, &watchdog_us) > 0)
    options.watchdog = std::chrono::microseconds(watchdog_us);
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
  return run(load.config, config_path, *text, once, timeout_s);
}
