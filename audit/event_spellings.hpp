#pragma once
// The wire spellings of schema 1, and the only place that has them. What is frequent stands first.

#include "audit/event.hpp"

#include <array>
#include <string_view>

namespace lilith::audit {

template <class Enum>
struct Spelling {
  Enum value;
  std::string_view text;
};

inline constexpr std::array kEventTypes{
    Spelling{EventType::kDecision, "decision"},
    Spelling{EventType::kImported, "imported"},
    Spelling{EventType::kEgressBurst, "egress_burst"},
    Spelling{EventType::kPolicyLoaded, "policy_loaded"},
    Spelling{EventType::kPolicyLoadFailed, "policy_load_failed"},
    Spelling{EventType::kLogOpened, "log_opened"},
    Spelling{EventType::kLogSealed, "log_sealed"},
    Spelling{EventType::kCheckpoint, "checkpoint"},
    Spelling{EventType::kTamper, "tamper"},
    Spelling{EventType::kShipLoss, "ship_loss"},
    Spelling{EventType::kHeartbeat, "heartbeat"},
    Spelling{EventType::kInventory, "inventory"},
    Spelling{EventType::kConnectionClosed, "connection_closed"},
    Spelling{EventType::kLogFull, "log_full"},
    Spelling{EventType::kLogResumed, "log_resumed"},
    Spelling{EventType::kWithheld, "withheld"},
};
inline constexpr std::array kVerdicts{Spelling{Verdict::kAllow, "allow"},
                                      Spelling{Verdict::kDeny, "deny"},
                                      Spelling{Verdict::kNone, ""}};
inline constexpr std::array kModes{Spelling{Mode::kAudit, "audit"},
                                   Spelling{Mode::kEnforce, "enforce"}};
inline constexpr std::array kActions{
    Spelling{Action::kAllowed, "allowed"},      Spelling{Action::kDenied, "denied"},
    Spelling{Action::kWouldDeny, "would_deny"}, Spelling{Action::kError, "error"},
    Spelling{Action::kRecorded, "recorded"},    Spelling{Action::kNone, "none"},
};
inline constexpr std::array kCategories{
    Spelling{Category::kToolInvocation, "tool_invocation"},
    Spelling{Category::kEgress, "egress"},
    Spelling{Category::kPolicy, "policy"},
    Spelling{Category::kIntegrity, "integrity"},
    Spelling{Category::kInventory, "inventory"},
    Spelling{Category::kHealth, "health"},
};
inline constexpr std::array kEnforcements{Spelling{Enforcement::kAdvisory, "advisory"},
                                          Spelling{Enforcement::kFenced, "fenced"}};
inline constexpr std::array kOperationKinds{
    Spelling{OperationKind::kReadFile, "read_file"},
    Spelling{OperationKind::kWriteFile, "write_file"},
    Spelling{OperationKind::kRunCommand, "run_command"},
    Spelling{OperationKind::kEgress, "egress"},
    Spelling{OperationKind::kMcpTool, "mcp_tool"},
    Spelling{OperationKind::kOther, "other"},
};
inline constexpr std::array kVias{Spelling{Via::kDirect, "direct"},
                                  Spelling{Via::kRecorder, "recorder"}};

}  // namespace lilith::audit
