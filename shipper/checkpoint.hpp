#pragma once
// How far a sink has got in each source. Written after delivery, by write, fsync, rename; two
// generations are kept, so that one that cannot be read costs repeats and never events.

#include "audit/base/result.hpp"
#include "audit/cursors.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lilith::shipper {

using audit::Cursors;

struct CheckpointLoad {
  Cursors cursors;
  std::string problem;  // a sentence when a generation was damaged and set aside, empty otherwise
};

// Files: DIRECTORY/NAME.checkpoint.json and NAME.checkpoint.1.json.
class CheckpointFile {
 public:
  CheckpointFile(const std::string& directory, const std::string& sink);
  [[nodiscard]] CheckpointLoad load() const;
  [[nodiscard]] Result<void> save(const Cursors& cursors) const;

 private:
  std::string path_, previous_;
};

// Where a worker leaves its cursors; of those that come faster than they can be written only the
// last ones are.
class Checkpoints {
 public:
  virtual ~Checkpoints() = default;
  [[nodiscard]] virtual CheckpointLoad load() = 0;
  virtual void post(Cursors cursors) = 0;
  // Returns when what was posted is on disk, or could not be written.
  virtual void flush() = 0;
  // Whether the last cursors could not be written; they should be posted again.
  [[nodiscard]] virtual bool owes() const = 0;
};

// Saves on a thread of its own, so that delivery does not wait for the disk.
class CheckpointWriter final : public Checkpoints {
 public:
  CheckpointWriter(CheckpointFile file, std::function<void(const Error&)> failed);
  ~CheckpointWriter() override;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  CheckpointLoad load() override { return file_.load(); }
  void post(Cursors cursors) override;
  void flush() override;
  bool owes() const override { return owes_.load(); }

 private:
  void run();

  CheckpointFile file_;
  std::function<void(const Error&)> failed_;
  std::atomic<bool> owes_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Cursors> next_;  // guarded by mutex_, as are the following
  bool writing_ = false, end_ = false;
  std::thread thread_;
};

}  // namespace lilith::shipper
