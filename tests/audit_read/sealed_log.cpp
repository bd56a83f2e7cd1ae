#include "tests/audit_read/sealed_log.hpp"

#include "audit/codec.hpp"
#include "tests/audit_read/log_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace lilith::test {
namespace fs = std::filesystem;

SealedLog::SealedLog() {
  fs::create_directory(dir.file("log"));
  fs::create_directory(dir.file("key"));
  options.path = dir.file("log/audit.log");
  options.host = "ws-42";
  options.seal.key = dir.file("key/seal.key");
  options.seal.events_max = kInterval;
  options.rotate_interval_min = std::chrono::seconds(0);
  options.rotate_bytes = 0;
  const auto key = audit::create_seal_key(options.seal.key, options.host, options.path);
  EXPECT_TRUE(key) << key.error().message;
  if (!key) return;
  audit::VerifyKey known;
  known.host = key->host;
  known.key = audit::seal_key_id(key->first_public_key);
  known.public_key = key->first_public_key;
  verifier.keys = {known};
}

void SealedLog::append(int count, const std::string& reason) {
  for (int i = 0; i < count; ++i) {
    auto log = audit::open_log(options, clock);
    ASSERT_TRUE(log) << log.error().message;
    audit::Event event;
    event.decision = audit::Verdict::kAllow;
    event.action = i % 5 == 4 ? audit::Action::kDenied : audit::Action::kAllowed;
    event.process_key = "ws-42/1/1";
    event.host = options.host;
    event.reason = reason;
    const auto appended = (*log)->append(event);
    ASSERT_TRUE(appended) << appended.error().message;
    clock.advance(std::chrono::seconds(1));
  }
}

void SealedLog::rotate() {
  options.rotate_bytes = 1;
  append(1);
  options.rotate_bytes = 0;
}

audit::VerifyReport SealedLog::verify(const std::vector<std::string>& more) const {
  std::vector<std::string> files{options.path};
  files.insert(files.end(), more.begin(), more.end());
  const auto report = audit::verify(files, verifier);
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : audit::VerifyReport{};
}

std::string SealedLog::kinds(const std::vector<std::string>& more) const {
  std::string out;
  for (const audit::Finding& finding : verify(more).findings) {
    const std::string kind(name(finding.kind));
    if (out.find(kind) != std::string::npos) continue;
    if (!out.empty()) out += " ";
    out += kind;
  }
  return out;
}

void SealedLog::remember() {
  const std::string file = dir.file("verify-key");
  const auto kept = audit::remember_seals(file, verifier.keys, verify().seals);
  ASSERT_TRUE(kept) << kept.error().message;
  verifier.keys = audit::read_verify_keys(file).value();
}

std::vector<std::string> SealedLog::lines() const { return lines_of(read_text(options.path)); }

void SealedLog::write(const std::vector<std::string>& lines) const {
  write_text(options.path, joined(lines));
}

void SealedLog::rechain(std::vector<std::string>& lines, std::size_t from) {
  for (std::size_t i = from; i < lines.size(); ++i) {
    audit::Event event = audit::decode(lines[i]).value();
    if (i > 0) {
      const audit::Event before = audit::decode(lines[i - 1]).value();
      event.seq = before.seq + 1;
      event.chain_prev = before.chain_hash;
    }
    event.chain_hash.clear();
    event.chain_hash = audit::chain_hash(event.chain_prev, audit::encode(event));
    lines[i] = audit::encode(event);
  }
}

void SealedLog::sign_with_present_key(std::vector<std::string>& lines, std::size_t from) const {
  const auto key = audit::load_seal_key(options.seal.key, options.host, options.path);
  ASSERT_TRUE(key) << key.error().message;
  for (std::size_t i = from; i < lines.size(); ++i) {
    audit::Event event = audit::decode(lines[i]).value();
    if (event.type != audit::EventType::kCheckpoint) continue;
    event.detail.back().second = key->secret.sign(audit::signed_text(event));
    lines[i] = audit::encode(event);
    rechain(lines, i);
  }
}

std::size_t SealedLog::checkpoint(std::size_t number) const {
  const auto all = lines();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (audit::decode(all[i]).value().type != audit::EventType::kCheckpoint) continue;
    if (number-- == 0) return i;
  }
  ADD_FAILURE() << "there are not so many checkpoints";
  return 0;
}

std::string SealedLog::backup(const std::string& name) const {
  const std::string to = dir.file(name);
  fs::create_directory(to);
  fs::copy(dir.file("log"), to + "/log", fs::copy_options::recursive);
  fs::copy(dir.file("key"), to + "/key", fs::copy_options::recursive);
  return to;
}

void SealedLog::restore(const std::string& backup, bool with_key) const {
  fs::remove_all(dir.file("log"));
  fs::copy(backup + "/log", dir.file("log"), fs::copy_options::recursive);
  if (!with_key) return;
  fs::remove_all(dir.file("key"));
  fs::copy(backup + "/key", dir.file("key"), fs::copy_options::recursive);
}

}  // namespace lilith::test
