#include "enforcer/setup/install.hpp"

#include "audit/base/text.hpp"
#include "audit/base/users.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/recording.hpp"
#include "enforcer/setup/hook_line.hpp"
#include "enforcer/setup/text_diff.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

Result<std::vector<InstalledHook>> hooks_in(Agent agent, const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return std::vector<InstalledHook>{};
  auto root = parse_jsonc(text);
  if (!root) return pass_error(root);
  return installed_hooks(agent, *root);
}

bool all_have_line(const std::vector<InstalledHook>& hooks, const std::string& line) {
  return std::all_of(hooks.begin(), hooks.end(),
                     [&line](const InstalledHook& hook) { return hook.line == line; });
}

bool same_events(const std::vector<InstalledHook>& one, const std::vector<InstalledHook>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const auto& a, const auto& b) { return a.event == b.event; });
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string absolute(const std::string& path) {
  std::error_code ignored;
  std::string out = std::filesystem::absolute(path, ignored).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

Result<std::string> home_directory(const InstallArguments& arguments) {
  if (!arguments.home.empty()) return absolute(arguments.home);
  auto user = user_by_id(::getuid());
  if (!user) return pass_error(user);
  if (user->home.empty()) {
    return fail(ErrorCode::kInvalidInput, "this user has no home directory; say --home or --file");
  }
  return user->home;
}

Result<Agent> agent_of(const InstallArguments& arguments) {
  if (const auto agent = agents::agent_from_name(arguments.agent)) return *agent;
  std::string known;
  for (const std::string_view one : agents::agent_names()) known += " " + std::string(one);
  return fail(ErrorCode::kInvalidInput,
              "no agent is called " + printable(arguments.agent) + "; there are" + known);
}

Result<SettingsPlace> place_of(const InstallArguments& arguments, Agent agent) {
  if (!arguments.file.empty()) {
    const std::filesystem::path path(absolute(arguments.file));
    return SettingsPlace{path.parent_path().string(), path.filename().string(), true};
  }
  const auto scope = scope_from_name(arguments.scope);
  if (!scope) {
    return fail(ErrorCode::kInvalidInput, "--scope is user, project or managed");
  }
  Anchors anchors;
  anchors.project = absolute(arguments.project);
  if (*scope == Scope::kUser) {
    auto home = home_directory(arguments);
    if (!home) return pass_error(home);
    anchors.home = std::move(*home);
    if (arguments.home.empty()) anchors.variable = from_environment;
  }
  auto place = settings_place(agent, *scope, anchors);
  if (!place) {
    return fail(ErrorCode::kInvalidInput,
                std::string(agents::name(agent)) +
                    " has no managed file that lilith could edit; see docs/agents.md");
  }
  return *place;
}

// lilith-hook beside this program, where it is installed; else this program.
Result<std::string> program_of(const InstallArguments& arguments) {
  std::string program = arguments.program;
  if (program.empty()) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return fail(ErrorCode::kIo, "cannot tell this program's place; say --program");
    program = (self.parent_path() / "lilith-hook").string();
    if (::access(program.c_str(), X_OK) != 0) program = self.string();
  }
  program = absolute(program);
  struct stat info{};
  if (::stat(program.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
      ::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::kInvalidInput,
                printable(program) + " is no program that can be started");
  }
  const std::string name = std::filesystem::path(program).filename().string();
  if (name != "lilith" && name != "lilith-hook") {
    return fail(ErrorCode::kInvalidInput,
                printable(program) + " must be called lilith or lilith-hook");
  }
  return program;
}

Result<std::string> line_of(const InstallArguments& arguments, Agent agent) {
  auto program = program_of(arguments);
  if (!program) return program;
  HookLine line{std::move(*program), agent, {}, {}, arguments.rollout};
  if (!arguments.policy.empty()) line.policy = absolute(arguments.policy);
  if (!arguments.recorder.empty()) line.recorder = absolute(arguments.recorder);
  if (arguments.rollout) {
    const auto home = home_directory(arguments);
    const std::string marker = enforcement_seen(machine_places(home ? *home : std::string()));
    if (!marker.empty()) {
      return fail(ErrorCode::kInvalidInput,
                  "--audit-rollout: a policy was enforced here already (" + printable(marker) +
                      "); remove that file to go back to a roll-out");
    }
  }
  return to_shell(line);
}

// The backup goes first when it is made and last when it is removed: at no time is the only copy of
// the file from before gone.
Result<void> apply(const SettingsPlace& place, const SettingsFile& file, const SettingsFile& backup,
                   const Edit& edit) {
  const SettingsPlace beside = place.beside(kBackupEnding);
  const bool backup_changes = edit.backup.there != backup.there || edit.backup.text != backup.text;
  if (backup_changes && edit.backup.there) {
    SettingsFile as_read = file;  // mode and owner of the file that it is the backup of
    as_read.there = backup.there;
    as_read.text = backup.text;
    if (auto put = write_settings(beside, as_read, edit.backup.text); !put) return put;
  }
  auto done =
      edit.file.there ? write_settings(place, file, edit.file.text) : remove_settings(place, file);
  if (!done) return done;
  if (backup_changes && !edit.backup.there) return remove_settings(beside, backup);
  return {};
}

struct Prepared {
  Agent agent = Agent::kClaudeCode;
  SettingsPlace place;
  SettingsFile file, backup;
};
Result<Prepared> prepare(const InstallArguments& arguments) {
  Prepared out;
  auto agent = agent_of(arguments);
  if (!agent) return pass_error(agent);
  out.agent = *agent;
  auto place = place_of(arguments, *agent);
  if (!place) return pass_error(place);
  out.place = std::move(*place);
  auto file = read_settings(out.place);
  if (!file) return pass_error(file);
  out.file = std::move(*file);
  auto backup = read_settings(out.place.beside(kBackupEnding));
  if (!backup) return pass_error(backup);
  out.backup = std::move(*backup);
  return out;
}

int failed(const Error& error) { return complain(error.message, code_of(error)); }

int unusable(const SettingsPlace& place, const Error& error) {
  return complain(printable(place.path()) + ": " + error.message +
                      "; nothing was changed: put it right, then try again",
                  kUsage);
}

std::string diff_of(const Prepared& now, const Edit& edit) {
  const std::string path = now.place.path();
  return unified_diff(now.file.text, edit.file.there ? edit.file.text : std::string(),
                      now.file.there ? path : "/dev/null", edit.file.there ? path : "/dev/null");
}

// Makes the change. The exit code where that was not to be or failed, and everything was said.
std::optional<int> carry_out(const Prepared& now, const Edit& edit, bool dry_run,
                             const std::string& unchanged) {
  if (!edit.changed) {
    print(unchanged + "; nothing was changed\n");
    return kGood;
  }
  if (dry_run) {
    print(diff_of(now, edit));
    return kGood;
  }
  if (auto done = apply(now.place, now.file, now.backup, edit); !done) return failed(done.error());
  return std::nullopt;
}

}  // namespace

Result<Edit> plan_uninstall(Agent agent, const SettingsFile& file, const SettingsFile& backup) {
  Edit edit{false, file, backup, true};
  auto hooks = hooks_in(agent, file.text);
  if (!hooks) return pass_error(hooks);
  if (hooks->empty()) return edit;
  edit.changed = true;
  const std::string& line = hooks->front().line;
  const auto found = read_hook_line(line);
  const auto again = with_hook(agent, backup.text, line, !(found && found->fails_closed));
  if (again && *again == file.text && all_have_line(*hooks, line)) {
    edit.file.text = backup.text;
    edit.file.there = backup.there;
    edit.backup = {};
    return edit;
  }
  edit.exact = false;
  auto text = without_hook(agent, file.text);
  if (!text) return pass_error(text);
  edit.file.text = std::move(*text);
  return edit;
}

Result<Edit> plan_install(Agent agent, const SettingsFile& file, const SettingsFile& backup,
                          const std::string& line, bool rollout) {
  auto now = hooks_in(agent, file.text);
  if (!now) return pass_error(now);
  auto base = plan_uninstall(agent, file, backup);
  if (!base) return base;
  auto text = with_hook(agent, base->file.text, line, rollout);
  if (!text) return pass_error(text);
  const auto then = hooks_in(agent, *text);
  if (!then || then->empty() || !all_have_line(*then, line)) {
    return fail(ErrorCode::kInvalidInput,
                "the hook's line could not be read back; try a plainer --program");
  }
  if (all_have_line(*now, line) && same_events(*now, *then)) return Edit{false, file, backup, true};
  Edit edit{true, file, base->file, true};
  edit.file.text = std::move(*text);
  edit.file.there = true;
  return edit;
}

int install_main(const InstallArguments& arguments) {
  auto now = prepare(arguments);
  if (!now) return failed(now.error());
  const auto line = line_of(arguments, now->agent);
  if (!line) return failed(line.error());
  const auto edit = plan_install(now->agent, now->file, now->backup, *line, arguments.rollout);
  if (!edit) return unusable(now->place, edit.error());
  const std::string agent(agents::name(now->agent));
  const std::string path = printable(now->place.path());
  const auto ended = carry_out(*now, *edit, arguments.dry_run,
                               agent + ": the hook is installed in " + path + " already");
  if (ended) return *ended;
  std::string said =
      agent + ": the hook is installed in " + path + "\n  it runs: " + printable(*line) + "\n";
  if (edit->backup.there) {
    said += "  the file without it: " + path + std::string(kBackupEnding) + "\n";
  }
  const std::string_view note = after_install(now->agent);
  if (!note.empty()) said += "  note: " + std::string(note) + "\n";
  print(said);
  return kGood;
}

int uninstall_main(const InstallArguments& arguments) {
  auto now = prepare(arguments);
  if (!now) return failed(now.error());
  const auto edit = plan_uninstall(now->agent, now->file, now->backup);
  if (!edit) return unusable(now->place, edit.error());
  const std::string agent(agents::name(now->agent));
  const std::string path = printable(now->place.path());
  const auto ended =
      carry_out(*now, *edit, arguments.dry_run, agent + ": no hook of lilith is in " + path);
  if (ended) return *ended;
  if (!edit->exact) {
    print(agent + ": the hook is taken out of " + path +
          "; the file was changed since the installation, so the rest stays as it is\n");
  } else {
    print(agent + ": " + path +
          (edit->file.there ? " is again as it was before\n"
                            : " is removed: it held only the hook\n"));
  }
  return kGood;
}

}  // namespace lilith::enforcer::setup
