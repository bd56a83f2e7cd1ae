#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>

namespace lilith::rules::shell {
namespace {

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

constexpr auto kRunnerPlaces = by_program(kRunners);

// Where the sub-command stands; `uv --quiet run`, `pnpm -r exec`.
std::size_t sub_command_at(const std::vector<Argument>& argv) {
  std::size_t at = 1;
  while (at < argv.size() && argv[at].text.starts_with('-')) {
    at += is_one_of<"-C --dir --directory --project --filter -F">(argv[at].text) ? 2U : 1U;
  }
  return at;
}

const Runner* runner(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  for (const std::uint16_t place : rows_of(kRunners, kRunnerPlaces, name)) {
    const Runner& row = kRunners[place];
    if (row.sub.empty()) return &row;
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
  return !text.empty() && text.find_first_not_of("0123456789.smhd") == npos;
}

}  // namespace

bool is_wrapper(const std::vector<Argument>& argv) {
  const std::string& name = argv[0].text;
  return is_transparent_wrapper(name) || is_listed_wrapper(name) || runner(argv) != nullptr ||
         is_cmake_wrapper(argv);
}
std::size_t runner_sub_command(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  if (name == "cmake" && argv.size() > 1 && argv[1].text == "-E") return 2;
  const auto rows = rows_of(kRunners, kRunnerPlaces, name);
  if (rows.empty() || kRunners[rows.front()].sub.empty()) return npos;
  return std::min(sub_command_at(argv), argv.size());
}
bool is_runner_sub_command(std::string_view program, std::string_view sub) {
  if (base_name(program) == "cmake") return is_one_of<"env time chdir">(sub);
  const auto rows = rows_of(kRunners, kRunnerPlaces, base_name(program));
  return std::any_of(rows.begin(), rows.end(),
                     [&](std::uint16_t place) { return kRunners[place].sub == sub; });
}
bool is_runner_value(const std::vector<Argument>& argv, std::size_t at) {
  const Runner* const row = runner(argv);
  if (row == nullptr || row->ends) return false;
  const std::size_t first = row->sub.empty() ? 1 : sub_command_at(argv) + 1;
  if (at < first || at >= argv.size()) return false;
  const std::string& word = argv[at].text;
  if (word.starts_with("--")) return word.find('=') < word.find('$');
  return at > first && argv[at - 1].constant && is_word_of(row->value, argv[at - 1].text);
}
bool runs_own_programs(const std::vector<Argument>& argv) { return runner(argv) != nullptr; }

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
      if (equals == npos) return i;
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
      if (name == "exec" && word(i).find('a') != npos) return kUnknown;
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
    if (alone && with_value.find(word(i)[1]) != npos) {
      ++i;  // its value, whatever that looks like
      continue;
    }
    if (word(i).starts_with("--") && word(i).find('=') == npos && word(i) != "--foreground" &&
        word(i) != "--preserve-status" && word(i) != "--null" && word(i) != "--no-run-if-empty" &&
        word(i) != "--verbose" && word(i) != "--portability") {
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
  return i;
}

}  // namespace lilith::rules::shell
