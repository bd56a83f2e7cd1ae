#pragma once
// What a hook leaves behind when its guard answers for it: one line in a spool file of the user's
// own. The next hook makes events of the lines and appends them to the audit log, through the
// recorder where there is one.
//
// Spool: DIRECTORY/incidents, mode 0600, a line an incident:
//   CAUSE MICROSECONDS PID MODE AGENT EVENT
// with CAUSE deadline, signal or crash, MICROSECONDS since 1970, MODE d (denied) or a (let through
// in audit mode) and EVENT the call as far as it was known, redacted, in the form of the recorder's
// wire (audit/recorder.hpp), or "-". A reported line begins with '#'.
//
// Whoever reports renames the file to DIRECTORY/incidents.reporting and locks it; a hook that dies
// on the way leaves it there for the next one. A line is marked after its event is in the log, so
// that nothing gets lost, and two hooks never report the same line.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/event.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace lilith::enforcer {

enum class Cause : std::size_t { kDeadline, kSignal, kCrash };
inline constexpr std::size_t kCauses = 3;
[[nodiscard]] std::string_view reason_of(Cause cause);

// ---- for the guard

// Where incidents of this process go, and what is known of the call; empty until it is. Takes
// effect as a whole, whenever a signal comes.
void prepare_incident(const std::string& directory, std::string_view agent,
                      const audit::Event* call);
// Async-signal-safe (signal-safety(7)). What can't be written is lost.
void leave_incident(Cause cause, bool lets_through) noexcept;

// ---- for the next hook

// Fills in who, where and which program; called with a blank event or one that was read back.
using RecordIncident = std::function<Result<void>(audit::Event& event)>;
// At most limits::kIncidentsPerHookMax; the rest stays for the next. Lines that can't be read
// become events that say so. Stops at the first event that could not be recorded.
void report_incidents(const std::string& directory, const RecordIncident& record);

}  // namespace lilith::enforcer
