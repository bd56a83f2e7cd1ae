#pragma once
// Where events go. A sink knows nothing of files, cursors and checkpoints; the tailer knows nothing
// of sinks.
//
// Life cycle: made once by make_sink(), used by one thread, destroyed by that thread. deliver() may
// be called again with the same lines after kRetry, so that a receiver can see a line more than
// once but never out of order.

#include "audit/base/result.hpp"
#include "shipper/config.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

enum class Outcome {
  kDelivered,  // every line was taken (see `proof` of the sink for what that means)
  kRetry,      // lines from `taken` on were not; trying again may help
  kFailed,     // trying again will not help (standard output was closed)
};

// A line that this sink can never take; it goes to the dead-letter file and counts as taken.
struct Refused {
  std::size_t index = 0;
  std::string reason;
};

struct Delivery {
  Outcome outcome = Outcome::kDelivered;
  std::size_t taken = 0;         // lines of the batch that are done, from its beginning
  std::vector<Refused> refused;  // among those
  std::string error;             // for kRetry and kFailed
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Whole lines without LF, in order. Blocks at most the sink's own timeouts.
  [[nodiscard]] virtual Delivery deliver(std::span<const std::string_view> lines) = 0;
  // What "delivered" proves: "on disk", "peer's kernel", "handed to the network", "pipe".
  [[nodiscard]] virtual std::string_view proof() const = 0;
};

[[nodiscard]] Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_file_sink(const SinkConfig& config);
[[nodiscard]] std::unique_ptr<Sink> make_stdout_sink();
[[nodiscard]] std::unique_ptr<Sink> make_syslog_sink(const SinkConfig& config);

}  // namespace lilith::shipper
