#include "shipper/forms.hpp"

#include "audit/json/writer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace lilith::shipper {
namespace {

using audit::Action;
using audit::Category;
using audit::Event;
using audit::EventType;
using audit::OperationKind;
using json::Writer;

constexpr const char* kEcsVersion = "9.5.0-dev";
constexpr const char* kOcsfVersion = "1.9.0-dev";
constexpr int kSha256AlgorithmId = 3;  // OCSF fingerprint.algorithm_id

bool is_address(const std::string& host) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

// A member only when there is something to say.
void text(Writer& writer, std::string_view name, std::string_view value) {
  if (!value.empty()) writer.member(name, value);
}

void list_of_one(Writer& writer, std::string_view name, std::string_view value) {
  writer.key(name).begin_array().value(value).end_array();
}

std::string_view target_path(const Event& event) {
  const OperationKind kind = event.operation.kind;
  const bool file = kind == OperationKind::kReadFile || kind == OperationKind::kWriteFile;
  return file ? std::string_view(event.operation.path) : std::string_view();
}

std::string_view target_command(const Event& event) {
  if (!event.call.command.empty()) return event.call.command;
  return event.operation.command;
}

// ---- Elastic Common Schema

std::string_view ecs_category(const Event& event) {
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
  switch (event.operation.kind) {
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

std::string_view ecs_outcome(const Event& event) {
  if (event.decision == audit::Verdict::kAllow) return "success";
  return event.decision == audit::Verdict::kDeny ? "failure" : "unknown";
}

void ecs_event(Writer& writer, const Event& event) {
  writer.key("event").begin_object();
  writer.member("kind", event.action == Action::kDenied ? "alert" : "event");
  list_of_one(writer, "category", ecs_category(event));
  list_of_one(writer, "type", ecs_type(event.action));
  writer.member("action", audit::name(event.type));
  writer.member("outcome", ecs_outcome(event));
  writer.member("module", "lilith").member("dataset", "lilith.audit");
  text(writer, "id", event.id);
  writer.member("sequence", event.seq);
  text(writer, "reason", event.reason);
  text(writer, "code", event.reason_code);
  if (event.decide_us > 0) writer.member("duration", event.decide_us * 1000);
  text(writer, "hash", event.chain_hash);
  writer.end_object();
}

void ecs_target(Writer& writer, const Event& event) {
  if (const auto path = target_path(event); !path.empty())
    writer.key("file").begin_object().member("path", path).end_object();
  if (event.operation.kind != OperationKind::kEgress) return;
  const audit::Operation& to = event.operation;
  writer.key("destination").begin_object();
  text(writer, "address", to.host);
  text(writer, is_address(to.host) ? "ip" : "domain", to.host);
  if (to.port > 0) writer.member("port", to.port);
  writer.end_object();
  if (!to.protocol.empty())
    writer.key("network").begin_object().member("protocol", to.protocol).end_object();
  if (!to.url.empty()) writer.key("url").begin_object().member("full", to.url).end_object();
}

void ecs_who(Writer& writer, const Event& event) {
  writer.key("host").begin_object().member("name", event.host).end_object();
  writer.key("process").begin_object().member("entity_id", event.process_key);
  if (event.process_pid > 0) writer.member("pid", event.process_pid);
  text(writer, "executable", event.process_exe);
  writer.end_object();
  if (!event.facts.user.empty() || event.facts.uid >= 0) {
    writer.key("user").begin_object();
    text(writer, "name", event.facts.user);
    if (event.facts.uid >= 0) writer.member("id", std::to_string(event.facts.uid));
    writer.end_object();
  }
  if (!event.agent.empty())
    writer.key("service").begin_object().member("type", event.agent).end_object();
  if (!event.tool.empty()) {
    writer.key("gen_ai").begin_object().key("tool").begin_object().member("name", event.tool);
    if (!event.call_id.empty())
      writer.key("call").begin_object().member("id", event.call_id).end_object();
    writer.end_object().end_object();
  }
}

void write_ecs(Writer& writer, const Event& event) {
  writer.begin_object().member("@timestamp", format_time(event.time));
  writer.key("ecs").begin_object().member("version", kEcsVersion).end_object();
  ecs_event(writer, event);
  ecs_who(writer, event);
  ecs_target(writer, event);
  if (!event.rule.empty() || !event.policy_sha256.empty()) {
    writer.key("rule").begin_object();
    text(writer, "id", event.rule);
    text(writer, "ruleset", event.policy_sha256);
    writer.end_object();
  }
  if (!event.technique.empty()) {
    writer.key("threat").begin_object().member("framework", "MITRE ATT&CK").key("technique");
    writer.begin_object();
    list_of_one(writer, "id", event.technique);
    writer.end_object().end_object();
  }
  writer.key("labels").begin_object().member("lilith_action", audit::name(event.action));
  writer.member("lilith_category", audit::name(event.category));
  writer.member("lilith_mode", audit::name(event.mode));
  writer.member("lilith_enforcement", audit::name(event.enforcement));
  text(writer, "lilith_session", event.session);
  text(writer, "lilith_server", event.server);
  text(writer, "lilith_command", target_command(event));
  text(writer, "lilith_truncated", event.truncated);
  text(writer, "lilith_redacted", event.redacted);
  text(writer, "lilith_chain_id", event.chain_id);
  text(writer, "lilith_chain_prev", event.chain_prev);
  for (const auto& [key, value] : event.detail) writer.member("lilith_detail_" + key, value);
  writer.end_object().end_object();
}

// ---- OCSF

struct OcsfWord {
  int id;
  const char* word;
};

struct OcsfClass {
  int category_uid, class_uid;
  const char *category, *name;
};

OcsfClass ocsf_class(const Event& event) {
  if (event.category == Category::kEgress) return {4, 4001, "Network Activity", "Network Activity"};
  if (event.category == Category::kToolInvocation)
    return {6, 6003, "Application Activity", "API Activity"};
  return {6, 6002, "Application Activity", "Application Lifecycle"};
}

OcsfWord ocsf_activity(const Event& event) {
  if (event.category == Category::kEgress)
    return event.action == Action::kDenied ? OcsfWord{5, "Refuse"} : OcsfWord{1, "Open"};
  if (event.category == Category::kToolInvocation) {
    switch (event.operation.kind) {
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

OcsfWord ocsf_severity(const Event& event) {
  if (event.type == EventType::kTamper) return {5, "Critical"};
  if (event.type == EventType::kEgressBurst) return {5, "Critical"};
  if (event.action == Action::kError) return {3, "Medium"};
  if (event.action == Action::kDenied)
    return event.category == Category::kEgress ? OcsfWord{4, "High"} : OcsfWord{3, "Medium"};
  return event.action == Action::kWouldDeny ? OcsfWord{2, "Low"} : OcsfWord{1, "Informational"};
}

void word(Writer& writer, const char* id, const char* name, const OcsfWord& value) {
  writer.member(id, value.id).member(name, value.word);
}

void ocsf_metadata(Writer& writer, const Event& event) {
  writer.key("metadata").begin_object().member("version", kOcsfVersion);
  writer.key("product").begin_object().member("name", "lilith").member("vendor_name", "lilith");
  text(writer, "version", event.engine);
  writer.end_object();
  writer.key("profiles").begin_array();
  for (const char* profile : {"security_control", "host", "ai_operation", "record_integrity"})
    writer.value(profile);
  writer.end_array();
  writer.member("log_name", "lilith audit").member("event_code", audit::name(event.type));
  text(writer, "uid", event.id);
  writer.member("sequence", event.seq).member("original_time", format_time(event.time));
  writer.end_object();
}

void ocsf_actor(Writer& writer, const Event& event) {
  writer.key("actor").begin_object();
  writer.key("process").begin_object().member("uid", event.process_key);
  if (event.process_pid > 0) writer.member("pid", event.process_pid);
  text(writer, "path", event.process_exe);
  writer.end_object();
  if (!event.facts.user.empty() || event.facts.uid >= 0) {
    writer.key("user").begin_object();
    text(writer, "name", event.facts.user);
    if (event.facts.uid >= 0) writer.member("uid", std::to_string(event.facts.uid));
    writer.end_object();
  }
  writer.end_object();
  if (event.agent.empty()) return;
  writer.key("ai_agent").begin_object().member("name", event.agent);
  text(writer, "instance_uid", event.session);
  writer.end_object();
}

void ocsf_what(Writer& writer, const Event& event, int class_uid) {
  const audit::Operation& operation = event.operation;
  if (class_uid != 6002)
    writer.key("src_endpoint").begin_object().member("hostname", event.host).end_object();
  if (class_uid == 6002)
    writer.key("app")
        .begin_object()
        .member("name", "lilith")
        .member("vendor_name", "lilith")
        .end_object();
  if (class_uid == 6003) {
    writer.key("api").begin_object().member("operation", event.tool);
    if (!event.call_id.empty())
      writer.key("request").begin_object().member("uid", event.call_id).end_object();
    if (!event.server.empty())
      writer.key("service").begin_object().member("name", event.server).end_object();
    writer.end_object();
    if (const auto path = target_path(event); !path.empty()) {
      writer.key("resources").begin_array().begin_object().member("type", "file");
      writer.member("name", path).end_object().end_array();
    }
  }
  if (class_uid == 4001) {
    writer.key("dst_endpoint").begin_object();
    text(writer, is_address(operation.host) ? "ip" : "hostname", operation.host);
    if (operation.port > 0) writer.member("port", operation.port);
    writer.end_object();
    writer.key("connection_info").begin_object().member("direction_id", 2);
    writer.member("direction", "Outbound");
    text(writer, "protocol_name", operation.protocol);
    writer.end_object();
    if (!operation.url.empty())
      writer.key("url").begin_object().member("url_string", operation.url).end_object();
  }
}

void ocsf_judgement(Writer& writer, const Event& event) {
  word(writer, "action_id", "action", ocsf_action(event.action));
  word(writer, "disposition_id", "disposition", ocsf_disposition(event.action));
  if (!event.policy_sha256.empty()) {
    writer.key("policy").begin_object().member("uid", event.policy_sha256);
    writer.member("is_applied", event.action == Action::kDenied).end_object();
  }
  if (!event.rule.empty())
    writer.key("firewall_rule").begin_object().member("uid", event.rule).end_object();
  if (!event.technique.empty()) {
    writer.key("attacks").begin_array().begin_object().key("technique").begin_object();
    writer.member("uid", event.technique).end_object().end_object().end_array();
  }
}

void fingerprint(Writer& writer, const std::string& value) {
  writer.key("fingerprint").begin_object();
  writer.member("algorithm_id", kSha256AlgorithmId).member("algorithm", "SHA-256");
  writer.member("value", value).end_object();
}

void write_ocsf(Writer& writer, const Event& event) {
  const OcsfClass what = ocsf_class(event);
  const OcsfWord activity = ocsf_activity(event);
  writer.begin_object();
  word(writer, "activity_id", "activity_name", activity);
  writer.member("category_uid", what.category_uid).member("category_name", what.category);
  writer.member("class_uid", what.class_uid).member("class_name", what.name);
  writer.member("type_uid", what.class_uid * 100 + activity.id);
  writer.member("time", static_cast<std::int64_t>(event.time.time_since_epoch().count() / 1000));
  word(writer, "severity_id", "severity", ocsf_severity(event));
  text(writer, "status_code", event.reason_code);
  text(writer, "status_detail", event.reason);
  ocsf_metadata(writer, event);
  writer.key("device")
      .begin_object()
      .member("hostname", event.host)
      .member("type_id", 0)
      .end_object();
  ocsf_actor(writer, event);
  ocsf_what(writer, event, what.class_uid);
  ocsf_judgement(writer, event);
  if (event.decide_us > 0) writer.member("duration", (event.decide_us + 999) / 1000);
  if (!event.chain_hash.empty()) {
    writer.key("attestation_list").begin_array().begin_object();
    writer.member("chain_uid", event.chain_id);
    fingerprint(writer, event.chain_hash);
    writer.key("prev_event").begin_object();
    fingerprint(writer, event.chain_prev);
    writer.end_object().end_object().end_array();
  }
  writer.key("unmapped").begin_object().member("mode", audit::name(event.mode));
  writer.member("category", audit::name(event.category));
  writer.member("enforcement", audit::name(event.enforcement));
  text(writer, "command", target_command(event));
  text(writer, "truncated", event.truncated);
  text(writer, "redacted", event.redacted);
  for (const auto& [key, value] : event.detail) writer.member("detail_" + key, value);
  writer.end_object().end_object();
}

}  // namespace

Result<void> FormWriter::append(std::string& out, std::string_view line) {
  if (form_ == Form::kNative) {
    out += line;
    return {};
  }
  if (auto decoded = decoder_.decode(line, event_); !decoded) return decoded;
  Writer writer(out);
  if (form_ == Form::kEcs) {
    write_ecs(writer, event_);
  } else {
    write_ocsf(writer, event_);
  }
  return {};
}

}  // namespace lilith::shipper
