#include "audit/read/reader.hpp"

#include "audit/base/limits.hpp"
#include "audit/read/source.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lilith::audit {
namespace {

class BufferedLineReader final : public LineReader {
 public:
  explicit BufferedLineReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {
    capacity_ = 2 * limits::kReaderChunkBytes;
    buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
  }

  Result<Status> next(std::string_view& line) override {
    if (skipping_) {
      auto skipped = skip_to_line_feed();
      if (!skipped) return pass_error(skipped);
    }
    for (;;) {
      if (has_line()) {
        const auto at = static_cast<std::size_t>(std::exchange(lf_, nullptr) - buffer_.get());
        const std::size_t start = std::exchange(begin_, at + 1);
        scan_ = begin_;
        ++line_number_;
        const std::size_t size = at - start;
        line = {buffer_.get() + start, std::min(size, limits::kReaderLineBytesMax)};
        return size > limits::kReaderLineBytesMax ? Status::kTooLong : Status::kLine;
      }
      scan_ = end_;
      if (end_ - begin_ > limits::kReaderLineBytesMax) {
        line = {buffer_.get() + begin_, limits::kReaderLineBytesMax};
        begin_ = end_;
        skipping_ = true;
        ++line_number_;
        return Status::kTooLong;
      }
      auto more = fill();
      if (!more) return pass_error(more);
      if (*more) continue;
      line = {buffer_.get() + begin_, end_ - begin_};
      begin_ = scan_ = end_;
      if (line.empty()) return Status::kEnd;
      ++line_number_;
      return Status::kTorn;
    }
  }

  bool has_line() override {
    if (lf_ == nullptr) lf_ = find_line_feed(scan_);
    return lf_ != nullptr;
  }

  std::uint64_t line_number() const override { return line_number_; }

 private:
  const char* find_line_feed(std::size_t from) const {
    return static_cast<const char*>(std::memchr(buffer_.get() + from, '\n', end_ - from));
  }

  Result<void> skip_to_line_feed() {
    for (;;) {
      if (const char* lf = find_line_feed(begin_)) {
        begin_ = scan_ = static_cast<std::size_t>(lf - buffer_.get()) + 1;
        break;
      }
      begin_ = scan_ = end_;
      auto more = fill();
      if (!more) return pass_error(more);
      if (!*more) break;
    }
    skipping_ = false;
    return {};
  }

  // Appends to what is there; false at the end of the file.
  Result<bool> fill() {
    if (begin_ > 0) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
      scan_ -= begin_;
      end_ -= begin_;
      begin_ = 0;
    }
    if (capacity_ - end_ < limits::kReaderChunkBytes) {
      auto larger = std::make_unique_for_overwrite<char[]>(capacity_ * 2);
      std::memcpy(larger.get(), buffer_.get(), end_);
      buffer_ = std::move(larger);
      capacity_ *= 2;
    }
    auto got = source_->read(buffer_.get() + end_, capacity_ - end_);
    if (!got) return pass_error(got);
    end_ += *got;
    return *got > 0;
  }

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;     // start of the line that comes next
  std::size_t scan_ = 0;      // no LF between begin_ and here
  const char* lf_ = nullptr;  // the next one, once it was looked for and found
  std::size_t end_ = 0;
  std::uint64_t line_number_ = 0;
  bool skipping_ = false;
};

}  // namespace

Result<std::unique_ptr<LineReader>> LineReader::open(const std::string& path) {
  auto source = open_source(path);
  if (!source) return pass_error(source);
  return std::make_unique<BufferedLineReader>(std::move(*source));
}

}  // namespace lilith::audit
