#include "enforcer/mcp/session.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "enforcer/mcp/raw_json.hpp"
#include "rules/agents/agents.hpp"

#include <array>

namespace lilith::enforcer::mcp {
namespace {

using json::View;

// The first version whose results must say their type.
constexpr std::string_view kResultTypeVersion = "2026-07-28";
constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kMetaClient = "io.modelcontextprotocol/clientInfo";
constexpr std::size_t kClientNameBytesMax = 100;

bool is_method(std::string_view method, std::string_view wanted) {
  return method == wanted || ascii_lower(method) == wanted;
}

std::string sentence(std::string_view reason) {
  return "lilith: " + printable(utf8_prefix(reason, limits::kVerdictReasonBytesMax));
}

}  // namespace

void Session::complain(std::string_view what) {
  complaints += "lilith mcp " + options_.server + ": " + printable(what) + "\n";
}

bool Session::congested() const {
  return waiting_bytes_ > limits::kMcpQueueBytesMax ||
         to_client.size() > limits::kMcpQueueBytesMax ||
         to_server.size() > limits::kMcpQueueBytesMax;
}

// ---- client to server

void Session::from_client(std::string_view bytes) {
  while (!bytes.empty() && !broken_) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (client_line_too_long_) {
      client_scanner_.feed(piece);
    } else if (client_line_.size() + piece.size() > limits::kMcpFrameBytesMax) {
      client_line_too_long_ = true;
      client_scanner_.reset();
      client_scanner_.feed(client_line_);
      client_scanner_.feed(piece);
      client_line_ = {};
    } else if (end == std::string_view::npos || !client_line_.empty()) {
      client_line_ += piece;
    }
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (client_line_.empty() && !client_line_too_long_) {
      client_line(piece, true);
    } else {
      client_line(client_line_, true);
    }
    client_line_.clear();
  }
}

void Session::end_of_client() {
  if (!client_line_.empty() || client_line_too_long_) client_line(client_line_, false);
  client_line_ = {};
}

// Where the server is over HTTP, a policy that has changed is asked about its host again. Without a
// usable policy every call is denied by itself.
bool Session::still_allows_server() {
  if (options_.url.empty()) return true;
  auto now = gate_.policy();
  if (now == nullptr || now == policy_) return true;
  GateCall call;
  call.tool = "connect";
  call.server = options_.server;
  call.hook = "policy";
  call.call.kind = audit::OperationKind::kEgress;
  call.call.urls.push_back(options_.url);
  if (gate_.ask(call).action != audit::Action::kDenied) {
    policy_ = std::move(now);
    return true;
  }
  const Outcome outcome = gate_.decide(std::move(call));
  complain("the session is ended: " + outcome.reason);
  broken_ = true;
  return false;
}

void Session::client_line(std::string_view line, bool ended) {
  gate_.refresh();
  if (!still_allows_server()) return;
  if (client_line_too_long_) {
    client_line_too_long_ = false;
    return refused(
        {kInvalidRequest, client_scanner_.id().value_or("null"),
         "the message is longer than " + std::to_string(limits::kMcpFrameBytesMax) + " bytes"},
        {}, ended);
  }
  const auto frame = reader_.read(line);
  if (!frame) return refused(frame.error(), line, ended);
  if (frame->messages.empty()) return;  // a blank line says nothing
  std::string answers, passed;
  std::size_t denials = 0;
  for (const Message& message : frame->messages) {
    note_client(message);
    Denial denial = decide(message);
    if (denial.denied) {
      ++denials;
      if (denial.answer.empty()) continue;
      if (!answers.empty()) answers.push_back(',');
      answers += denial.answer;
      continue;
    }
    if (!passed.empty()) passed.push_back(',');
    passed += message.raw;
  }
  if (denials == 0) {
    to_server += line;
    if (ended) to_server.push_back('\n');
  } else if (!passed.empty()) {
    to_server += "[" + passed + "]\n";
  }
  if (!answers.empty()) answer(frame->is_batch ? "[" + answers + "]" : answers);
}

// A line that is no message. Where the policy only records, it passes like any other call that
// can't be read; what was too long was not kept and can't.
void Session::refused(const Refusal& refusal, std::string_view line, bool ended) {
  GateCall call;
  call.tool = "mcp__" + options_.server + "__";
  call.server = options_.server;
  call.hook = "message";
  call.call_id = refusal.id == "null" ? "" : refusal.id;
  call.call.kind = audit::OperationKind::kMcpTool;
  call.call.undecidable = refusal.why;
  call.detail.emplace_back("error", std::to_string(refusal.code));
  if (!client_name_.empty()) call.detail.emplace_back("client", client_name_);
  const Outcome outcome = gate_.decide(std::move(call));
  if (outcome.allowed && !line.empty()) {
    to_server += line;
    if (ended) to_server.push_back('\n');
    return;
  }
  complain("a message was refused: " + refusal.why);
  answer(error_answer(refusal.id, refusal.code, sentence(refusal.why)));
}

// Which client it is and which version it speaks: initialize says so once, later versions say it
// with each request.
void Session::note_client(const Message& message) {
  if (!message.params || message.kind == MessageKind::kResponse) return;
  std::optional<View> client;
  if (message.method == "initialize") client = message.params->find("clientInfo");
  const auto meta = message.params->find("_meta");
  if (meta && meta->is_object()) {
    if (const std::string_view version = meta->text(kMetaVersion); !version.empty()) {
      with_result_type_ = version >= kResultTypeVersion;
    }
    if (const auto stated = meta->find(kMetaClient)) client = stated;
  }
  if (!client || !client->is_object()) return;
  const std::string_view name = utf8_prefix(client->text("name"), kClientNameBytesMax);
  if (!name.empty()) client_name_ = name;
}

Session::Denial Session::decide(const Message& message) {
  if (message.kind == MessageKind::kResponse) return {};
  if (is_method(message.method, "tools/call")) return decide_tool_call(message);
  if (is_method(message.method, "resources/read")) return decide_resource(message);
  const bool lists =
      message.kind == MessageKind::kRequest && is_method(message.method, "tools/list");
  if (!lists || options_.pin == PinMode::kOff) return {};
  if (lists_pending_.size() >= limits::kMcpListsPendingMax) {
    return {true, error_answer(message.id, kDeniedByPolicy,
                               sentence("too many lists of tools are awaited at once"))};
  }
  lists_pending_.insert(message.id);
  return {};
}

GateCall Session::gate_call(const Message& message, std::string tool) const {
  GateCall call;
  call.tool = std::move(tool);
  call.server = options_.server;
  call.hook = message.method;
  call.call_id = message.id;
  if (!client_name_.empty()) call.detail.emplace_back("client", client_name_);
  return call;
}

// A call that a server might read in a way of its own.
Session::Denial Session::malformed(const Message& message, std::string_view why) {
  GateCall call = gate_call(message, "mcp__" + options_.server + "__");
  call.call.kind = audit::OperationKind::kMcpTool;
  call.call.undecidable = why;
  if (gate_.decide(std::move(call)).allowed) return {};
  if (message.id.empty()) return {true, {}};
  return {true, error_answer(message.id, kInvalidRequest, sentence(why))};
}

Session::Denial Session::decide_tool_call(const Message& message) {
  const auto name = message.params ? message.params->find("name") : std::nullopt;
  if (!name || !name->string() || name->string()->empty()) {
    return malformed(message, "tools/call names no tool");
  }
  const auto arguments = message.params->find("arguments");
  const bool absent = !arguments || arguments->type() == json::Type::kNull;
  if (!absent && !arguments->is_object()) {
    return malformed(message, "the arguments of tools/call are no object");
  }
  json::Document empty;
  const auto no_arguments = empty.parse("{}");
  // The name that agents give the tool, so that one entry of a policy holds for hook and proxy.
  const std::string tool = "mcp__" + options_.server + "__" + std::string(*name->string());
  GateCall call = gate_call(message, tool);
  call.call = agents::map_call({}, tool, absent ? *no_arguments : *arguments, {}).call;
  if (options_.pin == PinMode::kDeny) {
    if (const std::string changed = pins_.changed(*name->string()); !changed.empty()) {
      call.call.undecidable = "its " + changed + " changed since the tool was first seen";
    }
  }
  const Outcome outcome = gate_.decide(std::move(call));
  if (outcome.allowed) return {};
  if (message.id.empty()) return {true, {}};
  const std::string why = sentence(outcome.reason);
  // A call that asked for a task is not answered by a result (2025-11-25).
  if (message.params->find("task")) {
    return {true, error_answer(message.id, kDeniedByPolicy, why)};
  }
  return {true, denied_tool_answer(message.id, why, with_result_type_)};
}

Session::Denial Session::decide_resource(const Message& message) {
  const auto uri = message.params ? message.params->find("uri") : std::nullopt;
  if (!uri || !uri->string() || uri->string()->empty()) {
    return malformed(message, "resources/read names no resource");
  }
  std::string input;
  json::Writer writer(input);
  writer.begin_object().member("server", options_.server).member("uri", *uri->string());
  writer.end_object();
  json::Document document;
  const auto parsed = document.parse(input);
  if (!parsed) return malformed(message, "the resource's name is not readable");
  GateCall call = gate_call(message, std::string(rules::kMcpResourceTool));
  call.call = agents::map_call("claude_code", rules::kMcpResourceTool, *parsed, {}).call;
  const Outcome outcome = gate_.decide(std::move(call));
  if (outcome.allowed) return {};
  if (message.id.empty()) return {true, {}};
  return {true, error_answer(message.id, kDeniedByPolicy, sentence(outcome.reason))};
}

// Between the server's lines, never into one.
void Session::answer(std::string line) {
  line.push_back('\n');
  if (server_line_ != ServerLine::kPassing) {
    to_client += line;
    return;
  }
  waiting_bytes_ += line.size();
  waiting_answers_.push_back(std::move(line));
}

// ---- server to client

void Session::from_server(std::string_view bytes) {
  while (!bytes.empty() && !broken_) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    const bool watches = options_.pin != PinMode::kOff;
    if (server_line_ == ServerLine::kNone) {
      server_line_ =
          watches && !lists_pending_.empty() ? ServerLine::kHolding : ServerLine::kPassing;
      server_scanner_.reset();
    }
    if (watches) server_scanner_.feed(piece);
    if (server_line_ == ServerLine::kPassing) to_client += piece;
    if (server_line_ == ServerLine::kHolding) hold(piece);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    end_of_server_line();
  }
}

void Session::hold(std::string_view piece) {
  held_ += piece;
  if (held_.size() <= limits::kMcpHeldBytesMax) return;
  if (server_scanner_.has_tools() || server_scanner_.is_array()) {
    server_line_ = ServerLine::kDropping;
  } else {
    to_client += held_;
    server_line_ = ServerLine::kPassing;
  }
  held_ = {};
}

void Session::end_of_server_line() {
  const ServerLine line = server_line_;
  server_line_ = ServerLine::kNone;
  switch (line) {
    case ServerLine::kNone:
      break;
    case ServerLine::kHolding:
      inspect_held();
      held_.clear();
      break;
    case ServerLine::kDropping: {
      const std::string why = "the server's list of tools is longer than " +
                              std::to_string(limits::kMcpHeldBytesMax) + " bytes";
      complain(why);
      const auto id = server_scanner_.id();
      if (id && lists_pending_.erase(*id) != 0) {
        answer(error_answer(*id, kDeniedByPolicy, sentence(why)));
      }
      break;
    }
    case ServerLine::kPassing:
      // A line that began before the list was asked for, or too long to be held: what is a list now
      // was never compared with its pins. Without its end no client reads it.
      if (!lists_pending_.empty() && (server_scanner_.has_tools() || server_scanner_.is_array())) {
        complain("the server sent a list of tools in a way that could not be checked");
        broken_ = true;
        return;
      }
      to_client.push_back('\n');
      for (const std::string& waiting : waiting_answers_) to_client += waiting;
      waiting_answers_.clear();
      waiting_bytes_ = 0;
      break;
  }
}

// While a list of tools is awaited.
void Session::inspect_held() {
  std::string_view line = held_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == std::string_view::npos) {
    to_client += held_ + "\n";
    return;
  }
  json::Document document;
  const auto root = document.parse(line);
  if (!root || line.find('\r') != std::string_view::npos || line.starts_with("\xEF\xBB\xBF")) {
    complain("a line of the server was dropped while its list of tools was awaited: " +
             (root ? std::string("it has a carriage return or a byte order mark")
                   : root.error().message));
    return;
  }
  if (!root->is_array()) {
    const auto message = inspected(*root, line);
    if (!message) return;
    to_client += *message == line ? held_ + "\n" : *message + "\n";
    return;
  }
  const auto raw = raw_elements(line);
  std::string out;
  bool changed = false;
  std::size_t index = 0;
  root->each_element([&](View element) {
    const std::string_view text = raw[index++];
    const auto message = inspected(element, text);
    changed = changed || !message || *message != text;
    if (message) out += (out.empty() ? "" : ",") + *message;
    return true;
  });
  if (!changed) {
    to_client += held_ + "\n";
  } else if (!out.empty()) {
    to_client += "[" + out + "]\n";
  }
}

std::optional<std::string> Session::inspected(View message, std::string_view raw) {
  if (!message.is_object() || message.find("method")) return std::string(raw);
  std::string unclear;
  const auto look_for = [&unclear](View object, std::string_view wanted) {
    object.each_member([&](std::string_view key, View) {
      if (key != wanted && folded_key(key) == wanted) unclear = key;
      return unclear.empty();
    });
  };
  for (const std::string_view key : {"id", "result", "error", "method"}) look_for(message, key);
  const auto result = message.find("result");
  if (result && result->is_object()) look_for(*result, "tools");
  if (!unclear.empty()) {
    complain("a message of the server was dropped: some readers take its key '" + unclear +
             "' for another");
    return std::nullopt;
  }
  if (const auto id = message.find("id")) lists_pending_.erase(id->to_json());
  const auto tools = result && result->is_object() ? result->find("tools") : std::nullopt;
  if (!tools || !tools->is_array()) return std::string(raw);
  return without_changed_tools(*tools, raw);
}

std::string Session::without_changed_tools(View tools, std::string_view raw) {
  std::vector<bool> withheld;
  std::vector<std::string> first_seen;
  bool any = false;
  tools.each_element([&](View tool) {
    const Pins::Finding finding = pins_.look(tool);
    if (finding.seen == Pins::Seen::kFirst && !finding.tool.empty()) {
      first_seen.push_back(finding.tool);
    }
    withheld.push_back(finding.seen == Pins::Seen::kChanged && is_withheld(finding));
    any = any || withheld.back();
    return true;
  });
  if (!first_seen.empty()) record_first_seen(first_seen);
  if (!any) return std::string(raw);
  const auto list = raw_member(raw_member(raw, "result").value_or("{}"), "tools").value_or("[]");
  const auto elements = raw_elements(list);
  std::string kept;
  for (std::size_t i = 0; i < elements.size() && i < withheld.size(); ++i) {
    if (withheld[i]) continue;
    if (!kept.empty()) kept.push_back(',');
    kept += elements[i];
  }
  const auto begin = static_cast<std::size_t>(list.data() - raw.data());
  std::string out(raw.substr(0, begin));
  out += "[" + kept + "]";
  out += raw.substr(begin + list.size());
  return out;
}

// Tells of a changed tool, once for each change, and whether the model may see it.
bool Session::is_withheld(const Pins::Finding& finding) {
  GateCall call;
  call.tool = "mcp__" + options_.server + "__" + finding.tool;
  call.server = options_.server;
  call.hook = "tools/list";
  call.call.kind = audit::OperationKind::kMcpTool;
  call.call.undecidable = "its " + finding.changed + " changed since the tool was first seen";
  call.only_record = options_.pin != PinMode::kDeny;
  std::string& reported = reported_[finding.tool];
  if (reported == finding.changed) {
    return options_.pin == PinMode::kDeny && gate_.ask(call).action == audit::Action::kDenied;
  }
  reported = finding.changed;
  complain("the " + finding.changed + " of the tool '" + finding.tool +
           "' changed since it was first seen");
  if (!client_name_.empty()) call.detail.emplace_back("client", client_name_);
  return !gate_.decide(std::move(call)).allowed;
}

void Session::record_first_seen(const std::vector<std::string>& tools) {
  if (auto saved = pins_.save(); !saved) {
    complain("the pins of its tools could not be kept: " + saved.error().message);
  }
  audit::Event event = gate_.blank_event(audit::EventType::kInventory);
  event.category = audit::Category::kInventory;
  event.action = audit::Action::kRecorded;
  event.server = options_.server;
  event.hook = "tools/list";
  event.reason_code = "mcp.tools_pinned";
  event.reason = std::to_string(tools.size()) + " tools of the MCP server " + options_.server +
                 " were seen for the first time";
  std::string names;
  for (const std::string& tool : tools) names += (names.empty() ? "" : " ") + printable(tool);
  event.detail.emplace_back("tools", std::move(names));
  if (!client_name_.empty()) event.detail.emplace_back("client", client_name_);
  if (auto written = gate_.write(event); !written) {
    complain("the audit log could not be written: " + written.error().message);
  }
}

}  // namespace lilith::enforcer::mcp
