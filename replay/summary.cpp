#include "replay/summary.hpp"

#include "audit/base/limits.hpp"

#include <algorithm>
#include <unordered_map>

namespace lilith::replay {
namespace {

constexpr std::uint64_t kNoUuid = UINT64_MAX;  // no UUID of version 7 has this upper half

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_dash(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

// A UUID in its lower-case form, as the log writes it, in two halves.
bool parse_uuid(std::string_view text, std::uint64_t& high, std::uint64_t& low) {
  if (text.size() != 36 || text[14] != '7') return false;
  std::uint64_t halves[2] = {0, 0};
  for (std::size_t at = 0, digits = 0; at < text.size(); ++at) {
    if (is_dash(at)) {
      if (text[at] != '-') return false;
      continue;
    }
    const int value = hex_value(text[at]);
    if (value < 0) return false;
    std::uint64_t& half = halves[digits++ / 16];
    half = half << 4 | static_cast<std::uint64_t>(value);
  }
  high = halves[0];
  low = halves[1];
  return true;
}

std::string format_uuid(std::uint64_t high, std::uint64_t low) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t digit = 0; digit < 32; ++digit) {
    if (is_dash(out.size())) out.push_back('-');
    const std::uint64_t half = digit < 16 ? high : low;
    out.push_back(kHex[half >> (60 - 4 * (digit % 16)) & 15]);
  }
  return out;
}

}  // namespace

std::string_view name(Change change) {
  switch (change) {
    case Change::kUnchanged:
      return "unchanged";
    case Change::kNewlyDenied:
      return "newly_denied";
    case Change::kNewlyAllowed:
      return "newly_allowed";
    case Change::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view name(By by) {
  switch (by) {
    case By::kRule:
      return "rule";
    case By::kTool:
      return "tool";
    case By::kTarget:
      return "target";
    case By::kHost:
      return "host";
    case By::kUser:
      break;
  }
  return "user";
}

std::string to_string(const PartitionName& name) {
  return name.topic + "[" + std::to_string(name.partition) + "]";
}

std::string_view name(Unknown why) {
  switch (why) {
    case Unknown::kCut:
      return "the call was cut to fit";
    case Unknown::kRedacted:
      return "the call was redacted";
    case Unknown::kNoCall:
      break;
  }
  return "the event carries no call";
}

// ---- seqs

void SeqRanges::put(Map& ranges, std::uint64_t first, std::uint64_t last) {
  auto after = ranges.upper_bound(first);
  if (after != ranges.begin()) {
    const auto before = std::prev(after);
    if (before->second + 1 >= first) {
      first = before->first;
      last = std::max(last, before->second);
      after = ranges.erase(before);
    }
  }
  while (after != ranges.end() && after->first <= last + 1) {
    last = std::max(last, after->second);
    after = ranges.erase(after);
  }
  ranges.emplace(first, last);
}

bool SeqRanges::add(std::uint64_t seq) {
  if (seq == open_last_ + 1 && seq < open_below_) {
    open_last_ = seq;
    return true;
  }
  if (open_first_ <= open_last_) put(ranges_, open_first_, open_last_);
  auto after = ranges_.upper_bound(seq);
  const bool known = after != ranges_.begin() && std::prev(after)->second >= seq;
  if (!known) put(ranges_, seq, seq);
  // The range around `seq` is the one that grows from here.
  after = ranges_.upper_bound(seq);
  const auto around = std::prev(after);
  open_first_ = around->first;
  open_last_ = around->second;
  open_below_ = after == ranges_.end() ? UINT64_MAX : after->first - 1;
  ranges_.erase(around);
  return !known;
}

void SeqRanges::add_range(std::uint64_t first, std::uint64_t last) {
  if (open_first_ <= open_last_) put(ranges_, open_first_, open_last_);
  open_first_ = 1;
  open_last_ = open_below_ = 0;
  put(ranges_, first, last);
}

void SeqRanges::add_all(const SeqRanges& other) {
  for (const auto& [first, last] : other.ranges()) add_range(first, last);
}

std::map<std::uint64_t, std::uint64_t> SeqRanges::ranges() const {
  Map all = ranges_;
  if (open_first_ <= open_last_) put(all, open_first_, open_last_);
  return all;
}

bool SeqRanges::contains(std::uint64_t seq) const {
  if (seq >= open_first_ && seq <= open_last_) return true;
  const auto after = ranges_.upper_bound(seq);
  return after != ranges_.begin() && std::prev(after)->second >= seq;
}

bool SeqRanges::overlaps(const SeqRanges& other) const {
  const Map mine = ranges();
  for (const auto& [first, last] : other.ranges()) {
    const auto after = mine.upper_bound(last);
    if (after != mine.begin() && std::prev(after)->second >= first) return true;
  }
  return false;
}

std::uint64_t SeqRanges::missing() const {
  std::uint64_t out = 0, last_before = 0;
  for (const auto& [first, last] : ranges()) {
    if (last_before != 0) out += first - last_before - 1;
    last_before = last;
  }
  return out;
}

// ---- counting

std::size_t Summary::place_of(std::uint32_t tool, std::uint32_t user,
                              const std::vector<Verdict>& verdicts) const {
  // FNV-1a (Fowler, Noll, Vo) over the numbers: they are ours, given out in order of first sight.
  std::uint64_t hash = 0xCBF29CE484222325U;
  const auto mix = [&hash](std::uint64_t number) { hash = (hash ^ number) * 0x100000001B3U; };
  mix(tool);
  mix(user);
  for (const Verdict& one : verdicts) {
    mix((one.deny ? 1U : 0U) | (one.blocks ? 2U : 0U));
    mix(one.rule);
    mix(one.target);
  }
  const std::size_t mask = class_places_.size() - 1;
  for (std::size_t at = (hash ^ hash >> 32) & mask;; at = (at + 1) & mask) {
    if (class_places_[at] == 0) return at;
    const std::size_t number = class_places_[at] - 1;
    const CallClass& known = classes_[number];
    const auto first = verdicts_.begin() + static_cast<std::ptrdiff_t>(number * candidates_.size());
    if (known.tool == tool && known.user == user &&
        std::equal(verdicts.begin(), verdicts.end(), first)) {
      return at;
    }
  }
}

std::uint32_t Summary::class_of(std::string_view tool, std::string_view user,
                                const std::vector<Verdict>& verdicts) {
  const std::uint32_t tool_id = texts_.id_of(tool), user_id = texts_.id_of(user);
  if ((classes_.size() + 1) * 4 > class_places_.size() * 3) {
    class_places_.assign(std::max<std::size_t>(1024, class_places_.size() * 2), 0);
    std::vector<Verdict> of(candidates_.size());
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      for (std::size_t c = 0; c < of.size(); ++c) of[c] = verdicts_[i * of.size() + c];
      class_places_[place_of(classes_[i].tool, classes_[i].user, of)] =
          static_cast<std::uint32_t>(i + 1);
    }
  }
  const std::size_t at = place_of(tool_id, user_id, verdicts);
  if (class_places_[at] == 0) {
    classes_.push_back({tool_id, user_id, HashTable::kNone});
    verdicts_.insert(verdicts_.end(), verdicts.begin(), verdicts.end());
    class_places_[at] = static_cast<std::uint32_t>(classes_.size());
  }
  return class_places_[at] - 1;
}

void Summary::count(std::uint32_t call_class, std::uint32_t host, bool was_denied,
                    std::uint64_t events, WallTime first, WallTime last, std::string_view example) {
  std::uint32_t at = classes_[call_class].first_row;
  while (at != HashTable::kNone && (rows_[at].host != host || rows_[at].was_denied != was_denied)) {
    at = rows_[at].next_row;
  }
  if (at == HashTable::kNone) {
    Row row;
    row.call_class = call_class;
    row.host = host;
    row.was_denied = was_denied;
    row.first = first;
    row.last = last;
    if (!parse_uuid(example, row.example_high, row.example_low)) {
      row.example_high = kNoUuid;
      row.example_low = texts_.id_of(example);
    }
    row.next_row = classes_[call_class].first_row;
    at = classes_[call_class].first_row = static_cast<std::uint32_t>(rows_.size());
    rows_.push_back(row);
  }
  Row& row = rows_[at];
  row.events += events;
  row.first = std::min(row.first, first);
  row.last = std::max(row.last, last);
}

std::string Summary::id_text(const Row& row) const {
  if (row.example_high != kNoUuid) return format_uuid(row.example_high, row.example_low);
  return std::string(texts_[static_cast<std::uint32_t>(row.example_low)]);
}

// ---- tables

std::uint32_t Summary::key_of(const Row& row, std::size_t candidate, By by) const {
  switch (by) {
    case By::kRule:
      return verdict(row, candidate).rule;
    case By::kTool:
      return classes_[row.call_class].tool;
    case By::kTarget:
      return verdict(row, candidate).target;
    case By::kHost:
      return row.host;
    case By::kUser:
      break;
  }
  return classes_[row.call_class].user;
}

// Two passes: sizes of all groups, then everything of the largest. A group in full takes far more
// memory than its size, and there can be as many as distinct calls.
template <class Wanted>
Table Summary::table(std::size_t candidate, By by, std::size_t top, Wanted wanted) const {
  std::vector<std::uint64_t> events(texts_.size());
  for (const Row& row : rows_) {
    if (wanted(row)) events[key_of(row, candidate, by)] += row.events;
  }
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 0; id < events.size(); ++id) {
    if (events[id] > 0) ids.push_back(id);
  }
  Table out;
  out.groups = ids.size();
  const auto shown = ids.begin() + static_cast<std::ptrdiff_t>(std::min(top, ids.size()));
  std::partial_sort(ids.begin(), shown, ids.end(), [&](std::uint32_t a, std::uint32_t b) {
    return events[a] != events[b] ? events[a] > events[b] : texts_[a] < texts_[b];
  });
  ids.erase(shown, ids.end());
  struct Seen {
    std::size_t at = 0;
    std::set<std::uint32_t> hosts, users;
  };
  std::unordered_map<std::uint32_t, Seen> seen;
  for (const std::uint32_t id : ids) {
    seen[id].at = out.rows.size();
    out.rows.emplace_back().key = texts_[id];
  }
  for (const Row& row : rows_) {
    if (!wanted(row)) continue;
    const auto found = seen.find(key_of(row, candidate, by));
    if (found == seen.end()) continue;
    Group& group = out.rows[found->second.at];
    if (group.events == 0) {
      group.first = row.first;
      group.example = id_text(row);
    }
    group.events += row.events;
    if (verdict(row, candidate).blocks) group.blocked += row.events;
    group.first = std::min(group.first, row.first);
    group.last = std::max(group.last, row.last);
    found->second.hosts.insert(row.host);
    found->second.users.insert(classes_[row.call_class].user);
  }
  for (const auto& [id, one] : seen) {
    out.rows[one.at].hosts = one.hosts.size();
    out.rows[one.at].users = one.users.size();
  }
  return out;
}

std::vector<CandidateTally> Summary::tally(std::size_t top) const {
  std::vector<CandidateTally> out;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    CandidateTally one;
    one.name = candidates_[i].name;
    one.sha256 = candidates_[i].sha256;
    const auto change = [&](const Row& row) {
      const bool deny = verdict(row, i).deny;
      if (deny == row.was_denied) return Change::kUnchanged;
      return deny ? Change::kNewlyDenied : Change::kNewlyAllowed;
    };
    for (const Row& row : rows_) {
      (verdict(row, i).deny ? one.denied : one.allowed) += row.events;
      one.changes[static_cast<std::size_t>(change(row))] += row.events;
      if (change(row) == Change::kNewlyDenied && verdict(row, i).blocks) one.blocked += row.events;
    }
    one.changes[static_cast<std::size_t>(Change::kUnknown)] = quality.unknown_in_all();
    for (std::size_t by = 0; by < kGroupings; ++by) {
      one.newly_denied[by] = table(i, static_cast<By>(by), top, [&](const Row& row) {
        return change(row) == Change::kNewlyDenied;
      });
    }
    one.newly_allowed_by_rule = table(
        i, By::kRule, top, [&](const Row& row) { return change(row) == Change::kNewlyAllowed; });
    out.push_back(std::move(one));
  }
  return out;
}

std::array<std::uint64_t, 4> Summary::flips(std::size_t first, std::size_t second) const {
  std::array<std::uint64_t, 4> out{};
  for (const Row& row : rows_) {
    const std::size_t at =
        (verdict(row, first).deny ? 2U : 0U) + (verdict(row, second).deny ? 1U : 0U);
    out[at] += row.events;
  }
  return out;
}

Table Summary::denied_only_by(std::size_t to, std::size_t from, By by, std::size_t top) const {
  return table(to, by, top,
               [&](const Row& row) { return verdict(row, to).deny && !verdict(row, from).deny; });
}

std::uint64_t Summary::hosts_with_calls() const {
  return static_cast<std::uint64_t>(std::count_if(
      hosts.begin(), hosts.end(), [](const auto& entry) { return entry.second.calls; }));
}

std::vector<std::string> Summary::silent_hosts() const {
  std::vector<std::string> out;
  for (const auto& [host, seen] : hosts) {
    // Against the newest call: an event of another kind may be of today in a log of old history.
    if (quality.last - seen.last > limits::kReplaySilentHost) out.push_back(host);
  }
  return out;
}

std::uint64_t Summary::missing() const {
  std::uint64_t out = 0;
  for (const auto& [id, ranges] : chains) out += ranges.missing();
  return out;
}

std::vector<std::string> Summary::unread() const {
  std::vector<std::string> out;
  for (const auto& [name, offsets] : partitions) {
    std::uint64_t read = 0;  // offset 0 is 1
    for (const auto& [first, last] : offsets.ranges()) {
      if (first > read + 1) {
        out.push_back(to_string(name) + ": offsets " + std::to_string(read) + " to " +
                      std::to_string(first - 2) + " are in no summary");
      }
      read = last;
    }
  }
  return out;
}

// ---- adding up

Result<void> Summary::share_nothing(const Summary& other) const {
  for (const auto& [name, offsets] : other.partitions) {
    const auto mine = partitions.find(name);
    if (mine != partitions.end() && mine->second.overlaps(offsets)) {
      return fail(ErrorCode::kInvalidInput,
                  "both have messages of the same offset of " + to_string(name) +
                      ": the same part of the topic was counted twice; leave one of them out");
    }
  }
  for (const auto& [id, ranges] : other.chains) {
    const auto mine = chains.find(id);
    if (mine != chains.end() && mine->second.overlaps(ranges)) {
      return fail(ErrorCode::kInvalidInput,
                  "both have events of the same seq in chain " + id +
                      ": the same log was counted twice; leave one of them out");
    }
  }
  return {};
}

Result<void> Summary::merge(const Summary& other) {
  if (other.candidates_ != candidates_) {
    return fail(ErrorCode::kInvalidInput,
                "the summaries are of different candidate policies; make them with the same");
  }
  if (auto apart = share_nothing(other); !apart) return apart;
  earlier.clear();
  input.add(other.input);
  if (other.quality.decided + other.quality.unknown_in_all() > 0) {
    const bool empty = quality.decided + quality.unknown_in_all() == 0;
    quality.first = empty ? other.quality.first : std::min(quality.first, other.quality.first);
    quality.last = empty ? other.quality.last : std::max(quality.last, other.quality.last);
  }
  quality.events += other.quality.events;
  quality.decided += other.quality.decided;
  quality.imported += other.quality.imported;
  quality.other_events += other.quality.other_events;
  quality.duplicates += other.quality.duplicates;
  quality.in_both += other.quality.in_both;
  quality.refused_by_person += other.quality.refused_by_person;
  for (std::size_t i = 0; i < kUnknowns; ++i) quality.unknown[i] += other.quality.unknown[i];
  for (const auto& [id, seqs] : other.chains) chains[id].add_all(seqs);
  for (const auto& [host, seen] : other.hosts) {
    const auto [at, fresh] = hosts.try_emplace(host, seen);
    if (fresh) continue;
    at->second.first = std::min(at->second.first, seen.first);
    at->second.last = std::max(at->second.last, seen.last);
    at->second.calls = at->second.calls || seen.calls;
  }
  users.insert(other.users.begin(), other.users.end());
  for (const auto& [name, offsets] : other.partitions) partitions[name].add_all(offsets);
  for (const Row& row : other.rows_) {
    const CallClass& from = other.classes_[row.call_class];
    std::vector<Verdict> verdicts;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      Verdict verdict = other.verdict(row, i);
      verdict.rule = text(other.texts_[verdict.rule]);
      verdict.target = text(other.texts_[verdict.target]);
      verdicts.push_back(verdict);
    }
    count(class_of(other.texts_[from.tool], other.texts_[from.user], verdicts),
          text(other.texts_[row.host]), row.was_denied, row.events, row.first, row.last,
          other.id_text(row));
  }
  return {};
}

}  // namespace lilith::replay
