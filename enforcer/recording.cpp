#include "enforcer/recording.hpp"

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/redact.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kShortestWait{50};
constexpr unsigned kPrivateFile = 0600, kPrivateDirectory = 0700;
constexpr char kMarker[] = "/enforced", kPrivateSealKey[] = "/seal.key";
constexpr std::size_t kHostNameBytesMax = 256;

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

bool is_socket(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

milliseconds time_left(const RecordingOptions& options) {
  const auto left =
      std::chrono::duration_cast<milliseconds>(options.until - options.clock.monotonic());
  return std::max(left, kShortestWait);
}

std::string recorder_of(const RecordingOptions& options) {
  return recorder_socket(options.places, options.recorder);
}

audit::PolicyInForce in_force(const RecordingOptions& options) {
  if (options.policy == nullptr || !options.announces) return {};
  std::string path = options.policy->file_name();
  if (!path.starts_with('/')) {
    std::array<char, PATH_MAX> cwd{};
    if (::getcwd(cwd.data(), cwd.size()) == nullptr) cwd[0] = '\0';
    path = std::string(cwd.data()) + "/" + path;
  }
  return {options.policy->sha256(),
          options.policy->enforces() ? audit::Mode::kEnforce : audit::Mode::kAudit,
          std::move(path)};
}

std::string fallback_log(const Places& places) { return places.user_state + "/agent-audit.log"; }

Result<audit::Appended> append_to(const RecordingOptions& options, audit::LogOptions log,
                                  audit::Event& event) {
  if (options.kept == nullptr) {
    auto appender = audit::open_log(log, options.clock);
    if (!appender) return pass_error(appender);
    return (*appender)->append(event, in_force(options));
  }
  // Of each event, whenever the log was opened.
  log.lock_timeout = limits::kLogLockTimeout;
  KeptLog& kept = *options.kept;
  if (kept.log == nullptr || kept.options != log) {
    auto appender = audit::open_log(log, options.clock);
    if (!appender) return pass_error(appender);
    kept = {std::move(log), std::move(*appender)};
  }
  auto appended = kept.log->append(event, in_force(options));
  if (!appended) kept.log.reset();
  return appended;
}

Result<void> append_directly(const RecordingOptions& options, const rules::AuditSettings& audit,
                             const std::string& path, bool is_private, audit::Event& event) {
  audit::LogOptions log =
      log_options(audit, options.policy == nullptr || options.policy->enforces());
  log.path = path;
  log.host = event.host;
  if (log.sync == audit::Sync::kBatch) log.sync = audit::Sync::kAlways;
  log.lock_timeout = time_left(options);
  if (is_private) {
    log.group.clear();
    // A key belongs to one log.
    if (!log.seal.key.empty()) log.seal.key = options.places.user_state + kPrivateSealKey;
    log.file_mode = kPrivateFile;
    log.directory_mode = kPrivateDirectory;
  }
  event.via = audit::Via::kDirect;
  auto appended = append_to(options, log, event);
  if (!appended) return pass_error(appended);
  if (appended->seal_soon && options.seal_later != nullptr) *options.seal_later = log;
  return {};
}

bool is_refusal(const Error& error) {
  constexpr std::array kRefusals{EACCES, EPERM, EROFS};
  return std::find(kRefusals.begin(), kRefusals.end(), error.os_errno) != kRefusals.end();
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

Result<void> append_to_log(const RecordingOptions& options, audit::Event& event) {
  const rules::AuditSettings defaults;
  const rules::AuditSettings& audit = options.policy ? options.policy->audit() : defaults;
  // Without a policy nobody asked for the system's log directory; it is used where it is there.
  const bool may_use = options.policy != nullptr || exists(parent_of(audit.log_path));
  Result<void> done;
  if (may_use) {
    done = append_directly(options, audit, audit.log_path, false, event);
    if (done) return done;
    if (::geteuid() == 0 || !is_refusal(done.error())) return done;
  }
  if (options.places.user_state.empty()) {
    if (!may_use) return fail(ErrorCode::kNotFound, "there is no place for an audit log");
    return done;
  }
  event.detail.emplace_back("log", "fallback");
  event.detail.emplace_back("log_refused", audit.log_path);
  return append_directly(options, audit, fallback_log(options.places), true, event);
}

}  // namespace

std::string recorder_socket(const Places& places, const std::string& option) {
  if (!option.empty()) return option;
  if (is_socket(places.system_recorder)) return places.system_recorder;
  return places.environment_recorder;
}

std::string host_name() {
  std::array<char, kHostNameBytesMax> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

audit::LogOptions log_options(const rules::AuditSettings& settings, bool enforces) {
  audit::LogOptions log;
  log.path = settings.log_path;
  log.sync = settings.sync;
  log.rotate_bytes = settings.rotate_max_bytes;
  log.rotate_keep = settings.rotate_keep;
  log.shipper_state = settings.shipper_state;
  log.quota_bytes = settings.quota_max_bytes;
  log.free_bytes_min = settings.quota_min_free_bytes;
  log.group = settings.group;
  log.seal.key = settings.seal_key;
  log.seal.events_max = settings.seal_events;
  log.seal.age_max = settings.seal_age;
  log.seal.required = enforces;
  return log;
}

void put_decision(audit::Event& event, const rules::Decision& decision) {
  event.decision = decision.verdict;
  event.mode = decision.mode;
  event.action = decision.action;
  event.category = decision.category;
  event.rule = decision.rule;
  event.policy_line = decision.line;
  event.reason_code = decision.reason_code;
  event.reason = decision.reason;
  event.technique = decision.technique;
  event.operation = decision.operation;
  event.operations = static_cast<std::uint32_t>(decision.operations);
  for (const audit::Operation& other : decision.others) event.also.push_back(describe(other));
}

Result<void> record(const RecordingOptions& options, audit::Event& event) {
  if (options.policy == nullptr || options.policy->audit().redact) audit::redact(event);
  const std::string socket = recorder_of(options);
  if (socket.empty()) return append_to_log(options, event);
  auto recorder = audit::open_recorder(socket, time_left(options));
  if (recorder) {
    event.via = audit::Via::kRecorder;
    auto appended = (*recorder)->append(event, in_force(options));
    if (appended) return {};
    if (options.enforcing) return pass_error(appended);
  } else if (options.enforcing) {
    return pass_error(recorder);
  }
  return append_to_log(options, event);
}

bool may_be_news(const RecordingOptions& options) {
  if (options.policy == nullptr) return false;
  if (!recorder_of(options).empty()) return true;
  const audit::PolicyInForce policy = in_force(options);
  const rules::AuditSettings& audit = options.policy->audit();
  bool heard_of_any = false;
  for (const std::string& log : {audit.log_path, fallback_log(options.places)}) {
    const audit::PolicyKnown known = audit::policy_known(log, policy);
    if (known == audit::PolicyKnown::kSame) return false;
    heard_of_any = heard_of_any || known != audit::PolicyKnown::kNothing;
  }
  // A policy that wants no log at all gets none, but one that is there shall not just end.
  return audit.enabled || heard_of_any;
}

void remember_enforcement(const Places& places) {
  if (!enforcement_seen(places).empty()) return;
  const auto leave_mark = [](const std::string& directory) {
    const UniqueFd fd(::open((directory + kMarker).c_str(),
                             O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644));
    return fd.valid();
  };
  if (leave_mark(places.system_state) || places.user_state.empty()) return;
  if (make_directories(places.user_state, kPrivateDirectory)) leave_mark(places.user_state);
}

std::string enforcement_seen(const Places& places) {
  for (const std::string* directory : {&places.system_state, &places.user_state}) {
    if (!directory->empty() && exists(*directory + kMarker)) return *directory + kMarker;
  }
  return {};
}

}  // namespace lilith::enforcer
