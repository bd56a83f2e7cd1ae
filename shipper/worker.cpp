#include "shipper/worker.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "shipper/line.hpp"

#include <algorithm>
#include <fcntl.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBackoffFirst{500}, kBackoffMax{60'000};
constexpr milliseconds kCheckpointInterval{
    50};  // at most this much delivery is repeated after kill -9
constexpr std::size_t kBatchBytes = std::size_t{256} * 1024;
constexpr std::size_t kBatchLines = 4096;
// To ask a source that has nothing costs a look at its directory.
constexpr std::size_t kQuietBatches = 8;
// Read but not yet done. Above it nothing is read: the log is the buffer.
constexpr std::size_t kWindowBytesMax = std::size_t{8} * 1024 * 1024;
// Kept for the next lines: a whole window, and at rest a few.
constexpr std::size_t kSpareBatchesMax = kWindowBytesMax / kBatchBytes, kSpareBatchesAtRest = 4;
// After so much work and so much quiet nothing is kept. Little work needs little memory, and a
// wake-up for it would be one too many.
constexpr std::size_t kGiveBackBytes = std::size_t{64} * 1024;
constexpr milliseconds kQuietTime{500};
// Beyond the sink's own timeouts: what a step may take on a machine that is very busy.
constexpr milliseconds kStepAllowance{60'000};

void trim_heap() {
#ifdef __GLIBC__
  (void)::malloc_trim(0);
#endif
}

}  // namespace

void Shared::say(const std::string& line) {
  if (!options.say) return;
  const std::scoped_lock lock(say_mutex);
  options.say(line);
}

Worker::Worker(Shared& shared, SinkConfig config, std::unique_ptr<Sink> sink)
    : shared_(shared),
      config_(std::move(config)),
      sink_(std::move(sink)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      checkpoint_(shared.machine.checkpoints(CheckpointFile(shared.state_dir, config_.name),
                                             [this](const Error& error) {
                                               shared_.say(
                                                   "sink " + config_.name + ": " + error.message +
                                                   "; events will come twice after a restart");
                                             })),
      forms_(config_.form),
      takes_all_(config_.route.takes_all()),
      withheld_(shared.state_dir, config_.name, shared.options.host, shared.clock,
                [this](const Error& error) {
                  shared_.say("sink " + config_.name +
                              ": cannot name what was withheld: " + error.message);
                }),
      random_(shared.machine.random_seed()),
      resend_bytes_max_(sink_->resend_bytes_max()) {
  shared_.machine.tell(wake_.get());
}

Worker::~Worker() { shared_.machine.forget(wake_.get()); }

Result<void> Worker::open(const std::vector<std::string>& sources) {
  CheckpointLoad loaded = checkpoint_->load();
  if (!loaded.problem.empty()) {
    shared_.say("sink " + config_.name + ": " + loaded.problem);
    auto noted = shared_.own_log.loss("a checkpoint was damaged; events may come twice",
                                      {{"sink", config_.name}, {"problem", loaded.problem}});
    if (!noted) return noted;
  }
  cursors_ = std::move(loaded.cursors);
  for (const std::string& path : sources) {
    // A log keeps what a sink has not delivered once the sink's checkpoint names it
    // (audit::Delivered), so that has to be there before the first delivery.
    dirty_ = dirty_ || !cursors_.contains(path);
    if (auto opened = open_source(path); !opened) return opened;
  }
  withheld_.restore(cursors_);
  const std::string& names = withheld_.path();
  if (!config_.route.takes_all() || cursors_.contains(names)) {
    if (auto opened = open_source(names); !opened) return opened;
    sources_.back().names_withheld = true;
  }
  source_names_ = sources;
  publish(cursors_);
  return {};
}

Result<void> Worker::open_source(const std::string& path) {
  audit::FollowOptions options;
  options.path = path;
  options.batch_bytes_max = kBatchBytes;
  options.batch_lines_max = kBatchLines;
  auto follower = shared_.machine.follow(options, cursors_[path]);
  if (!follower) return pass_error(follower);
  sources_.push_back({path, std::move(*follower)});
  return {};
}

void Worker::set_sources(std::vector<std::string> sources) {
  {
    const std::scoped_lock lock(mutex_);
    new_sources_ = std::move(sources);
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

// Batches under way name their source by its place: places are never taken away.
void Worker::take_sources() {
  std::vector<std::string> wanted;
  {
    const std::scoped_lock lock(mutex_);
    if (!new_sources_) return;
    wanted = std::move(*new_sources_);
    new_sources_.reset();
  }
  for (Source& source : sources_) {
    source.left = !source.names_withheld &&
                  std::find(wanted.begin(), wanted.end(), source.path) == wanted.end();
  }
  bool all = true;
  for (const std::string& path : wanted) {
    const auto known = [&](const Source& source) { return source.path == path; };
    if (std::any_of(sources_.begin(), sources_.end(), known)) continue;
    if (auto opened = open_source(path); !opened) {
      set_error(opened.error().message);
      all = false;
    }
  }
  const std::scoped_lock lock(mutex_);
  source_names_ = wanted;
  if (!all && !new_sources_) new_sources_ = std::move(wanted);  // tried again at the next step
}

void Worker::rests(bool resting) {
  working_since_ = resting ? 0 : shared_.clock.monotonic().time_since_epoch().count();
}

void Worker::set_error(const std::string& error) {
  ++counters_.errors;
  const std::scoped_lock lock(mutex_);
  state_ = SinkState::kRetrying;
  error_ = error;
}

void Worker::publish(const Cursors& cursors) {
  const std::scoped_lock lock(mutex_);
  published_ = cursors;
}

SinkReport Worker::report() const {
  SinkReport out;
  out.sink = config_.name;
  out.delivered_events = counters_.delivered_events;
  out.delivered_bytes = counters_.delivered_bytes;
  out.retried_events = counters_.retried_events;
  out.dead_letters = counters_.dead_letters;
  out.withheld_events = counters_.withheld_events;
  out.errors = counters_.errors;
  out.gaps = counters_.gaps;
  out.needs_restart = needs_restart_;
  const MonotonicTime::rep since = working_since_;
  const auto allowed = config_.connect_timeout + config_.send_timeout + kStepAllowance;
  out.stuck =
      since != 0 &&
      shared_.clock.monotonic().time_since_epoch() - MonotonicTime::duration(since) > allowed;
  const std::scoped_lock lock(mutex_);
  out.state = state_;
  out.error = error_;
  for (const std::string& source : source_names_) {
    const auto found = published_.find(source);
    out.sources.push_back(
        {source, found == published_.end() ? audit::Cursor{} : found->second, {}});
  }
  return out;
}

bool Worker::out_of_time() const { return deadline_ && shared_.clock.monotonic() >= *deadline_; }

void Worker::dead_letter(const Batch& from, std::string_view line, const std::string& reason) {
  const std::string& file = from.lines.file;
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("time", format_time(shared_.clock.now())).member("sink", config_.name);
  writer.member("reason", reason).member("file", file);
  writer.member("bytes", static_cast<std::uint64_t>(line.size()))
      .member("sha256", sha256_hex(line));
  writer.member("line", utf8_prefix(to_valid_utf8(line), limits::kEventLineBytesMax)).end_object();
  out.push_back('\n');
  ++counters_.dead_letters;
  const std::string path = shared_.state_dir + "/" + config_.name + ".dead-letter.ndjson";
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  const bool kept =
      fd.valid() && write_all(fd.get(), out).has_value() && ::fdatasync(fd.get()) == 0;
  if (!kept) shared_.say("sink " + config_.name + ": cannot keep a dead letter in " + path);
  // An event of our own that a receiver refuses must not beget the next one.
  const Source& source = sources_[from.source];
  if (source.names_withheld || source.path == shared_.own_log.path())
    return shared_.say("sink " + config_.name +
                       ": an event of the shipper's own was set aside: " + reason);
  auto noted = shared_.own_log.loss("a line could not be delivered and was set aside",
                                    {{"sink", config_.name},
                                     {"reason", reason},
                                     {"file", file},
                                     {"sha256", sha256_hex(line)},
                                     {"dead_letter", kept ? path : ""}});
  if (!noted) shared_.say("sink " + config_.name + ": " + noted.error().message);
}

bool Worker::withholds(const Source& source, std::string_view line) {
  if (takes_all_ || source.names_withheld) return false;
  const LineFields fields = scan_line(line);
  if (sends(config_.route, fields)) return false;
  withheld_.add(source.path, fields);
  ++counters_.withheld_events;
  return true;
}

// Parts the batch into lines that the sink may have and lines that are no events.
void Worker::sort_lines(Batch& batch) {
  batch.good.clear();
  batch.good_index.clear();
  batch.bodies.clear();
  batch.body_ends.clear();
  batch.done = 0;
  const std::string_view bytes = batch.lines.bytes;
  const bool may_have_nul = bytes.find('\0') != std::string_view::npos;
  std::size_t from = 0;
  for (std::size_t i = 0; i < batch.lines.ends.size(); ++i) {
    const std::string_view line = bytes.substr(from, batch.lines.ends[i] - 1 - from);
    from = batch.lines.ends[i];
    const LineKind kind = line_kind(line, may_have_nul);
    if (kind.why_not) {
      dead_letter(batch, line, *kind.why_not);
      continue;
    }
    if (withholds(sources_[batch.source], line)) continue;
    if (config_.form != Form::kNative) {
      if (auto made = forms_.append(batch.bodies, line); !made) {
        dead_letter(batch, line, made.error().message);
        continue;
      }
      batch.body_ends.push_back(batch.bodies.size());
    }
    batch.good.push_back({line, line, kind.marks});
    batch.good_index.push_back(i);
  }
  // Only now: they moved while there were more to come.
  std::size_t body = 0;
  for (std::size_t i = 0; i < batch.body_ends.size(); ++i) {
    batch.good[i].body = std::string_view(batch.bodies).substr(body, batch.body_ends[i] - body);
    body = batch.body_ends[i];
  }
}

std::size_t Worker::window_lines() const {
  std::size_t lines = 0;
  for (const auto& batch : window_) lines += batch->good.size() - batch->done;
  return lines;
}

Worker::Read Worker::read_source(std::size_t index) {
  std::unique_ptr<Batch> batch;
  if (spare_.empty()) {
    batch = std::make_unique<Batch>();
  } else {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  Source& source = sources_[index];
  std::string gap;
  auto read = source.follower->read(batch->lines, gap);
  if (!read) last_error_ = std::move(read.error().message);
  if (!gap.empty()) {
    ++counters_.gaps;
    shared_.say("sink " + config_.name + ": " + gap);
    auto noted = shared_.own_log.loss(gap, {{"sink", config_.name}, {"source", source.path}});
    if (!noted) shared_.say(noted.error().message);
  }
  if (!read || batch->lines.ends.empty()) {
    spare_.push_back(std::move(batch));
    return read ? Read::kNothing : Read::kFailed;
  }
  bytes_since_given_back_ += batch->lines.bytes.size();
  batch->source = index;
  sort_lines(*batch);
  window_.push_back(std::move(batch));
  return Read::kLines;
}

// At most one batch, from the sources in turn; the quiet ones when no other has any.
Worker::Read Worker::fill(const std::stop_token& stop) {
  std::size_t bytes = 0;
  for (const auto& batch : window_) bytes += batch->lines.bytes.size();
  if (bytes >= kWindowBytesMax) return Read::kNothing;
  std::vector<std::size_t> passed_over;
  for (std::size_t tried = 0; tried < sources_.size(); ++tried) {
    const std::size_t index = next_source_;
    next_source_ = (next_source_ + 1) % sources_.size();
    if (sources_[index].quiet > 0) {
      passed_over.push_back(index);
    } else if (const Read read = ask_source(index, stop); read != Read::kNothing) {
      for (const std::size_t quiet : passed_over) --sources_[quiet].quiet;
      return read;
    }
  }
  for (const std::size_t index : passed_over) {
    if (const Read read = ask_source(index, stop); read != Read::kNothing) return read;
  }
  return Read::kNothing;
}

Worker::Read Worker::ask_source(std::size_t index, const std::stop_token& stop) {
  Source& source = sources_[index];
  if (source.left) return Read::kNothing;
  const Read read = read_source(index);
  source.quiet = read == Read::kNothing ? kQuietBatches : 0;
  if (read == Read::kFailed) set_error(last_error_);
  if (read == Read::kFailed && !stop.stop_requested() && !out_of_time()) {
    const std::string error = std::exchange(last_error_, {});
    back_off(error, milliseconds(0), stop);
  }
  return read;
}

void Worker::back_off(const std::string& error, milliseconds pause_min,
                      const std::stop_token& stop) {
  if (error != last_error_) shared_.say("sink " + config_.name + ": " + error + "; trying again");
  last_error_ = error;
  backoff_ = backoff_.count() == 0 ? kBackoffFirst : std::min(backoff_ * 2, kBackoffMax);
  // Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
  std::uniform_int_distribution<milliseconds::rep> between(backoff_.count() / 10, backoff_.count());
  auto pause = std::max(milliseconds(between(random_)), pause_min);
  if (deadline_) {
    // Rounded up: a pause that ends a moment before the deadline would be followed by one more try.
    const auto left = std::chrono::ceil<milliseconds>(*deadline_ - shared_.clock.monotonic());
    pause = std::clamp(pause, milliseconds(0), std::max(left, milliseconds(0)));
  }
  rests(true);
  shared_.machine.pause(pause, stop);
  rests(false);
}

void Worker::save(bool now) {
  dirty_ = dirty_ || checkpoint_->owes();
  if (dirty_) {
    const MonotonicTime time = shared_.clock.monotonic();
    if (!now && time - saved_at_ < kCheckpointInterval) return;
    Cursors cursors = cursors_;
    if (!window_.empty() && window_.front()->done > 0) {
      const Batch& first = *window_.front();
      cursors[sources_[first.source].path] =
          audit::position_after(first.lines, first.good_index[first.done - 1]);
    }
    withheld_.put_into(cursors);
    publish(cursors);
    checkpoint_->post(std::move(cursors));
    dirty_ = false;
    saved_at_ = time;
  }
  if (now) checkpoint_->flush();
}

// A batch whose lines are all done: the cursor moves behind it.
void Worker::retire(std::unique_ptr<Batch> batch) {
  audit::Cursor& cursor = cursors_[sources_[batch->source].path];
  // What was sent counts and not what was read: a route withholds lines, a form makes them shorter.
  std::size_t bytes = 0;
  for (const Line& line : batch->good) bytes += line.body.size();
  if (resend_bytes_max_ > 0 && bytes > 0) {
    past_.push_back({batch->source, cursor, bytes, batch->good.size()});
    past_bytes_ += bytes;
    while (past_bytes_ - past_.front().bytes >= resend_bytes_max_) {
      past_bytes_ -= past_.front().bytes;
      past_.pop_front();
    }
  }
  cursor = batch->lines.positions.back();
  dirty_ = true;
  if (spare_.size() < kSpareBatchesMax) spare_.push_back(std::move(batch));
}

// The oldest `lines` of the window are done.
void Worker::finish(std::size_t lines, const std::vector<Refused>& refused) {
  std::size_t index = 0;
  auto next = refused.begin();
  while (!window_.empty()) {
    Batch& first = *window_.front();
    const std::size_t here = std::min(lines - index, first.good.size() - first.done);
    for (; next != refused.end() && next->index < index + here; ++next) {
      dead_letter(first, first.good[first.done + next->index - index].event, next->reason);
    }
    for (std::size_t i = first.done; i < first.done + here; ++i)
      counters_.delivered_bytes += first.good[i].body.size();
    first.done += here;
    index += here;
    if (here > 0) dirty_ = true;
    if (first.done < first.good.size()) break;
    auto whole = std::move(window_.front());
    window_.pop_front();
    retire(std::move(whole));
  }
  counters_.delivered_events += index - refused.size();
}

// The receiver may have lost the last `bytes` of what was done: reads them again.
void Worker::go_back(std::size_t bytes) {
  for (std::size_t have = 0; have < bytes && !past_.empty();) {
    Past& last = past_.back();
    have += last.bytes;
    counters_.retried_events += last.lines;
    past_bytes_ -= last.bytes;
    cursors_[sources_[last.source].path] = std::move(last.before);
    past_.pop_back();
  }
  window_.clear();
  dirty_ = true;
  for (Source& source : sources_) {
    if (auto placed = source.follower->seek(cursors_[source.path]); !placed)
      shared_.say("sink " + config_.name + ": " + placed.error().message);
  }
  // Of both generations: one that is further on would take the place of a damaged one.
  save(true);
  dirty_ = true;
}

// A directory that was replaced, or mounted over, is another one than the shipper has kept to
// itself.
std::string Worker::explain(std::string error) {
  needs_restart_ = config_.type == SinkType::kFile && !error.empty() &&
                   !shared_.options.confinement.admits(config_.path);
  if (needs_restart_)
    error +=
        "; its directory is not the one that was there when the shipper started and confined "
        "its writes: restart the shipper";
  return error;
}

// What a sink said; false to end the worker.
bool Worker::advance(Delivery delivery, std::size_t offered, const std::stop_token& stop) {
  given_ += delivery.taken;
  given_ -= delivery.done;
  finish(delivery.done, delivery.refused);
  if (delivery.done > 0) {
    backoff_ = milliseconds(0);
    needs_restart_ = false;
    const std::scoped_lock lock(mutex_);
    state_ = SinkState::kDelivering;
    error_.clear();
  }
  if (delivery.outcome == Outcome::kGood) {
    if (delivery.done > 0 && !last_error_.empty()) {
      shared_.say("sink " + config_.name + ": delivering again");
      last_error_.clear();
    }
    if (delivery.done == 0 && !delivery.error.empty() && delivery.error != last_error_) {
      shared_.say("sink " + config_.name + ": " + delivery.error + "; waiting");
      last_error_ = delivery.error;
      set_error(delivery.error);
    }
    return true;
  }
  delivery.error = explain(std::move(delivery.error));
  set_error(delivery.error);
  counters_.retried_events += given_ > 0 ? given_ : offered;
  given_ = 0;
  if (delivery.outcome == Outcome::kFailed) {
    {
      const std::scoped_lock lock(mutex_);
      state_ = SinkState::kFailed;
    }
    shared_.say("sink " + config_.name + ": " + delivery.error);
    failed_ = true;
    return false;
  }
  if (delivery.resend_bytes > 0) go_back(delivery.resend_bytes);
  if (stop.stop_requested() || out_of_time()) {
    shared_.say("sink " + config_.name + ": " + delivery.error + "; giving up for now");
    return false;
  }
  save(true);
  back_off(delivery.error, delivery.pause_min, stop);
  return true;
}

// Gives the sink what it does not have yet, as far as it takes it; false to end the worker.
bool Worker::send(const std::stop_token& stop) {
  for (;;) {
    std::size_t skip = given_;
    Batch* next = nullptr;
    for (const auto& batch : window_) {
      const std::size_t left = batch->good.size() - batch->done;
      if (skip < left) {
        next = batch.get();
        break;
      }
      skip -= left;
    }
    if (next == nullptr) return true;
    const auto lines = std::span(next->good).subspan(next->done + skip);
    const Delivery delivery = sink_->deliver(lines);
    if (!advance(delivery, lines.size(), stop)) return false;
    if (delivery.taken == 0 || delivery.outcome != Outcome::kGood) return true;
  }
}

// Until a source changes, the sink's connection ends, or a stop is asked for.
void Worker::wait_for_work() {
  // After a window of many batches, as after an outage. The C library would keep the pages; to have
  // it map large blocks one by one instead makes librdkafka half as fast.
  if (spare_.size() > kSpareBatchesAtRest) {
    spare_.resize(kSpareBatchesAtRest);
    trim_heap();
  }
  rests(true);
  const auto rest = [this](milliseconds at_most) {
    return shared_.machine.rest(wake_.get(), sink_->watched_fd(), at_most);
  };
  if (bytes_since_given_back_ < kGiveBackBytes) {
    (void)rest(milliseconds::max());
  } else if (rest(kQuietTime)) {
    give_back_memory();
    (void)rest(milliseconds::max());
  }
  rests(false);
}

void Worker::give_back_memory() {
  spare_.clear();
  sink_->give_back_memory();
  trim_heap();
  bytes_since_given_back_ = 0;
}

// One look at the sources and the sink; false to end the worker.
bool Worker::step(const std::stop_token& stop) {
  // Taken back before anything is looked at: a change or a stop after this wakes us again.
  std::uint64_t changes = 0;
  (void)!::read(wake_.get(), &changes, sizeof changes);
  rests(false);
  const bool stopping = stop.stop_requested();
  if (stopping && !deadline_) deadline_ = shared_.clock.monotonic() + shared_.stop_deadline.load();
  take_sources();
  const bool reads = !stopping || !handing_over_;
  if (reads && withheld_.name_due(false)) dirty_ = true;
  // Not while the sink does not even take what is there: what an outage holds in memory is what was
  // under way when it began, and one batch.
  const bool takes = given_ >= window_lines();
  const Read read = reads && takes ? fill(stop) : Read::kNothing;
  finish(0, {});  // a batch without any event is done at once
  if (read == Read::kFailed && (stopping || out_of_time())) complete_ = false;
  complete_ = complete_ && send(stop);
  if (!complete_) return false;
  save(false);
  if (read != Read::kNothing) return true;
  const bool idle = window_.empty();
  const Delivery delivery = sink_->settle();
  complete_ = advance(delivery, 0, stop);
  if (!idle || delivery.outcome != Outcome::kGood) return complete_;
  save(true);
  // Asked before reading, so that what was written before the stop is still delivered.
  if (shared_.options.once || stopping) {
    if (!reads || !withheld_.name_due(true)) return false;
    dirty_ = true;
    return true;  // what was named now goes to the sink as well
  }
  wait_for_work();
  return true;
}

ShipResult Worker::run(const std::stop_token& stop) {
  const std::stop_callback wake_up(stop, [this] {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  });
  if (shared_.options.once) deadline_ = shared_.clock.monotonic() + shared_.options.once_timeout;
  while (!out_of_time() && step(stop)) {
  }
  save(true);
  rests(true);
  if (failed_) return ShipResult::kFailed;
  const bool late = shared_.options.once && out_of_time();
  return complete_ && window_lines() == 0 && !late ? ShipResult::kDone : ShipResult::kIncomplete;
}

}  // namespace lilith::shipper
