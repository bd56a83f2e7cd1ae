#include "audit/read/seal_check.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/signature.hpp"
#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "audit/seal.hpp"

#include <algorithm>
#include <map>
#include <optional>
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
  std::string chain_id, hash, signed_bytes;
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

// One key, over all of its epochs.
struct KeyState {
  std::string host;
  std::map<std::uint64_t, VerifyKey> anchors;  // by epoch
  std::optional<std::uint64_t> next;           // the epoch that comes next; nullopt: none was seen
  std::string next_public_key;                 // empty: it can't be known any more
  std::map<std::uint64_t, Checkpoint> waiting;
  std::map<std::uint64_t, std::string> seen;  // signatures of the latest epochs
  std::optional<Checkpoint> last;             // that was verified
  std::uint64_t verified = 0, unverified = 0;
};

std::string epochs(std::uint64_t first, std::uint64_t last) {
  return first == last ? "epoch " + std::to_string(first)
                       : "epochs " + std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace

struct SealCheck::Impl {
  std::map<std::string, KeyState, std::less<>> keys;
  std::map<std::string, ChainState, std::less<>> chains;
  std::map<std::string, Place, std::less<>> unknown_keys;
  // The hashes of checkpoints that verify keys remember, by chain and seq.
  std::map<std::pair<std::string, std::uint64_t>, std::string> remembered;
  std::vector<Finding> findings;

  void add(FindingKind kind, const Checkpoint& at, std::string message) {
    findings.push_back(
        {kind, at.place.file, at.place.line, at.seq, at.chain_id, std::move(message)});
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

  struct Line {
    const std::string& file;
    std::uint64_t number;
    std::string_view chain_id, host, hash;
    std::uint64_t seq;
    WallTime time;
  };
  void note(const Line& line, Action action) {
    auto found = chains.find(line.chain_id);
    if (found == chains.end()) {
      if (chains.size() >= limits::kVerifyChainsMax) return;
      found = chains.emplace(std::string(line.chain_id), ChainState{}).first;
      found->second.host = line.host;
      found->second.first_seq = line.seq;
    }
    ChainState& chain = found->second;
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
  void compare(const Line& line) {
    const auto known = remembered.find(std::pair(std::string(line.chain_id), line.seq));
    if (known == remembered.end() || known->second == line.hash) return;
    findings.push_back({FindingKind::kSealRolledBack, line.file, line.number, line.seq,
                        std::string(line.chain_id),
                        "this is not the checkpoint that was verified here before: the history of "
                        "the log was replaced"});
  }

  // ---- checkpoints

  void checkpoint(Place place, const Event& event) {
    auto seal = seal_of(event);
    Checkpoint now{std::move(place), {},        event.chain_id, event.chain_hash, {},
                   event.seq,        event.time};
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
    if (!unknown_keys.emplace(now.seal.key, now.place).second) return;
    add(FindingKind::kSealUnknownKey, now,
        "sealed by key " + now.seal.key +
            ", of which no verify key was given: the key was replaced, or its verify key was not "
            "exported");
  }

  void take(KeyState& key, Checkpoint now) {
    const std::uint64_t epoch = now.seal.epoch;
    if (const auto before = key.seen.find(epoch); before != key.seen.end()) {
      if (before->second != now.seal.signature) {
        add(FindingKind::kSealRolledBack, now,
            "epoch " + std::to_string(epoch) +
                " was sealed twice, over different lines: the key was put back to an older state, "
                "or two machines have it");
      }
      return;
    }
    key.seen.emplace(epoch, now.seal.signature);
    if (key.seen.size() > limits::kVerifySealsRememberedMax) key.seen.erase(key.seen.begin());
    if (!key.next) begin(key, now);
    if (epoch < *key.next) return;  // from before the first verify key: nothing can be said of it
    if (epoch == *key.next) {
      verify(key, now);
      drain(key);
      return;
    }
    key.waiting.emplace(epoch, std::move(now));
    if (key.waiting.size() > limits::kVerifySealsWaitingMax) skip_to_waiting(key);
  }

  // Older files may have been moved away: the newest verify key that is not behind begins.
  void begin(KeyState& key, const Checkpoint& first) {
    auto anchor = key.anchors.upper_bound(first.seal.epoch);
    if (anchor != key.anchors.begin()) --anchor;
    key.next = anchor->first;
    key.next_public_key = anchor->second.public_key;
  }

  void verify(KeyState& key, const Checkpoint& now) {
    const std::uint64_t epoch = now.seal.epoch;
    key.next = epoch + 1;
    if (const auto anchor = key.anchors.find(epoch); anchor != key.anchors.end()) {
      if (!key.next_public_key.empty() && key.next_public_key != anchor->second.public_key) {
        add(FindingKind::kSealRolledBack, now,
            "epoch " + std::to_string(epoch) +
                " has another key here than when it was verified before: its history was replaced");
      }
      key.next_public_key = anchor->second.public_key;
    }
    if (key.next_public_key.empty()) {
      ++key.unverified;
      return;
    }
    if (!is_signed(key.next_public_key, now.signed_bytes, now.seal.signature)) {
      add(FindingKind::kSealFailed, now,
          "the signature of epoch " + std::to_string(epoch) +
              " is not by its key: this checkpoint, or what stands before it, was made by somebody "
              "who did not have that key any more. Later ones can't be verified");
      key.next_public_key.clear();
      ++key.unverified;
      return;
    }
    if (key.last && key.last->chain_id == now.chain_id &&
        now.time + limits::kSealClockBackMax < key.last->time) {
      add(FindingKind::kClockSetBack, now,
          "this checkpoint was made at " + format_time(now.time) + ", and the one before it at " +
              format_time(key.last->time) + ": the clock was put back");
    }
    if (!now.miscounted.empty()) add(FindingKind::kSealMiscounted, now, now.miscounted);
    ++key.verified;
    key.next_public_key = now.seal.next_public_key;
    key.last = now;
  }

  void drain(KeyState& key) {
    for (auto first = key.waiting.begin(); first != key.waiting.end() && first->first == *key.next;
         first = key.waiting.begin()) {
      const Checkpoint now = std::move(first->second);
      key.waiting.erase(first);
      verify(key, now);
    }
  }

  // The epochs up to the first that waits will not come any more.
  void skip_to_waiting(KeyState& key) {
    if (const auto anchor = key.anchors.upper_bound(*key.next);
        key.verified == 0 && anchor != key.anchors.end()) {
      // Files from before it may be gone.
      key.next = anchor->first;
      key.next_public_key = anchor->second.public_key;
      key.waiting.erase(key.waiting.begin(), key.waiting.lower_bound(anchor->first));
      drain(key);
      return;
    }
    const Checkpoint& first = key.waiting.begin()->second;
    const std::uint64_t epoch = first.seal.epoch;
    add(FindingKind::kSealMissing, first,
        "checkpoints of " + epochs(*key.next, epoch - 1) +
            " are missing before this one, and with them the key that this one is signed with: "
            "lines were removed, or older files are needed");
    key.next = epoch;
    key.next_public_key.clear();
    drain(key);
  }

  // ---- the end

  void finish_key(const std::string& id, KeyState& key, VerifyReport& report) {
    while (!key.waiting.empty()) skip_to_waiting(key);
    VerifyReport::Sealed out;
    out.host = key.host;
    out.key = id;
    out.verified = key.verified;
    out.unverified = key.unverified;
    const VerifyKey& known = key.anchors.rbegin()->second;
    if (key.last) {
      describe(*key.last, key, out);
    } else if (key.seen.empty() && host_is_here(key.host)) {
      findings.push_back({FindingKind::kSealStopped, "", 0, 0, "",
                          "no checkpoint of key " + id + " is here, but events of its host " +
                              key.host + " are: nothing of them is sealed"});
    }
    check_end(known, key, id);
    check_start(known, key, id);
    report.seals.push_back(std::move(out));
  }

  [[nodiscard]] bool host_is_here(std::string_view host) const {
    return std::any_of(chains.begin(), chains.end(),
                       [&](const auto& entry) { return entry.second.host == host; });
  }

  // So must that checkpoint itself.
  void check_end(const VerifyKey& known, const KeyState& key, const std::string& id) {
    if (known.epoch == 0 || !host_is_here(key.host)) return;
    const auto chain = chains.find(known.chain_id);
    const bool gone = chain == chains.end() && !known.chain_id.empty() && !goes_on(known, key);
    const bool cut = chain != chains.end() && chain->second.last_seq < known.seq;
    const bool behind = key.next && *key.next < known.epoch;
    if (!gone && !cut && !behind) return;
    findings.push_back({FindingKind::kSealRolledBack, "", 0, known.seq, known.chain_id,
                        "key " + id + " was verified up to epoch " +
                            std::to_string(known.epoch - 1) + " at seq " +
                            std::to_string(known.seq) +
                            ", and that is not here any more: the end of the log was removed, or "
                            "log and key were put back to an older state"});
  }

  // A later checkpoint in another chain, certified by the one that is remembered.
  static bool goes_on(const VerifyKey& known, const KeyState& key) {
    return key.last && key.last->seal.epoch >= known.epoch;
  }

  // What follows the checkpoint that a verify key remembers must be here.
  void check_start(const VerifyKey& known, const KeyState& key, const std::string& id) {
    const auto chain = chains.find(known.chain_id);
    if (known.chain_id.empty() || chain == chains.end() || key.seen.empty()) return;
    if (chain->second.first_seq <= known.seq + 1) return;
    findings.push_back(
        {FindingKind::kMissing, chain->second.last_place.file, 0, known.seq + 1, known.chain_id,
         "key " + id + " was verified up to seq " + std::to_string(known.seq) +
             ", and here the chain begins with seq " + std::to_string(chain->second.first_seq)});
  }

  void describe(const Checkpoint& last, const KeyState& key, VerifyReport::Sealed& out) {
    out.chain_id = last.chain_id;
    out.hash = last.hash;
    out.epoch = last.seal.epoch;
    out.seq = last.seq;
    out.time = last.time;
    out.next_public_key = last.seal.next_public_key;
    const auto chain = chains.find(last.chain_id);
    if (chain == chains.end()) return;
    out.tail = chain->second.last_seq - std::min(chain->second.last_seq, last.seq);
    const Seal& seal = last.seal;
    const auto age = chain->second.last_time - last.time;
    const bool too_many = seal.events_max != 0 && out.tail > seal.events_max;
    const bool too_old = seal.age_max.count() != 0 && out.tail > 0 && age > seal.age_max;
    if (key.unverified != 0 || !(too_many || too_old)) return;
    findings.push_back({FindingKind::kSealStopped, chain->second.last_place.file,
                        chain->second.last_place.line, chain->second.last_seq, last.chain_id,
                        std::to_string(out.tail) + " events follow the last checkpoint (seq " +
                            std::to_string(last.seq) + "), the last one at " +
                            format_time(chain->second.last_time) +
                            ", and there should have been another one: sealing has stopped"});
  }
};

SealCheck::SealCheck(const std::vector<VerifyKey>& keys) : impl_(std::make_unique<Impl>()) {
  for (const VerifyKey& key : keys) {
    KeyState& state = impl_->keys[key.key];
    state.host = key.host;
    state.anchors.insert_or_assign(key.epoch, key);
    if (!key.hash.empty()) impl_->remembered.emplace(std::pair(key.chain_id, key.seq), key.hash);
  }
}
SealCheck::~SealCheck() = default;

void SealCheck::whole_line(const std::string& file, std::uint64_t number, std::string_view line) {
  impl_->line(file, number, line);
}

void SealCheck::finish(VerifyReport& report, std::size_t findings_max) {
  for (auto& [id, key] : impl_->keys) impl_->finish_key(id, key, report);
  for (Finding& finding : impl_->findings) {
    ++report.findings_total;
    ++report.by_kind[static_cast<std::size_t>(finding.kind)];
    if (report.findings.size() < findings_max) report.findings.push_back(std::move(finding));
  }
}

}  // namespace lilith::audit
