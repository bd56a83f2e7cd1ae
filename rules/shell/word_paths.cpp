#include "rules/shell/braces.hpp"
#include "rules/shell/line_reader.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <array>

namespace lilith::rules::shell {

void Reader::merge(const Directories& other) {
  if (other == directories_) return;
  for (const Directory& one : other) {
    if (std::find(directories_.begin(), directories_.end(), one) == directories_.end())
      directories_.push_back(one);
  }
  if (directories_.size() > kDirectoriesMax) directories_ = {Directory{.known = false, .text = {}}};
}

void Reader::forget_directories(const std::vector<std::size_t>& uses) {
  for (const std::size_t index : uses) {
    if (out_.paths[index].base == PathUse::Base::kCwd)
      out_.paths[index].base = PathUse::Base::kUnknown;
  }
}

// The variable that mktemp has set, at the beginning of a word: $tmp, ${tmp}.
const Temporary* Reader::temporary_at(std::string_view text, std::size_t& bytes) {
  if (!line_.assumes || text.size() < 2 || text[0] != '$') return nullptr;
  const bool braces = text[1] == '{';
  const std::string_view rest = text.substr(braces ? 2 : 1);
  const auto size =
      static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_name) - rest.begin());
  const std::string name(rest.substr(0, size));
  if (!is_among(temporaries_, name) || (braces && !rest.substr(size).starts_with('}'))) {
    return nullptr;
  }
  bytes = text.size() - rest.size() + size + (braces ? 1 : 0);
  ++line_.assumed[name];
  if (is_among(body_.temporaries, name)) line_.shared.insert(name);
  return &line_.temporaries.find(name)->second;
}

// `> "$tmp/x"` behind tmp=$(mktemp -d), `> run-$$.log`, `> "$(date +%F).txt"`: a part of the name
// is made when the line runs, and leads nowhere else.
bool Reader::add_made_path(const Word& word, PathAccess access) {
  if (word.dollars || word.glob || word.brace || word.tilde || word.home) return false;
  if (access == PathAccess::kRead && line_.assumes && !found_.empty() && word.text == "$1") {
    ++line_.assumed["1"];
    // The place itself, and at any depth below it.
    for (Word one : found_) {
      for (const std::string_view below : {"", "/found", "/found/found/found"}) {
        one.text += below;
        add_path(one, one.text, PathAccess::kRead);
      }
    }
    return true;
  }
  constexpr std::string_view kDigits = "7777777777";  // no list has it in the place of a number
  std::string_view rest = word.text;
  std::string known, any, without;
  std::size_t bytes = 0;
  if (const Temporary* const made = temporary_at(rest, bytes)) {
    known = any = made->path;
    rest.remove_prefix(bytes);
    if (!made->sure) without = rest;  // as when it is empty
  }
  while (!rest.empty()) {
    const std::size_t plain = std::min(rest.find_first_of("$`("), rest.size());
    known += rest.substr(0, plain);
    any += rest.substr(0, plain);
    rest.remove_prefix(plain);
    if (rest.empty()) break;
    const std::string_view source = rest.substr(0, expansion_bytes(rest));
    const std::string_view name =
        source.starts_with("${") ? source.substr(2, source.size() - 3) : source.substr(1);
    const bool counter = integers_.contains(std::string(name));
    if (counter) used_.insert(std::string(name));
    const bool date = source.starts_with("$(d") && source.ends_with(')') &&
                      is_date_stamp(source.substr(2, source.size() - 3));
    if (date) line_.counters.emplace("date");
    if (!date && !counter && source != "$$" && !source.starts_with("$((")) return false;
    known += kDigits;
    any += '*';
    rest.remove_prefix(source.size());
  }
  if (!without.empty() && without.find_first_of("$`(") != std::string::npos) return false;
  Word one = word;
  one.constant = true;
  one.splits = false;
  const auto add = [&](std::string text, PathAccess how) {
    one.text = text;
    add_path(one, std::move(text), how);
  };
  add(known, access);
  if (!without.empty()) add(without, access);
  // Block lists are asked of whatever may stand there.
  one.glob = true;
  add(any, PathAccess::kArgument);
  return true;
}

void Reader::add_path(const Word& word, std::string text, PathAccess access) {
  if (!word.constant && (access == PathAccess::kRead || access == PathAccess::kWrite) &&
      text == word.text && add_made_path(word, access)) {
    return;
  }
  PathUse use;
  use.access = access;
  use.offset = word.offset;
  use.text = std::move(text);
  use.glob = word.glob || word.brace;
  const bool whole = use.text.size() == word.text.size();
  const bool operand = access == PathAccess::kWriteArgument || access == PathAccess::kTouchArgument;
  const bool fixed = !use.glob || operand;
  // --output=$HOME/x, of=~/x: some of these the shell expands, others the program.
  std::size_t home = word.home && whole ? word.home_bytes : 0;
  if (!whole || (!word.home && !word.constant)) {
    for (const std::string_view name : {"$HOME", "${HOME}", "~"}) {
      const bool begins = use.text.starts_with(name);
      if (begins && (use.text.size() == name.size() || use.text[name.size()] == '/')) {
        home = name.size();
      }
    }
  }
  if (home > 0) {
    const std::string rest = use.text.substr(home);
    const bool known = rest.find('$') == std::string::npos && rest.find('`') == std::string::npos &&
                       (rest.empty() || rest.starts_with('/'));
    use.base = known && fixed ? PathUse::Base::kHome : PathUse::Base::kUnknown;
    use.text = rest.starts_with('/') ? rest.substr(1) : rest;
  } else if (word.tilde && whole && (use.text == "~" || use.text.starts_with("~/"))) {
    use.base = word.constant && fixed ? PathUse::Base::kHome : PathUse::Base::kUnknown;
    use.text = use.text.size() > 2 ? use.text.substr(2) : "";
  } else if (!word.constant || (word.tilde && whole) ||
             (use.glob && access != PathAccess::kArgument && !operand)) {
    use.base = PathUse::Base::kUnknown;
    use.tilde = word.tilde && whole && word.constant;
  } else if (use.text.starts_with('/')) {
    use.base = PathUse::Base::kAbsolute;
  } else {
    for (std::size_t i = 0; i < directories_.size(); ++i) {
      const Directory& directory = directories_[i];
      PathUse one = use;
      const bool made =
          !directory.made.empty() && (access == PathAccess::kRead || access == PathAccess::kWrite);
      one.base = directory.known || made ? PathUse::Base::kCwd : PathUse::Base::kUnknown;
      one.directory = made ? directory.made : directory.text;
      one.directory_is_home = directory.home;
      one.directory_tilde = directory.tilde;
      out_.paths.push_back(std::move(one));
    }
    return;
  }
  out_.paths.push_back(std::move(use));
}

// Words that name what the program writes.
void Reader::write_paths(const std::vector<Word>& argv, const std::vector<Argument>& args) {
  if (args[0].text == "ln" && argv.size() > 2) {
    line_.links.push_back({argv[argv.size() - 1], argv[argv.size() - 2]});
  }
  for (const WriteOperand& one : write_operands(args)) {
    const Word& word = argv[one.argument];
    const PathAccess access = one.touches ? PathAccess::kTouchArgument : PathAccess::kWriteArgument;
    const Directories here = directories_;
    if (one.base == WriteOperand::kUnknownBase) {
      directories_ = {Directory{.known = false, .text = {}}};
    } else if (one.base != 0) {
      enter(argv[one.base]);
    }
    const std::string target = word.text.substr(one.from, one.size);
    add_path(word, target, access);
    if (one.touches) {
      directories_ = here;
      continue;
    }
    into_directory(argv, one.argument, target);
    directories_ = here;
  }
}

// A directory that is written as a whole: the settings and hooks in it are.
void Reader::agent_directory(const Word& word, const std::string& target, bool removes) {
  const std::string whole = target.substr(0, target.find_last_not_of('/') + 1);
  constexpr std::array<std::string_view, 6> kAgents{".claude",  ".cursor", ".gemini",
                                                    ".copilot", ".vscode", ".git"};
  const std::string_view last = base_name(whole);
  if (std::find(kAgents.begin(), kAgents.end(), last) == kAgents.end()) return;
  // A checkout or an editor's settings may be removed: nothing is left that runs.
  if (removes && (last == ".vscode" || last == ".git")) return;
  for (const std::string_view file : {"/settings.json", "/hooks.json", "/config"}) {
    add_path(word, whole + std::string(file), PathAccess::kTouchArgument);
  }
}

// Copied into a directory, a file keeps its name: `cp x/settings.json .claude/`.
void Reader::into_directory(const std::vector<Word>& argv, std::size_t at,
                            const std::string& target) {
  constexpr std::array<std::string_view, 6> kCopies{"cp", "mv", "ln", "install", "rsync", "scp"};
  constexpr std::array<std::string_view, 9> kDirectories{".git",     ".claude", ".vscode",
                                                         ".cursor",  ".github", ".gemini",
                                                         ".copilot", ".cargo",  ".config"};
  const std::string& name = argv[0].text;
  const std::string last(base_name(target));
  const bool directory =
      last.empty() || last == "." || last == ".." || argv[at].text.starts_with('-') ||
      std::find(kDirectories.begin(), kDirectories.end(), last) != kDirectories.end();
  // With an agent's directory its settings and hooks are gone; what is unpacked or copied there may
  // be called like them.
  agent_directory(argv[at], target, name == "rm" || name == "mv" || name == "shred");
  if (std::find(kCopies.begin(), kCopies.end(), name) == kCopies.end()) return;
  if (!directory || (name == "mv" && at + 1 != argv.size())) return;
  static constexpr std::string_view kRsyncValues =
      "--exclude --include --exclude-from --include-from --filter -f -e --rsh --files-from";
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (name == "rsync" && is_one_of<kRsyncValues>(argv[i - 1].text)) continue;
    std::string source = argv[i].text;
    while (source.ends_with('/')) source.pop_back();
    source.erase(0, source.rfind('/') + 1);
    if (i == at || argv[i].text.starts_with('-') || source.empty() || source == ".") continue;
    add_path(argv[at], target + "/" + source, PathAccess::kTouchArgument);
    agent_directory(argv[at], target + "/" + source, name == "mv");
  }
}

// What the scripts of sed and awk, and string literals in others, name.
void Reader::script_paths(const std::vector<Word>& argv, const ScriptUse& script) {
  for (const ScriptFile& one : script.files) {
    if (one.path.empty() || one.path.size() > limits::kPathBytesMax) continue;
    Word word;
    word.text = one.path;
    word.offset = argv[one.argument].offset;
    word.constant = one.path.find('$') == std::string::npos;
    word.tilde = one.path.starts_with("~/");  // os.path.expanduser
    add_path(word, word.text, one.writes ? PathAccess::kWriteArgument : PathAccess::kArgument);
  }
}

void Reader::change_directory(const std::vector<Word>& argv) {
  saw_cd_ = true;
  std::vector<const Word*> operands;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (!argv[i].text.starts_with('-') || argv[i].text == "-") operands.push_back(&argv[i]);
  }
  const Directory unknown{.known = false, .text = {}};
  if (argv[0].text == "popd") {
    // A popd that finds nothing leaves the directory as it is, and a pushd may have failed.
    Directories seen = std::exchange(pushed_, {});
    for (const Directory& one : std::exchange(directories_, {})) seen.push_back(one);
    merge(seen);
    return;
  }
  const bool pushes = argv[0].text == "pushd";
  if (operands.size() != 1 && (pushes || !operands.empty())) {
    directories_ = {unknown};
    return;
  }
  if (pushes && operands[0]->text.find_first_of("+-") == 0) {
    directories_ = {unknown};
    return;
  }
  if (pushes) pushed_.insert(pushed_.end(), directories_.begin(), directories_.end());
  if (operands.empty()) {
    directories_ = {Directory{.home = true, .text = {}}};
    return;
  }
  enter(*operands[0]);
}

// What relative paths are relative to behind `cd TARGET`.
void Reader::enter(const Word& target) {
  const Directory unknown{.known = false, .text = {}};
  std::string text = target.text;
  Directories next;
  if (target.home && text.find('$', target.home_bytes) == std::string::npos && !target.glob) {
    text = text.substr(target.home_bytes);
    next = {Directory{.home = true, .text = text.starts_with('/') ? text.substr(1) : text}};
  } else if (target.tilde && target.constant && (text == "~" || text.starts_with("~/"))) {
    next = {Directory{.home = true, .text = text.size() > 2 ? text.substr(2) : ""}};
  } else if (target.tilde && target.constant && !target.glob && !target.brace && text.size() > 1 &&
             is_name_start(text[1])) {
    next = {Directory{.tilde = true, .text = text}};
  } else if (!target.constant || target.glob || target.brace || target.tilde || text == "-" ||
             text.empty()) {
    next = {unknown};
    std::size_t bytes = 0;
    if (target.constant || target.dollars || target.glob || target.brace) {
      // not below what mktemp made
    } else if (const Temporary* const made = temporary_at(text, bytes);
               made != nullptr && made->sure &&
               text.find_first_of("$`(", bytes) == std::string::npos) {
      next[0].made = made->path + text.substr(bytes);
    }
  } else if (text.starts_with('/')) {
    next = {Directory{.text = text}};
  } else {
    for (const Directory& from : directories_) {
      Directory to = from;
      if (!to.text.empty()) to.text += '/';
      to.text += text;
      if (!to.made.empty()) to.made += "/" + text;
      next.push_back(std::move(to));
    }
  }
  directories_ = std::move(next);
}

void Reader::argument_paths(const std::vector<Word>& argv) {
  if (argv.empty()) return;
  plain_paths(argv);
  // tar -C DIR NAME, git -C DIR add NAME: also as that directory's.
  if (argv[0].text != "tar" && argv[0].text != "git" && argv[0].text != "make") return;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    Word target = argv[i];
    if ((target.text == "-C" || target.text == "--directory") && i + 1 < argv.size()) {
      target = argv[i + 1];
    } else if (target.text.starts_with("--directory=") || target.text.starts_with("--work-tree=")) {
      target.text.erase(0, target.text.find('=') + 1);
    } else {
      continue;
    }
    const Directories here = directories_;
    enter(target);
    plain_paths(argv);
    directories_ = here;
    return;
  }
}

// What of a word that is neither a pattern nor a URL may be a path.
void Reader::plain_path(const Word& word, bool is_git) {
  const std::string& text = word.text;
  const bool option = text.starts_with('-') && text.size() > 1;
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos && equals + 1 < text.size()) {
    // curl -F name=@FILE, name=<FILE
    const bool file = text[equals + 1] == '@' || text[equals + 1] == '<';
    add_path(word, text.substr(equals + (file ? 2 : 1)), PathAccess::kArgument);
  }
  // SOURCE:TARGET of docker -v and its like.
  if (const std::size_t colon = text.find(':'); colon != std::string::npos && colon > 0) {
    add_path(word, text.substr(0, colon), PathAccess::kArgument);
    // COMMIT:PATH
    if (is_git && !option && colon + 1 < text.size()) {
      add_path(word, text.substr(colon + 1), PathAccess::kArgument);
    }
  }
  for (const std::string_view key : {"source=", "src="}) {  // of docker --mount
    const std::size_t at = text.find(key);
    if (at == std::string::npos || text.find(',') == std::string::npos) continue;
    const std::size_t from = at + key.size();
    add_path(word, text.substr(from, text.find(',', from) - from), PathAccess::kArgument);
  }
  if (option) {
    // -o/etc/x: a value glued to its option.
    const std::size_t slash = text.find_first_of("/~");
    if (slash != std::string::npos && equals == std::string::npos) {
      add_path(word, text.substr(slash), PathAccess::kArgument);
    }
    return;
  }
  if (text.starts_with('@')) add_path(word, text.substr(1), PathAccess::kArgument);
  add_path(word, text, PathAccess::kArgument);
}

void Reader::plain_paths(const std::vector<Word>& argv) {
  const std::string_view name = argv[0].text;
  if ((name == "echo" || name == "printf") && !captured_) {
    line_.printed.insert(line_.printed.end(), argv.begin() + 1, argv.end());
    return;
  }
  bool skip_pattern = takes_pattern_first(name);
  const bool is_git = name == "git";
  const bool is_awk = is_one_of<"awk gawk mawk nawk">(name);
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const Word& word = argv[i];
    const std::string& text = word.text;
    const bool option = text.starts_with('-') && text.size() > 1;
    if (option && (text == "--regexp" || text == "--file" || text == "--from-file" ||
                   (!text.starts_with("--") && text.find_first_of("ef") != std::string::npos))) {
      skip_pattern = false;
    }
    if (option && (text == "-e" || text == "--regexp")) {
      ++i;
      continue;
    }
    if (is_git && (text == "-m" || text == "--message")) {
      ++i;
      continue;
    }
    // awk -v NAME=VALUE, jq -L DIR: not the script.
    const bool value = (is_awk && is_one_of<"-v --assign -F">(argv[i - 1].text)) ||
                       (name == "jq" && is_one_of<"-L --indent">(argv[i - 1].text));
    if (!option && skip_pattern && !value) {
      skip_pattern = false;
      continue;
    }
    if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
      if (word.constant) out_.mentioned_urls.push_back(text);
      const std::size_t path = text.find('/', scheme + 3);
      if (scheme >= 4 && ascii_lower(text.substr(scheme - 4, 4)) == "file" &&
          path != std::string::npos) {
        add_path(word, text.substr(path), PathAccess::kArgument);
      }
      continue;
    }
    if (text.empty() || text.size() > limits::kPathBytesMax || text.find('\n') != std::string::npos)
      continue;
    if (is_integer(text)) continue;
    plain_path(word, is_git);
  }
}

// Through a link that the line itself makes: ln -s / r; cat r/etc/x; ln -s ~/.bashrc x; echo > x.
void Reader::finish_links() {
  const std::size_t paths = out_.paths.size();
  for (const auto& [name, target] : line_.links) {
    for (std::size_t i = 0; i < paths; ++i) {
      step();
      const std::string text = out_.paths[i].text;
      if (name.text.empty() || out_.paths[i].offset <= name.offset) continue;
      if (text != name.text && !text.starts_with(name.text + "/")) continue;
      const bool writes = out_.paths[i].access == PathAccess::kWrite ||
                          out_.paths[i].access == PathAccess::kWriteArgument;
      directories_ = {Directory{}};
      add_path(target, target.text + text.substr(name.text.size()),
               writes ? PathAccess::kWriteArgument : PathAccess::kArgument);
    }
  }
}

}  // namespace lilith::rules::shell
