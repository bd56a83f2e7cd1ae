// lilith-verify: did everything arrive in a Kafka topic, once or for as long as it runs. Users call
// it as `lilith verify --kafka`.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/kafka/topic_reader.hpp"
#include "audit/log.hpp"
#include "audit/read/arrival.hpp"
#include "audit/read/arrival_watch.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace {

using namespace lilith;

constexpr int kGood = 0, kUsage = 2, kIncomplete = 3;
constexpr int kPollMs = 200;

volatile sig_atomic_t stop_asked = 0;

struct Arguments {
  audit::TopicOptions topic;
  audit::ArrivedArguments arrived;
  std::string properties, log, gap_after = "15m", every = "10s";
  unsigned timeout_s = 60;
  bool follow = false;
};

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "lilith verify: %s\n", message.c_str());
  return code;
}

// Gives every message to the check under its partition and offset.
class Feed {
 public:
  Feed(audit::TopicReader& reader, const std::string& topic, audit::ArrivalCheck& check)
      : reader_(reader), topic_(topic), check_(check) {}

  Result<audit::TopicReader::Status> step() {
    audit::TopicMessage message;
    auto status = reader_.next(message, kPollMs);
    if (!status || *status != audit::TopicReader::Status::kMessage) return status;
    if (message.partition != partition_) {
      partition_ = message.partition;
      check_.begin(topic_ + "[" + std::to_string(partition_) + "]");
    }
    check_.line(static_cast<std::uint64_t>(message.offset), message.value, system_clock().now());
    return status;
  }

 private:
  audit::TopicReader& reader_;
  const std::string& topic_;
  audit::ArrivalCheck& check_;
  std::int32_t partition_ = -1;
};

int put(const audit::ArrivalReport& report, const std::vector<audit::VerifyKey>& keys,
        const audit::ArrivedArguments& arguments) {
  const auto done = audit::put_report(report, keys, arguments);
  if (!done) return complain(done.error().message, kIncomplete);
  std::fputs(done->text.c_str(), stdout);
  return done->exit_code;
}

// To where each partition ended.
int run_once(const Arguments& arguments, audit::TopicReader& reader, audit::ArrivalCheck& check,
             const std::vector<audit::VerifyKey>& keys) {
  using std::chrono::seconds;
  Feed feed(reader, arguments.topic.topic, check);
  std::vector<std::string> errors;
  auto quiet_since = system_clock().monotonic();
  for (;;) {
    const auto status = feed.step();
    const auto now = system_clock().monotonic();
    if (!status) errors.push_back(status.error().message);
    if (!status || *status == audit::TopicReader::Status::kEnd) break;
    if (*status == audit::TopicReader::Status::kMessage) quiet_since = now;
    if (stop_asked == 0 && now - quiet_since <= seconds(arguments.timeout_s)) continue;
    errors.push_back("topic " + arguments.topic.topic + " was not read to its end" +
                     (reader.trouble().empty() ? "" : ": " + reader.trouble()));
    break;
  }
  audit::ArrivalReport report = check.report(system_clock().now());
  report.input_errors = std::move(errors);
  return put(report, keys, arguments.arrived);
}

class Follow {
 public:
  Follow(const Arguments& arguments, audit::TopicReader& reader, audit::ArrivalCheck& check,
         audit::Appender& log, audit::ArrivalWatch& watch,
         const std::vector<audit::VerifyKey>& keys, std::string host,
         std::chrono::seconds gap_after)
      : arguments_(arguments),
        reader_(reader),
        check_(check),
        log_(log),
        watch_(watch),
        keys_(keys),
        host_(std::move(host)),
        time_(gap_after) {}

  // Whether the brokers are there, and the topic as it was.
  Result<void> look_at_brokers() {
    if (auto same = reader_.look_again(); !same) return same;
    if (reader_.trouble().empty() == said_.empty()) return {};
    said_ = reader_.trouble();
    complain(said_.empty() ? "the brokers answer again; gaps and silence count again after " +
                                 arguments_.gap_after
                           : printable(said_) + "; waiting",
             kGood);
    return {};
  }

  // Raises what is new. A finding that could not be written ends the program: evidence of a loss
  // must not be lost.
  Result<void> look() {
    const WallTime now = system_clock().now();
    audit::ArrivalReport report = check_.report(now, time_.judged(now, !reader_.trouble().empty()));
    for (const audit::ArrivalFinding& finding : watch_.news(report)) {
      if (auto raised = raise(finding); !raised) return raised;
      std::printf("%s: %s%s%s\n", std::string(name(finding.fault)).c_str(),
                  printable(finding.host).c_str(), finding.host.empty() ? "" : ": ",
                  printable(finding.message).c_str());
    }
    std::fflush(stdout);
    if (auto kept = audit::remember_arrived(arguments_.arrived, keys_, report); !kept) return kept;
    if (arguments_.arrived.prometheus.empty()) return {};
    if (!reader_.trouble().empty()) report.input_errors.push_back(reader_.trouble());
    return replace_file(arguments_.arrived.prometheus, audit::to_prometheus(report), 0644);
  }

 private:
  Result<void> raise(const audit::ArrivalFinding& finding) {
    audit::Event event = audit::event_of(finding, host_);
    event.process_pid = ::getpid();
    event.process_key = host_ + "/" + std::to_string(event.process_pid) + "/0";
    event.engine = LILITH_VERSION;
    auto appended = log_.append(event);
    if (!appended) return pass_error(appended);
    return {};
  }

  const Arguments& arguments_;
  audit::TopicReader& reader_;
  audit::ArrivalCheck& check_;
  audit::Appender& log_;
  audit::ArrivalWatch& watch_;
  const std::vector<audit::VerifyKey>& keys_;
  std::string host_, said_;
  audit::WatchClock time_;
};

int run_follow(const Arguments& arguments, audit::TopicReader& reader, audit::ArrivalCheck& check,
               const std::vector<audit::VerifyKey>& keys) {
  const auto gap_after = audit::parse_span(arguments.gap_after);
  const auto every = audit::parse_span(arguments.every);
  if (!gap_after) return complain(gap_after.error().message, kUsage);
  if (!every) return complain(every.error().message, kUsage);
  utsname names{};
  ::uname(&names);
  audit::LogOptions options;
  options.path = std::filesystem::absolute(arguments.log).lexically_normal();
  options.host = names.nodename;
  audit::ArrivalWatch watch(*gap_after);
  if (auto known = watch.know_log(options.path); !known)
    return complain(known.error().message, kIncomplete);
  auto log = audit::open_log(options);
  if (!log) return complain(log.error().message, kIncomplete);
  Feed feed(reader, arguments.topic.topic, check);
  Follow follow(arguments, reader, check, **log, watch, keys, names.nodename, *gap_after);
  // Not before the whole backlog was read: until then everything is a gap.
  bool behind = true;
  auto next_look = system_clock().monotonic() + *every;
  while (stop_asked == 0) {
    const auto status = feed.step();
    if (!status) return complain(status.error().message, kIncomplete);
    const auto now = system_clock().monotonic();
    const bool caught_up = behind && *status == audit::TopicReader::Status::kEnd;
    if (caught_up) behind = false;
    if (!caught_up && now < next_look) continue;
    next_look = now + *every;
    auto looked = follow.look_at_brokers();
    if (looked && !behind) looked = follow.look();
    if (!looked) return complain(looked.error().message, kIncomplete);
  }
  return kGood;
}

int run(Arguments& arguments) {
  if (arguments.follow && arguments.log.empty())
    return complain("--follow needs --log: where findings are raised as events", kUsage);
  auto options = audit::options_of(arguments.arrived);
  if (!options) return complain(options.error().message, kUsage);
  if (arguments.follow) options->findings_max = limits::kArrivalFollowFindingsMax;
  if (!arguments.properties.empty()) {
    auto properties = audit::read_properties(arguments.properties);
    if (!properties) return complain(properties.error().message, kUsage);
    arguments.topic.properties = std::move(*properties);
  }
  auto reader = audit::TopicReader::open(arguments.topic);
  if (!reader) {
    return complain(reader.error().message,
                    reader.error().code == ErrorCode::kInvalidInput ? kUsage : kIncomplete);
  }
  // Not earlier: until here a signal may end the program as it does by itself.
  struct sigaction action{};
  action.sa_handler = [](int) { stop_asked = 1; };
  for (const int number : {SIGTERM, SIGINT}) ::sigaction(number, &action, nullptr);
  audit::ArrivalCheck check(*options);
  return arguments.follow ? run_follow(arguments, **reader, check, options->keys)
                          : run_once(arguments, **reader, check, options->keys);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Did everything arrive in a Kafka topic: nothing missing, altered or forked (docs/"
      "completeness.md). With --follow it goes on, and raises what it finds as events of a log.",
      "lilith verify");
  Arguments arguments;
  audit::ArrivedArguments& arrived = arguments.arrived;
  const auto option = [&app](const char* name, auto& into) {
    return app.add_option(name, into, std::string(audit::topic_option(name)));
  };
  option("--kafka", arguments.topic.brokers)->required();
  option("--topic", arguments.topic.topic)->required();
  option("--kafka-config", arguments.properties);
  auto* timeout = option("--timeout", arguments.timeout_s)->check(CLI::Range(1, 86'400));
  auto* follow =
      app.add_flag("--follow", arguments.follow, std::string(audit::topic_option("--follow")))
          ->excludes(timeout);
  for (auto* only : {option("--log", arguments.log), option("--gap-after", arguments.gap_after),
                     option("--every", arguments.every)})
    only->needs(follow);
  app.add_option("--form", arrived.form, "only messages in this form: ndjson, json, ...");
  app.add_option("--silent-after", arrived.silent_after,
                 "a host whose newest event is older than 90s, 30m, 72h, 7d is a finding");
  app.add_option("--hosts", arrived.hosts_file,
                 "file of hosts, one a line: one that sent nothing is a finding");
  app.add_option("--prometheus", arrived.prometheus, "write the figures to this file");
  app.add_flag("--from-start", arrived.from_start, "each chain must begin with seq 1");
  auto* keys = app.add_option("--verify-key", arrived.verify_keys,
                              "file with verify keys of the hosts, or a directory of them; may be "
                              "given again: seals are checked as well (docs/seals.md)")
                   ->allow_extra_args(false);
  app.add_flag("--remember", arrived.remember,
               "keep in that file how far the seals of each host without a finding reach")
      ->needs(keys);
  app.add_flag("--json", arrived.json, "the report as JSON")->excludes(follow);
  app.add_flag("--problems", arrived.problems_only, "only chains with findings")->excludes(follow);
  app.footer(
      "Exit codes: 0 complete, 1 findings, 2 usage, 3 the topic could not be read to its end, 5 no "
      "event in it. With --follow: 0 stopped by TERM or INT, 2 usage, 3 it could not go on.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return complain(printable(error.what()) + "; see lilith verify --help", kUsage);
  }
  return run(arguments);
}
