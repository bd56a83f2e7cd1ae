#pragma once
// Where events go. A sink knows nothing of files, cursors and checkpoints; the tailer knows nothing
// of sinks.
//
// Life cycle: made once by make_sink(), used by one thread, destroyed by that thread. A sink may
// hold lines that were handed to it but not yet acknowledged by its receiver (its window); they are
// done in the order in which they were given. A receiver can see a line more than once but never
// out of order.

#include "audit/base/result.hpp"
#include "shipper/config.hpp"
#include "shipper/line.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

struct Line {
  std::string_view event;  // the line of the log, without LF: for headers, keys and ids
  std::string_view body;   // what is sent; the same bytes unless the sink has another output form
  LineMarks marks;         // of `event`
};

enum class Outcome {
  kGood,    // go on
  kRetry,   // the window is empty now: what is not done must be given again, after a pause
  kFailed,  // trying again will not help (standard output was closed)
};

// A line that this sink can never deliver; it goes to the dead-letter file and counts as done.
struct Refused {
  std::size_t index = 0;  // counted from the oldest line that was not done before the call
  std::string reason;
};

struct Delivery {
  Outcome outcome = Outcome::kGood;
  std::size_t taken = 0;         // of the lines given, from the first: now in the window, or done
  std::size_t done = 0;          // of all lines in the window, oldest first, with `refused`
  std::vector<Refused> refused;  // among those that are done, by index
  std::string error;             // for kRetry and kFailed; with kGood: what the sink waits for
  // kRetry: of what was done before, so many bytes may never have been read by the receiver's
  // process (TCP: it was reset), and are given again.
  std::size_t resend_bytes = 0;
  std::chrono::milliseconds pause_min{0};  // kRetry: the receiver asked for at least this
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes as many lines as fit the window, and reports what became done meanwhile. The bytes stay
  // valid until the line is done, until kRetry, or until the sink is destroyed. Blocks at most the
  // sink's own timeouts.
  [[nodiscard]] virtual Delivery deliver(std::span<const Line> lines) = 0;
  // Waits for lines of the window to become done, a moment only: kGood with done == 0 says "ask
  // again". With an empty window, which it has when the worker is about to rest, it does not wait.
  [[nodiscard]] virtual Delivery settle() { return {}; }
  // Nothing has come for a while and the window is empty: memory that only saves allocations goes.
  virtual void give_back_memory() {}
  // A connection whose end should be noticed while there is nothing to deliver; -1 for none.
  [[nodiscard]] virtual int watched_fd() const { return -1; }
  // The most that Delivery::resend_bytes can be.
  [[nodiscard]] virtual std::size_t resend_bytes_max() const { return 0; }
  // What "done" proves: "on disk", "peer's kernel", "handed to the network", "pipe".
  [[nodiscard]] virtual std::string_view proof() const = 0;
};

[[nodiscard]] Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_file_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_stdout_sink();
[[nodiscard]] std::unique_ptr<Sink> make_syslog_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_relp_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_http_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_kafka_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_wazuh_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_wazuh_api_sink(const SinkConfig& config);

// Empties it, and leaves it no memory (clear() and assignment keep what there is).
inline void give_back(std::string& buffer) { std::string().swap(buffer); }

// A Delivery that says so.
[[nodiscard]] inline Delivery retry_later(std::string error) {
  Delivery delivery;
  delivery.outcome = Outcome::kRetry;
  delivery.error = std::move(error);
  return delivery;
}

}  // namespace lilith::shipper
