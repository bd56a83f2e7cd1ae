#include "enforcer/hook.hpp"

#include "audit/base/text.hpp"
#include "audit/base/users.hpp"
#include "enforcer/agent_process.hpp"
#include "enforcer/guard.hpp"
#include "enforcer/incidents.hpp"
#include "enforcer/recording.hpp"
#include "rules/decide.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace lilith::enforcer {
namespace {

using agents::Answer;
using agents::HookEvent;
using std::chrono::milliseconds;

constexpr std::size_t kFirstReadBytes = 4096;
constexpr std::size_t kReadBytesMax = std::size_t{64} * 1024;

class Hook {
 public:
  Hook(const HookOptions& options, const Machine& machine)
      : options_(options), machine_(machine), started_(machine.clock.monotonic()) {}

  Answer run();
  // An error of our own, or an event that can't be read. `call` is null when it is not known.
  Answer failed(std::string_view code, const std::string& reason, const HookEvent* call);

 private:
  Answer decided(const HookEvent& call);
  void report_earlier_incidents();
  void announce_policy();
  void load_policy();
  [[nodiscard]] bool errors_are_let_through() const;
  [[nodiscard]] audit::Event blank_event(audit::EventType type) const;
  [[nodiscard]] audit::Event event_about(const HookEvent* call) const;
  [[nodiscard]] RecordingOptions recording(bool enforcing) const;
  Result<void> write(audit::Event& event, bool enforcing);
  Answer let_through(const std::string& complaint) const;

  const HookOptions& options_;
  const Machine& machine_;
  MonotonicTime started_;
  FoundPolicy found_;
  const rules::Policy* policy_ = nullptr;
};

void Hook::load_policy() {
  found_ = find_policy(machine_.places, options_.policy, machine_.file_system, options_.engine);
  policy_ = found_.load.policy.get();
  if (policy_ == nullptr || options_.hand_over == nullptr) return;
  const std::string& group = policy_->audit().group;
  if (group.empty()) return;
  if (auto known = group_by_name(group); !known && known.error().code == ErrorCode::kUnavailable) {
    options_.hand_over();
  }
}

// With a policy its mode decides. Without one --on-error does, and only where nothing was ever
// enforced: else breaking the policy file would be the way out of it.
bool Hook::errors_are_let_through() const {
  if (policy_ != nullptr) return !policy_->enforces();
  return options_.allow_on_error && enforcement_seen(machine_.places).empty();
}

audit::Event Hook::blank_event(audit::EventType type) const {
  audit::Event event;
  event.type = type;
  event.host = host_name();
  const AgentProcess process = agent_process_above(::getppid());
  event.process_key = process_key(event.host, process);
  event.process_pid = process.pid;
  event.process_exe = process.exe;
  event.time = machine_.clock.now();
  event.id = uuid_v7(event.time);
  event.agent = agents::name(options_.agent);
  event.engine = options_.engine;
  if (policy_ != nullptr) event.policy_sha256 = policy_->sha256();
  if (!found_.compiled_ignored.empty()) {
    event.detail.emplace_back("compiled_policy_ignored", found_.compiled_ignored);
  }
  event.facts.uid = machine_.user.uid;
  event.facts.user = machine_.user.name;
  return event;
}

audit::Event Hook::event_about(const HookEvent* call) const {
  audit::Event event = blank_event(audit::EventType::kDecision);
  if (call == nullptr) return event;
  event.session = call->session;
  event.hook = call->hook;
  event.call_id = call->call_id;
  event.child = call->child;
  event.tool = call->tool;
  event.server = call->server;
  event.call = call->call;
  event.facts.cwd = call->cwd;
  return event;
}

RecordingOptions Hook::recording(bool enforcing) const {
  const MonotonicTime until = started_ + options_.deadline - limits::kHookLockReserve;
  return {.places = machine_.places,
          .recorder = options_.recorder,
          .policy = policy_,
          .enforcing = enforcing,
          .until = until,
          .clock = machine_.clock,
          .seal_later = options_.seal_later};
}

Result<void> Hook::write(audit::Event& event, bool enforcing) {
  return record(recording(enforcing), event);
}

Answer Hook::let_through(const std::string& complaint) const {
  Answer answer = agents::allow_answer(options_.agent);
  answer.standard_error =
      "lilith: " + printable(utf8_prefix(complaint, limits::kVerdictReasonBytesMax)) +
      "; let through in audit mode\n";
  return answer;
}

Answer Hook::failed(std::string_view code, const std::string& reason, const HookEvent* call) {
  const bool through = errors_are_let_through();
  std::string text = reason;
  if (options_.allow_on_error && !through) {
    const std::string marker = enforcement_seen(machine_.places);
    text +=
        policy_ != nullptr
            ? " (--on-error allow has no effect under a policy that enforces)"
            : " (--on-error allow has no effect since a policy was enforced here: " + marker + ")";
  }
  if (policy_ == nullptr && code.starts_with("policy.")) {
    audit::Event load = blank_event(audit::EventType::kPolicyLoadFailed);
    load.mode = through ? audit::Mode::kAudit : audit::Mode::kEnforce;
    load.category = audit::Category::kPolicy;
    load.reason_code = code;
    load.reason = reason;
    if (!found_.path.empty()) load.detail.emplace_back("path", found_.path);
    // The decision event below says the same, should only one of the two get through.
    if (auto ignored = write(load, !through); !ignored) text += "; " + ignored.error().message;
  }
  audit::Event event = event_about(call);
  event.action = audit::Action::kError;
  event.decision = audit::Verdict::kDeny;
  event.mode = through ? audit::Mode::kAudit : audit::Mode::kEnforce;
  if (call != nullptr && call->call.kind == audit::OperationKind::kEgress) {
    event.category = audit::Category::kEgress;
  }
  if (call != nullptr) event.operation.kind = call->call.kind;
  event.reason_code = code;
  event.reason = text;
  if (auto written = write(event, !through); !written) {
    text += "; and the audit log could not be written: " + written.error().message;
  }
  return through ? let_through(text) : agents::deny_answer(options_.agent, text);
}

Answer Hook::decided(const HookEvent& call) {
  audit::Event event = event_about(&call);
  prepare_incident(machine_.places.user_state, event.agent, &event);
  const MonotonicTime begin = machine_.clock.monotonic();
  const rules::CallAnalysis analysis = rules::analyse(call.call);
  event.facts = rules::observe(analysis, machine_.user, call.cwd, machine_.file_system);
  const rules::Decision decision =
      rules::decide(*policy_, {event.agent, call.tool, call.server}, analysis, event.facts);
  event.decide_us =
      std::chrono::duration_cast<std::chrono::microseconds>(machine_.clock.monotonic() - begin)
          .count();
  put_decision(event, decision);

  const bool denied = decision.action == audit::Action::kDenied;
  const bool enforcing = decision.mode == audit::Mode::kEnforce;
  const rules::AuditSettings& audit = policy_->audit();
  const bool wanted =
      audit.enabled && (audit.log_allowed || decision.action != audit::Action::kAllowed);
  if (wanted) {
    if (auto written = write(event, enforcing || denied); !written) {
      const std::string why = "the audit log could not be written: " + written.error().message;
      if (denied) return agents::deny_answer(options_.agent, decision.reason + "; and " + why);
      if (enforcing) return agents::deny_answer(options_.agent, why + ", so nothing is allowed");
      return let_through(why);
    }
  } else {
    announce_policy();
  }
  return denied ? agents::deny_answer(options_.agent, decision.reason)
                : agents::allow_answer(options_.agent);
}

// A policy under which this call leaves no event may be another than the one before: that does.
// Where it can't be recorded the next hook tries again.
void Hook::announce_policy() {
  if (!may_be_news(recording(false))) return;
  audit::Event loaded = blank_event(audit::EventType::kPolicyLoaded);
  loaded.category = audit::Category::kPolicy;
  if (auto ignored = write(loaded, false); !ignored) return;
}

// What an earlier hook of this user could not log itself. Nobody waits for that, so what fails is
// left to the next hook.
void Hook::report_earlier_incidents() {
  report_incidents(machine_.places.user_state, [this](audit::Event& event) -> Result<void> {
    const audit::Event blank = blank_event(audit::EventType::kDecision);
    if (event.host.empty()) event.host = blank.host;
    if (event.process_key.empty()) event.process_key = blank.process_key;
    if (event.agent.empty()) event.agent = blank.agent;
    if (event.engine.empty()) event.engine = blank.engine;
    event.facts.uid = blank.facts.uid;
    event.facts.user = blank.facts.user;
    return write(event, event.mode == audit::Mode::kEnforce);
  });
}

Answer Hook::run() {
  prepare_incident(machine_.places.user_state, agents::name(options_.agent), nullptr);
  // Before the policy is read nothing is known of its mode.
  set_guard_lets_through(errors_are_let_through());
  load_policy();
  set_guard_lets_through(errors_are_let_through());
  if (policy_ != nullptr && policy_->enforces()) remember_enforcement(machine_.places);
  report_earlier_incidents();

  const MonotonicTime until = started_ + options_.deadline - limits::kHookInputReserve;
  auto input = read_input(options_.input, limits::kHookInputBytesMax, until, machine_.clock);
  if (!input) return failed("hook.input_unreadable", input.error().message, nullptr);
  auto call = agents::read_hook_event(options_.agent, *input, options_.event);
  if (policy_ == nullptr) {
    if (call && !call->decides) return agents::allow_answer(options_.agent);
    return failed(found_.path.empty() ? "policy.missing" : "policy.invalid",
                  why_unusable(found_, machine_.places), call ? &*call : nullptr);
  }
  if (!call) return failed("hook.input_invalid", call.error().message, nullptr);
  if (!call->decides) return agents::allow_answer(options_.agent);
  return decided(*call);
}

}  // namespace

Result<std::string> read_input(int fd, std::size_t bytes_max, MonotonicTime until,
                               const Clock& clock) {
  std::string bytes;
  // Most events are short: no page is touched that need not be.
  std::size_t want = kFirstReadBytes;
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock.monotonic());
    pollfd wait{fd, POLLIN, 0};
    const int ready =
        ::poll(&wait, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno("cannot wait for the hook event");
    if (ready == 0) {
      return fail(ErrorCode::kUnavailable, "the hook event did not come to its end in time");
    }
    const std::size_t have = bytes.size();
    bytes.resize(have + want);
    const ssize_t got = ::read(fd, bytes.data() + have, want);
    const int error = errno;
    bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return bytes;
    want = got == static_cast<ssize_t>(want) ? kReadBytesMax : kFirstReadBytes;
    if (got < 0 && error != EINTR && error != EAGAIN) {
      return fail_errno("cannot read the hook event", error);
    }
    if (bytes.size() > bytes_max) {
      return fail(ErrorCode::kLimitExceeded,
                  "the hook event is longer than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

Answer run_hook(const HookOptions& options, const Machine& machine) {
  Hook hook(options, machine);
  try {
    return hook.run();
  } catch (const std::bad_alloc&) {
    return hook.failed("internal.memory", "out of memory", nullptr);
  } catch (const std::exception& error) {
    return hook.failed("internal.error", std::string("internal error: ") + error.what(), nullptr);
  }
}

}  // namespace lilith::enforcer
