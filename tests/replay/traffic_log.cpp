#include "tests/replay/traffic_log.hpp"

#include "audit/codec.hpp"
#include "replay/import.hpp"
#include "tests/support/support.hpp"
#include "tests/traffic/traffic.hpp"

#include <cstdlib>

namespace lilith::test {

std::vector<audit::Event> traffic_events(std::uint64_t seed, std::uint64_t calls,
                                         std::string_view chain) {
  const TempDir dir;
  std::string history;
  generate_traffic({.seed = seed, .calls = calls},
                   [&](const std::string& line) { history += line + "\n"; });
  write_text(dir.file("history.ndjson"), history);
  replay::ImportReport report;
  auto events = replay::read_history({dir.file("history.ndjson")}, {"ws-1", "dev"}, report);
  if (!events) std::abort();
  for (std::size_t i = 0; i < events->size(); ++i) {
    audit::Event& event = (*events)[i];
    char id[64];
    std::snprintf(id, sizeof id, "019b%04x-0000-7000-8000-%012zx", static_cast<unsigned>(seed), i);
    event.id = id;
    event.seq = i + 1;
    event.chain_id = chain;
    event.chain_prev = std::string(64, 'a');
    event.chain_hash = std::string(64, 'b');
    if (i % 3 == 0 && event.type == audit::EventType::kImported) {
      event.type = audit::EventType::kDecision;
      event.detail.clear();
      event.decision = i % 2 == 0 ? audit::Verdict::kDeny : audit::Verdict::kAllow;
    }
    if (i % 97 == 0) event.type = audit::EventType::kHeartbeat;
    if (i % 101 == 0) event.truncated = "call.command=9000:" + std::string(64, '0');
    if (i % 103 == 0) event.truncated = "reason=9000:" + std::string(64, '0');
    if (i % 107 == 0) event.redacted = "call.command=token";
    if (i % 109 == 0) event.call = {};
    if (i % 113 == 0) event.facts.cwd = "/tmp/\"quoted\"\\\n";
    if (i % 127 == 0 && i > 0) event.id = (*events)[i - 1].id;
    if (i % 131 == 0) event.id = std::string(chain) + " event " + std::to_string(i);
  }
  return std::move(*events);
}

std::string lines_of_events(const std::vector<audit::Event>& events) {
  std::string out;
  for (const audit::Event& event : events) out += audit::encode(event) + "\n";
  return out;
}

std::string small_policy(std::string_view command, std::string_view action) {
  return "version: \"1\"\negress:\n  default_action: " + std::string(action) +
         "\n  allowed_destinations:\n    - host: github.com\ntool_invocations:\n  "
         "default_action: " +
         std::string(action) +
         "\n  allowed_tools:\n    - name: read_file\n      path_allowlist: [\"~/projects/**\"]\n"
         "      path_blocklist: [\"**/.env\"]\n    - name: run_command\n"
         "      command_allowlist: [git, ls, cat, " +
         std::string(command) + "]\n      command_blocklist: [\"git push --force\"]\n";
}

}  // namespace lilith::test
