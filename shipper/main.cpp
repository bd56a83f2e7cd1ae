// lilith-ship: follows the audit log and delivers it. Users call it as `lilith ship`.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "shipper/control.hpp"
#include "shipper/report.hpp"
#include "shipper/service_manager.hpp"
#include "shipper/ship.hpp"
#include "shipper/top.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <signal.h>
#include <stop_token>
#include <sys/utsname.h>

namespace {

using namespace lilith;

constexpr int kGood = 0, kIncomplete = 1, kUsage = 2;

void say(const std::string& line) { std::fprintf(stderr, "lilith-ship: %s\n", line.c_str()); }

int show_status(const shipper::Config& config, bool as_json, bool top) {
  if (top) {
    const auto shown = shipper::show_top(config);
    if (!shown) say(shown.error().message);
    return shown ? kGood : kUsage;
  }
  const auto report = shipper::status(config);
  if (!report) {
    say(report.error().message);
    return kUsage;
  }
  std::fputs((as_json ? shipper::report_json(*report) : shipper::report_text(*report)).c_str(),
             stdout);
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
  auto confinement = shipper::Confinement::enter(config);
  if (!confinement) {
    say(confinement.error().message);
    return kUsage;
  }
  const std::string& problem = confinement->state().problem;
  if (!problem.empty()) say("not fully confined, and shipping all the same: " + problem);
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
  options.notify = shipper::notify_service_manager;
  options.watchdog = shipper::watchdog_interval();
  options.confinement = std::move(*confinement);
  const auto result = shipper::ship(config, options, stop.get_token());
  if (!result) {
    say(result.error().message);
    return kUsage;
  }
  return *result == shipper::ShipResult::kDone ? kGood : kIncomplete;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Delivers the audit log to files, syslog, Kafka, HTTP and Wazuh, at least once.",
               "lilith ship");
  std::string config_path;
  bool check = false, once = false, as_json = false, top = false;
  unsigned timeout_s = 60;
  app.add_option("--config", config_path, "configuration file (docs/shipping.md)")->required();
  app.add_flag("--check", check, "validate the configuration, print it and exit");
  app.add_flag("--once", once,
               "deliver what is there now, then exit (1: not everything could be delivered)");
  app.add_option("--timeout", timeout_s, "seconds that --once goes on trying (default 60)");
  CLI::App* const status = app.add_subcommand("status", "how far each sink has got, and exit");
  status->fallthrough();  // --config may stand behind it
  status->add_flag("--json", as_json, "as JSON");
  status->add_flag("--top", top, "on the whole terminal, again every second, until q is pressed");
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
  if (status->parsed()) return show_status(load.config, as_json, top);
  return run(load.config, config_path, *text, once, timeout_s);
}
