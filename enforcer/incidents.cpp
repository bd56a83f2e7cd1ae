#include "enforcer/incidents.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/redact.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer {
namespace {

constexpr std::string_view kSpool = "/incidents", kReporting = "/incidents.reporting";
constexpr unsigned kPrivateFile = 0600, kPrivateDirectory = 0700;
constexpr char kReported = '#';
// CAUSE MICROSECONDS PID MODE and blanks.
constexpr std::size_t kHeadBytesMax = 64;

struct CauseRow {
  std::string_view name, code, reason;
};
constexpr std::array<CauseRow, kCauses> kCauseRows{{
    {"deadline", "hook.deadline", "the decision took longer than a hook may take"},
    {"signal", "hook.signal", "the hook was told to end before it had decided"},
    {"crash", "hook.crash", "the hook crashed before it had decided"},
}};

// What the signal handler needs, in memory that nobody changes once it is published.
struct Prepared {
  std::string path;
  std::vector<std::string> directories;  // on the way to it, outermost first
  std::string line;                      // kHeadBytesMax free bytes, then the rest with LF
};
std::atomic<Prepared*> published{nullptr};
static_assert(std::atomic<Prepared*>::is_always_lock_free);

// Writes `text` in front of `end` and returns where it begins.
char* put_before(char* end, std::string_view text) noexcept {
  for (std::size_t i = text.size(); i-- > 0;) *--end = text[i];
  return end;
}

char* put_before(char* end, std::uint64_t number) noexcept {
  do {
    *--end = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return end;
}

// The spool, open for appending, and not one that is being reported. Locked against that until the
// descriptor is closed. -1: there is none to be had.
int open_spool(const Prepared& prepared) noexcept {
  constexpr int kTries = 4;
  for (int i = 0; i < kTries; ++i) {
    const int fd =
        ::open(prepared.path.c_str(),
               O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
               kPrivateFile);
    if (fd < 0 && errno == ENOENT) {
      for (const std::string& directory : prepared.directories) {
        ::mkdir(directory.c_str(), kPrivateDirectory);
      }
      continue;
    }
    if (fd < 0) return -1;
    struct stat info{};
    const bool sound = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    // flock(2) is a plain system call on Linux. Who reports holds the lock alone; a spool without a
    // name has been reported.
    if (sound && ::flock(fd, LOCK_SH | LOCK_NB) == 0 && ::fstat(fd, &info) == 0 &&
        info.st_nlink > 0) {
      return fd;
    }
    ::close(fd);
    if (!sound) return -1;
  }
  return -1;
}

}  // namespace

std::string_view reason_of(Cause cause) {
  return kCauseRows[static_cast<std::size_t>(cause)].reason;
}

void prepare_incident(const std::string& directory, std::string_view agent,
                      const audit::Event* call) {
  if (directory.empty()) return;
  // Kept for the life of the process: a handler may be reading the one before.
  static std::vector<std::unique_ptr<Prepared>> all;
  auto prepared = std::make_unique<Prepared>();
  prepared->path = directory + std::string(kSpool);
  for (std::size_t slash = directory.find('/', 1); slash != std::string::npos;
       slash = directory.find('/', slash + 1)) {
    prepared->directories.push_back(directory.substr(0, slash));
  }
  prepared->directories.push_back(directory);
  prepared->line.assign(kHeadBytesMax, ' ');
  prepared->line.append(agent).append(" ");
  if (call == nullptr) {
    prepared->line += "-";
  } else {
    audit::Event copy = *call;
    audit::redact(copy);
    prepared->line += audit::encode(copy);
  }
  prepared->line += "\n";
  all.push_back(std::move(prepared));
  published.store(all.back().get());
}

void leave_incident(Cause cause, bool lets_through) noexcept {
  Prepared* prepared = published.exchange(nullptr);  // once
  if (prepared == nullptr) return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                            static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  char* begin = prepared->line.data() + kHeadBytesMax;
  begin = put_before(begin, lets_through ? " a " : " d ");
  begin = put_before(begin, static_cast<std::uint64_t>(::getpid()));
  begin = put_before(begin, " ");
  begin = put_before(begin, microseconds);
  begin = put_before(begin, " ");
  begin = put_before(begin, kCauseRows[static_cast<std::size_t>(cause)].name);
  const int fd = open_spool(*prepared);
  if (fd < 0) return;
  const char* end = prepared->line.data() + prepared->line.size();
  while (begin < end) {
    const ssize_t wrote = ::write(fd, begin, static_cast<std::size_t>(end - begin));
    if (wrote <= 0) break;
    begin += wrote;
  }
  ::close(fd);
}

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

// The event of a line; the agent's user can write the spool, so nothing in it is taken on trust
// but as that user's word.
audit::Event event_of(std::string_view line) {
  const std::string_view whole = line;
  const std::string_view cause = take_word(line);
  const auto microseconds = number(take_word(line));
  const auto pid = number(take_word(line));
  const std::string_view mode = take_word(line);
  const std::string_view agent = take_word(line);
  audit::Event event;
  const CauseRow* row = nullptr;
  for (const CauseRow& one : kCauseRows) {
    if (one.name == cause) row = &one;
  }
  constexpr std::uint64_t kMicrosecondsMax = std::uint64_t{1} << 52;  // the year 2112
  const bool sound = row != nullptr && microseconds && *microseconds < kMicrosecondsMax && pid &&
                     (mode == "a" || mode == "d") && !agent.empty();
  if (line != "-") {
    if (auto call = audit::decode(line)) event = std::move(*call);
  }
  event.type = audit::EventType::kDecision;
  event.action = audit::Action::kError;
  event.decision = audit::Verdict::kDeny;
  event.mode = mode == "a" ? audit::Mode::kAudit : audit::Mode::kEnforce;
  event.rule.clear();
  event.seq = 0;
  event.chain_id.clear();
  if (!sound) {
    event.reason_code = "hook.incident_unreadable";
    event.reason = "a line in the spool of hooks that did not come to an end can't be read: " +
                   printable(utf8_prefix(whole, limits::kVerdictReasonBytesMax));
    return event;
  }
  event.time = WallTime(std::chrono::microseconds(*microseconds));
  event.id = uuid_v7(event.time);
  event.agent = agent;
  event.reason_code = row->code;
  event.reason = row->reason;
  event.detail.emplace_back("hook_pid", std::to_string(*pid));
  return event;
}

// The file that is to be reported, locked; invalid when there is none, or someone is at it.
UniqueFd take_spool(const std::string& directory) {
  const std::string spool = directory + std::string(kSpool);
  const std::string reporting = directory + std::string(kReporting);
  struct stat info{};
  const bool left_over = ::lstat(reporting.c_str(), &info) == 0;
  if (!left_over) {
    if (::lstat(spool.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    // Never over what another hook has taken meanwhile.
    if (::renameat2(AT_FDCWD, spool.c_str(), AT_FDCWD, reporting.c_str(), RENAME_NOREPLACE) != 0) {
      return {};
    }
  }
  UniqueFd fd(::open(reporting.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
  // Between open and lock another hook may have come to its end and a third have renamed anew.
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink == 0) return {};
  return fd;
}

}  // namespace

void report_incidents(const std::string& directory, const RecordIncident& record) {
  if (directory.empty()) return;
  const UniqueFd fd = take_spool(directory);
  if (!fd.valid()) return;
  const auto text = read_all(fd.get(), limits::kIncidentSpoolBytesMax);
  std::size_t reported = 0;
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  if (!text) {
    audit::Event event = event_of({});
    event.reason =
        "the spool of hooks that did not come to an end is set aside: " + text.error().message;
    if (!record(event)) return;
    const std::string path = directory + std::string(kReporting);
    std::rename(path.c_str(), (path + ".unreadable").c_str());
    return;
  }
  while (!rest.empty()) {
    const auto at = static_cast<off_t>(text->size() - rest.size());
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty() || line.front() == kReported) continue;
    if (reported++ == limits::kIncidentsPerHookMax) return;
    audit::Event event = event_of(line);
    if (!record(event)) return;
    if (::pwrite(fd.get(), &kReported, 1, at) != 1) return;
  }
  ::unlink((directory + std::string(kReporting)).c_str());
}

}  // namespace lilith::enforcer
