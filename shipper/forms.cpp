#include "shipper/forms.hpp"

#include "audit/json/writer.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netinet/in.h>

namespace lilith::shipper {
namespace {

using audit::Action;
using audit::Category;
using audit::EventType;
using audit::LineView;
using audit::OperationKind;

// What a form puts around the values of a line is less; what does not fit is written again into
// twice the room.
constexpr std::size_t kFormBytes = 4096;
constexpr std::size_t kTimeBytes = 27;  // 2026-11-24T00:20:42.831204Z

// Writes members, each with a comma behind it, which the end of their object takes back. The names
// and values that never change are literals of JSON; the texts of a line's view are JSON already
// and are copied as they stand. Beyond its end nothing is written; full() says that it was needed.
class Members {
 public:
  Members(char* from, std::size_t size) : at_(from), end_(from + size) {}

  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] const char* at() const { return at_; }

  template <std::size_t N>
  Members& put(const char (&json)[N]) {
    copy(json, N - 1);
    return *this;
  }
  Members& put(std::string_view json) {
    copy(json.data(), json.size());
    return *this;
  }
  // As a JSON string, for the few that need one made.
  Members& quoted(std::string_view bytes) {
    std::string json;
    json::append_string(json, bytes);
    return put(json);
  }
  Members& number(std::int64_t value) { return digits(value); }
  Members& number(std::uint64_t value) { return digits(value); }
  // `name` is the member's name with all that stands before the text: "\"name\":\"".
  template <std::size_t N>
  Members& text(const char (&name)[N], std::string_view json) {
    return put(name).put(audit::without_guard(json)).put("\",");
  }
  // A member only when there is something to say.
  template <std::size_t N>
  Members& text_if(const char (&name)[N], std::string_view json) {
    return json.empty() ? *this : text(name, json);
  }
  template <std::size_t N>
  Members& number(const char (&name)[N], std::int64_t value) {
    return put(name).number(value).put(",");
  }
  // Ends an object.
  Members& close() {
    if (!full_ && at_[-1] == ',') --at_;
    return put("},");
  }

 private:
  void copy(const char* bytes, std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) {
      full_ = true;
      return;
    }
    at_ = std::copy_n(bytes, size, at_);  // no bytes at no address, too
  }
  template <class Number>
  Members& digits(Number value) {
    std::array<char, 24> text{};
    char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return put(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())));
  }

  char* at_;
  char* const end_;
  bool full_ = false;
};

bool is_address(std::string_view host) {
  std::array<char, INET6_ADDRSTRLEN + 1> text{};
  if (host.empty() || host.size() >= text.size()) return false;
  std::memcpy(text.data(), host.data(), host.size());
  in6_addr buffer{};
  return ::inet_pton(AF_INET, text.data(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, text.data(), &buffer) == 1;
}

// The time as this program writes it, which is how nearly every line has it already.
void put_time(Members& out, const LineView& event) {
  const std::string_view text = event.time_text;
  if (text.size() == kTimeBytes && text[10] == 'T' && text[19] == '.' && text[17] != '6' &&
      text.back() == 'Z') {
    out.put(text);
  } else {
    out.put(std::string_view(format_time(event.time)));
  }
}

std::string_view target_path(const LineView& event) {
  const OperationKind kind = event.operation_kind;
  const bool file = kind == OperationKind::kReadFile || kind == OperationKind::kWriteFile;
  return file ? event.operation_path : std::string_view();
}

std::string_view target_command(const LineView& event) {
  return event.call_command.empty() ? event.operation_command : event.call_command;
}

// `prefix`: what stands before each key, with its quote.
template <std::size_t N>
void put_detail(Members& out, const char (&prefix)[N], const LineView& event) {
  std::string_view key, value;
  for (std::string_view rest = event.detail; audit::next_detail(rest, key, value);)
    out.put(prefix).put(key).text("\":\"", value);
}

// Of these kinds `lilith verify --arrived` acts on the content, which only the bytes that were
// hashed prove; they are few.
bool carries_original(const LineView& event) {
  return event.type == EventType::kWithheld || event.type == EventType::kHeartbeat;
}

// ---- Elastic Common Schema

constexpr std::string_view kEcsVersion = "9.5.0-dev";

std::string_view ecs_category(const LineView& event) {
  switch (event.category) {
    case Category::kEgress:
      return "network";
    case Category::kPolicy:
    case Category::kIntegrity:
      return "configuration";
    case Category::kInventory:
    case Category::kHealth:
      return "host";
    case Category::kToolInvocation:
      break;
  }
  switch (event.operation_kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      return "file";
    case OperationKind::kRunCommand:
      return "process";
    case OperationKind::kEgress:
      return "network";
    case OperationKind::kMcpTool:
    case OperationKind::kOther:
      break;
  }
  return "api";
}

std::string_view ecs_type(Action action) {
  switch (action) {
    case Action::kAllowed:
      return "allowed";
    case Action::kDenied:
      return "denied";
    case Action::kError:
      return "error";
    case Action::kWouldDeny:
    case Action::kRecorded:
    case Action::kNone:
      break;
  }
  return "info";
}

std::string_view ecs_outcome(const LineView& event) {
  if (event.decision == audit::Verdict::kAllow) return "success";
  return event.decision == audit::Verdict::kDeny ? "failure" : "unknown";
}

void ecs_event(Members& out, const LineView& event, std::string_view line) {
  out.put(event.action == Action::kDenied ? std::string_view("\"event\":{\"kind\":\"alert\",")
                                          : std::string_view("\"event\":{\"kind\":\"event\","));
  out.put("\"category\":[\"").put(ecs_category(event)).put("\"],\"type\":[\"");
  out.put(ecs_type(event.action)).put("\"],\"action\":\"").put(audit::name(event.type));
  out.put("\",\"outcome\":\"").put(ecs_outcome(event));
  out.put("\",\"module\":\"lilith\",\"dataset\":\"lilith.audit\",");
  out.text_if("\"id\":\"", event.id);
  out.put("\"sequence\":").number(event.seq).put(",");
  out.text_if("\"reason\":\"", event.reason).text_if("\"code\":\"", event.reason_code);
  if (event.decide_us > 0) out.number("\"duration\":", event.decide_us * 1000);
  out.text_if("\"hash\":\"", event.chain_hash);
  if (carries_original(event)) out.put("\"original\":").quoted(line).put(",");
  out.close();
}

void ecs_target(Members& out, const LineView& event) {
  if (const auto path = target_path(event); !path.empty())
    out.text("\"file\":{\"path\":\"", path).close();
  if (event.operation_kind != OperationKind::kEgress) return;
  const std::string_view host = event.operation_host;
  out.put("\"destination\":{").text_if("\"address\":\"", host);
  if (is_address(host)) {
    out.text("\"ip\":\"", host);
  } else {
    out.text_if("\"domain\":\"", host);
  }
  if (event.operation_port > 0) out.number("\"port\":", event.operation_port);
  out.close();
  if (!event.operation_protocol.empty())
    out.text("\"network\":{\"protocol\":\"", event.operation_protocol).close();
  if (!event.operation_url.empty()) out.text("\"url\":{\"full\":\"", event.operation_url).close();
}

// `id`: how the form names the user's number.
template <std::size_t N>
void put_user(Members& out, const LineView& event, const char (&id)[N]) {
  if (event.user.empty() && event.uid < 0) return;
  out.put("\"user\":{").text_if("\"name\":\"", event.user);
  if (event.uid >= 0) out.put(id).number(event.uid).put("\",");
  out.close();
}

void ecs_who(Members& out, const LineView& event) {
  out.text("\"host\":{\"name\":\"", event.host).close();
  out.text("\"process\":{\"entity_id\":\"", event.process_key);
  if (event.process_pid > 0) out.number("\"pid\":", event.process_pid);
  out.text_if("\"executable\":\"", event.process_exe).close();
  put_user(out, event, "\"id\":\"");
  if (!event.agent.empty()) out.text("\"service\":{\"type\":\"", event.agent).close();
  if (!event.tool.empty()) {
    out.text("\"gen_ai\":{\"tool\":{\"name\":\"", event.tool);
    if (!event.call_id.empty()) out.text("\"call\":{\"id\":\"", event.call_id).close();
    out.close().close();
  }
}

// `line`: the bytes of `event` in the log.
void write_ecs(Members& out, const LineView& event, std::string_view line) {
  put_time(out.put("{\"@timestamp\":\""), event);
  out.put("\",\"ecs\":{\"version\":\"").put(kEcsVersion).put("\"},");
  ecs_event(out, event, line);
  ecs_who(out, event);
  ecs_target(out, event);
  if (!event.rule.empty() || !event.policy_sha256.empty()) {
    out.put("\"rule\":{").text_if("\"id\":\"", event.rule);
    out.text_if("\"ruleset\":\"", event.policy_sha256).close();
  }
  if (!event.technique.empty()) {
    out.put("\"threat\":{\"framework\":\"MITRE ATT&CK\",\"technique\":{\"id\":[\"");
    out.put(audit::without_guard(event.technique)).put("\"]}},");
  }
  out.put("\"labels\":{\"lilith_action\":\"").put(audit::name(event.action));
  out.put("\",\"lilith_category\":\"").put(audit::name(event.category));
  out.put("\",\"lilith_mode\":\"").put(audit::name(event.mode));
  out.put("\",\"lilith_enforcement\":\"").put(audit::name(event.enforcement)).put("\",");
  out.text_if("\"lilith_session\":\"", event.session);
  out.text_if("\"lilith_server\":\"", event.server);
  out.text_if("\"lilith_command\":\"", target_command(event));
  out.text_if("\"lilith_truncated\":\"", event.truncated);
  out.text_if("\"lilith_redacted\":\"", event.redacted);
  out.text_if("\"lilith_chain_id\":\"", event.chain_id);
  out.text_if("\"lilith_chain_prev\":\"", event.chain_prev);
  put_detail(out, "\"lilith_detail_", event);
  out.close().close();
}

// ---- OCSF

constexpr std::string_view kOcsfVersion = "1.9.0-dev";

struct OcsfWord {
  std::int64_t id;
  std::string_view word;
};

struct OcsfClass {
  std::int64_t category_uid, class_uid;
  std::string_view category, name;
};

OcsfClass ocsf_class(const LineView& event) {
  if (event.category == Category::kEgress) return {4, 4001, "Network Activity", "Network Activity"};
  if (event.category == Category::kToolInvocation)
    return {6, 6003, "Application Activity", "API Activity"};
  return {6, 6002, "Application Activity", "Application Lifecycle"};
}

OcsfWord ocsf_activity(const LineView& event) {
  if (event.category == Category::kEgress)
    return event.action == Action::kDenied ? OcsfWord{5, "Refuse"} : OcsfWord{1, "Open"};
  if (event.category == Category::kToolInvocation) {
    switch (event.operation_kind) {
      case OperationKind::kReadFile:
        return {2, "Read"};
      case OperationKind::kWriteFile:
        return {3, "Update"};
      case OperationKind::kRunCommand:
      case OperationKind::kEgress:
      case OperationKind::kMcpTool:
      case OperationKind::kOther:
        return {99, "Other"};
    }
  }
  if (event.type == EventType::kPolicyLoaded) return {8, "Update"};
  return event.type == EventType::kLogOpened ? OcsfWord{3, "Start"} : OcsfWord{99, "Other"};
}

OcsfWord ocsf_action(Action action) {
  switch (action) {
    case Action::kAllowed:
      return {1, "Allowed"};
    case Action::kDenied:
      return {2, "Denied"};
    case Action::kWouldDeny:
    case Action::kRecorded:
      return {3, "Observed"};
    case Action::kError:
    case Action::kNone:
      break;
  }
  return {99, "Other"};
}

OcsfWord ocsf_disposition(Action action) {
  switch (action) {
    case Action::kAllowed:
      return {1, "Allowed"};
    case Action::kDenied:
      return {2, "Blocked"};
    case Action::kWouldDeny:
      return {15, "Detected"};
    case Action::kError:
      return {27, "Error"};
    case Action::kRecorded:
    case Action::kNone:
      break;
  }
  return {17, "Logged"};
}

OcsfWord ocsf_severity(const LineView& event) {
  if (event.type == EventType::kTamper) return {5, "Critical"};
  if (event.type == EventType::kEgressBurst) return {5, "Critical"};
  if (event.action == Action::kError) return {3, "Medium"};
  if (event.action == Action::kDenied)
    return event.category == Category::kEgress ? OcsfWord{4, "High"} : OcsfWord{3, "Medium"};
  return event.action == Action::kWouldDeny ? OcsfWord{2, "Low"} : OcsfWord{1, "Informational"};
}

// Both members of an enumeration: its id, and its word behind `name`.
template <std::size_t N, std::size_t M>
void word(Members& out, const char (&id)[N], const char (&name)[M], const OcsfWord& value) {
  out.number(id, value.id).put(name).put(value.word).put("\",");
}

void ocsf_metadata(Members& out, const LineView& event) {
  out.put("\"metadata\":{\"version\":\"").put(kOcsfVersion);
  out.put("\",\"product\":{\"name\":\"lilith\",\"vendor_name\":\"lilith\",");
  out.text_if("\"version\":\"", event.engine).close();
  out.put(
      "\"profiles\":[\"security_control\",\"host\",\"ai_operation\",\"record_integrity\"],"
      "\"log_name\":\"lilith audit\",\"event_code\":\"");
  out.put(audit::name(event.type)).put("\",").text_if("\"uid\":\"", event.id);
  out.put("\"sequence\":").number(event.seq);
  put_time(out.put(",\"original_time\":\""), event);
  out.put("\"},");
}

void ocsf_actor(Members& out, const LineView& event) {
  out.text("\"actor\":{\"process\":{\"uid\":\"", event.process_key);
  if (event.process_pid > 0) out.number("\"pid\":", event.process_pid);
  out.text_if("\"path\":\"", event.process_exe).close();
  put_user(out, event, "\"uid\":\"");
  out.close();
  if (event.agent.empty()) return;
  out.text("\"ai_agent\":{\"name\":\"", event.agent);
  out.text_if("\"instance_uid\":\"", event.session).close();
}

void ocsf_api(Members& out, const LineView& event) {
  out.text("\"api\":{\"operation\":\"", event.tool);
  if (!event.call_id.empty()) out.text("\"request\":{\"uid\":\"", event.call_id).close();
  if (!event.server.empty()) out.text("\"service\":{\"name\":\"", event.server).close();
  out.close();
  if (const auto path = target_path(event); !path.empty()) {
    out.put("\"resources\":[{\"type\":\"file\",\"name\":\"");
    out.put(audit::without_guard(path)).put("\"}],");
  }
}

void ocsf_network(Members& out, const LineView& event) {
  const std::string_view host = event.operation_host;
  out.put("\"dst_endpoint\":{");
  if (is_address(host)) {
    out.text("\"ip\":\"", host);
  } else {
    out.text_if("\"hostname\":\"", host);
  }
  if (event.operation_port > 0) out.number("\"port\":", event.operation_port);
  out.close().put("\"connection_info\":{\"direction_id\":2,\"direction\":\"Outbound\",");
  out.text_if("\"protocol_name\":\"", event.operation_protocol).close();
  if (!event.operation_url.empty())
    out.text("\"url\":{\"url_string\":\"", event.operation_url).close();
}

void ocsf_what(Members& out, const LineView& event, std::int64_t class_uid) {
  if (class_uid == 6002) {
    out.put("\"app\":{\"name\":\"lilith\",\"vendor_name\":\"lilith\"},");
  } else {
    out.text("\"src_endpoint\":{\"hostname\":\"", event.host).close();
  }
  if (class_uid == 6003) ocsf_api(out, event);
  if (class_uid == 4001) ocsf_network(out, event);
}

void ocsf_judgement(Members& out, const LineView& event) {
  word(out, "\"action_id\":", "\"action\":\"", ocsf_action(event.action));
  word(out, "\"disposition_id\":", "\"disposition\":\"", ocsf_disposition(event.action));
  if (!event.policy_sha256.empty()) {
    out.text("\"policy\":{\"uid\":\"", event.policy_sha256);
    out.put("\"is_applied\":");
    out.put(std::string_view(event.action == Action::kDenied ? "true}," : "false},"));
  }
  if (!event.rule.empty()) out.text("\"firewall_rule\":{\"uid\":\"", event.rule).close();
  if (!event.technique.empty()) {
    out.put("\"attacks\":[{\"technique\":{\"uid\":\"");
    out.put(audit::without_guard(event.technique)).put("\"}}],");
  }
}

// OCSF fingerprint: algorithm_id 3 is SHA-256.
void fingerprint(Members& out, std::string_view value) {
  out.put("\"fingerprint\":{\"algorithm_id\":3,\"algorithm\":\"SHA-256\",\"value\":\"");
  out.put(audit::without_guard(value)).put("\"}");
}

void write_ocsf(Members& out, const LineView& event, std::string_view line) {
  const OcsfClass what = ocsf_class(event);
  const OcsfWord activity = ocsf_activity(event);
  word(out.put("{"), "\"activity_id\":", "\"activity_name\":\"", activity);
  out.number("\"category_uid\":", what.category_uid);
  out.put("\"category_name\":\"").put(what.category).put("\",");
  out.number("\"class_uid\":", what.class_uid);
  out.put("\"class_name\":\"").put(what.name).put("\",");
  out.number("\"type_uid\":", what.class_uid * 100 + activity.id);
  out.number("\"time\":", event.time.time_since_epoch().count() / 1000);
  word(out, "\"severity_id\":", "\"severity\":\"", ocsf_severity(event));
  out.text_if("\"status_code\":\"", event.reason_code);
  out.text_if("\"status_detail\":\"", event.reason);
  ocsf_metadata(out, event);
  out.text("\"device\":{\"hostname\":\"", event.host).put("\"type_id\":0},");
  ocsf_actor(out, event);
  ocsf_what(out, event, what.class_uid);
  ocsf_judgement(out, event);
  if (event.decide_us > 0) out.number("\"duration\":", (event.decide_us + 999) / 1000);
  if (!event.chain_hash.empty()) {
    out.text("\"attestation_list\":[{\"chain_uid\":\"", event.chain_id);
    fingerprint(out, event.chain_hash);
    out.put(",\"prev_event\":{");
    fingerprint(out, event.chain_prev);
    out.put("}}],");
  }
  if (carries_original(event)) out.put("\"raw_data\":").quoted(line).put(",");
  out.put("\"unmapped\":{\"mode\":\"").put(audit::name(event.mode));
  out.put("\",\"category\":\"").put(audit::name(event.category));
  out.put("\",\"enforcement\":\"").put(audit::name(event.enforcement)).put("\",");
  out.text_if("\"command\":\"", target_command(event));
  out.text_if("\"truncated\":\"", event.truncated);
  out.text_if("\"redacted\":\"", event.redacted);
  put_detail(out, "\"detail_", event);
  out.close().close();
}

}  // namespace

Result<void> FormWriter::append(std::string& out, std::string_view line) {
  if (form_ == Form::kNative) {
    out += line;
    return {};
  }
  std::size_t room = line.size() * 2 + kFormBytes;
  if (!audit::view_line(line, view_)) {
    // Another layout: as a view of the same event.
    if (auto decoded = decoder_.decode(line, event_); !decoded) return decoded;
    audit::to_view(event_, view_, texts_);
    room += texts_.size();
  }
  for (bool written = false; !written; room *= 2) {
    const std::size_t had = out.size();
    out.resize_and_overwrite(had + room, [&](char* into, std::size_t) {
      Members members(into + had, room);
      form_ == Form::kEcs ? write_ecs(members, view_, line) : write_ocsf(members, view_, line);
      written = !members.full();
      // Without the comma behind the whole object.
      return written ? static_cast<std::size_t>(members.at() - into) - 1 : had;
    });
  }
  return {};
}

}  // namespace lilith::shipper
