#include "enforcer/gate.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <chrono>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

std::uint64_t nanoseconds(const timespec& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

Gate::Gate(GateOptions options, const Clock& clock, const rules::FileSystem& file_system,
           rules::UserRecord user, Places places, AgentProcess process, std::string cwd)
    : options_(std::move(options)),
      clock_(clock),
      file_system_(file_system),
      user_(std::move(user)),
      places_(std::move(places)),
      process_(std::move(process)),
      cwd_(std::move(cwd)),
      host_(host_name()) {
  const Stamps before = stamps();
  settle(find_policy(places_, options_.policy, file_system_, options_.engine));
  stamps_ = before;
}

Gate::Stamps Gate::stamps() const {
  const std::string& named = options_.policy.empty() ? places_.environment_policy : options_.policy;
  // As find_policy() looks: what is named stands before the user's.
  const std::array<const std::string*, 2> paths{&places_.system_policy,
                                                named.empty() ? &places_.user_policy : &named};
  Stamps all{};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    struct stat info{};
    if (paths[i]->empty() || ::stat(paths[i]->c_str(), &info) != 0) continue;
    all[i] = {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
              static_cast<std::uint64_t>(info.st_size), nanoseconds(info.st_ctim)};
  }
  return all;
}

std::shared_ptr<const rules::Policy> Gate::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

// Takes the policy that was found, whatever it is.
void Gate::settle(const FoundPolicy& found) {
  std::string code, why;
  if (!found.load.policy) {
    code = found.path.empty() ? "policy.missing" : "policy.invalid";
    why = why_unusable(found, places_);
  }
  {
    const std::lock_guard lock(mutex_);
    policy_ = found.load.policy;
    announced_ = false;
    compiled_ignored_ = found.compiled_ignored;
    unusable_code_ = code;
    unusable_why_ = why;
  }
  if (!found.load.policy) return record_load_failure(found.path, why, code);
  if (found.load.policy->enforces()) remember_enforcement(places_);
  announce();
}

// Where it can't be recorded now, the first event that can be is told of the policy (write()).
void Gate::announce() const {
  const auto now = policy();
  if (!now->audit().enabled) return;
  audit::Event loaded = blank_event(audit::EventType::kPolicyLoaded);
  loaded.category = audit::Category::kPolicy;
  if (auto ignored = write(loaded); !ignored) return;
}

void Gate::refresh() {
  const Stamps now = stamps();
  {
    const std::lock_guard lock(mutex_);
    if (now == stamps_) return;
    stamps_ = now;
  }
  if (options_.keeps_policy) {
    if (auto ignored = reload(); !ignored) return;  // recorded
  } else {
    settle(find_policy(places_, options_.policy, file_system_, options_.engine));
  }
}

Result<void> Gate::reload() {
  const Stamps seen = stamps();
  FoundPolicy found = find_policy(places_, options_.policy, file_system_, options_.engine);
  {
    const std::lock_guard lock(mutex_);
    stamps_ = seen;
  }
  if (!found.load.policy && policy() != nullptr) {
    std::string why = why_unusable(found, places_) + "; the policy that was in force stays";
    record_load_failure(found.path, why, found.path.empty() ? "policy.missing" : "policy.invalid");
    return fail(ErrorCode::kInvalidInput, std::move(why));
  }
  settle(found);
  if (policy() == nullptr) return fail(ErrorCode::kInvalidInput, "there is no usable policy");
  return {};
}

void Gate::record_load_failure(const std::string& path, const std::string& why,
                               std::string code) const {
  audit::Event event = blank_event(audit::EventType::kPolicyLoadFailed);
  event.category = audit::Category::kPolicy;
  event.reason_code = std::move(code);
  event.reason = why;
  if (!path.empty()) event.detail.emplace_back("path", path);
  // Each call that is denied for it says the same in an event of its own.
  if (auto ignored = write(event); !ignored) return;
}

audit::Event Gate::blank_event(audit::EventType type) const {
  audit::Event event;
  event.type = type;
  event.enforcement = options_.enforcement;
  event.host = host_;
  event.process_key = process_key(host_, process_);
  event.process_pid = process_.pid;
  event.process_exe = process_.exe;
  event.time = clock_.now();
  event.id = uuid_v7(event.time);
  event.agent = options_.agent;
  event.session = options_.session;
  event.engine = options_.engine;
  if (const auto now = policy()) {
    event.policy_sha256 = now->sha256();
    event.mode = now->enforces() ? audit::Mode::kEnforce : audit::Mode::kAudit;
  }
  event.facts.uid = user_.uid;
  event.facts.user = user_.name;
  const std::lock_guard lock(mutex_);
  if (!compiled_ignored_.empty()) {
    event.detail.emplace_back("compiled_policy_ignored", compiled_ignored_);
  }
  return event;
}

Result<void> Gate::write(audit::Event& event) const {
  std::shared_ptr<const rules::Policy> now;
  bool announces = false;
  {
    const std::lock_guard lock(mutex_);
    now = policy_;
    announces = !announced_;
  }
  const bool enforcing = now == nullptr || now->enforces();
  const MonotonicTime until = clock_.monotonic() + limits::kLogLockTimeout;
  std::unique_lock<std::mutex> log_lock(log_mutex_, std::defer_lock);
  KeptLog* const kept = options_.keeps_log && log_lock.try_lock() ? &log_ : nullptr;
  auto written = record(
      {places_, options_.recorder, now.get(), enforcing, until, clock_, announces, nullptr, kept},
      event);
  if (written && announces) {
    const std::lock_guard lock(mutex_);
    if (policy_ == now) announced_ = true;
  }
  return written;
}

void Gate::let_go_of_log() const {
  const std::lock_guard lock(log_mutex_);
  log_.log.reset();
}

audit::Event Gate::event_about(GateCall& call) const {
  audit::Event event = blank_event(audit::EventType::kDecision);
  event.hook = std::move(call.hook);
  event.call_id = std::move(call.call_id);
  event.tool = std::move(call.tool);
  event.server = std::move(call.server);
  event.call = std::move(call.call);
  event.detail.insert(event.detail.end(), std::make_move_iterator(call.detail.begin()),
                      std::make_move_iterator(call.detail.end()));
  return event;
}

Outcome Gate::without_policy(GateCall call) {
  audit::Event event = event_about(call);
  Outcome outcome;
  {
    const std::lock_guard lock(mutex_);
    outcome.reason = unusable_why_;
    outcome.reason_code = unusable_code_;
  }
  event.action = audit::Action::kError;
  event.decision = audit::Verdict::kDeny;
  event.mode = audit::Mode::kEnforce;
  event.operation.kind = event.call.kind;
  if (event.call.kind == audit::OperationKind::kEgress) event.category = audit::Category::kEgress;
  event.reason_code = outcome.reason_code;
  event.reason = outcome.reason;
  if (auto written = write(event); !written) {
    outcome.reason += "; and the audit log could not be written: " + written.error().message;
  }
  return outcome;
}

rules::Decision Gate::ask(const GateCall& call) const {
  const auto now = policy();
  if (now == nullptr) return rules::deny_without_policy("there is no usable policy");
  const rules::CallAnalysis analysis = rules::analyse(call.call);
  const audit::Facts facts = rules::observe(analysis, user_, cwd_, file_system_);
  return rules::decide(*now, {options_.agent, call.tool, call.server}, analysis, facts);
}

Outcome Gate::decide(GateCall call) {
  const auto now = policy();
  if (now == nullptr) return without_policy(std::move(call));
  const bool only_record = call.only_record;
  const MonotonicTime begin = clock_.monotonic();
  audit::Event event = event_about(call);
  const rules::CallAnalysis analysis = rules::analyse(event.call);
  event.facts = rules::observe(analysis, user_, cwd_, file_system_);
  rules::Decision decision =
      rules::decide(*now, {event.agent, event.tool, event.server}, analysis, event.facts);
  if (only_record && decision.action == audit::Action::kDenied) {
    decision.action = audit::Action::kWouldDeny;
    decision.mode = audit::Mode::kAudit;
  }
  event.decide_us =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.monotonic() - begin).count();
  put_decision(event, decision);

  Outcome outcome;
  outcome.action = decision.action;
  outcome.rule = decision.rule;
  outcome.reason_code = decision.reason_code;
  outcome.allowed = decision.action != audit::Action::kDenied;
  if (!outcome.allowed) outcome.reason = decision.reason;
  const rules::AuditSettings& audit = now->audit();
  const bool wanted =
      audit.enabled && (audit.log_allowed || decision.action != audit::Action::kAllowed);
  if (!wanted) return outcome;
  outcome.event_id = event.id;
  if (auto written = write(event); !written) {
    const std::string why = "the audit log could not be written: " + written.error().message;
    if (!outcome.allowed) {
      outcome.reason += "; and " + why;
    } else if (decision.mode == audit::Mode::kEnforce) {
      outcome.allowed = false;
      outcome.action = audit::Action::kError;
      outcome.reason_code = "log.unwritable";
      outcome.reason = why + ", so nothing is allowed";
    }
  }
  return outcome;
}

}  // namespace lilith::enforcer
