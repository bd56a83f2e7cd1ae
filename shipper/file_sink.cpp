#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "shipper/http_client.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::size_t kTailBytes = std::size_t{64} * 1024;

class FileSink final : public Sink {
 public:
  explicit FileSink(const SinkConfig& config) : path_(config.path), fsync_(config.fsync) {}

  [[nodiscard]] std::string_view proof() const override {
    return fsync_ ? "on disk" : "in the file";
  }

  Delivery deliver(std::span<const Line> lines) override {
    Delivery delivery;
    if (auto ready = open_current(); !ready) return retry(ready.error().message);
    buffer_.clear();
    for (const Line& line : lines) {
      buffer_ += line.body;
      buffer_.push_back('\n');
    }
    if (auto written = write_all(fd_.get(), buffer_); !written) {
      // Nothing that is not whole may stay; the lines are written again.
      if (::ftruncate(fd_.get(), size_) != 0) fd_.reset();
      return retry(written.error().message + " (" + path_ + ")");
    }
    size_ += static_cast<off_t>(buffer_.size());
    if (fsync_ && ::fdatasync(fd_.get()) != 0) return retry("cannot sync " + path_);
    delivery.taken = delivery.done = lines.size();
    return delivery;
  }

  void give_back_memory() override { give_back(buffer_); }

 private:
  static Delivery retry(std::string error) {
    Delivery delivery;
    delivery.outcome = Outcome::kRetry;
    delivery.error = std::move(error);
    return delivery;
  }

  // The file at the path now: it may have been rotated since the last batch.
  Result<void> open_current() {
    struct stat there{};
    const bool exists = ::lstat(path_.c_str(), &there) == 0;
    if (fd_.valid() && exists && there.st_dev == device_ && there.st_ino == inode_ &&
        there.st_size == size_) {
      return {};
    }
    fd_.reset(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                     kFileMode));
    if (!fd_.valid()) return fail_errno("cannot open " + path_);
    if (::fstat(fd_.get(), &there) != 0) return fail_errno("cannot look at " + path_);
    if (!S_ISREG(there.st_mode)) return fail(ErrorCode::kIo, path_ + " is not a regular file");
    device_ = there.st_dev;
    inode_ = there.st_ino;
    size_ = there.st_size;
    return cut_torn_tail();
  }

  // A line that a crash left in part is ours and comes again.
  Result<void> cut_torn_tail() {
    off_t end = size_;
    std::string tail;
    while (end > 0) {
      const off_t from = std::max<off_t>(0, end - static_cast<off_t>(kTailBytes));
      tail.resize(static_cast<std::size_t>(end - from));
      const ssize_t got = ::pread(fd_.get(), tail.data(), tail.size(), from);
      if (got != static_cast<ssize_t>(tail.size())) return fail_errno("cannot read " + path_);
      const std::size_t lf = tail.rfind('\n');
      end = lf == std::string::npos ? from : from + static_cast<off_t>(lf) + 1;
      if (lf != std::string::npos) break;
    }
    if (end == size_) return {};
    if (::ftruncate(fd_.get(), end) != 0) return fail_errno("cannot cut " + path_);
    size_ = end;
    return {};
  }

  std::string path_;
  bool fsync_;
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  off_t size_ = 0;
  std::string buffer_;
};

class StdoutSink final : public Sink {
 public:
  [[nodiscard]] std::string_view proof() const override { return "pipe"; }

  Delivery deliver(std::span<const Line> lines) override {
    buffer_.clear();
    for (const Line& line : lines) {
      buffer_ += line.body;
      buffer_.push_back('\n');
    }
    Delivery delivery;
    if (auto written = write_all(STDOUT_FILENO, buffer_); !written) {
      delivery.outcome = Outcome::kFailed;
      delivery.error = "standard output: " + written.error().message;
      return delivery;
    }
    delivery.taken = delivery.done = lines.size();
    return delivery;
  }

  void give_back_memory() override { give_back(buffer_); }

 private:
  std::string buffer_;
};

}  // namespace

std::unique_ptr<Sink> make_file_sink(const SinkConfig& config) {
  return std::make_unique<FileSink>(config);
}
std::unique_ptr<Sink> make_stdout_sink() { return std::make_unique<StdoutSink>(); }

Result<std::unique_ptr<Sink>> make_sink(const SinkConfig& config) {
  if (config.type == SinkType::kHttp || (config.type == SinkType::kWazuh && !config.url.empty())) {
    if (auto ready = HttpClient::ready(); !ready) return pass_error(ready);
  }
  switch (config.type) {
    case SinkType::kFile:
      return make_file_sink(config);
    case SinkType::kStdout:
      return make_stdout_sink();
    case SinkType::kSyslog:
      return make_syslog_sink(config);
    case SinkType::kKafka:
      return make_kafka_sink(config);
    case SinkType::kHttp:
      return make_http_sink(config);
    case SinkType::kWazuh:
      if (!config.url.empty()) return make_wazuh_api_sink(config);
      return make_wazuh_sink(config);
  }
  return fail(ErrorCode::kInvalidInput, "unknown sink type");
}

}  // namespace lilith::shipper
