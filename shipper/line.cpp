#include "shipper/line.hpp"

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

// What stands before our layout's chain, or nothing where the line ends otherwise:
// ..."Y","chain":{"id":"..","prev":"<64>","hash":"<64>"}}
// Inside a JSON string every quote is escaped, so that no outside value can look like this.
constexpr std::size_t kHex = 64;
struct Tail {
  std::string_view before;  // up to and with the quote that closes category
  std::string_view id, prev, hash;
};
bool scan_chain(std::string_view line, Tail& tail) {
  constexpr std::string_view kChain = R"(","chain":{"id":")", kPrev = R"(","prev":")",
                             kHash = R"(","hash":")", kEnd = R"("}})";
  constexpr std::size_t kFixed = kPrev.size() + kHex + kHash.size() + kHex + kEnd.size();
  if (line.size() < kFixed || !line.ends_with(kEnd)) return false;
  std::string_view rest = line.substr(0, line.size() - kEnd.size());
  tail.hash = rest.substr(rest.size() - kHex);
  rest.remove_suffix(kHex);
  if (!rest.ends_with(kHash)) return false;
  rest.remove_suffix(kHash.size());
  tail.prev = rest.substr(rest.size() - kHex);
  rest.remove_suffix(kHex);
  if (!rest.ends_with(kPrev)) return false;
  rest.remove_suffix(kPrev.size());
  const std::size_t quote = rest.rfind('"');
  if (quote == kNone || !rest.substr(0, quote + 1).ends_with(kChain)) return false;
  tail.id = rest.substr(quote + 1);
  tail.before = rest.substr(0, quote + 2 - kChain.size());
  return true;
}

// action and category: },"action":"X","category":"Y"
bool scan_tail(std::string_view line, LineFields& fields) {
  constexpr std::string_view kAction = R"(},"action":")", kCategory = R"(","category":")";
  Tail tail;
  if (!scan_chain(line, tail)) return false;
  fields.chain_id = tail.id;
  std::string_view rest = tail.before.substr(0, tail.before.size() - 1);
  const auto take = [&](std::string_view before, std::string_view& value) {
    const std::size_t quote = rest.rfind('"');
    if (quote == kNone || !rest.substr(0, quote + 1).ends_with(before)) return false;
    value = rest.substr(quote + 1);
    rest = rest.substr(0, quote + 1 - before.size());
    return true;
  };
  return take(kCategory, fields.category) && take(kAction, fields.action);
}

// 64 lower-case hexadecimal characters. Without a branch per character: the compiler makes it a
// few vector instructions.
bool is_hash(std::string_view text) {
  unsigned bad = text.size() == kHex ? 0U : 1U;
  for (std::size_t i = 0; bad == 0 && i < kHex; i += 16) {
    for (std::size_t j = i; j < i + 16; ++j) {
      const auto c = static_cast<unsigned char>(text[j]);
      const auto digit = static_cast<unsigned char>(c - '0');
      const auto letter = static_cast<unsigned char>(c - 'a');
      bad |= static_cast<unsigned>(digit > 9) & static_cast<unsigned>(letter > 5);
    }
  }
  return bad == 0;
}

constexpr std::string_view kSeq = R"(","seq":")", kTime = R"(","time":")", kId = R"(","id":")";
constexpr std::ptrdiff_t kSeqDigitsMax = 19;  // surely below 2^64
constexpr std::size_t kIdBytesMax = 64, kHeadBytesMax = 1024;

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
  if (Tail tail; scan_chain(line, tail) && tail.id.size() <= kIdBytesMax &&
                 tail.id.find('\\') == kNone && is_hash(tail.prev) && is_hash(tail.hash)) {
    const void* const seq =
        ::memmem(line.data(), std::min(line.size(), kHeadBytesMax), kSeq.data(), kSeq.size());
    if (seq != nullptr) {
      const char* digit = static_cast<const char*>(seq) + kSeq.size();
      const char* const first = digit;
      // The line ends in no digit, so that this ends within it.
      while (*digit >= '0' && *digit <= '9') ++digit;
      if (digit != first && digit - first <= kSeqDigitsMax && *digit == '"')
        return {std::nullopt, static_cast<std::size_t>(first - line.data())};
    }
  }
  auto fields = audit::chain_fields(line);
  if (!fields) return {std::move(fields.error().message)};
  return {};
}

LineFields scan_line(std::string_view line) { return scan(line, "agent"); }

LineFields scan_around_seq(std::string_view line, std::size_t seq_at) {
  constexpr std::string_view kHost = R"(,"host":")";
  LineFields fields;
  if (seq_at <= kSeq.size()) return scan_line(line);
  const std::size_t host_end = seq_at - kSeq.size();
  const std::size_t host = line.rfind('"', host_end - 1);
  if (host == kNone || host < kHost.size()) return scan_line(line);
  fields.host = line.substr(host + 1, host_end - host - 1);
  std::size_t at = seq_at;
  // The string at `at`, and then the quote before the next member's.
  const auto take = [&](std::string_view& value, std::string_view next) {
    const std::size_t end = line.find('"', at);
    if (end == kNone || line.compare(end, next.size(), next) != 0) return false;
    value = line.substr(at, end - at);
    at = end + next.size();
    return true;
  };
  // An escaped quote ends in a backslash, which none of these has.
  const bool ours = line.compare(host + 1 - kHost.size(), kHost.size(), kHost) == 0 &&
                    fields.host.find('\\') == kNone && take(fields.seq, kTime) &&
                    take(fields.time, kId) && take(fields.id, "\"");
  return ours ? fields : scan_line(line);
}

const LineFields& HeadScanner::scan(std::string_view line) {
  same_ = false;
  if (!head_.empty() && line.starts_with(head_)) {
    const std::size_t seq = head_.size();
    const std::size_t seq_end = line.find('"', seq);
    if (seq_end != kNone && line.substr(seq_end).starts_with(kTime)) {
      const std::size_t time = seq_end + kTime.size();
      const std::size_t time_end = line.find('"', time);
      if (time_end != kNone && line.substr(time_end).starts_with(kId)) {
        const std::size_t id = time_end + kId.size();
        const std::size_t id_end = line.find('"', id);
        LineFields tail;
        if (id_end != kNone && scan_tail(line, tail)) {
          fields_.seq = line.substr(seq, seq_end - seq);
          fields_.time = line.substr(time, time_end - time);
          fields_.id = line.substr(id, id_end - id);
          fields_.action = tail.action;
          fields_.category = tail.category;
          same_ = true;
          return fields_;
        }
      }
    }
  }
  fields_ = shipper::scan(line, "id");
  head_.clear();
  if (fields_.seq.empty()) return fields_;
  head_ = line.substr(0, static_cast<std::size_t>(fields_.seq.data() - line.data()));
  for (std::string_view* const one : {&fields_.event, &fields_.host, &fields_.pid}) {
    if (one->empty()) continue;
    const auto at = static_cast<std::size_t>(one->data() - line.data());
    // Behind seq (another layout): nothing to hold on to.
    if (at >= head_.size()) {
      head_.clear();
      return fields_;
    }
    *one = std::string_view(head_).substr(at, one->size());
  }
  return fields_;
}

}  // namespace lilith::shipper
