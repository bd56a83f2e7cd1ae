// Options and variables whose names say that their value is run or loaded. The rows of
// exec_options.cpp refuse single options of single programs; what no row has is judged here by the
// words of its name, for every program, so that a program nobody thought of is not a hole.

#include "audit/base/text.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/programs.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {
namespace {

using As = ValueUse::As;

// Last words of names whose value is a program or a line of a shell.
constexpr std::string_view kRunWords =
    "exec execute executable executables command commands cmd cmds shell bash pager editor browser "
    "wrapper"
    " launcher debugger daemon askpass ssh rsh prog interpreter program programs viewer speller "
    "helper"
    " rebar rebar3 hook hooks proxycommand autoconf automake autom4te aclocal autoheader"
    " libtoolize compiler linker handler sendmail mailer terminal opener cmdline";
// The same of what is loaded as code.
constexpr std::string_view kLoadWords =
    "plugin plugins preload require import imports loader runner rulesdir rules formatter"
    " formatters reporter reporters transform transformer transformers preset presets parser"
    " resolver setup teardown extension extensions processor processors lib library libraries"
    " module modules sysimage initscript runtime javaagent agentpath agentlib javabase bindir"
    " script environment gemfile profile engine engines backend backends driver drivers provider"
    " providers adapter adapters agent agents middleware theme themes ruleset rulesets macro "
    "macros init"
    " startup bootstrap prelude polyfill polyfills toolchain generator generators recipe recipes "
    "mixin"
    " callback callbacks";
// Of options alone: settings that name what is loaded.
constexpr std::string_view kConfigWords =
    "config configs conf configuration configfile rc rcfile settings defaults homedir rootdir"
    " projects sequencer serializers pythonpath class classes connection";
// What may stand behind such a word.
constexpr std::string_view kPlaceWords = "dir dirs path paths file files";
// Names that begin with these take away or list.
constexpr std::string_view kOffWords =
    "no not without disable list show print skip ignore exclude deny";
// What is not loaded but written, or only read.
constexpr std::string_view kWrittenWords =
    "out output outfile outdir dest destination to write save log report target exclude include"
    " ignore glob pattern";
// Values that run nothing.
constexpr std::string_view kInert =
    "true false : none never always auto default yes no on off cat null disabled enabled";
// Files of code by their endings.
constexpr std::string_view kCodeEndings =
    "so dylib dll js mjs cjs ts mts cts jsx tsx py pyc rb pl pm lua php jar class groovy gradle kts"
    " gdb lldb el vim sh bash zsh fish ps1 cmake mk awk sed tcl nse scm jl R r wasm node phar exs";
// Directories that only the machine's owner writes.
constexpr std::array<std::string_view, 8> kSystemPlaces{
    "/usr/lib", "/usr/share", "/usr/local/lib", "/usr/include",
    "/opt/",    "/lib/",      "/nix/store/",    "/etc/"};

// Variables of such a meaning whose names don't say it: the programs' manuals.
constexpr std::string_view kLoadVariables =
    "GVBINDIR MYPYPATH MYPY_CONFIG_FILE PYLINTRC JUPYTER_PATH JUPYTER_CONFIG_DIR IPYTHONDIR"
    " MPLCONFIGDIR PERL_MM_OPT VK_LAYER_PATH LADSPA_PATH FREI0R_PATH GRADLE_USER_HOME "
    "R_PROFILE_USER R_ENVIRON R_ENVIRON_USER MAGICK_CONFIGURE_PATH "
    "ANSIBLE_CONFIG"
    " COMPOSE_FILE VIMRUNTIME PKG_CONFIG_LIBDIR";
// Variables that say where code is loaded from, by the last word of their names or by name.
constexpr std::string_view kSourceWords = "mirror registry";
constexpr std::string_view kSourceVariables =
    "RUSTUP_DIST_SERVER RUSTUP_UPDATE_ROOT PUB_HOSTED_URL FLUTTER_STORAGE_BASE_URL HEX_API_URL"
    " HEX_CDN BUNDLE_MIRROR__ALL NODEJS_ORG_MIRROR ELECTRON_CUSTOM_DIR GOSUMDB COREPACK_ROOT";

// Programs that need other words than their options' names say: manuals. Options are separated by
// blanks, with their dashes; a letter's value may be glued to it.
struct ValueRow {
  std::string_view program;
  std::string_view options;
  As as;
};
constexpr std::array kValueRows{
    // not of a shell, or read elsewhere
    ValueRow{"psql", "--command", As::kNothing},
    ValueRow{"mysql", "--execute --init-command", As::kNothing},
    ValueRow{"mariadb", "--execute --init-command", As::kNothing},
    ValueRow{"hyperfine", "--shell", As::kNothing},
    ValueRow{"gdb", "-exec", As::kNothing},
    ValueRow{"playwright", "--browser", As::kNothing},
    ValueRow{"cypress", "--browser", As::kNothing},
    ValueRow{"pytest", "--browser", As::kNothing},
    ValueRow{"cargo", "--exec", As::kNothing},
    ValueRow{"xmllint", "--shell", As::kNothing},
    ValueRow{"terraform", "-from-module", As::kNothing},
    ValueRow{"tofu", "-from-module", As::kNothing},
    // a line of a shell, or a program
    ValueRow{"man", "-P --pager", As::kLine},
    ValueRow{"nano", "-s", As::kLine},
    ValueRow{"gem", "-e", As::kLine},
    ValueRow{"meson", "--gdb-path", As::kLine},
    ValueRow{"mvn", "-Djvm", As::kLine},
    ValueRow{"cabal", "--with-compiler --with-hc --with-ghc --with-gcc --with-ld", As::kLine},
    ValueRow{"actionlint", "-shellcheck -pyflakes", As::kLine},
    ValueRow{"vagrant", "-c", As::kLine},
    ValueRow{"R", "-d", As::kLine},
    ValueRow{"nodemon", "-x", As::kNothing},
    ValueRow{"rlwrap", "-z --filter", As::kLine},
    ValueRow{"dbus-run-session", "--dbus-daemon", As::kLine},
    ValueRow{"rpm", "--pipe", As::kLine},
    ValueRow{"zig", "--test-cmd", As::kLine},
    ValueRow{"nix-shell", "--run --command", As::kLine},
    // code
    ValueRow{"fakeroot", "-l --lib -f --faked", As::kCode},
    ValueRow{"gdb", "-x --command -ix --init-command", As::kCode},
    ValueRow{"lldb", "-s --source -S --source-before-file", As::kCode},
    ValueRow{"electron", "-r --require", As::kCode},
    ValueRow{"eslint", "-f --format -c --config --rulesdir --parser --resolve-plugins-relative-to",
             As::kCode},
    ValueRow{"jest", "-c --config --env --testEnvironment", As::kCode},
    ValueRow{"mocha", "-r -R --config --ui -u", As::kCode},
    ValueRow{"tsx", "-r --import", As::kCode},
    ValueRow{"ts-node", "-r --loader", As::kCode},
    ValueRow{"bun", "-r --preload", As::kCode},
    ValueRow{"stylelint", "-f --custom-formatter --custom-syntax -c --config", As::kCode},
    ValueRow{"webpack", "-c --config", As::kCode},
    ValueRow{"vite", "-c --config", As::kCode},
    ValueRow{"vitest", "-c --config", As::kCode},
    ValueRow{"rollup", "-c --config -p", As::kCode},
    ValueRow{"prettier", "--config", As::kCode},
    ValueRow{"markdownlint", "-r", As::kCode},
    ValueRow{"nyc", "-r", As::kCode},
    ValueRow{"rspec", "-r --require -O --options", As::kCode},
    ValueRow{"emacs", "-l --load -L --directory --script", As::kCode},
    ValueRow{"vi", "-S -u -s", As::kCode},
    ValueRow{"vim", "-S -u -s -U", As::kCode},
    ValueRow{"nvim", "-S -u -s -l", As::kCode},
    ValueRow{"ex", "-S -u -s", As::kCode},
    ValueRow{"man", "-C --config-file", As::kCode},
    ValueRow{"ctags", "--options", As::kCode},
    ValueRow{"gawk", "-i --include", As::kCode},
    ValueRow{"bazel",
             "--server_javabase --host_javabase --bazelrc --override_repository --override_module "
             "--crosstool_top",
             As::kCode},
    ValueRow{"just", "-f --justfile -d --working-directory", As::kCode},
    ValueRow{"task", "-t --taskfile -d --dir", As::kCode},
    ValueRow{"rake", "-f --rakefile -r --require -R --rakelibdir -I", As::kCode},
    ValueRow{"ninja", "-f", As::kCode},
    ValueRow{"cmake",
             "-C --toolchain -DCMAKE_PROJECT_INCLUDE -DCMAKE_PROJECT_INCLUDE_BEFORE "
             "-DCMAKE_PROJECT_TOP_LEVEL_INCLUDES -DCMAKE_USER_MAKE_RULES_OVERRIDE",
             As::kCode},
    ValueRow{"meson", "--native-file --cross-file", As::kCode},
    ValueRow{"javac", "-processorpath --processor-path", As::kCode},
    ValueRow{"gradle",
             "-I --init-script --include-build -b --build-file -c --settings-file -p --project-dir"
             " -g --gradle-user-home -Dorg.gradle.java.home",
             As::kCode},
    ValueRow{"mvn", "-s --settings -gs -f --file -t", As::kCode},
    ValueRow{
        "sbt",
        "-java-home --java-home --sbt-jar -sbt-jar --sbt-rc --addPluginSbtFile -addPluginSbtFile",
        As::kCode},
    ValueRow{"julia", "-L --load -J --sysimage -H --home --project", As::kCode},
    ValueRow{"ruby", "-r -I", As::kCode},
    ValueRow{"perl", "-I -Mlib", As::kCode},
    ValueRow{"lua", "-l", As::kCode},
    ValueRow{"php",
             "-c -z auto_prepend_file auto_append_file extension zend_extension include_path",
             As::kCode},
    ValueRow{"gunicorn", "-c --config --pythonpath --chdir", As::kCode},
    ValueRow{"nox", "-f --noxfile", As::kCode},
    ValueRow{"pytest", "-c --config-file --rootdir --confcutdir -p", As::kCode},
    ValueRow{"pandoc", "-t --to -f --from -r --read -w --write -L -d --defaults --data-dir",
             As::kCode},
    ValueRow{"latexmk", "-r", As::kCode},
    ValueRow{"ansible-playbook", "-i --inventory --vault-password-file --vault-id -M", As::kCode},
    ValueRow{"ansible", "-i --inventory --vault-password-file --vault-id -M", As::kCode},
    ValueRow{"nmap", "--script --datadir", As::kCode},
    ValueRow{"skaffold", "-f --filename", As::kCode},
    ValueRow{"terraform", "-chdir", As::kCode},
    ValueRow{"tofu", "-chdir", As::kCode},
    ValueRow{"nix", "--plugin-files", As::kCode},
    ValueRow{"nodemon", "-r --require", As::kCode},
    ValueRow{"deno", "--import-map --config -c", As::kCode},
    ValueRow{"gpg", "--options --homedir --chuid", As::kCode},
    ValueRow{"mkdocs", "-f --config-file", As::kCode},
    ValueRow{"alembic", "-c --config", As::kCode},
    ValueRow{"flask", "-A --app", As::kCode},
    ValueRow{"jupyter", "--to --template-file --template", As::kCode},
    ValueRow{"mypy", "--custom-typeshed-dir", As::kCode},
    ValueRow{"isort", "--settings-path", As::kCode},
    ValueRow{"hugo", "--themesDir --config", As::kCode},
    ValueRow{"tox", "-c --conf --rootdir", As::kCode},
};
constexpr auto kValuePlaces = by_program(kValueRows);

// Programs whose options belong to what runs elsewhere (containers, clusters, clouds), or whose
// options have rows that are complete, or whose words are no options.
constexpr std::string_view kOwnRules =
    "git find fd fdfind docker podman docker-compose kubectl helm gcloud az grep egrep fgrep sed"
    " make gmake sh bash dash zsh ksh ash fish rbash mksh";

// Programs that take options out of a file (@FILE): GCC manual 3.1, java(1).
constexpr std::string_view kArgumentFiles =
    "gcc g++ cc c++ clang clang++ ld ld.lld ansible-playbook java javac javadoc rustc rustdoc "
    "kotlinc";

bool is_code_file(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot != npos && path.find('/', dot) == npos &&
         is_one_of<kCodeEndings>(path.substr(dot + 1));
}

std::string first_word(std::string_view name) {
  return ascii_lower(name.substr(0, name.find_first_of("-_.")));
}

// The last word of a name in lower case (globalSetup: setup), and where it begins.
struct NameWord {
  std::string text;
  std::size_t from = 0;
};
NameWord last_word(std::string_view name) {
  std::size_t from = name.size();
  while (from > 0) {
    const char c = name[from - 1];
    if (c == '-' || c == '_' || c == '.') break;
    --from;
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && from > 0 && name[from - 1] >= 'a' && name[from - 1] <= 'z') break;
  }
  return {ascii_lower(name.substr(from)), from};
}
NameWord telling_word(std::string_view name) {
  NameWord last = last_word(name);
  if (last.from == 0 || !is_one_of<kPlaceWords>(last.text)) return last;
  name = name.substr(0, last.from);
  while (!name.empty() && std::string_view("-_.").find(name.back()) != npos) name.remove_suffix(1);
  return last_word(name);
}

As use_of_name(std::string_view name) {
  const NameWord last = telling_word(name);
  const As as = is_one_of<kRunWords>(last.text)    ? As::kLine
                : is_one_of<kLoadWords>(last.text) ? As::kCode
                                                   : As::kNothing;
  if (as == As::kNothing || last.from == 0) return as;
  return is_one_of<kOffWords>(first_word(name)) ? As::kNothing : as;
}

class Values {
 public:
  explicit Values(const std::vector<Argument>& argv) : argv_(argv) {}

  std::vector<ValueUse> found;

  void run(std::string_view program, std::size_t from, std::size_t to) {
    program_ = program;
    rows_ = rows_of(kValueRows, kValuePlaces, program);
    const bool script = is_interpreter(program);
    bool ended = false;
    for (std::size_t i = from; i < to; ++i) {
      const std::string& word = argv_[i].text;
      if (word.size() < 2 || word[0] != '-') {
        // What follows a script is the script's; php -d NAME=VALUE is none.
        if (script && (word.find('=') == npos || !is_one_of<"-d --define">(argv_[i - 1].text))) {
          return;
        }
        operand(i, i > from);
      } else if (word == "--") {
        ended = true;
      } else {
        option(i, to, ended);
      }
    }
  }

 private:
  void add(std::size_t argument, std::size_t from, As as, std::size_t size = npos) {
    const std::string_view value = std::string_view(argv_[argument].text).substr(from, size);
    if (as == As::kLine && !is_inert_value(value)) found.push_back({argument, from, npos, as});
    if (as != As::kCode) return;
    // a,b of --plugins, a:b of a path
    for (std::size_t at = 0; at < value.size();) {
      std::size_t end = value.find_first_of(",;", at);
      end = std::min(end, value.size());
      const std::string_view one = value.substr(at, end - at);
      // NAME=PLACE
      const std::size_t equals = one.find('=');
      const std::size_t skip = equals == npos ? 0 : equals + 1;
      if (loads_elsewhere(one.substr(skip))) {
        found.push_back({argument, from + at + skip, one.size() - skip, as});
      }
      at = end + 1;
    }
  }

  [[nodiscard]] As row_use(std::string_view option, bool& known) const {
    for (const std::uint16_t place : rows_) {
      known = is_word_of(kValueRows[place].options, option);
      if (known) return kValueRows[place].as;
    }
    return As::kNothing;
  }

  void option(std::size_t i, std::size_t to, bool ended) {
    const std::string_view word = argv_[i].text;
    const bool longer = word[1] == '-';
    const std::size_t separator = std::min(word.find_first_of(longer ? "=" : "=:"), word.size());
    const std::string_view name = word.substr(0, separator);
    if (name.find_first_of("$`") != npos) return;
    bool known = false;
    As as = row_use(name, known);
    std::size_t value = separator + 1;
    if (!known && !longer && !rows_.empty() && name.size() > 2) {
      // -XVALUE, and -X at the end of a bundle
      as = row_use(word.substr(0, 2), known);
      value = 2;
      if (!known && name.size() < 6 && separator == word.size()) {
        const std::string last{'-', name.back()};
        as = row_use(last, known);
        value = word.size() + 1;
      }
      if (!known) value = separator + 1;
    }
    if (!known && (longer || name.size() >= 5)) {
      const std::string_view words = name.substr(name.starts_with("-D") || longer ? 2 : 1);
      as = use_of_name(words);
      if (as == As::kNothing && is_one_of<kConfigWords>(telling_word(words).text)) as = As::kCode;
      if (as != As::kNothing && has_exec_row(program_, word)) as = As::kNothing;
      if (ended && as == As::kLine) as = As::kNothing;
      // CMAKE_CXX_COMPILER_LAUNCHER and its like: Options::cmake() knows which are compilers.
      if (program_ == "cmake" && as == As::kLine) as = As::kNothing;
    }
    if (as == As::kNothing) return code_file(i, separator);
    if (value <= word.size()) return add(i, value, as);
    if (i + 1 < to && !argv_[i + 1].text.starts_with('-')) add(i + 1, 0, as);
  }

  // -d NAME=VALUE, -e NAME=VALUE
  void operand(std::size_t i, bool behind) {
    const std::string_view word = argv_[i].text;
    if (word.starts_with('@') && is_one_of<kArgumentFiles>(program_)) return add(i, 1, As::kCode);
    if (!behind || !argv_[i - 1].text.starts_with('-')) return;
    const std::size_t equals = word.find('=');
    if (equals == npos || equals == 0 || word.find_first_of(" \t\n\"'{") < equals) return;
    bool known = false;
    As as = row_use(word.substr(0, equals), known);
    if (!known) as = use_of_name(word.substr(0, equals));
    if (program_ == "cmake" && as == As::kLine) as = As::kNothing;
    if (as == As::kNothing) return code_file(i, equals);
    add(i, equals + 1, as);
  }

  // A file of code that is none of the project's, by its ending: --config=/tmp/x.js, -J-javaagent:F
  void code_file(std::size_t i, std::size_t separator) {
    const std::string_view word = argv_[i].text;
    const std::size_t slash = word.find_first_of("/~");
    if (slash == npos || slash == 0 || !is_code_file(word)) return;
    const bool glued = slash == 2 && word[0] == '-' && word[1] != 'o';
    if (!glued && std::string_view("=:@,").find(word[slash - 1]) == npos) return;
    if (word[0] == '-' && word[1] == '-') {
      const std::string_view name = word.substr(2, separator - 2);
      if (is_one_of<kWrittenWords>(first_word(name)) ||
          is_one_of<kWrittenWords>(telling_word(name).text)) {
        return;
      }
    }
    const std::vector<WriteOperand> written = write_operands(argv_);
    const bool writes = std::any_of(written.begin(), written.end(), [&](const WriteOperand& one) {
      return one.argument == i && one.from == slash;
    });
    if (!writes) add(i, slash, As::kCode);
  }

  const std::vector<Argument>& argv_;
  std::string_view program_;
  std::span<const std::uint16_t> rows_;
};

// The lines that git runs by itself: git-bisect(1) run, git-rebase(1) --exec, git-submodule(1)
// foreach. The first takes words.
void git_lines(const std::vector<Argument>& argv, std::vector<ValueUse>& found) {
  const std::size_t at = git_command_at(argv);
  if (at >= argv.size()) return;
  const std::string_view sub = argv[at].text;
  if (sub == "rebase") {
    for (std::size_t i = at + 1; i < argv.size() && argv[i].text != "--"; ++i) {
      const std::string_view word = argv[i].text;
      if (word == "--exec" || word == "-x") {
        if (i + 1 < argv.size()) found.push_back({++i, 0, npos, As::kLine, true});
      } else if (word.starts_with("--exec=")) {
        found.push_back({i, word.find('=') + 1, npos, As::kLine, true});
      }
    }
  }
  if (sub != "bisect" && sub != "submodule") return;
  std::size_t next = at + 1;
  while (next < argv.size() && argv[next].text.starts_with('-')) ++next;
  if (next >= argv.size() || argv[next].text != (sub == "bisect" ? "run" : "foreach")) return;
  std::size_t from = next + 1;
  while (sub == "submodule" && from < argv.size() && argv[from].text.starts_with('-')) ++from;
  if (from >= argv.size()) return;
  const bool words = sub == "bisect" || from + 1 < argv.size();
  found.push_back({from, 0, npos, words ? As::kWords : As::kLine, true});
}

// npm pkg set scripts.NAME=LINE: a package of the project may be in it.
void npm_scripts(const std::vector<Argument>& argv, std::vector<ValueUse>& found) {
  for (std::size_t i = 3; i < argv.size(); ++i) {
    const std::string_view word = argv[i].text;
    const std::size_t equals = word.find('=');
    if (argv[1].text != "pkg" || argv[2].text != "set" || equals == npos) continue;
    if (word.starts_with("scripts.") || word.starts_with("scripts[")) {
      found.push_back({i, equals + 1, npos, As::kLine, true, true});
    }
  }
}

// gdb [OPTION...] PROGRAM, lldb [OPTION...] PROGRAM: what `run` runs. gdb(1), lldb(1).
void debugged(const std::vector<Argument>& argv, std::vector<ValueUse>& found) {
  constexpr std::string_view kGdbValues =
      "-ex -iex -x -ix -p --pid -c --core -d --directory -cd --cd --command --init-command -s "
      "--symbols"
      " -b -l --tty --eval-command --init-eval-command";
  constexpr std::string_view kLldbValues =
      "-o -O -s -S -k -K -p -n -a -c -r -l --one-line --one-line-before-file --source"
      " --source-before-file --attach-pid --attach-name --arch --core --repl-language";
  const bool gdb = base_name(argv[0].text) == "gdb";
  const std::string_view names = gdb ? "-e -exec --exec -se --se" : "-f --file";
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--" || word == "--args") return;  // a wrapped command
    const bool named = is_word_of(names, word) && i + 1 < argv.size();
    if (named || !word.starts_with('-')) {
      i += named ? 1U : 0U;
      if (argv[i].constant) found.push_back({i, 0, npos, As::kProgram});
      if (!named) return;
    } else if (is_word_of(gdb ? kGdbValues : kLldbValues, word)) {
      ++i;
    }
  }
}

// mix do A + cmd B, mix cmd B: hexdocs.pm/mix, Mix.Tasks.Do, Mix.Tasks.Cmd.
void mix_commands(const std::vector<Argument>& argv, std::vector<ValueUse>& found) {
  if (argv.size() < 2) return;
  const bool list = argv[1].text == "do";
  for (std::size_t i = 1; i + 1 < argv.size(); ++i) {
    const std::string& before = argv[i - 1].text;
    const bool first = i == 1 || before == "do" || before == "+" || before.ends_with(',');
    if (argv[i].text != "cmd" || !first || (i > 1 && !list)) continue;
    std::size_t from = i + 1;
    while (from < argv.size() && argv[from].text.starts_with('-')) {
      from += argv[from].text == "--app" || argv[from].text == "--cd" ? 2U : 1U;
    }
    if (from < argv.size()) found.push_back({from, 0, npos, As::kWords, true});
  }
}

}  // namespace

std::vector<ValueUse> value_uses(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  Values values(argv);
  if (argv.size() < 2) return {};
  const bool options = std::any_of(argv.begin() + 1, argv.end(), [](const Argument& one) {
    return one.text.size() > 1 && (one.text[0] == '-' || one.text[0] == '@');
  });
  if (is_one_of<"git npm pnpm mix gdb lldb">(name)) {
    if (name == "git") git_lines(argv, values.found);
    if (name == "npm" || name == "pnpm") npm_scripts(argv, values.found);
    if (name == "mix") mix_commands(argv, values.found);
    if (name == "gdb" || name == "lldb") debugged(argv, values.found);
  }
  if (!options || is_one_of<kOwnRules>(name) || is_harmless_builtin(name)) {
    return std::move(values.found);
  }
  if (const std::size_t module = module_at(argv); module != npos) {
    values.run(argv[module].text, module + 1, argv.size());
    return std::move(values.found);
  }
  std::size_t to = argv.size();
  if (is_wrapper(argv)) {
    std::vector<std::string> ignored;
    to = std::min(wrapped_at(argv, ignored), argv.size());
  }
  values.run(name, 1, to);
  return std::move(values.found);
}

ValueUse::As variable_use(std::string_view name) {
  const NameWord last = last_word(name);
  if (is_one_of<kLoadVariables>(name)) return As::kCode;
  if (is_one_of<kSourceVariables>(name) || is_one_of<kSourceWords>(last.text)) return As::kSource;
  if (last.from != 0 && is_one_of<"opts options args flags addopts">(last.text)) return As::kWords;
  return use_of_name(name);
}

bool is_inert_value(std::string_view value) {
  return value.empty() || is_one_of<kInert>(ascii_lower(value)) ||
         value.find_first_not_of("0123456789.,") == npos;
}

// A place that is not below the directory the line runs in, or that is not known.
bool loads_elsewhere(std::string_view value) {
  for (const std::string_view here : {"$PWD", "${PWD}", "$(pwd)"}) {
    if (value.starts_with(here)) value.remove_prefix(here.size() + (value.size() > here.size()));
  }
  if (value.empty()) return false;
  const bool of_system =
      std::any_of(kSystemPlaces.begin(), kSystemPlaces.end(),
                  [&](std::string_view place) { return value.starts_with(place); });
  if (of_system && value.find("..") == npos) return false;
  return std::string_view("/~$`{*?[").find(value[0]) != npos || value.find("..") != npos ||
         value.find("://") != npos;
}

}  // namespace lilith::rules::shell
