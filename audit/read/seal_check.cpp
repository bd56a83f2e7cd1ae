#include "audit/read/seal_check.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/signature.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "audit/json/writer.hpp"
#include "audit/seal.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lilith::audit {
namespace {

struct Place {
  std::string file;
  std::uint64_t line = 0;
};

// A checkpoint as it was read.
struct Checkpoint {
  Place place;
  Seal seal;
  std::string chain_id, host, hash, signed_bytes;
  std::uint64_t seq = 0;
  WallTime time{};
  std::string miscounted;  // what it counts wrongly; a sentence, or empty
};

// What is known of the lines of one chain.
struct ChainState {
  std::string host;
  std::uint64_t last_seq = 0;  // the greatest
  std::uint64_t first_seq = 0;
  WallTime last_time{};
  Place last_place;
  std::uint64_t range_first = 0;  // of the lines counted: they follow each other without a gap
  std::uint64_t range_next = 0;
  ActionCounts counts{};
  bool sealed = false;  // some checkpoint stands in it
};

// Checkpoints that follow each other by epoch, each but the first signed by the key that the one
// before it certified. Who signed the first is known when the run before it is here, or a verify
// key; until then only its two ends are kept.
struct SealRun {
  Checkpoint first, last;  // `last` without signed_bytes
  std::uint64_t count = 0;
  std::vector<Finding> findings;  // of the links inside; they count when the run does
};

// One key, over all of its epochs.
struct KeyState {
  std::string host;
  std::map<std::uint64_t, VerifyKey> anchors;     // by epoch
  std::map<std::uint64_t, SealRun> runs;          // by first epoch; none goes over an anchor
  std::map<std::uint64_t, std::uint64_t> latest;  // epoch -> hash of its signature
  bool taken_apart = false;  // checkpoints arrived that can't be verified for their form
};

// Where the walk over a key's runs has come to.
struct Walk {
  std::uint64_t next = 0;       // the epoch that comes next
  std::string next_public_key;  // empty: it can't be known any more
  const Checkpoint* last = nullptr;
  std::uint64_t verified = 0, unverified = 0;
};

// The action of a line in our writer's layout, read from behind: ,"action":"..","category":"..",
// "chain":{.. }}, which follows the first object's brace. Nothing for any other line.
std::optional<Action> action_of(std::string_view line) {
  constexpr std::string_view kAction = "},\"action\":\"", kCategory = "\",\"category\":\"",
                             kChain = "\",\"chain\":{\"id\":\"";
  constexpr std::size_t kFarthest = 512;  // from the end: the chain has two hashes and a short id
  const std::string_view end = line.substr(line.size() - std::min(line.size(), kFarthest));
  const std::size_t chain = end.rfind(kChain);
  if (chain == std::string_view::npos) return std::nullopt;
  const std::size_t category = end.rfind(kCategory, chain);
  if (category == std::string_view::npos) return std::nullopt;
  const std::string_view kind =
      end.substr(category + kCategory.size(), chain - category - kCategory.size());
  const std::size_t at = end.rfind(kAction, category);
  if (at == std::string_view::npos || !audit::category(kind)) return std::nullopt;
  return action(end.substr(at + kAction.size(), category - at - kAction.size()));
}

std::string epochs(std::uint64_t first, std::uint64_t last) {
  return first == last ? "epoch " + std::to_string(first)
                       : "epochs " + std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace

struct SealCheck::Impl {
  std::map<std::string, KeyState, std::less<>> keys;
  using Chains = std::map<std::string, ChainState, std::less<>>;
  Chains chains;
  Chains::iterator last_chain = chains.end();  // lines of one chain come in a row
  std::map<std::string, Place, std::less<>> unknown_keys;
  std::set<std::string, std::less<>> hosts;  // of the keys
  // The hashes of checkpoints that verify keys remember, by chain and seq.
  std::map<std::pair<std::string, std::uint64_t>, std::string> remembered;
  std::vector<Finding> findings;  // that need no walk
  std::uint64_t findings_beyond = 0;
  bool whole_log = true;

  static Finding finding(FindingKind kind, const Checkpoint& at, std::string message) {
    return {kind, at.place.file, at.place.line, at.seq, at.chain_id, std::move(message), at.host};
  }
  static Finding made(FindingKind kind, const std::string& file, std::uint64_t line,
                      std::uint64_t seq, const std::string& chain_id, const std::string& host,
                      std::string message) {
    return {kind, file, line, seq, chain_id, std::move(message), host};
  }
  void add(Finding one) {
    if (findings.size() < limits::kVerifySealFindingsMax) {
      findings.push_back(std::move(one));
    } else {
      ++findings_beyond;
    }
  }
  void add(FindingKind kind, const Checkpoint& at, std::string message) {
    add(finding(kind, at, std::move(message)));
  }

  // ---- lines

  void line(const std::string& file, std::uint64_t number, std::string_view text) {
    LineView view;
    Event event;
    if (view_line(text, view)) {
      note({file, number, view.chain_id, view.host, view.chain_hash, view.seq, view.time},
           view.action);
      if (view.type != EventType::kCheckpoint) return;
      to_event(view, event);
    } else {
      auto decoded = decode(text);
      if (!decoded) return;
      event = std::move(*decoded);
      note({file, number, event.chain_id, event.host, event.chain_hash, event.seq, event.time},
           event.action);
      if (event.type != EventType::kCheckpoint) return;
    }
    checkpoint({file, number}, event);
  }

  ChainState* chain_of(const SealLine& line) {
    if (last_chain != chains.end() && last_chain->first == line.chain_id)
      return &last_chain->second;
    auto found = chains.find(line.chain_id);
    if (found == chains.end()) {
      if (chains.size() >= limits::kVerifyChainsMax) return nullptr;
      found = chains.emplace(std::string(line.chain_id), ChainState{}).first;
      found->second.host = line.host;
      found->second.first_seq = line.seq;
    }
    last_chain = found;
    return &found->second;
  }

  void note(const SealLine& line, Action action) {
    ChainState* const known = chain_of(line);
    if (known == nullptr) return;
    ChainState& chain = *known;
    chain.first_seq = std::min(chain.first_seq, line.seq);
    if (line.seq >= chain.last_seq) {
      chain.last_seq = line.seq;
      chain.last_place.line = line.number;
      if (chain.last_place.file != line.file) chain.last_place.file = line.file;
    }
    chain.last_time = std::max(chain.last_time, line.time);
    if (line.seq != chain.range_next) {
      chain.range_first = line.seq;
      chain.counts = {};
    }
    chain.range_next = line.seq + 1;
    ++chain.counts[static_cast<std::size_t>(action)];
    if (!remembered.empty()) compare(line);
  }

  // With what was verified before.
  void compare(const SealLine& line) {
    const auto known = remembered.find(std::pair(std::string(line.chain_id), line.seq));
    if (known == remembered.end() || known->second == line.hash) return;
    add(made(FindingKind::kSealRolledBack, line.file, line.number, line.seq,
             std::string(line.chain_id), std::string(line.host),
             "this is not the checkpoint that was verified here before: the history of "
             "the log was replaced"));
  }

  // ---- checkpoints

  void checkpoint(Place place, const Event& event) {
    auto seal = seal_of(event);
    Checkpoint now{std::move(place), {}, event.chain_id, event.host,
                   event.chain_hash, {}, event.seq,      event.time};
    if (!seal) return add(FindingKind::kSealFailed, now, seal.error().message);
    now.seal = std::move(*seal);
    now.signed_bytes = signed_text(event);
    const auto chain = chains.find(event.chain_id);
    if (chain != chains.end()) {
      chain->second.sealed = true;
      now.miscounted = check_counts(chain->second, now);
    }
    const auto key = keys.find(now.seal.key);
    if (key == keys.end()) {
      unknown_key(now);
      return;
    }
    take(key->second, std::move(now));
  }

  // Counts of a range that is here as a whole. Its own line was counted as well.
  static std::string check_counts(ChainState& chain, const Checkpoint& now) {
    const Seal& seal = now.seal;
    ActionCounts counts = std::exchange(chain.counts, {});
    --counts[static_cast<std::size_t>(Action::kNone)];
    const std::uint64_t from = std::exchange(chain.range_first, chain.range_next);
    if (from > seal.first) return {};
    std::uint64_t sum = 0;
    for (const std::uint64_t count : seal.counts) sum += count;
    const bool has_range = seal.first <= now.seq && sum == now.seq - seal.first;
    if (has_range && (from != seal.first || counts == seal.counts)) return {};
    return "the checkpoint counts " + (sum == 0 ? "no events" : to_text(seal.counts)) +
           " from seq " + std::to_string(seal.first) + " on, and that is not what stands there" +
           (from == seal.first ? ": " + to_text(counts) : std::string());
  }

  void unknown_key(const Checkpoint& now) {
    if (unknown_keys.size() >= limits::kVerifySealFindingsMax ||
        !unknown_keys.emplace(now.seal.key, now.place).second)
      return;
    add(FindingKind::kSealUnknownKey, now,
        "sealed by key " + now.seal.key +
            ", of which no verify key was given: the key was replaced, or its verify key was not "
            "exported");
  }

  // A copy of what is known is passed over.
  bool is_new(KeyState& key, const Checkpoint& now) {
    const std::uint64_t epoch = now.seal.epoch;
    const std::uint64_t signature = std::hash<std::string>()(now.seal.signature);
    const auto [at, added] = key.latest.try_emplace(epoch, signature);
    if (!added && at->second != signature) {
      add(FindingKind::kSealRolledBack, now,
          "epoch " + std::to_string(epoch) +
              " was sealed twice, over different lines: the key was put back to an older state, "
              "or two machines have it");
    }
    if (key.latest.size() > limits::kVerifySealsRememberedMax) key.latest.erase(key.latest.begin());
    const auto after = key.runs.upper_bound(epoch);
    return added && (after == key.runs.begin() || std::prev(after)->second.last.seal.epoch < epoch);
  }

  // Whether `after` is by the key that `before` certified. A verify key for its epoch decides
  // itself.
  static bool follows(const KeyState& key, const Checkpoint& before, const Checkpoint& after) {
    return before.seal.epoch + 1 == after.seal.epoch && !key.anchors.contains(after.seal.epoch) &&
           is_signed(before.seal.next_public_key, after.signed_bytes, after.seal.signature);
  }

  // What two checkpoints in a row say of each other, and the second of itself.
  static void judge(const Checkpoint* before, const Checkpoint& now, std::vector<Finding>& out) {
    if (out.size() >= limits::kVerifySealFindingsMax) return;
    if (before != nullptr && before->chain_id == now.chain_id &&
        now.time + limits::kSealClockBackMax < before->time) {
      out.push_back(finding(FindingKind::kClockSetBack, now,
                            "this checkpoint was made at " + format_time(now.time) +
                                ", and the one before it at " + format_time(before->time) +
                                ": the clock was put back"));
    }
    if (!now.miscounted.empty())
      out.push_back(finding(FindingKind::kSealMiscounted, now, now.miscounted));
  }

  void take(KeyState& key, Checkpoint now) {
    if (!is_new(key, now)) return;
    auto after = key.runs.upper_bound(now.seal.epoch);
    auto at = after == key.runs.begin() ? key.runs.end() : std::prev(after);
    if (at != key.runs.end() && follows(key, at->second.last, now)) {
      judge(&at->second.last, now, at->second.findings);
      now.signed_bytes.clear();
      at->second.last = std::move(now);
      ++at->second.count;
    } else {
      at = key.runs.emplace(now.seal.epoch, SealRun{now, now, 1, {}}).first;
      at->second.last.signed_bytes.clear();
    }
    SealRun& run = at->second;
    if (after != key.runs.end() && follows(key, run.last, after->second.first)) {
      judge(&run.last, after->second.first, run.findings);
      run.findings.insert(run.findings.end(), after->second.findings.begin(),
                          after->second.findings.end());
      run.last = std::move(after->second.last);
      run.count += after->second.count;
      key.runs.erase(after);
    }
    // The gaps below are findings whatever was here.
    if (key.runs.size() > limits::kVerifySealsWaitingMax) key.runs.erase(std::prev(key.runs.end()));
  }

  // ---- the end

  // The runs of a key from a verify key on.
  Walk walk(const KeyState& key, std::vector<Finding>& out) const {
    Walk at;
    // Older files may have been moved away: the newest verify key that is not behind begins.
    auto anchor =
        key.runs.empty() ? key.anchors.begin() : key.anchors.upper_bound(key.runs.begin()->first);
    if (!key.runs.empty() && anchor != key.anchors.begin()) --anchor;
    at.next = anchor->first;
    at.next_public_key = anchor->second.public_key;
    for (const auto& [first, run] : key.runs) {
      // Files from before a later verify key may be gone.
      for (auto later = key.anchors.upper_bound(at.next);
           at.verified == 0 && first > at.next && later != key.anchors.end() &&
           later->first <= first;
           later = key.anchors.upper_bound(at.next)) {
        at.next = later->first;
        at.next_public_key = later->second.public_key;
      }
      if (first < at.next) continue;  // from before the first verify key: nothing can be said of it
      step(key, run, at, out);
    }
    return at;
  }

  static void step(const KeyState& key, const SealRun& run, Walk& at, std::vector<Finding>& out) {
    const std::uint64_t epoch = run.first.seal.epoch;
    if (epoch > at.next) {
      if (!key.taken_apart) {
        out.push_back(finding(
            FindingKind::kSealMissing, run.first,
            "checkpoints of " + epochs(at.next, epoch - 1) +
                " are missing before this one, and with them the key that this one is signed "
                "with: lines were removed, or older files are needed"));
      }
      at.next_public_key.clear();
    }
    at.next = run.last.seal.epoch + 1;
    if (const auto anchor = key.anchors.find(epoch); anchor != key.anchors.end()) {
      if (!at.next_public_key.empty() && at.next_public_key != anchor->second.public_key) {
        out.push_back(
            finding(FindingKind::kSealRolledBack, run.first,
                    "epoch " + std::to_string(epoch) +
                        " has another key here than when it was verified before: its history was "
                        "replaced"));
      }
      at.next_public_key = anchor->second.public_key;
    }
    if (!at.next_public_key.empty() &&
        !is_signed(at.next_public_key, run.first.signed_bytes, run.first.seal.signature)) {
      out.push_back(finding(
          FindingKind::kSealFailed, run.first,
          "the signature of epoch " + std::to_string(epoch) +
              " is not by its key: this checkpoint, or what stands before it, was made by somebody "
              "who did not have that key any more. Later ones can't be verified"));
      at.next_public_key.clear();
    }
    if (at.next_public_key.empty()) {
      at.unverified += run.count;
      return;
    }
    judge(at.last, run.first, out);
    out.insert(out.end(), run.findings.begin(), run.findings.end());
    at.verified += run.count;
    at.last = &run.last;
    at.next_public_key = run.last.seal.next_public_key;
  }

  void report_key(const std::string& id, const KeyState& key, std::vector<Finding>& out,
                  std::vector<SealedUpTo>& seals) const {
    const Walk at = walk(key, out);
    SealedUpTo sealed;
    sealed.host = key.host;
    sealed.key = id;
    sealed.verified = at.verified;
    sealed.unverified = at.unverified;
    sealed.taken_apart = key.taken_apart;
    const VerifyKey& known = key.anchors.rbegin()->second;
    if (at.last != nullptr) {
      describe(at, key, sealed, out);
    } else if (known.epoch != 0 && !known.chain_id.empty()) {
      sealed.remembered = true;
      sealed.chain_id = known.chain_id;
      sealed.hash = known.hash;
      sealed.next_public_key = known.public_key;
      sealed.epoch = known.epoch - 1;
      sealed.seq = known.seq;
      if (const auto chain = chains.find(known.chain_id); chain != chains.end())
        put_tail(chain->second, sealed);
    } else if (key.runs.empty() && !key.taken_apart && should_be_sealed(key.host)) {
      out.push_back(made(FindingKind::kSealStopped, "", 0, 0, "", key.host,
                         "no checkpoint of key " + id + " is here, but events of its host " +
                             key.host + " are: nothing of them is sealed"));
    }
    check_end(known, key, at, id, out);
    check_start(known, key, id, out);
    seals.push_back(std::move(sealed));
  }

  // In a whole log there is always a checkpoint; in a part of what arrived only where it has the
  // beginning of a chain.
  [[nodiscard]] bool should_be_sealed(std::string_view host) const {
    return std::any_of(chains.begin(), chains.end(), [&](const auto& entry) {
      return entry.second.host == host && (whole_log || entry.second.first_seq == 1);
    });
  }

  [[nodiscard]] bool host_is_here(std::string_view host) const {
    return std::any_of(chains.begin(), chains.end(),
                       [&](const auto& entry) { return entry.second.host == host; });
  }

  // So must that checkpoint itself.
  void check_end(const VerifyKey& known, const KeyState& key, const Walk& at, const std::string& id,
                 std::vector<Finding>& out) const {
    if (known.epoch == 0 || key.taken_apart || !host_is_here(key.host)) return;
    const auto chain = chains.find(known.chain_id);
    // A later checkpoint in another chain, certified by the one that is remembered, goes on from
    // it.
    const bool goes_on = at.last != nullptr && at.last->seal.epoch >= known.epoch;
    const bool gone = chain == chains.end() && !known.chain_id.empty() && !goes_on &&
                      (whole_log || !key.runs.empty());
    const bool cut = chain != chains.end() && chain->second.last_seq < known.seq;
    const bool behind = !key.runs.empty() && at.next < known.epoch;
    if (!gone && !cut && !behind) return;
    out.push_back(
        made(FindingKind::kSealRolledBack, "", 0, known.seq, known.chain_id, key.host,
             "key " + id + " was verified up to epoch " + std::to_string(known.epoch - 1) +
                 " at seq " + std::to_string(known.seq) +
                 ", and that is not here any more: the end of the log was removed, or log "
                 "and key were put back to an older state" +
                 (whole_log ? "" : ", or the input is older than what was verified")));
  }

  // What follows the checkpoint that a verify key remembers must be here.
  void check_start(const VerifyKey& known, const KeyState& key, const std::string& id,
                   std::vector<Finding>& out) const {
    const auto chain = chains.find(known.chain_id);
    // Of what arrived only a part may have been given.
    if (!whole_log || known.chain_id.empty() || chain == chains.end() || key.runs.empty()) return;
    if (chain->second.first_seq <= known.seq + 1) return;
    out.push_back(made(FindingKind::kMissing, chain->second.last_place.file, 0, known.seq + 1,
                       known.chain_id, key.host,
                       "key " + id + " was verified up to seq " + std::to_string(known.seq) +
                           ", and here the chain begins with seq " +
                           std::to_string(chain->second.first_seq)));
  }

  static void put_tail(const ChainState& chain, SealedUpTo& sealed) {
    sealed.tail = chain.last_seq - std::min(chain.last_seq, sealed.seq);
    sealed.tail_time = chain.last_time;
  }

  void describe(const Walk& at, const KeyState& key, SealedUpTo& sealed,
                std::vector<Finding>& out) const {
    const Checkpoint& last = *at.last;
    sealed.chain_id = last.chain_id;
    sealed.hash = last.hash;
    sealed.epoch = last.seal.epoch;
    sealed.seq = last.seq;
    sealed.time = last.time;
    sealed.next_public_key = last.seal.next_public_key;
    const auto chain = chains.find(last.chain_id);
    if (chain == chains.end()) return;
    put_tail(chain->second, sealed);
    const Seal& seal = last.seal;
    const auto age = chain->second.last_time - last.time;
    const bool too_many = seal.events_max != 0 && sealed.tail > seal.events_max;
    const bool too_old = seal.age_max.count() != 0 && sealed.tail > 0 && age > seal.age_max;
    if (at.unverified != 0 || key.taken_apart || !(too_many || too_old)) return;
    out.push_back(made(FindingKind::kSealStopped, chain->second.last_place.file,
                       chain->second.last_place.line, last.seq + 1, last.chain_id, key.host,
                       std::to_string(sealed.tail) + " events follow the last checkpoint (seq " +
                           std::to_string(last.seq) + "), the last one at " +
                           format_time(chain->second.last_time) +
                           ", and there should have been another one: sealing has stopped"));
  }
};

SealCheck::SealCheck(const std::vector<VerifyKey>& keys, Input input)
    : impl_(std::make_unique<Impl>()) {
  impl_->whole_log = input == Input::kLog;
  for (const VerifyKey& key : keys) {
    KeyState& state = impl_->keys[key.key];
    state.host = key.host;
    impl_->hosts.insert(key.host);
    state.anchors.insert_or_assign(key.epoch, key);
    if (!key.hash.empty()) impl_->remembered.emplace(std::pair(key.chain_id, key.seq), key.hash);
  }
}
SealCheck::~SealCheck() = default;

void SealCheck::whole_line(const std::string& file, std::uint64_t number, std::string_view line) {
  impl_->line(file, number, line);
}

void SealCheck::whole_event(const SealLine& event, std::string_view line) {
  if (const auto action = action_of(line)) {
    impl_->note(event, *action);
  } else {
    impl_->line(event.file, event.number, line);
  }
}

bool SealCheck::knows(std::string_view host) const { return impl_->hosts.contains(host); }

void SealCheck::taken_apart(std::string_view host) {
  for (auto& [id, key] : impl_->keys)
    if (key.host == host) key.taken_apart = true;
}

SealReport SealCheck::report() const {
  SealReport out;
  out.findings = impl_->findings;
  out.findings_beyond = impl_->findings_beyond;
  for (const auto& [id, key] : impl_->keys) impl_->report_key(id, key, out.findings, out.seals);
  return out;
}

std::string to_text(const SealedUpTo& sealed) {
  std::string out = "key " + sealed.key + ": ";
  if (sealed.taken_apart)
    out += "checkpoints arrived taken apart, and can't be verified in that form; ";
  if (sealed.verified == 0 && !sealed.remembered) return out + "no checkpoint was verified";
  out += "sealed up to seq " + std::to_string(sealed.seq) + " of chain " +
         printable(sealed.chain_id) + " (epoch " + std::to_string(sealed.epoch);
  if (sealed.verified != 0) {
    out += ", " + format_time(sealed.time) + "), " + std::to_string(sealed.verified) +
           " checkpoint" + (sealed.verified == 1 ? "" : "s") + " verified; ";
  } else {
    out += "), verified before; ";
  }
  if (sealed.unverified != 0) {
    return out + "what follows is NOT: " + std::to_string(sealed.unverified) + " checkpoint" +
           (sealed.unverified == 1 ? "" : "s") + " could not be verified";
  }
  if (sealed.tail == 0) return out + "no unsealed tail";
  out += "unsealed tail of " + std::to_string(sealed.tail) + " event" +
         (sealed.tail == 1 ? "" : "s") + ", seq " + std::to_string(sealed.seq + 1);
  if (sealed.tail > 1) out += " to " + std::to_string(sealed.seq + sealed.tail);
  return out + ", the newest of " + format_time(sealed.tail_time);
}

void write_sealed(json::Writer& writer, const SealedUpTo& sealed) {
  writer.begin_object();
  writer.member("host", sealed.host).member("key", sealed.key);
  writer.member("verified", sealed.verified).member("unverified", sealed.unverified);
  if (sealed.verified != 0 || sealed.remembered) {
    writer.member("chain", sealed.chain_id).member("seq", sealed.seq);
    writer.member("epoch", sealed.epoch);
    if (sealed.verified != 0) writer.member("time", format_time(sealed.time));
    writer.member("unsealed_tail", sealed.tail);
  }
  writer.end_object();
}

}  // namespace lilith::audit
