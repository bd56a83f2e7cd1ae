#include "rules/shell/tables.hpp"

#include "rules/shell/values.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {
namespace {

constexpr std::size_t npos = std::string_view::npos;

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// bash manual, section 4; what is missing here (eval, source, exec, trap, alias, enable, hash,
// bind, complete, shopt, set, mapfile, ...) needs an entry. So do jobs (-x runs a command) and wait
// (-p assigns, and evaluates a subscript).
constexpr std::array<std::string_view, 16> kHarmlessBuiltins{
    ":",   "cd",   "echo",   "printf", "true",     "false", "test", "[",
    "pwd", "exit", "return", "break",  "continue", "shift", "type", "umask"};
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

// ---- options that run programs

// git config keys whose value git runs (git-config(1); GTFOBins git).
constexpr std::array<std::string_view, 22> kGitRunKeys{
    "core.pager",          "core.editor",
    "core.sshcommand",     "core.fsmonitor",
    "core.hookspath",      "core.askpass",
    "core.gitproxy",       "core.alternaterefscommand",
    "diff.external",       "credential.helper",
    "gpg.program",         "sequence.editor",
    "include.path",        "uploadpack.packobjectshook",
    "protocol.ext.allow",  "http.proxy",
    "init.templatedir",    "commit.template",
    "core.worktree",       "web.browser",
    "core.attributesfile", "gc.recentobjectshook"};
constexpr std::array<std::string_view, 26> kGitRunPrefixes{"alias.",      "pager.",
                                                           "diff.",       "difftool.",
                                                           "merge.",      "mergetool.",
                                                           "filter.",     "gpg.",
                                                           "remote.",     "submodule.",
                                                           "browser.",    "man.",
                                                           "sendemail.",  "includeif.",
                                                           "credential.", "url.",
                                                           "http.",       "trailer.",
                                                           "tar.",        "interactive.",
                                                           "imap.",       "hook.",
                                                           "instaweb.",   "guitool.",
                                                           "trace2.",     "lfs.customtransfer"};
constexpr std::array<std::string_view, 3> kGitHarmlessPrefixes{"diff.renam", "diff.color",
                                                               "merge.conflictstyle"};
// Long options, any unambiguous abbreviation of which git takes (git's parse-options).
struct OptionRow {
  std::string_view subcommand;  // empty: everywhere
  std::string_view option;      // without "--"
  std::size_t least;            // shortest abbreviation that is refused
};
constexpr std::array kGitOptions{
    OptionRow{"", "exec-path", 6},
    OptionRow{"", "config-env", 8},
    OptionRow{"", "upload-pack", 3},
    OptionRow{"", "receive-pack", 4},
    OptionRow{"", "ext-diff", 3},
    OptionRow{"", "open-files-in-pager", 2},
    OptionRow{"clone", "upload-pack", 1},
    OptionRow{"ls-remote", "upload-pack", 1},
    OptionRow{"pull", "upload-pack", 1},
    OptionRow{"rebase", "exec", 2},
    OptionRow{"push", "exec", 1},
    OptionRow{"archive", "exec", 1},
    OptionRow{"ls-remote", "exec", 1},
    OptionRow{"fetch-pack", "exec", 1},
    OptionRow{"send-pack", "exec", 1},
    OptionRow{"clone", "template", 2},
    OptionRow{"init", "template", 1},
    OptionRow{"difftool", "extcmd", 2},
    OptionRow{"apply", "unsafe-paths", 3},
    OptionRow{"diff", "no-index", 4},
    OptionRow{"", "textconv", 5},
    OptionRow{"help", "web", 1},
    OptionRow{"config", "rename-section", 4},
};
// Sub-commands that run a program by themselves, whatever their options.
constexpr std::array<std::string_view, 20> kGitRunCommands{
    "filter-branch",    "mergetool",     "difftool",    "instaweb",     "send-email",
    "web--browse",      "daemon",        "upload-pack", "receive-pack", "shell",
    "merge-index",      "for-each-repo", "imap-send",   "credential",   "submodule--helper",
    "difftool--helper", "cvsserver",     "cvsimport",   "http-backend", "upload-archive"};
// git help -a, git 2.39 to 2.51; any other word is an alias or a git-NAME of PATH.
constexpr std::string_view kGitStock =
    "add am annotate apply archive backfill bisect blame branch bugreport bundle cat-file"
    " check-attr check-ignore check-mailmap check-ref-format checkout checkout-index cherry"
    " cherry-pick citool clean clone column commit commit-graph commit-tree config count-objects"
    " describe diagnose diff diff-files diff-index diff-pairs diff-tree fast-export fast-import"
    " fetch fetch-pack fmt-merge-msg for-each-ref format-patch fsck fsck-objects fsmonitor--daemon"
    " gc get-tar-commit-id grep gui hash-object help hook http-fetch http-push index-pack init"
    " init-db interpret-trailers last-modified log ls-files ls-remote ls-tree mailinfo mailsplit"
    " maintenance merge merge-base merge-file merge-octopus merge-one-file merge-ours"
    " merge-recursive merge-resolve merge-subtree merge-tree mktag mktree multi-pack-index mv"
    " name-rev notes pack-objects pack-redundant pack-refs patch-id pickaxe prune prune-packed"
    " pull push quiltimport range-diff read-tree rebase reflog refs remote repack replace replay"
    " repo request-pull rerere reset restore rev-list rev-parse revert rm send-pack shortlog show"
    " show-branch show-index show-ref sparse-checkout stage stash status stripspace submodule"
    " switch symbolic-ref tag unpack-file unpack-objects update-index update-ref"
    " update-server-info var verify-commit verify-pack verify-tag version whatchanged worktree"
    " write-tree";
// What git-merge -s names: any other is git-merge-NAME of PATH.
constexpr std::array<std::string_view, 7> kMergeStrategies{
    "ort", "recursive", "resolve", "octopus", "ours", "subtree", "recursive-theirs"};
// Sub-commands in which a word that turns out to be an option runs or reads something else.
constexpr std::array<std::string_view, 10> kStrictSubcommands{
    "clone", "fetch", "pull", "push", "ls-remote", "diff", "archive", "rebase", "grep", "config"};
// These and the ones that write what --output names: a word that splits may bring such an option.
constexpr std::array<std::string_view, 20> kOptionSubcommands{
    "clone",     "fetch",      "pull",       "push",      "ls-remote",    "diff",    "archive",
    "rebase",    "grep",       "config",     "log",       "show",         "merge",   "whatchanged",
    "diff-tree", "diff-index", "diff-files", "submodule", "format-patch", "shortlog"};
constexpr std::array<std::string_view, 8> kRemoteSubcommands{
    "clone", "fetch", "pull", "push", "ls-remote", "remote", "submodule", "archive"};
constexpr std::array<std::string_view, 9> kTransports{"http", "https", "ssh",     "git",    "file",
                                                      "ftp",  "ftps",  "git+ssh", "ssh+git"};

bool is_word_of(std::string_view list, std::string_view word) {
  std::size_t at = 0;
  while (at < list.size()) {
    const std::size_t end = std::min(list.find(' ', at), list.size());
    if (end > at && list.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

// `foo::ADDRESS` and `foo://ADDRESS` make git run git-remote-foo (gitremote-helpers(7)).
bool names_helper(std::string_view word) {
  if (word.starts_with("--")) word.remove_prefix(std::min(word.find('=') + 1, word.size()));
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view scheme = word.substr(0, colon);
  const std::string_view rest = word.substr(colon);
  if (scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789+.-_") != std::string_view::npos) {
    return false;
  }
  return rest.starts_with("::") || (rest.starts_with("://") && !among(kTransports, scheme));
}

// An option of which the name is not known: `--upload-{pack=x,y}`, `-$X`, `--*`. In `--name=$X`
// the name is known.
bool is_dynamic_option(const Argument& argument) {
  if (argument.constant || !argument.text.starts_with('-')) return false;
  const std::size_t dynamic = argument.text.find_first_of("$`{*?[");
  return dynamic == std::string::npos || argument.text.find('=') > dynamic;
}

// A default that is itself an option or several words: ${X:---no-index}.
bool has_option_default(const Argument& argument) {
  if (argument.constant || !argument.text.starts_with("${")) return false;
  const std::size_t op = argument.text.find_first_of(":-=+}", 2);
  if (op == std::string::npos || argument.text[op] == '}') return false;
  std::size_t from = op;
  if (argument.text[from] == ':') ++from;
  if (from >= argument.text.size() ||
      std::string_view("-=+").find(argument.text[from]) == std::string_view::npos) {
    return false;
  }
  const std::string value = argument.text.substr(from + 1);
  return value.find_first_of(" \t\n") != std::string::npos ||
         (!value.empty() && std::string_view("-\"'\\$`").find(value[0]) != std::string_view::npos);
}

// Where in a bundle of short options ("-quPROG") the letter is, npos when it is not there. The
// letters of `with_value` end the bundle: what follows them is their value.
std::size_t short_option(std::string_view word, char letter, std::string_view with_value) {
  if (!word.starts_with('-') || word.starts_with("--")) return std::string_view::npos;
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (word[i] == letter) return i;
    if (with_value.find(word[i]) != std::string_view::npos) break;
  }
  return std::string_view::npos;
}
bool has_short(std::string_view word, char letter, std::string_view with_value) {
  return short_option(word, letter, with_value) != std::string_view::npos;
}

bool reads_git_config(const std::vector<Argument>& argv, std::size_t at) {
  bool first = true;
  for (std::size_t i = at + 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return false;
    if (word.starts_with('-')) {
      if (word.starts_with("--get") || word.starts_with("--unset") || word == "--list" ||
          word == "-l") {
        return true;
      }
      continue;
    }
    if (first && (word == "get" || word == "list" || word == "unset")) return true;
    first = false;
  }
  return false;
}

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
  void npx();
  void make();
  void less();
  void stores();
  void clusters(std::string_view name);
  void gh();
  void cmake();
  void go();
  void compiler();
  void cargo();
  void simple();
  void builtins(std::string_view name);

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
  void git_config(std::size_t at);
  void git_word(std::size_t at, std::size_t i, bool operands_only);
  void git_short(const std::string& sub, std::size_t i);
  void npm_option(const std::string& word);
  bool npm_subcommand(std::size_t at);
  void cargo_rustc(std::size_t from);

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
    if (word.starts_with("-c") && word.size() > 2) {
      git_config_value(word.substr(2));
    } else if (word == "-c" && i + 1 < argv_.size()) {
      ++i;
      if (!argv_[i].constant && argv_[i].text.find('=') == std::string::npos)
        unknown("the key of -c");
      git_config_value(argv_[i].text);
    } else if (word == "-p" || word == "--paginate") {
      // Runs the pager that the environment names; setting that one is a hazard of its own.
      continue;
    } else if (word == "-C" || word == "--git-dir" || word == "--work-tree" ||
               word == "--namespace" || word == "--super-prefix" || word == "--attr-source" ||
               word == "--shallow-file") {
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
  std::string next;
  for (std::size_t i = at + 1; i < argv_.size() && next.empty(); ++i) {
    if (!argv_[i].text.starts_with('-')) next = argv_[i].text;
  }
  if (among(kGitRunCommands, sub) || sub.starts_with("credential-")) {
    hazard(sub);
  } else if (sub.starts_with("remote-")) {
    hazard("the transport helper " + sub);
  } else if (!is_word_of(kGitStock, sub)) {
    hazard("an alias or external sub-command, " + sub);
  }
  if ((sub == "bisect" && next == "run") || (sub == "submodule" && next == "foreach") ||
      (sub == "maintenance" && next == "start") || (sub == "hook" && next == "run")) {
    hazard(sub + " " + next);
  }
  if (sub == "bisect" && (next == "visualize" || next == "view")) hazard("bisect visualize");
  if (sub == "config") git_config(at);
  bool ended = false;
  bool surely = false;  // a "--" behind an option may be the value of that option
  for (std::size_t i = at + 1; i < argv_.size() && !surely; ++i) {
    if (argv_[i].text == "--" && argv_[i].constant && !ended) {
      ended = true;
      surely = !argv_[i - 1].text.starts_with('-') && sub != "submodule" && sub != "remote";
      if (!surely) continue;
      for (std::size_t j = i + 1; j < argv_.size(); ++j) {
        if (among(kRemoteSubcommands, sub) && names_helper(argv_[j].text)) {
          hazard("a transport helper, " + argv_[j].text);
        }
      }
      break;
    }
    git_word(at, i, ended);
  }
}

void Options::git_config(std::size_t at) {
  if (reads_git_config(argv_, at)) return;
  bool first = true;
  for (std::size_t i = at + 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "rename-section" && first) hazard("config rename-section");
    if (word.find('.') != std::string::npos && is_run_key(word) && i + 1 < argv_.size()) {
      hazard("config " + word);
    }
    if (word.starts_with('-') || word == "set") continue;
    if (first && !argv_[i].constant && i + 1 < argv_.size()) unknown("the key");
    first = false;
  }
}

void Options::git_short(const std::string& sub, std::size_t i) {
  const std::string& word = argv_[i].text;
  if (sub == "rebase" && has_short(word, 'x', "sXCSr")) hazard("rebase -x");
  if (sub == "grep" && has_short(word, 'O', "efmABC")) hazard("grep -O");
  if (sub == "clone" && has_short(word, 'u', "obcj")) hazard("-u (upload-pack)");
  if (sub == "fetch-pack" && word == "-u") hazard("-u (upload-pack)");
  if (sub == "help" && has_short(word, 'w', "")) hazard("help -w");
  std::string value;
  const std::string next = i + 1 < argv_.size() ? argv_[i + 1].text : "";
  const bool merges = sub == "merge" || sub == "pull" || sub == "rebase";
  if (const std::size_t s = merges ? short_option(word, 's', "mFXCSxjor") : std::string::npos;
      s != std::string::npos) {
    value = s + 1 < word.size() ? word.substr(s + 1) : next;
    if (!among(kMergeStrategies, value)) hazard("-s (the merge strategy " + value + ")");
  }
  if (const std::size_t c = sub == "clone" ? short_option(word, 'c', "obuj") : std::string::npos;
      c != std::string::npos) {
    git_config_value(c + 1 < word.size() ? word.substr(c + 1) : next);
  }
}

// One word behind the sub-command. `operands_only`: behind a "--" that may be another option's
// value; only what is surely meant as an option counts.
void Options::git_word(std::size_t at, std::size_t i, bool operands_only) {
  const std::string& sub = argv_[at].text;
  const std::string& word = argv_[i].text;
  if (word.find("ext::") != std::string::npos) {
    hazard("an ext:: URL");
  } else if (among(kRemoteSubcommands, sub) && names_helper(word)) {
    hazard("a transport helper, " + word);
  }
  if (!operands_only) {
    if (is_dynamic_option(argv_[i]) || has_option_default(argv_[i])) unknown("an option");
    const bool substitution =
        (word.starts_with("$(") && !word.starts_with("$((")) || word.starts_with('`');
    const bool in_option = word.starts_with('-') && (word.find("$(") != std::string::npos ||
                                                     word.find('`') != std::string::npos);
    if (!argv_[i].constant && among(kStrictSubcommands, sub) &&
        ((substitution && !begins_tame(word)) || in_option)) {
      unknown("a word that may be an option");
    } else if (!argv_[i].constant && word.starts_with('$') &&
               (sub == "clone" || sub == "fetch" || sub == "pull" || sub == "ls-remote")) {
      // A remote that is not known may be ext::.
      unknown("the remote");
    }
  }
  git_short(sub, i);
  if (!word.starts_with("--") || word.size() < 3) return;
  const std::string option = word.substr(2, word.find('=') - 2);
  if (option.empty()) return;
  const std::size_t equals = word.find('=');
  const std::string value = equals != std::string::npos ? word.substr(equals + 1)
                            : i + 1 < argv_.size()      ? argv_[i + 1].text
                                                        : "";
  if (sub == "clone" && std::string_view("config").starts_with(option)) git_config_value(value);
  constexpr std::array<std::string_view, 5> kMerging{"merge", "pull", "rebase", "cherry-pick",
                                                     "revert"};
  if (among(kMerging, sub) && option.size() >= 3 &&
      std::string_view("strategy").starts_with(option) && !among(kMergeStrategies, value)) {
    hazard("--strategy (" + value + ")");
  }
  for (const OptionRow& row : kGitOptions) {
    if ((row.subcommand.empty() || row.subcommand == sub) && option.size() >= row.least &&
        row.option.starts_with(option)) {
      hazard("--" + std::string(row.option));
      break;
    }
  }
}

// npm-config(7). nopt takes any unambiguous abbreviation, behind any number of dashes.
constexpr std::array kNpmOptions{
    OptionRow{"", "script-shell", 3}, OptionRow{"", "shell", 3},
    OptionRow{"", "call", 3},         OptionRow{"", "prefix", 5},
    OptionRow{"", "node-options", 6}, OptionRow{"", "userconfig", 5},
    OptionRow{"", "globalconfig", 7}, OptionRow{"", "browser", 2},
    OptionRow{"", "viewer", 2},       OptionRow{"", "git", 3},
    OptionRow{"", "node-gyp", 6},     OptionRow{"", "editor", 2},
    OptionRow{"", "init-module", 6},  OptionRow{"", "init.module", 6},
    OptionRow{"", "python", 2},
};
// npm's options without a value, as far as they are used before the sub-command.
constexpr std::string_view kNpmFlags =
    "silent quiet verbose global yes json offline prefer-offline force workspaces ignore-scripts"
    " foreground-scripts legacy-peer-deps s q d dd ddd g y f ws";

void Options::npm_option(const std::string& word) {
  const std::size_t name_at = word.find_first_not_of('-');
  if (name_at == std::string::npos) return;
  const std::string name = word.substr(name_at, word.find('=') - name_at);
  for (const OptionRow& row : kNpmOptions) {
    if (name.size() >= row.least && row.option.starts_with(name)) {
      return hazard("--" + std::string(row.option));
    }
  }
  // Bundles of short options: -c (call), -C (prefix).
  if (name_at == 1 && name.size() <= 4 && name.find_first_of("cC") != std::string::npos) {
    hazard(word);
  }
}

// Whether the word at `at` is surely the sub-command: not the value of the option before it.
bool Options::npm_subcommand(std::size_t at) {
  const std::string& sub = argv_[at].text;
  const auto abbreviates = [&](std::string_view command, std::size_t least) {
    return sub.size() >= least && command.starts_with(sub);
  };
  std::vector<std::string> operands;
  for (std::size_t i = at + 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
    const std::string& word = argv_[i].text;
    if (word == "-w" || word == "--workspace" || word == "--scope") {
      ++i;
    } else if (!word.starts_with('-')) {
      operands.push_back(word);
    }
  }
  if (sub == "x" || sub == "set" || abbreviates("exec", 1) || abbreviates("explore", 1) ||
      abbreviates("edit", 1)) {
    hazard(sub);
  }
  if (abbreviates("config", 1)) {
    for (const std::string& word : operands) {
      if (word == "set" || word == "edit") hazard("config " + word);
    }
  }
  if ((abbreviates("init", 3) || abbreviates("create", 2) || abbreviates("innit", 3))) {
    if (!operands.empty()) hazard(sub + " " + operands.front());
  }
  const std::string& before = argv_[at - 1].text;
  if (at == 1 || !before.starts_with('-') || before.find('=') != std::string::npos) return true;
  const std::string_view name =
      std::string_view(before).substr(std::min(before.find_first_not_of('-'), before.size()));
  return name.starts_with("no-") || is_word_of(kNpmFlags, name);
}

// npx PACKAGE: what stands before the package's name is npm's.
void Options::npx() {
  for (std::size_t i = 1; i < argv_.size() && argv_[i].text.starts_with('-'); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") return;
    if (is_dynamic_option(argv_[i])) unknown("an option");
    npm_option(word);
    if (word == "-p" || word == "--package" || word == "-w" || word == "--workspace") ++i;
  }
}

void Options::npm() {
  // npm-exec(1), npm-config(7): what runs a command line of the caller's or another shell.
  bool seen = false;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") break;
    if (word.starts_with('-')) {
      if (is_dynamic_option(argv_[i])) unknown("an option");
      npm_option(word);
    } else if (!seen) {
      if (!argv_[i].constant) return unknown("the sub-command");
      seen = npm_subcommand(i);
    }
  }
}

// What `cargo rustc|rustdoc|clippy -- ...` hands to the compiler.
void Options::cargo_rustc(std::size_t from) {
  for (std::size_t i = from; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    std::string codegen;
    if (word == "-C" || word == "--codegen") {
      codegen = i + 1 < argv_.size() ? argv_[i + 1].text : "";
    } else if (word.starts_with("-C")) {
      codegen = word.substr(2);
    }
    if (codegen.starts_with("linker") || codegen.starts_with("link-arg") ||
        word.find("linker=") != std::string::npos || word.find("link-arg") != std::string::npos) {
      hazard("-C linker");
    } else if (word.starts_with("--test-run") || word.starts_with("--test-builder") ||
               word.starts_with("--runtool") || word.starts_with("--sysroot") ||
               word.starts_with("-Z") || word.starts_with('@')) {
      hazard(word.substr(0, word.find('=')));
    }
    if (is_dynamic_option(argv_[i])) unknown("an option");
  }
}

// cargo(1), and clippy and fmt, which come with rustup; any other sub-command runs `cargo-NAME`
// from PATH.
constexpr std::string_view kCargoStock =
    "add b bench build c check clean clippy d doc fetch fix fmt generate-lockfile git-checkout"
    " help info init install locate-project login logout metadata new owner package pkgid publish"
    " r read-manifest remove report rm run rustc rustdoc search t test tree uninstall update"
    " vendor verify-project version yank";

void Options::cargo() {
  std::string sub;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") {
      if (sub == "rustc" || sub == "rustdoc" || sub == "clippy") cargo_rustc(i + 1);
      return;
    }
    if (is_dynamic_option(argv_[i])) unknown("an option");
    if (word.starts_with("--config") || word.starts_with("-C") || word.starts_with("-Z")) {
      hazard(word.substr(0, word.find('=')));
    } else if (word.starts_with("--path") || word.starts_with("--git")) {
      // `cargo add` only writes the manifest.
      if (sub == "install") hazard("install " + word.substr(0, word.find('=')));
    } else if (sub.empty() && word.starts_with('+')) {
      if (!argv_[i].constant) unknown("the toolchain");
      if (word.find('/') != std::string::npos) hazard("the toolchain " + word.substr(1));
    } else if (sub.empty() && word == "--color") {
      ++i;
    } else if (sub.empty() && !word.starts_with('-')) {
      if (!argv_[i].constant) return unknown("the sub-command");
      sub = word;
      if (!is_word_of(kCargoStock, sub)) hazard("the external sub-command " + sub);
    } else if (sub == "help" && !word.starts_with('-') && !is_word_of(kCargoStock, word)) {
      hazard("the external sub-command " + word);
    }
  }
}

struct SimpleRow {
  std::string_view program;
  std::string_view option;  // "--long", any abbreviation of which counts; "-x", also in a bundle;
                            // "-word", exact; "word" without dashes, the sub-command or operand
  std::string_view value;   // short options with a value, which end a bundle
};
// GTFOBins and the programs' manuals.
constexpr std::array kSimpleRows{
    SimpleRow{"tar", "--to-command", ""},
    SimpleRow{"tar", "--checkpoint-action", ""},
    SimpleRow{"tar", "-I", "fCbgHKLNTVXF"},
    SimpleRow{"tar", "-F", "fCbgHKLNTVXI"},
    SimpleRow{"tar", "--use-compress-program", ""},
    SimpleRow{"tar", "--rsh-command", ""},
    SimpleRow{"tar", "--rmt-command", ""},
    SimpleRow{"tar", "--info-script", ""},
    SimpleRow{"tar", "--new-volume-script", ""},
    // Absolute names in an archive are written as they are.
    SimpleRow{"tar", "-P", "fCbgHIKLNTVXF"},
    SimpleRow{"tar", "--absolute-names", ""},
    SimpleRow{"go", "-exec", ""},
    SimpleRow{"go", "-toolexec", ""},
    SimpleRow{"go", "-vettool", ""},
    SimpleRow{"rsync", "-e", "fTBM"},
    SimpleRow{"rsync", "--rsh", ""},
    SimpleRow{"rsync", "--rsync-path", ""},
    SimpleRow{"scp", "-S", "cDFiJlPX"},
    SimpleRow{"scp", "-o", "cDFiJlPX"},
    SimpleRow{"sftp", "-S", "BbcDFiJlPRs"},
    SimpleRow{"ssh", "-o", "BbcDEeFIiJLlmpQRSWw"},
    SimpleRow{"rg", "--pre", ""},
    SimpleRow{"rg", "--hostname-bin", ""},
    SimpleRow{"fd", "--exec", ""},
    SimpleRow{"fd", "--exec-batch", ""},
    SimpleRow{"fd", "-x", "deEtSogc"},
    SimpleRow{"fd", "-X", "deEtSogc"},
    SimpleRow{"sort", "--compress-program", ""},
    SimpleRow{"zip", "-TT", ""},
    SimpleRow{"zip", "--unzip-command", ""},
    SimpleRow{"wget", "--use-askpass", ""},
    SimpleRow{"wget", "-e", "oaiBtOTwQPUlARDIX"},
    SimpleRow{"wget", "--execute", ""},
    SimpleRow{"curl", "-K", "AbcCdDeEFHmoPQrtTuUwxXyYz"},
    SimpleRow{"curl", "--config", ""},
    // These say where the connection really goes.
    SimpleRow{"curl", "--connect-to", ""},
    SimpleRow{"curl", "--resolve", ""},
    SimpleRow{"curl", "--unix-socket", ""},
    SimpleRow{"curl", "--abstract-unix-socket", ""},
    SimpleRow{"curl", "--engine", ""},
    SimpleRow{"install", "--strip-program", ""},
    SimpleRow{"patch", "--ed", ""},
    SimpleRow{"patch", "-e", "BdDFgioprVxYz"},
    SimpleRow{"awk", "-l", "vFfEie"},
    SimpleRow{"awk", "--load", ""},
    SimpleRow{"gawk", "-l", "vFfEie"},
    SimpleRow{"gawk", "--load", ""},
    SimpleRow{"less", "-k", "bDhjoOpPtTxyz"},
    SimpleRow{"less", "--lesskey-file", ""},
    SimpleRow{"less", "--lesskey-src", ""},
    SimpleRow{"less", "--lesskey-content", ""},
    SimpleRow{"pnpm", "--script-shell", ""},
    SimpleRow{"pnpm", "--config.script-shell", ""},
    SimpleRow{"pnpm", "--shell-mode", ""},
    SimpleRow{"pnpm", "-c", "CF"},
    SimpleRow{"yarn", "--use-yarnrc", ""},
    SimpleRow{"deno", "--eval", ""},
    SimpleRow{"protoc", "--plugin", ""},
    SimpleRow{"make", "-f", "CIoWjl"},
    SimpleRow{"make", "--file", ""},
    SimpleRow{"make", "--makefile", ""},
    SimpleRow{"make", "--eval", ""},
    SimpleRow{"make", "-E", ""},
    SimpleRow{"make", "SHELL", ""},
    SimpleRow{"make", ".SHELLFLAGS", ""},
    SimpleRow{"man", "-P", "CRLmMSserEHp"},
    SimpleRow{"man", "-H", "CRLmMSserEPp"},
    SimpleRow{"man", "--pager", ""},
    SimpleRow{"man", "--html", ""},
    SimpleRow{"split", "--filter", ""},
    SimpleRow{"node", "-r", ""},
    SimpleRow{"node", "--require", ""},
    SimpleRow{"node", "--import", ""},
    SimpleRow{"node", "--loader", ""},
    SimpleRow{"node", "--experimental-loader", ""},
    SimpleRow{"gcc", "-wrapper", ""},
    SimpleRow{"g++", "-wrapper", ""},
    SimpleRow{"gcc", "-fplugin", ""},
    SimpleRow{"gcc", "-specs", ""},
    SimpleRow{"gcc", "--specs", ""},
    SimpleRow{"g++", "-fplugin", ""},
    SimpleRow{"g++", "-specs", ""},
    SimpleRow{"g++", "--specs", ""},
    SimpleRow{"cc", "-wrapper", ""},
    SimpleRow{"cc", "-fplugin", ""},
    SimpleRow{"cc", "-specs", ""},
    SimpleRow{"cc", "--specs", ""},
    SimpleRow{"c++", "-wrapper", ""},
    SimpleRow{"c++", "-fplugin", ""},
    SimpleRow{"c++", "-specs", ""},
    SimpleRow{"c++", "--specs", ""},
    SimpleRow{"clang", "-wrapper", ""},
    SimpleRow{"clang", "-fplugin", ""},
    SimpleRow{"clang", "-specs", ""},
    SimpleRow{"clang", "--specs", ""},
    SimpleRow{"clang++", "-wrapper", ""},
    SimpleRow{"clang++", "-fplugin", ""},
    SimpleRow{"clang++", "-specs", ""},
    SimpleRow{"clang++", "--specs", ""},
    SimpleRow{"kubectl", "--kubeconfig", ""},
    SimpleRow{"kubectl", "--server", ""},
    SimpleRow{"kubectl", "--exec-command", ""},
    SimpleRow{"helm", "--post-renderer", ""},
    SimpleRow{"ctest", "--build-and-test", ""},
    SimpleRow{"just", "--command", ""},
    SimpleRow{"just", "-c", "dfE"},
    SimpleRow{"just", "--shell", ""},
    SimpleRow{"just", "--shell-arg", ""},
    SimpleRow{"just", "--chooser", ""},
    SimpleRow{"openssl", "-engine", ""},
    SimpleRow{"openssl", "-provider-path", ""},
    SimpleRow{"openssl", "-config", ""},
    SimpleRow{"openssl", "engine", ""},
};

// Whether this word of argv is the row's option.
bool is_row_option(const SimpleRow& row, std::string_view word, std::size_t at) {
  const std::string_view name = word.substr(0, word.find('='));
  if (row.option.starts_with("--")) {
    // One letter is ambiguous in each of these programs.
    return name.size() >= 4 && row.option.starts_with(name);
  }
  if (row.option.size() == 2 && row.option[0] == '-') {
    return has_short(word, row.option[1], row.value);
  }
  if (row.option[0] == '-') return name == row.option || name == "-" + std::string(row.option);
  const bool assigns = row.program == "make";
  return assigns ? name == row.option && word.size() > name.size() : at == 1 && word == row.option;
}

// GNU make manual 9.5, 8.14: a variable on the command line may call the shell.
void Options::make() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || word.starts_with('-')) continue;
    std::string name = word.substr(0, equals);
    if (name.ends_with('!')) hazard(name + "=");
    while (!name.empty() && std::string_view(":+?! \t").find(name.back()) != npos) name.pop_back();
    if (name == "SHELL" || name == ".SHELLFLAGS" || name == "MAKEFLAGS" || name == "MAKE" ||
        name == "GNUMAKEFLAGS" || name == "MAKEFILES") {
      hazard(name);
    }
    for (const std::string_view call : {"(shell ", "{shell ", "(eval ", "{eval ", "(guile ",
                                        "{guile ", "(file ", "{file ", "(call ", "{call "}) {
      const std::size_t at = word.find(call, equals);
      if (argv_[i].constant && at != std::string::npos && at > 0 && word[at - 1] == '$') {
        hazard("a call of " + std::string(call.substr(1)));
      }
    }
  }
}

// less(1): +COMMAND runs what it says when the file is shown, ! and | among it.
void Options::less() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (!word.starts_with('+')) continue;
    std::string_view command = std::string_view(word).substr(word.starts_with("++") ? 2 : 1);
    const bool searches = command.starts_with('/') || command.starts_with('?');
    if (searches && command.find_first_of("\n\r") == npos && argv_[i].constant) continue;
    if (command.find_first_not_of("0123456789GgFp%") != npos) hazard(word);
  }
}

// Settings that other calls of the same program obey.
void Options::stores() {
  std::string_view program = argv_[0].text;
  program.remove_prefix(program.rfind('/') + 1);
  const bool packages = program == "yarn" || program == "pnpm" || program == "pip" ||
                        program == "pip3" || program == "bun";
  if (packages && argv_.size() > 3 && argv_[1].text == "config" &&
      (argv_[2].text == "set" || argv_[2].text == "edit")) {
    for (const std::string_view part : {"shell", "registry", "index", "proxy", "path", "options",
                                        "plugins", "script", "git", "trusted", "find-links"}) {
      std::string key = argv_[3].text;
      std::transform(key.begin(), key.end(), key.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      if (key.find(part) != std::string::npos) return hazard("config set " + argv_[3].text);
    }
  }
  if (program == "bun" && argv_.size() > 2 && argv_[1].text == "exec") hazard("exec");
  if (program == "go" && argv_.size() > 3 && argv_[1].text == "env" && argv_[2].text == "-w") {
    hazard("env -w");
  }
}

// kubectl and helm run kubectl-NAME and plugins for words that they do not have; the manuals.
constexpr std::string_view kKubectlStock =
    "alpha annotate api-resources api-versions apply attach auth autoscale certificate cluster-info"
    " completion config cordon cp create debug delete describe diff drain edit events exec explain"
    " expose get help kustomize label logs options patch plugin port-forward proxy replace rollout"
    " run scale set taint top uncordon version wait";
constexpr std::string_view kHelmStock =
    "completion create dependency dep env get help history hist install lint list ls package plugin"
    " pull fetch push registry repo rollback search show inspect status template test uninstall"
    " delete del un upgrade verify version";

void Options::clusters(std::string_view name) {
  constexpr std::string_view kValues =
      "-n --namespace --context --cluster --user --as --kube-context -l --log-level";
  std::size_t at = 1;
  for (; at < argv_.size() && argv_[at].text.starts_with('-'); ++at) {
    const std::string& word = argv_[at].text;
    const std::string option = word.substr(0, word.find('='));
    // Another daemon, or a directory with credentials and plugins of its own.
    const bool docker = name == "docker" || name == "podman";
    if (docker && (is_word_of("-H --host --context -c --config --url --connection", option) ||
                   (word.starts_with("-H") && word.size() > 2))) {
      hazard(option + " (another daemon or its settings)");
    }
    if (name == "kubectl" && option == "-s") hazard("-s (another server)");
    if (is_word_of(kValues, word)) ++at;
  }
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  const std::string next = at + 1 < argv_.size() ? argv_[at + 1].text : "";
  if ((name == "kubectl" && !is_word_of(kKubectlStock, sub)) ||
      (name == "helm" && !is_word_of(kHelmStock, sub))) {
    hazard("a plugin, " + sub);
  }
  if ((sub == "plugin" && (next == "install" || next == "update")) ||
      (sub == "context" && is_word_of("create use update import", next))) {
    hazard(sub + " " + next);
  }
}

// gh(1): any other word is an extension.
constexpr std::string_view kGhStock =
    "agent-task alias api attestation auth browse cache codespace completion config copilot cs"
    " extension extensions ext gist gpg-key help issue label org pr preview project release repo"
    " rs ruleset run search secret ssh-key status variable version workflow";

void Options::gh() {
  if (argv_.size() < 2) return;
  const std::string& sub = argv_[1].text;
  const std::string verb = argv_.size() > 2 ? argv_[2].text : "";
  const std::string key = argv_.size() > 3 ? argv_[3].text : "";
  if (!sub.starts_with('-') && !is_word_of(kGhStock, sub)) hazard("an extension, " + sub);
  if ((sub == "alias" && (verb == "set" || verb == "import")) ||
      ((sub == "extension" || sub == "extensions" || sub == "ext") &&
       (verb == "install" || verb == "exec" || verb == "create")) ||
      (sub == "config" && verb == "set" &&
       is_word_of("pager editor browser http_unix_socket", key))) {
    hazard(sub + " " + verb);
  }
  if (sub != "repo" || (verb != "clone" && verb != "fork")) return;
  // What stands behind "--" is git clone's.
  std::vector<Argument> clone{Argument{"git"}, Argument{"clone"}};
  const auto end = std::find_if(argv_.begin(), argv_.end(),
                                [](const Argument& one) { return one.text == "--"; });
  if (end != argv_.end()) clone.insert(clone.end(), end + 1, argv_.end());
  Options git(clone, offset_);
  git.git();
  found.insert(found.end(), git.found.begin(), git.found.end());
}

// cmake(1): variables that name a program, and what `--build DIR --` hands to make.
void Options::cmake() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    std::string word = argv_[i].text;
    if (word == "--") {
      std::vector<Argument> make{Argument{"make"}};
      make.insert(make.end(), argv_.begin() + static_cast<std::ptrdiff_t>(i) + 1, argv_.end());
      Options native(make, offset_);
      native.make();
      native.simple();
      found.insert(found.end(), native.found.begin(), native.found.end());
      return;
    }
    if (!word.starts_with("-D")) continue;
    word = word.size() > 2 ? word.substr(2) : i + 1 < argv_.size() ? argv_[i + 1].text : "";
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = word.substr(0, word.find_first_of(":="));
    const bool program = key.ends_with("_LAUNCHER") || key == "CMAKE_MAKE_PROGRAM" ||
                         (key.starts_with("CMAKE_") && key.ends_with("_COMPILER"));
    const std::string value = word.substr(equals + 1);
    if (program && value != "ninja" && value != "/usr/bin/ninja" &&
        is_dangerous_assignment("CC", value, argv_[i].constant)) {
      hazard("-D" + key);
    }
  }
}

// go help build: the linker that -ldflags names; -extldflags only hands on flags.
void Options::go() {
  for (const Argument& one : argv_) {
    for (std::size_t at = one.text.find("-extld"); at != npos;
         at = one.text.find("-extld", at + 1)) {
      if (!one.text.substr(at).starts_with("-extldflags")) return hazard("-extld");
    }
  }
}

// GCC manual 3.14, 3.16: where the compiler finds the programs that it runs.
void Options::compiler() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word.starts_with("-B") || word.starts_with("-fuse-ld=/") ||
        word.starts_with("-fuse-ld=.") || word.starts_with("--ld-path") || word == "-Xclang" ||
        word.starts_with("-Wl,-plugin") || word.starts_with("-Wl,--plugin")) {
      hazard(word);
    }
  }
}

// An entry for these does not cover what their options do.
void Options::builtins(std::string_view name) {
  // bash manual 4.2, 7.1, 8.7: options whose value runs, or is assigned to with its subscript.
  std::string_view letters;
  if (name == "jobs") letters = "x";
  if (name == "wait") letters = "p";
  if (name == "compgen") letters = "CFW";
  if (name == "mapfile" || name == "readarray") letters = "C";
  if (letters.empty()) return;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const bool runs = std::any_of(letters.begin(), letters.end(), [&](char letter) {
      return has_short(argv_[i].text, letter, "");
    });
    if (runs || is_dynamic_option(argv_[i])) hazard(argv_[i].text);
  }
}

void Options::simple() {
  std::string_view program = argv_[0].text;
  program.remove_prefix(program.rfind('/') + 1);
  for (const SimpleRow& row : kSimpleRows) {
    if (row.program != program) continue;
    for (std::size_t i = 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
      // The first word of tar may be a bundle without its dash; values stand behind all of it.
      const bool old = program == "tar" && i == 1 && !argv_[i].text.starts_with('-');
      const SimpleRow whole{row.program, row.option, ""};
      if (is_row_option(old ? whole : row, (old ? "-" : "") + argv_[i].text, i)) {
        hazard(argv_[i].text.substr(0, argv_[i].text.find('=')));
        break;
      }
    }
  }
  // The names of files may be options: tar cf x.tar * with a file --checkpoint-action=exec=...
  constexpr std::array<std::string_view, 3> kByName{"tar", "rsync", "zip"};
  for (std::size_t i = 1; among(kByName, program) && i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") break;
    if (!argv_[i].constant && (word[0] == '*' || word[0] == '?' || word[0] == '[')) {
      unknown("what '" + word + "' finds may begin with a dash (write ./" + word + "), and");
    }
  }
}

// ---- operands that are written

enum class Operands { kNone, kAll, kFirst, kSecond, kLast, kAllButFirst };

struct WriteRow {
  std::string_view program;     // "git NAME" for a sub-command, "git NAME WORD" where that decides
  std::string_view value;       // short options with a value
  std::string_view write;       // of those: the value is written
  std::string_view long_value;  // long options with a value in the next word
  std::string_view long_write;  // long options whose value is written, abbreviated or not
  Operands operands = Operands::kNone;
  bool touches = false;
};
// The programs' manuals. A long option of `long_write` takes precedence.
constexpr std::array kWriteRows{
    WriteRow{"curl", "AbcCdDeEFHKmoPQrtTuUwXxyYz", "ocD", "header data user user-agent request",
             "output output-dir dump-header cookie-jar trace trace-ascii stderr etag-save libcurl"
             " hsts alt-svc"},
    WriteRow{"wget", "oaeiBtOTwQPUlARDIX", "OPoa", "header user-agent tries timeout",
             "output-document directory-prefix output-file append-output save-cookies warc-file"
             " hsts-file"},
    // The file that is patched; with -o it is read.
    WriteRow{"patch", "BdDFgioprVxYz", "dor", "strip input prefix suffix fuzz",
             "output directory reject-file", Operands::kFirst},
    WriteRow{"uniq", "fsw", "", "skip-fields skip-chars check-chars", "", Operands::kSecond},
    WriteRow{"gzip", "S", "", "suffix", "", Operands::kAll},
    WriteRow{"tree", "LPIoHT", "o", "", ""},
    WriteRow{"mktemp", "p", "p", "suffix", "tmpdir", Operands::kAll, true},
    WriteRow{"split", "abClnt", "",
             "suffix-length bytes line-bytes lines number additional-suffix filter separator", "",
             Operands::kSecond},
    WriteRow{"yq -i", "oIps", "", "", "", Operands::kAllButFirst},
    WriteRow{"less", "bDhjkoOpPtTxyz", "oO", "", "log-file LOG-FILE"},
    WriteRow{"awk -i", "vFfEile", "", "", "profile pretty-print dump-variables",
             Operands::kAllButFirst},
    WriteRow{"awk", "vFfEile", "", "", "profile pretty-print dump-variables"},
    WriteRow{"pip", "tdwrcefi", "tdw", "requirement constraint index-url extra-index-url",
             "target prefix root dest wheel-dir log src report cache-dir"},
    WriteRow{"cargo new", "", "", "name vcs edition color registry", "root target-dir",
             Operands::kAll},
    WriteRow{"cp", "tS", "t", "suffix", "target-directory", Operands::kLast},
    WriteRow{"ln", "tS", "t", "suffix", "target-directory", Operands::kLast},
    // What is moved is gone from where it was.
    WriteRow{"mv", "tS", "t", "suffix", "target-directory", Operands::kAll},
    WriteRow{"install", "tSgmo", "t", "suffix group mode owner", "target-directory",
             Operands::kLast},
    WriteRow{"install -d", "tSgmo", "t", "group mode owner", "", Operands::kAll},
    WriteRow{"tee", "", "", "", "", Operands::kAll},
    WriteRow{"touch", "tdr", "", "date reference time", "", Operands::kAll, true},
    WriteRow{"mkdir", "m", "", "mode", "", Operands::kAll, true},
    WriteRow{"rm", "", "", "", "", Operands::kAll},
    WriteRow{"rmdir", "", "", "", "", Operands::kAll, true},
    WriteRow{"truncate", "sr", "", "size reference", "", Operands::kAll},
    WriteRow{"rsync", "efTBM", "T", "rsh exclude include exclude-from include-from filter",
             "temp-dir backup-dir log-file partial-dir write-batch", Operands::kLast},
    WriteRow{"sort", "kStTo", "oT", "key field-separator buffer-size",
             "output temporary-directory"},
    WriteRow{"sed -i", "efl", "", "expression file", "", Operands::kAllButFirst},
    WriteRow{"sed -i -e", "efl", "", "expression file", "", Operands::kAll},
    WriteRow{"unzip", "dxP", "d", "", ""},
    WriteRow{"zip", "binPtx", "b", "", "", Operands::kFirst},
    WriteRow{"chmod", "", "", "reference", "", Operands::kAllButFirst},
    WriteRow{"chmod --reference", "", "", "reference", "", Operands::kAll},
    WriteRow{"chown", "", "", "reference from", "", Operands::kAllButFirst},
    WriteRow{"chgrp", "", "", "reference", "", Operands::kAllButFirst},
    WriteRow{"shred", "ns", "", "iterations size random-source", "", Operands::kAll},
    WriteRow{"unlink", "", "", "", "", Operands::kAll},
    WriteRow{"gcc", "oIDLlUx", "o", "", ""},
    WriteRow{"g++", "oIDLlUx", "o", "", ""},
    WriteRow{"c++", "oIDLlUx", "o", "", ""},
    WriteRow{"clang++", "oIDLlUx", "o", "", ""},
    WriteRow{"javac", "dhs", "dhs", "", ""},
    WriteRow{"docker save", "o", "o", "", "output"},
    WriteRow{"docker export", "o", "o", "", "output"},
    WriteRow{"docker build", "oft", "o", "file tag", "output iidfile metadata-file"},
    WriteRow{"helm", "fno", "", "values namespace set", "output-dir"},
    WriteRow{"gh", "RFtbBHLqfXipSmclarDO", "DO", "", "dir output"},
    WriteRow{"psql", "cdfhoLpUvFPRT", "oL", "command dbname file host port username variable",
             "output log-file"},
    WriteRow{"ctest", "ORELCMTSIj", "O", "", "output-log output-junit"},
    WriteRow{"pytest", "kmcopnrW", "", "", "basetemp junitxml junit-xml log-file"},
    WriteRow{"mypy", "mpc", "", "", "cache-dir junit-xml html-report xml-report txt-report"},
    WriteRow{"coverage", "od", "od", "", "data-file"},
    WriteRow{"eslint", "cof", "o", "", "output-file"},
    WriteRow{"eslint --fix", "cof", "o",
             "config format ext plugin rule max-warnings parser ignore-pattern ignore-path"
             " cache-location",
             "output-file", Operands::kAll},
    WriteRow{"jest", "ctwi", "", "", "coverageDirectory outputFile cacheDirectory"},
    WriteRow{"tsc", "", "", "", "outDir outFile declarationDir tsBuildInfoFile generateTrace"},
    WriteRow{"ruff", "o", "o", "config select ignore extend-select", "output-file"},
    WriteRow{"hugo", "bcdDest", "d", "", "destination"},
    WriteRow{"redis-cli", "", "", "", "rdb functions-rdb"},
    WriteRow{"dotnet", "ocfrv", "o", "", "output"},
    WriteRow{"protoc", "Io", "o", "", "descriptor_set_out"},
    // Formatters in their writing mode.
    WriteRow{"black", "clCtjW", "", "code line-length config include exclude target-version", "",
             Operands::kAll},
    WriteRow{"gofmt -w", "r", "", "", "", Operands::kAll},
    WriteRow{"prettier --write", "", "",
             "config parser ignore-path plugin log-level loglevel config-precedence tab-width"
             " print-width end-of-line cache-location",
             "", Operands::kAll},
    WriteRow{"rustfmt", "", "", "edition config config-path emit style-edition", "",
             Operands::kAll},
    WriteRow{"cc", "oIDLlUx", "o", "", ""},
    WriteRow{"clang", "oIDLlUx", "o", "", ""},
    WriteRow{"ssh-keygen", "ftbCNPmIns", "f", "", ""},
    WriteRow{"npm", "", "", "", "pack-destination cache logs-dir"},
    WriteRow{"cargo", "", "", "", "root target-dir artifact-dir out-dir"},
    WriteRow{"git", "", "", "", "output"},
    WriteRow{"git archive", "o", "o", "format prefix", "output"},
    WriteRow{"git format-patch", "ov", "o", "", "output-directory output"},
    WriteRow{"git bugreport", "os", "o", "suffix", "output-directory"},
    WriteRow{"git diagnose", "os", "o", "suffix", "output-directory"},
    WriteRow{"git mailsplit", "o", "o", "", ""},
    WriteRow{"git index-pack", "o", "o", "", ""},
    WriteRow{"git bundle create", "", "", "version", "", Operands::kFirst},
    WriteRow{"git worktree add", "bB", "", "reason", "", Operands::kFirst},
    WriteRow{"git worktree move", "", "", "", "", Operands::kAll},
    WriteRow{"git init", "b", "", "template initial-branch object-format ref-format",
             "separate-git-dir", Operands::kFirst},
    WriteRow{"git clone", "obucj", "",
             "origin branch upload-pack template reference reference-if-able depth shallow-since"
             " shallow-exclude config jobs filter server-option bundle-uri",
             "separate-git-dir", Operands::kSecond},
    WriteRow{"git checkout-index", "", "", "", "prefix"},
    WriteRow{"git fast-export", "", "", "", "export-marks"},
    WriteRow{"git fast-import", "", "", "", "export-marks export-pack-edges"},
    WriteRow{"git read-tree", "", "", "", "index-output"},
    WriteRow{"git interpret-trailers --in-place", "", "", "where if-exists if-missing trailer", "",
             Operands::kAll},
    WriteRow{"git merge-file", "L", "", "", "", Operands::kFirst},
    WriteRow{"git config", "f", "f", "", "file"},
};

const WriteRow* write_row(std::string_view program) {
  for (const WriteRow& row : kWriteRows) {
    if (row.program == program) return &row;
  }
  return nullptr;
}

// Whether a long option (without dashes and value) is or abbreviates a word of the list.
bool abbreviates_one(std::string_view list, std::string_view option) {
  std::size_t at = 0;
  while (!option.empty() && at < list.size()) {
    const std::size_t end = std::min(list.find(' ', at), list.size());
    if (list.substr(at, end - at).starts_with(option)) return true;
    at = end + 1;
  }
  return false;
}

class Writes {
 public:
  explicit Writes(const std::vector<Argument>& argv) : argv_(argv) {}

  std::vector<WriteOperand> find(std::string_view name);

 private:
  void add(std::size_t argument, std::size_t from = 0) {
    if (argument < argv_.size() && from < argv_[argument].text.size()) {
      if (argv_[argument].text.substr(from) == "-") return;  // standard output
      found_.push_back({argument, from, base_, touches_});
    }
  }
  void by_row(const WriteRow& row, std::size_t from);
  std::size_t short_options(const WriteRow& row, std::size_t i);
  void git();
  void tar();
  void xxd();
  void cmake();
  void formatter(std::string_view name);
  [[nodiscard]] bool any_short(char letter, std::string_view value) const {
    return std::any_of(argv_.begin() + 1, argv_.end(), [&](const Argument& argument) {
      return has_short(argument.text, letter, value);
    });
  }
  [[nodiscard]] bool any_long(std::string_view option) const {
    return std::any_of(argv_.begin() + 1, argv_.end(), [&](const Argument& argument) {
      std::string_view word = argument.text;
      if (!word.starts_with("--")) return false;
      word = word.substr(2, word.find('=') - 2);
      return word.size() > 1 && option.starts_with(word);
    });
  }

  const std::vector<Argument>& argv_;
  std::vector<WriteOperand> found_;
  std::size_t base_ = 0;
  bool touches_ = false;
};

// Returns the index of the last word that belongs to the bundle at `i`.
std::size_t Writes::short_options(const WriteRow& row, std::size_t i) {
  const std::string& word = argv_[i].text;
  for (std::size_t at = 1; at < word.size(); ++at) {
    if (row.value.find(word[at]) == std::string_view::npos) continue;
    const bool writes = row.write.find(word[at]) != std::string_view::npos;
    if (at + 1 < word.size()) {
      if (writes) add(i, at + 1);
      return i;
    }
    if (writes) add(i + 1);
    return i + 1;
  }
  return i;
}

void Writes::by_row(const WriteRow& row, std::size_t from) {
  touches_ = row.touches;
  std::vector<std::size_t> operands;
  bool ended = false;
  bool target = false;
  for (std::size_t i = from; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (ended || !word.starts_with('-') || word == "-") {
      if (word != "-") operands.push_back(i);
      continue;
    }
    if (word == "--") {
      ended = true;
      continue;
    }
    const std::size_t before = found_.size();
    if (!word.starts_with("--")) {
      i = short_options(row, i);
    } else {
      const std::size_t equals = word.find('=');
      const std::string_view option = std::string_view(word).substr(2, equals - 2);
      if (abbreviates_one(row.long_write, option)) {
        equals == std::string::npos ? add(++i) : add(i, equals + 1);
      } else if (equals == std::string::npos && is_word_of(row.long_value, option)) {
        ++i;
      }
    }
    target = target || found_.size() > before;
  }
  if (operands.empty()) return;
  switch (row.operands) {
    case Operands::kNone:
      break;
    case Operands::kAllButFirst:
      operands.erase(operands.begin());
      [[fallthrough]];
    case Operands::kAll:
      for (const std::size_t operand : operands) add(operand);
      break;
    case Operands::kFirst:
      add(operands[0]);
      break;
    case Operands::kSecond:
      if (operands.size() > 1) add(operands[1]);
      break;
    case Operands::kLast:
      // With -t DIR every operand is a source, and one operand alone writes nothing it names.
      // `cp f{,.bak}` is one word here and two for cp.
      if ((operands.size() > 1 || argv_[operands.back()].text.find('{') != std::string::npos) &&
          (!target || row.program == "rsync")) {
        add(operands.back());
      }
      break;
  }
}

void Writes::git() {
  std::size_t at = 1;
  std::size_t directories = 0;
  for (; at < argv_.size() && argv_[at].text.starts_with('-'); ++at) {
    const std::string& word = argv_[at].text;
    if (word.starts_with("--work-tree=")) add(at, std::string_view("--work-tree=").size());
    if (word == "--work-tree") add(at + 1);
    if (word == "-C") {
      base_ = ++directories == 1 ? at + 1 : WriteOperand::kUnknownBase;
    }
    if (word == "-C" || word == "-c" || word == "--git-dir" || word == "--work-tree" ||
        word == "--namespace" || word == "--super-prefix" || word == "--attr-source" ||
        word == "--shallow-file" || word == "--config-env") {
      ++at;
    }
  }
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  if (sub == "config" && reads_git_config(argv_, at)) return;
  const std::string name = "git " + (sub == "init-db" ? std::string("init") : sub);
  std::size_t from = at + 1;
  const WriteRow* row = nullptr;
  if (sub == "interpret-trailers" && any_long("in-place")) {
    row = write_row(name + " --in-place");
  } else if (sub == "bundle" || sub == "worktree") {
    while (from < argv_.size() && argv_[from].text.starts_with('-')) ++from;
    if (from < argv_.size()) row = write_row(name + " " + argv_[from++].text);
  } else {
    row = write_row(name);
  }
  by_row(row != nullptr ? *row : *write_row("git"), from);
}

void Writes::tar() {
  // The first word may be a bundle without a dash, whose values follow in their order.
  constexpr std::string_view kValue = "fCbgHIKLNTVXF";
  bool creates = false;
  bool extracts = false;
  std::vector<std::pair<std::size_t, std::size_t>> files;
  std::vector<std::pair<std::size_t, std::size_t>> directories;
  const auto mode = [&](char letter) {
    creates = creates || letter == 'c' || letter == 'r' || letter == 'u' || letter == 'A';
    extracts = extracts || letter == 'x';
  };
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const std::string option = word.substr(2, equals - 2);
      const std::pair<std::size_t, std::size_t> value =
          equals == std::string::npos ? std::pair(i + 1, std::size_t{0}) : std::pair(i, equals + 1);
      const auto is = [&](std::string_view full, std::size_t least) {
        return option.size() >= least && full.starts_with(option);
      };
      if (is("listed-incremental", 2) || is("index-file", 3)) add(value.first, value.second);
      if (is("one-top-level", 3)) directories.push_back(value);
      if (is("file", 4)) files.push_back(value);
      if (is("directory", 2)) directories.push_back(value);
      if (is("create", 2) || is("append", 2) || is("update", 2) || is("delete", 3) ||
          is("concatenate", 3) || is("catenate", 3)) {
        creates = true;
      }
      if (is("extract", 3) || is("get", 1)) extracts = true;
      continue;
    }
    const bool old_style = i == 1 && !word.starts_with('-');
    if (!old_style && !word.starts_with('-')) continue;
    std::size_t next = i + 1;
    for (std::size_t at = old_style ? 0 : 1; at < word.size(); ++at) {
      mode(word[at]);
      if (kValue.find(word[at]) == std::string_view::npos) continue;
      const bool glued = !old_style && at + 1 < word.size();
      const std::pair<std::size_t, std::size_t> value =
          glued ? std::pair(i, at + 1) : std::pair(next++, std::size_t{0});
      if (word[at] == 'g') add(value.first, value.second);
      if (word[at] == 'f') files.push_back(value);
      if (word[at] == 'C') directories.push_back(value);
      if (glued) break;
    }
    i = next - 1;
  }
  if (creates) {
    for (const auto& [argument, from] : files) add(argument, from);
  }
  if (!extracts) return;
  for (const auto& [argument, from] : directories) {
    add(argument, from);
    base_ = base_ == 0 && from == 0 ? argument : WriteOperand::kUnknownBase;
  }
}

// cmake(1): the build tree, the place of an installation, and the tools of cmake -E.
void Writes::cmake() {
  if (argv_.size() > 2 && argv_[1].text == "-E") {
    const std::string& tool = argv_[2].text;
    const bool last = tool.starts_with("copy") || tool == "rename" || tool == "create_symlink" ||
                      tool == "create_hardlink";
    const bool all =
        is_word_of("rm remove remove_directory touch touch_nocreate make_directory", tool);
    if (last && argv_.size() > 4) add(argv_.size() - 1);
    for (std::size_t i = 3; all && i < argv_.size(); ++i) {
      if (!argv_[i].text.starts_with('-')) add(i);
    }
    return;
  }
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") return;
    if (word == "-B" || word == "--prefix" || word == "--install-prefix") add(i + 1);
    if (word.starts_with("-B") && word.size() > 2) add(i, 2);
    if (word.starts_with("--prefix=") || word.starts_with("--install-prefix=")) {
      add(i, word.find('=') + 1);
    }
  }
}

// What a formatter would write back, unless it is told only to look.
void Writes::formatter(std::string_view name) {
  if (name == "eslint") return by_row(*write_row(any_long("fix") ? "eslint --fix" : "eslint"), 1);
  const bool looks = any_long("check") || any_long("diff");
  if (name == "black" || name == "rustfmt") {
    if (!looks) by_row(*write_row(name), 1);
  } else if (name == "gofmt") {
    if (any_short('w', "r")) by_row(*write_row("gofmt -w"), 1);
  } else if (name == "prettier") {
    if (any_long("write") || any_short('w', "")) by_row(*write_row("prettier --write"), 1);
  } else {
    by_row(*write_row(name), 1);  // ruff
    const bool writes = argv_.size() > 1 && ((argv_[1].text == "format" && !looks) ||
                                             (argv_[1].text == "check" && any_long("fix")));
    for (std::size_t i = 2; writes && i < argv_.size(); ++i) {
      const bool value = argv_[i - 1].text.starts_with("--") &&
                         argv_[i - 1].text.find('=') == std::string::npos &&
                         is_word_of("--config --select --ignore --extend-select --output-format",
                                    argv_[i - 1].text);
      if (!argv_[i].text.starts_with('-') && !value) add(i);
    }
  }
}

// xxd(1): its options are not bundled, and its second operand is the output.
void Writes::xxd() {
  std::size_t operands = 0;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word.starts_with('-') && word.size() > 1) {
      if (is_word_of("-c -cols -g -groupsize -l -len -o -off -s -seek -n -name -R", word)) ++i;
    } else if (++operands == 2) {
      add(i);
    }
  }
}

std::vector<WriteOperand> Writes::find(std::string_view name) {
  if (name == "git") {
    git();
  } else if (name == "tar") {
    tar();
  } else if (name == "dd") {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      if (argv_[i].text.starts_with("of=")) add(i, 3);
    }
  } else if (name == "docker" && argv_.size() > 3 && argv_[1].text == "cp") {
    if (argv_.back().text.find(':') == std::string::npos) add(argv_.size() - 1);
  } else if (name == "go") {
    // go's options are long ones behind one dash.
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const std::size_t equals = word.find('=');
      const std::size_t dashes = word.starts_with("--") ? 1 : 0;
      if (is_word_of("-o -coverprofile -cpuprofile -memprofile -blockprofile -mutexprofile -trace"
                     " -outputdir -objdir",
                     std::string_view(word).substr(0, equals).substr(dashes))) {
        equals == std::string::npos ? add(i + 1) : add(i, equals + 1);
      }
    }
  } else if (name == "terraform" || name == "openssl" || name == "tsc") {
    // Long options behind one dash.
    const std::string_view outputs =
        name == "terraform" ? "-out -state-out -backup"
        : name == "tsc"     ? "-outDir -outFile -declarationDir"
                            : "-out -keyout -writerand -CAserial -sess_out -msg_out -serverinfo";
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const std::size_t equals = word.find('=');
      if (!is_word_of(outputs, std::string_view(word).substr(0, equals))) continue;
      equals == std::string::npos ? add(i + 1) : add(i, equals + 1);
    }
    if (name == "tsc") by_row(*write_row(name), 1);
  } else if (name == "docker" && argv_.size() > 2 && write_row("docker " + argv_[1].text)) {
    by_row(*write_row("docker " + argv_[1].text), 2);
  } else if (name == "kubectl" && argv_.size() > 3 && argv_[1].text == "cp") {
    if (argv_.back().text.find(':') == std::string::npos) add(argv_.size() - 1);
  } else if (is_word_of("gcc g++ cc c++ clang clang++", name)) {
    for (std::size_t i = 1; i < argv_.size(); ++i) {  // where make's rules go
      if (argv_[i].text == "-MF") add(i + 1);
      if (argv_[i].text.starts_with("-MF") && argv_[i].text.size() > 3) add(i, 3);
    }
    by_row(*write_row(name), 1);
  } else if (name == "cmake") {
    cmake();
  } else if (name == "protoc") {
    // --cpp_out=[OPTIONS:]DIR
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const std::size_t equals = word.find("_out=");
      if (!word.starts_with("--") || equals == std::string::npos) continue;
      const std::size_t colon = word.rfind(':');
      add(i, colon != std::string::npos && colon > equals ? colon + 1 : equals + 5);
    }
    by_row(*write_row(name), 1);
  } else if (is_word_of("eslint prettier black rustfmt gofmt ruff", name)) {
    formatter(name);
  } else if (name == "find") {
    // -delete removes what lies below the starting points.
    const bool removes = std::any_of(argv_.begin(), argv_.end(),
                                     [](const Argument& one) { return one.text == "-delete"; });
    for (std::size_t i = 1; removes && i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word == "-H" || word == "-L" || word == "-P") continue;
      if (word.starts_with('-') || word == "(" || word == "!") break;
      add(i);
    }
  } else if (name == "sed") {
    if (any_short('i', "efl") || any_long("in-place")) {
      const bool script = any_short('e', "fli") || any_short('f', "eli") ||
                          any_long("expression") || any_long("file");
      by_row(*write_row(script ? "sed -i -e" : "sed -i"), 1);
    }
  } else if (name == "yq") {
    if (any_short('i', "oIps") || any_long("inplace")) by_row(*write_row("yq -i"), 1);
  } else if (name == "awk" || name == "gawk") {
    const bool in_place = std::any_of(argv_.begin(), argv_.end(), [](const Argument& one) {
      return one.text == "inplace" || one.text == "-iinplace" || one.text == "--include=inplace";
    });
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      // Their values are glued or absent.
      const std::string& word = argv_[i].text;
      if (word.size() > 2 && word[0] == '-' && std::string_view("dop").find(word[1]) != npos) {
        add(i, 2);
      }
    }
    by_row(*write_row(in_place ? "awk -i" : "awk"), 1);
  } else if (name == "chmod" && any_long("reference")) {
    by_row(*write_row("chmod --reference"), 1);
  } else if (name == "gzip" || name == "gunzip" || name == "bzip2" || name == "bunzip2" ||
             name == "xz" || name == "unxz" || name == "zstd") {
    // What is compressed takes the place of what was there.
    const bool prints = any_short('c', "S") || any_short('l', "S") || any_short('t', "S") ||
                        any_long("stdout") || any_long("to-stdout") || any_long("list") ||
                        any_long("test");
    if (!prints) by_row(*write_row("gzip"), 1);
  } else if (name == "xxd") {
    xxd();
  } else if (name == "pip3") {
    by_row(*write_row("pip"), 1);
  } else if (name == "cargo") {
    std::size_t sub = 1;
    while (sub < argv_.size() && argv_[sub].text.find_first_of("+-") == 0) ++sub;
    const bool creates =
        sub < argv_.size() &&
        (argv_[sub].text == "new" || argv_[sub].text == "init" || argv_[sub].text == "vendor");
    by_row(*write_row(creates ? "cargo new" : "cargo"), creates ? sub + 1 : 1);
  } else if (name == "install" && (any_short('d', "tSgmo") || any_long("directory"))) {
    by_row(*write_row("install -d"), 1);
  } else if (const WriteRow* row = write_row(name); row != nullptr) {
    by_row(*row, 1);
  }
  return std::move(found_);
}

// Programs that run what their PATH, or the environment they make, holds under the name that stands
// behind a sub-command. Their manuals.
struct Runner {
  std::string_view program;
  std::string_view sub;    // empty: the program itself
  std::string_view value;  // options with a value in the next word
  bool ends = false;       // the command stands behind "--"
};
constexpr std::array kRunners{
    Runner{"uv", "run",
           "--with --extra --group --only-group --python -p --package --project --directory"
           " --env-file --index --default-index --index-url --extra-index-url --find-links"
           " --with-requirements --with-editable --no-group --cache-dir --config-file -C"},
    Runner{"poetry", "run", ""},
    Runner{"pipenv", "run", ""},
    Runner{"rye", "run", ""},
    Runner{"conda", "run", "-n --name -p --prefix"},
    Runner{"bundle", "exec", "--gemfile"},
    Runner{"pnpm", "exec", "--filter -F --dir -C"},
    Runner{"yarn", "exec", ""},
    Runner{"mise", "exec", "", true},
    Runner{"mise", "x", "", true},
    Runner{"tox", "exec", "-e", true},
    Runner{"pyenv", "exec", ""},
    Runner{"rbenv", "exec", ""},
    Runner{"asdf", "exec", ""},
    Runner{"npx", "", "-p --package -w --workspace"},
    Runner{"bunx", "", "-p --package"},
    Runner{"uvx", "", "--from --with -p --python"},
    Runner{"pnpm", "dlx", "--package"},
    Runner{"yarn", "dlx", "-p --package"},
    Runner{"bun", "x", "-p --package"},
};

// Where the sub-command stands; `uv --quiet run`, `pnpm -r exec`.
std::size_t sub_command_at(const std::vector<Argument>& argv) {
  std::size_t at = 1;
  while (at < argv.size() && argv[at].text.starts_with('-')) {
    at += is_word_of("-C --dir --directory --project --filter -F", argv[at].text) ? 2U : 1U;
  }
  return at;
}

const Runner* runner(const std::vector<Argument>& argv) {
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  for (const Runner& row : kRunners) {
    if (row.program != name) continue;
    if (row.sub.empty()) return &row;
    const std::size_t at = sub_command_at(argv);
    if (at < argv.size() && argv[at].text == row.sub) return &row;
  }
  return nullptr;
}

// cmake -E env|time|chdir COMMAND: cmake(1).
bool is_cmake_wrapper(const std::vector<Argument>& argv) {
  return argv[0].text == "cmake" && argv.size() > 3 && argv[1].text == "-E" &&
         is_word_of("env time chdir", argv[2].text);
}

std::size_t cmake_run_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  std::size_t i = argv[2].text == "chdir" ? 4 : 3;
  for (; argv[2].text == "env" && i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return i + 1;
    if (word.starts_with("--")) continue;
    if (word.find('=') == std::string::npos) break;
    assignments.push_back(word);
  }
  return std::min(i, argv.size());
}

std::size_t run_at(const Runner& row, const std::vector<Argument>& argv) {
  std::size_t i = row.sub.empty() ? 1 : sub_command_at(argv) + 1;
  if (row.ends) {
    // mise x TOOL -c TEXT, mise x TOOL -- COMMAND
    for (; i < argv.size() && argv[i].text != "--"; ++i) {
      if (argv[i].text == "-c" || argv[i].text.starts_with("--command")) {
        return static_cast<std::size_t>(-1);
      }
    }
    return std::min(i + 1, argv.size());
  }
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    if (argv[i].text == "--") return i + 1;
    // uv run -m MODULE and -s SCRIPT are python's.
    if (row.program == "uv" && (argv[i].text == "-m" || argv[i].text == "--module" ||
                                argv[i].text == "-s" || argv[i].text == "--script")) {
      return argv.size();
    }
    if (is_word_of(row.value, argv[i].text)) ++i;
  }
  if (row.program == "uv" && i < argv.size() && argv[i].text.ends_with(".py")) return argv.size();
  return std::min(i, argv.size());
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.smhd") == std::string_view::npos;
}

}  // namespace

bool is_harmless_builtin(std::string_view name) { return among(kHarmlessBuiltins, name); }
bool is_transparent_wrapper(std::string_view name) { return among(kTransparent, name); }
bool is_listed_wrapper(std::string_view name) { return among(kListedWrappers, name); }
bool is_wrapper(const std::vector<Argument>& argv) {
  const std::string& name = argv[0].text;
  return is_transparent_wrapper(name) || is_listed_wrapper(name) || runner(argv) != nullptr ||
         is_cmake_wrapper(argv);
}
bool runs_own_programs(const std::vector<Argument>& argv) { return runner(argv) != nullptr; }
bool is_system_program(std::string_view name) {
  const auto is_program = [&](const auto& row) {
    return row.program.substr(0, row.program.find(' ')) == name;
  };
  constexpr std::string_view kOthers =
      "cargo npm npx pnpm yarn uv pip pip3 nc ncat netcat socat ftp telnet gh docker podman kubectl"
      " helm terraform aws gcloud az psql mysql sqlite3 redis-cli openssl gpg crontab at systemctl"
      " launchctl kill pkill cat ls head tail grep less vi vim nano ed apt apt-get brew dnf yum "
      "snap"
      " base64 xxd eval source gunzip bzip2 xz zstd dig nslookup host ping ssh-add mount screen "
      "tmux";
  return is_shell(name) || is_transparent_wrapper(name) || is_listed_wrapper(name) ||
         is_word_of(kOthers, name) ||
         (name != "node" && std::any_of(kSimpleRows.begin(), kSimpleRows.end(), is_program)) ||
         std::any_of(kWriteRows.begin(), kWriteRows.end(), is_program);
}
bool is_shell(std::string_view name) { return among(kShells, name); }
bool takes_pattern_first(std::string_view name) { return among(kPatternFirst, name); }

std::vector<Hazard> exec_hazards(const std::vector<Argument>& argv, std::size_t offset) {
  Options options(argv, offset);
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  if (name == "git") options.git();
  if (name == "npm") options.npm();
  if (name == "npx") options.npx();
  if (name == "make" || name == "gmake") options.make();
  if (name == "less") options.less();
  options.stores();
  if (name == "docker" || name == "podman" || name == "kubectl" || name == "helm") {
    options.clusters(name);
  }
  if (name == "gh") options.gh();
  if (name == "cmake") options.cmake();
  if (name == "go") options.go();
  if (is_word_of("gcc g++ cc c++ clang clang++", name)) options.compiler();
  if (name == "cargo") options.cargo();
  options.builtins(name);
  options.simple();
  return std::move(options.found);
}

std::vector<Hazard> unknown_option_hazards(const std::vector<Argument>& argv,
                                           const std::vector<bool>& nothing_known,
                                           const std::vector<bool>& put_in, std::size_t offset) {
  std::vector<Hazard> found;
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  const bool shell = is_shell(name);
  const bool own_row = name == "git" || name == "npm" || name == "cargo" || shell;
  const bool simple_row =
      name == "find" || std::any_of(kSimpleRows.begin(), kSimpleRows.end(),
                                    [&](const SimpleRow& row) { return row.program == name; });
  if (!own_row && !simple_row) return found;
  std::size_t at = 1;
  if (name == "git") {
    while (at < argv.size() && argv[at].text.starts_with('-')) {
      at += argv[at].text == "-C" || argv[at].text == "-c" ? 2U : 1U;
    }
    if (at >= argv.size() || !among(kOptionSubcommands, argv[at].text)) return found;
    ++at;
  }
  for (; at < argv.size() && !(argv[at].constant && argv[at].text == "--"); ++at) {
    // The script of a shell: what follows it is data.
    if (shell && argv[at].constant && !argv[at].text.starts_with('-')) break;
    if (!(own_row ? nothing_known[at] : put_in[at])) continue;
    found.push_back(
        {shell ? "command.dynamic_text" : "command.dynamic_option",
         "'" + argv[0].text + "': what '" + argv[at].text +
             "' becomes is not known, and may be an option; put it in quotes, behind -- where '" +
             argv[0].text + "' knows that",
         offset});
  }
  return found;
}

std::vector<WriteOperand> write_operands(const std::vector<Argument>& argv) {
  if (argv.empty()) return {};
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  return Writes(argv).find(name);
}

std::size_t wrapped_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  constexpr auto kUnknown = static_cast<std::size_t>(-1);
  const std::string& name = argv[0].text;
  std::size_t i = 1;
  const auto word = [&](std::size_t at) -> std::string_view { return argv[at].text; };
  if (is_cmake_wrapper(argv)) return cmake_run_at(argv, assignments);
  if (const Runner* const row = runner(argv); row != nullptr) return run_at(*row, argv);
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
    if (alone && with_value.find(word(i)[1]) != std::string_view::npos) {
      ++i;  // its value, whatever that looks like
      continue;
    }
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
