#pragma once
// One sink, its thread, and its own cursors in the logs.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/read/reader.hpp"
#include "shipper/checkpoint.hpp"
#include "shipper/config.hpp"
#include "shipper/counters.hpp"
#include "shipper/forms.hpp"
#include "shipper/line.hpp"
#include "shipper/machine.hpp"
#include "shipper/own_log.hpp"
#include "shipper/ship.hpp"
#include "shipper/sink.hpp"
#include "shipper/withheld_log.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

namespace lilith::shipper {

// What all workers share.
struct Shared {
  const std::string state_dir;
  std::atomic<std::chrono::milliseconds> stop_deadline;
  const ShipOptions& options;
  const Clock& clock;
  OwnLog& own_log;
  Machine& machine;
  std::mutex say_mutex{};

  void say(const std::string& line);
};

class Worker {
 public:
  Worker(Shared& shared, SinkConfig config, std::unique_ptr<Sink> sink);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] Result<void> open(const std::vector<std::string>& sources);
  // Returns when there is nothing left to do, or no way to do it.
  ShipResult run(const std::stop_token& stop);

  // The following may be called by any thread while run() goes on.
  // From its next step on the worker reads these sources; cursors of others are kept.
  void set_sources(std::vector<std::string> sources);
  // At the next stop nothing more is read: only what the sink holds is waited for, since another
  // worker goes on from the checkpoint.
  void hand_over() { handing_over_ = true; }
  [[nodiscard]] const SinkConfig& config() const { return config_; }
  // Without the lag of its sources.
  [[nodiscard]] SinkReport report() const;

 private:
  struct Source {
    std::string path;
    std::unique_ptr<audit::Follower> follower;
    bool left = false;            // no longer read; what was read of it is still delivered
    bool names_withheld = false;  // the sink's own log of that: no route applies
    std::size_t quiet = 0;        // it had nothing: is passed over so often while others have lines
  };
  // Lines of one read() on their way to being done. The window's batches stand in the order in
  // which they were read; only the first one may be done in part.
  struct Batch {
    std::size_t source = 0;
    audit::FollowedLines lines;
    std::vector<Line> good;               // what the sink gets
    std::vector<std::size_t> good_index;  // their places among all lines
    std::string bodies;                   // of `good` one behind the other, in another form
    std::vector<std::size_t> body_ends;   // offsets in `bodies`
    std::size_t done = 0;                 // of `good`
  };
  // Where a done batch began, for receivers that may have lost it.
  struct Past {
    std::size_t source;
    audit::Position before;
    std::size_t bytes, lines;  // as they were sent, without what the sink puts around them
  };

  [[nodiscard]] bool out_of_time() const;
  [[nodiscard]] Result<void> open_source(const std::string& path);
  void take_sources();
  bool step(const std::stop_token& stop);
  void rests(bool resting);
  void set_error(const std::string& error);
  [[nodiscard]] std::string explain(std::string error);
  void publish(const Cursors& cursors);
  enum class Read { kLines, kNothing, kFailed };
  Read fill(const std::stop_token& stop);
  Read ask_source(std::size_t index, const std::stop_token& stop);
  Read read_source(std::size_t index);
  void sort_lines(Batch& batch);
  [[nodiscard]] bool withholds(const Source& source, std::string_view line);
  void dead_letter(const Batch& from, std::string_view line, const std::string& reason);
  bool send(const std::stop_token& stop);
  bool advance(Delivery delivery, std::size_t offered, const std::stop_token& stop);
  void finish(std::size_t lines, const std::vector<Refused>& refused);
  void retire(std::unique_ptr<Batch> batch);
  void go_back(std::size_t bytes);
  void back_off(const std::string& error, std::chrono::milliseconds pause_min,
                const std::stop_token& stop);
  [[nodiscard]] std::size_t window_lines() const;
  void wait_for_work();
  void give_back_memory();
  void save(bool now);

  Shared& shared_;
  const SinkConfig config_;
  std::deque<std::unique_ptr<Batch>> window_;
  std::vector<std::unique_ptr<Batch>> spare_;  // their memory is used again
  std::size_t bytes_since_given_back_ = 0;     // read of the sources
  std::unique_ptr<Sink> sink_;  // ends before the window, whose lines it may still look at
  UniqueFd wake_;               // eventfd(2): a source changed, or the worker is to stop
  const std::unique_ptr<Checkpoints> checkpoint_;
  FormWriter forms_;
  const bool takes_all_;  // no route
  WithheldLog withheld_;
  std::mt19937_64 random_;
  std::size_t resend_bytes_max_;
  std::vector<Source> sources_;
  std::size_t next_source_ = 0;
  std::size_t given_ = 0;  // lines of the window that the sink has, beyond those that are done
  std::deque<Past> past_;
  std::size_t past_bytes_ = 0;
  Cursors cursors_;
  bool dirty_ = false, failed_ = false, complete_ = true;
  MonotonicTime saved_at_{};
  std::chrono::milliseconds backoff_{0};
  std::optional<MonotonicTime> deadline_;
  std::string last_error_;

  Counters counters_;
  std::atomic<bool> handing_over_{false}, needs_restart_{false};
  // Since when the present step goes on, in ticks of the monotonic clock; 0 while it rests.
  std::atomic<MonotonicTime::rep> working_since_{0};
  mutable std::mutex mutex_;
  SinkState state_ = SinkState::kDelivering;  // guarded by mutex_, as are the following
  std::string error_;
  Cursors published_;
  std::vector<std::string> source_names_;
  std::optional<std::vector<std::string>> new_sources_;
};

}  // namespace lilith::shipper
