#include "audit/log.hpp"

#include "audit/base/file.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/users.hpp"
#include "audit/codec.hpp"
#include "audit/follow_up.hpp"
#include "audit/log_seal.hpp"
#include "audit/log_state.hpp"
#include "audit/log_tail.hpp"
#include "audit/retention.hpp"
#include "audit/seal_key.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace lilith::audit {
namespace {

constexpr std::chrono::milliseconds kLockPause{1};
constexpr std::size_t kSeqDigits = 20;  // of 2^64, so that names sort as numbers do

std::string rotated_name(const std::string& path, std::uint64_t first_seq) {
  std::string digits = std::to_string(first_seq);
  digits.insert(0, kSeqDigits - std::min(kSeqDigits, digits.size()), '0');
  return path + "." + digits;
}

// Whether `line` is the event that follows `head`, with the hash that it claims.
bool is_whole_event(std::string_view line, const Head& head) {
  const auto fields = chain_fields(line);
  if (!fields || fields->prev != head.hash) return false;
  std::string unsigned_line(line);
  unsigned_line.erase(fields->hash_at, fields->hash.size());
  return chain_hash(fields->prev, unsigned_line) == fields->hash;
}

class DirectLog final : public Appender {
 public:
  DirectLog(LogOptions options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  Result<void> open();
  Result<Appended> append(Event& event, const PolicyInForce& policy) override;
  // seal_log()
  Result<bool> seal_now(SealReason reason);

 private:
  // Holds flock(2) on the lock file; flock and not fcntl locks, because those end with any close of
  // the file in the same process.
  class Lock {
   public:
    explicit Lock(int fd) : fd_(fd) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { ::flock(fd_, LOCK_UN); }

   private:
    int fd_;
  };

  Result<void> open_lock_file();
  [[nodiscard]] bool lock_is_in_place();
  Result<void> take_lock();
  Result<void> open_log_file(bool& fresh);
  Result<void> bring_up_to_date();
  Result<void> repair(Tail tail, const Head& remembered);
  [[nodiscard]] Head end_of_rotated(std::string& file) const;
  [[nodiscard]] std::string rotated_file_ending_in(const Head& head) const;

  Result<void> look_at_key();
  Result<void> count_unsealed();
  Result<void> give_back_checkpoint(Tail& tail);
  void sync_beforehand() const;
  Result<void> seal(SealReason reason);
  Result<void> seal_or_say(SealReason reason);
  Result<void> say_unsealed();
  Result<void> seal_where_due();

  // What is missing for the next event, in bytes.
  struct Shortage {
    std::uint64_t of_quota = 0, of_disk = 0;
    std::uint64_t used = 0, free = 0;  // by all files of the log; on their file system
    [[nodiscard]] std::uint64_t bytes() const { return std::max(of_quota, of_disk); }
  };

  Result<bool> rotation_is_due(bool at_once);
  Result<void> rotate();
  Result<void> count_rotated();
  [[nodiscard]] Shortage shortage() const;
  Result<void> make_room(const Event& coming);
  Result<void> refuse(const Event& coming, const Shortage& lack);
  Result<void> resume(const Event& coming);
  Result<Appended> append_locked(Event& event, const PolicyInForce& policy);
  Result<void> announce(const Event& cause, const PolicyInForce& policy);
  void place(Event& event);
  static std::string finished_line(Event& event);
  Result<void> put_line(std::string line, const Head& head);
  Result<Appended> write_event(Event& event);
  [[nodiscard]] Event own_event(EventType type, const std::string& reason) const;
  Result<Appended> write_own(EventType type, const std::string& reason,
                             std::vector<std::pair<std::string, std::string>> detail);
  Result<void> save_state();
  Result<void> set_group(int fd) const;
  [[nodiscard]] bool still_current() const;

  // Of a file: device, inode, size, time of change. Zeros: none.
  using Stamp = std::array<std::uint64_t, 4>;
  static Stamp stamp_of(const struct stat& info);
  static Stamp stamp_at(const std::string& path);
  void note_log();

  LogOptions options_;
  const Clock& clock_;
  UniqueFd lock_fd_;
  UniqueFd log_fd_;
  std::uint64_t size_ = 0;  // bytes of the log file after the last look or write
  dev_t device_ = 0;
  ino_t inode_ = 0;
  // Only who appends a second time needs to know what others did since the first: most never do.
  bool has_appended_ = false;
  Stamp lock_seen_{}, log_seen_{}, key_seen_{};  // of the log: after the last append but the first
  LogState state_;
  std::string state_text_;       // as the lock file has it
  std::uint64_t first_seq_ = 0;  // of the file's first line, 0: not known yet
  WallTime opened_at_{};         // when the file began, known with first_seq_
  std::optional<SealKey> key_;   // as it was when the log was last looked at
  std::string key_trouble_;      // why there is none, where it is wanted and not required
  std::string previous_file_;    // set by a rotation until the new file's log_opened is written
};

Result<void> DirectLog::set_group(int fd) const {
  if (options_.group.empty()) return {};
  auto gid = group_by_name(options_.group);
  if (!gid) {
    gid.error().message.insert(0, "audit.group: ");
    return pass_error(gid);
  }
  if (::fchown(fd, static_cast<uid_t>(-1), *gid) != 0) {
    return fail_errno("cannot give the log to group " + options_.group);
  }
  return {};
}

Result<void> DirectLog::open() {
  const std::string directory = directory_of(options_.path);
  if (!is_directory(directory)) {
    if (auto made = make_directories(directory, options_.directory_mode); !made) return made;
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid()) {
      if (auto group = set_group(fd.get()); !group) return group;
    }
  }
  return open_lock_file();
}

Result<void> DirectLog::open_lock_file() {
  const std::string lock_path = options_.path + ".lock";
  lock_seen_ = {};
  lock_fd_.reset();  // before open(2): closing may set errno
  lock_fd_.reset(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                        options_.file_mode));
  if (!lock_fd_.valid()) return fail_errno("cannot open " + lock_path);
  return {};
}

// A lock on a file that others don't find any more keeps nobody out.
bool DirectLog::lock_is_in_place() {
  struct stat held{};
  if (lock_seen_ == Stamp{} && ::fstat(lock_fd_.get(), &held) == 0) lock_seen_ = stamp_of(held);
  const Stamp there = stamp_at(options_.path + ".lock");
  return there[0] == lock_seen_[0] && there[1] == lock_seen_[1] && there != Stamp{};
}

Result<void> DirectLog::take_lock() {
  const MonotonicTime deadline = clock_.monotonic() + options_.lock_timeout;
  if (!lock_fd_.valid()) {
    if (auto opened = open(); !opened) return opened;
  }
  // flock(2) has no timeout; short naps between tries are the portable way.
  while (true) {
    if (::flock(lock_fd_.get(), LOCK_EX | LOCK_NB) == 0) {
      if (!has_appended_ || lock_is_in_place()) return {};
      log_fd_.reset();
      if (auto opened = open(); !opened) return opened;
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail_errno("cannot lock " + options_.path + ".lock");
    }
    if (clock_.monotonic() >= deadline) {
      return fail(ErrorCode::kUnavailable,
                  "the lock of " + options_.path + " was held by another process for more than " +
                      std::to_string(options_.lock_timeout.count()) + " ms",
                  EWOULDBLOCK);
    }
    const timespec nap{0, std::chrono::nanoseconds(kLockPause).count()};
    ::nanosleep(&nap, nullptr);
  }
}

DirectLog::Stamp DirectLog::stamp_of(const struct stat& info) {
  const auto changed =
      std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec);
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(changed.count())};
}

DirectLog::Stamp DirectLog::stamp_at(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? stamp_of(info) : Stamp{};
}

void DirectLog::note_log() {
  struct stat info{};
  log_seen_ = ::fstat(log_fd_.get(), &info) == 0 ? stamp_of(info) : Stamp{};
}

// Whether nobody has touched log or key since the last append here. Whoever changes the state in
// the lock file and still wants to be remembered has written to the log as well.
bool DirectLog::still_current() const {
  const bool same = log_fd_.valid() && log_seen_ != Stamp{} && stamp_at(options_.path) == log_seen_;
  return same && (options_.seal.key.empty() || stamp_at(options_.seal.key) == key_seen_);
}

Result<void> DirectLog::open_log_file(bool& fresh) {
  log_fd_.reset();  // before open(2): closing may set errno
  log_fd_.reset(::open(options_.path.c_str(),
                       O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  fresh = false;
  if (!log_fd_.valid() && errno == ENOENT) {
    log_fd_.reset(::open(options_.path.c_str(),
                         O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                         options_.file_mode));
    fresh = true;
  }
  if (!log_fd_.valid()) {
    const int error = errno;
    if (error == ELOOP) {
      return fail(ErrorCode::kIo,
                  options_.path + " is a symbolic link; the audit log must be a file of its own",
                  error);
    }
    return fail_errno("cannot open the audit log " + options_.path, error);
  }
  struct stat info{};
  if (::fstat(log_fd_.get(), &info) != 0) return fail_errno("cannot look at " + options_.path);
  if (!S_ISREG(info.st_mode)) {
    log_fd_.reset();
    return fail(ErrorCode::kIo, options_.path + " is not a regular file");
  }
  if (fresh) {
    if (auto group = set_group(log_fd_.get()); !group) return group;
    // What is synced of a file is there after a power cut when its name is. Once a rotation.
    if (auto synced = sync_directory(directory_of(options_.path)); !synced) return synced;
  }
  device_ = info.st_dev;
  inode_ = info.st_ino;
  size_ = static_cast<std::uint64_t>(info.st_size);
  first_seq_ = 0;
  return {};
}

// Under the lock: opens what is at the path now and finds the end of the chain.
Result<void> DirectLog::bring_up_to_date() {
  if (still_current()) return {};
  if (auto looked = look_at_key(); !looked) return looked;
  bool fresh = false;
  if (auto opened = open_log_file(fresh); !opened) return opened;
  auto state = read_at(lock_fd_.get(), 0, kStateBytesMax);
  if (!state) return pass_error(state);
  state_ = parse_state(*state);
  Head remembered = state_.head;
  // The key's memory is on the disk when that of the lock file may not be.
  const bool key_knows_more = key_ && key_->sealed.seq > remembered.seq &&
                              (remembered.id.empty() || remembered.id == key_->sealed.id);
  if (key_knows_more) remembered = key_->sealed;
  auto tail = read_tail(log_fd_.get(), size_);
  if (!tail) return pass_error(tail);
  if (state_.damaged && !tail->found) {
    // A rotation syncs the state, so that a damaged one is younger.
    std::string file;
    const Head end = end_of_rotated(file);
    if (end.seq > remembered.seq && (remembered.id.empty() || remembered.id == end.id)) {
      remembered = end;
    }
  }
  if (is_whole_event(tail->torn, tail->head)) {
    // Only the final LF got lost: the line counts, and is ended.
    if (auto put = write_all(log_fd_.get(), "\n"); !put) return put;
    size_ += 1;
    tail = read_tail(log_fd_.get(), size_);
    if (!tail) return pass_error(tail);
  }
  const bool counted = key_ && state_.range && state_.range->first == key_->sealed.seq + 1 &&
                       tail->found && state_.head == tail->head;
  if (!counted) state_.range.reset();
  if (auto repaired = repair(std::move(*tail), remembered); !repaired) return repaired;
  return count_unsealed();
}

// The last line of the newest rotated file. Of a compressed one nothing is known but that it was
// whole.
Head DirectLog::end_of_rotated(std::string& file) const {
  const auto files = rotated_files(options_.path);
  if (!files || files->empty()) return {};
  file = files->back();
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  struct stat info{};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return {};
  const auto tail = read_tail(fd.get(), static_cast<std::uint64_t>(info.st_size));
  return tail && tail->found ? tail->head : Head{};
}

// A rotation that was cut short leaves no log but a rotated file that ends where the state does.
std::string DirectLog::rotated_file_ending_in(const Head& head) const {
  std::string file;
  return head.seq != 0 && end_of_rotated(file) == head ? file : std::string();
}

Result<void> DirectLog::repair(Tail tail, const Head& remembered) {
  state_.head = tail.found ? tail.head : remembered;
  if (!tail.torn.empty()) {
    if (auto put = write_all(log_fd_.get(), "\n"); !put) return put;
    ++size_;
  }
  if (!tail.found && previous_file_.empty()) previous_file_ = rotated_file_ending_in(remembered);
  if (auto given = give_back_checkpoint(tail); !given) return given;
  // After a crash the state may be behind the log; it is ahead of it, or names another line of the
  // same seq, only when lines were taken away or put in.
  const bool lines_gone = tail.found && !remembered.id.empty() && remembered.id == tail.head.id &&
                          (remembered.seq > tail.head.seq ||
                           (remembered.seq == tail.head.seq && remembered.hash != tail.head.hash));
  const bool chain_changed = tail.found && !remembered.id.empty() && remembered.id != tail.head.id;
  const bool log_gone = !tail.found && remembered.seq != 0 && previous_file_.empty();
  if (lines_gone) state_.head = remembered;
  if (!tail.found) {
    const std::uint64_t seq_before = state_.head.seq;
    if (auto put = write_own(EventType::kLogOpened, "log opened",
                             {{"previous_file", std::exchange(previous_file_, {})},
                              {"previous_seq", std::to_string(seq_before)}});
        !put) {
      return pass_error(put);
    }
  }
  if (!tail.torn.empty()) {
    auto put = write_own(
        EventType::kLogSealed, "a torn last line was closed",
        {{"torn_bytes", std::to_string(tail.torn.size())}, {"torn_sha256", sha256_hex(tail.torn)}});
    if (!put) return pass_error(put);
  }
  std::string what;
  if (lines_gone) what = "lines at the end of the log were removed or changed";
  if (chain_changed) what = "the log belongs to another chain than the one that was written here";
  if (log_gone) what = "the log was removed or emptied";
  if (tail.garbage != 0) what = "lines that are no events stood at the end of the log";
  if (what.empty()) return {};
  auto put = write_own(EventType::kTamper, what,
                       {{"expected_seq", std::to_string(remembered.seq)},
                        {"expected_hash", remembered.hash},
                        {"found_seq", std::to_string(tail.head.seq)},
                        {"found_hash", tail.head.hash},
                        {"foreign_bytes", std::to_string(tail.garbage)}});
  if (!put) return pass_error(put);
  return {};
}

Result<void> DirectLog::save_state() {
  const std::string state = to_text(state_);
  if (::pwrite(lock_fd_.get(), state.data(), state.size(), 0) !=
      static_cast<ssize_t>(state.size())) {
    return fail_errno("cannot keep the chain's state in " + options_.path + ".lock");
  }
  return {};
}

Event DirectLog::own_event(EventType type, const std::string& reason) const {
  Event event;
  event.type = type;
  event.category = Category::kIntegrity;
  event.host = options_.host;
  event.process_pid = ::getpid();
  event.process_key = options_.host + "/" + std::to_string(event.process_pid) + "/0";
  event.reason = reason;
  return event;
}

Result<Appended> DirectLog::write_own(EventType type, const std::string& reason,
                                      std::vector<std::pair<std::string, std::string>> detail) {
  Event event = own_event(type, reason);
  event.detail = std::move(detail);
  std::erase_if(event.detail, [](const auto& entry) { return entry.second.empty(); });
  return write_event(event);
}

void DirectLog::place(Event& event) {
  if (state_.head.id.empty()) state_.head.id = uuid_v7(clock_.now());
  event.seq = state_.head.seq + 1;
  event.chain_id = state_.head.id;
  event.chain_prev = state_.head.hash;
  event.chain_hash.clear();
  if (event.time == WallTime{}) event.time = clock_.now();
  if (event.id.empty()) event.id = uuid_v7(event.time);
}

std::string DirectLog::finished_line(Event& event) {
  std::string line = encode(event);
  event.chain_hash = chain_hash(event.chain_prev, line);
  // encode() ends in `"hash":""}}`; the hash goes between the quotes.
  line.insert(line.size() - 3, event.chain_hash);
  return line;
}

// `head`: that of the log with the line.
Result<void> DirectLog::put_line(std::string line, const Head& head) {
  line.push_back('\n');
  const ssize_t put = ::write(log_fd_.get(), line.data(), line.size());
  if (put != static_cast<ssize_t>(line.size())) {
    const int error = put < 0 ? errno : ENOSPC;
    // Nothing that is not whole may stay; where that fails too, the next writer seals it.
    if (put > 0) std::ignore = ::ftruncate(log_fd_.get(), static_cast<off_t>(size_));
    log_fd_.reset();
    return fail_errno("cannot write the audit log " + options_.path, error);
  }
  size_ += line.size();
  state_.head = head;
  return {};
}

Result<Appended> DirectLog::write_event(Event& event) {
  place(event);
  std::string line = finished_line(event);
  if (auto put = put_line(std::move(line), {event.chain_id, event.chain_hash, event.seq}); !put) {
    return pass_error(put);
  }
  if (state_.range) ++state_.range->counts[static_cast<std::size_t>(event.action)];
  if (options_.sync == Sync::kAlways && ::fdatasync(log_fd_.get()) != 0) {
    return fail_errno("cannot sync the audit log " + options_.path);
  }
  return Appended{event.seq, event.chain_hash};
}

// ---- seals

Result<void> DirectLog::look_at_key() {
  key_.reset();
  key_trouble_.clear();
  if (options_.seal.key.empty()) return {};
  key_seen_ = stamp_at(options_.seal.key);
  auto key = read_seal_key(options_.seal.key, options_.host, options_.path);
  if (key) {
    key_ = std::move(*key);
    return {};
  }
  if (options_.seal.required) return pass_error(key);
  key_trouble_ = key.error().message;
  return {};
}

// What the state does not know of the events since the last checkpoint, the file does.
Result<void> DirectLog::count_unsealed() {
  if (!key_ || state_.range || key_->sealed.id != state_.head.id) return {};
  auto range = count_range(log_fd_.get(), size_, key_->sealed.seq);
  if (!range) return pass_error(range);
  state_.range = *range;
  return {};
}

// The key is replaced before its checkpoint is written, so that a crash can keep the line out of
// the log. Without it no later one could be verified.
Result<void> DirectLog::give_back_checkpoint(Tail& tail) {
  if (!key_ || key_->sealed.seq == 0) return {};
  const Head& sealed = key_->sealed;
  bool missing = false;
  if (tail.found) {
    missing = tail.head.id == sealed.id && tail.head.seq < sealed.seq;
  } else if (previous_file_.empty() && state_.head.id == sealed.id) {
    std::string file;
    missing = end_of_rotated(file).seq < sealed.seq;
  }
  if (!missing) return {};
  const auto fields = chain_fields(key_->checkpoint);
  const bool follows = tail.found && fields && fields->prev == tail.head.hash;
  const Head before = state_.head;
  if (auto put = put_line(key_->checkpoint, sealed); !put) return put;
  if (before.seq > sealed.seq) state_.head = before;
  if (follows) tail.head = sealed;
  return {};
}

// docs/seals.md has the reasons of this order.
Result<void> DirectLog::seal(SealReason reason) {
  if (::fdatasync(log_fd_.get()) != 0) {
    return fail_errno("cannot sync the audit log " + options_.path);
  }
  auto present = load_seal_key(options_.seal.key, options_.host, options_.path);
  if (!present) return pass_error(present);
  auto next = SigningKey::random();
  if (!next) return pass_error(next);

  Event event = own_event(EventType::kCheckpoint, "what stands before this line is sealed");
  event.reason_code = name(reason);
  place(event);
  Seal seal;
  seal.key = seal_key_id(present->key.first_public_key);
  seal.epoch = present->key.epoch;
  seal.first = state_.range ? state_.range->first : event.seq;
  if (state_.range) seal.counts = state_.range->counts;
  seal.events_max = options_.seal.events_max;
  seal.age_max = options_.seal.age_max;
  seal.next_public_key = next->public_key();
  put_seal(event, seal);
  event.detail.back().second = present->secret.sign(signed_text(event));

  SealKey key = std::move(present->key);
  ++key.epoch;
  key.checkpoint = finished_line(event);
  key.sealed = {event.chain_id, event.chain_hash, event.seq};
  key.sealed_at = event.time;
  if (auto evolved = evolve_seal_key(options_.seal.key, key, *next); !evolved) return evolved;
  if (auto put = put_line(key.checkpoint, key.sealed); !put) return put;
  key_ = std::move(key);
  state_.range = SealRange{event.seq + 1, {}};
  if (options_.sync != Sync::kOff && ::fdatasync(log_fd_.get()) != 0) {
    return fail_errno("cannot sync the audit log " + options_.path);
  }
  return save_state();
}

Result<void> DirectLog::seal_or_say(SealReason reason) {
  auto sealed = seal(reason);
  if (sealed || options_.seal.required) return sealed;
  key_.reset();
  key_trouble_ = sealed.error().message;
  return say_unsealed();
}

// Once, until there is a key again.
Result<void> DirectLog::say_unsealed() {
  if (key_trouble_.empty() == !state_.unsealed) return {};
  state_.unsealed = !key_trouble_.empty();
  if (state_.unsealed) {
    Event said = own_event(EventType::kTamper, key_trouble_);
    said.action = Action::kError;
    said.reason_code = "seal.unusable";
    if (auto put = write_event(said); !put) return pass_error(put);
  }
  return save_state();
}

Result<void> DirectLog::seal_where_due() {
  if (options_.seal.key.empty()) return {};
  if (auto said = say_unsealed(); !said) return said;
  if (!key_) return {};
  const auto reason = due_seal(options_.seal, *key_, state_.head, clock_.now());
  return reason ? seal_or_say(*reason) : Result<void>();
}

// Most of what seal() has to sync, before anybody has to wait for the lock. What fails here fails
// there again.
void DirectLog::sync_beforehand() const {
  const UniqueFd fd(
      ::open(options_.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  if (fd.valid()) std::ignore = ::fdatasync(fd.get());
}

Result<bool> DirectLog::seal_now(SealReason reason) {
  sync_beforehand();
  if (auto taken = take_lock(); !taken) return pass_error(taken);
  const Lock lock(lock_fd_.get());
  if (auto ready = bring_up_to_date(); !ready) return pass_error(ready);
  if (!key_) return fail(ErrorCode::kInvalidInput, key_trouble_);
  const bool new_events = key_->sealed.id != state_.head.id || state_.head.seq > key_->sealed.seq;
  const WallTime now = clock_.now();
  const bool due = due_seal(options_.seal, *key_, state_.head, now).has_value() ||
                   near_seal(options_.seal, *key_, state_.head, now).near;
  const bool wanted = reason == SealReason::kInterval ? due : new_events;
  if (!wanted && reason != SealReason::kAsked) return false;
  if (auto sealed = seal(reason); !sealed) return pass_error(sealed);
  return true;
}

// Whether the file is to be rotated now; with `at_once` also before its time.
Result<bool> DirectLog::rotation_is_due(bool at_once) {
  if (options_.rotate_bytes == 0 || size_ + limits::kEventValueBytesMax <= options_.rotate_bytes) {
    return false;
  }
  if (first_seq_ == 0) {
    auto start = read_at(log_fd_.get(), 0, limits::kEventLineBytesMax);
    if (!start) return pass_error(start);
    const auto first = decode(std::string_view(*start).substr(0, start->find('\n')));
    if (!first) return false;  // not ours to name; the tail is, and appending goes on
    first_seq_ = first->seq;
    opened_at_ = first->time;
  }
  return at_once || clock_.now() - opened_at_ >= options_.rotate_interval_min;
}

Result<void> DirectLog::rotate() {
  if (key_) {
    if (auto sealed = seal_or_say(SealReason::kRotation); !sealed) return sealed;
  }
  // The new file goes on from the state, and events of the log's own may not be in it yet. After a
  // power cut the next writer finds the end of the chain by both of them.
  if (auto saved = save_state(); !saved) return saved;
  if (::fdatasync(log_fd_.get()) != 0 || ::fdatasync(lock_fd_.get()) != 0) {
    return fail_errno("cannot sync the audit log " + options_.path + " before its rotation");
  }
  const std::string target = rotated_name(options_.path, first_seq_);
  // link and unlink instead of rename: an existing file of that name is never overwritten.
  if (::link(options_.path.c_str(), target.c_str()) != 0) {
    const int error = errno;
    struct stat there{};
    // A rotation that was cut short between link and unlink: finish it.
    const bool half_done = error == EEXIST && ::lstat(target.c_str(), &there) == 0 &&
                           there.st_dev == device_ && there.st_ino == inode_;
    if (!half_done) return fail_errno("cannot rotate to " + target, error);
  }
  if (::unlink(options_.path.c_str()) != 0) {
    return fail_errno("cannot rotate " + options_.path);
  }
  log_fd_.reset();
  previous_file_ = target;
  if (auto now = bring_up_to_date(); !now) return now;
  delete_beyond_keep(options_, state_.head.id);
  return count_rotated();
}

// Only a quota wants to know, and only a rotation or somebody else changes it.
Result<void> DirectLog::count_rotated() {
  if (options_.quota_bytes == 0) return {};
  auto bytes = rotated_bytes(options_.path);
  if (!bytes) return pass_error(bytes);
  state_.rotated_bytes = *bytes;
  return {};
}

// Bytes that have to go before the next event may come; the rest that the log's last word needs is
// kept. On a disk that was full there has to be some more, so that it is not full again at once.
DirectLog::Shortage DirectLog::shortage() const {
  const std::uint64_t rest = limits::kLogReserveBytes;
  Shortage out;
  out.used = state_.rotated_bytes.value_or(0) + size_;
  if (options_.quota_bytes != 0 && out.used + rest > options_.quota_bytes) {
    out.of_quota = out.used + rest - options_.quota_bytes;
  }
  if (options_.free_bytes_min != 0) {
    out.free = free_bytes(log_fd_.get());
    const std::uint64_t wanted = options_.free_bytes_min + (state_.full ? rest : 0);
    if (out.free < wanted) out.of_disk = wanted - out.free;
  }
  return out;
}

// Delivered files go before an event is refused, the oldest first; never others.
Result<void> DirectLog::make_room(const Event& coming) {
  if (options_.quota_bytes != 0 && !state_.rotated_bytes) {
    if (auto counted = count_rotated(); !counted) return counted;
  }
  Shortage lack = shortage();
  if (lack.bytes() != 0) {
    auto due = rotation_is_due(true);
    if (!due) return pass_error(due);
    if (*due) {
      if (auto rotated = rotate(); !rotated) return rotated;
    }
    delete_delivered(options_, state_.head.id, lack.bytes());
    if (auto counted = count_rotated(); !counted) return counted;
    lack = shortage();
  }
  if (lack.bytes() != 0) return refuse(coming, lack);
  return state_.full ? resume(coming) : Result<void>();
}

Result<void> DirectLog::refuse(const Event& coming, const Shortage& lack) {
  std::string why;
  if (lack.of_quota != 0) {
    why = "the audit log is full: its files have " + std::to_string(lack.used) + " of the " +
          std::to_string(options_.quota_bytes) +
          " bytes of audit.quota.max_bytes, and no file is left that the shipper has delivered; "
          "get the shipper going, raise the quota or move rotated files away";
  } else {
    why = "the audit log is full: its file system has " + std::to_string(lack.free) +
          " bytes free, and audit.quota.min_free_bytes keeps " +
          std::to_string(options_.free_bytes_min) + "; make room there";
  }
  if (!state_.full) {
    Event said = follow_up(coming, EventType::kLogFull, Category::kIntegrity);
    said.action = Action::kError;
    said.reason_code = lack.of_quota != 0 ? "log.quota" : "log.disk";
    said.reason = why;
    if (auto put = write_event(said); !put) return pass_error(put);
    state_.full = Full{said.time, 0};
  }
  ++state_.full->refused;
  if (auto saved = save_state(); !saved) return saved;
  return fail(ErrorCode::kLimitExceeded, why, ENOSPC);
}

Result<void> DirectLog::resume(const Event& coming) {
  Event said = follow_up(coming, EventType::kLogResumed, Category::kIntegrity);
  said.reason = "there is room in the audit log again";
  said.detail = {{"full_since", format_time(state_.full->since)},
                 {"refused_events", std::to_string(state_.full->refused)}};
  if (auto put = write_event(said); !put) return pass_error(put);
  state_.full.reset();
  return save_state();
}

// What a policy_loaded event says beyond who loaded it.
void describe_change(Event& loaded, const PolicyInForce& policy, const KnownPolicies& known) {
  loaded.mode = policy.mode;
  loaded.policy_sha256 = policy.sha256;
  loaded.detail.emplace_back("path", policy.path);
  if (const KnownPolicy* before = known.before(policy); before != nullptr) {
    loaded.detail.emplace_back("previous_sha256", before->sha256);
    loaded.detail.emplace_back("previous_mode", name(before->mode));
  }
}

Result<void> DirectLog::announce(const Event& cause, const PolicyInForce& policy) {
  Event loaded = follow_up(cause, EventType::kPolicyLoaded, Category::kPolicy);
  describe_change(loaded, policy, state_.policies);
  if (auto written = write_event(loaded); !written) return pass_error(written);
  state_.policies.note(policy);
  // Now, so that a writer that is killed before the event itself leaves nothing to be said twice.
  return save_state();
}

Result<Appended> DirectLog::append_locked(Event& event, const PolicyInForce& policy) {
  if (auto ready = bring_up_to_date(); !ready) return pass_error(ready);
  auto due = rotation_is_due(false);
  if (!due) return pass_error(due);
  if (*due) {
    if (auto rotated = rotate(); !rotated) return pass_error(rotated);
  }
  if (auto room = make_room(event); !room) return pass_error(room);
  if (auto sealed = seal_where_due(); !sealed) return pass_error(sealed);
  const bool known = policy.sha256.empty() || state_.policies.has(policy);
  if (event.type == EventType::kPolicyLoaded && !policy.sha256.empty()) {
    if (known) return Appended{state_.head.seq, state_.head.hash};
    describe_change(event, policy, state_.policies);
    state_.policies.note(policy);
  } else if (!known) {
    if (auto announced = announce(event, policy); !announced) return pass_error(announced);
  }
  auto appended = write_event(event);
  if (!appended) return appended;
  if (auto saved = save_state(); !saved) return pass_error(saved);
  if (key_) {
    appended->seal_soon = near_seal(options_.seal, *key_, state_.head, clock_.now()).asks;
  }
  return appended;
}

Result<Appended> DirectLog::append(Event& event, const PolicyInForce& policy) {
  if (auto taken = take_lock(); !taken) return pass_error(taken);
  const Lock lock(lock_fd_.get());
  auto appended = append_locked(event, policy);
  // After an error nothing that is remembered here can be relied on: look again.
  if (!appended) {
    log_fd_.reset();
  } else if (std::exchange(has_appended_, true)) {
    note_log();
  }
  return appended;
}

}  // namespace

Result<std::unique_ptr<Appender>> open_log(const LogOptions& options, const Clock& clock) {
  if (!options.path.starts_with('/')) {
    return fail(ErrorCode::kInvalidInput,
                "the audit log's path must be absolute: '" + options.path + "'");
  }
  auto log = std::make_unique<DirectLog>(options, clock);
  if (auto opened = log->open(); !opened) return pass_error(opened);
  return log;
}

Result<bool> seal_log(const LogOptions& options, SealReason reason, const Clock& clock) {
  DirectLog log(options, clock);
  if (auto opened = log.open(); !opened) return pass_error(opened);
  return log.seal_now(reason);
}

PolicyKnown policy_known(const std::string& path, const PolicyInForce& policy) {
  const UniqueFd fd(::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  if (!fd.valid()) return PolicyKnown::kNothing;
  const auto text = read_at(fd.get(), 0, kStateBytesMax);
  if (!text) return PolicyKnown::kNothing;
  const KnownPolicies known = parse_state(*text).policies;
  if (known.empty()) return PolicyKnown::kNothing;
  return known.has(policy) ? PolicyKnown::kSame : PolicyKnown::kOther;
}

Result<std::vector<std::string>> rotated_files(const std::string& path) {
  const std::string directory = directory_of(path);
  const std::string stem = path.substr(path.rfind('/') + 1) + ".";
  auto names = names_in(directory);
  if (!names && names.error().code != ErrorCode::kNotFound) return names;
  std::vector<std::string> found;
  if (!names) return found;
  for (const std::string& name : *names) {
    if (!name.starts_with(stem)) continue;
    std::string_view rest = std::string_view(name).substr(stem.size());
    for (const std::string_view packed : {".zst", ".gz"}) {
      if (rest.ends_with(packed)) rest.remove_suffix(packed.size());
    }
    const bool digits =
        rest.size() == kSeqDigits && rest.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits) found.push_back(std::string(directory).append("/").append(name));
  }
  return found;
}

}  // namespace lilith::audit
