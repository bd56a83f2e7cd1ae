#include "enforcer/hook_main.hpp"

#include "audit/base/text.hpp"
#include "enforcer/guard.hpp"
#include "enforcer/hook.hpp"
#include "enforcer/seal_behind.hpp"
#include "rules/decide.hpp"

#include <charconv>
#include <exception>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer {
namespace {

const std::vector<std::string_view>& option_names() {
  static const std::vector<std::string_view> names{
      "--agent", "--policy", "--event", "--recorder", "--on-error", "--deadline", "--help"};
  return names;
}

struct ParsedOptions {
  HookOptions options;
  bool help = false;
};

std::unexpected<Error> usage(std::string message) {
  return fail(ErrorCode::kInvalidInput, std::move(message) + "; see lilith hook --help");
}

Result<void> set_option(std::string_view name, const std::string& value, bool& agent_given,
                        HookOptions& options) {
  if (name == "--agent") {
    const auto agent = agents::agent_from_name(value);
    if (!agent) {
      std::string known;
      for (const std::string_view one : agents::agent_names()) known += " " + std::string(one);
      return usage("--agent " + printable(value) + " is not known; there are" + known);
    }
    options.agent = *agent;
    agent_given = true;
  } else if (name == "--policy") {
    options.policy = value;
  } else if (name == "--event") {
    options.event = value;
  } else if (name == "--recorder") {
    options.recorder = value;
  } else if (name == "--on-error") {
    if (value != "allow" && value != "deny") return usage("--on-error is allow or deny");
    options.allow_on_error = value == "allow";
  } else {
    long milliseconds = 0;
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    if (error != std::errc{} || end != value.data() + value.size() ||
        milliseconds < limits::kHookDeadlineMin.count() ||
        milliseconds > limits::kHookDeadlineMax.count()) {
      return usage("--deadline wants milliseconds from " +
                   std::to_string(limits::kHookDeadlineMin.count()) + " to " +
                   std::to_string(limits::kHookDeadlineMax.count()));
    }
    options.deadline = std::chrono::milliseconds(milliseconds);
  }
  return {};
}

// --name value and --name=value. `parsed` keeps what was read before an error, so that the answer
// can take the agent's form.
Result<void> parse(int argc, char** argv, ParsedOptions& parsed) {
  bool agent_given = false;
  for (int i = 0; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--help" || word == "-h") {
      parsed.help = true;
      return {};
    }
    std::optional<std::string> value;
    if (const std::size_t equals = word.find('=');
        word.starts_with("--") && equals != std::string_view::npos) {
      value = word.substr(equals + 1);
      word = word.substr(0, equals);
    }
    bool known = false;
    for (const std::string_view name : option_names()) known = known || name == word;
    if (!known) {
      const std::string_view near = did_you_mean(word, option_names());
      return usage("no option is called " + printable(word) +
                   (near.empty() ? std::string() : ", did you mean " + std::string(near) + "?"));
    }
    if (!value && i + 1 < argc) value = argv[++i];
    if (!value || value->empty()) return usage(std::string(word) + " wants a value");
    if (auto set = set_option(word, *value, agent_given, parsed.options); !set) return set;
  }
  if (!agent_given) return usage("--agent is missing");
  return {};
}

agents::Answer guarded(const HookOptions& options) {
  std::string why = "out of memory";
  try {
    rules::UserRecord user;
    user.uid = static_cast<std::int64_t>(::getuid());
    auto known = rules::current_user();
    const bool ask = !known && known.error().code == ErrorCode::kUnavailable;
    if (ask && options.hand_over != nullptr) options.hand_over();
    if (known) user = *known;
    return run_hook(options,
                    {system_clock(), rules::real_file_system(), user, machine_places(user.home)});
  } catch (const std::exception& error) {
    why = std::string("internal error: ") + error.what();
  } catch (...) {
    why = "internal error";
  }
  if (guard_lets_through()) {
    agents::Answer answer = agents::allow_answer(options.agent);
    answer.standard_error = "lilith: " + why + "; let through in audit mode\n";
    return answer;
  }
  return agents::deny_answer(options.agent, why);
}

}  // namespace

std::string hook_help() {
  return "lilith hook --agent NAME [options]: one hook event on standard input -> a verdict\n"
         "\n"
         "  --agent NAME       claude_code, vscode_copilot, gh_copilot_cli, cursor, codex, "
         "gemini_cli\n"
         "                     or windsurf (hyphens will do)\n"
         "  --policy FILE      else $LILITH_POLICY, /etc/lilith/lilith-policy.yaml,\n"
         "                     ~/.config/lilith/lilith-policy.yaml; a root-owned policy under "
         "/etc\n"
         "                     comes first unless it says allow_user_policy: true\n"
         "  --event NAME       for events that don't name themselves (Copilot CLI: preToolUse)\n"
         "  --recorder SOCKET  else /run/lilith/recorder.sock where it exists, $LILITH_RECORDER,\n"
         "                     or the log itself\n"
         "  --on-error WHAT    deny (default) or allow, for a roll-out in audit mode; allow has "
         "no\n"
         "                     effect once a policy was enforced here\n"
         "  --deadline MS      100 to 8000, default 1500; then the answer is deny\n"
         "\n"
         "Exit codes: 0 the tool may run (nothing is printed), 2 it may not (reason on standard\n"
         "error, JSON for the agent on standard output). There is no other.\n";
}

void hook_main(int argc, char** argv, const char* version, void (*hand_over)()) {
  open_standard_descriptors();
  ParsedOptions parsed;
  const auto read = parse(argc, argv, parsed);
  if (read && parsed.help) finish({0, hook_help(), {}});
  if (!read) finish(agents::deny_answer(parsed.options.agent, read.error().message));
  arm_guard(parsed.options.agent, parsed.options.deadline);
  parsed.options.engine = version;
  parsed.options.hand_over = hand_over;
  std::optional<audit::LogOptions> seal_later;
  parsed.options.seal_later = &seal_later;
  const agents::Answer answer = guarded(parsed.options);
  give(answer);
  if (seal_later) seal_behind(*seal_later);
  ::_exit(answer.exit_code);
}

}  // namespace lilith::enforcer
