#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>

namespace lilith::rules::shell {
namespace {

// Programs that run what their PATH, or the environment they make, holds under the name that stands
// behind a sub-command. Their manuals.
enum class Covers {
  kPackages,  // names that are no programs of the system
  kFiles,     // programs that are named by a path in the project
  kAsItself,  // packages where it is one itself (npx cross-env)
  kNothing,
};
struct Runner {
  std::string_view program;
  std::string_view sub;          // empty: the program itself
  std::string_view value;        // options with a value in the next word
  std::string_view marker = {};  // the command stands behind this word, and nothing runs without it
  Covers covers = Covers::kPackages;
  std::size_t operands = 0;     // words of its own in front of the command
  std::string_view lines = {};  // options whose values are lines for sh
  bool operand_lines = false;   // its operands are such lines
  bool joins = false;           // hands all words to a shell, as one line
};
constexpr std::string_view kNoSub = "(none)";  // the sub-command decides, and none of them runs
constexpr std::array kRunners{
    Runner{"uv", "run",
           "--from --with --extra --group --only-group --python -p --package --project --directory"
           " --env-file --index --default-index --index-url --extra-index-url --find-links"
           " --with-requirements --with-editable --no-group --cache-dir --config-file -C"},
    Runner{"poetry", "run", ""},
    Runner{"pipenv", "run", ""},
    Runner{"rye", "run", ""},
    Runner{"conda", "run", "-n --name -p --prefix"},
    Runner{"bundle", "exec", "--gemfile"},
    Runner{"pnpm", "exec", "--filter -F --dir -C"},
    Runner{"yarn", "exec", ""},
    Runner{"mise", "exec", "", "--"},
    Runner{"mise", "x", "", "--"},
    Runner{"tox", "exec", "-e", "--"},
    Runner{"pyenv", "exec", ""},
    Runner{"rbenv", "exec", ""},
    Runner{"asdf", "exec", ""},
    Runner{"npx", "", "-p --package -w --workspace"},
    Runner{"bunx", "", "-p --package"},
    Runner{"uvx", "", "--from --with -p --python"},
    Runner{"pnpm", "dlx", "--package"},
    Runner{"yarn", "dlx", "-p --package"},
    Runner{"bun", "x", "-p --package"},
    Runner{"pdm", "run", "-p --project -s --site-packages"},
    Runner{"hatch", "run", "-e --env"},
    Runner{"pixi", "run", "-e --environment --manifest-path"},
    Runner{"mamba", "run", "-n --name -p --prefix"},
    Runner{"micromamba", "run", "-n --name -p --prefix"},
    Runner{"composer", "exec", "-d --working-dir"},
    Runner{"devbox", "run", "-c --config -e --env"},
    Runner{"volta", "run", "--node --npm --yarn --pnpm --env", {}, Covers::kNothing},
    Runner{"fnm", "exec", "--using --fnm-dir", {}, Covers::kNothing},
    Runner{"nvm", "exec", "", {}, Covers::kNothing, 1},
    Runner{"direnv", "exec", "", {}, Covers::kNothing, 1},
    Runner{"rustup", "run", "", {}, Covers::kNothing, 1},
    Runner{"meson", "devenv", "-C -w --workdir", {}, Covers::kFiles},
    Runner{"perf",
           "record",
           "-e --event -o --output -F --freq -c --count -C --cpu -m -p -t",
           {},
           Covers::kFiles},
    Runner{"perf",
           "stat",
           "-e --event -o --output -r --repeat -x -I -p -t -C --cpu",
           {},
           Covers::kFiles},
    Runner{"perf", "trace", "-e --event -o --output -p -t", {}, Covers::kFiles},
    Runner{"valgrind", "", "", {}, Covers::kFiles},
    Runner{"gdb", "", "", "--args", Covers::kFiles},
    Runner{"lldb", "", "", "--", Covers::kFiles},
    // Of npm's packages, in front of other programs.
    Runner{"cross-env", "", "", {}, Covers::kAsItself},
    Runner{"cross-env-shell", "", "", {}, Covers::kAsItself, 0, {}, false, true},
    Runner{"dotenv", "", "-e --env -v -c -p -f --file -q --quote", {}, Covers::kAsItself},
    Runner{"env-cmd", "", "-f --file -r --rc-file -e --environments", {}, Covers::kAsItself},
    Runner{"onchange", "", "", "--", Covers::kAsItself},
    Runner{"nodemon", "", "", kNoSub, Covers::kAsItself, 0, "-x --exec"},
    Runner{"chokidar", "", "", kNoSub, Covers::kAsItself, 0, "-c --command"},
    Runner{"tsc-watch", "", "", kNoSub, Covers::kAsItself, 0,
           "--onSuccess --onFailure --onFirstSuccess --onEmit --onCompilationStarted"},
    Runner{"concurrently",
           "",
           "-n --names -c --prefix-colors -p --prefix -l --prefix-length -t --timestamp-format -s"
           " --success -m --max-processes --restart-tries --restart-after --kill-signal"
           " --default-input-target --name-separator",
           kNoSub,
           Covers::kAsItself,
           0,
           {},
           true},
    Runner{
        "hyperfine", "",
        "-w --warmup -m --min-runs -M --max-runs -r --runs -n --command-name -u --time-unit"
        " --export-json --export-csv --export-markdown --export-asciidoc --export-orgmode --style"
        " --sort --input --output --reference-name",
        kNoSub, Covers::kFiles, 0,
        "-p --prepare -s --setup -c --cleanup --conclude --reference --calibrate", true},
    Runner{"watchexec",
           "",
           "-e --exts -f --filter -i --ignore -w --watch -d --debounce -s --signal",
           {},
           Covers::kNothing,
           0,
           {},
           false,
           true},
    Runner{"stack", "exec", "--package --cwd"},
    Runner{"cabal", "exec", "--project-file -w"},
    Runner{"pixi", "exec", "-s --spec -w --with -c --channel"},
    Runner{"minikube", "ssh", "-n --node --native-ssh", {}, Covers::kNothing},
    Runner{"ccache",
           "",
           "-M --max-size -F --max-files -o --set-config -k --get-config -d --dir --config-path -X"
           " --recompress --trim-dir --trim-max-size -x --trim-method --evict-older-than"
           " --evict-namespace --checksum-file --hash-file --extract-result --inspect",
           {},
           Covers::kNothing},
    Runner{"sccache", "", "--start-server --stats-format", {}, Covers::kNothing},
    Runner{"distcc", "", "", {}, Covers::kNothing},
    Runner{"nix", "develop", "", "-c", Covers::kNothing},
    Runner{"nix", "shell", "", "-c", Covers::kNothing},
    // What runs is decided by a word that may not be known.
    Runner{"docker", kNoSub, ""},
    Runner{"podman", kNoSub, ""},
    Runner{"terraform", kNoSub, ""},
    Runner{"tofu", kNoSub, ""},
};

constexpr auto kRunnerPlaces = by_program(kRunners);

// Where the sub-command stands; `uv --quiet run`, `pnpm -r exec`.
std::size_t sub_command_at(const std::vector<Argument>& argv) {
  std::size_t at = 1;
  const auto options = [&] {
    while (at < argv.size() && argv[at].text.starts_with('-')) {
      at += is_one_of<
                "-C --dir --directory --project --filter -F --cwd -l --log-level --include"
                " --exclude --from --jobs --since">(argv[at].text)
                ? 2U
                : 1U;
    }
  };
  options();
  // uv tool run, hatch env run
  if (at < argv.size() && ((argv[0].text == "uv" && argv[at].text == "tool") ||
                           (argv[0].text == "hatch" && argv[at].text == "env"))) {
    ++at;
    options();
  }
  // yarn workspace NAME exec, yarn workspaces foreach -A exec
  if (at + 1 >= argv.size() || argv[0].text != "yarn") return at;
  const bool all = argv[at].text == "workspaces" && argv[at + 1].text == "foreach";
  if (argv[at].text != "workspace" && !all) return at;
  at += 2;
  options();
  return at;
}

// A name that no script of a project has, so that the runner finds it in PATH.
constexpr std::string_view kNeverScripts =
    "nc ncat netcat socat curl wget ssh scp sftp rsync sudo doas su env xargs telnet ftp sh bash "
    "dash"
    " zsh ksh";
// `pnpm curl`, `bun run curl`: what is no script of the project is looked for in PATH.
std::size_t script_run_at(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  if (name != "pnpm" && name != "bun") return npos;
  std::size_t at = sub_command_at(argv);
  if (at < argv.size() && (argv[at].text == "run" || argv[at].text == "run-script")) {
    for (++at; at < argv.size() && argv[at].text.starts_with('-'); ++at) {
    }
  } else if (name == "bun") {
    return npos;
  }
  return at < argv.size() && is_one_of<kNeverScripts>(argv[at].text) ? at : npos;
}

const Runner* runner(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  for (const std::uint16_t place : rows_of(kRunners, kRunnerPlaces, name)) {
    const Runner& row = kRunners[place];
    if (row.sub.empty()) return &row;
    if (row.sub == kNoSub) continue;
    const std::size_t at = sub_command_at(argv);
    if (at < argv.size() && argv[at].text == row.sub) return &row;
  }
  return nullptr;
}

// cmake -E env|time|chdir COMMAND: cmake(1).
bool is_cmake_wrapper(const std::vector<Argument>& argv) {
  return argv[0].text == "cmake" && argv.size() > 3 && argv[1].text == "-E" &&
         is_one_of<"env time chdir">(argv[2].text);
}

std::size_t cmake_run_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  std::size_t i = argv[2].text == "chdir" ? 4 : 3;
  for (; argv[2].text == "env" && i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return i + 1;
    if (word.starts_with("--")) continue;
    if (word.find('=') == npos) break;
    assignments.push_back(word);
  }
  return std::min(i, argv.size());
}

std::size_t run_at(const Runner& row, const std::vector<Argument>& argv) {
  std::size_t i = row.sub.empty() ? 1 : sub_command_at(argv) + 1;
  if (!row.marker.empty()) {
    // mise x TOOL -c TEXT, mise x TOOL -- COMMAND
    for (; i < argv.size() && argv[i].text != row.marker; ++i) {
      if (row.program == "nix" && argv[i].text == "--command") break;
      const bool text = argv[i].text == "-c" || argv[i].text.starts_with("--command");
      if (text && row.program == "mise") {
        return static_cast<std::size_t>(-1);
      }
    }
    return std::min(i + 1, argv.size());
  }
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    if (argv[i].text == "--") return i + 1 + row.operands;
    // uv run -m MODULE and -s SCRIPT are python's.
    if (row.program == "uv" && (argv[i].text == "-m" || argv[i].text == "--module" ||
                                argv[i].text == "-s" || argv[i].text == "--script")) {
      return argv.size();
    }
    if (is_word_of(row.value, argv[i].text)) ++i;
  }
  if (row.program == "uv" && i < argv.size() && argv[i].text.ends_with(".py")) return argv.size();
  // dotenv run -- COMMAND and dotenv list are python-dotenv's.
  if (row.program == "dotenv" && i < argv.size() && is_one_of<"list get set unset">(argv[i].text)) {
    return argv.size();
  }
  if (row.program == "dotenv" && i < argv.size() && argv[i].text == "run") {
    for (++i; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
      if (argv[i].text == "--") return i + 1;
    }
  }
  // nvm exec VERSION COMMAND, nvm exec COMMAND
  const bool without = row.program == "nvm" && i < argv.size() && is_system_program(argv[i].text);
  i = std::min(i + (without ? 0 : row.operands), argv.size());
  // The shell of the wrapper reads all of it once more.
  const bool plain = std::all_of(
      argv.begin() + static_cast<std::ptrdiff_t>(i), argv.end(), [](const Argument& one) {
        return one.constant && one.text.find_first_of(" \t\n;&|<>()$`\\\"'*?[#~") == npos;
      });
  if (row.joins && !plain) return static_cast<std::size_t>(-1);
  // hatch run ENV:COMMAND
  if (i < argv.size() && row.program == "hatch" &&
      is_system_program(argv[i].text.substr(argv[i].text.rfind(':') + 1)) &&
      argv[i].text.find(':') != npos) {
    return static_cast<std::size_t>(-1);
  }
  return i;
}

// Wrappers with options that are all known, in front of a command.
struct WrapperRow {
  std::string_view program;
  std::string_view value;     // short options with a value of their own word
  std::string_view switches;  // long options without a value; another without "=" is not known
  std::size_t operands = 0;   // words of its own in front of the command
};
// util-linux, xvfb-run(1), fakeroot(1), ssh-agent(1), entr(1), rlwrap(1), faketime(1).
constexpr std::array kWrapperRows{
    WrapperRow{"setpriv", "", "--nnp --no-new-privs --clear-groups --keep-groups --reset-env"},
    WrapperRow{"prlimit", "po", "--noheadings --raw --verbose"},
    WrapperRow{"choom", "np", ""},
    WrapperRow{"linux32", "", "--verbose"},
    WrapperRow{"linux64", "", "--verbose"},
    WrapperRow{"dbus-run-session", "", ""},
    WrapperRow{"xvfb-run", "efnpsw", "--auto-servernum --auto-display"},
    WrapperRow{"unbuffer", "", ""},
    WrapperRow{"rlwrap", "bCDefgHlmMOpPqsStwz", "--always-readline --no-warnings --one-shot"},
    WrapperRow{"fakeroot", "lsibfu", "--unknown-is-real"},
    WrapperRow{"ssh-agent", "aEtPO", ""},
    WrapperRow{"faketime", "p", "", 1},
    WrapperRow{"taskset", "", "--cpu-list --all-tasks", 1},
    WrapperRow{"ionice", "cnPu", "--ignore"},
    WrapperRow{"chrt", "TPD", "--batch --fifo --idle --other --rr --reset-on-fork --verbose", 1},
};
constexpr auto kWrapperPlaces = by_program(kWrapperRows);

// ssh git@HOST says whom a forge would let in: no shell of the user's reads what comes in there.
// Words behind the host, and a shell's standard input, run there; other options name programs and
// ways.
bool only_connects(const std::vector<Argument>& argv) {
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::size_t last = argv[i].text.find_first_not_of("46AaCGNnqTtVvxyip", 1);
    if (!argv[i].constant || last != npos || argv[i].text.size() < 2) return false;
    const std::size_t value = argv[i].text.find_first_of("ip");
    if (value != npos && value + 1 == argv[i].text.size()) ++i;
  }
  return i + 1 == argv.size() && argv[i].constant && argv[i].text.starts_with("git@");
}

// tmux(1): sub-commands that run nothing.
constexpr std::string_view kTmuxQuiet =
    "ls list-sessions lsw list-windows lsp list-panes lsc list-clients list-buffers list-commands"
    " capture-pane capturep has has-session kill-session kill-server kill-window killw kill-pane"
    " killp attach attach-session a detach detach-client select-window selectw select-pane selectp"
    " rename-session rename rename-window renamew resize-pane resizep resize-window swap-pane"
    " save-buffer show-buffer showb show-options show clear-history start-server start info";
constexpr std::string_view kTmuxStarts =
    "new new-session neww new-window splitw split-window respawn-pane respawn-window";

// Where the words stand that tmux hands to a shell; npos: that can't be told.
std::size_t tmux_run_at(const std::vector<Argument>& argv) {
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    if (is_one_of<"-L -S">(argv[i].text)) {
      ++i;
    } else if (!is_one_of<"-2 -u -V -l -q -v">(argv[i].text)) {
      return npos;
    }
  }
  // A list of tmux's commands; #(COMMAND) in a format.
  for (std::size_t at = i; at < argv.size(); ++at) {
    if (argv[at].text.ends_with(';') || argv[at].text.find("#(") != npos) return npos;
  }
  if (i >= argv.size() || is_one_of<kTmuxQuiet>(argv[i].text)) return argv.size();
  if (!is_one_of<kTmuxStarts>(argv[i].text)) return npos;
  for (++i; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    if (argv[i].text == "--") return i + 1;
    if (argv[i].text.starts_with("-e")) return npos;  // NAME=VALUE
    if (is_one_of<"-c -F -n -s -t -x -y -l -p">(argv[i].text)) ++i;
  }
  return std::min(i, argv.size());
}

// strace(1), ltrace(1): what is traced. -E and --env change its environment; -o may name a pipe.
std::size_t traced_at(const std::vector<Argument>& argv) {
  const bool strace = argv[0].text == "strace";
  const std::string_view value = strace ? "abeIOopPsSuUX" : "aADeFlnopsuwx";
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return i + 1;
    if (!argv[i].constant) return npos;
    if (word.starts_with("--")) {
      constexpr std::string_view kSwitches =
          "--follow-forks --summary --summary-only --no-abbrev --decode-fds --strings-in-hex"
          " --timestamps --relative-timestamps --syscall-times --syscall-number --stack-traces"
          " --instruction-pointer --quiet --successful-only --failed-only --demangle";
      const std::size_t equals = word.find('=');
      const std::string_view name = std::string_view(word).substr(0, equals);
      const bool pipe = equals != npos && word.find_first_of("|!", equals) == equals + 1;
      const bool known = is_word_of(kSwitches, name) ||
                         (equals != npos &&
                          is_word_of("--trace --output --string-limit --attach --columns --signal"
                                     " --status --trace-path --summary-sort-by --summary-columns",
                                     name));
      if (!known || pipe) return npos;
      continue;
    }
    const std::size_t letter = word.find_first_of(value, 1);
    if (word.find('E') < letter) return npos;
    if (letter == npos) continue;
    const bool next = letter + 1 == word.size();
    const std::string& given = next && i + 1 < argv.size() ? argv[i + 1].text : word;
    if (word[letter] == 'o' && given.find_first_of("|!$`") == (next ? 0 : letter + 1)) return npos;
    if (next) ++i;
  }
  return std::min(i, argv.size());
}

// flock(1): FILE COMMAND..., FILE -c LINE, and a number of a descriptor.
struct LineCommand {
  std::size_t at = npos;  // npos: that can't be told
  bool line = false;      // what stands there is a line of a shell
};
LineCommand locked(const std::vector<Argument>& argv) {
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::string& word = argv[i].text;
    if (!argv[i].constant || word == "--") return {};
    if (word.starts_with("--")) {
      const bool alone = is_one_of<
          "--shared --exclusive --unlock --nonblock --nb --close --no-fork"
          " --verbose --fcntl">(word);
      if (!alone && !word.starts_with("--timeout=") && !word.starts_with("--wait=") &&
          !word.starts_with("--conflict-exit-code=")) {
        return {};
      }
      continue;
    }
    if (word.find_first_not_of("sxenuoFwE0123456789.", 1) != npos) return {};
    if (word.back() == 'w' || word.back() == 'E') ++i;
  }
  if (i >= argv.size() || argv[i].splits) return {};
  if (!argv[i].constant && argv[i].text.find('/') == npos) return {};  // may be an option
  ++i;                                                                 // the file
  if (i >= argv.size()) return {argv.size(), false};
  const bool line = argv[i].text == "-c" || argv[i].text == "--command";
  if (!line) return {argv[i].text.starts_with('-') ? npos : i, false};
  return i + 2 == argv.size() ? LineCommand{i + 1, true} : LineCommand{};
}

// watch(1): its words are one line of sh, but with -x.
LineCommand watched(const std::vector<Argument>& argv) {
  bool line = true;
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::string& word = argv[i].text;
    if (!argv[i].constant) return {};
    if (word == "--") {
      ++i;
      break;
    }
    if (word.starts_with("--")) {
      line = line && word != "--exec";
      if (word == "--interval" || word == "--equexit" || word == "--shotsdir") ++i;
      continue;
    }
    const std::size_t letter = word.find_first_of("nqs", 1);
    line = line && word.find('x') >= letter;
    if (letter != npos && letter + 1 == word.size()) ++i;
  }
  return {std::min(i, argv.size()), line};
}

// hyperfine -L NAME a,b,c
bool is_list_of_words(const Argument& one) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.,/:=+@").find(c) != npos;
  };
  return one.constant && std::all_of(one.text.begin(), one.text.end(), plain);
}

// entr(1): where its command begins; -s: that word is a line of a shell.
struct EntrCommand {
  std::size_t at = 1;
  bool line = false;
};
EntrCommand entr_command(const std::vector<Argument>& argv) {
  EntrCommand out;
  for (; out.at < argv.size() && argv[out.at].text.starts_with('-'); ++out.at) {
    out.line = out.line || argv[out.at].text.find('s') != npos;
  }
  return out;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.smhd") == npos;
}

}  // namespace

bool is_wrapper(const std::vector<Argument>& argv) {
  const std::string& name = argv[0].text;
  return is_transparent_wrapper(name) || is_listed_wrapper(name) || runner(argv) != nullptr ||
         is_cmake_wrapper(argv) || script_run_at(argv) != npos;
}
std::size_t runner_sub_command(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  if (name == "cmake" && argv.size() > 1 && argv[1].text == "-E") return 2;
  const auto rows = rows_of(kRunners, kRunnerPlaces, name);
  if (rows.empty() || kRunners[rows.front()].sub.empty()) return npos;
  return std::min(sub_command_at(argv), argv.size());
}
bool runs_own_programs(const std::vector<Argument>& argv, bool package) {
  const Runner* const row = runner(argv);
  return row != nullptr &&
         (row->covers == Covers::kPackages || (row->covers == Covers::kAsItself && package));
}
bool runs_own_files(const std::vector<Argument>& argv) {
  const Runner* const row = runner(argv);
  return row != nullptr && row->covers == Covers::kFiles;
}

std::vector<LineWord> wrapped_lines(const std::vector<Argument>& argv) {
  std::vector<LineWord> found;
  const auto add = [&](std::size_t at, std::size_t from = 0) {
    if (at < argv.size()) found.push_back({at, from});
  };
  const std::string_view name = argv[0].text;
  if (name == "entr") {
    if (const EntrCommand command = entr_command(argv); command.line) add(command.at);
    return found;
  }
  if (name == "tmux") {
    const std::size_t at = tmux_run_at(argv);
    if (at != npos && at + 1 == argv.size()) add(at);
    return found;
  }
  if (name == "flock" || name == "watch") {
    const LineCommand command = name == "flock" ? locked(argv) : watched(argv);
    if (command.line && command.at < argv.size()) {
      found.push_back({command.at, 0, name == "watch"});
    }
    return found;
  }
  const Runner* const row = runner(argv);
  if (row == nullptr || (row->lines.empty() && !row->operand_lines)) return found;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    const std::size_t equals = word.find('=');
    if (word == "--" && argv[i].constant) continue;
    if (!word.starts_with('-')) {
      // npm:NAME names a script of the project.
      const bool script = is_one_of<"npm yarn pnpm bun node deno">(word.substr(0, word.find(':')));
      const bool npm_script = script && word.find(':') != npos &&
                              word.find_first_of(";&|<>()$`\n") == npos && argv[i].constant;
      if (row->operand_lines && !npm_script) add(i);
    } else if (row->program == "hyperfine" && is_one_of<"-L --parameter-list">(word) &&
               i + 2 < argv.size() && is_list_of_words(argv[i + 2])) {
      i += 2;  // NAME VALUES, which stand in the place of {NAME}
    } else if (is_word_of(row->lines, std::string_view(word).substr(0, equals))) {
      equals == npos ? add(++i) : add(i, equals + 1);
    } else if (equals == npos && is_word_of(row->value, word)) {
      ++i;
    }
  }
  return found;
}

namespace {

std::size_t env_run_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  constexpr auto kUnknown = static_cast<std::size_t>(-1);
  std::size_t i = 1;
  for (; i < argv.size(); ++i) {
    const std::string_view word = argv[i].text;
    const std::size_t equals = word.find('=');
    if (word == "--") return i + 1;
    if (word.starts_with('-')) return kUnknown;
    if (equals == npos) return i;
    if (!argv[i].constant && word.find('$') < equals) return kUnknown;
    assignments.emplace_back(word);
  }
  return i;
}

std::size_t runner_at(const Runner& row, const std::vector<Argument>& argv,
                      std::vector<std::string>& assignments) {
  std::size_t at = run_at(row, argv);
  if (!row.program.starts_with("cross-env")) return at;
  while (at < argv.size() && argv[at].text.find('=') != npos) {
    assignments.push_back(argv[at++].text);
  }
  return at;
}

// Short options with a value of their own word.
std::string_view letters_with_value(std::string_view name) {
  if (name == "nice") return "n";
  if (name == "timeout") return "ks";
  if (name == "stdbuf") return "ioe";
  if (name == "time") return "fo";
  if (name == "sudo") return "uUgGhpCTDRrt";
  if (name == "doas") return "uC";
  if (name == "xargs") return "IEadnLPs";
  return {};
}

// Of a wrapper whose options stand in front of what it runs.
std::size_t behind_options(const std::vector<Argument>& argv,
                           std::vector<std::string>& assignments) {
  constexpr auto kUnknown = static_cast<std::size_t>(-1);
  const std::string& name = argv[0].text;
  std::size_t i = 1;
  const auto word = [&](std::size_t at) -> std::string_view { return argv[at].text; };
  std::string_view with_value = letters_with_value(name);
  std::string_view switches =
      "--foreground --preserve-status --null --no-run-if-empty --verbose --portability";
  std::size_t operands = 0;
  if (const auto rows = rows_of(kWrapperRows, kWrapperPlaces, name); !rows.empty()) {
    const WrapperRow& row = kWrapperRows[rows.front()];
    with_value = row.value;
    switches = row.switches;
    operands = row.operands;
  }
  for (; i < argv.size(); ++i) {
    if (word(i) == "--") return i + 1 + operands;
    if (!word(i).starts_with('-')) break;
    if (!argv[i].constant) return kUnknown;
    if (name == "faketime" && word(i) == "-f") return std::min(i + 2, argv.size());
    const bool alone = word(i).size() == 2;
    if (alone && with_value.find(word(i)[1]) != npos) {
      ++i;  // its value, whatever that looks like
      continue;
    }
    if (word(i).starts_with("--") && word(i).find('=') == npos && !is_word_of(switches, word(i))) {
      return kUnknown;
    }
  }
  if (name == "sudo") {
    while (i < argv.size() && word(i).find('=') != npos) {
      assignments.emplace_back(word(i++));
    }
  }
  if (name == "timeout") {
    if (i >= argv.size() || !is_number(word(i))) return kUnknown;
    ++i;
  }
  if (is_one_of<"taskset chrt">(name) &&
      (i >= argv.size() || word(i).find_first_not_of("0123456789abcdefABCDEFx,-:") != npos)) {
    return kUnknown;
  }
  return i + operands;
}

}  // namespace

std::size_t wrapped_at(const std::vector<Argument>& argv, std::vector<std::string>& assignments) {
  constexpr auto kUnknown = static_cast<std::size_t>(-1);
  const std::string& name = argv[0].text;
  std::size_t i = 1;
  const auto word = [&](std::size_t at) -> std::string_view { return argv[at].text; };
  if (is_cmake_wrapper(argv)) return cmake_run_at(argv, assignments);
  if (const std::size_t at = script_run_at(argv); at != npos) return at;
  if (const Runner* const row = runner(argv); row != nullptr) {
    return runner_at(*row, argv, assignments);
  }
  if (name == "env") return env_run_at(argv, assignments);
  if (name == "command") {
    if (i < argv.size() && (word(i) == "-v" || word(i) == "-V")) return argv.size();
    return i < argv.size() && word(i).starts_with('-') ? kUnknown : i;
  }
  if (name == "nohup" || name == "setsid" || name == "builtin" || name == "exec") {
    while (i < argv.size() && word(i).starts_with('-')) {
      if (name == "exec" && word(i).find('a') != npos) return kUnknown;
      ++i;
    }
    return i;
  }
  if (name == "flock" || name == "watch") {
    const LineCommand command = name == "flock" ? locked(argv) : watched(argv);
    return command.line && command.at != npos ? argv.size() : command.at;
  }
  if (name == "strace" || name == "ltrace") return traced_at(argv);
  // Of a process that runs already: nothing is run.
  if (is_one_of<"taskset ionice chrt">(name)) {
    for (std::size_t at = 1; at < argv.size() && word(at).starts_with('-'); ++at) {
      const bool process =
          has_short(word(at), 'p', name == "taskset" ? "" : "cnuTPD") || word(at) == "--pid";
      if (process && argv[at].constant) return argv.size();
    }
  }
  if (name == "ssh" && only_connects(argv)) return argv.size();
  if (name == "unshare" || name == "nsenter" || name == "chroot" || name == "script" ||
      name == "parallel" || name == "runuser" || name == "busybox" || name == "ssh" ||
      name == "su" || name == "setarch" || name == "systemd-run" || name == "firejail" ||
      name == "bwrap" || name == "screen" || name == "at" || name == "batch" ||
      name == "run-parts" || name == "start-stop-daemon") {
    return kUnknown;
  }
  if (name == "tmux") {
    const std::size_t at = tmux_run_at(argv);
    return at != npos && at + 1 == argv.size() ? argv.size() : at;  // one word is a line
  }
  if (name == "crontab") return argv.size() == 2 && word(1) == "-l" ? argv.size() : kUnknown;
  if (name == "entr") {
    const EntrCommand command = entr_command(argv);
    return command.line ? argv.size() : command.at;
  }
  return behind_options(argv, assignments);
}

}  // namespace lilith::rules::shell
