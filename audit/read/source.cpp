#include "audit/read/source.hpp"

#include "audit/base/limits.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lilith::audit {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::string_view kGzipMagic{"\x1f\x8b", 2};

enum class Form { kPlain, kGzip, kZstd };

Form form_of(std::string_view head) {
  if (head.substr(0, kGzipMagic.size()) == kGzipMagic) return Form::kGzip;
  if (head.size() < kMagicBytes) return Form::kPlain;
  std::uint32_t magic = 0;
  for (std::size_t i = 0; i < kMagicBytes; ++i)
    magic |= static_cast<std::uint32_t>(static_cast<unsigned char>(head[i])) << (8 * i);
  const bool skippable = (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
  return magic == ZSTD_MAGICNUMBER || skippable ? Form::kZstd : Form::kPlain;
}

Result<std::size_t> read_some(int fd, char* out, std::size_t size, const std::string& name) {
  for (;;) {
    const ssize_t got = ::read(fd, out, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return fail_errno("cannot read " + name);
  }
}

// The compressed side: a descriptor with a buffer that knows what was consumed.
class Input {
 public:
  Input(UniqueFd fd, std::string name, std::string_view head)
      : fd_(std::move(fd)), name_(std::move(name)), buffer_(limits::kReaderChunkBytes) {
    std::copy(head.begin(), head.end(), buffer_.begin());
    end_ = head.size();
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view available() const {
    return {buffer_.data() + begin_, end_ - begin_};
  }
  void consume(std::size_t count) {
    begin_ += count;
    consumed_ += count;
  }
  [[nodiscard]] std::uint64_t consumed() const { return consumed_; }
  // False at the end of the file.
  [[nodiscard]] Result<bool> refill() {
    begin_ = end_ = 0;
    auto got = read_some(fd_.get(), buffer_.data(), buffer_.size(), name_);
    if (!got) return pass_error(got);
    end_ = *got;
    return *got > 0;
  }
  [[nodiscard]] std::unexpected<Error> damaged(std::string_view form, std::string_view why) const {
    return fail(ErrorCode::kInvalidInput, name_ + ": damaged " + std::string(form) +
                                              " data near byte " + std::to_string(consumed_) +
                                              " of the file: " + std::string(why));
  }

 private:
  UniqueFd fd_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t consumed_ = 0;
};

class PlainSource final : public ByteSource {
 public:
  PlainSource(UniqueFd fd, std::string name, std::string_view head)
      : fd_(std::move(fd)), name_(std::move(name)), head_(head) {}
  Result<std::size_t> read(char* out, std::size_t size) override {
    if (!head_.empty()) {
      const std::size_t count = std::min(size, head_.size());
      std::memcpy(out, head_.data(), count);
      head_.erase(0, count);
      return count;
    }
    return read_some(fd_.get(), out, size, name_);
  }

 private:
  UniqueFd fd_;
  std::string name_;
  std::string head_;
};

class GzipSource final : public ByteSource {
 public:
  explicit GzipSource(Input input) : input_(std::move(input)) {
    // 15 bits of window, and 16 for "gzip header and trailer".
    ready_ = ::inflateInit2(&stream_, 15 + 16) == Z_OK;
  }
  ~GzipSource() override {
    if (ready_) ::inflateEnd(&stream_);
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (!ready_) return fail(ErrorCode::kLimitExceeded, input_.name() + ": no memory for zlib");
    std::size_t made = 0;
    while (made == 0) {
      if (input_.available().empty()) {
        auto more = input_.refill();
        if (!more) return pass_error(more);
        if (!*more) {
          if (in_member_)
            return input_.damaged("gzip", "it ends in the middle of a member (cut short?)");
          return 0U;
        }
      }
      if (!in_member_) {
        auto begun = begin_member();
        if (!begun) return pass_error(begun);
        if (!in_member_) continue;
      }
      const std::string_view in = input_.available();
      // zlib's interface has no const; it does not write here.
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
      stream_.avail_in = static_cast<uInt>(in.size());
      stream_.next_out = reinterpret_cast<Bytef*>(out);
      stream_.avail_out = static_cast<uInt>(std::min(size, limits::kReaderChunkBytes));
      const uInt room = stream_.avail_out;
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      input_.consume(in.size() - stream_.avail_in);
      made = room - stream_.avail_out;
      if (status == Z_STREAM_END) in_member_ = false;
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR && made == 0)
        return input_.damaged("gzip", stream_.msg != nullptr ? stream_.msg : "bad block");
    }
    return made;
  }

 private:
  // gzip(1) allows zero padding after a member.
  Result<void> begin_member() {
    std::string_view in = input_.available();
    if (any_member_) {
      const std::size_t data = std::min(in.find_first_not_of('\0'), in.size());
      input_.consume(data);
      in.remove_prefix(data);
      if (in.empty()) return {};
      if (in.front() != kGzipMagic.front())
        return input_.damaged("gzip", "what follows the last member is no gzip member");
      if (::inflateReset(&stream_) != Z_OK) return input_.damaged("gzip", "cannot start a member");
    }
    in_member_ = any_member_ = true;
    return {};
  }

  Input input_;
  z_stream stream_{};
  bool ready_ = false;
  bool in_member_ = false;
  bool any_member_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  explicit ZstdSource(Input input) : input_(std::move(input)), context_(::ZSTD_createDCtx()) {
    if (context_)
      ::ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax,
                               limits::kReaderZstdWindowLogMax);
  }

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (!context_) return fail(ErrorCode::kLimitExceeded, input_.name() + ": no memory for zstd");
    for (;;) {
      if (input_.available().empty()) {
        auto more = input_.refill();
        if (!more) return pass_error(more);
        if (!*more && in_frame_)
          return input_.damaged("zstd", "it ends in the middle of a frame (cut short?)");
        if (!*more) return 0U;
      }
      const std::string_view in = input_.available();
      ZSTD_inBuffer from{in.data(), in.size(), 0};
      ZSTD_outBuffer to{out, size, 0};
      const std::size_t status = ::ZSTD_decompressStream(context_.get(), &to, &from);
      input_.consume(from.pos);
      if (::ZSTD_isError(status) != 0 && to.pos == 0)
        return input_.damaged("zstd", ::ZSTD_getErrorName(status));
      if (::ZSTD_isError(status) == 0) in_frame_ = status != 0;
      if (to.pos > 0) return to.pos;
    }
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
  };
  Input input_;
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool in_frame_ = false;
};

}  // namespace

Result<UniqueFd> open_for_reading(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) {
    const int reason = errno;
    if (reason == ENOENT) return fail(ErrorCode::kNotFound, path + " does not exist", reason);
    return fail_errno("cannot open " + path, reason);
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("cannot stat " + path);
  if (S_ISDIR(status.st_mode)) return fail(ErrorCode::kInvalidInput, path + " is a directory");
  return fd;
}

bool looks_compressed(int fd) {
  char head[kMagicBytes];
  const ssize_t got = ::pread(fd, head, sizeof head, 0);
  return got > 0 && form_of({head, static_cast<std::size_t>(got)}) != Form::kPlain;
}

Result<std::unique_ptr<ByteSource>> open_source(UniqueFd fd, const std::string& name) {
  char head[kMagicBytes];
  std::size_t size = 0;
  while (size < sizeof head) {
    auto got = read_some(fd.get(), head + size, sizeof head - size, name);
    if (!got) return pass_error(got);
    if (*got == 0) break;
    size += *got;
  }
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  const std::string_view view(head, size);
  switch (form_of(view)) {
    case Form::kGzip:
      return std::make_unique<GzipSource>(Input(std::move(fd), name, view));
    case Form::kZstd:
      return std::make_unique<ZstdSource>(Input(std::move(fd), name, view));
    case Form::kPlain:
      break;
  }
  return std::make_unique<PlainSource>(std::move(fd), name, view);
}

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  if (path == "-") {
    UniqueFd copy(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return fail_errno("cannot read standard input");
    return open_source(std::move(copy), "standard input");
  }
  auto fd = open_for_reading(path);
  if (!fd) return pass_error(fd);
  return open_source(std::move(*fd), path);
}

}  // namespace lilith::audit
