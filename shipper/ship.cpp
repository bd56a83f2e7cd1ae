#include "shipper/ship.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/json/writer.hpp"
#include "audit/log.hpp"
#include "audit/read/reader.hpp"
#include "shipper/checkpoint.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <poll.h>
#include <random>
#include <sys/file.h>
#include <sys/inotify.h>
#include <thread>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBackoffFirst{500}, kBackoffMax{60'000};
constexpr milliseconds kCheckpointInterval{
    50};  // at most this much delivery is repeated after kill -9
constexpr milliseconds kPollInterval{
    1'000};  // where inotify has no say (network file systems, watch limits)
constexpr std::size_t kBatchBytes = std::size_t{1024} * 1024;
constexpr std::size_t kBatchLines = 4096;
constexpr const char* kOwnLogName = "/lilith-ship.log";

// Wakes the workers when something happened in a source's directory.
class Watcher {
 public:
  explicit Watcher(const std::vector<std::string>& sources)
      : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    for (const std::string& source : sources) {
      const std::string directory = source.substr(0, source.rfind('/') + 1);
      ::inotify_add_watch(inotify_.get(), directory.c_str(),
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  // The number of the last change seen; wait() returns at once when there is a later one.
  [[nodiscard]] std::uint64_t changes() const { return changes_.load(); }
  void wait(std::uint64_t seen, milliseconds at_most, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, at_most, [&] { return changes_.load() != seen; });
  }

 private:
  void run(const std::stop_token& stop) {
    std::vector<char> events(std::size_t{64} * 1024);
    while (!stop.stop_requested()) {
      pollfd wait{inotify_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 100) <= 0) continue;
      while (::read(inotify_.get(), events.data(), events.size()) > 0) {
      }
      {
        const std::scoped_lock lock(mutex_);
        ++changes_;
      }
      changed_.notify_all();
    }
  }

  UniqueFd inotify_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::atomic<std::uint64_t> changes_{0};
  std::jthread thread_;
};

// The shipper's own events: a log and a chain of their own, shipped as a further source.
class OwnLog {
 public:
  OwnLog(std::string path, std::string host, const Clock& clock)
      : path_(std::move(path)), host_(std::move(host)), clock_(clock) {}
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] Result<void> loss(const std::string& reason,
                                  std::vector<std::pair<std::string, std::string>> detail) {
    const std::scoped_lock lock(mutex_);
    if (!log_) {
      audit::LogOptions options;
      options.path = path_;
      options.host = host_;
      auto opened = audit::open_log(options, clock_);
      if (!opened) return pass_error(opened);
      log_ = std::move(*opened);
    }
    audit::Event event;
    event.type = audit::EventType::kShipLoss;
    event.category = audit::Category::kHealth;
    event.action = audit::Action::kError;
    event.host = host_;
    event.process_pid = ::getpid();
    event.process_key = host_ + "/" + std::to_string(event.process_pid) + "/0";
    event.reason = reason;
    event.detail = std::move(detail);
    auto appended = log_->append(event);
    if (!appended) return pass_error(appended);
    return {};
  }

 private:
  std::string path_, host_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<audit::Appender> log_;  // guarded by mutex_
};

// What all workers share.
struct Shared {
  const Config& config;
  const ShipOptions& options;
  const Clock& clock;
  OwnLog& own_log;
  Watcher& watcher;
  std::mutex say_mutex{};

  void say(const std::string& line) {
    if (!options.say) return;
    const std::scoped_lock lock(say_mutex);
    options.say(line);
  }
};

// One sink and its thread.
class Worker {
 public:
  Worker(Shared& shared, const SinkConfig& config, std::unique_ptr<Sink> sink)
      : shared_(shared),
        config_(config),
        sink_(std::move(sink)),
        checkpoint_(shared.config.state_dir, config.name),
        random_(std::random_device{}()) {}

  [[nodiscard]] Result<void> open(const std::vector<std::string>& sources);
  // Returns when there is nothing left to do, or no way to do it.
  ShipResult run(const std::stop_token& stop);

 private:
  struct Source {
    std::string path;
    std::unique_ptr<audit::Follower> follower;
    audit::FollowedLines lines;
  };

  [[nodiscard]] bool out_of_time() const {
    return deadline_ && shared_.clock.monotonic() >= *deadline_;
  }
  bool take(Source& source, const std::stop_token& stop, bool& any);
  bool deliver(Source& source, const std::stop_token& stop);
  void sort_lines(const Source& source);
  void dead_letter(std::string_view line, const std::string& reason, const std::string& file);
  void back_off(const std::string& error, const std::stop_token& stop);
  void save(bool now);

  Shared& shared_;
  const SinkConfig& config_;
  std::unique_ptr<Sink> sink_;
  CheckpointFile checkpoint_;
  std::mt19937_64 random_;
  std::vector<Source> sources_;
  Cursors cursors_;
  bool dirty_ = false, failed_ = false;
  MonotonicTime saved_at_{};
  milliseconds backoff_{0};
  std::optional<MonotonicTime> deadline_;
  std::string last_error_;
  std::vector<std::string_view> good_;   // of the batch in hand
  std::vector<std::size_t> good_index_;  // their places among all lines of the batch
  std::vector<std::pair<std::size_t, std::string>> bad_;
};

Result<void> Worker::open(const std::vector<std::string>& sources) {
  CheckpointLoad loaded = checkpoint_.load();
  if (!loaded.problem.empty()) {
    shared_.say("sink " + config_.name + ": " + loaded.problem);
    auto noted = shared_.own_log.loss("a checkpoint was damaged; events may come twice",
                                      {{"sink", config_.name}, {"problem", loaded.problem}});
    if (!noted) return noted;
  }
  cursors_ = std::move(loaded.cursors);
  for (const std::string& path : sources) {
    audit::FollowOptions options;
    options.path = path;
    options.batch_bytes_max = kBatchBytes;
    options.batch_lines_max = kBatchLines;
    auto follower = audit::Follower::open(options, cursors_[path]);
    if (!follower) return pass_error(follower);
    sources_.push_back({path, std::move(*follower), {}});
  }
  return {};
}

void Worker::dead_letter(std::string_view line, const std::string& reason,
                         const std::string& file) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("time", format_time(shared_.clock.now())).member("sink", config_.name);
  writer.member("reason", reason).member("file", file);
  writer.member("bytes", static_cast<std::uint64_t>(line.size()))
      .member("sha256", sha256_hex(line));
  writer.member("line", utf8_prefix(to_valid_utf8(line), limits::kEventLineBytesMax)).end_object();
  out.push_back('\n');
  const std::string path = shared_.config.state_dir + "/" + config_.name + ".dead-letter.ndjson";
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  const bool kept =
      fd.valid() && write_all(fd.get(), out).has_value() && ::fdatasync(fd.get()) == 0;
  auto noted = shared_.own_log.loss("a line could not be delivered and was set aside",
                                    {{"sink", config_.name},
                                     {"reason", reason},
                                     {"file", file},
                                     {"sha256", sha256_hex(line)},
                                     {"dead_letter", kept ? path : ""}});
  if (!kept || !noted)
    shared_.say("sink " + config_.name + ": cannot keep a dead letter in " + path);
}

// Parts the batch into lines that a sink may have and lines that are no events.
void Worker::sort_lines(const Source& source) {
  good_.clear();
  good_index_.clear();
  bad_.clear();
  std::size_t from = 0;
  for (std::size_t i = 0; i < source.lines.ends.size(); ++i) {
    const std::size_t end = source.lines.ends[i];
    const std::string_view line = std::string_view(source.lines.bytes).substr(from, end - 1 - from);
    from = end;
    if (line.size() > limits::kReaderLineBytesMax) {
      bad_.emplace_back(
          i, "the line is longer than " + std::to_string(limits::kReaderLineBytesMax) + " bytes");
    } else if (line.find('\0') != std::string_view::npos) {
      bad_.emplace_back(i, "the line has a NUL");
    } else if (auto fields = audit::chain_fields(line); !fields) {
      bad_.emplace_back(i, fields.error().message);
    } else {
      good_.push_back(line);
      good_index_.push_back(i);
    }
  }
}

void Worker::back_off(const std::string& error, const std::stop_token& stop) {
  if (error != last_error_) shared_.say("sink " + config_.name + ": " + error + "; trying again");
  last_error_ = error;
  backoff_ = backoff_.count() == 0 ? kBackoffFirst : std::min(backoff_ * 2, kBackoffMax);
  // Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
  std::uniform_int_distribution<milliseconds::rep> between(backoff_.count() / 10, backoff_.count());
  auto pause = milliseconds(between(random_));
  if (deadline_) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(*deadline_ - shared_.clock.monotonic());
    pause = std::clamp(pause, milliseconds(0), std::max(left, milliseconds(0)));
  }
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
}

void Worker::save(bool now) {
  if (!dirty_) return;
  const MonotonicTime time = shared_.clock.monotonic();
  if (!now && time - saved_at_ < kCheckpointInterval) return;
  if (auto saved = checkpoint_.save(cursors_); !saved) {
    shared_.say("sink " + config_.name + ": " + saved.error().message +
                "; events will come twice after a restart");
    return;
  }
  dirty_ = false;
  saved_at_ = time;
}

// Delivers the batch in source.lines; false when it was given up (stop, time, or a sink that failed
// for good).
bool Worker::deliver(Source& source, const std::stop_token& stop) {
  sort_lines(source);
  for (const auto& [index, reason] : bad_) {
    const std::size_t from = index == 0 ? 0 : source.lines.ends[index - 1];
    dead_letter(
        std::string_view(source.lines.bytes).substr(from, source.lines.ends[index] - 1 - from),
        reason, source.lines.file);
  }
  std::size_t done = 0;
  while (done < good_.size()) {
    const Delivery delivery = sink_->deliver(std::span(good_).subspan(done));
    for (const Refused& refused : delivery.refused) {
      dead_letter(good_[done + refused.index], refused.reason, source.lines.file);
    }
    done += delivery.taken;
    if (delivery.outcome == Outcome::kFailed) {
      shared_.say("sink " + config_.name + ": " + delivery.error);
      failed_ = true;
    }
    if (delivery.taken > 0) {
      backoff_ = milliseconds(0);
      cursors_[source.path] = done == good_.size()
                                  ? source.lines.positions.back()
                                  : audit::position_after(source.lines, good_index_[done - 1]);
      dirty_ = true;
    }
    if (failed_) return false;
    if (delivery.outcome == Outcome::kDelivered) continue;
    if (stop.stop_requested() || out_of_time()) {
      shared_.say("sink " + config_.name + ": " + delivery.error + "; giving up for now");
      return false;
    }
    back_off(delivery.error, stop);
  }
  if (!last_error_.empty() && !good_.empty()) {
    shared_.say("sink " + config_.name + ": delivering again");
    last_error_.clear();
  }
  if (good_.empty()) {
    cursors_[source.path] = source.lines.positions.back();
    dirty_ = true;
  }
  return true;
}

// One batch of one source; false to end the worker.
bool Worker::take(Source& source, const std::stop_token& stop, bool& any) {
  std::string gap;
  if (auto read = source.follower->read(source.lines, gap); !read) {
    if (stop.stop_requested() || out_of_time()) return false;
    back_off(read.error().message, stop);
    return true;
  }
  if (!gap.empty()) {
    shared_.say("sink " + config_.name + ": " + gap);
    auto noted = shared_.own_log.loss(gap, {{"sink", config_.name}, {"source", source.path}});
    if (!noted) shared_.say(noted.error().message);
  }
  if (source.lines.ends.empty()) return true;
  any = true;
  return deliver(source, stop);
}

ShipResult Worker::run(const std::stop_token& stop) {
  if (shared_.options.once) deadline_ = shared_.clock.monotonic() + shared_.options.once_timeout;
  bool complete = true;
  for (;;) {
    const bool stopping = stop.stop_requested();
    if (stopping && !deadline_)
      deadline_ = shared_.clock.monotonic() + shared_.config.stop_deadline;
    const std::uint64_t seen = shared_.watcher.changes();
    bool any = false;
    for (Source& source : sources_) {
      complete = take(source, stop, any);
      if (!complete) break;
    }
    save(!any);
    if (!complete || out_of_time()) break;
    if (any) continue;
    // Asked before reading, so that what was written before the stop is still delivered.
    if (shared_.options.once || stopping) break;
    shared_.watcher.wait(seen, kPollInterval, stop);
  }
  save(true);
  if (failed_) return ShipResult::kFailed;
  return complete && !(shared_.options.once && out_of_time()) ? ShipResult::kDone
                                                              : ShipResult::kIncomplete;
}

Result<UniqueFd> lock_state(const std::string& state_dir) {
  const std::string path = state_dir + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return fail_errno("cannot open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, "another shipper uses " + state_dir, EWOULDBLOCK);
  }
  return fd;
}

}  // namespace

Result<ShipResult> ship(const Config& config, const ShipOptions& options, std::stop_token stop,
                        const Clock& clock) {
  if (auto made = make_directories(config.state_dir, 0750); !made) return pass_error(made);
  auto lock = lock_state(config.state_dir);
  if (!lock) return pass_error(lock);
  OwnLog own_log(config.state_dir + kOwnLogName, options.host, clock);
  std::vector<std::string> sources = config.sources;
  sources.push_back(own_log.path());
  Watcher watcher(sources);
  Shared shared{config, options, clock, own_log, watcher};
  std::vector<std::unique_ptr<Worker>> workers;
  for (const SinkConfig& sink_config : config.sinks) {
    auto sink = make_sink(sink_config);
    if (!sink) return pass_error(sink);
    workers.push_back(std::make_unique<Worker>(shared, sink_config, std::move(*sink)));
    if (auto opened = workers.back()->open(sources); !opened) return pass_error(opened);
  }
  std::vector<ShipResult> results(workers.size(), ShipResult::kDone);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = workers[i]->run(stop); });
    }
  }
  for (const ShipResult worse : {ShipResult::kFailed, ShipResult::kIncomplete}) {
    if (std::find(results.begin(), results.end(), worse) != results.end()) return worse;
  }
  return ShipResult::kDone;
}

Result<std::vector<SinkStatus>> status(const Config& config) {
  std::vector<SinkStatus> out;
  std::vector<std::string> sources = config.sources;
  sources.push_back(config.state_dir + kOwnLogName);
  for (const SinkConfig& sink : config.sinks) {
    const Cursors cursors = CheckpointFile(config.state_dir, sink.name).load().cursors;
    for (const std::string& source : sources) {
      const auto found = cursors.find(source);
      const audit::Position position = found == cursors.end() ? audit::Position{} : found->second;
      audit::FollowOptions options;
      options.path = source;
      auto follower = audit::Follower::open(options, position);
      if (!follower) return pass_error(follower);
      out.push_back({sink.name, source, position.seq, (*follower)->lag_bytes()});
    }
  }
  return out;
}

}  // namespace lilith::shipper
