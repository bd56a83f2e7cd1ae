#include "enforcer/setup/inventory.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "audit/redact.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/gate.hpp"
#include "enforcer/setup/hook_line.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <pwd.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

namespace fs = std::filesystem;

// As people would type it, without secrets.
std::string command_line(const McpServer& server) {
  std::string out = server.command.empty() ? server.url : shell_word(server.command);
  for (const std::string& word : server.args) out += " " + shell_word(word);
  std::ignore = audit::redact_text(out);
  return out;
}

std::string hook_path(const AgentSurvey& agent) {
  for (const FoundSettings& one : agent.settings) {
    if (!one.hooks.empty()) return one.path;
  }
  return {};
}

std::vector<std::string> problems_of(const AgentSurvey& agent) {
  std::vector<std::string> out = agent.mcp.problems;
  for (const FoundSettings& one : agent.settings) {
    if (!one.problem.empty() && std::find(out.begin(), out.end(), one.problem) == out.end()) {
      out.push_back(one.problem);
    }
  }
  return out;
}

std::string rows_to_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(width[i] + 2 - row[i].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

void write_server(const McpServer& server, json::Writer& writer) {
  writer.begin_object().member("name", server.name).member("source", server.source);
  writer.member("transport", server.command.empty() ? "http" : "stdio");
  writer.member("command_line", command_line(server));
  writer.member("version", name(server.pin)).member("guarded", server.guarded).end_object();
}

void write_agent(const AgentSurvey& agent, json::Writer& writer) {
  writer.begin_object().member("agent", agents::name(agent.agent));
  writer.key("programs").begin_array();
  for (const FoundProgram& program : agent.programs) {
    writer.begin_object().member("path", program.path).member("version", program.version);
    writer.end_object();
  }
  writer.end_array().member("hook", name(agent.hook)).key("settings").begin_array();
  for (const FoundSettings& one : agent.settings) {
    writer.begin_object().member("scope", name(one.scope)).member("path", one.path);
    writer.member("problem", one.problem).member("disabled", one.disabled);
    writer.key("hooks").begin_array();
    for (const InstalledHook& hook : one.hooks) {
      writer.begin_object().member("event", hook.event).member("line", hook.line).end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array().key("mcp_servers").begin_array();
  for (const McpServer& server : agent.mcp.servers) write_server(server, writer);
  writer.end_array().key("problems").begin_array();
  for (const std::string& problem : problems_of(agent)) writer.value(problem);
  writer.end_array().end_object();
}

struct Account {
  std::string name, home;
  std::int64_t uid = -1;
};
// Users of the name service with a home directory; of several with the same home the first.
std::vector<Account> accounts() {
  std::vector<Account> out;
  ::setpwent();
  while (const passwd* entry = ::getpwent()) {
    if (out.size() >= limits::kInventoryUsersMax) break;
    Account one{entry->pw_name, entry->pw_dir, static_cast<std::int64_t>(entry->pw_uid)};
    while (one.home.size() > 1 && one.home.ends_with('/')) one.home.pop_back();
    struct stat info{};
    if (one.home.size() < 2 || ::stat(one.home.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
        std::any_of(out.begin(), out.end(),
                    [&one](const Account& other) { return other.home == one.home; })) {
      continue;
    }
    out.push_back(std::move(one));
  }
  ::endpwent();
  return out;
}

std::vector<Account> wanted_accounts(const std::string& home) {
  if (home.empty()) return accounts();
  std::error_code ignored;
  const std::string path = fs::absolute(home, ignored).lexically_normal().string();
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  Account one{std::to_string(info.st_uid), path, static_cast<std::int64_t>(info.st_uid)};
  if (const passwd* entry = ::getpwuid(info.st_uid)) one.name = entry->pw_name;
  return {one};
}

UserSurvey survey_of(const Account& account, const InventoryArguments& arguments) {
  SurveyPlace place;
  place.anchors.home = account.home;
  place.anchors.project = arguments.project;
  UserSurvey user{account.name, account.uid, account.home, {}};
  for (AgentSurvey& agent : survey(place)) {
    if (agent.present || !problems_of(agent).empty()) user.agents.push_back(std::move(agent));
  }
  return user;
}

audit::Event event_about(const Gate& gate, const UserSurvey& user, const AgentSurvey& agent) {
  audit::Event event = gate.blank_event(audit::EventType::kInventory);
  event.category = audit::Category::kInventory;
  event.action = audit::Action::kRecorded;
  event.agent = agents::name(agent.agent);
  event.facts.user = user.user;
  event.facts.uid = user.uid;
  return event;
}

std::vector<audit::Event> events_of(const Gate& gate, const UserSurvey& user,
                                    const AgentSurvey& agent) {
  std::vector<audit::Event> out;
  audit::Event event = event_about(gate, user, agent);
  event.reason_code = "inventory.agent";
  event.reason =
      event.agent + " of " + user.user + ": its hook is " + std::string(name(agent.hook));
  event.detail.emplace_back("hook", name(agent.hook));
  if (!agent.version().empty()) event.detail.emplace_back("version", agent.version());
  if (!agent.programs.empty()) event.detail.emplace_back("program", agent.programs.front().path);
  if (!hook_path(agent).empty()) event.detail.emplace_back("settings", hook_path(agent));
  out.push_back(std::move(event));
  for (const McpServer& server : agent.mcp.servers) {
    event = event_about(gate, user, agent);
    event.server = server.name;
    event.reason_code = "inventory.mcp_server";
    event.reason = "the MCP server " + server.name + " of " + event.agent + " is " +
                   std::string(name(server.pin));
    event.detail.emplace_back("version", name(server.pin));
    event.detail.emplace_back("guarded", server.guarded ? "yes" : "no");
    event.detail.emplace_back("command_line", command_line(server));
    event.detail.emplace_back("source", server.source);
    out.push_back(std::move(event));
  }
  for (const std::string& problem : problems_of(agent)) {
    event = event_about(gate, user, agent);
    event.reason_code = "inventory.unread";
    event.reason = problem;
    out.push_back(std::move(event));
  }
  return out;
}

Result<void> append_events(const std::vector<UserSurvey>& users,
                           const InventoryArguments& arguments) {
  rules::UserRecord self;
  self.uid = static_cast<std::int64_t>(::getuid());
  if (auto known = rules::current_user()) self = *known;
  std::error_code ignored;
  const Clock& clock = system_clock();
  const Gate gate(
      {arguments.policy, arguments.recorder, {}, uuid_v7(clock.now()), arguments.engine}, clock,
      rules::real_file_system(), self, machine_places(self.home), agent_process_of(::getpid()),
      fs::current_path(ignored).string());
  for (const UserSurvey& user : users) {
    for (const AgentSurvey& agent : user.agents) {
      for (audit::Event& event : events_of(gate, user, agent)) {
        if (auto written = gate.write(event); !written) return written;
      }
    }
  }
  return {};
}

}  // namespace

std::string to_table(const std::vector<UserSurvey>& users) {
  std::vector<std::vector<std::string>> rows{{"USER", "AGENT", "VERSION", "HOOK", "SETTINGS"}};
  std::vector<std::vector<std::string>> servers{
      {"USER", "AGENT", "MCP SERVER", "VERSION", "GUARDED", "COMMAND"}};
  std::string problems;
  for (const UserSurvey& user : users) {
    for (const AgentSurvey& agent : user.agents) {
      const std::string agent_name(agents::name(agent.agent));
      rows.push_back({printable(user.user), agent_name, or_dash(agent.version()),
                      std::string(name(agent.hook)), or_dash(hook_path(agent))});
      for (const McpServer& server : agent.mcp.servers) {
        servers.push_back({printable(user.user), agent_name, printable(server.name),
                           std::string(name(server.pin)), server.guarded ? "yes" : "no",
                           printable(command_line(server))});
      }
      for (const std::string& problem : problems_of(agent))
        problems += "not read: " + problem + "\n";
    }
  }
  if (rows.size() == 1) return "no agent was found\n";
  std::string out = rows_to_text(rows);
  if (servers.size() > 1) out += "\n" + rows_to_text(servers);
  return problems.empty() ? out : out + "\n" + problems;
}

std::string to_json(const std::vector<UserSurvey>& users) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().key("users").begin_array();
  for (const UserSurvey& user : users) {
    writer.begin_object().member("user", user.user).member("uid", user.uid);
    writer.member("home", user.home).key("agents").begin_array();
    for (const AgentSurvey& agent : user.agents) write_agent(agent, writer);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return out + "\n";
}

int inventory_main(const InventoryArguments& arguments) {
  std::vector<UserSurvey> users;
  bool all_read = true;
  const auto wanted = wanted_accounts(arguments.home);
  if (wanted.empty()) {
    return complain("there is no home directory" +
                        (arguments.home.empty() ? std::string() : " " + printable(arguments.home)),
                    kIncomplete);
  }
  for (const Account& account : wanted) {
    if (::access(account.home.c_str(), R_OK | X_OK) != 0) {
      complain(printable(account.home) + " of " + printable(account.name) +
                   " can't be looked into; run this as root for all users",
               kIncomplete);
      all_read = false;
      continue;
    }
    UserSurvey user = survey_of(account, arguments);
    for (const AgentSurvey& agent : user.agents) all_read = all_read && problems_of(agent).empty();
    if (!user.agents.empty()) users.push_back(std::move(user));
  }
  print(arguments.json ? to_json(users) : to_table(users));
  if (!arguments.no_events) {
    if (auto written = append_events(users, arguments); !written) {
      return complain("the events are not in the audit log: " + written.error().message,
                      kIncomplete);
    }
  }
  return all_read ? kGood : kIncomplete;
}

}  // namespace lilith::enforcer::setup
