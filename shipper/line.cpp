#include "shipper/line.hpp"

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"

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

// action and category by our layout, from the line's end:
// },"action":"X","category":"Y","chain":{"id":"..","prev":"<64>","hash":"<64>"}}
// Inside a JSON string every quote is escaped, so that no outside value can look like this.
bool scan_tail(std::string_view line, LineFields& fields) {
  constexpr std::string_view kAction = R"(},"action":")", kCategory = R"(","category":")",
                             kChain = R"(","chain":{"id":")", kPrev = R"(","prev":")",
                             kHash = R"(","hash":")", kEnd = R"("}})";
  constexpr std::size_t kHex = 64;
  constexpr std::size_t kFixed = kPrev.size() + kHex + kHash.size() + kHex + kEnd.size();
  if (line.size() < kFixed || !line.ends_with(kEnd)) return false;
  std::string_view rest = line.substr(0, line.size() - kEnd.size() - kHex);
  if (!rest.ends_with(kHash)) return false;
  rest.remove_suffix(kHash.size() + kHex);
  if (!rest.ends_with(kPrev)) return false;
  rest.remove_suffix(kPrev.size());
  const auto take = [&](std::string_view before, std::string_view& value) {
    const std::size_t quote = rest.rfind('"');
    if (quote == kNone || !rest.substr(0, quote + 1).ends_with(before)) return false;
    value = rest.substr(quote + 1);
    rest = rest.substr(0, quote + 1 - before.size());
    return true;
  };
  std::string_view chain_id;
  return take(kChain, chain_id) && take(kCategory, fields.category) && take(kAction, fields.action);
}

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
  }
  return fields;
}

}  // namespace

std::optional<std::string> why_no_event(std::string_view line, bool may_have_nul) {
  if (line.size() > limits::kReaderLineBytesMax)
    return "the line is longer than " + std::to_string(limits::kReaderLineBytesMax) + " bytes";
  if (may_have_nul && line.find('\0') != kNone) return "the line has a NUL";
  auto fields = audit::chain_fields(line);
  if (!fields) return std::move(fields.error().message);
  return std::nullopt;
}

LineFields scan_line(std::string_view line) { return scan(line, "agent"); }

const LineFields& HeadScanner::scan(std::string_view line) {
  constexpr std::string_view kTime = R"(","time":")", kId = R"(","id":")";
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
