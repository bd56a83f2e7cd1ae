#include "audit/seal.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/number.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/signature.hpp"

#include <algorithm>
#include <utility>

namespace lilith::audit {
namespace {

constexpr std::string_view kKey = "key", kEpoch = "epoch", kFirst = "first", kCounts = "counts",
                           kEventsMax = "events_max", kAgeMax = "age_max", kNextKey = "next_key",
                           kSignature = "signature";
constexpr std::size_t kKeyIdSize = 16;

std::string_view detail(const Event& event, std::string_view key) {
  for (const auto& [name, value] : event.detail) {
    if (name == key) return value;
  }
  return {};
}

// Length, colon, text: no two lists of texts give the same bytes.
void put_text(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text).append(",");
}

}  // namespace

std::string_view name(SealReason reason) {
  switch (reason) {
    case SealReason::kBegin:
      return "seal.begin";
    case SealReason::kInterval:
      return "seal.interval";
    case SealReason::kRotation:
      return "seal.rotation";
    case SealReason::kStop:
      return "seal.stop";
    case SealReason::kAsked:
      break;
  }
  return "seal.asked";
}

std::string to_text(const ActionCounts& counts) {
  std::string out;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    if (!out.empty()) out.push_back(' ');
    out.append(name(static_cast<Action>(i))).append("=").append(std::to_string(counts[i]));
  }
  return out;
}

std::optional<ActionCounts> action_counts(std::string_view text) {
  ActionCounts counts{};
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto kind = action(word.substr(0, equals));
    const auto count = decimal(word.substr(equals + 1));
    if (!kind || !count) return std::nullopt;
    counts[static_cast<std::size_t>(*kind)] = *count;
  }
  return counts;
}

void put_seal(Event& event, const Seal& seal) {
  const auto put = [&event](std::string_view key, std::string value) {
    event.detail.emplace_back(key, std::move(value));
  };
  put(kKey, seal.key);
  put(kEpoch, std::to_string(seal.epoch));
  put(kFirst, std::to_string(seal.first));
  put(kCounts, to_text(seal.counts));
  put(kEventsMax, std::to_string(seal.events_max));
  put(kAgeMax, std::to_string(seal.age_max.count()));
  put(kNextKey, seal.next_public_key);
  put(kSignature, seal.signature);
}

Result<Seal> seal_of(const Event& event) {
  Seal seal;
  seal.key = detail(event, kKey);
  const auto epoch = decimal(detail(event, kEpoch)), first = decimal(detail(event, kFirst));
  const auto events_max = decimal(detail(event, kEventsMax)), age = decimal(detail(event, kAgeMax));
  const auto counts = action_counts(detail(event, kCounts));
  seal.next_public_key = detail(event, kNextKey);
  seal.signature = detail(event, kSignature);
  if (event.type != EventType::kCheckpoint || seal.key.size() != kKeyIdSize || !epoch || !first ||
      !events_max || !age || *age > static_cast<std::uint64_t>(limits::kSealAgeMax.count()) ||
      !counts || seal.next_public_key.size() != kPublicKeyHexSize ||
      seal.signature.size() != kSignatureHexSize) {
    return fail(ErrorCode::kInvalidInput, "this is no checkpoint of this version");
  }
  seal.epoch = *epoch;
  seal.first = *first;
  seal.counts = *counts;
  seal.events_max = *events_max;
  seal.age_max = std::chrono::seconds(static_cast<std::int64_t>(*age));
  return seal;
}

std::string seal_key_id(std::string_view first_public_key) {
  return sha256_hex(first_public_key).substr(0, kKeyIdSize);
}

std::string signed_text(const Event& event) {
  std::string out = "lilith checkpoint 1\n";
  put_text(out, event.host);
  put_text(out, event.chain_id);
  put_text(out, std::to_string(event.seq));
  put_text(out, event.chain_prev);
  put_text(out, format_time(event.time));
  put_text(out, event.id);
  put_text(out, event.reason_code);
  for (const auto& [key, value] : event.detail) {
    if (key == kSignature) continue;
    put_text(out, key);
    put_text(out, value);
  }
  return out;
}

}  // namespace lilith::audit
