#pragma once
// The keys of the policy file, once: the loader accepts these and no others, and a test holds the
// JSON Schema of policy_schema.cpp against the same lists.

#include <array>
#include <span>
#include <string_view>

namespace lilith::rules {

using KeyList = std::span<const std::string_view>;

inline constexpr std::array<std::string_view, 9> kTopKeysArray{
    "version",      "mode",  "agent_hooks",          "egress",           "tool_invocations",
    "tool_aliases", "audit", "protect_agent_config", "allow_user_policy"};
inline constexpr std::array<std::string_view, 4> kEgressKeysArray{
    "default_action", "allowed_destinations", "blocked_destinations", "private"};
inline constexpr std::array<std::string_view, 3> kAllowedHostKeysArray{"host", "ports",
                                                                       "protocols"};
inline constexpr std::array<std::string_view, 5> kBlockedHostKeysArray{"host", "pattern", "ports",
                                                                       "protocols", "always_block"};
inline constexpr std::array<std::string_view, 3> kToolSectionKeysArray{
    "default_action", "allowed_tools", "blocked_tools"};
inline constexpr std::array<std::string_view, 7> kAllowedToolKeysArray{
    "name",    "path_allowlist", "path_blocklist", "command_allowlist", "command_blocklist",
    "servers", "arguments"};
inline constexpr std::array<std::string_view, 5> kBlockedToolKeysArray{"name", "pattern", "servers",
                                                                       "arguments", "always_block"};
inline constexpr std::array<std::string_view, 2> kBlockEntryKeysArray{"pattern", "always_block"};
inline constexpr std::array<std::string_view, 2> kCommandAllowKeysArray{"name", "allow_hazards"};
inline constexpr std::array<std::string_view, 11> kAuditKeysArray{
    "enabled", "log_path", "log_format", "log_denied", "log_allowed", "redact",
    "sync",    "rotate",   "quota",      "group",      "seal"};
inline constexpr std::array<std::string_view, 3> kRotateKeysArray{"max_bytes", "keep",
                                                                  "shipper_state"};
inline constexpr std::array<std::string_view, 2> kQuotaKeysArray{"max_bytes", "min_free_bytes"};
inline constexpr std::array<std::string_view, 3> kSealKeysArray{"key", "events", "seconds"};

inline constexpr KeyList kTopKeys = kTopKeysArray;
inline constexpr KeyList kEgressKeys = kEgressKeysArray;
inline constexpr KeyList kAllowedHostKeys = kAllowedHostKeysArray;
inline constexpr KeyList kBlockedHostKeys = kBlockedHostKeysArray;
inline constexpr KeyList kToolSectionKeys = kToolSectionKeysArray;
inline constexpr KeyList kAllowedToolKeys = kAllowedToolKeysArray;
inline constexpr KeyList kBlockedToolKeys = kBlockedToolKeysArray;
inline constexpr KeyList kBlockEntryKeys = kBlockEntryKeysArray;
inline constexpr KeyList kCommandAllowKeys = kCommandAllowKeysArray;
inline constexpr KeyList kAuditKeys = kAuditKeysArray;
inline constexpr KeyList kRotateKeys = kRotateKeysArray;
inline constexpr KeyList kQuotaKeys = kQuotaKeysArray;
inline constexpr KeyList kSealKeys = kSealKeysArray;

// Agents that `agent_hooks` may name (decisions: spelled with underscores, hyphens accepted).
inline constexpr std::array<std::string_view, 7> kAgentNames{
    "claude_code", "gh_copilot_cli", "vscode_copilot", "cursor", "codex", "gemini_cli", "windsurf"};

}  // namespace lilith::rules
