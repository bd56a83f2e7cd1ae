#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"
#include "audit/read/source.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lilith::audit {
namespace {

// One file by offset, whatever its form on disk.
class TailFile {
 public:
  [[nodiscard]] static Result<std::unique_ptr<TailFile>> open(const std::string& path) {
    auto fd = open_for_reading(path);
    if (!fd) return pass_error(fd);
    struct stat status{};
    if (::fstat(fd->get(), &status) != 0) return fail_errno("cannot stat " + path);
    auto file = std::make_unique<TailFile>();
    file->path_ = path;
    file->device_ = status.st_dev;
    file->inode_ = status.st_ino;
    file->compressed_ = looks_compressed(fd->get());
    file->fd_ = std::move(*fd);
    return file;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t device() const { return device_; }
  [[nodiscard]] std::uint64_t inode() const { return inode_; }
  [[nodiscard]] bool compressed() const { return compressed_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  // Stored size and time of last writing; {0, 0} when the descriptor can't be asked.
  [[nodiscard]] std::pair<std::uint64_t, std::int64_t> size_and_mtime() const {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0) return {0, 0};
    return {
        static_cast<std::uint64_t>(status.st_size),
        static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
  }

  // Why a compressed file ends where it does, when that is not its proper end.
  [[nodiscard]] const std::string& damage() const { return damage_; }

  // Fills `out` with `size` bytes from `offset`; fewer only at the end (or where damage begins).
  [[nodiscard]] Result<void> read_at(std::uint64_t offset, std::size_t size, std::string& out) {
    if (compressed_) return decompress_at(offset, size, out);
    int error = 0;
    // By `size` and not by what the library passes: libstdc++ 12 passes the capacity it grew to.
    out.resize_and_overwrite(size, [&](char* into, std::size_t) {
      std::size_t have = 0;
      while (have < size) {
        const ssize_t got =
            ::pread(fd_.get(), into + have, size - have, static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) error = errno;
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
      }
      return have;
    });
    if (error != 0) return fail_errno("cannot read " + path_, error);
    return {};
  }

 private:
  // A decompressor only goes forward: `window_` keeps what was asked for last and what was made
  // beyond it.
  Result<void> decompress_at(std::uint64_t offset, std::size_t size, std::string& out) {
    if (!source_ || offset < window_at_) {
      UniqueFd again(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
      if (!again.valid() || ::lseek(again.get(), 0, SEEK_SET) != 0)
        return fail_errno("cannot read " + path_);
      auto source = open_source(std::move(again), path_);
      if (!source) return pass_error(source);
      source_ = std::move(*source);
      window_.clear();
      window_at_ = 0;
      at_end_ = false;
    }
    for (;;) {
      const std::uint64_t skip = std::min<std::uint64_t>(offset - window_at_, window_.size());
      window_.erase(0, skip);
      window_at_ += skip;
      if (at_end_ || (window_at_ == offset && window_.size() >= size)) break;
      const std::size_t had = window_.size();
      window_.resize(had + limits::kReaderChunkBytes);
      auto got = source_->read(window_.data() + had, limits::kReaderChunkBytes);
      window_.resize(had + (got ? *got : 0));
      if (!got) damage_ = got.error().message;
      at_end_ = !got || *got == 0;
    }
    out = window_at_ == offset ? window_.substr(0, size) : std::string();
    return {};
  }

  std::string path_;
  UniqueFd fd_;
  std::uint64_t device_ = 0, inode_ = 0;
  bool compressed_ = false;
  std::unique_ptr<ByteSource> source_;
  std::string window_;
  std::uint64_t window_at_ = 0;
  bool at_end_ = false;
  std::string damage_;
};

// Whether the line that ends at `offset` has this hash.
bool line_before(TailFile& file, std::uint64_t offset, const std::string& sha256) {
  if (offset == 0) return true;
  std::string tail;
  if (file.compressed()) {
    // Forward only: keep the last stretch while going to `offset`.
    std::string chunk;
    for (std::uint64_t at = 0; at < offset; at += chunk.size()) {
      const auto want = std::min<std::uint64_t>(limits::kReaderChunkBytes, offset - at);
      if (!file.read_at(at, want, chunk) || chunk.empty()) return false;
      tail += chunk;
      if (tail.size() > 4 * limits::kReaderLineBytesMax)
        tail.erase(0, tail.size() - 2 * limits::kReaderLineBytesMax);
    }
  } else {
    const auto want = std::min<std::uint64_t>(offset, limits::kReaderLineBytesMax + 2);
    if (!file.read_at(offset - want, want, tail) || tail.size() != want) return false;
  }
  if (tail.empty() || tail.back() != '\n') return false;
  if (sha256.empty()) return true;
  tail.pop_back();
  const std::size_t lf = tail.rfind('\n');
  if (lf != std::string::npos) tail.erase(0, lf + 1);
  // A run of NULs that was skipped may stand before the line.
  tail.erase(0, std::min(tail.find_first_not_of('\0'), tail.size()));
  return sha256_hex(tail) == sha256;
}

void say(std::string& gap, const std::string& sentence) {
  if (sentence.empty()) return;
  if (!gap.empty()) gap += ' ';
  gap += sentence;
}

std::string_view line_of(const FollowedLines& lines, std::size_t index) {
  const std::size_t start = index > 0 ? lines.ends[index - 1] : 0;
  return std::string_view(lines.bytes).substr(start, lines.ends[index] - start - 1);
}

void set_line(Position& position, std::string_view line) {
  position.last_line_sha256 = sha256_hex(line);
  position.seq = 0;
  position.chain_id.clear();
  if (const auto fields = chain_fields(line)) {
    position.seq = fields->seq;
    position.chain_id = fields->id;
  }
}

std::string range(std::uint64_t first, std::uint64_t last) {
  return first == last ? "seq " + std::to_string(first)
                       : "seq " + std::to_string(first) + " to " + std::to_string(last);
}

class SeriesFollower final : public Follower {
 public:
  explicit SeriesFollower(FollowOptions options) : options_(std::move(options)) {}

  Result<void> seek(const Position& position) override {
    file_.reset();
    state_.here = position;
    state_.scan = position.offset;
    state_.mark.clear();
    state_.long_line = {};
    skip_until_seq_ = 0;
    pending_gap_.clear();
    const bool nowhere =
        position.inode == 0 && position.offset == 0 && position.first_line_sha256.empty();
    auto series = list();
    if (!series) return pass_error(series);
    if (nowhere) {
      return series->empty() ? Result<void>{} : enter(series->front());
    }
    auto found = find(*series, position);
    if (!found) return pass_error(found);
    if (*found) return {};
    return resume_without_file(*series, position);
  }

  Result<void> read(FollowedLines& out, std::string& gap) override {
    out.bytes.clear();
    out.ends.clear();
    out.positions.clear();
    gap = std::exchange(pending_gap_, {});
    for (;;) {
      if (!file_) {
        auto opened = open_first();
        if (!opened || !file_) return opened;
      }
      // Asked before reading: what is in the file after a newer one exists is all there will be.
      const bool live = is_live();
      const State before = state_;
      std::string sentence;
      auto taken = take(out, sentence);
      if (!taken) return pass_error(taken);
      // Asked after reading: what was read is what it seems only if the file was not cut meanwhile.
      auto elsewhere = cut_meanwhile(before, gap);
      if (!elsewhere) return pass_error(elsewhere);
      if (*elsewhere) {
        out.bytes.clear();
        out.ends.clear();
        continue;
      }
      say(gap, sentence);
      if (*taken == Taken::kLines) {
        out.positions.assign(1, state_.here);
        out.file = file_->path();
        return {};
      }
      if (*taken == Taken::kSkipped) continue;
      if (live) return {};
      auto advanced = advance(gap);
      if (!advanced) return pass_error(advanced);
      if (!*advanced) return {};
    }
  }

  std::uint64_t lag_bytes() const override {
    std::uint64_t bytes = 0;
    bool after = !file_;
    for (const LogFile& one : listed_) {
      if (after && !one.live) bytes += one.size;
      if (is_file(one)) after = true;
    }
    // A compressed file's share that was read is not known before its end.
    const std::uint64_t size = file_ ? file_->size_and_mtime().first : 0;
    if (file_ && (file_->compressed() || size > state_.here.offset))
      bytes += file_->compressed() ? size : size - state_.here.offset;
    struct stat status{};
    if (!(file_ && is_live()) && ::stat(options_.path.c_str(), &status) == 0)
      bytes += static_cast<std::uint64_t>(status.st_size);
    return bytes;
  }

 private:
  enum class Taken { kLines, kSkipped, kNothing };

  // A line above limits::kReaderLineBytesMax that is being passed over without being held.
  struct LongLine {
    bool active = false;
    std::uint64_t start = 0, next = 0;
    Sha256 sha256;
  };

  struct State {
    Position here;           // after the last line taken
    std::uint64_t scan = 0;  // after what was taken or skipped
    std::string mark;        // the bytes before mark_end, plain files only
    std::uint64_t mark_end = 0;
    LongLine long_line;
  };

  [[nodiscard]] bool is_file(const LogFile& one) const {
    return file_ && one.device == file_->device() && one.inode == file_->inode();
  }

  [[nodiscard]] bool is_live() const {
    struct stat status{};
    return ::stat(options_.path.c_str(), &status) == 0 && status.st_dev == file_->device() &&
           status.st_ino == file_->inode();
  }

  Result<std::vector<LogFile>> list() {
    auto series = log_series(options_.path);
    if (series) listed_ = *series;
    return series;
  }

  // Starts at the beginning of a file; seq and chain stay, so that what is missing between two
  // files is noticed.
  void place(std::unique_ptr<TailFile> opened, const LogFile& one) {
    file_ = std::move(opened);
    state_.here.device = file_->device();
    state_.here.inode = file_->inode();
    state_.here.offset = 0;
    state_.here.first_line_sha256 = one.first_line_sha256;
    state_.here.last_line_sha256.clear();
    state_.scan = 0;
    state_.mark.clear();
    state_.long_line = {};
    was_live_ = one.live;
    before_live_ = listed_;
    std::erase_if(before_live_, [](const LogFile& other) { return other.live; });
  }

  // A file that was renamed between listing and opening is left for the next read() to find.
  Result<void> enter(const LogFile& one) {
    auto opened = TailFile::open(one.path);
    if (opened) place(std::move(*opened), one);
    if (!opened && opened.error().code != ErrorCode::kNotFound) return pass_error(opened);
    return {};
  }

  Result<void> open_first() {
    auto series = list();
    if (!series) return pass_error(series);
    if (series->empty()) return {};
    if (state_.here.seq > 0) {
      const LogFile* next = successor(*series, 0);
      return next != nullptr ? enter(*next) : Result<void>{};
    }
    return enter(series->front());
  }

  // Takes up `position` in the file that holds it: the very file, else one of the same content
  // (compressed or copied meanwhile).
  Result<bool> find(const std::vector<LogFile>& series, const Position& position) {
    for (const bool same_inode : {true, false}) {
      for (auto one = series.rbegin(); one != series.rend(); ++one) {
        const bool same = one->device == position.device && one->inode == position.inode;
        if (same != same_inode) continue;
        if (!same && position.first_line_sha256.empty()) continue;
        if (!position.first_line_sha256.empty() &&
            one->first_line_sha256 != position.first_line_sha256)
          continue;
        auto opened = TailFile::open(one->path);
        if (!opened && opened.error().code == ErrorCode::kNotFound) continue;
        if (!opened) return pass_error(opened);
        if (!line_before(**opened, position.offset, position.last_line_sha256)) continue;
        file_ = std::move(*opened);
        state_.here = position;
        state_.here.device = file_->device();
        state_.here.inode = file_->inode();
        state_.here.first_line_sha256 = one->first_line_sha256;
        state_.scan = position.offset;
        state_.long_line = {};
        return keep_mark();
      }
    }
    return false;
  }

  // Remembers the bytes before the position, by which a rewritten file is told.
  Result<bool> keep_mark() {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(state_.scan, kMarkBytesMax));
    state_.mark.clear();
    if (size == 0 || file_->compressed()) return true;
    auto read = file_->read_at(state_.scan - size, size, state_.mark);
    if (!read) return pass_error(read);
    state_.mark_end = state_.scan;
    return true;
  }

  // Whether the line before `position` stands in that file: after a power cut the chain may have
  // gone on from an earlier line.
  static Result<bool> has_line(const LogFile& file, const Position& position) {
    auto reader = LineReader::open(file.path);
    if (!reader) return pass_error(reader);
    std::string_view line;
    for (;;) {
      const auto status = (*reader)->next(line);
      if (!status || *status == LineReader::Status::kEnd) return false;
      const auto fields = chain_fields(line);
      if (!fields || fields->id != position.chain_id || fields->seq != position.seq) continue;
      if (sha256_hex(line) == position.last_line_sha256) return true;
    }
  }

  Result<void> resume_without_file(const std::vector<LogFile>& series, const Position& position) {
    const std::string lost = options_.path + ": the file that was read up to byte " +
                             std::to_string(position.offset) + " is gone or was rewritten";
    const LogFile* start = nullptr;
    const LogFile* holder = nullptr;  // where the last line that was read must stand
    if (position.seq > 0) {
      for (const LogFile& one : series) {
        if (one.chain_id != position.chain_id || one.seq == 0) continue;
        if (start == nullptr || one.seq <= position.seq + 1) start = &one;
        if (one.seq <= position.seq) holder = &one;
      }
    }
    if (start != nullptr) {
      Result<bool> known = true;
      if (holder != nullptr) known = has_line(*holder, position);
      if (!known) return pass_error(known);
      if (*known) skip_until_seq_ = position.seq;
      if (!*known) start = holder;
      pending_gap_ = lost +
                     (*known ? "; going on by seq in "
                             : "; lines of the same seq are others now, reading again from ") +
                     start->path + ".";
      return enter(*start);
    }
    // Twice is better than never.
    pending_gap_ = lost + "; reading starts again with the oldest file that is left.";
    state_.here = {};
    state_.scan = 0;
    if (series.empty()) return {};
    return enter(series.front());
  }

  // Whether the file in hand was cut since `before` (its content may be in a copy now); then
  // reading goes on elsewhere.
  Result<bool> cut_meanwhile(const State& before, std::string& gap) {
    auto same = still_holds(before);
    if (!same) return pass_error(same);
    if (!*same) {
      state_ = before;
      auto moved = find_copy(gap);
      if (!moved) return pass_error(moved);
      return true;
    }
    if (!was_live_ || before.here.offset > 0) return false;
    // Nothing was taken from this file before: that it was cut shows only by a new copy.
    auto series = list();
    if (!series) return pass_error(series);
    for (const LogFile& one : *series) {
      if (is_file(one) || one.live) break;
      if (known_before_live(one)) continue;
      // A copy of what was just read; but where nothing was, all of it stands in the copy only.
      if (state_.scan > 0 && one.first_line_sha256 == state_.here.first_line_sha256) break;
      auto opened = TailFile::open(one.path);
      if (!opened && opened.error().code == ErrorCode::kNotFound) continue;
      if (!opened) return pass_error(opened);
      place(std::move(*opened), one);
      return true;
    }
    return false;
  }

  [[nodiscard]] bool known_before_live(const LogFile& one) const {
    return std::any_of(before_live_.begin(), before_live_.end(), [&](const LogFile& known) {
      // Not by inode: that of a file which was compressed and removed is given out again.
      return one.first_line_sha256.empty() ? known.device == one.device && known.inode == one.inode
                                           : known.first_line_sha256 == one.first_line_sha256;
    });
  }

  // What stood before the position stands there still (not so in a file that got shorter, nor in
  // one that was cut and grew past the position again).
  Result<bool> still_holds(const State& state) {
    if (file_->compressed()) return true;
    const std::uint64_t size = file_->size_and_mtime().first;
    if (state.mark.empty()) return size >= state.scan;
    if (size < state.mark_end) return false;
    std::string now;
    auto read = file_->read_at(state.mark_end - state.mark.size(), state.mark.size(), now);
    if (!read) return pass_error(read);
    return now == state.mark;
  }

  // The file in hand was cut (copytruncate): the rest may stand in the copy.
  Result<void> find_copy(std::string& gap) {
    auto series = list();
    if (!series) return pass_error(series);
    std::erase_if(*series, [&](const LogFile& one) { return is_file(one); });
    const Position wanted = state_.here;
    const std::string path = file_->path();
    const std::uint64_t size = file_->size_and_mtime().first;
    if (wanted.offset > 0 && !wanted.first_line_sha256.empty()) {
      auto found = find(*series, wanted);
      if (!found) return pass_error(found);
      if (*found) return {};
    }
    say(gap, path + " was cut or rewritten after byte " + std::to_string(wanted.offset) +
                 " was read (it has " + std::to_string(size) +
                 " bytes now) and no copy of it was found; reading goes on at its beginning.");
    state_.here.offset = 0;
    state_.here.last_line_sha256.clear();
    state_.here.first_line_sha256.clear();
    state_.scan = 0;
    state_.mark.clear();
    state_.long_line = {};
    return {};
  }

  // The file that comes after `mtime_ns` or after the last seq, when the one in hand is not listed
  // any more.
  [[nodiscard]] const LogFile* successor(const std::vector<LogFile>& series,
                                         std::int64_t mtime_ns) const {
    for (const LogFile& one : series) {
      if (is_file(one)) continue;
      const bool ours = state_.here.seq > 0 && one.seq > 0 && one.chain_id == state_.here.chain_id;
      if (ours ? one.seq > state_.here.seq : one.live || one.mtime_ns >= mtime_ns) return &one;
    }
    return nullptr;
  }

  // On to the next file; false when there is none yet.
  Result<bool> advance(std::string& gap) {
    auto series = list();
    if (!series) return pass_error(series);
    const LogFile* next = nullptr;
    auto at = std::find_if(series->begin(), series->end(),
                           [&](const LogFile& one) { return is_file(one); });
    if (at == series->end() && !state_.here.first_line_sha256.empty())
      at = std::find_if(series->begin(), series->end(), [&](const LogFile& one) {
        return one.first_line_sha256 == state_.here.first_line_sha256;
      });
    if (at != series->end()) {
      if (std::next(at) == series->end()) return false;
      next = &*std::next(at);
    } else {
      next = successor(*series, file_->size_and_mtime().second);
      if (next == nullptr) return false;
    }
    auto opened = TailFile::open(next->path);
    if (!opened && opened.error().code == ErrorCode::kNotFound) return false;
    if (!opened) return pass_error(opened);
    auto rest = report_rest(gap);
    if (!rest) return pass_error(rest);
    if (state_.here.seq > 0 && next->chain_id == state_.here.chain_id &&
        next->seq > state_.here.seq + 1)
      say(gap, options_.path + ": " + range(state_.here.seq + 1, next->seq - 1) +
                   " are in no file that is left before " + next->path + ".");
    place(std::move(*opened), *next);
    return true;
  }

  // What stands after the last LF of a file that is over will never become a line.
  Result<void> report_rest(std::string& gap) {
    std::string rest;
    auto read = file_->read_at(state_.scan, limits::kReaderLineBytesMax, rest);
    if (!read) return pass_error(read);
    if (!rest.empty())
      say(gap, file_->path() + " ends with " + std::to_string(rest.size()) +
                   " bytes that are no whole line (from byte " + std::to_string(state_.scan) +
                   " on); they were skipped.");
    if (!file_->damage().empty())
      say(gap, file_->damage() + "; what stands behind it there can't be read.");
    return {};
  }

  Result<Taken> take(FollowedLines& out, std::string& gap) {
    if (state_.long_line.active) return pass_long_line(gap);
    std::size_t want = std::max<std::size_t>(options_.batch_bytes_max, 1);
    std::string& bytes = out.bytes;
    for (;;) {
      auto read = file_->read_at(state_.scan, want, bytes);
      if (!read) return pass_error(read);
      if (bytes.empty()) return Taken::kNothing;
      if (bytes.front() == '\0') return skip_nuls(bytes, gap);
      if (bytes.find('\n') != std::string::npos) break;
      if (bytes.size() > limits::kReaderLineBytesMax) {
        state_.long_line = {true, state_.scan, state_.scan, Sha256()};
        bytes.clear();
        return pass_long_line(gap);
      }
      if (bytes.size() < want) {
        bytes.clear();
        return Taken::kNothing;
      }
      want = std::min(want * 4, limits::kReaderLineBytesMax + 1);
    }
    return split(out, gap);
  }

  // Zero bytes at the start of a line: a writer that did not append went on at its old offset
  // after the file was cut, or a file system lost a write.
  Result<Taken> skip_nuls(std::string& chunk, std::string& gap) {
    std::uint64_t end = state_.scan;
    for (;;) {
      const std::size_t data = chunk.find_first_not_of('\0');
      if (data != std::string::npos) {
        end += data;
        if (chunk[data] == '\n') ++end;
        break;
      }
      end += chunk.size();
      if (!file_->compressed()) {
        const off_t next = ::lseek(file_->fd(), static_cast<off_t>(end), SEEK_DATA);
        if (next > static_cast<off_t>(end)) end = static_cast<std::uint64_t>(next);
      }
      auto read = file_->read_at(end, limits::kReaderChunkBytes, chunk);
      if (!read) return pass_error(read);
      if (chunk.empty()) {
        // Nothing behind them yet: they may be a write in progress.
        return Taken::kNothing;
      }
    }
    chunk.clear();
    say(gap, file_->path() + ": " + std::to_string(end - state_.scan) + " zero bytes from byte " +
                 std::to_string(state_.scan) + " on were skipped.");
    state_.scan = end;
    return Taken::kSkipped;
  }

  Result<Taken> pass_long_line(std::string& gap) {
    std::string chunk;
    for (;;) {
      auto read = file_->read_at(state_.long_line.next, limits::kReaderChunkBytes, chunk);
      if (!read) return pass_error(read);
      if (chunk.empty()) return Taken::kNothing;
      const std::size_t lf = chunk.find('\n');
      state_.long_line.sha256.update(std::string_view(chunk).substr(0, lf));
      state_.long_line.next += std::min(lf, chunk.size());
      if (lf == std::string::npos) continue;
      say(gap, file_->path() + ": the line at byte " + std::to_string(state_.long_line.start) +
                   " has " + std::to_string(state_.long_line.next - state_.long_line.start) +
                   " bytes, more than " + std::to_string(limits::kReaderLineBytesMax) +
                   "; it was skipped (SHA-256 " + state_.long_line.sha256.finish_hex() + ").");
      if (state_.here.first_line_sha256.empty()) {
        // As log_series() identifies a file that begins with such a line.
        auto head = file_->read_at(state_.long_line.start, limits::kReaderLineBytesMax, chunk);
        if (!head) return pass_error(head);
        state_.here.first_line_sha256 = sha256_hex(chunk);
      }
      state_.scan = state_.long_line.next + 1;
      state_.long_line = {};
      return Taken::kSkipped;
    }
  }

  // `out.bytes` begins with a line start and holds an LF.
  Result<Taken> split(FollowedLines& out, std::string& gap) {
    const std::string_view bytes = out.bytes;
    std::size_t at = 0;
    while (out.ends.size() < options_.batch_lines_max && at < bytes.size()) {
      if (bytes[at] == '\0' && at > 0) break;
      const std::size_t lf = bytes.find('\n', at);
      if (lf == std::string_view::npos) break;
      if (lf - at > limits::kReaderLineBytesMax) {
        if (at > 0) break;
        state_.long_line = {true, state_.scan, state_.scan, Sha256()};
        out.bytes.clear();
        return pass_long_line(gap);
      }
      at = lf + 1;
      out.ends.push_back(at);
    }
    out.bytes.resize(at);
    // What was known of the first line is of the listing; the file may have been cut since.
    const bool from_start = state_.scan == 0;
    state_.scan += at;
    if (!out.ends.empty() && (from_start || state_.here.first_line_sha256.empty()))
      state_.here.first_line_sha256 =
          sha256_hex(std::string_view(out.bytes).substr(0, out.ends.front() - 1));
    if (skip_until_seq_ > 0) drop_known(out, gap);
    if (out.ends.empty()) return Taken::kSkipped;

    const std::string_view last = line_of(out, out.ends.size() - 1);
    state_.here.offset = state_.scan;
    set_line(state_.here, last);
    state_.mark.assign(out.bytes, out.bytes.size() - std::min(out.bytes.size(), kMarkBytesMax));
    state_.mark_end = state_.scan;
    if (file_->compressed()) state_.mark.clear();
    return Taken::kLines;
  }

  // Lines that were delivered before the file they stood in was lost.
  void drop_known(FollowedLines& out, std::string& gap) {
    std::size_t known = 0;
    std::size_t start = 0;
    for (const std::size_t end : out.ends) {
      const auto fields = chain_fields(std::string_view(out.bytes).substr(start, end - start - 1));
      if (!fields || fields->seq > skip_until_seq_ || fields->id != state_.here.chain_id) {
        if (fields && fields->id == state_.here.chain_id && fields->seq > skip_until_seq_ + 1)
          say(gap, options_.path + ": " + range(skip_until_seq_ + 1, fields->seq - 1) +
                       " are in no file that is left.");
        skip_until_seq_ = 0;
        break;
      }
      start = end;
      ++known;
    }
    out.bytes.erase(0, start);
    out.ends.erase(out.ends.begin(), out.ends.begin() + static_cast<std::ptrdiff_t>(known));
    for (std::size_t& end : out.ends) end -= start;
  }

  static constexpr std::size_t kMarkBytesMax = 4096;

  FollowOptions options_;
  std::unique_ptr<TailFile> file_;
  State state_;
  std::uint64_t skip_until_seq_ = 0;
  std::string pending_gap_;
  std::vector<LogFile> listed_;       // as last seen, for lag_bytes()
  bool was_live_ = false;             // the file in hand, when it was taken up
  std::vector<LogFile> before_live_;  // the rotated files when the live one was taken up
};

}  // namespace

Position position_after(const FollowedLines& lines, std::size_t index) {
  // Lines of one read() stand side by side in one file.
  Position out = lines.positions.back();
  out.offset -= lines.ends.back() - lines.ends[index];
  set_line(out, line_of(lines, index));
  return out;
}

Result<std::unique_ptr<Follower>> Follower::open(const FollowOptions& options,
                                                 const Position& start) {
  auto follower = std::make_unique<SeriesFollower>(options);
  auto placed = follower->seek(start);
  if (!placed) return pass_error(placed);
  return follower;
}

}  // namespace lilith::audit
