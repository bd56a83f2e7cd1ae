#include "shipper/line.hpp"

#include "audit/base/eight_bytes.hpp"
#include "audit/base/limits.hpp"
#include "audit/codec.hpp"

#include <algorithm>
#include <cstring>

namespace lilith::shipper {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
constexpr std::string_view kFirst = R"({"lilith":{)";

// Offset behind the string whose quote stands at `at`; kNone when it does not end.
std::size_t after_string(std::string_view line, std::size_t at) {
  for (std::size_t i = at + 1; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      return i + 1;
    }
  }
  return kNone;
}

// Offset behind the value that begins at `at`.
std::size_t after_value(std::string_view line, std::size_t at) {
  if (at >= line.size()) return kNone;
  if (line[at] == '"') return after_string(line, at);
  std::size_t depth = 0;
  for (std::size_t i = at; i < line.size(); ++i) {
    switch (line[i]) {
      case '"': {
        const std::size_t end = after_string(line, i);
        if (end == kNone) return kNone;
        i = end - 1;
        break;
      }
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth == 0) return i;  // the end of what a number or a word stands in
        if (--depth == 0) return i + 1;
        break;
      case ',':
        if (depth == 0) return i;
        break;
      default:
        break;
    }
  }
  return kNone;
}

// The members of the object whose brace stands at `at`, in order: visit(key, offset and end of its
// value) says whether to go on. Returns where it stopped.
template <class Visit>
void each_member(std::string_view line, std::size_t at, const Visit& visit) {
  for (++at; at < line.size() && line[at] == '"'; ++at) {
    const std::size_t key_end = after_string(line, at);
    if (key_end == kNone || key_end >= line.size() || line[key_end] != ':') return;
    const std::size_t end = after_value(line, key_end + 1);
    if (end == kNone || end >= line.size()) return;
    if (!visit(line.substr(at + 1, key_end - at - 2), key_end + 1, end)) return;
    if (line[end] != ',') return;
    at = end;
  }
}

std::string_view unquoted(std::string_view line, std::size_t from, std::size_t end) {
  return line[from] == '"' ? line.substr(from + 1, end - from - 2) : line.substr(from, end - from);
}

std::string_view member(std::string_view line, std::size_t object_at, std::string_view wanted) {
  std::string_view found;
  if (line[object_at] != '{') return found;
  each_member(line, object_at, [&](std::string_view key, std::size_t from, std::size_t end) {
    if (key == wanted) found = unquoted(line, from, end);
    return found.empty();
  });
  return found;
}

// Whether `literal` stands at `at`, of which the caller knows that it does not end too soon.
template <std::size_t N>
bool stands(const char* at, const char (&literal)[N]) {
  return std::memcmp(at, literal, N - 1) == 0;
}
template <std::size_t N>
constexpr std::size_t size_of(const char (&)[N]) {
  return N - 1;
}

// Our layout's chain, or nothing where the line ends otherwise:
// ..."Y","chain":{"id":"..","prev":"<64>","hash":"<64>"}}
// Inside a JSON string every quote is escaped, so that no outside value can look like this.
constexpr std::size_t kHex = 64, kIdBytesMax = 64;
constexpr char kChain[] = R"(","chain":{"id":")", kPrev[] = R"(","prev":")",
               kHash[] = R"(","hash":")", kEnd[] = R"("}})";
struct Tail {
  std::size_t chain_at = 0;  // of kChain, whose first quote closes category; 0: not our layout
  std::size_t id_at = 0, prev_at = 0, hash_at = 0;
};
Tail scan_chain(std::string_view line) {
  constexpr std::size_t kFixed = size_of(kPrev) + kHex + size_of(kHash) + kHex + size_of(kEnd);
  if (line.size() < kFixed + size_of(kChain)) return {};
  const char* const begin = line.data();
  Tail tail;
  tail.hash_at = line.size() - size_of(kEnd) - kHex;
  tail.prev_at = tail.hash_at - size_of(kHash) - kHex;
  const std::size_t id_end = tail.prev_at - size_of(kPrev);
  if (!stands(begin + line.size() - size_of(kEnd), kEnd) ||
      !stands(begin + tail.hash_at - size_of(kHash), kHash) || !stands(begin + id_end, kPrev))
    return {};
  const auto* const quote = static_cast<const char*>(::memrchr(begin, '"', id_end));
  if (quote == nullptr) return {};
  tail.id_at = static_cast<std::size_t>(quote - begin) + 1;
  if (tail.id_at < size_of(kChain) || !stands(begin + tail.id_at - size_of(kChain), kChain))
    return {};
  tail.chain_at = tail.id_at - size_of(kChain);
  return tail;
}

// The string that ends before the quote at `end`, which `before` stands in front of; `end` becomes
// where that begins.
template <std::size_t N>
bool take_back(std::string_view line, std::size_t& end, const char (&before)[N],
               std::string_view& value) {
  const void* const quote = ::memrchr(line.data(), '"', end);
  if (quote == nullptr) return false;
  const auto from = static_cast<std::size_t>(static_cast<const char*>(quote) - line.data()) + 1;
  if (from < size_of(before) || !stands(line.data() + from - size_of(before), before)) return false;
  value = line.substr(from, end - from);
  end = from - size_of(before);
  return true;
}

// action and category before `chain_at`: },"action":"X","category":"Y"
bool scan_tail(std::string_view line, std::size_t chain_at, LineFields& fields) {
  return take_back(line, chain_at, R"(","category":")", fields.category) &&
         take_back(line, chain_at, R"(},"action":")", fields.action);
}
bool scan_tail(std::string_view line, LineFields& fields) {
  const Tail tail = scan_chain(line);
  if (tail.chain_at == 0) return false;
  fields.chain_id = line.substr(tail.id_at, tail.prev_at - size_of(kPrev) - tail.id_at);
  return scan_tail(line, tail.chain_at, fields);
}

// 64 lower-case hexadecimal characters. Without a branch for each eight of them.
bool is_hash(const char* text) {
  const std::string_view hash(text, kHex);
  std::uint64_t good = kHighBits;
  for (std::size_t at = 0; at < kHex; at += sizeof good) {
    const std::uint64_t eight = eight_bytes(hash, at);
    good &= bytes_between(eight, '0', '9') | bytes_between(eight, 'a', 'f');
  }
  return good == kHighBits;
}

// Offset of the digits of lilith.seq; 0 where there is none near the beginning. By the letter that
// hardly stands before it.
std::size_t find_seq(std::string_view line) {
  constexpr char kMember[] = R"(","seq":")";
  constexpr std::size_t kHeadBytesMax = 1024, kLetterAt = 5;
  static_assert(kMember[kLetterAt] == 'q');
  const char* const begin = line.data();
  const char* const end = begin + std::min(line.size(), kHeadBytesMax);
  for (const char* at = begin; at < end; ++at) {
    at = static_cast<const char*>(
        std::memchr(at, kMember[kLetterAt], static_cast<std::size_t>(end - at)));
    if (at == nullptr) return 0;
    const auto letter = static_cast<std::size_t>(at - begin);
    if (letter < kLetterAt) continue;
    const std::string_view from = line.substr(letter - kLetterAt);
    if (from.size() >= size_of(kMember) && stands(from.begin(), kMember))
      return letter - kLetterAt + size_of(kMember);
  }
  return 0;
}

constexpr std::string_view kSeq = R"(","seq":")";
constexpr std::ptrdiff_t kSeqDigitsMax = 19;  // surely below 2^64

// The members of the `lilith` object up to `last`, and what of the line's end stands in any layout.
LineFields scan(std::string_view line, std::string_view last) {
  LineFields fields;
  if (!line.starts_with(kFirst)) return fields;
  each_member(line, kFirst.size() - 1,
              [&](std::string_view key, std::size_t from, std::size_t end) {
                const std::string_view value = unquoted(line, from, end);
                if (key == "event") fields.event = value;
                if (key == "host") fields.host = value;
                if (key == "seq") fields.seq = value;
                if (key == "time") fields.time = value;
                if (key == "id") fields.id = value;
                if (key == "process") fields.pid = member(line, from, "pid");
                if (key == "agent") fields.agent = member(line, from, "name");
                return key != last;
              });
  if (!scan_tail(line, fields)) {
    fields.action = member(line, 0, "action");
    fields.category = member(line, 0, "category");
    each_member(line, 0, [&](std::string_view key, std::size_t from, std::size_t) {
      if (key == "chain") fields.chain_id = member(line, from, "id");
      return fields.chain_id.empty();
    });
  }
  return fields;
}

}  // namespace

LineKind line_kind(std::string_view line, bool may_have_nul) {
  if (line.size() > limits::kReaderLineBytesMax) {
    return {"the line is longer than " + std::to_string(limits::kReaderLineBytesMax) + " bytes"};
  }
  if (may_have_nul && line.find('\0') != kNone) return {"the line has a NUL"};
  // As audit::chain_fields() reads our own layout; what does not look so is for it to say.
  const Tail tail = scan_chain(line);
  const std::size_t id_size = tail.prev_at - tail.id_at - size_of(kPrev);
  if (tail.chain_at > 0 && id_size <= kIdBytesMax &&
      std::memchr(line.data() + tail.id_at, '\\', id_size) == nullptr &&
      is_hash(line.data() + tail.prev_at) && is_hash(line.data() + tail.hash_at)) {
    if (const std::size_t seq_at = find_seq(line); seq_at > 0) {
      // The line ends in no digit, so that this ends within it.
      const char* const first = line.data() + seq_at;
      const char* digit = first;
      while (*digit >= '0' && *digit <= '9') ++digit;
      if (digit != first && digit - first <= kSeqDigitsMax && *digit == '"')
        return {std::nullopt,
                {static_cast<std::uint32_t>(seq_at), static_cast<std::uint32_t>(tail.chain_at)}};
    }
  }
  auto fields = audit::chain_fields(line);
  if (!fields) return {std::move(fields.error().message)};
  return {};
}

LineFields scan_line(std::string_view line) { return scan(line, "agent"); }

namespace {

// The string that begins at `at`, which `next` stands behind; `at` becomes where that ends. No
// event ends so early that `next` would reach beyond it.
template <std::size_t N>
bool take(std::string_view line, std::size_t& at, const char (&next)[N], std::string_view& value) {
  const std::size_t end = line.find('"', at);
  if (end == kNone || line.size() - end < size_of(next) || !stands(line.data() + end, next))
    return false;
  value = line.substr(at, end - at);
  at = end + size_of(next);
  return true;
}

// host, seq, time and id as our layout has them around the digits of seq at `at`; false where they
// do not stand so.
bool around_seq(std::string_view line, std::size_t at, LineFields& fields) {
  if (at <= kSeq.size()) return false;
  std::size_t host_end = at - kSeq.size();
  // An escaped quote ends in a backslash, which none of these has.
  return take_back(line, host_end, R"(,"host":")", fields.host) &&
         fields.host.find('\\') == kNone && take(line, at, R"(","time":")", fields.seq) &&
         take(line, at, R"(","id":")", fields.time) && take(line, at, "\"", fields.id);
}

// Event and pid, before `end`: in front of the process there are only words of our own.
bool before_host(std::string_view line, std::size_t end, LineFields& fields) {
  constexpr char kEvent[] = R"({"lilith":{"schema":1,"event":")",
                 kProcess[] = R"(,"process":{"key":")", kPid[] = R"(","pid":)";
  constexpr std::size_t kBraceAt = 11;
  static_assert(kProcess[kBraceAt] == '{');
  const std::string_view head = line.substr(0, end);
  if (head.size() < size_of(kEvent) || !stands(head.begin(), kEvent)) return false;
  const std::size_t event_end = head.find('"', size_of(kEvent));
  const std::size_t brace = head.find('{', size_of(kEvent));
  if (brace == kNone || brace < event_end) return false;
  const std::size_t process = brace - kBraceAt;
  if (head.size() - process < size_of(kProcess) || !stands(head.data() + process, kProcess))
    return false;
  const std::size_t key_end = head.find('"', process + size_of(kProcess));
  if (key_end == kNone || head[key_end - 1] == '\\') return false;
  fields.event = head.substr(size_of(kEvent), event_end - size_of(kEvent));
  if (head.size() - key_end < size_of(kPid) || !stands(head.data() + key_end, kPid)) return true;
  const std::size_t pid = key_end + size_of(kPid);
  const std::size_t pid_end = head.find_first_of(",}", pid);
  fields.pid = head.substr(pid, std::min(pid_end, head.size()) - pid);
  return true;
}

}  // namespace

LineFields scan_around_seq(std::string_view line, LineMarks marks) {
  LineFields fields;
  return around_seq(line, marks.seq_at, fields) ? fields : scan_line(line);
}

LineFields scan_marked(std::string_view line, LineMarks marks) {
  LineFields fields;
  const bool ours = marks.seq_at > 0 && around_seq(line, marks.seq_at, fields) &&
                    before_host(line, marks.seq_at, fields) &&
                    scan_tail(line, marks.chain_at, fields);
  return ours ? fields : scan_line(line);
}

}  // namespace lilith::shipper
