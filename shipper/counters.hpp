#pragma once
// What one sink has done since the shipper started, and how far it is behind: what heartbeats,
// metrics and `--status` tell.

#include "audit/base/clock.hpp"
#include "audit/read/reader.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::shipper {

// Written by the sink's own thread, read by any.
struct Counters {
  std::atomic<std::uint64_t> delivered_events{0}, delivered_bytes{0};  // bytes as the sink got them
  std::atomic<std::uint64_t> retried_events{0};  // given to the sink again after an error
  std::atomic<std::uint64_t> dead_letters{0};
  std::atomic<std::uint64_t> withheld_events{0};  // by the sink's route or sample
  std::atomic<std::uint64_t> errors{0};           // deliveries and reads that failed
  std::atomic<std::uint64_t> gaps{0};             // places where the log lacks lines
};

enum class SinkState {
  kDelivering,  // or with nothing to deliver
  kRetrying,    // the last try failed
  kFailed,      // trying again will not help; the sink has ended
};
[[nodiscard]] std::string_view name(SinkState state);

// Of one source, or summed over a sink's sources.
struct Lag {
  bool known = false;                   // false: could not be measured
  std::uint64_t bytes = 0;              // as stored: compressed where the file is
  std::optional<std::uint64_t> events;  // absent where the log's seqs cannot tell
  double seconds = 0;  // age of the oldest event that is not delivered; 0 when there is none
};

// How far `position` is behind the end of the log at `source`. Reads the log's last line and the
// first one that is not delivered.
[[nodiscard]] Result<Lag> lag_behind(const std::string& source, const audit::Position& position,
                                     WallTime now);

struct SourceReport {
  std::string source;
  audit::Position position;  // behind the last line that is done
  Lag lag;
};

struct SinkReport {
  std::string sink;
  SinkState state = SinkState::kDelivering;
  std::string error;           // of the last try, while it is not overcome
  bool stuck = false;          // its thread has been in one step for longer than any step takes
  bool needs_restart = false;  // it writes to a place that the confinement has never seen
  std::uint64_t delivered_events = 0, delivered_bytes = 0, retried_events = 0, dead_letters = 0,
                withheld_events = 0, errors = 0, gaps = 0;
  std::vector<SourceReport> sources;
  Lag lag;  // of all sources: bytes and events summed, the greatest age
};

// Sets the lag of each source and of all together; after an error it is not known.
[[nodiscard]] Result<void> measure_lag(SinkReport& report, WallTime now);

// What the shipper has given up, and why not everything.
struct ConfinementState {
  bool wanted = false;
  bool capabilities = false, writes = false, syscalls = false;
  std::string problem;
};

// Each of the three by its name, and whether it is given up.
[[nodiscard]] std::array<std::pair<std::string_view, bool>, 3> confined_things(
    const ConfinementState& state);
// Those that are, with a comma between them; "none" when none is.
[[nodiscard]] std::string confined_words(const ConfinementState& state);

struct ShipReport {
  bool running = false;  // false: what the checkpoints say, without counts
  WallTime started{};
  std::uint64_t reloads = 0, reloads_refused = 0;
  bool stopping = false;
  ConfinementState confinement;
  std::vector<SinkReport> sinks;
};

}  // namespace lilith::shipper
