#include "shipper/checkpoint.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"

#include <cstdio>
#include <filesystem>

namespace lilith::shipper {
namespace {

constexpr unsigned kFileMode = 0640;

}  // namespace

CheckpointFile::CheckpointFile(const std::string& directory, const std::string& sink)
    : path_(audit::checkpoint_path(directory, sink)),
      previous_(audit::checkpoint_before_path(directory, sink)) {}

CheckpointLoad CheckpointFile::load() const {
  CheckpointLoad out;
  for (const std::string& path : {path_, previous_}) {
    auto content = read_file(path, limits::kCheckpointBytesMax);
    if (!content && content.error().code == ErrorCode::kNotFound) continue;
    Result<Cursors> cursors =
        content ? audit::cursors_from_text(*content) : Result<Cursors>(pass_error(content));
    if (cursors) {
      out.cursors = std::move(*cursors);
      return out;
    }
    std::string aside = path + ".corrupt-" + format_time(system_clock().now());
    std::error_code ignored;
    std::filesystem::rename(path, aside, ignored);
    out.problem += (out.problem.empty() ? "" : "; ") + path + " cannot be used (" +
                   cursors.error().message + ") and was set aside as " + aside;
  }
  return out;
}

Result<void> CheckpointFile::save(const Cursors& cursors) const {
  // The last good one becomes the previous generation; between the two renames it is the only one.
  if (std::rename(path_.c_str(), previous_.c_str()) != 0 && errno != ENOENT) {
    return fail_errno("cannot keep " + previous_);
  }
  return replace_file(path_, audit::cursors_to_text(cursors), kFileMode);
}

CheckpointWriter::CheckpointWriter(CheckpointFile file, std::function<void(const Error&)> failed)
    : file_(std::move(file)), failed_(std::move(failed)), thread_([this] { run(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CheckpointWriter::post(Cursors cursors) {
  {
    const std::scoped_lock lock(mutex_);
    next_ = std::move(cursors);
  }
  changed_.notify_all();
}

void CheckpointWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !next_ && !writing_; });
}

void CheckpointWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return next_ || end_; });
    if (!next_) return;
    const Cursors cursors = std::move(*next_);
    next_.reset();
    writing_ = true;
    lock.unlock();
    const auto saved = file_.save(cursors);
    owes_ = !saved;
    if (!saved) failed_(saved.error());
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

}  // namespace lilith::shipper
