#include "shipper/ship.hpp"

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "shipper/heartbeat.hpp"
#include "shipper/http_listener.hpp"
#include "shipper/machine.hpp"
#include "shipper/own_log.hpp"
#include "shipper/report.hpp"
#include "shipper/sink.hpp"
#include "shipper/state.hpp"
#include "shipper/watcher.hpp"
#include "shipper/worker.hpp"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace lilith::shipper {
namespace {

Result<UniqueFd> lock_state(const std::string& state_dir) {
  const std::string path = state_dir + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return fail_errno("cannot open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, "another shipper uses " + state_dir, EWOULDBLOCK);
  }
  return fd;
}

void add_one(int event_fd) {
  const std::uint64_t one = 1;
  (void)!::write(event_fd, &one, sizeof one);
}

bool take_all(int event_fd) {
  std::uint64_t count = 0;
  return event_fd >= 0 && ::read(event_fd, &count, sizeof count) == sizeof count;
}

// A sink at work.
struct Running {
  std::unique_ptr<Worker> worker;
  ShipResult result = ShipResult::kDone;
  std::atomic<bool> ended{false};
  std::jthread thread;  // last: joined before the rest goes
};

// All of them, and the thread that looks after them: heartbeats, reloads, the end.
class Shipping {
 public:
  Shipping(const Config& config, const ShipOptions& options, const Clock& clock)
      : config_(config),
        options_(options),
        clock_(clock),
        own_log_(own_log_path(config.state_dir), options.host, clock),
        shared_{config.state_dir, config.stop_deadline, options, clock, own_log_, *machine_},
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  Result<void> start();
  Result<ShipResult> run(const std::stop_token& stop);

 private:
  using Sinks = std::vector<std::unique_ptr<Running>>;
  Result<void> launch(const SinkConfig& config, std::unique_ptr<Sink> sink);
  void reload();
  Result<void> apply(Config next);
  Result<void> replace(const Config& next, std::vector<std::unique_ptr<Sink>>& made);
  void await_end(const Running& running);
  [[nodiscard]] Running* find(const std::string& name) const;
  [[nodiscard]] bool keeps(const SinkConfig& wanted) const;
  [[nodiscard]] bool all_ended() const;
  [[nodiscard]] ShipReport report() const;
  [[nodiscard]] HttpAnswer answer(std::string_view path) const;
  [[nodiscard]] Result<std::unique_ptr<HttpListener>> serve(Result<UniqueFd> socket) const;
  [[nodiscard]] Result<std::unique_ptr<HttpListener>> serve_metrics(
      const ListenConfig& listen) const;
  void beat_if_due();
  void feed_watchdog();
  void wait(bool for_reload);
  void notify(const std::string& lines) const {
    if (options_.notify) options_.notify(lines);
  }

  Config config_;
  const ShipOptions& options_;
  const Clock& clock_;
  OwnLog own_log_;
  Watcher watcher_;
  const std::unique_ptr<Machine> machine_ = this_machine(watcher_);
  Shared shared_;
  UniqueFd wake_;  // eventfd(2): a sink ended, or all are to stop
  const WallTime started_ = clock_.now();
  MonotonicTime beat_at_ = clock_.monotonic(), fed_at_{};
  std::atomic<bool> stopping_{false};
  std::optional<Error> broken_;  // neither the old nor the new configuration runs
  mutable std::mutex mutex_;
  Sinks sinks_;  // guarded by mutex_ against report(); changed by the thread of run() alone
  std::uint64_t reloads_ = 0, reloads_refused_ = 0;  // guarded by mutex_
  // Last: they ask for report() until they end.
  std::unique_ptr<HttpListener> status_, metrics_;
};

Result<void> Shipping::start() {
  watcher_.watch(all_sources(config_));
  for (const SinkConfig& config : config_.sinks) {
    auto sink = make_sink(config);
    if (!sink) return pass_error(sink);
    if (auto launched = launch(config, std::move(*sink)); !launched) return launched;
  }
  if (options_.once) return {};
  auto metrics = serve_metrics(config_.listen);
  if (!metrics) return pass_error(metrics);
  metrics_ = std::move(*metrics);
  // Delivery does not depend on it.
  auto status = serve(listen_unix(status_socket_path(config_.state_dir)));
  if (!status) shared_.say("no live status: " + status.error().message);
  if (status) status_ = std::move(*status);
  return {};
}

Result<void> Shipping::launch(const SinkConfig& config, std::unique_ptr<Sink> sink) {
  auto running = std::make_unique<Running>();
  running->worker = std::make_unique<Worker>(shared_, config, std::move(sink));
  if (auto opened = running->worker->open(all_sources(config_)); !opened) return opened;
  running->thread = std::jthread([this, one = running.get()](const std::stop_token& stop) {
    one->result = one->worker->run(stop);
    one->ended = true;
    add_one(wake_.get());
  });
  const std::scoped_lock lock(mutex_);
  sinks_.push_back(std::move(running));
  return {};
}

Running* Shipping::find(const std::string& name) const {
  for (const auto& one : sinks_) {
    if (one->worker->config().name == name) return one.get();
  }
  return nullptr;
}

bool Shipping::all_ended() const {
  return std::all_of(sinks_.begin(), sinks_.end(),
                     [](const auto& one) { return one->ended.load(); });
}

ShipReport Shipping::report() const {
  ShipReport out;
  out.running = true;
  out.started = started_;
  out.stopping = stopping_;
  out.confinement = options_.confinement.state();
  const std::scoped_lock lock(mutex_);
  out.reloads = reloads_;
  out.reloads_refused = reloads_refused_;
  for (const auto& one : sinks_) out.sinks.push_back(one->worker->report());
  return out;
}

HttpAnswer Shipping::answer(std::string_view path) const {
  HttpAnswer out;
  ShipReport now = report();
  constexpr unsigned kNotFound = 404, kUnavailable = 503;
  if (path == "/metrics" || path == kStatusPath) {
    // What cannot be measured is left out.
    for (SinkReport& sink : now.sinks) (void)measure_lag(sink, clock_.now()).has_value();
    out.body = path == "/metrics" ? metrics_text(now) : report_json(now);
    out.content_type = path == "/metrics" ? kMetricsType : "application/json";
  } else if (path == "/healthz" || path == "/readyz") {
    out.body = path == "/healthz" ? not_healthy(now) : not_ready(now);
    out.status = out.body.empty() ? out.status : kUnavailable;
    if (out.body.empty()) out.body = "ok\n";
  } else {
    out.status = kNotFound;
    out.body = "/metrics, /healthz and /readyz are here\n";
  }
  return out;
}

Result<std::unique_ptr<HttpListener>> Shipping::serve(Result<UniqueFd> socket) const {
  if (!socket) return pass_error(socket);
  return HttpListener::start(std::move(*socket),
                             [this](std::string_view path) { return answer(path); });
}

// Nothing where nothing is to be served.
Result<std::unique_ptr<HttpListener>> Shipping::serve_metrics(const ListenConfig& listen) const {
  if (listen.host.empty()) return nullptr;
  return serve(listen_tcp(listen.host, listen.port));
}

void Shipping::beat_if_due() {
  if (config_.heartbeat.count() == 0 || options_.once) return;
  if (clock_.monotonic() - beat_at_ < config_.heartbeat) return;
  beat_at_ = clock_.monotonic();
  ShipReport now = report();
  const std::string confined = confined_words(now.confinement);
  for (SinkReport& sink : now.sinks) {
    auto written =
        write_heartbeat(own_log_, sink, config_.heartbeat, started_, clock_.now(), confined);
    if (!written) shared_.say("no heartbeat: " + written.error().message);
  }
}

void Shipping::feed_watchdog() {
  if (options_.watchdog.count() == 0) return;
  const MonotonicTime now = clock_.monotonic();
  if (now - fed_at_ < options_.watchdog / 3) return;
  // A sink that hangs where none of its time limits holds is for the service manager to end.
  for (const SinkReport& sink : report().sinks) {
    if (sink.stuck || sink.needs_restart) return;
  }
  fed_at_ = now;
  notify("WATCHDOG=1");
}

// Until something is to be done: a stop, a sink's end, a reload, a heartbeat.
void Shipping::wait(bool for_reload) {
  using std::chrono::milliseconds;
  std::optional<milliseconds> at_most;
  const auto until = [&](MonotonicTime due) {
    // Rounded up: a moment too early would be followed by one more look.
    const auto left =
        std::max(std::chrono::ceil<milliseconds>(due - clock_.monotonic()), milliseconds(0));
    at_most = std::min(at_most.value_or(left), left);
  };
  const bool beats = config_.heartbeat.count() > 0 && !options_.once && !stopping_;
  if (beats && for_reload) until(beat_at_ + config_.heartbeat);
  if (options_.watchdog.count() > 0) until(fed_at_ + options_.watchdog / 2);
  pollfd fds[] = {{wake_.get(), POLLIN, 0}, {for_reload ? options_.reload_fd : -1, POLLIN, 0}};
  constexpr milliseconds kLongest{std::chrono::hours(24)};
  const int timeout = at_most ? static_cast<int>(std::min(*at_most, kLongest).count()) : -1;
  (void)::poll(fds, 2, timeout);
  (void)take_all(wake_.get());
}

void Shipping::await_end(const Running& running) {
  while (!running.ended) {
    feed_watchdog();
    wait(false);
  }
}

bool Shipping::keeps(const SinkConfig& wanted) const {
  const Running* const running = find(wanted.name);
  return running != nullptr && running->worker->config() == wanted && !running->ended;
}

// The sinks that `next` changes or no longer has are ended, then those that it changes or adds
// begin, each from its checkpoint. `made` has a sink where `next.sinks` needs a new one.
Result<void> Shipping::replace(const Config& next, std::vector<std::unique_ptr<Sink>>& made) {
  Sinks ending;
  {
    const std::scoped_lock lock(mutex_);
    const auto stays = [&](const std::unique_ptr<Running>& one) {
      for (std::size_t i = 0; i < next.sinks.size(); ++i) {
        if (made[i] == nullptr && next.sinks[i].name == one->worker->config().name) return true;
      }
      return false;
    };
    const auto first = std::stable_partition(sinks_.begin(), sinks_.end(), stays);
    std::move(first, sinks_.end(), std::back_inserter(ending));
    sinks_.erase(first, sinks_.end());
  }
  for (const auto& one : ending) {
    one->worker->hand_over();
    one->thread.request_stop();
  }
  for (const auto& one : ending) await_end(*one);
  for (const auto& one : ending) {
    const std::string& name = one->worker->config().name;
    const auto same = [&](const SinkConfig& sink) { return sink.name == name; };
    if (std::none_of(next.sinks.begin(), next.sinks.end(), same))
      shared_.say("sink " + name + " is gone from the configuration; its checkpoint stays in " +
                  config_.state_dir +
                  " and holds back what rotation may delete until it is removed");
  }
  ending.clear();
  const std::vector<std::string> sources = all_sources(next);
  watcher_.watch(sources);
  if (sources != all_sources(config_)) {
    for (const auto& one : sinks_) one->worker->set_sources(sources);
  }
  config_ = next;
  shared_.stop_deadline = next.stop_deadline;
  for (std::size_t i = 0; i < next.sinks.size(); ++i) {
    if (made[i] == nullptr) continue;
    if (auto launched = launch(next.sinks[i], std::move(made[i])); !launched) {
      broken_ = launched.error();
      return launched;
    }
  }
  return {};
}

Result<void> Shipping::apply(Config next) {
  if (next.state_dir != config_.state_dir)
    return fail(ErrorCode::kInvalidInput,
                "state_dir cannot change while the shipper runs; restart it");
  if (next.confine != config_.confine)
    return fail(ErrorCode::kInvalidInput,
                "confine cannot change while the shipper runs; restart it");
  std::vector<std::unique_ptr<Sink>> made(next.sinks.size());
  for (std::size_t i = 0; i < next.sinks.size(); ++i) {
    if (keeps(next.sinks[i])) continue;
    // Before anything is stopped: what cannot be made leaves all as it is.
    if (auto admitted = options_.confinement.admits(next.sinks[i]); !admitted) return admitted;
    auto sink = make_sink(next.sinks[i]);
    if (!sink) return pass_error(sink);
    made[i] = std::move(*sink);
  }
  std::unique_ptr<HttpListener> metrics;
  const bool moves = next.listen != config_.listen;
  if (moves) {
    auto served = serve_metrics(next.listen);
    if (!served) return pass_error(served);
    metrics = std::move(*served);
  }
  const auto kept = std::count(made.begin(), made.end(), nullptr);
  if (auto replaced = replace(next, made); !replaced) return replaced;
  if (moves) metrics_ = std::move(metrics);
  shared_.say("the new configuration is in force; sinks that went on undisturbed: " +
              std::to_string(kept) + " of " + std::to_string(next.sinks.size()));
  return {};
}

void Shipping::reload() {
  notify("RELOADING=1");
  auto next = options_.load();
  Result<void> applied = next ? apply(std::move(*next)) : Result<void>(pass_error(next));
  {
    const std::scoped_lock lock(mutex_);
    ++(applied ? reloads_ : reloads_refused_);
  }
  if (!applied)
    shared_.say("the new configuration is refused and the old one goes on: " +
                applied.error().message);
  notify(applied ? "READY=1\nSTATUS=delivering"
                 : "READY=1\nSTATUS=delivering; the last new configuration was refused");
}

Result<ShipResult> Shipping::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] { add_one(wake_.get()); });
  notify("READY=1\nSTATUS=delivering");
  for (;;) {
    if (all_ended()) break;
    if ((stop.stop_requested() || broken_) && !stopping_) {
      stopping_ = true;
      notify("STOPPING=1\nSTATUS=delivering what is there");
      for (const auto& one : sinks_) one->thread.request_stop();
      continue;
    }
    if (!stopping_) {
      if (options_.load && take_all(options_.reload_fd)) {
        reload();
        continue;
      }
      beat_if_due();
    }
    feed_watchdog();
    wait(!stopping_);
  }
  if (broken_) return std::unexpected(*broken_);
  for (const ShipResult worse : {ShipResult::kFailed, ShipResult::kIncomplete}) {
    for (const auto& one : sinks_) {
      if (one->result == worse) return worse;
    }
  }
  return ShipResult::kDone;
}

}  // namespace

Result<ShipResult> ship(const Config& config, const ShipOptions& options,
                        const std::stop_token& stop, const Clock& clock) {
  if (auto made = make_directories(config.state_dir, 0750); !made) return pass_error(made);
  auto lock = lock_state(config.state_dir);
  if (!lock) return pass_error(lock);
  Shipping shipping(config, options, clock);
  if (auto started = shipping.start(); !started) return pass_error(started);
  return shipping.run(stop);
}

}  // namespace lilith::shipper
