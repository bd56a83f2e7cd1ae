#include "tests/shipper/simulation.hpp"

#include "audit/base/file.hpp"
#include "audit/base/sha256.hpp"
#include "audit/codec.hpp"
#include "shipper/own_log.hpp"
#include "shipper/state.hpp"
#include "shipper/withheld_log.hpp"
#include "shipper/worker.hpp"
#include "tests/shipper/log_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <numeric>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kTurnsOfAStep = 4;  // those that it takes between saying and saving
constexpr std::size_t kTurnsMax = 150, kTurnsToDrain = 200'000;
constexpr milliseconds kCheckpointInterval{50};  // docs/shipping.md, "What is promised"
constexpr std::size_t kKernelBytes = 20'000;
constexpr milliseconds kRestMax{15'000};

class SimulatedSink final : public Sink {
 public:
  explicit SimulatedSink(World& world) : world_(world) {}
  [[nodiscard]] std::string_view proof() const override { return "in the simulation"; }
  [[nodiscard]] std::size_t resend_bytes_max() const override {
    return world_.reception() == Reception::kStream ? kKernelBytes : 0;
  }

  Delivery deliver(std::span<const Line> lines) override {
    world_.turn(milliseconds(20));
    if (world_.trouble(15)) return give_up("nobody there", {});
    if (world_.reception() == Reception::kRequests) return request(lines);
    Delivery delivery;
    if (world_.trouble(20)) return delivery;  // stalls
    const std::size_t room = kWindowLines - std::min(window_.size(), kWindowLines);
    delivery.taken = std::min({lines.size(), room, 1 + world_.pick(kWindowLines)});
    for (const Line& line : lines.first(delivery.taken)) {
      world_.took(std::string(line.event));
      window_.emplace_back(line.event);
    }
    return confirm(std::move(delivery));
  }

  Delivery settle() override {
    if (window_.empty()) {
      world_.read_by_process(world_.pick(4));
      return {};
    }
    world_.turn(milliseconds(100));
    if (world_.trouble(5)) return {};  // answers late
    return confirm({});
  }

 private:
  static constexpr std::size_t kWindowLines = 60;

  Delivery give_up(std::string why, Delivery delivery) {
    window_.clear();
    sent_ = 0;
    world_.gave_up();
    delivery.outcome = Outcome::kRetry;
    delivery.error = std::move(why);
    if (world_.chance(4)) delivery.pause_min = milliseconds(world_.pick(90'000));
    return delivery;
  }

  void finish(Delivery& delivery, const std::string& line) {
    if (world_.reception() != Reception::kStream && world_.is_poison(line))
      delivery.refused.push_back({delivery.done, "poison"});
    world_.settled(line);
    ++delivery.done;
  }

  void arrive(const std::string& line) {
    if (world_.reception() == Reception::kStream) return world_.kernel_has(line);
    if (!world_.is_poison(line)) world_.received(line);
  }

  // One request; a part of it may be taken, and its answer may get lost.
  Delivery request(std::span<const Line> lines) {
    Delivery delivery;
    const std::size_t arrives = world_.trouble(8) ? world_.pick(lines.size() + 1) : lines.size();
    for (const Line& line : lines.first(arrives)) {
      world_.took(std::string(line.event));
      arrive(std::string(line.event));
    }
    if (world_.trouble(12)) return give_up("the answer was lost", {});
    for (const Line& line : lines.first(arrives)) finish(delivery, std::string(line.event));
    if (arrives < lines.size()) return give_up("took a part", std::move(delivery));
    delivery.taken = delivery.done;
    return delivery;
  }

  // The network brings what is under way, and what it brought is confirmed, each as far as it
  // likes.
  Delivery confirm(Delivery delivery) {
    for (std::size_t n = world_.pick(window_.size() - sent_ + 1); n > 0; --n)
      arrive(window_[sent_++]);
    if (!world_.trouble(3)) {
      for (; sent_ < window_.size() && !world_.trouble(window_.size()); ++sent_)
        arrive(window_[sent_]);
    }
    const std::size_t confirmed = world_.trouble(3) ? world_.pick(sent_ + 1) : sent_;
    for (std::size_t i = 0; i < confirmed; ++i) finish(delivery, window_[i]);
    window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(confirmed));
    sent_ -= confirmed;
    world_.read_by_process(world_.pick(8));
    if (!world_.trouble(25)) return delivery;
    delivery.resend_bytes = world_.reset();
    return give_up("reset", std::move(delivery));
  }

  World& world_;
  std::deque<std::string> window_;
  std::size_t sent_ = 0;  // of the window
};

class SimulatedFollower final : public audit::Follower {
 public:
  SimulatedFollower(World& world, std::unique_ptr<audit::Follower> real)
      : world_(world), real_(std::move(real)) {}
  Result<void> read(audit::FollowedLines& out, std::string& gap) override {
    world_.reading();
    world_.turn(milliseconds(5));
    if (!world_.trouble(60)) return real_->read(out, gap);
    world_.read_error();
    return fail(ErrorCode::kIo, "cannot read: Input/output error", EIO);
  }
  Result<void> seek(const audit::Position& position) override { return real_->seek(position); }
  [[nodiscard]] std::uint64_t lag_bytes() const override { return real_->lag_bytes(); }

 private:
  World& world_;
  std::unique_ptr<audit::Follower> real_;
};

// The files are those of CheckpointFile; when they are written is for the world to say.
class SimulatedCheckpoints final : public Checkpoints {
 public:
  SimulatedCheckpoints(World& world, CheckpointFile file, std::string path,
                       std::function<void(const Error&)> failed)
      : world_(world), file_(std::move(file)), path_(std::move(path)), failed_(std::move(failed)) {}

  CheckpointLoad load() override { return file_.load(); }
  void post(Cursors cursors) override {
    world_.posted(cursors);
    next_ = std::move(cursors);
    if (world_.chance(2)) write();
  }
  void flush() override {
    if (next_) world_.turn(milliseconds(10));
    write();
  }
  [[nodiscard]] bool owes() const override { return owes_; }

 private:
  void write() {
    if (!next_) return;
    const Cursors cursors = std::move(*next_);
    next_.reset();
    owes_ = world_.may_kill() && world_.trouble(12);
    if (owes_) {
      world_.disk_error();
      return failed_(Error{ErrorCode::kIo, "No space left on device", ENOSPC});
    }
    if (world_.may_kill() && world_.trouble(40)) {
      // As CheckpointFile::save() begins.
      (void)std::rename((path_ + ".json").c_str(), (path_ + ".1.json").c_str());
      world_.half_saved();
    }
    const auto saved = file_.save(cursors);
    EXPECT_TRUE(saved) << saved.error().message;
    world_.saved(cursors);
  }

  World& world_;
  CheckpointFile file_;
  std::string path_;
  std::function<void(const Error&)> failed_;
  std::optional<Cursors> next_;
  bool owes_ = false;
};

class SimulatedMachine final : public Machine {
 public:
  SimulatedMachine(World& world, std::string checkpoint_path)
      : world_(world), checkpoint_path_(std::move(checkpoint_path)) {}
  Result<std::unique_ptr<audit::Follower>> follow(const audit::FollowOptions& options,
                                                  const audit::Position& start) override {
    audit::FollowOptions small = options;
    small.batch_bytes_max = 1 + world_.pick(8'000);
    small.batch_lines_max = 1 + world_.pick(40);
    auto real = audit::Follower::open(small, start);
    if (!real) return pass_error(real);
    return std::make_unique<SimulatedFollower>(world_, std::move(*real));
  }
  std::unique_ptr<Checkpoints> checkpoints(CheckpointFile file,
                                           std::function<void(const Error&)> failed) override {
    return std::make_unique<SimulatedCheckpoints>(world_, std::move(file), checkpoint_path_,
                                                  std::move(failed));
  }
  void tell(int) override {}
  void forget(int) override {}
  bool rest(int, int, milliseconds at_most) override {
    if (at_most < kRestMax) return true;  // short: nothing happens in it
    world_.resting();
    return false;
  }
  void pause(milliseconds time, const std::stop_token&) override { world_.paused(time); }
  std::uint64_t random_seed() override { return world_.pick(1'000'000); }

 private:
  World& world_;
  std::string checkpoint_path_;
};

constexpr std::size_t kRangesMax = 1'000'000;

SinkConfig sink_config(std::uint64_t one_in, bool without_health) {
  SinkConfig out;
  out.name = "soc";
  out.route.allowed_one_in = one_in;
  if (without_health) out.route.except.category = {"health"};  // events of the shipper itself
  return out;
}

// What the events of a log of withheld seqs name, into `named`.
void add_named(const std::string& line, std::map<std::string, audit::SeqSet>& named) {
  const auto event = audit::decode(line);
  ASSERT_TRUE(event.has_value()) << line;
  if (event->type != audit::EventType::kWithheld) return;
  const auto withheld = audit::withheld_of(*event);
  ASSERT_TRUE(withheld.has_value()) << line;
  for (const auto& [first, last] : withheld->seqs.ranges())
    for (std::uint64_t seq = first; seq <= last; ++seq)
      (void)named[withheld->chain_id].add(seq, kRangesMax);
}

}  // namespace

World::World(std::uint64_t seed) : random_(seed), reception_(static_cast<Reception>(seed % 3)) {
  using test::ChainWriter;
  using test::RandomLog;
  config_.state_dir = dir_.file("state");
  EXPECT_TRUE(make_directories(config_.state_dir, 0750));
  logs_.push_back(std::make_unique<RandomLog>(dir_.file("a.log"), RandomLog::Kind{.odd = chance(2)},
                                              random_, ChainWriter("chain-a", "host-a")));
  logs_.push_back(std::make_unique<RandomLog>(dir_.file("b.log"),
                                              RandomLog::Kind{.classic = true, .odd = chance(2)},
                                              random_, ChainWriter("chain-b", "host-b")));
  for (const auto& log : logs_) config_.sources.push_back(log->path());
  // A route that withholds lines, in one run of two.
  const bool routed = chance(2);
  config_.sinks.push_back(sink_config(routed ? 1 + pick(8) : 1, routed && chance(2)));
  for (const std::string& path : all_sources(config_)) sources_.push_back({path, {}, {}});
  sources_.push_back({withheld_log_path(config_.state_dir, config_.sinks[0].name), {}, {}});
  sources_.back().names_withheld = true;
  options_.host = "sim";
  turns_max_ = kTurnsMax / 2 + pick(kTurnsMax);
}

bool World::is_poison(const std::string& line) const {
  return line.find(R"("poison")") != std::string::npos;
}

void World::note_line(std::size_t source, const std::string& line) {
  Source& of = sources_[source];
  const Place place{source, of.lines.size()};
  EXPECT_TRUE(places_.emplace(line, place).second) << "a line was written twice: " << line;
  places_by_hash_.emplace(sha256_hex(line), place);
  of.lines.push_back(line);
  const bool event = line.starts_with('{');
  const bool goes = event && (of.names_withheld || sends(config_.sinks[0].route, line));
  of.state.push_back(goes ? kOpen : kNever);
  if (of.names_withheld) add_named(line, named_);
  if (goes || !event) return;
  const auto fields = audit::chain_fields(line);
  ASSERT_TRUE(fields.has_value()) << line;
  never_.push_back({source, place.line, std::string(fields->id), fields->seq});
}

// Also of the shipper's own log.
void World::note_new_lines() {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    std::vector<std::string> own;
    if (i >= logs_.size() && ::access(sources_[i].path.c_str(), R_OK) == 0)
      own = test::all_lines(sources_[i].path);
    const std::vector<std::string>& now = i < logs_.size() ? logs_[i]->written() : own;
    while (sources_[i].lines.size() < now.size()) note_line(i, now[sources_[i].lines.size()]);
  }
}

const World::Place* World::find(const std::string& line) {
  auto found = places_.find(line);
  if (found == places_.end()) {
    note_new_lines();
    found = places_.find(line);
  }
  if (found != places_.end()) return &found->second;
  ADD_FAILURE() << "this was given and never written: " << line;
  return nullptr;
}

void World::turn(milliseconds at_most) {
  const milliseconds time(pick(static_cast<std::size_t>(at_most.count()) + 1));
  clock_.advance(time);
  last_turns_.push_back(time);
  if (last_turns_.size() > kTurnsOfAStep) last_turns_.pop_front();
  if (++turns_ == turns_max_) {
    draining_ = true;
    for (const auto& log : logs_) log->finish();
  }
  if (turns_ > turns_max_ + kTurnsToDrain) {
    ADD_FAILURE() << "it never comes to an end";
    throw Killed{};
  }
  if (draining_) return;
  if (chance(3)) logs_[pick(logs_.size())]->step();
  if (chance(100)) clock_.jump(std::chrono::hours(chance(2) ? 24 * 365 : -24 * 365));
  if (may_kill() && chance(30)) kill();
  if (chance(60)) stop_.request_stop();
}

// What was given to the sink comes in the order of each log, without a hole, from where the
// checkpoint or the last error left it.
void World::took(const std::string& line) {
  const Place* const place = find(line);
  if (place == nullptr) return;
  Source& source = sources_[place->source];
  EXPECT_NE(source.state[place->line], kNever) << "this sink must not have it: " << line;
  while (source.next < source.lines.size() && source.state[source.next] == kNever) ++source.next;
  const bool in_order =
      place->line == source.next || (source.may_go_back && place->line < source.next);
  EXPECT_TRUE(in_order) << source.path << ": line " << place->line << " was given, expected "
                        << source.next;
  if (place->line < source.next) {  // given once more, they are open once more
    std::replace(source.state.begin() + static_cast<std::ptrdiff_t>(place->line),
                 source.state.end(), static_cast<char>(kDone), static_cast<char>(kOpen));
    source.done = std::min(source.done, place->line);
  }
  source.may_go_back = false;
  source.next = place->line + 1;
}

void World::gave_up() {
  for (Source& source : sources_) source.next = source.done;
}

void World::step_done(Source& source) const {
  while (source.done < source.state.size() && source.state[source.done] != kOpen) ++source.done;
}

void World::settled(const std::string& line) {
  const Place* const place = find(line);
  if (place == nullptr) return;
  sources_[place->source].state[place->line] = kDone;
  step_done(sources_[place->source]);
  if (!owed_since_) owed_since_ = clock_.monotonic() - paused_;
}

void World::received(const std::string& line) {
  (void)find(line);
  received_.push_back(line);
  done_.fingerprint = done_.fingerprint * 1'099'511'628'211U +
                      (places_.contains(line) ? places_.at(line).line + 1 : 0);
}

void World::kernel_has(const std::string& line) {
  unread_.push_back(line);
  std::size_t bytes = 0;
  for (const std::string& one : unread_) bytes += one.size() + 1;
  while (bytes > kKernelBytes) {  // no more fits: so the process must have read
    bytes -= unread_.front().size() + 1;
    read_by_process(1);
  }
}

void World::read_by_process(std::size_t lines) {
  for (; lines > 0 && !unread_.empty(); --lines) {
    received(unread_.front());
    unread_.pop_front();
  }
}

std::size_t World::reset() {
  ++done_.resets;
  if (reception_ != Reception::kStream) return 0;
  std::size_t bytes = 0;
  for (const std::string& line : unread_) {
    bytes += line.size() + 1;
    const Place& place = places_.at(line);
    Source& source = sources_[place.source];
    source.state[place.line] = kOpen;
    source.done = std::min(source.done, place.line);
    // Whole batches are read again.
    for (Source& one : sources_) one.may_go_back = true;
  }
  unread_.clear();
  // Until the checkpoint is taken back it says more than the receiver has: a kill or a full disk in
  // this moment loses what the reset lost (docs/shipping.md, "What is promised").
  if (bytes > 0) must_take_back_ = 2;
  return bytes;
}

// How many of the source's lines lie before the cursor.
std::size_t World::behind(const Cursors& cursors, std::size_t source) const {
  const auto cursor = cursors.find(sources_[source].path);
  if (cursor == cursors.end() || cursor->second.last_line_sha256.empty()) return 0;
  const auto found = places_by_hash_.find(cursor->second.last_line_sha256);
  if (found == places_by_hash_.end() || found->second.source != source) {
    ADD_FAILURE() << "a cursor stands behind a line that was never written";
    return 0;
  }
  return found->second.line + 1;
}

void World::posted(const Cursors& cursors) {
  note_new_lines();
  ++done_.checkpoints;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    step_done(sources_[i]);
    EXPECT_LE(behind(cursors, i), sources_[i].done)
        << sources_[i].path << ": the checkpoint is ahead of the delivery";
  }
  owed_since_.reset();
  expect_named(cursors);
}

// What the route withheld and a cursor has passed is named: by an event, or in the checkpoint.
void World::expect_named(const Cursors& cursors) const {
  std::vector<std::size_t> behind_of;
  std::vector<audit::SeqSet> waiting;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    behind_of.push_back(behind(cursors, i));
    const auto cursor = cursors.find(sources_[i].path);
    auto seqs = cursor == cursors.end() ? std::nullopt
                                        : audit::seqs_from_text(cursor->second.withheld.seqs);
    waiting.push_back(seqs ? std::move(*seqs) : audit::SeqSet());
  }
  for (const NeverSent& one : never_) {
    if (one.line >= behind_of[one.source] || waiting[one.source].contains(one.seq)) continue;
    const auto named = named_.find(one.chain);
    EXPECT_TRUE(named != named_.end() && named->second.contains(one.seq))
        << "withheld, passed and not named: seq " << one.seq << " of " << one.chain;
  }
}

void World::saved(const Cursors& cursors) {
  if (current_) before_ = std::move(current_);
  current_ = cursors;
  must_take_back_ = std::max(must_take_back_ - 1, 0);
}

void World::half_saved() {
  if (current_) before_ = std::exchange(current_, std::nullopt);
  kill();
}

// Each step of the worker begins here.
void World::reading() {
  if (!owed_since_) return;
  const auto owed = clock_.monotonic() - paused_ - *owed_since_;
  const milliseconds step =
      std::accumulate(last_turns_.begin(), last_turns_.end(), milliseconds(0));
  EXPECT_LE(owed, kCheckpointInterval + step) << "more is repeated than is promised";
}

void World::paused(milliseconds time) {
  clock_.advance(time);
  paused_ += time;
  turn(milliseconds(1));
}

void World::resting() {
  EXPECT_FALSE(owed_since_.has_value()) << "idle, and the checkpoint is not written";
  turn(kRestMax);
  if (draining_ && unread_.empty()) stop_.request_stop();
  read_by_process(unread_.size());
}

void World::damage_a_checkpoint() {
  if (!current_ || !chance(6)) return;
  const std::string path = audit::checkpoint_path(config_.state_dir, config_.sinks[0].name);
  const std::string good = test::read_text(path);
  const std::string damaged =
      chance(2) ? std::string(good.size(), '\0') : good.substr(0, pick(good.size() / 2));
  test::write_text(path, damaged);
  current_.reset();
}

void World::expect_taken_from_the_checkpoint() {
  const Cursors none;
  const Cursors& start = current_ ? *current_ : before_ ? *before_ : none;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    source.next = source.done = behind(start, i);
    for (std::size_t line = source.done; line < source.lines.size(); ++line)
      if (source.state[line] == kDone) source.state[line] = kOpen;
    source.may_go_back = false;
  }
  owed_since_.reset();
  must_take_back_ = 0;
}

bool World::process() {
  note_new_lines();
  read_by_process(unread_.size());  // what the last process left in the receiver's kernel
  expect_taken_from_the_checkpoint();
  stop_ = std::stop_source();
  // A log that is finished while a process is at its end is for the next one.
  const bool drains = draining_;
  try {
    OwnLog own_log(own_log_path(config_.state_dir), "sim", clock_);
    const std::string checkpoint = config_.state_dir + "/" + config_.sinks[0].name + ".checkpoint";
    SimulatedMachine machine(*this, checkpoint);
    Shared shared{config_.state_dir, config_.stop_deadline, options_, clock_, own_log, machine};
    Worker worker(shared, config_.sinks[0], std::make_unique<SimulatedSink>(*this));
    const auto opened = worker.open(all_sources(config_));
    EXPECT_TRUE(opened) << opened.error().message;
    if (!opened) return false;
    const ShipResult result = worker.run(stop_.get_token());
    EXPECT_EQ(must_take_back_, 0) << "ended without taking the checkpoint back";
    ++done_.stops;
    return !(drains && result == ShipResult::kDone);
  } catch (const Killed&) {
    damage_a_checkpoint();
    return true;
  }
}

// At the end the receiver has the name of each event that was withheld, and of no other.
void World::check_names() const {
  std::map<std::string, audit::SeqSet> arrived, withheld;
  for (const std::string& line : received_)
    if (sources_[places_.at(line).source].names_withheld) add_named(line, arrived);
  for (const NeverSent& one : never_) (void)withheld[one.chain].add(one.seq, kRangesMax);
  EXPECT_EQ(arrived.size(), withheld.size());
  for (const auto& [chain, seqs] : withheld)
    EXPECT_EQ(audit::seqs_to_text(arrived[chain]), audit::seqs_to_text(seqs)) << chain;
}

SimulatedRun World::run() {
  while (process() && !testing::Test::HasFailure()) {
  }
  read_by_process(unread_.size());
  check_all();
  check_names();
  done_.withheld = never_.size();
  return done_;
}

void World::check_all() {
  note_new_lines();
  std::set<std::string> set_aside;
  const std::string letters =
      config_.state_dir + "/" + config_.sinks[0].name + ".dead-letter.ndjson";
  if (::access(letters.c_str(), R_OK) == 0) {
    for (const std::string& letter : test::lines_of(test::read_text(letters))) {
      const std::size_t at = letter.find(R"("sha256":")") + 10;
      set_aside.insert(letter.substr(at, 64));
    }
  }
  std::vector<std::vector<std::string>> came(sources_.size());
  for (const std::string& line : received_) came[places_.at(line).source].push_back(line);
  std::set<std::string> expected_aside;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    std::vector<std::string> expected;
    for (std::size_t line = 0; line < sources_[i].lines.size(); ++line) {
      const std::string& text = sources_[i].lines[line];
      const bool poison = reception_ != Reception::kStream && is_poison(text);
      const bool goes = sources_[i].state[line] != kNever;
      if (!text.starts_with('{') || (poison && goes)) expected_aside.insert(sha256_hex(text));
      if (goes && !poison) expected.push_back(text);
    }
    done_.events += expected.size();
    done_.repeats += test::expect_at_least_once_in_order(came[i], expected);
  }
  EXPECT_EQ(set_aside, expected_aside) << "dead letters";
}

}  // namespace lilith::shipper
