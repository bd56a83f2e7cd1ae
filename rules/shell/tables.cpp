#include "rules/shell/tables.hpp"

#include <algorithm>
#include <array>

namespace lilith::rules::shell {
namespace {

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// bash manual, section 4; what is missing here (eval, source, exec, trap, alias, enable, hash,
// bind, complete, shopt, set, mapfile, ...) needs an entry.
constexpr std::array<std::string_view, 18> kHarmlessBuiltins{
    ":",    "cd",     "echo",  "printf",   "true",  "false", "test", "[",    "pwd",
    "exit", "return", "break", "continue", "shift", "wait",  "jobs", "type", "umask"};
constexpr std::array<std::string_view, 7> kTransparent{"time", "nice",    "nohup", "timeout",
                                                       "env",  "command", "stdbuf"};
constexpr std::array<std::string_view, 22> kListedWrappers{
    "sudo",    "doas",    "xargs",   "watch",    "setsid", "strace", "ltrace", "nsenter",
    "unshare", "chroot",  "script",  "parallel", "flock",  "ionice", "chrt",   "taskset",
    "runuser", "builtin", "busybox", "exec",     "ssh",    "su"};
constexpr std::array<std::string_view, 9> kShells{"sh",  "bash", "dash",  "zsh", "ksh",
                                                  "ash", "fish", "rbash", "mksh"};
constexpr std::array<std::string_view, 12> kPatternFirst{
    "grep", "egrep", "fgrep", "rg", "ag", "sed", "awk", "gawk", "mawk", "jq", "yq", "ack"};

// Variables that change which program runs, what it loads, or where it connects: POSIX and bash
// manual (shell variables), ld.so(8), git(1) environment, npm config, node and python docs; list of
// facts 1.5.
constexpr std::array<std::string_view, 54> kDangerousNames{"PATH",
                                                           "IFS",
                                                           "ENV",
                                                           "BASH_ENV",
                                                           "SHELLOPTS",
                                                           "BASHOPTS",
                                                           "PS0",
                                                           "PS1",
                                                           "PS2",
                                                           "PS4",
                                                           "PROMPT_COMMAND",
                                                           "CDPATH",
                                                           "GLOBIGNORE",
                                                           "HOME",
                                                           "SHELL",
                                                           "OLDPWD",
                                                           "PWD",
                                                           "BASH_LOADABLES_PATH",
                                                           "NODE_OPTIONS",
                                                           "NODE_PATH",
                                                           "NODE_EXTRA_CA_CERTS",
                                                           "PYTHONSTARTUP",
                                                           "PYTHONHOME",
                                                           "PYTHONPATH",
                                                           "PYTHONINSPECT",
                                                           "PYTHONBREAKPOINT",
                                                           "PERL5LIB",
                                                           "PERL5OPT",
                                                           "RUBYOPT",
                                                           "RUBYLIB",
                                                           "RUSTFLAGS",
                                                           "RUSTC",
                                                           "RUSTC_WRAPPER",
                                                           "RUSTC_WORKSPACE_WRAPPER",
                                                           "SSH_ASKPASS",
                                                           "SUDO_ASKPASS",
                                                           "HTTP_PROXY",
                                                           "HTTPS_PROXY",
                                                           "ALL_PROXY",
                                                           "NO_PROXY",
                                                           "http_proxy",
                                                           "https_proxy",
                                                           "all_proxy",
                                                           "no_proxy",
                                                           "SSL_CERT_FILE",
                                                           "SSL_CERT_DIR",
                                                           "CURL_CA_BUNDLE",
                                                           "JAVA_TOOL_OPTIONS",
                                                           "MAKEFLAGS",
                                                           "LESSOPEN",
                                                           "LESSCLOSE",
                                                           "BROWSER",
                                                           "GOFLAGS",
                                                           "_JAVA_OPTIONS"};
constexpr std::array<std::string_view, 8> kDangerousPrefixes{
    "LD_", "BASH_FUNC_", "GIT_", "npm_config_", "NPM_CONFIG_", "CARGO_", "DYLD_", "LILITH_"};
// Of the GIT_ and CARGO_ names, those that only describe.
constexpr std::array<std::string_view, 13> kHarmlessNames{
    "GIT_AUTHOR_NAME",     "GIT_AUTHOR_EMAIL",   "GIT_AUTHOR_DATE",     "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE", "GIT_TERMINAL_PROMPT", "GIT_OPTIONAL_LOCKS",
    "CARGO_TERM_COLOR",    "CARGO_INCREMENTAL",  "CARGO_NET_OFFLINE",   "CARGO_TARGET_DIR",
    "GIT_MERGE_AUTOEDIT"};
// Pagers and editors run; these values of them do nothing.
constexpr std::array<std::string_view, 8> kRunNames{
    "PAGER",    "EDITOR",  "VISUAL", "GIT_PAGER", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR",
    "MANPAGER", "GH_PAGER"};
constexpr std::array<std::string_view, 4> kInertPrograms{"", "cat", "true", ":"};

// ---- options that run programs
// ---------------------------------------------------------------------------------

// git config keys whose value git runs (git-config(1); GTFOBins git).
constexpr std::array<std::string_view, 20> kGitRunKeys{
    "core.pager",         "core.editor",
    "core.sshcommand",    "core.fsmonitor",
    "core.hookspath",     "core.askpass",
    "core.gitproxy",      "core.alternaterefscommand",
    "diff.external",      "credential.helper",
    "gpg.program",        "sequence.editor",
    "include.path",       "uploadpack.packobjectshook",
    "protocol.ext.allow", "http.proxy",
    "init.templatedir",   "commit.template",
    "core.worktree",      "web.browser"};
constexpr std::array<std::string_view, 18> kGitRunPrefixes{
    "alias.",     "pager.",     "diff.",       "difftool.",  "merge.",   "mergetool.",
    "filter.",    "gpg.",       "remote.",     "submodule.", "browser.", "man.",
    "sendemail.", "includeif.", "credential.", "url.",       "http.",    "trailer."};
constexpr std::array<std::string_view, 3> kGitHarmlessPrefixes{"diff.renam", "diff.color",
                                                               "merge.conflictstyle"};
// Long options, any unambiguous abbreviation of which git takes (git's parse-options).
struct OptionRow {
  std::string_view subcommand;  // empty: everywhere
  std::string_view option;      // without "--"
  std::size_t least;            // shortest abbreviation that is refused
};
constexpr std::array kGitOptions{
    OptionRow{"", "exec-path", 6},         OptionRow{"", "config-env", 8},
    OptionRow{"", "upload-pack", 2},       OptionRow{"", "receive-pack", 5},
    OptionRow{"", "ext-diff", 3},          OptionRow{"", "open-files-in-pager", 2},
    OptionRow{"rebase", "exec", 2},        OptionRow{"push", "exec", 2},
    OptionRow{"archive", "exec", 2},       OptionRow{"ls-remote", "exec", 2},
    OptionRow{"clone", "template", 2},     OptionRow{"init", "template", 2},
    OptionRow{"clone", "config", 2},       OptionRow{"difftool", "extcmd", 2},
    OptionRow{"apply", "unsafe-paths", 3}, OptionRow{"diff", "no-index", 4},
    OptionRow{"", "textconv", 5},
};
constexpr std::array<std::string_view, 10> kGitRunCommands{
    "filter-branch", "mergetool", "difftool",    "instaweb",     "send-email",
    "web--browse",   "daemon",    "upload-pack", "receive-pack", "shell"};

bool is_run_key(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (among(kGitRunKeys, lower)) return true;
  for (const std::string_view prefix : kGitHarmlessPrefixes) {
    if (lower.starts_with(prefix)) return false;
  }
  return std::any_of(kGitRunPrefixes.begin(), kGitRunPrefixes.end(),
                     [&](std::string_view prefix) { return lower.starts_with(prefix); });
}

class Options {
 public:
  Options(const std::vector<Argument>& argv, std::size_t offset) : argv_(argv), offset_(offset) {}

  void git();
  void npm();
  void cargo();
  void simple();

  std::vector<Hazard> found;

 private:
  void hazard(std::string_view what) {
    found.push_back({"command.exec_option",
                     "'" + argv_[0].text + "' would run another program by " + std::string(what),
                     offset_});
  }
  void unknown(std::string_view what) {
    found.push_back(
        {"command.dynamic_option",
         "'" + argv_[0].text + "': " + std::string(what) + " is not known before the line runs",
         offset_});
  }
  std::size_t git_global();
  void git_config_value(const std::string& text);

  const std::vector<Argument>& argv_;
  std::size_t offset_;
};

void Options::git_config_value(const std::string& text) {
  if (is_run_key(text.substr(0, text.find('=')))) hazard("-c " + text.substr(0, text.find('=')));
}

// Options before the sub-command; returns its index.
std::size_t Options::git_global() {
  std::size_t i = 1;
  for (; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (!argv_[i].constant && !word.starts_with("-")) {
      // `git -C "$DIR" status`: the value of an option may vary, the sub-command may not.
      unknown("the sub-command");
      return argv_.size();
    }
    if (!word.starts_with('-')) return i;
    if (word == "-c" && i + 1 < argv_.size()) {
      ++i;
      if (!argv_[i].constant && argv_[i].text.find('=') == std::string::npos)
        unknown("the key of -c");
      git_config_value(argv_[i].text);
    } else if (word == "-p" || word == "--paginate") {
      // Runs the pager that the environment names; setting that one is a hazard of its own.
      continue;
    } else if (word == "-C" || word == "--git-dir" || word == "--work-tree" ||
               word == "--namespace" || word == "--super-prefix") {
      if (word == "--git-dir") hazard("--git-dir (the hooks and config of another directory)");
      ++i;
    } else if (word.starts_with("--git-dir=")) {
      hazard("--git-dir (the hooks and config of another directory)");
    } else if (word.starts_with("--exec-path=")) {
      hazard("--exec-path");
    } else if (word.starts_with("--config-env")) {
      hazard("--config-env");
    }
  }
  return i;
}

void Options::git() {
  const std::size_t at = git_global();
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  if (among(kGitRunCommands, sub)) hazard(sub);
  const std::string next = at + 1 < argv_.size() ? argv_[at + 1].text : "";
  if (sub == "bisect" && next == "run") hazard("bisect run");
  if (sub == "help" || (sub == "submodule" && next == "foreach")) {
    if (sub == "submodule") hazard("submodule foreach");
  }
  bool reads_config = false;
  if (sub == "config") {
    for (std::size_t i = at + 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      reads_config = reads_config || word == "--get" || word == "--list" || word == "-l" ||
                     word == "get" || word == "list" || word == "--get-all" ||
                     word == "--get-regexp" || word == "--unset" || word == "unset";
    }
  }
  for (std::size_t i = at + 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") break;
    if (sub == "config" && !reads_config && word.find('.') != std::string::npos &&
        is_run_key(word) && i + 1 < argv_.size()) {
      hazard("config " + word);
    }
    if (word.find("ext::") != std::string::npos) hazard("an ext:: URL");
    if (!argv_[i].constant && word.starts_with('$') &&
        (sub == "clone" || sub == "fetch" || sub == "pull" || sub == "ls-remote")) {
      // A remote that is not known may be ext::.
      unknown("the remote");
    }
    if (word == "-x" && sub == "rebase") hazard("rebase -x");
    if (word == "-O" && sub == "grep") hazard("grep -O");
    if (word.starts_with("-O") && sub == "grep" && word.size() > 2) hazard("grep -O");
    if (word == "-u" && (sub == "clone" || sub == "fetch-pack")) hazard("-u (upload-pack)");
    if (word == "-c" && sub == "clone" && i + 1 < argv_.size()) git_config_value(argv_[i + 1].text);
    if (!word.starts_with("--") || word.size() < 4) continue;
    const std::string option = word.substr(2, word.find('=') - 2);
    for (const OptionRow& row : kGitOptions) {
      if ((row.subcommand.empty() || row.subcommand == sub) && option.size() >= row.least &&
          row.option.starts_with(option)) {
        hazard("--" + std::string(row.option));
        break;
      }
    }
  }
}

void Options::npm() {
  // npm-exec(1), npm-config(7): what runs a command line of the caller's or another shell.
  std::string sub;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") break;
    if (word.starts_with("--script-shell") || word.starts_with("--prefix") || word == "-C" ||
        word.starts_with("--node-options") || word.starts_with("--globalconfig") ||
        word.starts_with("--userconfig") || word.starts_with("--shell") ||
        word.starts_with("--call") || word == "-c") {
      hazard(word.substr(0, word.find('=')));
    }
    if (!word.starts_with('-') && sub.empty()) {
      if (!argv_[i].constant) return unknown("the sub-command");
      sub = word;
      constexpr std::array<std::string_view, 6> kRun{"exec", "x",      "explore",
                                                     "edit", "config", "set"};
      if (among(kRun, sub)) {
        const std::string next = i + 1 < argv_.size() ? argv_[i + 1].text : "";
        if (sub == "config" && next != "set" && next != "edit") continue;
        hazard(sub == "config" ? "config " + next : sub);
      }
    }
  }
}

void Options::cargo() {
  // cargo(1); an unknown sub-command runs `cargo-NAME` from PATH.
  constexpr std::array<std::string_view, 46> kKnown{"add",
                                                    "b",
                                                    "bench",
                                                    "build",
                                                    "c",
                                                    "check",
                                                    "clean",
                                                    "clippy",
                                                    "d",
                                                    "doc",
                                                    "fetch",
                                                    "fix",
                                                    "fmt",
                                                    "generate-lockfile",
                                                    "git-checkout",
                                                    "help",
                                                    "info",
                                                    "init",
                                                    "install",
                                                    "locate-project",
                                                    "login",
                                                    "logout",
                                                    "metadata",
                                                    "new",
                                                    "nextest",
                                                    "owner",
                                                    "package",
                                                    "pkgid",
                                                    "publish",
                                                    "r",
                                                    "read-manifest",
                                                    "remove",
                                                    "rm",
                                                    "run",
                                                    "rustc",
                                                    "rustdoc",
                                                    "search",
                                                    "t",
                                                    "test",
                                                    "tree",
                                                    "uninstall",
                                                    "update",
                                                    "vendor",
                                                    "verify-project",
                                                    "version",
                                                    "yank"};
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") return;
    if (word.starts_with("--config") || word == "-C" || word.starts_with("-Z")) {
      hazard(word.substr(0, word.find('=')));
      continue;
    }
    if (word.starts_with('-') || word.starts_with('+')) continue;
    if (!argv_[i].constant) return unknown("the sub-command");
    if (!among(kKnown, word)) hazard("the external sub-command " + word);
    for (std::size_t j = i + 1; j < argv_.size() && argv_[j].text != "--"; ++j) {
      if (argv_[j].text.starts_with("--config")) hazard("--config");
    }
    return;
  }
}

struct SimpleRow {
  std::string_view program;
  std::string_view option;  // exact word, or its beginning before '='
};
// GTFOBins and the programs' manuals.
constexpr std::array kSimpleRows{
    SimpleRow{"tar", "--to-command"},
    SimpleRow{"tar", "--checkpoint-action"},
    SimpleRow{"tar", "-I"},
    SimpleRow{"tar", "--use-compress-program"},
    SimpleRow{"tar", "--rsh-command"},
    SimpleRow{"tar", "--info-script"},
    SimpleRow{"go", "-exec"},
    SimpleRow{"go", "-toolexec"},
    SimpleRow{"go", "-vettool"},
    SimpleRow{"rsync", "-e"},
    SimpleRow{"rsync", "--rsh"},
    SimpleRow{"rsync", "--rsync-path"},
    SimpleRow{"scp", "-S"},
    SimpleRow{"ssh", "-o"},
    SimpleRow{"scp", "-o"},
    SimpleRow{"rg", "--pre"},
    SimpleRow{"sort", "--compress-program"},
    SimpleRow{"zip", "-TT"},
    SimpleRow{"zip", "--unzip-command"},
    SimpleRow{"wget", "--use-askpass"},
    SimpleRow{"curl", "-K"},
    SimpleRow{"curl", "--config"},
    SimpleRow{"make", "-f"},
    SimpleRow{"man", "-P"},
    SimpleRow{"man", "--pager"},
    SimpleRow{"split", "--filter"},
    SimpleRow{"node", "-r"},
    SimpleRow{"node", "--require"},
};

void Options::simple() {
  for (const Argument& argument : argv_) {
    const std::string word = argument.text.substr(0, argument.text.find('='));
    for (const SimpleRow& row : kSimpleRows) {
      if (row.program == argv_[0].text && row.option == word) hazard(word);
    }
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.smhd") == std::string_view::npos;
}

}  // namespace

bool is_harmless_builtin(std::string_view name) { return among(kHarmlessBuiltins, name); }
bool is_transparent_wrapper(std::string_view name) { return among(kTransparent, name); }
bool is_listed_wrapper(std::string_view name) { return among(kListedWrappers, name); }
bool is_shell(std::string_view name) { return among(kShells, name); }
bool takes_pattern_first(std::string_view name) { return among(kPatternFirst, name); }

bool is_dangerous_assignment(std::string_view name, std::string_view value, bool constant) {
  if (among(kRunNames, name)) return !constant || !among(kInertPrograms, value);
  if (among(kHarmlessNames, name)) return false;
  if (among(kDangerousNames, name)) return true;
  return std::any_of(kDangerousPrefixes.begin(), kDangerousPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::vector<Hazard> exec_hazards(const std::vector<Argument>& argv, std::size_t offset) {
  Options options(argv, offset);
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  if (name == "git") options.git();
  if (name == "npm") options.npm();
  if (name == "cargo") options.cargo();
  options.simple();
  return std::move(options.found);
}

std::size_t wrapped_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  constexpr auto kUnknown = static_cast<std::size_t>(-1);
  const std::string& name = argv[0].text;
  std::size_t i = 1;
  const auto word = [&](std::size_t at) -> std::string_view { return argv[at].text; };
  if (name == "env") {
    for (; i < argv.size(); ++i) {
      const std::size_t equals = word(i).find('=');
      if (word(i) == "--") return i + 1;
      if (word(i).starts_with('-')) return kUnknown;
      if (equals == std::string_view::npos) return i;
      if (!argv[i].constant && argv[i].text.find('$') < equals) return kUnknown;
      assignments.emplace_back(word(i));
    }
    return i;
  }
  if (name == "command") {
    if (i < argv.size() && (word(i) == "-v" || word(i) == "-V")) return argv.size();
    return i < argv.size() && word(i).starts_with('-') ? kUnknown : i;
  }
  if (name == "nohup" || name == "setsid" || name == "builtin" || name == "exec") {
    while (i < argv.size() && word(i).starts_with('-')) {
      if (name == "exec" && word(i).find('a') != std::string_view::npos) return kUnknown;
      ++i;
    }
    return i;
  }
  // Options with a value of their own word.
  std::string_view with_value;
  if (name == "nice") with_value = "n";
  if (name == "timeout") with_value = "ks";
  if (name == "stdbuf") with_value = "ioe";
  if (name == "time") with_value = "fo";
  if (name == "sudo") with_value = "uUgGhpCTDRrt";
  if (name == "doas") with_value = "uC";
  if (name == "xargs") with_value = "IEadnLPs";
  if (name == "watch") with_value = "nq";
  if (name == "flock") return kUnknown;
  if (name == "strace" || name == "ltrace" || name == "unshare" || name == "nsenter" ||
      name == "chroot" || name == "script" || name == "parallel" || name == "runuser" ||
      name == "busybox" || name == "ssh" || name == "su" || name == "ionice" || name == "chrt" ||
      name == "taskset") {
    return kUnknown;
  }
  for (; i < argv.size(); ++i) {
    if (word(i) == "--") return i + 1;
    if (!word(i).starts_with('-')) break;
    if (!argv[i].constant) return kUnknown;
    const bool alone = word(i).size() == 2;
    if (alone && with_value.find(word(i)[1]) != std::string_view::npos) ++i;
    if (word(i).starts_with("--") && word(i).find('=') == std::string_view::npos &&
        word(i) != "--foreground" && word(i) != "--preserve-status" && word(i) != "--null" &&
        word(i) != "--no-run-if-empty" && word(i) != "--verbose" && word(i) != "--portability") {
      return kUnknown;
    }
  }
  if (name == "sudo") {
    while (i < argv.size() && word(i).find('=') != std::string_view::npos) {
      assignments.emplace_back(word(i++));
    }
  }
  if (name == "timeout") {
    if (i >= argv.size() || !is_number(word(i))) return kUnknown;
    ++i;
  }
  return i;
}

}  // namespace lilith::rules::shell
