#include "audit/read/arrived_line.hpp"

#include "audit/event.hpp"
#include "audit/json/reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace lilith::audit {
namespace {

using json::View;

// Every line of our writer begins so (docs/event.md); Wazuh's `data` has the schema as a string.
constexpr std::string_view kMark = "{\"lilith\":{\"schema\":1";
constexpr std::string_view kBegin = kMark.substr(0, kMark.find(':') + 1);
constexpr std::string_view kEscapedMark = "{\\\"lilith\\\":{\\\"schema\\\":1";
// How our shipper begins a line of ECS and of OCSF, and what all of them hold.
constexpr std::string_view kEcsBegin = "{\"@timestamp\":\"", kOcsfBegin = "{\"activity_id\":";
constexpr std::string_view kEcsSign = "\"dataset\":\"lilith.audit\"",
                           kOcsfSign = "\"product\":{\"name\":\"lilith\"";
constexpr std::string_view kFullLog = "\"full_log\":\"", kSource = "\"_source\":";
constexpr std::string_view kWord = "lilith";

constexpr std::array<std::pair<LineForm, std::string_view>, kLineForms> kFormNames{
    {{LineForm::kNdjson, "ndjson"},
     {LineForm::kSyslog, "syslog"},
     {LineForm::kWazuh, "wazuh"},
     {LineForm::kElastic, "elastic"},
     {LineForm::kJson, "json"}}};

// The object that begins at text[0], by its brackets outside of strings; empty when it has no end.
std::string_view object_at(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U), put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U), put(0x80U | (code >> 6U & 0x3FU)), put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U), put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU)), put(0x80U | (code & 0x3FU));
  }
}

// \uXXXX at text[at], which is the backslash; `at` ends on its last digit. False: it is none.
bool read_unicode(std::string_view text, std::size_t& at, std::uint32_t& code) {
  if (text.size() - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return false;
  const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, code, 16);
  if (error != std::errc{} || end != text.data() + at + 6) return false;
  at += 5;
  return true;
}

// The value of the JSON string that goes on at text[0], behind its opening quote, into `out`; false
// when it has no end or holds what no JSON string may.
bool unescape(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t plain = std::min(text.find_first_of("\"\\", i), text.size());
    out.append(text, i, plain - i);
    i = plain;
    if (i == text.size()) return false;
    if (text[i] == '"') return true;
    if (i + 1 == text.size()) return false;
    constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (const auto which = kEscapes.find(text[i + 1]); which != std::string_view::npos) {
      out.push_back(kMeanings[which]);
      ++i;
      continue;
    }
    std::uint32_t code = 0, low = 0;
    if (!read_unicode(text, i, code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      std::size_t next = i + 1;
      if (!read_unicode(text, next, low) || low < 0xDC00 || low > 0xDFFF) return false;
      i = next;
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    }
    append_utf8(out, code);
  }
  return false;
}

// The kind of a line of our writer: `event` is its second member.
ArrivedKind kind_of(std::string_view event) {
  if (event == name(EventType::kCheckpoint)) return ArrivedKind::kCheckpoint;
  if (event == name(EventType::kHeartbeat)) return ArrivedKind::kHeartbeat;
  if (event == name(EventType::kWithheld)) return ArrivedKind::kWithheld;
  return event == name(EventType::kShipLoss) ? ArrivedKind::kShipLoss : ArrivedKind::kEvent;
}

// A hit's document, else the object itself.
View document_of(View root) { return root.find("_source").value_or(root); }

std::string_view text_at(View from, std::initializer_list<std::string_view> path,
                         std::string_view member) {
  for (const std::string_view step : path) {
    const auto next = from.find(step);
    if (!next) return {};
    from = *next;
  }
  return from.text(member);
}

std::uint64_t number_at(View from, std::string_view object, std::string_view member) {
  const auto inside = from.find(object);
  if (!inside) return 0;
  const auto value = inside->find(member);
  const auto number = value ? value->integer() : std::nullopt;
  return number && *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
}

}  // namespace

std::string_view name(LineForm form) { return kFormNames[static_cast<std::size_t>(form)].second; }

std::optional<LineForm> line_form(std::string_view name) {
  for (const auto& [form, spelling] : kFormNames)
    if (spelling == name) return form;
  return std::nullopt;
}

struct LineOpener::Impl {
  json::Document document;
  std::string unescaped, shortened, host, why;

  LineState unreadable(std::string reason) {
    why = std::move(reason);
    return LineState::kUnreadable;
  }

  // The event's own bytes were found.
  LineState bytes(std::string_view line, ArrivedEvent& out) {
    out.line = line;
    auto fields = chain_fields(line);
    if (!fields)
      return unreadable("an event that was cut or mangled on its way: " + fields.error().message);
    bool whole = hash_holds(line, *fields);
    if (!whole && take_off_added(line, *fields)) {
      fields = chain_fields(shortened);
      whole = fields && hash_holds(shortened, *fields);
      if (whole) {
        out.added_to = true;
        out.line = line = shortened;
      } else {
        fields = chain_fields(line);
      }
    }
    return fill(line, *fields, whole, out);
  }

  // Labels of a collector stand behind the last member of ours (facts of Wazuh's logcollector).
  bool take_off_added(std::string_view line, const ChainFields& fields) {
    const std::size_t after = fields.hash_at + fields.hash.size();
    if (line.substr(after, 3) != "\"},") return false;
    shortened.assign(line, 0, after + 2);
    shortened += '}';
    return true;
  }

  LineState fill(std::string_view line, const ChainFields& fields, bool whole, ArrivedEvent& out) {
    const auto prev = chain_digest(fields.prev), hash = chain_digest(fields.hash);
    if (!prev || !hash) return unreadable("an event whose chain holds no hashes");
    if (fields.seq == 0 || fields.seq > INT64_MAX)
      return unreadable("an event whose seq is out of range");
    out.chain_id = fields.id;
    out.seq = fields.seq;
    out.prev = *prev;
    out.hash = *hash;
    out.hash_text = fields.hash;
    out.genesis = fields.prev == kGenesis;
    if (!read_head(line, out)) {
      const auto event = decode(line);
      if (!event) return unreadable(event.error().message);
      host = event->host;
      out.host = host;
      out.time = event->time;
      out.kind = kind_of(audit::name(event->type));
    }
    return whole ? LineState::kWhole : LineState::kAltered;
  }

  // Host, time and kind of a line in our writer's layout: ,"event":"..", .. "host":"..","seq":"..",
  // "time":"..". In front of seq no text of outside can hold these quotes without escaping them.
  static bool read_head(std::string_view line, ArrivedEvent& out) {
    constexpr std::string_view kEvent = ",\"event\":\"", kHost = ",\"host\":\"",
                               kSeq = "\",\"seq\":\"", kTime = "\",\"time\":\"";
    if (!line.starts_with(kMark) || !line.substr(kMark.size()).starts_with(kEvent)) return false;
    const std::size_t event_at = kMark.size() + kEvent.size();
    const std::size_t seq_at = line.find(kSeq, event_at);
    if (seq_at == std::string_view::npos) return false;
    const std::size_t host_at = line.rfind(kHost, seq_at);
    const std::size_t time_at = line.find(kTime, seq_at + kSeq.size());
    if (host_at == std::string_view::npos || host_at < event_at ||
        time_at == std::string_view::npos)
      return false;
    out.host = line.substr(host_at + kHost.size(), seq_at - host_at - kHost.size());
    if (out.host.find('\\') != std::string_view::npos) return false;
    const std::size_t from = time_at + kTime.size();
    const auto time = parse_time(line.substr(from, line.find('"', from) - from));
    if (!time) return false;
    out.time = *time;
    out.kind = kind_of(line.substr(event_at, line.find('"', event_at) - event_at));
    return true;
  }

  // `text` holds kMark at `at`; what is behind the event is no part of it.
  LineState behind(std::string_view text, std::size_t at, bool inside_json, ArrivedEvent& out) {
    const std::string_view from = text.substr(at);
    if (!inside_json && from.ends_with('}')) return bytes(from, out);
    const std::string_view object = object_at(from);
    if (object.empty())
      return unreadable("an event without its end: a receiver cut it (rsyslog: maxMessageSize)");
    return bytes(object, out);
  }

  // A line of a receiver that begins with '{' and is no event of ours itself.
  LineState wrapped(std::string_view line, ArrivedEvent& out) {
    const bool elastic = line.find(kSource) != std::string_view::npos;
    out.form = elastic ? LineForm::kElastic : LineForm::kJson;
    // First, since an alert of a count has copies of earlier events in previous_output.
    if (const auto full = line.find(kFullLog); full != std::string_view::npos) {
      if (!elastic) out.form = LineForm::kWazuh;
      const LineState state = quoted(line.substr(full + kFullLog.size()), out);
      return state == LineState::kForeign ? members(line, out) : state;
    }
    if (const auto at = line.find(kMark); at != std::string_view::npos)
      return behind(line, at, true, out);
    if (const auto at = line.find(kEscapedMark); at != std::string_view::npos) {
      // First, since a command in an event that was taken apart may hold what looks like an event.
      if (const LineState state = members(line, out); state != LineState::kForeign) return state;
      // The string that it stands in begins at the last quote that is not escaped.
      std::size_t quote = line.rfind('"', at);
      while (quote != std::string_view::npos && quote > 0 && line[quote - 1] == '\\')
        quote = line.rfind('"', quote - 1);
      if (quote == std::string_view::npos) return LineState::kForeign;
      return quoted(line.substr(quote + 1), out);
    }
    return members(line, out);
  }

  LineState quoted(std::string_view text, ArrivedEvent& out) {
    if (!unescape(text, unescaped)) return unreadable("a string without its end: the line was cut");
    const std::size_t at = unescaped.find(kMark);
    if (at == std::string::npos) return LineState::kForeign;
    return behind(unescaped, at, false, out);
  }

  // ---- events that were taken apart

  LineState members(std::string_view line, ArrivedEvent& out) {
    const auto root = document.parse(line);
    if (!root)
      return unreadable("a line that names lilith and is no JSON: " + root.error().message);
    const View from = document_of(*root);
    if (const auto data = from.find("data"); data && data->find("lilith")) {
      if (out.form == LineForm::kJson) out.form = LineForm::kWazuh;
      return linked(text_at(*data, {"chain"}, "id"), text_at(*data, {"chain"}, "prev"),
                    text_at(*data, {"chain"}, "hash"), text_at(*data, {"lilith"}, "seq"),
                    text_at(*data, {"lilith"}, "host"), text_at(*data, {"lilith"}, "time"),
                    text_at(*data, {"lilith"}, "event"), out);
    }
    const LineForm around =
        std::exchange(out.form, out.form == LineForm::kJson ? LineForm::kNdjson : out.form);
    if (const auto chain = text_at(from, {"labels"}, "lilith_chain_id"); !chain.empty()) {
      const LineState state = linked(
          chain, text_at(from, {"labels"}, "lilith_chain_prev"), text_at(from, {"event"}, "hash"),
          std::to_string(number_at(from, "event", "sequence")), text_at(from, {"host"}, "name"),
          from.text("@timestamp"), text_at(from, {"event"}, "action"), out);
      return with_original(text_at(from, {"event"}, "original"), state, out);
    }
    if (text_at(from, {"metadata", "product"}, "name") == kWord) return ocsf(from, out);
    out.form = around;
    return LineState::kForeign;
  }

  LineState ocsf(View from, ArrivedEvent& out) {
    const auto list = from.find("attestation_list");
    std::string_view id, prev, hash;
    if (list && list->is_array()) {
      list->each_element([&](View one) {
        id = one.text("chain_uid");
        hash = text_at(one, {"fingerprint"}, "value");
        prev = text_at(one, {"prev_event", "fingerprint"}, "value");
        return false;
      });
    }
    const LineState state =
        linked(id, prev, hash, std::to_string(number_at(from, "metadata", "sequence")),
               text_at(from, {"device"}, "hostname"), text_at(from, {"metadata"}, "original_time"),
               text_at(from, {"metadata"}, "event_code"), out);
    return with_original(from.text("raw_data"), state, out);
  }

  // `original`: the event's own bytes, which our shipper puts beside the members of some kinds.
  // What others put there is no matter.
  LineState with_original(std::string_view original, LineState state, ArrivedEvent& out) {
    if (state != LineState::kLinked || !original.starts_with(kMark)) return state;
    ArrivedEvent whole;
    const LineState opened = bytes(original, whole);
    if (opened == LineState::kUnreadable) return opened;
    const bool same = whole.chain_id == out.chain_id && whole.host == out.host &&
                      whole.seq == out.seq && whole.prev == out.prev && whole.hash == out.hash &&
                      whole.kind == out.kind && !whole.added_to;
    if (opened != LineState::kWhole || !same) return LineState::kAltered;
    whole.form = out.form;
    whole.taken_apart = true;
    out = whole;
    return LineState::kWhole;
  }

  // ECS or OCSF behind a header of syslog.
  LineState members_behind(std::string_view line, ArrivedEvent& out) {
    const bool ecs = line.find(kEcsSign) != std::string_view::npos;
    if (!ecs && line.find(kOcsfSign) == std::string_view::npos) return LineState::kForeign;
    const auto at = line.find(ecs ? kEcsBegin : kOcsfBegin);
    if (at == std::string_view::npos) return LineState::kForeign;
    out.form = LineForm::kSyslog;
    return members(line.substr(at), out);
  }

  LineState linked(std::string_view id, std::string_view prev, std::string_view hash,
                   std::string_view seq, std::string_view from_host, std::string_view time,
                   std::string_view event, ArrivedEvent& out) {
    const auto prev_digest = chain_digest(prev), hash_digest = chain_digest(hash);
    const auto when = parse_time(time);
    const auto [end, error] = std::from_chars(seq.data(), seq.data() + seq.size(), out.seq);
    const bool number = error == std::errc{} && end == seq.data() + seq.size() && out.seq > 0 &&
                        out.seq <= INT64_MAX;
    if (id.empty() || !prev_digest || !hash_digest || !number || !when)
      return unreadable("an event without its chain members: nothing can be said of it");
    out.chain_id = id;
    out.host = from_host;
    out.prev = *prev_digest;
    out.hash = *hash_digest;
    out.genesis = prev == kGenesis;
    out.time = *when;
    out.kind = kind_of(event);
    out.taken_apart = true;
    return LineState::kLinked;
  }
};

LineOpener::LineOpener() : impl_(std::make_unique<Impl>()) {}
LineOpener::~LineOpener() = default;

LineState LineOpener::open(std::string_view line, ArrivedEvent& out) {
  out = {};
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  if (line.starts_with(kBegin)) return impl_->bytes(line, out);
  if (line.find(kWord) == std::string_view::npos) return LineState::kForeign;
  if (line.starts_with("{")) return impl_->wrapped(line, out);
  if (const auto at = line.find(kMark); at != std::string_view::npos) {
    out.form = LineForm::kSyslog;
    return impl_->behind(line, at, false, out);
  }
  return impl_->members_behind(line, out);
}

const std::string& LineOpener::why() const { return impl_->why; }

}  // namespace lilith::audit
