#include "audit/base/text.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"
#include "rules/shell/values.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {
namespace {

// git config keys whose value git runs (git-config(1); GTFOBins git).
constexpr std::string_view kGitRunKeys =
    "core.pager core.editor core.sshcommand core.fsmonitor core.hookspath core.askpass"
    " core.gitproxy core.alternaterefscommand diff.external credential.helper gpg.program"
    " sequence.editor include.path uploadpack.packobjectshook protocol.ext.allow http.proxy"
    " init.templatedir commit.template core.worktree web.browser core.attributesfile"
    " gc.recentobjectshook";
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
    OptionRow{"rebase", "exec", 2},  // whole, its value is read as a line (value_options.cpp)
    OptionRow{"push", "exec", 1},
    OptionRow{"archive", "exec", 1},
    OptionRow{"ls-remote", "exec", 1},
    OptionRow{"fetch-pack", "exec", 1},
    OptionRow{"send-pack", "exec", 1},
    OptionRow{"clone", "template", 2},
    OptionRow{"init", "template", 1},
    OptionRow{"difftool", "extcmd", 2},
    OptionRow{"apply", "unsafe-paths", 3},
    OptionRow{"", "textconv", 5},
    OptionRow{"help", "web", 1},
    OptionRow{"config", "rename-section", 4},
};
// Sub-commands that run a program by themselves, whatever their options.
constexpr std::string_view kGitRunCommands =
    "filter-branch mergetool difftool instaweb send-email web--browse daemon upload-pack"
    " receive-pack shell merge-index for-each-repo imap-send credential submodule--helper"
    " difftool--helper cvsserver cvsimport http-backend upload-archive";
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
constexpr std::string_view kMergeStrategies =
    "ort recursive resolve octopus ours subtree recursive-theirs";
// Sub-commands in which a word that turns out to be an option runs or reads something else.
constexpr std::string_view kStrictSubcommands =
    "clone fetch pull push ls-remote diff archive rebase grep config";
// These and the ones that write what --output names: a word that splits may bring such an option.
constexpr std::string_view kOptionSubcommands =
    "clone fetch pull push ls-remote diff archive rebase grep config log show merge"
    " whatchanged diff-tree diff-index diff-files submodule format-patch shortlog";
constexpr std::string_view kRemoteSubcommands =
    "clone fetch pull push ls-remote remote submodule archive";
constexpr std::string_view kTransports = "http https ssh git file ftp ftps git+ssh ssh+git";

// `foo::ADDRESS` and `foo://ADDRESS` make git run git-remote-foo (gitremote-helpers(7)).
bool names_helper(std::string_view word) {
  if (word.starts_with("--")) word.remove_prefix(std::min(word.find('=') + 1, word.size()));
  const std::size_t colon = word.find(':');
  if (colon == npos || colon == 0) return false;
  const std::string_view scheme = word.substr(0, colon);
  const std::string_view rest = word.substr(colon);
  if (scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789+.-_") != npos) {
    return false;
  }
  return rest.starts_with("::") || (rest.starts_with("://") && !is_one_of<kTransports>(scheme));
}

// An option of which the name is not known: `--upload-{pack=x,y}`, `-$X`, `--*`. In `--name=$X`
// the name is known.
bool is_dynamic_option(const Argument& argument) {
  if (argument.constant || !argument.text.starts_with('-')) return false;
  const std::size_t dynamic = argument.text.find_first_of("$`{*?[");
  return dynamic == npos || argument.text.find('=') > dynamic;
}

// A default that is itself an option or several words: ${X:---no-index}.
bool has_option_default(const Argument& argument) {
  if (argument.constant || !argument.text.starts_with("${")) return false;
  const std::size_t op = argument.text.find_first_of(":-=+}", 2);
  if (op == npos || argument.text[op] == '}') return false;
  std::size_t from = op;
  if (argument.text[from] == ':') ++from;
  if (from >= argument.text.size() || std::string_view("-=+").find(argument.text[from]) == npos) {
    return false;
  }
  const std::string value = argument.text.substr(from + 1);
  return value.find_first_of(" \t\n") != npos ||
         (!value.empty() && std::string_view("-\"'\\$`").find(value[0]) != npos);
}

// A file or directory below the one the line runs in: what it holds is the project's code, as a
// Makefile or package.json in that directory itself is.
bool is_project_path(const Argument& path) {
  const std::string& text = path.text;
  return path.constant && !text.empty() && std::string_view("/~-").find(text[0]) == npos &&
         text.find("..") == npos && text.find(':') == npos;
}

bool is_run_key(std::string_view key) {
  const std::string lower = ascii_lower(key);
  if (is_one_of<kGitRunKeys>(lower)) return true;
  for (const std::string_view prefix : kGitHarmlessPrefixes) {
    if (lower.starts_with(prefix)) return false;
  }
  return std::any_of(kGitRunPrefixes.begin(), kGitRunPrefixes.end(),
                     [&](std::string_view prefix) { return lower.starts_with(prefix); });
}

struct SimpleRow {
  std::string_view program;
  std::string_view option;  // "--long", any abbreviation of which counts; "-x", also in a bundle;
                            // "-word", exact; "word" without dashes, the sub-command or operand
  std::string_view value;   // short options with a value, which end a bundle
  std::string_view harmless = {};  // values of it that run nothing; ".": a path in the project
};

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
  void host_powers(std::size_t at);
  void gh();
  void cmake();
  void go();
  void node();
  void python_choice(bool short_form);
  void test_runner();
  void connection_options();
  void compiler();
  void rustc() { cargo_rustc(1); }
  void module_choice();
  void socat();
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
  void git_short(std::string_view sub, std::size_t i);
  void npm_option(const std::string& word);
  bool npm_subcommand(std::size_t at);
  [[nodiscard]] bool is_harmless(const SimpleRow& row, std::size_t at) const;
  void cargo_rustc(std::size_t from);
  void cargo_watch(std::size_t at);

  const std::vector<Argument>& argv_;
  std::size_t offset_;
};

// Of a key that names a program: a value that runs none (`-c core.pager=cat`), as for the variables
// of the same meaning.
bool is_inert_config(std::string_view key, std::string_view value) {
  const std::string lower = ascii_lower(key);
  if (is_one_of<"core.pager core.editor sequence.editor">(lower) || lower.starts_with("pager.")) {
    return !is_dangerous_assignment("GIT_PAGER", value, true);
  }
  if (lower == "core.hookspath") return value == "/dev/null";
  return lower == "core.fsmonitor" && is_one_of<"false 0 no off">(value);
}

void Options::git_config_value(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string key = text.substr(0, equals);
  if (!is_run_key(key)) return;
  if (equals != npos && is_inert_config(key, std::string_view(text).substr(equals + 1))) return;
  hazard("-c " + key);
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
      if (!argv_[i].constant && argv_[i].text.find('=') == npos) unknown("the key of -c");
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
  const std::string_view sub = argv_[at].text;
  std::string next;
  for (std::size_t i = at + 1; i < argv_.size() && next.empty(); ++i) {
    if (!argv_[i].text.starts_with('-')) next = argv_[i].text;
  }
  if (is_one_of<kGitRunCommands>(sub) || sub.starts_with("credential-")) {
    hazard(sub);
  } else if (sub.starts_with("remote-")) {
    hazard("the transport helper " + std::string(sub));
  } else if (!is_one_of<kGitStock>(sub)) {
    hazard("an alias or external sub-command, " + std::string(sub));
  }
  if ((sub == "maintenance" && next == "start") || (sub == "hook" && next == "run")) {
    hazard(std::string(sub) + " " + next);
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
        if (is_one_of<kRemoteSubcommands>(sub) && names_helper(argv_[j].text)) {
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
    if (word.find('.') != npos && is_run_key(word) && i + 1 < argv_.size()) {
      hazard("config " + word);
    }
    if (word.starts_with('-') || word == "set") continue;
    if (first && !argv_[i].constant && i + 1 < argv_.size()) unknown("the key");
    first = false;
  }
}

void Options::git_short(std::string_view sub, std::size_t i) {
  const std::string& word = argv_[i].text;
  if (sub == "rebase" && word != "-x" && has_short(word, 'x', "sXCSr")) hazard("rebase -x");
  if (sub == "grep" && has_short(word, 'O', "efmABC")) hazard("grep -O");
  if (sub == "clone" && has_short(word, 'u', "obcj")) hazard("-u (upload-pack)");
  if (sub == "fetch-pack" && word == "-u") hazard("-u (upload-pack)");
  if (sub == "help" && has_short(word, 'w', "")) hazard("help -w");
  std::string value;
  const std::string next = i + 1 < argv_.size() ? argv_[i + 1].text : "";
  const bool merges = sub == "merge" || sub == "pull" || sub == "rebase";
  if (const std::size_t s = merges ? short_option(word, 's', "mFXCSxjor") : npos; s != npos) {
    value = s + 1 < word.size() ? word.substr(s + 1) : next;
    if (!is_one_of<kMergeStrategies>(value)) hazard("-s (the merge strategy " + value + ")");
  }
  if (const std::size_t c = sub == "clone" ? short_option(word, 'c', "obuj") : npos; c != npos) {
    git_config_value(c + 1 < word.size() ? word.substr(c + 1) : next);
  }
}

// One word behind the sub-command. `operands_only`: behind a "--" that may be another option's
// value; only what is surely meant as an option counts.
void Options::git_word(std::size_t at, std::size_t i, bool operands_only) {
  const std::string_view sub = argv_[at].text;
  const std::string& word = argv_[i].text;
  if (word.find("ext::") != npos) {
    hazard("an ext:: URL");
  } else if (is_one_of<kRemoteSubcommands>(sub) && names_helper(word)) {
    hazard("a transport helper, " + word);
  }
  if (!operands_only) {
    if (is_dynamic_option(argv_[i]) || has_option_default(argv_[i])) unknown("an option");
    const bool substitution =
        (word.starts_with("$(") && !word.starts_with("$((")) || word.starts_with('`');
    const bool in_option =
        word.starts_with('-') && (word.find("$(") != npos || word.find('`') != npos);
    if (!argv_[i].constant && is_one_of<kStrictSubcommands>(sub) &&
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
  const std::string value = equals != npos         ? word.substr(equals + 1)
                            : i + 1 < argv_.size() ? argv_[i + 1].text
                                                   : "";
  if (sub == "clone" && std::string_view("config").starts_with(option)) git_config_value(value);
  static constexpr std::string_view kMerging = "merge pull rebase cherry-pick revert";
  if (is_one_of<kMerging>(sub) && option.size() >= 3 &&
      std::string_view("strategy").starts_with(option) && !is_one_of<kMergeStrategies>(value)) {
    hazard("--strategy (" + value + ")");
  }
  for (const OptionRow& row : kGitOptions) {
    if ((row.subcommand.empty() || row.subcommand == sub) && option.size() >= row.least &&
        row.option.starts_with(option) && !(sub == "rebase" && option == "exec")) {
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
  if (name_at == npos) return;
  const std::string name = word.substr(name_at, word.find('=') - name_at);
  if (const std::size_t equals = word.find('='); name == "prefix" && equals != npos) {
    if (is_project_path({word.substr(equals + 1)})) return;
  }
  for (const OptionRow& row : kNpmOptions) {
    if (name.size() >= row.least && row.option.starts_with(name)) {
      return hazard("--" + std::string(row.option));
    }
  }
  // Bundles of short options: -c (call), -C (prefix).
  if (name_at == 1 && name.size() <= 4 && name.find_first_of("cC") != npos) {
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
  if (at == 1 || !before.starts_with('-') || before.find('=') != npos) return true;
  const std::string_view name =
      std::string_view(before).substr(std::min(before.find_first_not_of('-'), before.size()));
  return name.starts_with("no-") || is_one_of<kNpmFlags>(name);
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
    // npm --prefix DIR run x: cd DIR && npm run x.
    const bool prefix = word == "--prefix" || word == "-C";
    if (prefix && i + 1 < argv_.size() && is_project_path(argv_[i + 1])) {
      ++i;
    } else if (word.starts_with('-')) {
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
        word.find("linker=") != npos || word.find("link-arg") != npos) {
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

// Extensions that Rust projects install under these names (crates.io, the most downloaded ones),
// and that build, test or look: each runs the project's code at most, as cargo does.
constexpr std::string_view kCargoExtensions =
    "nextest llvm-cov expand audit deny outdated hack machete udeps tarpaulin insta fuzz miri"
    " semver-checks msrv bloat asm geiger sort criterion chef sweep tree-sitter public-api mutants"
    " shear vet cyclonedx about license sqlx watch";

// cargo watch runs sub-commands of cargo (-x), lines of a shell (-s) and what stands behind "--".
void Options::cargo_watch(std::size_t at) {
  const std::string& word = argv_[at].text;
  if (word == "--" || word.starts_with("--sh") || word.starts_with("--use-shell") ||
      has_short(word, 's', "xCwiBdE")) {
    return hazard("watch " + word);
  }
  std::string command;
  if (word == "-x" || word == "--exec") {
    command = at + 1 < argv_.size() ? argv_[at + 1].text : "";
  } else if (word.starts_with("-x") || word.starts_with("--exec=")) {
    command = word.substr(word[1] == 'x' ? 2 : word.find('=') + 1);
  } else {
    return;
  }
  // A shell runs the line (cargo-watch's README), so that it must be plain words.
  if (command.find_first_of("&;|<>$`\n()\\\"'*?{}[]~#!") != npos) {
    return hazard("watch -x " + command);
  }
  std::vector<Argument> words{Argument{"cargo"}};
  for (const std::string_view one : words_of(command)) words.push_back({std::string(one)});
  Options run(words, offset_);
  run.cargo();
  found.insert(found.end(), run.found.begin(), run.found.end());
}

void Options::cargo() {
  std::string sub;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (sub == "watch") cargo_watch(i);
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
      if (word.find('/') != npos) hazard("the toolchain " + word.substr(1));
    } else if (sub.empty() && word == "--color") {
      ++i;
    } else if (sub.empty() && !word.starts_with('-')) {
      if (!argv_[i].constant) return unknown("the sub-command");
      sub = word;
      if (!is_one_of<kCargoStock>(sub) && !is_one_of<kCargoExtensions>(sub)) {
        hazard("the external sub-command " + sub);
      }
    } else if (sub == "help" && !word.starts_with('-') && !is_one_of<kCargoStock>(word)) {
      hazard("the external sub-command " + word);
    }
  }
}

// GTFOBins and the programs' manuals. Options that are refused whatever their value is, or but for
// a few values; those that no row has are judged by their names and values (value_options.cpp).
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
    SimpleRow{"go", "-gccgoflags", ""},
    SimpleRow{"terraform", "-plugin-dir", ""},
    // Its settings may run programs before and after each transfer (rsyncd.conf(5)).
    SimpleRow{"rsync", "--daemon", ""},
    SimpleRow{"rsync", "--config", ""},
    SimpleRow{"rsync", "-e", "fTBM"},
    SimpleRow{"rsync", "--rsh", ""},
    SimpleRow{"rsync", "--rsync-path", ""},
    SimpleRow{"scp", "-S", "cDFiJlPX"},
    SimpleRow{"scp", "-o", "cDFiJlPX"},
    SimpleRow{"sftp", "-S", "BbcDFiJlPRs"},
    SimpleRow{"ssh", "-o", "BbcDEeFIiJLlmpQRSWw"},
    SimpleRow{"rg", "--pre", ""},
    SimpleRow{"rg", "--hostname-bin", ""},
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
    SimpleRow{"make", "-f", "CIoWjl", "."},
    SimpleRow{"make", "--file", "", "."},
    SimpleRow{"make", "--makefile", "", "."},
    SimpleRow{"make", "--eval", ""},
    SimpleRow{"make", "-E", ""},
    SimpleRow{"make", "SHELL", ""},
    SimpleRow{"make", ".SHELLFLAGS", ""},
    SimpleRow{"man", "-H", "CRLmMSserEPp"},
    SimpleRow{"man", "--html", ""},
    SimpleRow{"split", "--filter", ""},
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
    SimpleRow{"sqlite3", "-init", ""},
    SimpleRow{"java", "-XX:OnError", ""},
    SimpleRow{"java", "-XX:Flags", ""},
    SimpleRow{"java", "-XX:VMOptionsFile", ""},
    SimpleRow{"java", "-XX:OnOutOfMemoryError", ""},
    SimpleRow{"openssl", "-engine", ""},
    SimpleRow{"openssl", "-provider-path", ""},
    SimpleRow{"openssl", "-config", ""},
    SimpleRow{"openssl", "engine", ""},
    SimpleRow{"sftp", "-D", "BbcFiJlPRsSoX"},
    SimpleRow{"ssh-keygen", "-D", "abCEfFGIJKMmnNOPRrsTtVWwYZz"},
    SimpleRow{"ssh-keygen", "-w", "abCDEfFGIJKMmnNOPRrsTtVWYZz"},
    SimpleRow{"ssh-add", "-s", "EtHhTS"},
    SimpleRow{"ssh-add", "-S", "EtHhTs"},
    SimpleRow{"bazel", "--run_under", ""},
    SimpleRow{"bazelisk", "--run_under", ""},
    SimpleRow{"ansible", "-a", "BbcDefilmMPtTuU"},
    SimpleRow{"ansible", "--args", ""},
    SimpleRow{"ld", "-plugin", ""},
    SimpleRow{"ld", "--plugin", ""},
    SimpleRow{"fzf", "--preview", ""},
    SimpleRow{"fzf", "--bind", ""},
    SimpleRow{"fzf", "--with-shell", ""},
    SimpleRow{"bat", "--pager", "", "cat less never"},
    SimpleRow{"delta", "--pager", "", "cat less never"},
    SimpleRow{"ag", "--pager", "", "cat less"},
    SimpleRow{"mysql", "--pager", "", "cat less"},
    SimpleRow{"mariadb", "--pager", "", "cat less"},
    SimpleRow{"pandoc", "-F", "fotrVMHBATcDs"},
    SimpleRow{"pandoc", "--filter", ""},
    SimpleRow{"pandoc", "--pdf-engine", "",
              "pdflatex xelatex lualatex tectonic latexmk wkhtmltopdf weasyprint typst context"},
    SimpleRow{"clang-tidy", "-load", ""},
    SimpleRow{"pdflatex", "-shell-escape", ""},
    SimpleRow{"pdflatex", "-enable-write18", ""},
    SimpleRow{"xelatex", "-shell-escape", ""},
    SimpleRow{"lualatex", "-shell-escape", ""},
    SimpleRow{"latexmk", "-shell-escape", ""},
    SimpleRow{"latexmk", "-pdflatex", ""},
    SimpleRow{"latexmk", "-latex", ""},
    SimpleRow{"pylint", "--init-hook", ""},
    SimpleRow{"expect", "-c", "fb"},
    SimpleRow{"mvn", "-Dexec.executable", ""},
    SimpleRow{"nc", "-e", "iIMmOpqsTVwWXx"},
    SimpleRow{"nc", "-c", "iIMmOpqsTVwWXx"},
    SimpleRow{"ncat", "-e", "iIMmOpqsTVwWXx"},
    SimpleRow{"ncat", "-c", "iIMmOpqsTVwWXx"},
    SimpleRow{"ncat", "--exec", ""},
    SimpleRow{"ncat", "--sh-exec", ""},
    SimpleRow{"ncat", "--lua-exec", ""},
    SimpleRow{"netcat", "-e", "iIMmOpqsTVwWXx"},
    SimpleRow{"netcat", "-c", "iIMmOpqsTVwWXx"},
    SimpleRow{"wget", "-i", "oaeBtOTwQPUlARDIX"},
    SimpleRow{"wget", "--input-file", ""},
    SimpleRow{"aria2c", "-i", "dojx"},
    SimpleRow{"aria2c", "--input-file", ""},
    SimpleRow{"aria2c", "--on-download-complete", ""},
    SimpleRow{"hyperfine", "--shell", "", "none sh bash dash zsh default"},
    SimpleRow{"hyperfine", "-S", "wmMrnupscLPD", "none sh bash dash zsh default"},
    SimpleRow{"systemctl", "-H", "tpnosM"},
    SimpleRow{"systemctl", "--host", ""},
    SimpleRow{"systemctl", "-M", "tpnosH"},
    SimpleRow{"systemctl", "--machine", ""},
    SimpleRow{"scp", "-D", "cFiJlPXSo"},
    SimpleRow{"kubectl", "--enable-exec", ""},
    SimpleRow{"kubectl", "--enable-alpha-plugins", ""},
    SimpleRow{"kustomize", "--enable-exec", ""},
    SimpleRow{"kustomize", "--enable-alpha-plugins", ""},
    SimpleRow{"ghostscript", "-dNOSAFER", ""},
    SimpleRow{"gs", "-dNOSAFER", ""},
};

constexpr auto kSimplePlaces = by_program(kSimpleRows);

// What makes a word run a program wherever in it that stands: the programs' manuals.
struct TextRow {
  std::string_view program;
  std::string_view text;
};
constexpr std::array kTextRows{
    TextRow{"latexmk", "system("},    TextRow{"latexmk", "exec("}, TextRow{"gs", "%pipe%"},
    TextRow{"ghostscript", "%pipe%"}, TextRow{"stack", "-pgm"},    TextRow{"cabal", "-pgm"},
    TextRow{"ghc", "-pgm"},           TextRow{"buf", "\"plugin"},  TextRow{"dotnet", "BuildEvent"},
    TextRow{"msbuild", "BuildEvent"}, TextRow{"convert", "msl:"},  TextRow{"magick", "msl:"},
};
constexpr auto kTextPlaces = by_program(kTextRows);

// protoc(1): --NAME_out runs protoc-gen-NAME of PATH. Those of protoc itself, and of the usual
// plug-ins.
constexpr std::string_view kProtocOutputs =
    "cpp csharp java kotlin objc php python pyi ruby rust js ts go go-grpc grpc grpc_python es dart"
    " swift grpc-swift connect-go connect-es grpc-gateway openapiv2 openapi validate doc prost "
    "tonic"
    " grpc-java grpc-web mypy mypy_grpc go-vtproto twirp descriptor_set dependency";

// R(1): any other word runs that program.
constexpr std::string_view kRCommands =
    "BATCH COMPILE SHLIB INSTALL REMOVE build check LINK Rprof Rdconv Rd2pdf Rd2txt Stangle Sweave"
    " Rdiff config javareconf rtags texi2dvi";

// Whether this word of argv is the row's option.
bool is_row_option(const SimpleRow& row, std::string_view word, std::size_t at) {
  const std::string_view name = word.substr(0, word.find('='));
  if (row.option.starts_with("--")) {
    // One letter is ambiguous in each of these programs.
    return name.size() >= 4 && row.option.starts_with(name);
  }
  // Two letters that stand for one option, in a bundle too: zip -qTT PROGRAM.
  if (row.option == "-TT") return has_short(word, 'T', "binPtx") && word.find("TT") != npos;
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
    if (equals == npos || equals == 0 || word.starts_with('-')) continue;
    std::string name = word.substr(0, equals);
    if (name.ends_with('!')) hazard(name + "=");
    while (!name.empty() && std::string_view(":+?! \t").find(name.back()) != npos) name.pop_back();
    if (name == "SHELL" || name == ".SHELLFLAGS" || name == "MAKEFLAGS" || name == "MAKE" ||
        name == "GNUMAKEFLAGS" || name == "MAKEFILES") {
      hazard(name);
    }
    // Recipes find the variables of the command line in their environment.
    if ((name.starts_with("LD_") && name != "LD_LIBRARY_PATH") || name.starts_with("DYLD_") ||
        name.starts_with("BASH_FUNC_") ||
        is_one_of<"BASH_ENV ENV PYTHONSTARTUP PERL5OPT RUBYOPT">(name)) {
      hazard(name + "=");
    }
    // CC, CXX, AR and their like are run as they stand.
    const std::string value = word.substr(equals + 1);
    if (is_one_of<"CC CXX CPP LD AR AS NM RANLIB HOSTCC PKG_CONFIG">(name) &&
        value.find('$') == npos &&
        is_dangerous_assignment(name == "HOSTCC" ? "HOST_CC" : name, value, argv_[i].constant)) {
      hazard(name + "=");
    }
    for (const std::string_view call : {"(shell ", "{shell ", "(eval ", "{eval ", "(guile ",
                                        "{guile ", "(file ", "{file ", "(call ", "{call "}) {
      const std::size_t at = word.find(call, equals);
      if (argv_[i].constant && at != npos && at > 0 && word[at - 1] == '$') {
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
  const std::string_view program = base_name(argv_[0].text);
  const bool packages = program == "yarn" || program == "pnpm" || program == "pip" ||
                        program == "pip3" || program == "bun";
  if (packages && argv_.size() > 3 && argv_[1].text == "config" &&
      (argv_[2].text == "set" || argv_[2].text == "edit")) {
    for (const std::string_view part : {"shell", "registry", "index", "proxy", "path", "options",
                                        "plugins", "script", "git", "trusted", "find-links"}) {
      std::string key = argv_[3].text;
      std::transform(key.begin(), key.end(), key.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      if (key.find(part) != npos) return hazard("config set " + argv_[3].text);
    }
  }
  if (program == "bun" && argv_.size() > 2 && argv_[1].text == "exec") hazard("exec");
  if (program == "aws" && argv_.size() > 3 && argv_[1].text == "configure" &&
      argv_[2].text == "set" &&
      (argv_[3].text.ends_with("credential_process") || argv_[3].text.ends_with("pager") ||
       argv_[3].text.starts_with("plugins") || argv_[3].text.ends_with("endpoint_url"))) {
    hazard("configure set " + argv_[3].text);
  }
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
// docker(1) with the plugins that come with it; any other word runs docker-NAME.
constexpr std::string_view kDockerStock =
    "ai app attach bake build builder buildx checkpoint cloud commit compose config container "
    "context"
    " cp create debug desktop dev diff events exec export extension feedback help history image"
    " images import info init inspect kill load login logout logs manifest mcp model network node"
    " offload pass pause plugin port ps pull push rename restart rm rmi run sandbox save sbom scout"
    " search secret service stack start stats stop swarm system tag top trust unpause update "
    "version"
    " volume wait";
constexpr std::string_view kHelmStock =
    "completion create dependency dep env get help history hist install lint list ls package plugin"
    " pull fetch push registry repo rollback search show inspect status template test uninstall"
    " delete del un upgrade verify version";

// docker-run(1): with these a container is root of the host, and no rule about mounts holds
// (capabilities(7); "Understanding Docker container escapes", Trail of Bits 2019).
void Options::host_powers(std::size_t at) {
  for (; at < argv_.size(); ++at) {
    const std::string& word = argv_[at].text;
    const std::size_t equals = word.find('=');
    const std::string option = word.substr(0, equals);
    // The image, and what runs in it: no option, and no option's value.
    if (!word.starts_with('-')) {
      if (!argv_[at - 1].text.starts_with('-')) return;
      continue;
    }
    const std::string next = at + 1 < argv_.size() ? argv_[at + 1].text : "";
    const std::string value = equals == npos ? next : word.substr(equals + 1);
    if ((option == "--privileged" && (equals == npos || value != "false")) ||
        (option == "--pid" && value == "host") ||
        (option == "--cap-add" &&
         is_one_of<"all sys_admin sys_module sys_rawio dac_read_search cap_sys_admin "
                   "cap_sys_module cap_sys_rawio cap_dac_read_search">(ascii_lower(value)))) {
      hazard(option + " (power over the host)");
    }
  }
}

void Options::clusters(std::string_view name) {
  static constexpr std::string_view kValues =
      "-n --namespace --context --cluster --user --as --kube-context -l --log-level -H --host -c"
      " --config";
  std::size_t at = 1;
  for (; at < argv_.size() && argv_[at].text.starts_with('-'); ++at) {
    const std::string& word = argv_[at].text;
    const std::string option = word.substr(0, word.find('='));
    // Another daemon, or a directory with credentials and plugins of its own.
    const bool docker = name == "docker" || name == "podman";
    if (docker && (is_one_of<"-H --host --context -c --config --url --connection">(option) ||
                   (word.starts_with("-H") && word.size() > 2))) {
      hazard(option + " (another daemon or its settings)");
    }
    if (name == "kubectl" && option == "-s") hazard("-s (another server)");
    if (is_one_of<kValues>(word)) ++at;
  }
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  const std::string next = at + 1 < argv_.size() ? argv_[at + 1].text : "";
  if ((name == "docker" || name == "podman") && at + 1 < argv_.size()) {
    const bool container = sub == "container";
    if (is_one_of<"run create exec">(container ? next : sub)) host_powers(at + (container ? 2 : 1));
  }
  if ((name == "kubectl" && !is_one_of<kKubectlStock>(sub)) ||
      (name == "helm" && !is_one_of<kHelmStock>(sub)) ||
      (name == "docker" && argv_[at].constant && !is_one_of<kDockerStock>(sub))) {
    hazard("a plugin, " + sub);
  }
  if ((sub == "plugin" && (next == "install" || next == "update")) ||
      (sub == "context" && is_one_of<"create use update import">(next))) {
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
  if (!sub.starts_with('-') && !is_one_of<kGhStock>(sub)) hazard("an extension, " + sub);
  if ((sub == "alias" && (verb == "set" || verb == "import")) ||
      ((sub == "extension" || sub == "extensions" || sub == "ext") &&
       (verb == "install" || verb == "exec" || verb == "create")) ||
      (sub == "config" && verb == "set" &&
       is_one_of<"pager editor browser http_unix_socket">(key))) {
    hazard(sub + " " + verb);
  }
  // What stands behind "--" is ssh's and scp's.
  if ((sub == "codespace" || sub == "cs") && (verb == "ssh" || verb == "cp")) {
    const bool options = std::any_of(argv_.begin(), argv_.end(),
                                     [](const Argument& one) { return one.text == "--"; });
    if (options) hazard(sub + " " + verb + " --");
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
    if (equals == npos) continue;
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

// node(1): a module that is loaded first. One of the project, or a package, is code like the script
// itself; one of another place is not.
void Options::node() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--" || !word.starts_with('-')) return;
    const std::size_t equals = word.find('=');
    const std::string option = word.substr(0, equals);
    const bool glued = word.starts_with("-r") && word.size() > 2;
    if (!glued && !is_one_of<"-r --require --import --loader --experimental-loader">(option)) {
      if (is_one_of<"-e --eval -p --print -C --conditions --env-file">(word)) ++i;
      continue;
    }
    const bool own = glued || equals != npos;
    if (!own && ++i >= argv_.size()) return;
    const std::string module = glued            ? word.substr(2)
                               : equals != npos ? word.substr(equals + 1)
                                                : argv_[i].text;
    if (!argv_[i].constant || module.starts_with('/') || module.starts_with('~') ||
        module.find("..") != npos || module.find(':') != npos) {
      hazard(option);
    }
  }
}

// Where a Python is chosen it is run, to ask what it is: docs.astral.sh/uv/concepts/python-versions
// (a version, a name or a path), virtualenv(1) -p. One of the project is code like the script
// itself; one of another place is not, but for the system's own.
void Options::module_choice() {
  // python3 -m $X: a module of the project, or one that loads from other hosts (pip).
  for (std::size_t i = 1; i < argv_.size() && argv_[i].text.starts_with('-'); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t letter = word.find_first_of("mcWX", 1);
    if (word.starts_with("--") || letter == npos) continue;
    const bool glued = letter + 1 < word.size();
    if (word[letter] == 'c') return;
    if (word[letter] != 'm') {
      i += glued ? 0U : 1U;
      continue;
    }
    const std::size_t at = glued ? i : i + 1;
    if (at < argv_.size() && !argv_[at].constant) unknown("the module");
    return;
  }
}

void Options::python_choice(bool short_form) {
  std::vector<std::string> assignments;
  const std::size_t own = is_wrapper(argv_) ? wrapped_at(argv_, assignments) : argv_.size();
  for (std::size_t i = 1; i < std::min(own, argv_.size()) && argv_[i].text != "--"; ++i) {
    std::string_view value;
    const std::string& word = argv_[i].text;
    if (word == "--python" || word == "--python-executable" || (short_form && word == "-p")) {
      if (++i >= argv_.size()) return;
      value = argv_[i].text;
    } else if (word.starts_with("--python=") || word.starts_with("--python-executable=")) {
      value = std::string_view(word).substr(word.find('=') + 1);
    } else if (i > 2 && word.find('/') != npos && argv_[i - 1].text == "use" &&
               argv_[i - 2].text == "env") {
      value = word;  // poetry env use PATH
    } else if (short_form && word.starts_with("-p")) {
      value = std::string_view(word).substr(word.starts_with("-p=") ? 3 : 2);
    }
    const std::string_view program = base_name(value);
    const std::string_view folder = value.substr(0, value.size() - program.size());
    const bool of_system = is_one_of<"/bin/ /usr/bin/ /usr/local/bin/">(folder) &&
                           (program.starts_with("python") || program.starts_with("pypy"));
    if (!of_system &&
        (value.starts_with('/') || value.starts_with('~') || value.find("../") != npos)) {
      hazard("--python " + std::string(value));
    }
  }
}

// gotestsum OPTIONS -- what go test gets; with --raw-command all of the command.
void Options::test_runner() {
  const auto end = std::find_if(argv_.begin(), argv_.end(),
                                [](const Argument& one) { return one.text == "--"; });
  const bool raw = std::any_of(argv_.begin(), end,
                               [](const Argument& one) { return one.text == "--raw-command"; });
  if (raw && (end == argv_.end() || end + 1 == argv_.end() || (end + 1)->text != "go")) {
    return hazard("--raw-command");
  }
  std::vector<Argument> test{Argument{"go"}};
  if (!raw) test.push_back(Argument{"test"});
  if (end != argv_.end()) test.insert(test.end(), end + (raw ? 2 : 1), argv_.end());
  Options run(test, offset_);
  run.go();
  run.simple();
  found.insert(found.end(), run.found.begin(), run.found.end());
}

// Options of ssh that name no program, and no way to another host.
constexpr std::string_view kTameSshOptions =
    "stricthostkeychecking userknownhostsfile connecttimeout serveraliveinterval"
    " serveralivecountmax controlmaster controlpersist loglevel batchmode identitiesonly port "
    "user";
// ansible(1) --ssh-common-args and its like: options of ssh, of which few run nothing.
void Options::connection_options() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string_view word = argv_[i].text;
    const std::size_t equals = word.find('=');
    if (!word.starts_with("--s") || !word.substr(0, equals).ends_with("-args")) continue;
    const Argument& given = equals == npos && i + 1 < argv_.size() ? argv_[i + 1] : argv_[i];
    const std::string_view value =
        equals == npos ? std::string_view(given.text) : word.substr(equals + 1);
    for (std::string_view one : words_of(value)) {
      if (one == "-o" || one == "-C") continue;
      if (one.starts_with("-o")) one.remove_prefix(2);
      const std::string name = ascii_lower(one.substr(0, one.find('=')));
      if (!given.constant || !is_one_of<kTameSshOptions>(name))
        return hazard(word.substr(0, equals));
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

// socat(1): addresses that run a program.
void Options::socat() {
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string type = ascii_lower(argv_[i].text.substr(0, argv_[i].text.find(':')));
    if (is_one_of<"exec system shell">(type)) hazard(argv_[i].text);
  }
}

// An entry for these does not cover what their options do.
void Options::builtins(std::string_view name) {
  // bash manual 4.2, 7.1, 8.7: options whose value runs, or is assigned to with its subscript.
  std::string_view letters;
  if (name == "jobs") letters = "x";
  if (name == "wait") letters = "p";
  if (name == "compgen" || name == "complete") letters = "CFW";
  // hash -p FILE NAME, enable -f FILE NAME; history -s and fc -s, -e make and run a line.
  if (name == "hash") letters = "p";
  if (name == "enable") letters = "f";
  if (name == "bind") letters = "xfu";
  if (name == "history") letters = "sp";
  if (name == "fc") letters = "se";
  if (name == "mapfile" || name == "readarray") letters = "C";
  if (letters.empty()) return;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const bool runs = std::any_of(letters.begin(), letters.end(), [&](char letter) {
      return has_short(argv_[i].text, letter, "");
    });
    if (runs || is_dynamic_option(argv_[i])) hazard(argv_[i].text);
  }
}

// Whether the value of the row's option, which argv[at] is or holds, runs nothing.
bool Options::is_harmless(const SimpleRow& row, std::size_t at) const {
  const std::string& word = argv_[at].text;
  const bool longer = row.option.starts_with("--");
  const std::size_t end = longer ? word.find('=') : word.find(row.option[1]);
  Argument value = at + 1 < argv_.size() ? argv_[at + 1] : Argument{};
  if (end != npos && end + 1 < word.size()) value = {word.substr(end + 1), argv_[at].constant};
  if (row.harmless == ".") return is_project_path(value);
  return value.constant && is_word_of(row.harmless, value.text);
}

void Options::simple() {
  const std::string_view program = base_name(argv_[0].text);
  for (const std::uint16_t place : rows_of(kSimpleRows, kSimplePlaces, program)) {
    const SimpleRow& row = kSimpleRows[place];
    for (std::size_t i = 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
      // The first word of tar may be a bundle without its dash; values stand behind all of it.
      const bool old = program == "tar" && i == 1 && !argv_[i].text.starts_with('-');
      const SimpleRow whole{row.program, row.option, ""};
      if (old ? is_row_option(whole, "-" + argv_[i].text, i)
              : is_row_option(row, argv_[i].text, i)) {
        if (!row.harmless.empty() && is_harmless(row, i)) continue;
        hazard(argv_[i].text.substr(0, argv_[i].text.find('=')));
        break;
      }
    }
  }
  for (const std::uint16_t place : rows_of(kTextRows, kTextPlaces, program)) {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      if (argv_[i].text.find(kTextRows[place].text) != npos) hazard(argv_[i].text);
    }
  }
  if (program == "R" && argv_.size() > 2 && argv_[1].text == "CMD" &&
      !argv_[2].text.starts_with('-') && !is_one_of<kRCommands>(argv_[2].text)) {
    hazard("CMD " + argv_[2].text);
  }
  for (std::size_t i = 1; program == "protoc" && i < argv_.size(); ++i) {
    const std::string_view name =
        std::string_view(argv_[i].text).substr(0, argv_[i].text.find('='));
    if (!name.starts_with("--") || !name.ends_with("_out")) continue;
    if (!is_one_of<kProtocOutputs>(name.substr(2, name.size() - 6))) hazard(name);
  }
  // The names of files may be options: tar cf x.tar * with a file --checkpoint-action=exec=...
  if (!is_one_of<"tar rsync zip">(program)) return;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") break;
    if (!argv_[i].constant && (word[0] == '*' || word[0] == '?' || word[0] == '[')) {
      unknown("what '" + word + "' finds may begin with a dash (write ./" + word + "), and");
    }
  }
}

}  // namespace

bool has_exec_rows(std::string_view program) {
  return !rows_of(kSimpleRows, kSimplePlaces, program).empty();
}

bool has_exec_row(std::string_view program, std::string_view word) {
  const auto places = rows_of(kSimpleRows, kSimplePlaces, program);
  return std::any_of(places.begin(), places.end(), [&](std::uint16_t place) {
    return is_row_option(kSimpleRows[place], word, 1);
  });
}

std::size_t git_command_at(const std::vector<Argument>& argv) {
  std::size_t i = 1;
  while (i < argv.size() && argv[i].text.starts_with('-')) {
    const bool value = is_one_of<
        "-c -C --git-dir --work-tree --namespace --super-prefix --attr-source"
        " --shallow-file">(argv[i].text);
    i += value ? 2U : 1U;
  }
  return std::min(i, argv.size());
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

std::vector<Hazard> exec_hazards(const std::vector<Argument>& argv, std::size_t offset) {
  Options options(argv, offset);
  const std::string_view name = base_name(argv[0].text);
  // Of most programs the rows say all.
  const bool rows_only = !is_one_of<
      "git npm npx make gmake less yarn pnpm pip pip3 bun go docker podman kubectl helm gh cmake "
      "node uv gotestsum ansible ansible-playbook aws poetry"
      " uvx virtualenv pipx pipenv mypy dmypy gcc g++ cc c++ clang clang++ cargo socat rustc "
      "rustdoc"
      " jobs wait compgen complete hash enable bind history fc mapfile readarray">(name);
  if (rows_only && !name.starts_with("python")) {
    options.simple();
    return std::move(options.found);
  }
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
  if (name == "gotestsum") options.test_runner();
  if (name == "ansible" || name == "ansible-playbook") options.connection_options();
  if (name == "node") options.node();
  if (is_one_of<"uv uvx virtualenv">(name)) options.python_choice(true);
  if (is_one_of<"pipx pipenv pip pip3 mypy dmypy poetry">(name)) options.python_choice(false);
  if (is_one_of<"gcc g++ cc c++ clang clang++">(name)) options.compiler();
  if (name == "cargo") options.cargo();
  if (name == "socat") options.socat();
  if (name == "rustc" || name == "rustdoc") options.rustc();
  if (name.starts_with("python")) {
    options.module_choice();
    // The module is a program of its own.
    if (const std::size_t at = module_at(argv); at != npos && at + 1 < argv.size()) {
      const std::vector<Argument> module(argv.begin() + static_cast<std::ptrdiff_t>(at),
                                         argv.end());
      std::vector<Hazard> own = exec_hazards(module, offset);
      options.found.insert(options.found.end(), own.begin(), own.end());
    }
  }
  options.builtins(name);
  options.simple();
  return std::move(options.found);
}

std::vector<Hazard> unknown_option_hazards(const std::vector<Argument>& argv,
                                           const std::vector<bool>& nothing_known,
                                           const std::vector<bool>& put_in, std::size_t offset) {
  std::vector<Hazard> found;
  const std::string_view name = base_name(argv[0].text);
  const bool shell = is_shell(name);
  const bool own_row = name == "git" || name == "npm" || name == "cargo" || shell;
  const bool simple_row = name == "find" || has_exec_rows(name);
  if (!own_row && !simple_row) return found;
  std::size_t at = 1;
  if (name == "git") {
    while (at < argv.size() && argv[at].text.starts_with('-')) {
      at += argv[at].text == "-C" || argv[at].text == "-c" ? 2U : 1U;
    }
    if (at >= argv.size() || !is_one_of<kOptionSubcommands>(argv[at].text)) return found;
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

}  // namespace lilith::rules::shell
