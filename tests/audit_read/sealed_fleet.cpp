#include "tests/audit_read/sealed_fleet.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/seal.hpp"

#include <utility>

namespace lilith::test {
namespace {

constexpr std::size_t kInARow = 8;  // events of one host

audit::Event sample() {
  audit::Event event;
  event.decision = audit::Verdict::kAllow;
  event.action = audit::Action::kAllowed;
  event.agent = "claude_code";
  event.session = "97f0c1d2-5b7e-4a52-9a60-3a0f2a1b4c5d";
  event.hook = "PreToolUse";
  event.call_id = "toolu_01ABCDEFGHJKLMNPQRSTUVWX";
  event.rule = "tools.allowed[3]";
  event.policy_sha256 = std::string(64, '9');
  event.tool = "Bash";
  event.operation.kind = event.call.kind = audit::OperationKind::kRunCommand;
  event.operation.program = "git";
  event.operation.command = event.call.command = "git status --short --branch";
  event.operations = 1;
  event.facts.user = "dev";
  event.facts.uid = 1000;
  event.facts.home = "/home/dev";
  event.facts.cwd = "/home/dev/projects/app";
  event.engine = "0.1.0";
  event.decide_us = 41;
  event.id = "019ab337-0d5f-7cc3-98c4-dc0c0c07398f";
  event.time = *parse_time("2026-11-24T00:20:42.831204Z");
  return event;
}

}  // namespace

SealedFleet::SealedFleet(std::size_t hosts) : event_(sample()) {
  for (std::size_t i = 0; i < hosts; ++i) {
    SigningKey secret = SigningKey::random().value();
    audit::VerifyKey key;
    key.host = "ws-" + std::to_string(i);
    key.public_key = secret.public_key();
    key.key = audit::seal_key_id(key.public_key);
    hosts_.push_back({key.host, "019ab337-0d5f-7000-8000-" + std::to_string(100'000'000'000 + i),
                      std::string(audit::kGenesis), key.key, 0, 0, 0, std::move(secret)});
    keys_.push_back(std::move(key));
  }
}

std::string SealedFleet::line(Host& host, audit::Event& event) {
  event.host = host.name;
  event.process_key = host.name + "/4711/8823912";
  event.seq = ++host.seq;
  event.chain_id = host.chain_id;
  event.chain_prev = host.prev;
  event.chain_hash.clear();
  std::string text = audit::encode(event);
  host.prev = audit::chain_hash(host.prev, text);
  text.insert(text.size() - 3, host.prev);  // "hash":""}}
  ++lines_;
  return text;
}

std::string SealedFleet::checkpoint(Host& host) {
  audit::Event event;
  event.type = audit::EventType::kCheckpoint;
  event.category = audit::Category::kIntegrity;
  event.host = host.name;
  event.id = event_.id;
  event.time = event_.time;
  event.reason_code = name(audit::SealReason::kInterval);
  event.chain_id = host.chain_id;
  event.chain_prev = host.prev;
  event.seq = host.seq + 1;
  SigningKey next = SigningKey::random().value();
  audit::Seal seal;
  seal.key = host.key;
  seal.epoch = host.epoch++;
  seal.first = host.sealed + 1;
  seal.counts[static_cast<std::size_t>(audit::Action::kAllowed)] = host.seq - host.sealed;
  seal.events_max = limits::kSealEventsDefault;
  seal.next_public_key = next.public_key();
  put_seal(event, seal);
  event.detail.back().second = host.secret.sign(signed_text(event));
  host.secret = std::move(next);
  host.sealed = event.seq;
  return line(host, event);
}

std::vector<SealedFleet::Line> SealedFleet::next() {
  Host& host = hosts_[events_++ / kInARow % hosts_.size()];
  event_.time += std::chrono::microseconds(731);
  std::vector<Line> out;
  if (host.sealed == 0 || host.seq - host.sealed >= limits::kSealEventsDefault)
    out.push_back({host.name, checkpoint(host)});
  out.push_back({host.name, line(host, event_)});
  return out;
}

}  // namespace lilith::test
