#include "audit/log_state.hpp"

#include "audit/base/number.hpp"
#include "audit/base/sha256.hpp"

#include <algorithm>

namespace lilith::audit {
namespace {

constexpr std::size_t kSeqDigits = 20;  // fixed, so that a head never gets shorter
constexpr std::size_t kKeyDigits = 16, kHashDigits = 64, kCheckDigits = 16;
constexpr std::string_view kPolicyWord = "policy ", kFilesWord = "files ", kFullWord = "full ",
                           kSealWord = "seal ", kUnsealed = "unsealed";

// Two paths of one key would share a memory; a hash that nobody can aim at.
std::string key_of(std::string_view path) { return sha256_hex(path).substr(0, kKeyDigits); }

std::optional<Full> parse_full(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto since = decimal(text.substr(0, blank)), refused = decimal(text.substr(blank + 1));
  if (!since || !refused) return std::nullopt;
  return Full{WallTime(std::chrono::microseconds(*since)), *refused};
}

std::optional<SealRange> parse_range(std::string_view text) {
  SealRange range;
  for (std::size_t i = 0; i <= range.counts.size(); ++i) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const auto value = decimal(word);
    if (!value) return std::nullopt;
    (i == 0 ? range.first : range.counts[i - 1]) = *value;
  }
  return range;
}

std::string check_of(std::string_view head, std::string_view rows) {
  return Sha256().update(head).update("\n").update(rows).finish_hex().substr(0, kCheckDigits);
}

Head parse_head(std::string_view line) {
  Head head;
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return head;
  const std::string_view seq = line.substr(first + 1, last - first - 1);
  const std::string_view hash = line.substr(last + 1);
  if (hash.size() != kGenesis.size()) return head;
  const auto count = decimal(seq);
  if (!count) return head;
  head.id = line.substr(0, first);
  head.seq = *count;
  head.hash = hash;
  return head;
}

}  // namespace

bool KnownPolicies::has(const PolicyInForce& policy) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const KnownPolicy& row) {
    return row.sha256 == policy.sha256 && row.path_key == key_of(policy.path);
  });
}

const KnownPolicy* KnownPolicies::before(const PolicyInForce& policy) const {
  if (rows_.empty()) return nullptr;
  const std::string key = key_of(policy.path);
  const auto same = std::find_if(rows_.begin(), rows_.end(),
                                 [&](const KnownPolicy& row) { return row.path_key == key; });
  return same == rows_.end() ? rows_.data() : &*same;
}

void KnownPolicies::note(const PolicyInForce& policy) {
  KnownPolicy row{key_of(policy.path), policy.sha256, policy.mode};
  std::erase_if(rows_, [&](const KnownPolicy& old) { return old.path_key == row.path_key; });
  rows_.insert(rows_.begin(), std::move(row));
  if (rows_.size() > limits::kLogPoliciesMax) rows_.pop_back();
}

void KnownPolicies::append_to(std::string& text) const {
  for (const KnownPolicy& row : rows_) {
    text.append(kPolicyWord).append(row.path_key).append(" ").append(row.sha256);
    text.append(row.mode == Mode::kEnforce ? " e\n" : " a\n");
  }
}

void KnownPolicies::parse_row(std::string_view row) {
  constexpr std::size_t kModeAt = kKeyDigits + 1 + kHashDigits + 1;
  if (row.size() != kModeAt + 1 || rows_.size() == limits::kLogPoliciesMax) return;
  rows_.push_back({std::string(row.substr(0, kKeyDigits)),
                   std::string(row.substr(kKeyDigits + 1, kHashDigits)),
                   row[kModeAt] == 'e' ? Mode::kEnforce : Mode::kAudit});
}

LogState parse_state(std::string_view text) {
  LogState state;
  const std::size_t all = text.find("\n\n");
  std::string_view first = text.substr(0, text.find('\n'));
  std::string_view rows = all == std::string_view::npos || all < first.size()
                              ? std::string_view()
                              : text.substr(first.size() + 1, all - first.size());
  // Versions before this had no check.
  if (const std::size_t check = first.rfind(' ');
      check != std::string_view::npos && first.size() - check - 1 == kCheckDigits) {
    state.damaged = check_of(first.substr(0, check), rows) != first.substr(check + 1);
    first = first.substr(0, check);
  }
  state.damaged = state.damaged || (!text.empty() && parse_head(first).id.empty());
  if (state.damaged) return state;
  state.head = parse_head(first);
  while (!rows.empty()) {
    const std::string_view line = rows.substr(0, rows.find('\n'));
    rows.remove_prefix(std::min(line.size() + 1, rows.size()));
    if (line.starts_with(kPolicyWord)) {
      state.policies.parse_row(line.substr(kPolicyWord.size()));
    } else if (line.starts_with(kFilesWord)) {
      state.rotated_bytes = decimal(line.substr(kFilesWord.size()));
    } else if (line.starts_with(kFullWord)) {
      state.full = parse_full(line.substr(kFullWord.size()));
    } else if (line.starts_with(kSealWord)) {
      state.range = parse_range(line.substr(kSealWord.size()));
    } else if (line == kUnsealed) {
      state.unsealed = true;
    }
  }
  return state;
}

std::string to_text(const LogState& state) {
  std::string digits = std::to_string(state.head.seq);
  digits.insert(0, kSeqDigits - std::min(kSeqDigits, digits.size()), '0');
  const std::string head = state.head.id + " " + digits + " " + state.head.hash;
  std::string text;
  if (state.rotated_bytes) {
    text.append(kFilesWord).append(std::to_string(*state.rotated_bytes)).append("\n");
  }
  if (state.full) {
    const auto since =
        std::chrono::duration_cast<std::chrono::microseconds>(state.full->since.time_since_epoch());
    text.append(kFullWord).append(std::to_string(since.count())).append(" ");
    text.append(std::to_string(state.full->refused)).append("\n");
  }
  if (state.range) {
    text.append(kSealWord).append(std::to_string(state.range->first));
    for (const std::uint64_t count : state.range->counts) {
      text.append(" ").append(std::to_string(count));
    }
    text.push_back('\n');
  }
  if (state.unsealed) text.append(kUnsealed).append("\n");
  state.policies.append_to(text);
  return head + " " + check_of(head, text) + "\n" + text + "\n";
}

}  // namespace lilith::audit
