#include "replay/recording.hpp"

#include "replay/intake.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <set>
#include <unordered_map>

namespace lilith::replay {
namespace {

using audit::Event;
using audit::EventType;
using audit::OperationKind;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using TextMap = std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>;

struct UseKey {
  std::uint32_t call, developer, session;
  std::int32_t day;
  bool operator==(const UseKey&) const = default;
};
struct UseHash {
  std::size_t operator()(const UseKey& key) const {
    std::uint64_t value = key.call;
    for (const std::uint64_t part :
         {std::uint64_t{key.developer}, std::uint64_t{key.session},
          static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.day))}) {
      value = (value ^ part) * 0x9E3779B97F4A7C15ULL;
      value ^= value >> 29;
    }
    return static_cast<std::size_t>(value);
  }
};

// Programs whose first word says what they do; `git push` is another block than `git log`.
bool has_sub_commands(std::string_view program) {
  static constexpr std::string_view kPrograms[] = {"git",    "gh",   "go",     "npm",  "cargo",
                                                   "docker", "mise", "uv",     "pip",  "kubectl",
                                                   "yarn",   "pnpm", "poetry", "juju", "make"};
  return std::ranges::find(kPrograms, program) != std::end(kPrograms);
}

std::string command_target(const audit::Operation& operation) {
  if (operation.program.empty()) return mask_volatile(operation.command);
  if (!has_sub_commands(operation.program)) return operation.program;
  const std::string_view text = operation.command;
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return operation.program;
  const std::size_t begin = text.find_first_not_of(' ', blank);
  if (begin == std::string_view::npos) return operation.program;
  const std::string_view word = text.substr(begin, text.find(' ', begin) - begin);
  const bool plain = !word.empty() && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-';
  }) && word.front() != '-';
  return plain ? operation.program + " " + std::string(word) : operation.program;
}

std::string target_of(const audit::Operation& operation, const audit::Facts& facts) {
  std::string out(audit::name(operation.kind));
  out.push_back(' ');
  switch (operation.kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      return out + mask_volatile(with_home(operation.path, facts));
    case OperationKind::kRunCommand:
      return out + command_target(operation);
    default:
      return audit::describe(operation);
  }
}

std::size_t run_of(std::string_view text, std::size_t begin, int (*is)(int)) {
  std::size_t end = begin;
  while (end < text.size() && is(static_cast<unsigned char>(text[end])) != 0) ++end;
  return end - begin;
}

// 8-4-4-4-12 hexadecimal digits (RFC 9562).
bool is_uuid(std::string_view text) {
  if (text.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

}  // namespace

struct Names::Map {
  TextMap ids;
  std::vector<const std::string*> texts;
};
Names::Names() : map_(std::make_unique<Map>()) {}
Names::~Names() = default;
Names::Names(Names&&) noexcept = default;
Names& Names::operator=(Names&&) noexcept = default;
std::uint32_t Names::id(std::string_view text) {
  if (const auto found = map_->ids.find(text); found != map_->ids.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(map_->texts.size());
  map_->texts.push_back(&map_->ids.emplace(text, id).first->first);
  return id;
}
const std::string& Names::text(std::uint32_t id) const { return *map_->texts.at(id); }
std::size_t Names::size() const { return map_->texts.size(); }

std::string format_day(std::int32_t day) {
  const auto time =
      WallTime(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::days(day)));
  return format_time(time).substr(0, 10);
}

Result<std::int32_t> parse_day(std::string_view text) {
  auto time = parse_time(std::string(text) + "T00:00:00Z");
  if (!time || text.size() != 10) {
    return fail(ErrorCode::kInvalidInput, "'" + std::string(text) + "' is no day like 2026-01-31");
  }
  return static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::days>(*time).time_since_epoch().count());
}

std::string mask_volatile(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool word_start = i == 0 || std::isalnum(static_cast<unsigned char>(text[i - 1])) == 0;
    const std::size_t hex = word_start ? run_of(text, i, std::isxdigit) : 0;
    const std::size_t digits = run_of(text, i, std::isdigit);
    std::size_t masked = 0;
    if (word_start && is_uuid(text.substr(i))) {
      masked = 36;
    } else if (hex >= 16) {
      masked = hex;
    } else if (digits >= 6) {
      masked = digits;
    }
    if (masked > 0) {
      out.push_back('*');
      i += masked;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

std::string with_home(std::string_view path, const audit::Facts& facts) {
  const std::string& home = facts.home;
  if (home.size() > 1 && path.starts_with(home) &&
      (path.size() == home.size() || path[home.size()] == '/')) {
    return "~" + std::string(path.substr(home.size()));
  }
  return std::string(path);
}

struct Recording::Index {
  TextMap calls, developers;
  std::unordered_map<UseKey, std::uint32_t, UseHash> uses;
  Repeats repeats;
  HashTable use_of_call;  // by call id: history and a log may each know half of what became of it
  std::string key;
};

Recording::Recording(std::int32_t utc_offset_minutes)
    : utc_offset_minutes_(utc_offset_minutes), index_(std::make_unique<Index>()) {}
Recording::~Recording() = default;

std::uint32_t Recording::developer_of(const Event& event) {
  const std::uint32_t host = hosts_.id(event.host);
  const std::string key = std::to_string(host) + "/" + event.facts.user;
  const auto [entry, fresh] =
      index_->developers.emplace(key, static_cast<std::uint32_t>(developers_.size()));
  if (fresh) developers_.push_back({host, event.facts.user});
  return entry->second;
}

bool Recording::is_new(const Event& event, Hash128 call_id) {
  const bool imported = event.type == EventType::kImported;
  const Hash128 id = event.id.empty() ? Hash128{} : keyed_hash(event.id);
  switch (index_->repeats.see(id, call_id, imported)) {
    case Repeats::Seen::kNew:
      return true;
    case Repeats::Seen::kRepeat:
      ++quality_.duplicates;
      return false;
    case Repeats::Seen::kInBoth:
      break;
  }
  ++quality_.in_both;
  // The log knows that it was blocked, history that a person refused it: neither is evidence.
  if (const std::uint32_t use = index_->use_of_call.find(call_id); use != HashTable::kNone) {
    if (event.action == audit::Action::kDenied) ++uses_[use].blocked;
    if (refused_by_person(event)) ++uses_[use].refused;
  }
  return false;
}

std::uint32_t Recording::call_of(const Event& event) {
  const bool unknown = !why_unknown(event).empty();
  if (unknown) {
    ++quality_.unknown;
    index_->key = "unknown";  // activity, without a call that could be decided
  } else {
    make_call_key(event, index_->key);
  }
  const auto [entry, fresh] =
      index_->calls.emplace(index_->key, static_cast<std::uint32_t>(calls_.size()));
  if (fresh) {
    RecordedCall call;
    call.unknown = unknown;
    if (!unknown) {
      call = {event.agent, event.tool, event.server, event.call, event.facts, false};
    }
    calls_.push_back(std::move(call));
  }
  return entry->second;
}

void Recording::add(const Event& event) {
  ++quality_.events;
  const bool imported = event.type == EventType::kImported;
  if (event.type != EventType::kDecision && !imported) {
    ++quality_.other_events;
    return;
  }
  std::string scratch;
  const Hash128 call_id = call_id_hash(event.agent, event.call_id, scratch);
  if (!is_new(event, call_id)) return;
  if (refused_by_person(event)) {
    ++quality_.refused;
    return;
  }
  quality_.first = quality_.calls == 0 ? event.time : std::min(quality_.first, event.time);
  quality_.last = std::max(quality_.last, event.time);
  ++quality_.calls;
  if (imported) ++quality_.imported;
  const auto local = event.time + std::chrono::minutes(utc_offset_minutes_);
  const auto day = static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::days>(local).time_since_epoch().count());
  const UseKey key{call_of(event), developer_of(event), sessions_.id(event.session), day};
  const auto [use, first] = index_->uses.emplace(key, static_cast<std::uint32_t>(uses_.size()));
  if (first) {
    uses_.push_back({key.call, key.developer, key.session, key.day, 0, 0, 0, event.time});
  }
  if (call_id != Hash128{}) index_->use_of_call.insert(call_id, use->second);
  Use& counted = uses_[use->second];
  ++counted.events;
  if (event.action == audit::Action::kDenied) ++counted.blocked;
  counted.first = std::min(counted.first, event.time);
}

std::vector<std::int32_t> Recording::active_days() const {
  std::set<std::int32_t> days;
  for (const Use& use : uses_) days.insert(use.day);
  return {days.begin(), days.end()};
}

namespace {

Judgement judge_some(const Recording& recording, const rules::Policy& policy,
                     const std::vector<bool>& wanted) {
  Judgement out;
  out.verdicts.reserve(recording.calls().size());
  for (std::size_t i = 0; i < recording.calls().size(); ++i) {
    const RecordedCall& recorded = recording.calls()[i];
    Judgement::Verdict verdict;
    verdict.unknown = recorded.unknown || !wanted[i];
    if (!verdict.unknown) {
      const rules::CallAnalysis analysis = rules::analyse(recorded.call);
      const rules::Decision decision = rules::decide(
          policy, {recorded.agent, recorded.tool, recorded.server}, analysis, recorded.facts);
      verdict.deny = decision.verdict == audit::Verdict::kDeny;
      verdict.blocks = decision.action == audit::Action::kDenied;
      // A call belongs to the operation that denies it; an allowed one to what it was called as.
      const OperationKind kind = verdict.deny ? decision.operation.kind : recorded.call.kind;
      verdict.group = out.groups.id(audit::name(kind));
      verdict.rule = out.rules.id(decision.rule);
      if (verdict.deny) {
        verdict.target =
            out.targets.id(recorded.tool + ": " + target_of(decision.operation, recorded.facts));
      }
    }
    out.verdicts.push_back(verdict);
  }
  return out;
}

}  // namespace

Judgement judge(const Recording& recording, const rules::Policy& policy) {
  return judge_some(recording, policy, std::vector<bool>(recording.calls().size(), true));
}

Judgement judge(const Recording& recording, const rules::Policy& policy, DayRange days,
                const std::vector<bool>& developers) {
  std::vector<bool> wanted(recording.calls().size());
  for (const Use& use : recording.uses()) {
    if (days.contains(use.day) && (developers.empty() || developers[use.developer]))
      wanted[use.call] = true;
  }
  return judge_some(recording, policy, wanted);
}

}  // namespace lilith::replay
