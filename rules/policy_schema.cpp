// The grammar of the policy file as a JSON Schema. tests/rules holds its property names against
// rules/policy_keys.hpp.

#include "rules/policy.hpp"

namespace lilith::rules {
namespace {

constexpr std::string_view kSchema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "lilith policy",
  "type": "object",
  "required": ["version"],
  "additionalProperties": false,
  "properties": {
    "version": {"const": "1"},
    "mode": {"enum": ["audit", "enforce"], "default": "enforce"},
    "agent_hooks": {"type": "array", "items": {"enum": ["claude_code", "gh_copilot_cli",
      "vscode_copilot", "cursor", "codex", "gemini_cli", "windsurf"]}},
    "allow_user_policy": {"type": "boolean", "default": false},
    "protect_agent_config": {"type": "boolean", "default": false},
    "tool_aliases": {"type": "object", "additionalProperties": {"enum": ["read_file",
      "write_file", "run_command", "egress", "mcp_tool"]}},
    "egress": {
      "type": "object",
      "required": ["default_action"],
      "additionalProperties": false,
      "properties": {
        "default_action": {"$ref": "#/$defs/default_action"},
        "private": {"type": "boolean", "default": true},
        "allowed_destinations": {"type": "array", "items": {"anyOf": [{"type": "string"}, {
          "type": "object", "required": ["host"], "additionalProperties": false,
          "properties": {"host": {"type": "string"}, "ports": {"$ref": "#/$defs/ports"},
            "protocols": {"$ref": "#/$defs/protocols"}}}]}},
        "blocked_destinations": {"type": "array", "items": {"anyOf": [{"type": "string"}, {
          "type": "object", "additionalProperties": false,
          "properties": {"host": {"type": "string"}, "pattern": {"type": "string"},
            "ports": {"$ref": "#/$defs/ports"},
            "protocols": {"$ref": "#/$defs/protocols"}, "always_block": {"type": "boolean"}}}]}}
      }
    },
    "tool_invocations": {
      "type": "object",
      "required": ["default_action"],
      "additionalProperties": false,
      "properties": {
        "default_action": {"$ref": "#/$defs/default_action"},
        "allowed_tools": {"type": "array", "items": {
          "type": "object", "required": ["name"], "additionalProperties": false,
          "properties": {
            "name": {"type": "string"},
            "path_allowlist": {"type": "array", "items": {"type": "string"}},
            "path_blocklist": {"$ref": "#/$defs/block_list"},
            "command_allowlist": {"type": "array", "items": {"anyOf": [{"type": "string"}, {
              "type": "object", "required": ["name"], "additionalProperties": false,
              "properties": {"name": {"type": "string"}, "allow_hazards": {"type": "array",
                "items": {"type": "string"}}}}]}},
            "command_blocklist": {"$ref": "#/$defs/block_list"},
            "servers": {"type": "array", "items": {"type": "string"}},
            "arguments": {"$ref": "#/$defs/arguments"}}}},
        "blocked_tools": {"type": "array", "items": {"anyOf": [{"type": "string"}, {
          "type": "object", "additionalProperties": false,
          "properties": {"name": {"type": "string"}, "pattern": {"type": "string"},
            "servers": {"type": "array", "items": {"type": "string"}},
            "arguments": {"$ref": "#/$defs/arguments"}, "always_block": {"type": "boolean"}}}]}}
      }
    },
    "audit": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "enabled": {"type": "boolean", "default": true},
        "log_path": {"type": "string", "pattern": "^/",
          "default": "/var/log/lilith/agent-audit.log"},
        "log_format": {"const": "json"},
        "log_denied": {"type": "boolean", "default": true},
        "log_allowed": {"type": "boolean", "default": true},
        "redact": {"enum": ["on", "off", true, false], "default": "on"},
        "sync": {"enum": ["off", "batch", "always"], "default": "off"},
        "group": {"type": "string"},
        "rotate": {"type": "object", "additionalProperties": false,
          "properties": {"max_bytes": {"type": "integer", "minimum": 0},
            "keep": {"type": "integer", "minimum": 0},
            "shipper_state": {"type": "string", "pattern": "^/"}}},
        "quota": {"type": "object", "additionalProperties": false,
          "properties": {"max_bytes": {"type": "integer", "minimum": 0},
            "min_free_bytes": {"type": "integer", "minimum": 0, "default": 1048576}}},
        "seal": {"type": "object", "required": ["key"], "additionalProperties": false,
          "properties": {"key": {"type": "string", "pattern": "^/"},
            "events": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 1024},
            "seconds": {"type": "integer", "minimum": 0, "maximum": 2592000, "default": 28800}}}
      }
    }
  },
  "$defs": {
    "default_action": {"enum": ["deny", "log", "allow"]},
    "ports": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1,
      "maximum": 65535}},
    "protocols": {"type": "array", "minItems": 1, "items": {"enum": ["https", "http", "wss",
      "ws", "ssh", "tcp"]}},
    "block_list": {"type": "array", "items": {"anyOf": [{"type": "string"}, {
      "type": "object", "required": ["pattern"], "additionalProperties": false,
      "properties": {"pattern": {"type": "string"}, "always_block": {"type": "boolean"}}}]}},
    "arguments": {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"},
      {"type": "array", "items": {"type": "string"}}]}}
  }
}
)json";

}  // namespace

std::string_view policy_json_schema() { return kSchema; }

}  // namespace lilith::rules
