// Of `lilith doctor`: agents' settings, versions and hook lines.

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/setup/canary.hpp"
#include "enforcer/setup/doctor.hpp"
#include "enforcer/setup/hook_line.hpp"
#include "enforcer/setup/ownership.hpp"
#include "rules/path.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

std::string cli_name(Agent agent) {
  std::string out(agents::name(agent));
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::string install_command(Agent agent, Scope scope) {
  std::string out = "lilith install " + cli_name(agent);
  if (scope != Scope::kUser) out += " --scope " + std::string(name(scope));
  return out;
}

class HookCheck {
 public:
  HookCheck(const DoctorContext& context, const AgentSurvey& agent)
      : context_(context), agent_(agent), subject_(agents::name(agent.agent)) {}

  std::vector<Finding> run() {
    for (const FoundSettings& one : agent_.settings) look_at(one);
    if (agent_.hook == HookState::kMissing) {
      add(Severity::kError, "hook.missing", "no hook of lilith is in its settings",
          install_command(agent_.agent, Scope::kUser));
    }
    const auto files = std::count_if(agent_.settings.begin(), agent_.settings.end(),
                                     [](const FoundSettings& one) { return !one.hooks.empty(); });
    if (files > 1) {
      add(Severity::kNote, "hook.twice",
          "the hook is installed in several files: each call is decided and recorded as often",
          "lilith uninstall " + cli_name(agent_.agent) + " for all scopes but one");
    }
    if (agent_.agent == Agent::kCodex && files > 0) {
      add(Severity::kNote, "hook.trust",
          "whether its user trusted the hook can't be seen from here; Codex skips one that is not",
          "start codex, type /hooks");
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string check, std::string message, std::string fix = {}) {
    findings_.push_back({severity, std::move(check), subject_, std::move(message), std::move(fix)});
  }

  void look_at(const FoundSettings& one) {
    if (!one.problem.empty()) {
      return add(Severity::kError, "settings.unreadable", one.problem, "put the file right");
    }
    if (one.disabled) {
      add(Severity::kError, "hook.disabled", printable(one.path) + " switches all hooks off",
          "take disableAllHooks out of it, or " + install_command(agent_.agent, Scope::kManaged));
    }
    if (one.hooks.empty()) return;
    std::vector<std::string> lines;
    for (const InstalledHook& hook : one.hooks) {
      if (std::find(lines.begin(), lines.end(), hook.line) == lines.end())
        lines.push_back(hook.line);
    }
    check_events(one);
    for (const std::string& line : lines) check_line(one, line);
  }

  // Each event at which a tool waits must have the hook.
  void check_events(const FoundSettings& one) {
    const auto fresh = with_hook(agent_.agent, {}, one.hooks.front().line, false);
    const auto root = fresh ? parse_jsonc(*fresh) : Result<JsonNode>(JsonNode{});
    if (!root) return;
    for (const InstalledHook& wanted : installed_hooks(agent_.agent, *root)) {
      const bool there = std::any_of(one.hooks.begin(), one.hooks.end(),
                                     [&](const auto& hook) { return hook.event == wanted.event; });
      if (there) continue;
      add(Severity::kError, "hook.incomplete",
          printable(one.path) + " has no hook for " + wanted.event,
          install_command(agent_.agent, one.scope));
    }
  }

  void check_line(const FoundSettings& one, const std::string& line) {
    const auto found = read_hook_line(line);
    if (!found) return;
    const std::string option = policy_option(line);
    const FoundPolicy policy = find_policy(context_.places, option, rules::real_file_system());
    const bool enforces = policy.load.policy == nullptr || policy.load.policy->enforces();
    if (!found->fails_closed) {
      add(enforces ? Severity::kError : Severity::kNote, "hook.fails_open",
          "the line in " + printable(one.path) +
              " does not end in \"|| exit 2\": a program that is missing or killed lets tools run",
          install_command(agent_.agent, one.scope));
    }
    if (const std::string who = who_else_can_write(found->program, ::geteuid()); !who.empty()) {
      add(Severity::kError, "program.writable", "others can change the hook's program: " + who,
          "sudo chown root:root FILE && sudo chmod go-w FILE, for that file or folder");
    }
    const std::string why = why_not_run(line, context_.own_folder, one.scope == Scope::kProject);
    if (!why.empty()) {
      return add(Severity::kWarning, "canary.not_tried", printable(one.path) + ": " + why,
                 install_command(agent_.agent, one.scope));
    }
    if (is_of_another_user(one.path)) {
      return add(
          Severity::kNote, "canary.not_tried",
          printable(one.path) + " belongs to another user, and its line is not run as this one",
          "run lilith doctor as that user");
    }
    try_line(one, line, policy);
  }

  [[nodiscard]] static bool is_of_another_user(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && info.st_uid != 0 && info.st_uid != ::geteuid();
  }

  // The word behind --policy, so that the doctor asks the policy that the line asks.
  [[nodiscard]] std::string policy_option(const std::string& given) const {
    constexpr std::string_view kOption = " --policy ";
    const std::string line = plain_line(given);
    const std::size_t at = line.find(kOption);
    if (at == std::string::npos) return context_.policy;
    std::string word = line.substr(at + kOption.size());
    if (word.starts_with('\'')) return word.substr(1, word.find('\'', 1) - 1);
    return word.substr(0, word.find(' '));
  }

  void try_line(const FoundSettings& one, const std::string& line, const FoundPolicy& policy) {
    const std::string token = "lilith-doctor-" + uuid_v7(system_clock().now());
    const auto ran = run_child({"/bin/sh", "-c", line}, canary_event(agent_.agent, token),
                               limits::kDoctorCanaryDeadline);
    const std::string fix = install_command(agent_.agent, one.scope);
    if (!ran) return add(Severity::kError, "canary.not_started", ran.error().message, fix);
    if (ran->timed_out) {
      return add(Severity::kError, "canary.slow",
                 "the hook gave no answer in the time that agents wait; they then run the tool",
                 "look why the machine is so slow; lilith's own deadline is 1.5 s");
    }
    const std::string said = printable(utf8_prefix(ran->err, 300));
    const bool spoke = ran->err.starts_with("lilith: ");
    if (ran->exit_code == 2 && !spoke) {
      return add(Severity::kError, "canary.no_hook",
                 "the line denies everything, because the hook itself does not run: " + said, fix);
    }
    const bool enforces = policy.load.policy == nullptr || policy.load.policy->enforces();
    if (ran->exit_code != 2 && (ran->exit_code != 0 || enforces)) {
      return add(Severity::kError, "canary.not_denied",
                 "a call that must be denied ended with exit code " +
                     std::to_string(ran->exit_code) + (said.empty() ? "" : ": " + said),
                 fix);
    }
    const std::string form = agents::deny_answer(agent_.agent, "x").standard_output;
    if (ran->exit_code == 2 && !form.empty() && ran->out.find("\"deny\"") == std::string::npos) {
      add(Severity::kWarning, "canary.output", "the denial lacks the output that this agent reads",
          fix);
    }
    judge_event(token, policy, ran->exit_code == 2, said);
  }

  void judge_event(const std::string& token, const FoundPolicy& policy, bool denied,
                   const std::string& said) {
    std::vector<std::string> logs{context_.places.user_state + "/agent-audit.log"};
    if (policy.load.policy) logs.push_back(policy.load.policy->audit().log_path);
    std::string problem;
    const auto event = find_in_log(logs, token, problem);
    if (event && event->reason_code == kCanaryCode) {
      return add(Severity::kOk, "canary",
                 denied ? "the installed line denies a call that must be denied, and the log has it"
                        : "the installed line runs in audit mode, and the log has its verdict");
    }
    if (event) {
      return add(Severity::kError, "canary.broken",
                 "the hook runs and denies everything: " + event->reason,
                 "lilith policy check FILE says what is wrong with the policy");
    }
    if (!denied) {
      return add(Severity::kError, "canary.not_recorded",
                 "the call was let through in audit mode, and no event of it is in the log" +
                     (problem.empty() ? std::string() : " (" + problem + ")"),
                 "look at audit.log_path of the policy, and at the recorder");
    }
    add(problem.empty() ? Severity::kWarning : Severity::kNote, "canary.unseen",
        "the installed line denies (" + said + "); its event was not found in the log" +
            (problem.empty() ? std::string() : ": " + problem),
        problem.empty() ? "look at audit.log_path of the policy, and at the recorder"
                        : "run this as a user who may read the log");
  }

  const DoctorContext& context_;
  const AgentSurvey& agent_;
  std::string subject_;
  std::vector<Finding> findings_;
};

// ---- versions ----

using Version = std::array<int, 3>;
Version version_from(std::string_view text) {
  Version out{};
  for (int& part : out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
    if (error != std::errc{}) break;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  return out;
}

struct KnownVersions {
  Agent agent;
  Version from, before;  // [from, before)
  Severity severity;
  const char* message;
  const char* fix;
};
// Sources: docs/agents.md, "Versions".
constexpr std::array kKnown{
    KnownVersions{Agent::kClaudeCode,
                  {0, 0, 0},
                  {2, 1, 295},
                  Severity::kWarning,
                  "has no onFailure: only the line's \"|| exit 2\" keeps it from running tools "
                  "when a hook fails, and nothing does when a hook is slower than its timeout",
                  "update Claude Code to 2.1.295 or later"},
    KnownVersions{Agent::kGhCopilotCli,
                  {1, 0, 65},
                  {1, 0, 74},
                  Severity::kError,
                  "was seen to run tools that a hook had denied (github/copilot-cli #3874, a probe "
                  "of 1.0.73)",
                  "update Copilot CLI to 1.0.83 or later"},
    KnownVersions{Agent::kCodex,
                  {0, 0, 0},
                  {0, 124, 0},
                  Severity::kError,
                  "has hooks switched off by default",
                  "update Codex to 0.124.0 or later"},
    KnownVersions{Agent::kCursor,
                  {3, 10, 20},
                  {3, 10, 21},
                  Severity::kError,
                  "was seen to load no hooks at all",
                  "update Cursor, and look at its output channel \"Hooks\""},
};

}  // namespace

std::vector<Finding> check_versions(const std::vector<AgentSurvey>& agents) {
  std::vector<Finding> out;
  for (const AgentSurvey& agent : agents) {
    for (const FoundProgram& program : agent.programs) {
      const std::string subject(agents::name(agent.agent));
      if (program.version.empty()) {
        out.push_back({Severity::kNote, "version.unknown", subject,
                       "the version of " + printable(program.path) + " is not known", ""});
        continue;
      }
      const Version version = version_from(program.version);
      bool known = false;
      for (const KnownVersions& row : kKnown) {
        if (row.agent != agent.agent || version < row.from || version >= row.before) continue;
        known = true;
        out.push_back(
            {row.severity, "version.fails_open", subject,
             printable(program.path) + " " + printable(program.version) + " " + row.message,
             row.fix});
      }
      if (!known) {
        out.push_back({Severity::kOk, "version", subject,
                       printable(program.path) + " " + printable(program.version) +
                           ": nothing is known against it",
                       ""});
      }
    }
  }
  return out;
}

std::vector<Finding> check_hooks(const DoctorContext& context) {
  std::vector<AgentSurvey> agents = survey(context.place);
  std::erase_if(agents, [&context](const AgentSurvey& one) {
    const auto& wanted = context.wanted;
    return wanted.empty() ? !one.present
                          : std::find(wanted.begin(), wanted.end(), one.agent) == wanted.end();
  });
  std::vector<Finding> out;
  if (agents.empty()) {
    out.push_back({Severity::kWarning, "agents.none", "agents", "no agent was found",
                   "name one: lilith doctor claude-code"});
  }
  for (const AgentSurvey& agent : agents) {
    for (Finding& finding : HookCheck(context, agent).run()) out.push_back(std::move(finding));
  }
  for (Finding& finding : check_versions(agents)) out.push_back(std::move(finding));
  return out;
}

}  // namespace lilith::enforcer::setup
