#pragma once
// The shipper's worker, follower and checkpoints, as they are, in a world of one thread: clock,
// disk, network, writers and the moment of a kill -9 go by one seed.

#include "audit/read/withheld.hpp"
#include "shipper/machine.hpp"
#include "shipper/ship.hpp"
#include "shipper/sink.hpp"
#include "tests/audit_read/random_log.hpp"
#include "tests/support/support.hpp"

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace lilith::shipper {

// The kill -9 of the simulation: thrown where the world has its turn, caught where a shipper is
// started anew.
struct Killed {};

// How a receiver confirms.
enum class Reception {
  kRequests,  // like HTTP: one answer for what was given
  kWindow,    // like RELP and Kafka: line by line, later
  kStream,    // like TCP: by its kernel, whose unread bytes a reset loses
};

class SimulatedClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override { return wall_; }
  [[nodiscard]] MonotonicTime monotonic() const override { return monotonic_; }
  void advance(std::chrono::milliseconds by) {
    wall_ += by;
    monotonic_ += by;
  }
  void jump(std::chrono::hours by) { wall_ += by; }  // somebody sets the machine's time

 private:
  WallTime wall_ = *parse_time("2026-11-24T00:00:00Z");
  MonotonicTime monotonic_{std::chrono::hours(1)};
};

// What happened, over a whole run.
struct SimulatedRun {
  std::size_t events = 0, kills = 0, stops = 0, resets = 0, repeats = 0, checkpoints = 0,
              disk_errors = 0, read_errors = 0, withheld = 0;
  std::uint64_t fingerprint = 0;  // of all that was given to the receiver
};

// What outlives the shipper's processes: logs, state, the receiver.
class World {
 public:
  explicit World(std::uint64_t seed);

  // Everything, from empty logs to the last event at the receiver; failures are the test's.
  SimulatedRun run();

  // The world's turn: time passes, writers write, disks end what they do, processes are killed.
  void turn(std::chrono::milliseconds at_most);
  [[nodiscard]] bool chance(std::size_t one_in) { return random_() % one_in == 0; }
  [[nodiscard]] std::size_t pick(std::size_t below) { return random_() % below; }
  [[nodiscard]] bool trouble(std::size_t one_in) { return !draining_ && chance(one_in); }
  [[nodiscard]] SimulatedClock& clock() { return clock_; }
  void kill() {
    ++done_.kills;
    throw Killed{};
  }

  // Of the sink.
  void took(const std::string& line);        // into its window
  void gave_up();                            // kRetry: what is not done will be given again
  void settled(const std::string& line);     // reported as done
  void received(const std::string& line);    // the receiver's process has it
  void kernel_has(const std::string& line);  // kStream: its kernel has it
  // kStream: what its process had not read is gone; returns how many bytes that were.
  std::size_t reset();
  void read_by_process(std::size_t lines);  // kStream
  [[nodiscard]] Reception reception() const { return reception_; }
  [[nodiscard]] bool is_poison(const std::string& line) const;

  // Of the disk.
  void posted(const Cursors& cursors);
  void saved(const Cursors& cursors);
  [[nodiscard]] bool may_kill() const { return !draining_ && must_take_back_ == 0; }
  void half_saved();  // killed between the two renames
  void disk_error() { ++done_.disk_errors; }

  // Of the follower.
  void reading();
  void read_error() { ++done_.read_errors; }
  void paused(std::chrono::milliseconds time);
  void resting();

 private:
  struct Source {
    std::string path;
    std::vector<std::string> lines;
    std::vector<char> state;  // of each line: kOpen, kDone or kNever
    std::size_t done = 0;     // all lines before this one are done, or never will be sent
    std::size_t next = 0;     // the line that must be taken next
    bool may_go_back = false;
    bool names_withheld = false;  // the sink's own log of what it does not get
  };
  struct NeverSent {
    std::size_t source, line;
    std::string chain;
    std::uint64_t seq;
  };
  struct Place {
    std::size_t source, line;
  };
  enum : char { kOpen, kDone, kNever };

  void note_new_lines();
  void note_line(std::size_t source, const std::string& line);
  void step_done(Source& source) const;
  [[nodiscard]] const Place* find(const std::string& line);
  [[nodiscard]] std::size_t behind(const Cursors& cursors, std::size_t source) const;
  void expect_taken_from_the_checkpoint();
  void expect_named(const Cursors& cursors) const;
  void check_names() const;
  void damage_a_checkpoint();
  // One process of the shipper, to its end; false when it ended with everything delivered.
  bool process();
  void check_all();

  std::mt19937_64 random_;
  SimulatedClock clock_;
  test::TempDir dir_;
  Reception reception_;
  std::vector<std::unique_ptr<test::RandomLog>> logs_;
  Config config_;
  ShipOptions options_;
  std::vector<Source> sources_;
  std::unordered_map<std::string, Place> places_, places_by_hash_;
  std::vector<NeverSent> never_;                // events that the route withholds
  std::map<std::string, audit::SeqSet> named_;  // by `withheld` events, by chain
  std::vector<std::string> received_;
  std::deque<std::string> unread_;
  std::optional<Cursors> current_, before_;  // what the checkpoint's two generations say
  bool draining_ = false;
  int must_take_back_ = 0;  // so many checkpoints are still further on than the receiver
  std::size_t turns_ = 0, turns_max_ = 0;
  std::stop_source stop_;
  // Since when something is done that no checkpoint was posted for, without pauses.
  std::optional<MonotonicTime> owed_since_;
  std::chrono::milliseconds paused_{0};
  std::deque<std::chrono::milliseconds> last_turns_;
  SimulatedRun done_;
};

}  // namespace lilith::shipper
