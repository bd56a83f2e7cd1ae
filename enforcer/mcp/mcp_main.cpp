#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/mcp/proxy.hpp"
#include "rules/agents/agents.hpp"

#include <filesystem>
#include <unistd.h>

namespace lilith::enforcer::mcp {
namespace {

constexpr int kUsage = 2;

int complain(const std::string& message) {
  if (auto ignored = write_all(STDERR_FILENO, "lilith: " + message + "\n"); !ignored) return kUsage;
  return kUsage;
}

// The name stands in tool names (mcp__SERVER__TOOL) and in the name of a file.
bool is_server_name(std::string_view name) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  return !name.empty() && name.size() <= limits::kMcpServerNameBytesMax && name.front() != '.' &&
         name.find_first_not_of(kLetters) == std::string_view::npos &&
         name.find("__") == std::string_view::npos;
}

}  // namespace

int mcp_main(const McpArguments& arguments) {
  if (arguments.command.empty() == arguments.upstream.url.empty()) {
    return complain(
        "either --url URL or -- and the server's command is needed; see lilith mcp --help");
  }
  if (!is_server_name(arguments.server)) {
    return complain(
        "--server " + printable(arguments.server) +
        " is no name: letters, digits, '_', '-' and '.', at most 64, no '__' and no '.' "
        "in front; see lilith mcp --help");
  }
  std::string agent;
  if (!arguments.agent.empty()) {
    const auto known = agents::agent_from_name(arguments.agent);
    if (!known) return complain("--agent " + printable(arguments.agent) + " is not known");
    agent = agents::name(*known);
  }
  rules::UserRecord user;
  user.uid = static_cast<std::int64_t>(::getuid());
  if (auto known = rules::current_user()) user = *known;
  const Places places = machine_places(user.home);
  std::error_code error;
  const std::string cwd = std::filesystem::current_path(error).string();

  Pins pins(arguments.pin == "off" ? std::string()
                                   : pins_path(places.user_state, arguments.server));
  if (auto loaded = pins.load(); !loaded) return complain(loaded.error().message);
  const Clock& clock = system_clock();
  GateOptions gate_options{arguments.policy, arguments.recorder, agent, uuid_v7(clock.now()),
                           arguments.engine};
  gate_options.keeps_log = true;
  Gate gate(std::move(gate_options), clock, rules::real_file_system(), user, places,
            agent_process_of(::getpid()), cwd);
  const PinMode pin = arguments.pin == "off"    ? PinMode::kOff
                      : arguments.pin == "deny" ? PinMode::kDeny
                                                : PinMode::kRecord;
  SessionOptions options{arguments.server, pin, {}};
  std::vector<std::string> command = arguments.command;
  if (!arguments.upstream.url.empty()) {
    auto judged = judge_upstream(gate, arguments.server, arguments.upstream);
    if (!judged) return complain(judged.error().message);
    command = std::move(judged->command);
    options.url = std::move(judged->url);
  }
  Session session(gate, pins, std::move(options));
  const auto code = run_proxy({std::move(command)}, session);
  return code ? *code : complain(code.error().message);
}

}  // namespace lilith::enforcer::mcp
