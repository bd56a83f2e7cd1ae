#pragma once
// Decides and records for programs that live longer than one call (MCP proxy, egress proxy): the
// same evaluator, the same events and the same way of failing closed as the hook.

#include "audit/base/clock.hpp"
#include "audit/event.hpp"
#include "enforcer/agent_process.hpp"
#include "enforcer/policy_place.hpp"
#include "enforcer/recording.hpp"
#include "rules/decide.hpp"
#include "rules/path.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::enforcer {

struct GateOptions {
  std::string policy;    // --policy, or empty
  std::string recorder;  // --recorder, or empty
  std::string agent;     // as in a policy; empty: not known
  std::string session;   // of the events
  std::string engine;    // program version, for the events
  audit::Enforcement enforcement = audit::Enforcement::kAdvisory;
  // A changed policy that is unusable is reported, and the one before stays in force.
  bool keeps_policy = false;
  // The log stays open from one event to the next, until let_go_of_log(): for who has many in a row
  // and knows when there are no more.
  bool keeps_log = false;
};

// One call on its way to a decision. Views nothing: it is copied into the event.
struct GateCall {
  std::string tool, server;
  std::string hook;     // what carried the call: tools/call, CONNECT, ...
  std::string call_id;  // the client's own
  audit::Call call;
  std::vector<std::pair<std::string, std::string>> detail;
  // Recorded as would_deny and let through, although the policy enforces.
  bool only_record = false;
};

struct Outcome {
  bool allowed = false;
  std::string reason;  // for the client; set when not allowed
  audit::Action action = audit::Action::kError;
  std::string rule, reason_code;
  std::string event_id;  // of the event that was written, if one was
};

// Safe to use from several threads.
class Gate {
 public:
  Gate(GateOptions options, const Clock& clock, const rules::FileSystem& file_system,
       rules::UserRecord user, Places places, AgentProcess process, std::string cwd);

  // Looks for the policy again when one of the files that could hold it has changed. A policy that
  // is unusable denies everything until it is mended, but for `keeps_policy`.
  void refresh();
  // For a daemon that was asked to read its policy again: an unusable one is reported, recorded
  // and left aside, and the one in force stays.
  [[nodiscard]] Result<void> reload();

  // Decides, records, and only then answers. What can't be recorded is not allowed where the
  // policy enforces.
  [[nodiscard]] Outcome decide(GateCall call);
  // What the policy says, without an event; a denial when there is no usable policy.
  [[nodiscard]] rules::Decision ask(const GateCall& call) const;
  // An event with the gate's names filled in, and the way to write it.
  [[nodiscard]] audit::Event blank_event(audit::EventType type) const;
  [[nodiscard]] Result<void> write(audit::Event& event) const;
  // Closes the log that `keeps_log` left open.
  void let_go_of_log() const;
  [[nodiscard]] std::shared_ptr<const rules::Policy> policy() const;

 private:
  // Device, inode, size and time of change of one file; zeros when it is not there.
  using Stamp = std::array<std::uint64_t, 4>;
  using Stamps = std::array<Stamp, 2>;
  [[nodiscard]] Stamps stamps() const;
  void settle(const FoundPolicy& found);
  void announce() const;
  [[nodiscard]] audit::Event event_about(GateCall& call) const;
  [[nodiscard]] Outcome without_policy(GateCall call);
  void record_load_failure(const std::string& path, const std::string& why, std::string code) const;

  GateOptions options_;
  const Clock& clock_;
  const rules::FileSystem& file_system_;
  rules::UserRecord user_;
  Places places_;
  AgentProcess process_;
  std::string cwd_, host_;

  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const rules::Policy> policy_;
  mutable bool announced_ = false;  // whether the log was told of policy_; only once, since hooks
                                    // may have loaded a newer one by the next event
  std::string unusable_code_, unusable_why_;
  std::string compiled_ignored_;  // why a compiled form of the policy that is there is not used
  Stamps stamps_{};

  mutable std::mutex log_mutex_;  // of the log that is kept; whoever finds it taken opens it anew
  mutable KeptLog log_;
};

}  // namespace lilith::enforcer
