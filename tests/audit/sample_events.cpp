#include "tests/audit/sample_events.hpp"

#include "audit/codec.hpp"

namespace lilith::test {

using namespace audit;

Event denied_egress() {
  Event e;
  e.type = EventType::kDecision;
  e.decision = Verdict::kDeny;
  e.process_key = "ws-42/4711/8823912";
  e.process_pid = 4711;
  e.process_exe = "/usr/bin/node";
  e.host = "ws-42";
  e.seq = 1234;
  e.time = parse_time("2026-11-24T00:20:42.831204Z").value();
  e.id = "019ab337-0d5f-7cc3-98c4-dc0c0c07398f";
  e.technique = "T1048";
  e.rule = "egress.default_action";
  e.reason_code = "egress.not_listed";
  e.reason = "host evil.example is not in egress.allowed_destinations";
  e.policy_sha256 = std::string(64, '9');
  e.policy_line = 14;
  e.agent = "claude_code";
  e.session = "97f0";
  e.hook = "PreToolUse";
  e.call_id = "toolu_1";
  e.child = "agent-7";
  e.tool = "WebFetch";
  e.operation = {.kind = OperationKind::kEgress,
                 .host = "evil.example",
                 .port = 443,
                 .protocol = "https",
                 .url = "https://evil.example/collect"};
  e.operations = 1;
  e.call.kind = OperationKind::kEgress;
  e.call.urls = {"https://evil.example/collect"};
  e.facts.user = "dev";
  e.facts.uid = 1000;
  e.facts.home = "/home/dev";
  e.facts.cwd = "/home/dev/projects/app";
  e.engine = "0.1.0";
  e.decide_us = 41;
  e.action = Action::kDenied;
  e.category = Category::kEgress;
  e.chain_id = "019ab337-0d5f-7000-8000-000000000000";
  e.chain_prev = std::string(kGenesis);
  return e;
}

Event allowed_command() {
  Event e = denied_egress();
  e.decision = Verdict::kAllow;
  e.action = Action::kAllowed;
  e.category = Category::kToolInvocation;
  e.technique.clear();
  e.tool = "Bash";
  e.operation = {.kind = OperationKind::kRunCommand, .program = "git", .command = "git status"};
  e.call = {.kind = OperationKind::kRunCommand, .command = "git status && git diff"};
  e.facts.paths = {{"/home/dev/l", "/etc/passwd", ""}, {"/proc/self/root", "", "path.magic_link"}};
  e.facts.trusted_programs = {"/usr/bin/git"};
  return e;
}

Event random_event(std::mt19937& random) {
  static constexpr std::string_view kPieces[] = {"a",
                                                 "\"",
                                                 "\\",
                                                 "\n",
                                                 "[",
                                                 " [",
                                                 "{}",
                                                 "\xC3\xA9",
                                                 "  ",
                                                 ",\"chain\":{\"id\":\"",
                                                 "\",\"seq\":\"7\"",
                                                 "\"}}",
                                                 "\x01",
                                                 "\x7F",
                                                 "x=y"};
  const auto text = [&random] {
    std::string out;
    for (auto n = random() % 6; n > 0; --n) out += kPieces[random() % std::size(kPieces)];
    return out;
  };
  Event e = random() % 2 == 0 ? denied_egress() : allowed_command();
  for (std::string* value :
       {&e.process_key, &e.process_exe, &e.host, &e.rule, &e.reason, &e.session, &e.child, &e.tool,
        &e.server, &e.operation.path, &e.operation.command, &e.operation.url, &e.call.command,
        &e.call.arguments, &e.call.undecidable, &e.facts.cwd, &e.facts.home}) {
    if (random() % 2 == 0) *value = text();
  }
  for (auto n = random() % 3; n > 0; --n) e.also.push_back(text());
  for (auto n = random() % 3; n > 0; --n) e.call.paths.push_back(text());
  for (auto n = random() % 3; n > 0; --n) e.facts.paths.push_back({text(), text(), text()});
  if (random() % 3 == 0) e.detail.emplace_back("outcome", text());
  e.facts.uid = random() % 2 == 0 ? 4294967294 : 1000;
  e.seq = random();
  e.chain_hash = std::string(64, 'a');
  return e;
}

}  // namespace lilith::test
