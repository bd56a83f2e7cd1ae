#include "audit/codec.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/codec_view.hpp"
#include "audit/json/writer.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <vector>

namespace lilith::audit {
namespace {

// Wazuh prints integers beyond 32 bits as floats, so larger ones travel as strings (facts in
// docs/event.md).
constexpr std::int64_t kPlainIntegerMax = std::numeric_limits<std::int32_t>::max();
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// ---- writing

// `^ *\[` : such a value would turn into an array in a Wazuh alert and change the type in its
// index.
bool looks_like_array(std::string_view text) {
  const std::size_t at = text.find_first_not_of(' ');
  return at != std::string_view::npos && text[at] == '[';
}

// The members of one object, empty ones left out, with what this version does not know at the end.
class ObjectWriter {
 public:
  ObjectWriter(json::Writer& writer, const Event& event) : writer_(writer), event_(event) {}

  void text(std::string_view key, std::string_view value) {
    writer_.key(key);
    string(value);
  }
  void text_if(std::string_view key, std::string_view value) {
    if (!value.empty()) text(key, value);
  }
  void number(std::string_view key, std::int64_t value) {
    writer_.key(key);
    if (value > kPlainIntegerMax || value < -kPlainIntegerMax) {
      writer_.value(std::to_string(value));
    } else {
      writer_.value(value);
    }
  }
  void number_if(std::string_view key, std::int64_t value, std::int64_t absent = 0) {
    if (value != absent) number(key, value);
  }
  void list_if(std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    writer_.key(key).begin_array();
    for (const std::string& value : values) string(value);
    writer_.end_array();
  }
  // {key: {...}} by `body`, unless body writes nothing.
  template <class Body>
  void object(std::string_view key, std::string_view path, bool wanted, Body body) {
    if (!wanted && unknown_of(path).empty()) return;
    writer_.key(key).begin_object();
    body();
    unknown(path);
    writer_.end_object();
  }
  void unknown(std::string_view path) {
    if (const std::string_view raw = unknown_of(path); !raw.empty()) writer_.raw(raw);
  }

 private:
  void string(std::string_view value) {
    if (!looks_like_array(value)) {
      writer_.value(value);
      return;
    }
    guarded_.assign(1, ' ');
    guarded_ += value;
    writer_.value(guarded_);
  }
  [[nodiscard]] std::string_view unknown_of(std::string_view path) const {
    for (const auto& [where, raw] : event_.unknown) {
      if (where == path) return raw;
    }
    return {};
  }

  json::Writer& writer_;
  const Event& event_;
  std::string guarded_;
};

bool has_operation(const Operation& op) { return op != Operation{}; }

void write_operation(ObjectWriter& w, const Operation& op) {
  w.text("kind", name(op.kind));
  w.text_if("path", op.path);
  w.text_if("program", op.program);
  w.text_if("command", op.command);
  w.text_if("host", op.host);
  w.number_if("port", op.port);
  w.text_if("protocol", op.protocol);
  w.text_if("url", op.url);
  w.text_if("server", op.server);
  w.text_if("name", op.name);
}

void write_call(ObjectWriter& w, const Call& call) {
  w.text("kind", name(call.kind));
  w.text_if("command", call.command);
  w.list_if("paths", call.paths);
  w.list_if("urls", call.urls);
  w.text_if("arguments", call.arguments);
  w.text_if("undecidable", call.undecidable);
}

void write_facts(ObjectWriter& w, const Facts& facts) {
  w.text_if("home", facts.home);
  std::vector<std::string> paths;
  for (const PathFact& fact : facts.paths) {
    paths.insert(paths.end(), {fact.given, fact.resolved, fact.reason});
  }
  w.list_if("paths", paths);
  w.list_if("trusted_programs", facts.trusted_programs);
}

void write_what_happened(ObjectWriter& w, const Event& e) {
  w.object("process", "lilith.process", true, [&] {
    w.text("key", e.process_key);
    w.number_if("pid", e.process_pid);
    w.text_if("exe", e.process_exe);
  });
  w.text("host", e.host);
  w.text("seq", std::to_string(e.seq));
  w.text("time", format_time(e.time));
  w.text("id", e.id);
  w.text_if("technique", e.technique);
  w.text_if("rule", e.rule);
  w.text_if("reason_code", e.reason_code);
  w.text_if("reason", e.reason);
  w.object("policy", "lilith.policy", !e.policy_sha256.empty() || e.policy_line != 0, [&] {
    w.text_if("sha256", e.policy_sha256);
    w.number_if("line", e.policy_line);
  });
  const bool has_agent = !e.agent.empty() || !e.session.empty() || !e.hook.empty() ||
                         !e.call_id.empty() || !e.child.empty();
  w.object("agent", "lilith.agent", has_agent, [&] {
    w.text_if("name", e.agent);
    w.text_if("session", e.session);
    w.text_if("hook", e.hook);
    w.text_if("call", e.call_id);
    w.text_if("child", e.child);
  });
  w.text_if("user", e.facts.user);
  w.number_if("uid", e.facts.uid, -1);
  w.object("tool", "lilith.tool", !e.tool.empty() || !e.server.empty(), [&] {
    w.text_if("name", e.tool);
    w.text_if("server", e.server);
  });
}

void write_what_was_asked(ObjectWriter& w, json::Writer& writer, const Event& e) {
  w.object("operation", "lilith.operation", has_operation(e.operation),
           [&] { write_operation(w, e.operation); });
  w.number_if("operations", e.operations);
  w.list_if("also", e.also);
  w.object("call", "lilith.call", e.call != Call{}, [&] { write_call(w, e.call); });
  const bool has_facts =
      !e.facts.home.empty() || !e.facts.paths.empty() || !e.facts.trusted_programs.empty();
  w.object("facts", "lilith.facts", has_facts, [&] { write_facts(w, e.facts); });
  w.text_if("cwd", e.facts.cwd);
  w.text_if("engine", e.engine);
  w.number_if("decide_us", e.decide_us);
  w.text("via", name(e.via));
  w.object("peer", "lilith.peer", e.peer_pid != 0 || e.peer_uid != -1, [&] {
    w.number_if("pid", e.peer_pid);
    w.number_if("uid", e.peer_uid, -1);
  });
  w.text_if("truncated", e.truncated);
  w.text_if("redacted", e.redacted);
  if (!e.detail.empty()) {
    writer.key("detail").begin_object();
    for (const auto& [key, value] : e.detail) w.text(key, value);
    writer.end_object();
  }
}

std::string write_line(const Event& e) {
  std::string out;
  out.reserve(2048);
  json::Writer writer(out);
  ObjectWriter w(writer, e);
  writer.begin_object();
  writer.key("lilith").begin_object();
  writer.member("schema", kSchema);
  w.text("event", name(e.type));
  w.text_if("decision", name(e.decision));
  w.text("mode", name(e.mode));
  w.text("enforcement", name(e.enforcement));
  write_what_happened(w, e);
  write_what_was_asked(w, writer, e);
  w.unknown("lilith");
  writer.end_object();
  w.text("action", name(e.action));
  w.text("category", name(e.category));
  w.unknown("");
  writer.key("chain").begin_object();
  w.text("id", e.chain_id);
  w.text("prev", e.chain_prev);
  w.unknown("chain");
  w.text("hash", e.chain_hash);
  writer.end_object();
  writer.end_object();
  return out;
}

// ---- cutting

// Visits every value that can come from outside and may therefore be of any size: the member it
// stands in, its place there when that is a list (-1 otherwise), what of that place, and the value.
template <class E, class Visit>
void visit_outside_values(E& e, Visit visit) {
  visit("process.key", -1, "", e.process_key);
  visit("process.exe", -1, "", e.process_exe);
  visit("host", -1, "", e.host);
  visit("id", -1, "", e.id);
  visit("rule", -1, "", e.rule);
  visit("reason", -1, "", e.reason);
  visit("agent.name", -1, "", e.agent);
  visit("agent.session", -1, "", e.session);
  visit("agent.hook", -1, "", e.hook);
  visit("agent.call", -1, "", e.call_id);
  visit("agent.child", -1, "", e.child);
  visit("user", -1, "", e.facts.user);
  visit("tool.name", -1, "", e.tool);
  visit("tool.server", -1, "", e.server);
  visit("operation.path", -1, "", e.operation.path);
  visit("operation.program", -1, "", e.operation.program);
  visit("operation.command", -1, "", e.operation.command);
  visit("operation.host", -1, "", e.operation.host);
  visit("operation.protocol", -1, "", e.operation.protocol);
  visit("operation.url", -1, "", e.operation.url);
  visit("operation.server", -1, "", e.operation.server);
  visit("operation.name", -1, "", e.operation.name);
  visit("call.command", -1, "", e.call.command);
  visit("call.arguments", -1, "", e.call.arguments);
  visit("call.undecidable", -1, "", e.call.undecidable);
  visit("facts.home", -1, "", e.facts.home);
  visit("cwd", -1, "", e.facts.cwd);
  visit("redacted", -1, "", e.redacted);
  const auto visit_list = [&visit](const char* member, auto& values) {
    int at = 0;
    for (auto& value : values) visit(member, at++, "", value);
  };
  visit_list("also", e.also);
  visit_list("call.paths", e.call.paths);
  visit_list("call.urls", e.call.urls);
  visit_list("facts.trusted_programs", e.facts.trusted_programs);
  int at = 0;
  for (auto& fact : e.facts.paths) {
    visit("facts.paths", at, ".given", fact.given);
    visit("facts.paths", at, ".resolved", fact.resolved);
    visit("facts.paths", at++, ".reason", fact.reason);
  }
  for (auto& [key, value] : e.detail) visit("detail.", -1, key.c_str(), value);
}

struct OutsideValue {
  std::string member;
  std::string* value;
};
std::vector<OutsideValue> outside_values(Event& e) {
  std::vector<OutsideValue> out;
  visit_outside_values(e, [&out](const char* member, int at, const char* part, std::string& value) {
    std::string name = member;
    if (at >= 0) name += "[" + std::to_string(at) + "]";
    out.push_back({name + part, &value});
  });
  return out;
}

void note(std::string& list, const std::string& entry) {
  if (!list.empty()) list.push_back(' ');
  list += entry;
}

// Cuts to at most `bytes_max` bytes of UTF-8 and lists the cut with the digest of the whole value.
void cut(Event& e, const OutsideValue& outside, std::size_t bytes_max) {
  std::string& value = *outside.value;
  const bool again = e.truncated.find(outside.member + "=") != std::string::npos;
  if (!again) {
    note(e.truncated,
         outside.member + "=" + std::to_string(value.size()) + ":" + sha256_hex(value));
  }
  value.resize(utf8_prefix(value, bytes_max).size());
}

// What JSON or Wazuh can't carry: NUL (Wazuh cuts the value there) and invalid UTF-8. Listed under
// `redacted`, since the value is no longer what the agent sent.
bool repair(Event& e, const OutsideValue& outside) {
  std::string& value = *outside.value;
  const bool has_nul = value.find('\0') != std::string::npos;
  const bool invalid = !is_valid_utf8(value);
  if (!has_nul && !invalid) return false;
  if (invalid) value = to_valid_utf8(value);
  if (has_nul) {
    std::string repaired;
    for (const char c : value) {
      if (c == '\0') {
        repaired += kReplacement;
      } else {
        repaired.push_back(c);
      }
    }
    value = std::move(repaired);
  }
  note(e.redacted, outside.member + "=" + (has_nul ? "nul" : "invalid_utf8"));
  return true;
}

bool needs_work(const std::string& value) {
  return value.size() > limits::kEventValueBytesMax || value.find('\0') != std::string::npos ||
         !is_valid_utf8(value);
}

// A copy of the event that fits; lists longer than limits::kEventPathsMax lose their tail, listed
// as well.
Event fitting(const Event& event) {
  Event e = event;
  for (auto [member, list] : {std::pair{"call.paths", &e.call.paths},
                              {"call.urls", &e.call.urls},
                              {"also", &e.also},
                              {"facts.trusted_programs", &e.facts.trusted_programs}}) {
    if (list->size() <= limits::kEventPathsMax) continue;
    Sha256 all;
    for (const std::string& value : *list) all.update(value).update(std::string_view("\0", 1));
    note(e.truncated,
         std::string(member) + "=" + std::to_string(list->size()) + "items:" + all.finish_hex());
    list->resize(limits::kEventPathsMax);
  }
  if (e.facts.paths.size() > limits::kEventFactPathsMax) {
    note(e.truncated, "facts.paths=" + std::to_string(e.facts.paths.size()) + "items:");
    e.facts.paths.resize(limits::kEventFactPathsMax);
  }
  auto values = outside_values(e);
  for (const OutsideValue& outside : values) {
    repair(e, outside);
    if (outside.value->size() > limits::kEventValueBytesMax) {
      cut(e, outside, limits::kEventValueBytesMax);
    }
  }
  // Longest first, halved until the line fits: what is short enough to decide by stays whole.
  while (write_line(e).size() + kGenesis.size() > limits::kEventLineBytesMax) {
    const auto longest = std::max_element(values.begin(), values.end(),
                                          [](const OutsideValue& a, const OutsideValue& b) {
                                            return a.value->size() < b.value->size();
                                          });
    if (longest->value->size() < 2) break;
    cut(e, *longest, longest->value->size() / 2);
  }
  return e;
}

// ---- reading

using simdjson::ondemand::field;
using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

class Reader {
 public:
  explicit Reader(Event& event) : e_(event) {}
  Result<void> line(object root);

 private:
  using Status = Result<void>;
  template <class Visit>
  Status members(object from, std::string_view path, Visit visit);
  Status lilith(object from);
  Status lilith_member(std::string_view key, value v, bool& known);
  Status operation(object from);
  Status call(object from);
  Status facts(object from);
  Status chain(object from);
  Status text(value v, std::string_view path, std::string& into);
  Status list(value v, std::string_view path, std::vector<std::string>& into);
  Status number(value v, std::string_view path, std::int64_t& into);
  template <class Enum>
  Status spelled(value v, std::string_view path, std::optional<Enum> (*read)(std::string_view),
                 Enum& into);
  template <class Body>
  Status nested(value v, std::string_view path, Body body);
  // An object whose members `visit` reads one by one.
  template <class Visit>
  Status part(value v, std::string_view path, Visit visit) {
    return nested(v, path, [&](object inner) { return members(inner, path, visit); });
  }
  static std::unexpected<Error> wrong(std::string_view path, std::string_view why) {
    return fail(ErrorCode::kInvalidInput, std::string(path) + ": " + std::string(why));
  }

  Event& e_;
  std::string scratch_;
};

// On-Demand does not look into what nobody asks for: a value that is only kept has to be checked.
bool is_json(std::string_view raw) {
  simdjson::dom::parser parser;
  simdjson::dom::element ignored;
  return parser.parse(raw.data(), raw.size()).get(ignored) == simdjson::SUCCESS;
}

// The raw JSON of a value of any type.
bool raw_json(value v, std::string_view& raw) {
  json_type type{};
  if (v.type().get(type) != simdjson::SUCCESS) return false;
  if (type == json_type::object) {
    object inner;
    if (v.get_object().get(inner) != simdjson::SUCCESS ||
        inner.raw_json().get(raw) != simdjson::SUCCESS) {
      return false;
    }
  } else if (type == json_type::array) {
    simdjson::ondemand::array inner;
    if (v.get_array().get(inner) != simdjson::SUCCESS ||
        inner.raw_json().get(raw) != simdjson::SUCCESS) {
      return false;
    }
  } else {
    raw = v.raw_json_token();
    raw = raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);
  }
  return is_json(raw);
}

template <class Visit>
Result<void> Reader::members(object from, std::string_view path, Visit visit) {
  std::array<std::string_view, 64> seen{};
  std::size_t count = 0;
  for (auto item : from) {
    field f;
    if (std::move(item).get(f) != simdjson::SUCCESS) return wrong(path, "not a JSON object");
    std::string_view key;
    if (f.unescaped_key().get(key) != simdjson::SUCCESS) return wrong(path, "damaged key");
    for (std::size_t i = 0; i < count; ++i) {
      if (seen[i] == key) return wrong(path, "the key '" + std::string(key) + "' stands twice");
    }
    if (count == seen.size()) return wrong(path, "too many members");
    seen[count++] = key;
    bool known = true;
    if (auto status = visit(key, f.value(), known); !status) return status;
    if (known) continue;
    std::string_view raw;
    const std::string name(key);
    if (!raw_json(f.value(), raw)) return wrong(path, "damaged value of '" + name + "'");
    auto at = std::find_if(e_.unknown.begin(), e_.unknown.end(),
                           [&](const auto& entry) { return entry.first == path; });
    if (at == e_.unknown.end()) at = e_.unknown.insert(at, {std::string(path), {}});
    if (!at->second.empty()) at->second.push_back(',');
    json::append_string(at->second, name);
    at->second.push_back(':');
    at->second += raw;
  }
  return {};
}

Result<void> Reader::text(value v, std::string_view path, std::string& into) {
  std::string_view got;
  if (v.get_string().get(got) != simdjson::SUCCESS) return wrong(path, "must be a string");
  if (got.size() > 1 && got.front() == ' ' && looks_like_array(got)) got.remove_prefix(1);
  into.assign(got);
  return {};
}

Result<void> Reader::list(value v, std::string_view path, std::vector<std::string>& into) {
  simdjson::ondemand::array items;
  if (v.get_array().get(items) != simdjson::SUCCESS) return wrong(path, "must be an array");
  for (auto item : items) {
    value one;
    if (std::move(item).get(one) != simdjson::SUCCESS) return wrong(path, "damaged array");
    if (auto status = text(one, path, into.emplace_back()); !status) return status;
  }
  return {};
}

Result<void> Reader::number(value v, std::string_view path, std::int64_t& into) {
  simdjson::ondemand::json_type type;
  if (v.type().get(type) != simdjson::SUCCESS) return wrong(path, "damaged value");
  if (type == json_type::number) {
    if (v.get_int64().get(into) != simdjson::SUCCESS) return wrong(path, "must be an integer");
    return {};
  }
  std::string_view got;
  if (v.get_string().get(got) != simdjson::SUCCESS) return wrong(path, "must be an integer");
  const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), into);
  if (error != std::errc{} || end != got.data() + got.size()) {
    return wrong(path, "must be an integer");
  }
  return {};
}

template <class Enum>
Result<void> Reader::spelled(value v, std::string_view path,
                             std::optional<Enum> (*read)(std::string_view), Enum& into) {
  std::string_view got;
  if (v.get_string().get(got) != simdjson::SUCCESS) return wrong(path, "must be a string");
  const auto known = read(got);
  if (!known) return wrong(path, "'" + printable(got) + "' is not a spelling of schema 1");
  into = *known;
  return {};
}

template <class Body>
Result<void> Reader::nested(value v, std::string_view path, Body body) {
  object inner;
  if (v.get_object().get(inner) != simdjson::SUCCESS) return wrong(path, "must be an object");
  return body(inner);
}

Result<void> Reader::operation(object from) {
  Operation& op = e_.operation;
  return members(from, "lilith.operation",
                 [&](std::string_view key, value v, bool& known) -> Status {
                   if (key == "kind")
                     return spelled(v, "lilith.operation.kind", &operation_kind, op.kind);
                   if (key == "path") return text(v, "lilith.operation.path", op.path);
                   if (key == "program") return text(v, "lilith.operation.program", op.program);
                   if (key == "command") return text(v, "lilith.operation.command", op.command);
                   if (key == "host") return text(v, "lilith.operation.host", op.host);
                   if (key == "protocol") return text(v, "lilith.operation.protocol", op.protocol);
                   if (key == "url") return text(v, "lilith.operation.url", op.url);
                   if (key == "server") return text(v, "lilith.operation.server", op.server);
                   if (key == "name") return text(v, "lilith.operation.name", op.name);
                   if (key == "port") {
                     std::int64_t port = 0;
                     if (auto status = number(v, "lilith.operation.port", port); !status)
                       return status;
                     if (port < 0 || port > 65535)
                       return wrong("lilith.operation.port", "out of range");
                     op.port = static_cast<int>(port);
                     return {};
                   }
                   known = false;
                   return {};
                 });
}

Result<void> Reader::call(object from) {
  Call& call = e_.call;
  return members(from, "lilith.call", [&](std::string_view key, value v, bool& known) -> Status {
    if (key == "kind") return spelled(v, "lilith.call.kind", &operation_kind, call.kind);
    if (key == "command") return text(v, "lilith.call.command", call.command);
    if (key == "paths") return list(v, "lilith.call.paths", call.paths);
    if (key == "urls") return list(v, "lilith.call.urls", call.urls);
    if (key == "arguments") return text(v, "lilith.call.arguments", call.arguments);
    if (key == "undecidable") return text(v, "lilith.call.undecidable", call.undecidable);
    known = false;
    return {};
  });
}

Result<void> Reader::facts(object from) {
  Facts& facts = e_.facts;
  return members(from, "lilith.facts", [&](std::string_view key, value v, bool& known) -> Status {
    if (key == "home") return text(v, "lilith.facts.home", facts.home);
    if (key == "trusted_programs") {
      return list(v, "lilith.facts.trusted_programs", facts.trusted_programs);
    }
    if (key == "paths") {
      std::vector<std::string> flat;
      if (auto status = list(v, "lilith.facts.paths", flat); !status) return status;
      if (flat.size() % 3 != 0) return wrong("lilith.facts.paths", "must be triples");
      for (std::size_t i = 0; i < flat.size(); i += 3) {
        facts.paths.push_back({std::move(flat[i]), std::move(flat[i + 1]), std::move(flat[i + 2])});
      }
      return {};
    }
    known = false;
    return {};
  });
}

Result<void> Reader::chain(object from) {
  return members(from, "chain", [&](std::string_view key, value v, bool& known) -> Status {
    if (key == "id") return text(v, "chain.id", e_.chain_id);
    if (key == "prev") return text(v, "chain.prev", e_.chain_prev);
    if (key == "hash") return text(v, "chain.hash", e_.chain_hash);
    known = false;
    return {};
  });
}

// The object members of `lilith`; its scalars are in lilith_member.
Result<void> Reader::lilith(object from) {
  return members(from, "lilith", [&](std::string_view key, value v, bool& known) -> Status {
    if (key == "process")
      return part(v, "lilith.process", [&](std::string_view k, value x, bool& is_known) -> Status {
        if (k == "key") return text(x, "lilith.process.key", e_.process_key);
        if (k == "pid") return number(x, "lilith.process.pid", e_.process_pid);
        if (k == "exe") return text(x, "lilith.process.exe", e_.process_exe);
        is_known = false;
        return {};
      });
    if (key == "policy")
      return part(v, "lilith.policy", [&](std::string_view k, value x, bool& is_known) -> Status {
        if (k == "sha256") return text(x, "lilith.policy.sha256", e_.policy_sha256);
        if (k == "line") {
          std::int64_t line = 0;
          auto status = number(x, "lilith.policy.line", line);
          e_.policy_line = static_cast<int>(line);
          return status;
        }
        is_known = false;
        return {};
      });
    if (key == "agent")
      return part(v, "lilith.agent", [&](std::string_view k, value x, bool& is_known) -> Status {
        if (k == "name") return text(x, "lilith.agent.name", e_.agent);
        if (k == "session") return text(x, "lilith.agent.session", e_.session);
        if (k == "hook") return text(x, "lilith.agent.hook", e_.hook);
        if (k == "call") return text(x, "lilith.agent.call", e_.call_id);
        if (k == "child") return text(x, "lilith.agent.child", e_.child);
        is_known = false;
        return {};
      });
    if (key == "tool")
      return part(v, "lilith.tool", [&](std::string_view k, value x, bool& is_known) -> Status {
        if (k == "name") return text(x, "lilith.tool.name", e_.tool);
        if (k == "server") return text(x, "lilith.tool.server", e_.server);
        is_known = false;
        return {};
      });
    if (key == "peer")
      return part(v, "lilith.peer", [&](std::string_view k, value x, bool& is_known) -> Status {
        if (k == "pid") return number(x, "lilith.peer.pid", e_.peer_pid);
        if (k == "uid") return number(x, "lilith.peer.uid", e_.peer_uid);
        is_known = false;
        return {};
      });
    if (key == "detail")
      return part(v, "lilith.detail", [&](std::string_view k, value x, bool&) -> Status {
        auto& entry = e_.detail.emplace_back(std::string(k), std::string());
        return text(x, "lilith.detail", entry.second);
      });
    if (key == "operation") {
      return nested(v, "lilith.operation", [&](object inner) { return operation(inner); });
    }
    if (key == "call") return nested(v, "lilith.call", [&](object inner) { return call(inner); });
    if (key == "facts")
      return nested(v, "lilith.facts", [&](object inner) { return facts(inner); });
    return lilith_member(key, v, known);
  });
}

Result<void> Reader::lilith_member(std::string_view key, value v, bool& known) {
  if (key == "schema") {
    std::int64_t schema = 0;
    if (v.get_int64().get(schema) != simdjson::SUCCESS || schema != kSchema) {
      return wrong("lilith.schema", "this program reads schema 1 only");
    }
    return {};
  }
  if (key == "event") return spelled(v, "lilith.event", &event_type, e_.type);
  if (key == "decision") return spelled(v, "lilith.decision", &verdict, e_.decision);
  if (key == "mode") return spelled(v, "lilith.mode", &mode, e_.mode);
  if (key == "enforcement") return spelled(v, "lilith.enforcement", &enforcement, e_.enforcement);
  if (key == "via") return spelled(v, "lilith.via", &via, e_.via);
  if (key == "host") return text(v, "lilith.host", e_.host);
  if (key == "id") return text(v, "lilith.id", e_.id);
  if (key == "technique") return text(v, "lilith.technique", e_.technique);
  if (key == "rule") return text(v, "lilith.rule", e_.rule);
  if (key == "reason_code") return text(v, "lilith.reason_code", e_.reason_code);
  if (key == "reason") return text(v, "lilith.reason", e_.reason);
  if (key == "user") return text(v, "lilith.user", e_.facts.user);
  if (key == "uid") return number(v, "lilith.uid", e_.facts.uid);
  if (key == "also") return list(v, "lilith.also", e_.also);
  if (key == "cwd") return text(v, "lilith.cwd", e_.facts.cwd);
  if (key == "engine") return text(v, "lilith.engine", e_.engine);
  if (key == "decide_us") return number(v, "lilith.decide_us", e_.decide_us);
  if (key == "truncated") return text(v, "lilith.truncated", e_.truncated);
  if (key == "redacted") return text(v, "lilith.redacted", e_.redacted);
  if (key == "time") {
    if (auto status = text(v, "lilith.time", scratch_); !status) return status;
    const auto time = parse_time(scratch_);
    if (!time) return wrong("lilith.time", time.error().message);
    e_.time = *time;
    return {};
  }
  if (key == "seq" || key == "operations") {
    const bool is_seq = key == "seq";
    std::int64_t number_read = 0;
    const std::string_view path = is_seq ? "lilith.seq" : "lilith.operations";
    if (auto status = number(v, path, number_read); !status) return status;
    if (number_read < 0) return wrong(path, "must not be negative");
    if (is_seq) {
      e_.seq = static_cast<std::uint64_t>(number_read);
    } else {
      e_.operations = static_cast<std::uint32_t>(number_read);
    }
    return {};
  }
  known = false;
  return {};
}

Result<void> Reader::line(object root) {
  bool has_lilith = false, has_chain = false;
  auto status = members(root, "", [&](std::string_view key, value v, bool& known) -> Status {
    if (key == "lilith") {
      has_lilith = true;
      return nested(v, "lilith", [&](object inner) { return lilith(inner); });
    }
    if (key == "action") return spelled(v, "action", &action, e_.action);
    if (key == "category") return spelled(v, "category", &category, e_.category);
    if (key == "chain") {
      has_chain = true;
      return nested(v, "chain", [&](object inner) { return chain(inner); });
    }
    known = false;
    return {};
  });
  if (!status) return status;
  if (!has_lilith) return wrong("lilith", "is missing: not an event of ours");
  if (!has_chain) return wrong("chain", "is missing");
  return {};
}

// Empties an event but keeps the memory of its strings.
void reset(Event& e) {
  for (std::string* text : {&e.process_key,
                            &e.process_exe,
                            &e.host,
                            &e.id,
                            &e.technique,
                            &e.rule,
                            &e.reason_code,
                            &e.reason,
                            &e.policy_sha256,
                            &e.agent,
                            &e.session,
                            &e.hook,
                            &e.call_id,
                            &e.child,
                            &e.tool,
                            &e.server,
                            &e.operation.path,
                            &e.operation.program,
                            &e.operation.command,
                            &e.operation.host,
                            &e.operation.protocol,
                            &e.operation.url,
                            &e.operation.server,
                            &e.operation.name,
                            &e.call.command,
                            &e.call.arguments,
                            &e.call.undecidable,
                            &e.facts.user,
                            &e.facts.home,
                            &e.facts.cwd,
                            &e.engine,
                            &e.truncated,
                            &e.redacted,
                            &e.chain_id,
                            &e.chain_prev,
                            &e.chain_hash}) {
    text->clear();
  }
  e.type = EventType::kDecision;
  e.decision = Verdict::kNone;
  e.mode = Mode::kEnforce;
  e.enforcement = Enforcement::kAdvisory;
  e.process_pid = e.decide_us = e.peer_pid = 0;
  e.peer_uid = e.facts.uid = -1;
  e.seq = 0;
  e.time = {};
  e.policy_line = e.operation.port = 0;
  e.operation.kind = e.call.kind = OperationKind::kOther;
  e.operations = 0;
  e.also.clear();
  e.call.paths.clear();
  e.call.urls.clear();
  e.facts.paths.clear();
  e.facts.trusted_programs.clear();
  e.via = Via::kDirect;
  e.detail.clear();
  e.action = Action::kNone;
  e.category = Category::kToolInvocation;
  e.unknown.clear();
}

// ---- chain

// Without a branch for each character: whoever reads millions of lines asks twice a line.
bool is_hash(std::string_view text) {
  if (text.size() != kGenesis.size()) return false;
  unsigned wrong = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_digit = static_cast<unsigned char>(byte - '0') < 10;
    const bool is_letter = static_cast<unsigned char>(byte - 'a') < 6;
    wrong |= static_cast<unsigned>(!(is_digit || is_letter));
  }
  return wrong == 0;
}

}  // namespace

std::string encode(const Event& event) {
  std::string line = write_line(event);
  bool fits = line.size() + kGenesis.size() <= limits::kEventLineBytesMax &&
              event.call.paths.size() <= limits::kEventPathsMax &&
              event.call.urls.size() <= limits::kEventPathsMax &&
              event.also.size() <= limits::kEventPathsMax &&
              event.facts.trusted_programs.size() <= limits::kEventPathsMax &&
              event.facts.paths.size() <= limits::kEventFactPathsMax;
  visit_outside_values(event, [&fits](const char*, int, const char*, const std::string& value) {
    fits = fits && !needs_work(value);
  });
  return fits ? line : write_line(fitting(event));
}

struct Decoder::Impl {
  LineView view;
  simdjson::ondemand::parser parser;
  std::string padded;
};

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Result<void> Decoder::decode(std::string_view line, Event& event) {
  if (view_line(line, impl_->view)) {
    to_event(impl_->view, event);
    return {};
  }
  // Another layout, or no event: read member by member, and say what is wrong.
  reset(event);
  if (line.size() > limits::kReaderLineBytesMax) {
    return fail(ErrorCode::kLimitExceeded, "line of " + std::to_string(line.size()) + " bytes");
  }
  // On-Demand checks only what it walks over; the whole line must be UTF-8 all the same.
  if (!simdjson::validate_utf8(line)) return fail(ErrorCode::kInvalidInput, "invalid UTF-8");
  std::string& padded = impl_->padded;
  if (padded.size() < line.size() + simdjson::SIMDJSON_PADDING) {
    padded.resize(line.size() + simdjson::SIMDJSON_PADDING);
  }
  std::memcpy(padded.data(), line.data(), line.size());
  std::memset(padded.data() + line.size(), 0, simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::document document;
  object root;
  if (impl_->parser.iterate(padded.data(), line.size(), padded.size()).get(document) !=
          simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS) {
    return fail(ErrorCode::kInvalidInput, "not a JSON object");
  }
  if (auto status = Reader(event).line(root); !status) return status;
  if (const char* rest = nullptr; document.current_location().get(rest) == simdjson::SUCCESS) {
    return fail(ErrorCode::kInvalidInput, "text after the JSON object");
  }
  return {};
}

Result<Event> decode(std::string_view line) {
  Decoder decoder;
  Event event;
  if (auto status = decoder.decode(line, event); !status) return pass_error(status);
  return event;
}

std::string chain_hash(std::string_view prev_hex, std::string_view line_with_empty_hash) {
  return Sha256()
      .update(prev_hex)
      .update(std::string_view("\0", 1))
      .update(line_with_empty_hash)
      .finish_hex();
}

Result<ChainFields> chain_fields(std::string_view line) {
  // Our own layout, from the end: "chain":{"id":"..","prev":"<64>","hash":"<64>"}}. Taken only when
  // the id holds no quote or backslash, so that no outside string can look like it: inside a string
  // the quotes would be escaped.
  constexpr std::string_view kTail = "\"}}", kHash = "\",\"hash\":\"", kPrev = "\",\"prev\":\"",
                             kHead = ",\"chain\":{\"id\":\"", kSeq = "\",\"seq\":\"";
  constexpr std::size_t kIdBytesMax = 64;
  ChainFields fields;
  const auto bad = [](const char* why) {
    return fail(ErrorCode::kInvalidInput, std::string("no chain in this line: ") + why);
  };
  const std::size_t fixed = kHash.size() + kPrev.size() + 2 * kGenesis.size() + kTail.size();
  if (line.size() > fixed + kHead.size() && line.ends_with(kTail)) {
    const std::size_t hash_at = line.size() - kTail.size() - kGenesis.size();
    const std::size_t prev_at = hash_at - kHash.size() - kGenesis.size();
    const std::size_t id_end = prev_at - kPrev.size();
    const std::string_view before = line.substr(0, id_end);
    const std::size_t id_at = before.rfind('"') + 1;
    fields = {line.substr(id_at, id_end - id_at), line.substr(prev_at, kGenesis.size()),
              line.substr(hash_at, kGenesis.size()), 0, hash_at};
    const std::size_t seq_at = line.find(kSeq);
    if (line.substr(hash_at - kHash.size(), kHash.size()) == kHash &&
        line.substr(id_end, kPrev.size()) == kPrev && is_hash(fields.hash) &&
        is_hash(fields.prev) && before.substr(0, id_at).ends_with(kHead) &&
        fields.id.size() <= kIdBytesMax && fields.id.find('\\') == std::string_view::npos &&
        seq_at != std::string_view::npos) {
      const char* const from = line.data() + seq_at + kSeq.size();
      const auto [end, error] = std::from_chars(from, line.data() + line.size(), fields.seq);
      if (error == std::errc{} && end != line.data() + line.size() && *end == '"') return fields;
    }
  }
  // Another spelling of the same members (a later version, another writer): read it in full.
  auto event = decode(line);
  if (!event) return bad(event.error().message.c_str());
  if (!is_hash(event->chain_hash)) return bad("chain.hash is not 64 hexadecimal characters");
  if (!is_hash(event->chain_prev)) return bad("chain.prev is not 64 hexadecimal characters");
  const std::string_view id_text = event->chain_id, prev_text = event->chain_prev,
                         hash_text = event->chain_hash;
  fields.hash_at = line.rfind(hash_text);
  const std::size_t id_at = line.rfind(id_text), prev_at = line.rfind(prev_text);
  if (fields.hash_at == std::string_view::npos || id_at == std::string_view::npos ||
      prev_at == std::string_view::npos) {
    return bad("escaped characters in the chain");
  }
  fields.id = line.substr(id_at, id_text.size());
  fields.prev = line.substr(prev_at, prev_text.size());
  fields.hash = line.substr(fields.hash_at, hash_text.size());
  fields.seq = event->seq;
  return fields;
}

}  // namespace lilith::audit
