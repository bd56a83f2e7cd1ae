#include "rules/policy_diff.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "rules/pattern_cover.hpp"
#include "rules/policy_model.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace lilith::rules {
namespace {

using audit::OperationKind;

constexpr std::string_view kUser = "dev", kHome = "/home/dev";
// Policies with many changed entries are searched up to this many calls.
constexpr std::size_t kCallsMax = 200'000;
// A changed pattern is laid below at most this many others.
constexpr std::size_t kRootsMax = 256;

// ---- the entries of a policy, each as one line that means the same wherever it stands

// Whether more of these lines let more pass, fewer, or neither is known.
enum class Kind { kAllows, kBlocks, kOther };
using Lines = std::map<std::string, Kind>;

std::string double_quote(std::string_view text) { return "\"" + std::string(text) + "\""; }

template <class T>
std::string sorted_list(const std::vector<T>& values, std::string (*text)(const T&)) {
  std::set<std::string> all;
  for (const T& value : values) all.insert(text(value));
  std::string out;
  for (const std::string& one : all) out += (out.empty() ? "" : ",") + one;
  return "[" + out + "]";
}

std::string always(const Entry& entry) { return entry.always_block ? " always_block" : ""; }

void host_lines(const HostList& list, bool blocks, Lines& out) {
  for (const HostEntry& entry : list.entries()) {
    std::string line = std::string("egress.") + (blocks ? "blocked" : "allowed") +
                       "_destinations[" + double_quote(entry.entry.text) + "]";
    if (!entry.ports.empty()) {
      line += " ports " +
              sorted_list<int>(entry.ports, [](const int& port) { return std::to_string(port); });
    }
    if (!entry.protocols.empty()) {
      line += " protocols " +
              sorted_list<std::string>(entry.protocols, [](const std::string& one) { return one; });
    }
    out.emplace(line + always(entry.entry), blocks ? Kind::kBlocks : Kind::kAllows);
  }
}

void path_lines(const ToolRule& rule, Lines& out) {
  const std::string start = "tool_invocations." + rule.name;
  for (const Entry& entry : rule.path_allow.entries) {
    out.emplace(start + ".path_allowlist[" + double_quote(entry.text) + "]", Kind::kAllows);
  }
  for (const Entry& entry : rule.path_block.entries) {
    out.emplace(start + ".path_blocklist[" + double_quote(entry.text) + "]" + always(entry),
                Kind::kBlocks);
  }
}

void command_lines(const ToolRule& rule, Lines& out) {
  const std::string start = "tool_invocations." + rule.name;
  for (const auto& [name, allowed] : rule.command_allow) {
    out.emplace(start + ".command_allowlist[" + double_quote(name) + "]", Kind::kAllows);
    for (const std::string& hazard : allowed.allow_hazards) {
      out.emplace(start + ".command_allowlist[" + double_quote(name) + "] allow_hazards " + hazard,
                  Kind::kAllows);
    }
  }
  for (const CommandBlockEntry& one : rule.command_block) {
    out.emplace(
        start + ".command_blocklist[" + double_quote(one.entry.text) + "]" + always(one.entry),
        Kind::kBlocks);
  }
}

// What limits a tool by its servers and arguments is one line: with more of them it may be wider or
// narrower.
std::string limits_of(const ToolRule& rule) {
  const auto text = [](const Entry& entry) { return double_quote(entry.text); };
  std::string out;
  if (rule.has_servers) out += " servers " + sorted_list<Entry>(rule.servers, text);
  std::set<std::string> arguments;
  for (const ArgumentRule& one : rule.arguments) {
    arguments.insert(double_quote(one.name) + ":" + sorted_list<Entry>(one.values, text));
  }
  for (const std::string& one : arguments) out += " arguments " + one;
  return out;
}

void tool_lines(const ToolSection& tools, Lines& out) {
  for (const auto& [name, rule] : tools.allowed) {
    out.emplace("tool_invocations.allowed_tools[" + double_quote(name) + "]" + limits_of(rule),
                Kind::kAllows);
    path_lines(rule, out);
    command_lines(rule, out);
  }
  for (const auto& [name, rule] : tools.blocked) {
    out.emplace("tool_invocations.blocked_tools[" + double_quote(name) + "]" + limits_of(rule) +
                    (rule.always_block ? " always_block" : ""),
                Kind::kBlocks);
  }
}

std::string_view name_of(DefaultAction action) {
  return action == DefaultAction::kDeny ? "deny" : action == DefaultAction::kLog ? "log" : "allow";
}

// A setting is `other`: which way it works is said by settings_widen() for both policies together.
void setting_lines(const PolicyModel& model, Lines& out) {
  const auto put = [&out](std::string line) { out.emplace(std::move(line), Kind::kOther); };
  if (model.audit_mode) put("mode: audit");
  if (model.egress.line == 0) {
    put("no egress section");
  } else {
    put("egress.default_action: " + std::string(name_of(model.egress.default_action)));
  }
  if (model.tools.line == 0) {
    put("no tool_invocations section");
  } else {
    put("tool_invocations.default_action: " + std::string(name_of(model.tools.default_action)));
  }
  if (!model.egress.private_addresses) put("egress.private: false");
  if (model.protect_agent_config) put("protect_agent_config: true");
  for (const auto& [name, kind] : model.aliases) {
    put("tool_aliases[" + double_quote(name) + "]: " + std::string(audit::name(kind)));
  }
}

Lines lines_of(const PolicyModel& model) {
  Lines out;
  setting_lines(model, out);
  host_lines(model.egress.allowed, false, out);
  host_lines(model.egress.blocked, true, out);
  tool_lines(model.tools, out);
  return out;
}

struct Changes {
  Lines only_a, only_b;
};

Changes changes_of(const PolicyModel& a, const PolicyModel& b) {
  const Lines in_a = lines_of(a), in_b = lines_of(b);
  Changes out;
  for (const auto& [line, kind] : in_a) {
    if (!in_b.contains(line)) out.only_a.emplace(line, kind);
  }
  for (const auto& [line, kind] : in_b) {
    if (!in_a.contains(line)) out.only_b.emplace(line, kind);
  }
  return out;
}

// Adding an allow entry never stops anything, and taking out a block entry neither
// (tests/rules/policy_properties_test.cpp): then `more` lets through all that `less` does.
bool only_widens(const Lines& less, const Lines& more) {
  const auto all = [](const Lines& lines, Kind kind) {
    return std::all_of(lines.begin(), lines.end(),
                       [kind](const auto& line) { return line.second == kind; });
  };
  return all(less, Kind::kBlocks) && all(more, Kind::kAllows);
}

// ---- calls to try

class Requests {
 public:
  Requests(const PolicyModel& a, const PolicyModel& b, const Changes& changes)
      : a_(a), b_(b), changes_(changes) {}
  std::vector<ExampleRequest> run();

 private:
  void put(ExampleRequest request);
  void put_path(const std::string& path);
  void put_command(const std::string& line);
  void put_host(const std::string& host);
  void put_tool(const std::string& tool, const ToolRule& rule);
  void put_operations(const std::string& tool);
  void probes();
  void hosts();
  void paths();
  void commands();
  void tools();
  [[nodiscard]] bool changed(std::string_view list, std::string_view entry) const;
  [[nodiscard]] bool setting_changed() const;
  [[nodiscard]] std::vector<const ToolRule*> rules(std::string_view name) const;

  const PolicyModel& a_;
  const PolicyModel& b_;
  const Changes& changes_;
  std::vector<ExampleRequest> out_;
  std::set<std::string> seen_;
  std::set<int> ports_;
};

void Requests::put(ExampleRequest request) {
  if (out_.size() >= kCallsMax) return;
  std::string key = describe(request) + "\n" + std::to_string(static_cast<int>(request.call.kind)) +
                    request.call.arguments + request.server;
  if (seen_.insert(std::move(key)).second) out_.push_back(std::move(request));
}

void Requests::put_path(const std::string& path) {
  if (path.empty()) return;
  put({.tool = "Read", .call = {.kind = OperationKind::kReadFile, .paths = {path}}});
  put({.tool = "Write", .call = {.kind = OperationKind::kWriteFile, .paths = {path}}});
  if (path.find_first_of(" \t\n'\"\\$`*?[]{}|&;<>()~!#") != std::string::npos) return;
  put_command("echo x > " + path);
  put_command("cat " + path);
  put_command("git diff " + path);
}

void Requests::put_command(const std::string& line) {
  put({.tool = "Bash", .call = {.kind = OperationKind::kRunCommand, .command = line}});
}

void Requests::put_host(const std::string& host) {
  const bool colons = host.find(':') != std::string::npos;
  const std::string shown = colons ? "[" + host + "]" : host;
  for (const char* protocol : {"https", "http", "wss", "ws"}) {
    put({.tool = "WebFetch",
         .call = {.kind = OperationKind::kEgress,
                  .urls = {std::string(protocol) + "://" + shown + "/"}}});
    for (const int port : ports_) {
      put({.tool = "WebFetch",
           .call = {.kind = OperationKind::kEgress,
                    .urls = {std::string(protocol) + "://" + shown + ":" + std::to_string(port) +
                             "/"}}});
    }
  }
  for (const char* protocol : {"ssh", "tcp"}) {
    for (const int port : ports_) {
      ExampleRequest request;
      request.host = host;
      request.protocol = protocol;
      request.port = port;
      put(std::move(request));
    }
  }
}

bool Requests::changed(std::string_view list, std::string_view entry) const {
  const std::string start = std::string(list) + "[" + double_quote(entry) + "]";
  for (const Lines* lines : {&changes_.only_a, &changes_.only_b}) {
    const auto at = lines->lower_bound(start);
    if (at != lines->end() && at->first.starts_with(start)) return true;
  }
  return false;
}

bool Requests::setting_changed() const {
  for (const Lines* lines : {&changes_.only_a, &changes_.only_b}) {
    for (const auto& [line, kind] : *lines) {
      if (kind == Kind::kOther) return true;
    }
  }
  return false;
}

// The rules of a tool in both policies.
std::vector<const ToolRule*> Requests::rules(std::string_view name) const {
  std::vector<const ToolRule*> out;
  for (const PolicyModel* model : {&a_, &b_}) {
    const auto found = model->tools.allowed.find(name);
    if (found != model->tools.allowed.end()) out.push_back(&found->second);
  }
  return out;
}

std::string text_of_address(const HostPattern& pattern) {
  // The first address of the block, as the policy's own reader writes it.
  CanonicalHost host;
  const std::string prefix = pattern.prefix();
  std::string text;
  std::array<unsigned, 16> bytes{};
  for (std::size_t i = 0; i < prefix.size() && i < bytes.size(); ++i) {
    bytes[i] = static_cast<unsigned char>(prefix[i]);
  }
  const bool is_v4 = pattern.prefix_bits() >= 96 && bytes[10] == 0xFF && bytes[11] == 0xFF;
  if (is_v4) {
    for (std::size_t i = 12; i < 16; ++i) text += (i == 12 ? "" : ".") + std::to_string(bytes[i]);
    return text;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (i != 0 && i % 2 == 0) text += ':';
    text += kHex[bytes[i] >> 4U];
    text += kHex[bytes[i] & 15U];
  }
  const auto canonical = canonical_host(text);
  return canonical ? canonical->text : text;
}

void Requests::hosts() {
  ports_ = {443, 80, 22, 8443};
  for (const PolicyModel* model : {&a_, &b_}) {
    for (const HostList* list : {&model->egress.allowed, &model->egress.blocked}) {
      const bool blocks = list == &model->egress.blocked;
      for (const HostEntry& entry : list->entries()) {
        const std::string_view name =
            blocks ? "egress.blocked_destinations" : "egress.allowed_destinations";
        if (!changed(name, entry.entry.text)) continue;
        for (std::size_t i = 0; i < std::min<std::size_t>(entry.ports.size(), 8); ++i) {
          ports_.insert(entry.ports[i]);
        }
      }
    }
  }
  for (const PolicyModel* model : {&a_, &b_}) {
    for (const HostList* list : {&model->egress.allowed, &model->egress.blocked}) {
      const bool blocks = list == &model->egress.blocked;
      for (const HostEntry& entry : list->entries()) {
        const bool is_changed =
            changed(blocks ? "egress.blocked_destinations" : "egress.allowed_destinations",
                    entry.entry.text);
        if (!is_changed && !setting_changed()) continue;
        if (entry.pattern.kind() == HostPattern::Kind::kAddress) {
          put_host(text_of_address(entry.pattern));
          continue;
        }
        const std::string& host = entry.pattern.name();
        if (entry.pattern.kind() == HostPattern::Kind::kExact) put_host(host);
        if (is_changed || entry.pattern.kind() == HostPattern::Kind::kSuffix) {
          put_host("x." + host);
          put_host("a.b." + host);
        }
        if (is_changed) put_host(host);
      }
    }
  }
}

// A changed pattern by itself, beside other names, and below what the other lists name.
void Requests::paths() {
  std::vector<std::string> roots{std::string(kHome), "/srv"};
  std::vector<std::string> patterns;
  for (const char* tool : {"read_file", "write_file", "run_command"}) {
    for (const ToolRule* rule : rules(tool)) {
      const std::string start = "tool_invocations." + rule->name;
      for (const PathList* list : {&rule->path_allow, &rule->path_block}) {
        const std::string name =
            start + (list == &rule->path_allow ? ".path_allowlist" : ".path_blocklist");
        for (const Entry& entry : list->entries) {
          if (changed(name, entry.text) || setting_changed()) patterns.push_back(entry.text);
          std::string root = path_for(entry.text, kUser, kHome, "");
          while (root.ends_with('/')) root.pop_back();
          const bool below = entry.text.ends_with("**") && !entry.text.starts_with("**");
          if (below && roots.size() < kRootsMax && !root.empty()) roots.push_back(root);
        }
      }
    }
  }
  for (const std::string& pattern : patterns) {
    for (const char* filler : {"x", "x.txt", ".x", "deep/er"}) {
      put_path(path_for(pattern, kUser, kHome, filler));
    }
    const std::string whole = path_for(pattern, kUser, kHome, "x");
    if (whole.empty()) continue;
    put_path(whole + "/below");
    put_path(whole + "x");
    if (!pattern.starts_with("**")) continue;
    for (const std::string& root : roots) {
      put_path(root + whole.substr(std::min<std::size_t>(2, whole.size())));
      put_path(root + whole);
    }
  }
}

void Requests::commands() {
  std::set<std::string> wrapped;
  for (const ToolRule* rule : rules("run_command")) {
    for (const auto& [name, allowed] : rule->command_allow) {
      if (!setting_changed() && !changed("tool_invocations.run_command.command_allowlist", name)) {
        continue;
      }
      put_command(name);
      put_command(name + " x");
      // One line for each hazard that an entry can allow, for the programs that know it.
      for (const char* rest : {" -c core.pager=id log", " . -exec id ;", " id", " git status",
                               " exec x", " --upload-pack=id x", " -e id", " \"$X\" x",
                               " --config x=y", " -x id", " -a \"$X\""}) {
        put_command(name + rest);
      }
      wrapped.insert(name);
    }
    for (const CommandBlockEntry& one : rule->command_block) {
      if (!setting_changed() &&
          !changed("tool_invocations.run_command.command_blocklist", one.entry.text)) {
        continue;
      }
      put_command(one.entry.text);
      put_command(one.entry.text + " x");
      put_command(one.entry.text + " 'git status'");
    }
  }
}

// A call of the tool for each server and for each value that its entries name.
void Requests::put_tool(const std::string& tool, const ToolRule& rule) {
  std::vector<std::string> servers{"", "x"};
  for (const Entry& server : rule.servers) servers.push_back(server.text);
  if (tool.starts_with("mcp__")) {
    const std::size_t end = tool.find("__", 5);
    if (end != std::string::npos) servers.push_back(tool.substr(5, end - 5));
  }
  std::vector<std::string> arguments{"{}"};
  for (const std::string_view filler : {"x", "0"}) {
    std::string object;
    json::Writer writer(object);
    writer.begin_object();
    for (const ArgumentRule& one : rule.arguments) {
      if (!one.values.empty()) {
        writer.member(one.name, text_for(one.values.front().text, filler));
      }
    }
    writer.end_object();
    arguments.push_back(object);
  }
  for (const ArgumentRule& one : rule.arguments) {
    for (const Entry& value : one.values) {
      std::string object;
      json::Writer writer(object);
      writer.begin_object();
      for (const ArgumentRule& other : rule.arguments) {
        const Entry* chosen = &other == &one         ? &value
                              : other.values.empty() ? nullptr
                                                     : &other.values.front();
        if (chosen != nullptr) writer.member(other.name, text_for(chosen->text, "x"));
      }
      writer.end_object();
      arguments.push_back(object);
    }
  }
  for (const std::string& argument : arguments) {
    put({.tool = tool, .call = {.kind = OperationKind::kOther, .arguments = argument}});
    for (const std::string& server : servers) {
      if (server.empty()) continue;
      put({.tool = tool,
           .server = server,
           .call = {.kind = OperationKind::kMcpTool, .arguments = argument}});
      put({.tool = "mcp__" + server + "__x",
           .server = server,
           .call = {.kind = OperationKind::kMcpTool, .arguments = argument}});
    }
  }
}

// Each operation under the name of a tool: a name that blocked_tools closes, or an alias.
void Requests::put_operations(const std::string& tool) {
  std::string path = std::string(kHome) + "/x";
  std::string url = "https://example.com/", command = "true";
  for (const PolicyModel* model : {&a_, &b_}) {
    for (const ToolRule* rule : {model->tools.read_file, model->tools.write_file}) {
      if (rule == nullptr || rule->path_allow.entries.empty()) continue;
      const std::string one = path_for(rule->path_allow.entries[0].text, kUser, kHome, "x");
      if (!one.empty()) path = one;
    }
    for (const HostEntry& entry : model->egress.allowed.entries()) {
      if (entry.pattern.kind() != HostPattern::Kind::kExact) continue;
      url = "https://" + entry.pattern.name() + "/";
      break;
    }
    if (model->tools.run_command != nullptr && !model->tools.run_command->command_allow.empty()) {
      command = model->tools.run_command->command_allow.begin()->first;
    }
  }
  put({.tool = tool, .call = {.kind = OperationKind::kReadFile, .paths = {path}}});
  put({.tool = tool, .call = {.kind = OperationKind::kWriteFile, .paths = {path}}});
  put({.tool = tool, .call = {.kind = OperationKind::kRunCommand, .command = command}});
  put({.tool = tool, .call = {.kind = OperationKind::kEgress, .urls = {url}}});
  put({.tool = tool,
       .call = {.kind = OperationKind::kOther,
                .command = command,
                .paths = {path},
                .urls = {url},
                .arguments = "{}"}});
}

void Requests::tools() {
  for (const PolicyModel* model : {&a_, &b_}) {
    for (const auto* section : {&model->tools.allowed, &model->tools.blocked}) {
      for (const auto& [name, rule] : *section) {
        const bool is_changed =
            changed(section == &model->tools.allowed ? "tool_invocations.allowed_tools"
                                                     : "tool_invocations.blocked_tools",
                    name);
        if (!is_changed && !setting_changed()) continue;
        put_tool(name, rule);
        put_operations(name);
      }
    }
    for (const auto& [name, kind] : model->aliases) {
      if (setting_changed()) put_operations(name);
    }
  }
}

// What no list names, and what a setting alone decides.
void Requests::probes() {
  ports_ = {443};
  for (const char* host : {"unlisted.example", "10.0.0.1", "192.168.1.1", "fd00::1", "192.0.2.1"}) {
    put_host(host);
  }
  for (const char* path :
       {"/unlisted/x", "/home/dev/.bashrc", "/home/dev/x/.git/hooks/pre-commit"}) {
    put_path(path);
  }
  for (const char* line : {"unlisted", "true", "git status", "PATH=/x git log", "$X"}) {
    put_command(line);
  }
  for (const ToolRule* rule : rules("write_file")) {
    for (const Entry& entry : rule->path_allow.entries) {
      if (setting_changed() && entry.text.ends_with("**")) {
        put_path(path_for(entry.text, kUser, kHome, ".git") + "/hooks/x");
      }
    }
  }
  put({.tool = "Unlisted", .call = {.kind = OperationKind::kOther, .arguments = "{}"}});
  put({.tool = "mcp__x__y",
       .server = "x",
       .call = {.kind = OperationKind::kMcpTool, .arguments = "{}"}});
}

std::vector<ExampleRequest> Requests::run() {
  probes();
  hosts();
  paths();
  commands();
  tools();
  return std::move(out_);
}

// ---- comparing

int strictness(const Decision& decision) {
  return decision.action == audit::Action::kAllowed     ? 0
         : decision.action == audit::Action::kWouldDeny ? 1
                                                        : 2;
}

void compare(const Policy& a, const Policy& b, const std::vector<ExampleRequest>& requests,
             PolicyDiff& out) {
  std::map<std::string, std::size_t> regions;
  for (const ExampleRequest& request : requests) {
    Decision one = decide_example(a, request), two = decide_example(b, request);
    const int before = strictness(one), after = strictness(two);
    if (before == after) continue;
    const std::string region = std::to_string(before) + std::to_string(after) + one.rule + "\n" +
                               two.rule + "\n" + std::string(audit::name(one.operation.kind));
    const auto [at, is_new] = regions.emplace(region, out.differences.size());
    if (is_new) {
      out.differences.push_back({request, std::move(one), std::move(two), after > before, 1});
      continue;
    }
    PolicyDifference& known = out.differences[at->second];
    ++known.found;
    if (describe(request).size() < describe(known.example).size()) {
      const std::size_t found = known.found;
      known = {request, std::move(one), std::move(two), after > before, found};
    }
  }
}

PolicyRelation relation_of(const PolicyDiff& diff) {
  bool narrower = false, wider = false;
  for (const PolicyDifference& one : diff.differences) (one.narrower ? narrower : wider) = true;
  return narrower && wider ? PolicyRelation::kIncomparable
         : narrower        ? PolicyRelation::kNarrower
         : wider           ? PolicyRelation::kWider
                           : PolicyRelation::kNoDifferenceFound;
}

}  // namespace

std::string_view name(PolicyRelation relation) {
  switch (relation) {
    case PolicyRelation::kEquivalent:
      return "equivalent";
    case PolicyRelation::kNoDifferenceFound:
      return "no difference found";
    case PolicyRelation::kNarrower:
      return "narrower";
    case PolicyRelation::kWider:
      return "wider";
    case PolicyRelation::kIncomparable:
      break;
  }
  return "incomparable";
}

std::string describe(const ExampleRequest& request) {
  if (!request.protocol.empty()) {
    return "connection " + request.protocol + " " + request.host + ":" +
           std::to_string(request.port);
  }
  std::string out = request.tool;
  if (!request.server.empty()) out += " (server " + request.server + ")";
  if (request.call.kind == OperationKind::kRunCommand) return out + ": " + request.call.command;
  for (const auto* texts : {&request.call.paths, &request.call.urls}) {
    for (const std::string& text : *texts) out += " " + text;
  }
  if (!request.call.arguments.empty()) out += " " + request.call.arguments;
  return out;
}

Decision decide_example(const Policy& policy, const ExampleRequest& request) {
  if (!request.protocol.empty()) {
    return decide_connection(policy, request.host, request.port, request.protocol);
  }
  const UserRecord user{std::string(kUser), 1000, std::string(kHome)};
  const CallAnalysis analysis = analyse(request.call);
  return decide(policy, {"claude_code", request.tool, request.server}, analysis,
                observe(analysis, user, kHome, lexical_file_system()));
}

PolicyDiff diff_policies(const Policy& a, const Policy& b) {
  PolicyDiff out;
  const Changes changes = changes_of(a.model(), b.model());
  for (const auto& [line, kind] : changes.only_a) out.only_a.push_back(line);
  for (const auto& [line, kind] : changes.only_b) out.only_b.push_back(line);
  if (out.only_a.empty() && out.only_b.empty()) {
    // The same entries in whatever order decide the same (tests/rules/policy_properties_test.cpp).
    out.relation = PolicyRelation::kEquivalent;
    out.proved = true;
    return out;
  }
  const auto requests = Requests(a.model(), b.model(), changes).run();
  out.tried = requests.size();
  compare(a, b, requests, out);
  out.relation = relation_of(out);
  switch (out.relation) {
    case PolicyRelation::kNarrower:
      out.proved = only_widens(changes.only_b, changes.only_a);
      break;
    case PolicyRelation::kWider:
      out.proved = only_widens(changes.only_a, changes.only_b);
      break;
    case PolicyRelation::kIncomparable:
      out.proved = true;  // by the two examples
      break;
    default:
      break;
  }
  std::stable_sort(
      out.differences.begin(), out.differences.end(),
      [](const PolicyDifference& x, const PolicyDifference& y) { return x.narrower < y.narrower; });
  return out;
}

// ---- texts

namespace {

std::string side(const char* which, const Decision& decision, const Policy& policy) {
  std::string out = std::string("    ") + which + "  " + std::string(audit::name(decision.action)) +
                    " by " + printable(decision.rule);
  if (decision.line > 0) {
    out += " (" + printable(policy.file_name()) + ":" + std::to_string(decision.line) + ")";
  }
  return out + "\n";
}

std::string headline(const PolicyDiff& diff, const Policy& a, const Policy& b) {
  const std::string from = printable(a.file_name()), to = printable(b.file_name());
  const std::string tried = std::to_string(diff.tried) + " calls tried";
  switch (diff.relation) {
    case PolicyRelation::kEquivalent:
      return "equivalent: " + from + " and " + to + " have the same entries and settings\n";
    case PolicyRelation::kNoDifferenceFound:
      return "no difference found: the entries differ, and no call was found that " + from +
             " and " + to + " decide differently (" + tried + "); that is no proof\n";
    case PolicyRelation::kIncomparable:
      return "incomparable: " + to + " lets pass what " + from +
             " stops, and the other way round\n";
    case PolicyRelation::kNarrower:
    case PolicyRelation::kWider:
      break;
  }
  const bool narrower = diff.relation == PolicyRelation::kNarrower;
  return std::string(name(diff.relation)) + ": " + to +
         (narrower ? " stops more than " : " lets more pass than ") + from +
         (diff.proved ? "; its entries prove that nothing goes the other way\n"
                      : "; nothing was found the other way (" + tried + "), which is no proof\n");
}

}  // namespace

std::string to_text(const PolicyDiff& diff, const Policy& a, const Policy& b) {
  std::string out = headline(diff, a, b);
  for (const PolicyDifference& one : diff.differences) {
    out += std::string("\n  ") + (one.narrower ? "stopped by B: " : "let pass by B: ") +
           printable(describe(one.example));
    if (one.found > 1) out += "   (and " + std::to_string(one.found - 1) + " more tried like it)";
    out += "\n" + side("A", one.a, a) + side("B", one.b, b);
  }
  if (!diff.only_a.empty() || !diff.only_b.empty()) out += "\n";
  for (const std::string& line : diff.only_a) out += "  - " + printable(line) + "\n";
  for (const std::string& line : diff.only_b) out += "  + " + printable(line) + "\n";
  return out;
}

namespace {

void append_side(json::Writer& writer, const char* key, const Decision& decision) {
  writer.key(key).begin_object().member("action", audit::name(decision.action));
  writer.member("rule", decision.rule).member("line", decision.line);
  writer.member("reason_code", decision.reason_code).member("reason", decision.reason);
  writer.end_object();
}

void append_example(json::Writer& writer, const ExampleRequest& one) {
  writer.key("example").begin_object().member("text", describe(one));
  if (!one.protocol.empty()) {
    writer.member("host", one.host).member("port", one.port).member("protocol", one.protocol);
  } else {
    writer.member("tool", one.tool).member("server", one.server);
    writer.member("operation", audit::name(one.call.kind)).member("command", one.call.command);
    writer.key("paths").begin_array();
    for (const std::string& path : one.call.paths) writer.value(path);
    writer.end_array().key("urls").begin_array();
    for (const std::string& url : one.call.urls) writer.value(url);
    writer.end_array().member("arguments", one.call.arguments);
  }
  writer.end_object();
}

}  // namespace

std::string to_json(const PolicyDiff& diff, const Policy& a, const Policy& b) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("a", a.file_name()).member("b", b.file_name());
  writer.member("relation", name(diff.relation)).member("proved", diff.proved);
  writer.member("calls_tried", static_cast<std::uint64_t>(diff.tried));
  writer.key("differences").begin_array();
  for (const PolicyDifference& one : diff.differences) {
    writer.begin_object().member("direction", one.narrower ? "narrower" : "wider");
    append_example(writer, one.example);
    append_side(writer, "a", one.a);
    append_side(writer, "b", one.b);
    writer.member("found", static_cast<std::uint64_t>(one.found)).end_object();
  }
  writer.end_array();
  for (const auto& [key, lines] : {std::pair("only_a", &diff.only_a), {"only_b", &diff.only_b}}) {
    writer.key(key).begin_array();
    for (const std::string& line : *lines) writer.value(line);
    writer.end_array();
  }
  writer.end_object();
  return out + "\n";
}

}  // namespace lilith::rules
