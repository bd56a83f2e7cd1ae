#pragma once
// How a decision becomes an event, and where that goes: to the recorder when there is one, else
// into the policy's log, else, for a user who may not write that, into a log of the user's own that
// says so.

#include "audit/base/clock.hpp"
#include "audit/event.hpp"
#include "audit/log.hpp"
#include "enforcer/policy_place.hpp"
#include "rules/decide.hpp"
#include "rules/policy.hpp"

#include <memory>
#include <optional>
#include <string>

namespace lilith::enforcer {

// gethostname(2), or "unknown".
[[nodiscard]] std::string host_name();

// The log that a policy's audit section asks for; without a host. In a policy that enforces, seals
// are required where they are asked for.
[[nodiscard]] audit::LogOptions log_options(const rules::AuditSettings& settings, bool enforces);

// Copies what was decided into the event: verdict, mode, action, rule, reason, operations.
void put_decision(audit::Event& event, const rules::Decision& decision);

// The log of one event, open for the next one. It keeps a file from being freed that somebody
// deletes: reset it when no event is in sight.
struct KeptLog {
  audit::LogOptions options;
  std::unique_ptr<audit::Appender> log;
};

struct RecordingOptions {
  const Places& places;
  std::string recorder;                   // --recorder, or empty
  const rules::Policy* policy = nullptr;  // null: there is no usable one
  bool enforcing =
      true;             // a recorder that does not answer is an error; else the log is the way out
  MonotonicTime until;  // when the last try must be over
  const Clock& clock;
  // The policy was loaded just now: a change of it is recorded in front of the event.
  bool announces = true;
  // Set to the log that soon wants a checkpoint, for whoever can make it when the verdict is out;
  // null: the writer that it is due for makes it.
  std::optional<audit::LogOptions>* seal_later = nullptr;
  // Where the log is looked for first and left open; null: it is opened and closed. One thread at a
  // time.
  KeptLog* kept = nullptr;
};
// The socket of the recorder that events go to, `option` being --recorder; empty: none, and events
// go into the log itself.
[[nodiscard]] std::string recorder_socket(const Places& places, const std::string& option);
// Removes secrets unless the policy says otherwise, then appends; after a value is returned the
// event is on disk.
[[nodiscard]] Result<void> record(const RecordingOptions& options, audit::Event& event);

// For a policy by which nothing is to be recorded now: whether the log may not have heard of it
// yet. An event of type policy_loaded then tells it (audit::Appender::append). Through a recorder
// only that can say.
[[nodiscard]] bool may_be_news(const RecordingOptions& options);

// Remembers that a policy in enforce mode was in force here, and tells. The first file that says so
// is returned, or an empty string.
void remember_enforcement(const Places& places);
[[nodiscard]] std::string enforcement_seen(const Places& places);

}  // namespace lilith::enforcer
