#pragma once
// The audit event, schema 1: the contract between enforcer, shipper, replay and the SIEM.
// docs/event.md describes the line on disk; the wire spellings stand in event_names.cpp only.
//
// All of these are plain values. Empty strings and zero counts mean "not known" and are left out of
// the line unless docs/event.md calls the member required.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::audit {

inline constexpr int kSchema = 1;

enum class EventType {
  kDecision,
  kImported,  // history that was not decided when it happened (lilith import)
  kEgressBurst,
  kPolicyLoaded,
  kPolicyLoadFailed,
  kLogOpened,  // first event of every file
  kLogSealed,  // a torn tail was found and closed
  kCheckpoint,
  kTamper,
  kShipLoss,
  kHeartbeat,
  kInventory,
  kConnectionClosed,
  kLogFull,     // the quota or the file system is used up: from here on events are refused
  kLogResumed,  // there is room again; how many were refused
  kWithheld,    // seqs that the route of one of the shipper's sinks kept from it
};
enum class Verdict { kNone, kAllow, kDeny };  // what the policy says, whatever the mode
enum class Mode { kAudit, kEnforce };
enum class Action { kAllowed, kDenied, kWouldDeny, kError, kRecorded, kNone };  // what was done
enum class Category { kToolInvocation, kEgress, kPolicy, kIntegrity, kInventory, kHealth };
enum class Enforcement { kAdvisory, kFenced };
enum class OperationKind { kReadFile, kWriteFile, kRunCommand, kEgress, kMcpTool, kOther };
enum class Via { kDirect, kRecorder };

// Wire spellings, both ways; nullopt for a spelling that schema 1 does not know.
[[nodiscard]] std::string_view name(EventType);
[[nodiscard]] std::string_view name(Verdict);
[[nodiscard]] std::string_view name(Mode);
[[nodiscard]] std::string_view name(Action);
[[nodiscard]] std::string_view name(Category);
[[nodiscard]] std::string_view name(Enforcement);
[[nodiscard]] std::string_view name(OperationKind);
[[nodiscard]] std::string_view name(Via);
[[nodiscard]] std::optional<EventType> event_type(std::string_view);
[[nodiscard]] std::optional<Verdict> verdict(std::string_view);
[[nodiscard]] std::optional<Mode> mode(std::string_view);
[[nodiscard]] std::optional<Action> action(std::string_view);
[[nodiscard]] std::optional<Category> category(std::string_view);
[[nodiscard]] std::optional<Enforcement> enforcement(std::string_view);
[[nodiscard]] std::optional<OperationKind> operation_kind(std::string_view);
[[nodiscard]] std::optional<Via> via(std::string_view);

// One canonical operation: the unit that a policy decides. Which members are set depends on the
// kind: read_file, write_file: path. run_command: program, command (the one simple command's text).
// egress: host, port, protocol, url (url only where a tool named one). mcp_tool: server, name.
// other: name.
struct Operation {
  OperationKind kind = OperationKind::kOther;
  std::string path;     // absolute, resolved as far as it was decided
  std::string program;  // name as the policy lists it
  std::string command;
  std::string host;  // canonical: lower-case A-labels, or an address without brackets
  int port = 0;
  std::string protocol;  // http https ws wss ssh tcp
  std::string url;
  std::string server;
  std::string name;

  friend bool operator==(const Operation&, const Operation&) = default;
};
// "kind target" for people and for the event's `also`.
[[nodiscard]] std::string describe(const Operation& operation);

// What the agent asked for, in one shape for all agents and before any policy was applied. Replay
// decides from this.
struct Call {
  OperationKind kind =
      OperationKind::kOther;       // by the built-in tables; kOther when the tool is unknown there
  std::string command;             // shell text
  std::vector<std::string> paths;  // as given by the agent
  std::vector<std::string> urls;
  std::string
      arguments;  // MCP and unknown tools: the arguments as canonical JSON text in one string
  std::string undecidable;  // why the adapter could not read the call; such a call is never allowed

  friend bool operator==(const Call&, const Call&) = default;
};

// What the machine knew when the call was decided (decisions.md 1). Only what differs from the
// default is kept: a path without an entry resolved to its own lexical form, a program without an
// entry was not looked at.
struct PathFact {
  std::string given;     // the absolute path before links were followed
  std::string resolved;  // where it led; empty when it could not be decided
  std::string reason;    // why not

  friend bool operator==(const PathFact&, const PathFact&) = default;
};
struct Facts {
  std::string user;  // login name from the user database
  std::int64_t uid = -1;
  std::string home;  // home directory from the user database
  std::string cwd;   // absolute, as the hook event said; empty when it said none
  std::vector<PathFact> paths;
  std::vector<std::string>
      trusted_programs;  // paths of programs that root owns and the user can't replace

  friend bool operator==(const Facts&, const Facts&) = default;
};

struct Event {
  EventType type = EventType::kDecision;
  Verdict decision = Verdict::kNone;
  Mode mode = Mode::kEnforce;
  Enforcement enforcement = Enforcement::kAdvisory;

  std::string process_key;  // "host/pid/start time in clock ticks" of the agent process; required
  std::int64_t process_pid = 0;
  std::string process_exe;
  std::string host;
  std::uint64_t seq = 0;  // set by the appender: counts by one per chain
  WallTime time{};
  std::string id;  // RFC 9562 UUIDv7

  std::string technique;  // ATT&CK id
  std::string rule;       // policy path that decided
  std::string reason_code;
  std::string reason;
  std::string policy_sha256;
  int policy_line = 0;

  std::string agent;  // spelled as in a policy: claude_code, gh_copilot_cli, ...
  std::string session;
  std::string hook;  // the agent's own event name: PreToolUse, preToolUse
  std::string call_id;
  std::string child;   // subagent
  std::string tool;    // the agent's own tool name
  std::string server;  // MCP server

  Operation operation;  // the deciding one
  std::uint32_t operations = 0;
  std::vector<std::string> also;  // the other distinct ones, for people
  Call call;
  Facts facts;         // user, uid and cwd are written as lilith.user, lilith.uid, lilith.cwd
  std::string engine;  // program version
  std::int64_t decide_us = 0;
  Via via = Via::kDirect;
  std::int64_t peer_pid = 0;  // recorder only: the sender by SO_PEERCRED
  std::int64_t peer_uid = -1;
  std::string truncated;  // "member=bytes:sha256[ member=...]" of what was cut, empty when whole
  std::string
      redacted;  // "member=kind[,kind][ member=...]" of what was replaced, empty when nothing was
  std::vector<std::pair<std::string, std::string>>
      detail;  // other event types: keys chosen by us, never outside

  Action action = Action::kNone;
  Category category = Category::kToolInvocation;
  std::string chain_id;
  std::string chain_prev;  // 64 lower-case hex
  std::string chain_hash;

  // Members that this version doesn't know, as raw JSON `"key":value` joined by commas, by the
  // object they stood in
  // ("" top level, "lilith", "lilith.process", ...). Written back byte for byte at the end of their
  // object.
  std::vector<std::pair<std::string, std::string>> unknown;

  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace lilith::audit
