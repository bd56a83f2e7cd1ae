#include "rules/shell/clients.hpp"
#include "rules/shell/line_reader.hpp"
#include "rules/shell/network.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/programs.hpp"
#include "rules/shell/tables.hpp"

#include <array>

namespace lilith::rules::shell {

namespace {

// GIT_SEQUENCE_EDITOR="sed -i 2d": an editor that is a line of sh (git-var(1)), of programs that
// change or print the file and nothing else. git puts the file's name behind it: sed -f would run
// what that file says, and sed without a script the name.
bool is_editor_line(std::string_view name, const Word& value) {
  if (!value.constant || !is_one_of<"GIT_SEQUENCE_EDITOR GIT_EDITOR EDITOR VISUAL">(name)) {
    return false;
  }
  const std::vector<std::string_view> words = words_of(value.text);
  if (words.empty() || !is_one_of<"sed touch echo cat true :">(words[0])) return false;
  return words[0] != "sed" ||
         (words.size() > 1 && !words.back().starts_with('-') &&
          std::none_of(words.begin() + 1, words.end(), [](std::string_view one) {
            return one.starts_with('-') && one.find('f') != npos;
          }));
}

}  // namespace

void Reader::note_assignment(const std::string& name, const Word& value, std::size_t offset,
                             Binding binding) {
  const bool itself = value.text == "$" + name;  // of a loop: its words are noted one by one
  const bool dangerous =
      is_dangerous_assignment(name, itself ? "$(unknown)" : value.text, value.constant);
  if (dangerous && is_editor_line(name, value)) {
    line_value(value);
  } else if (dangerous) {
    line_hazard("command.environment",
                "setting " + name + " changes what later commands run or where they connect",
                offset);
  }
  // Modules are read from there, so read_file says whether they may be.
  for (std::size_t at = 0; name == "PYTHONPATH" && at < value.text.size();) {
    const std::size_t end = std::min(value.text.find(':', at), value.text.size());
    const std::string one = value.text.substr(at, end - at);
    if (one.starts_with('/') || one.starts_with('~')) add_path(value, one, PathAccess::kRead);
    at = end + 1;
  }
  if (!itself && binding == Binding::kAppends) {
    line_.values.append(name, value.text, value.constant);
  } else if (!itself) {
    line_.values.note(name, value.text, value.constant);
  }
  if (!itself && !value.text.empty() && value.text.size() <= limits::kPathBytesMax &&
      !is_integer(value.text) && value.text.find('\n') == std::string::npos) {
    add_path(value, value.text, PathAccess::kArgument);
  }
  if (auto made = temporary_of(value.text); made && binding == Binding::kStays) {
    const auto& [known, first] = line_.temporaries.try_emplace(name, *made);
    if (!first && known->second != *made) line_.assigned.insert(name);
    std::erase(body_.temporaries, name);
    if (!is_among(temporaries_, name)) temporaries_.push_back(name);
    line_.counters.emplace("mktemp");
  } else if (!itself) {
    line_.assigned.insert(name);
  }
  const std::string_view counter = number_program(value.text);
  const bool counts = !value.constant && !counter.empty();
  if (counts) line_.counters.emplace(counter);
  const bool integer = is_whole_arithmetic(value) || (value.constant && is_integer(value.text)) ||
                       is_count(value) || counts;
  if (!integer) {
    integers_.erase(name);
    lost_.insert(name);
  } else if (in_function_) {
    integers_.erase(name);
  } else if (binding == Binding::kStays && !unsteady_.contains(name)) {
    integers_.insert(name);
  }
}

// A variable that a program finds in its environment: what its name says is run or loaded. The
// names that environment.cpp knows are judged there.
void Reader::note_exported(const std::string& name, const Word& value, std::size_t offset) {
  using As = ValueUse::As;
  // The program appends to it.
  if (name.ends_with("LOG_PATH") || name.ends_with("LOG_FILE") || name.ends_with("LOGFILE")) {
    add_path(value, value.text, PathAccess::kWriteArgument);
  }
  const As as = variable_use(name);
  if (as == As::kNothing || is_known_variable(name)) return;
  const auto refuse_it = [&] {
    line_hazard("command.environment",
                "setting " + name + " changes what later commands run or where they connect",
                offset);
  };
  if (as == As::kLine) {
    if (!value.constant) return refuse_it();
    if (!is_inert_value(value.text)) line_value(value);
  } else if (as == As::kCode) {
    if (value.text.find("://") != npos) return refuse_it();
    for (std::size_t at = 0; at < value.text.size();) {
      const std::size_t end = std::min(value.text.find_first_of(",:;", at), value.text.size());
      std::string one = value.text.substr(at, end - at);
      if (loads_elsewhere(one)) code_value(value, std::move(one), out_.hazards);
      at = end + 1;
    }
  } else if (as == As::kSource) {
    if (!value.constant || value.text.find("://") != npos) refuse_it();
  } else {
    std::vector<Argument> words{Argument{"(options)"}};
    for (const std::string_view one : words_of(value.text)) words.push_back({std::string(one)});
    if (!value_uses(words).empty()) refuse_it();
  }
}

// `export NAME` of a name that the line sets elsewhere.
void Reader::export_name(const std::string& name, const CommandUse& use) {
  if (variable_use(name) == ValueUse::As::kNothing || is_known_variable(name)) return;
  line_.exported.insert(name);
  if (!line_.assigned.contains(name)) return;
  line_hazard("command.environment",
              "exporting " + name + " changes what later commands run or where they connect",
              use.offset);
}

// A constant line of sh that some program runs; most are the name of a program alone.
void Reader::line_value(const Word& text) {
  const Input input = std::exchange(input_, {Input::Kind::kNull, 0, {}});
  if (is_plain_text(text.text.substr(text.text.starts_with('/') ? 1 : 0)) &&
      text.text.find('=') == npos) {
    const bool outer = std::exchange(look_through_, true);
    skips_functions_ = true;
    simple({text}, {}, text.offset - base_, false);
    look_through_ = outer;
  } else {
    nested_text(text, true, false, "sh");
  }
  input_ = input;
}

// Code is loaded from there, so read_file says whether it may be, as for PYTHONPATH.
void Reader::code_value(const Word& word, std::string text, std::vector<Hazard>& hazards) {
  if (text.find("://") != npos) {
    hazards.push_back(
        {"command.exec_option", "code would be loaded from " + printable(text), word.offset});
    return;
  }
  add_path(word, std::move(text), PathAccess::kRead);
}

// What the names of a command's options say is run or loaded.
void Reader::named_values(const std::vector<Word>& argv, CommandUse& use, const Covered& covered) {
  using As = ValueUse::As;
  for (const ValueUse& one : value_uses(use.argv)) {
    Word text = argv[one.argument];
    if (one.as == As::kCode) {
      code_value(text, text.text.substr(one.from, one.size), use.hazards);
      continue;
    }
    const Directories here = directories_;
    if (one.elsewhere) directories_ = {Directory{.known = false, .text = {}}};
    const Input input = std::exchange(input_, {Input::Kind::kNull, 0, {}});
    if (one.as == As::kProgram) {
      const Covered outer = std::exchange(covered_, {covered.packages, true});
      simple({text}, {}, text.offset - base_, false);
      covered_ = outer;
    } else if (one.as == As::kWords) {
      const bool outer = std::exchange(look_through_, true);
      skips_functions_ = true;
      simple({argv.begin() + static_cast<std::ptrdiff_t>(one.argument), argv.end()}, {},
             text.offset - base_, false);
      look_through_ = outer;
    } else if (!text.constant || text.glob || text.brace) {
      use.hazards.push_back({"command.exec_option",
                             "'" + use.name +
                                 "' would run what is not known before the line runs, by " +
                                 printable(one.from > 0 ? text.text.substr(0, one.from - 1)
                                                        : argv[one.argument - 1].text),
                             use.offset});
    } else {
      text.text.erase(0, one.from);
      const Covered outer =
          std::exchange(covered_, {covered.packages || one.packages, covered.files});
      line_value(text);
      covered_ = outer;
    }
    input_ = input;
    directories_ = here;
  }
}

std::vector<Argument> arguments_of(const std::vector<Word>& words) {
  std::vector<Argument> out;
  out.reserve(words.size());
  for (const Word& word : words)
    out.push_back({word.text, word.constant && !word.glob && !word.brace, word.splits});
  return out;
}

namespace {

// `yarn exec 'nc x'`: a word with blanks is a line of a shell there.
bool is_package_name(std::string_view name) {
  return (name.starts_with('@') || name.find('/') == npos) &&
         name.find_first_of(" \t\n;&|<>()$`\\\"'*?") == npos;
}
bool is_file_of_project(std::string_view name) {
  return name.find('/') != npos && !name.starts_with('/') && name.find("..") == npos;
}

}  // namespace

// Those in front of a command, or alone.
void Reader::note_assignments(const std::vector<Word>& argv,
                              const std::vector<Assignment>& assignments) {
  for (const Assignment& one : assignments) {
    // `IFS= read` splits its own line by it and nothing else.
    if (one.name == "IFS" && !argv.empty() && argv[0].text == "read" && argv[0].constant &&
        !functions_.contains("read")) {
      continue;
    }
    note_assignment(one.name, one.value, one.value.offset,
                    !argv.empty() ? Binding::kForOneCommand
                    : one.append  ? Binding::kAppends
                                  : Binding::kStays);
    if (!argv.empty() || line_.exports_all || line_.exported.contains(one.name)) {
      note_exported(one.name, one.value, one.value.offset);
    }
  }
}

// What may change the arguments that a function runs.
void Reader::note_moved_arguments(const std::vector<Word>& argv, bool skips_functions) {
  const std::string& name = argv[0].text;
  if (!is_one_of<"set shift eval source . trap">(name)) return;
  line_.broken = line_.broken || !found_.empty();
  if (name == "shift" && !skips_functions) {
    note_shift(argv);
  } else {
    body_.moves_arguments = true;
  }
  if (runs_arguments_) {
    refuse("command.dynamic_name", "a function would run '" + name +
                                       "', and then perhaps what that leaves as its arguments");
  }
}

void Reader::simple(std::vector<Word> argv, const std::vector<Assignment>& assignments,
                    std::size_t from, bool here_doc_only) {
  const bool skips_functions = std::exchange(skips_functions_, false);
  const bool appended = std::exchange(appended_, false);
  const Covered next = std::exchange(next_covered_, {});
  const Covered covered{next.packages || covered_.packages, next.files || covered_.files};
  note_assignments(argv, assignments);
  if (argv.empty()) return;
  const Word& first = argv[0];
  // run() { "$@"; }: what the function is called with is looked at where it is called.
  if (body_.inside && argv.size() == 1 && first.text == "$@" &&
      s_.substr(first.offset - base_).starts_with("\"$@\"")) {
    // Every shift in front of it has run, or what it runs is not known.
    body_.moves_arguments = body_.moves_arguments || shifts_ != body_.shifts;
    body_.runs.insert(body_.shifted);
    return;
  }
  note_moved_arguments(argv, skips_functions);
  const bool is_test = first.text == "[";  // no glob: the class is not closed
  if (!first.constant || (first.glob && !is_test) || first.brace || first.tilde) {
    throw Refusal{
        "command.dynamic_name",
        "the name of the command '" + printable(first.text) + "' is not known before the line runs",
        first.offset};
  }
  if (first.text.empty()) refuse("command.unparsable", "the command's name is empty");
  if (functions_.contains(first.text) && !skips_functions) {
    argument_paths(argv);
    run_arguments(argv);
    line_.dynamic.push_back({std::move(argv), directories_});
    return;
  }
  CommandUse use;
  use.name = first.text;
  use.argv = arguments_of(argv);
  use.offset = base_ + from;
  use.look_through = look_through_;
  std::string_view text = s_.substr(from, at_ - from);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\n')) text.remove_suffix(1);
  use.text = utf8_prefix(text, limits::kEventValueBytesMax);
  // $(cat <<'EOF' ... EOF) reads nothing but its own text.
  if (here_doc_only && use.name == "cat") {
    use.needs_entry = false;
    out_.commands.push_back(std::move(use));
    printed_ = input_;
    return;
  }
  if (builtin(argv, use) || is_transparent_wrapper(use.name) ||
      (covered.packages && !is_system_program(use.name) && is_package_name(use.name)) ||
      (covered.files && is_file_of_project(use.name))) {
    use.needs_entry = false;
  }
  judge_words(std::move(argv), use, appended, covered);
}

// The words of a command that is known by its name: what they run, read, write and dial.
void Reader::judge_words(std::vector<Word> argv, CommandUse& use, bool appended,
                         const Covered& covered) {
  const std::string_view name = use.name;
  const std::size_t index = out_.commands.size();
  std::vector<Argument> with_appended;
  if (appended) {
    with_appended = use.argv;
    with_appended.push_back({"$(xargs)", false, true});
  }
  const std::vector<Argument>& argv_seen = appended ? with_appended : use.argv;
  const std::vector<Hazard> options = exec_hazards(argv_seen, use.offset);
  use.hazards.insert(use.hazards.end(), options.begin(), options.end());
  const ScriptUse script = script_use(use.argv, use.offset);
  use.hazards.insert(use.hazards.end(), script.hazards.begin(), script.hazards.end());
  out_.commands.push_back(use);
  CommandUse& kept = use;
  script_input(argv_seen, kept);
  if (name == "parallel" && parallel_jobs(argv)) {
    // its commands are judged
  } else if (is_wrapper(use.argv)) {
    wrapper(argv, kept, appended, covered.packages);
  } else {
    runner_words(argv, kept, appended);
  }
  named_values(argv, kept, covered);
  if (name == "find") find_actions(argv, kept);
  if (name == "fd" || name == "fdfind") fd_actions(argv, kept);
  if (is_shell(base_name(name)) || name == "eval") shell_text(argv, kept);
  if (name == "trap") trap_text(argv);
  out_.commands[index].hazards = kept.hazards;
  argument_paths(argv);
  write_paths(argv, use.argv);
  script_paths(argv, script);
  script_commands(argv, script);
  for (HostUse& one : dialled_hosts(use.argv, use.offset)) out_.hosts.push_back(std::move(one));
  note_printed(argv, use.argv);
  const bool fixed = std::all_of(argv.begin(), argv.end(), [](const Word& one) {
    return one.constant && !one.splits && !one.brace;
  });
  if (!fixed || appended) {
    line_.dynamic.push_back({std::move(argv), directories_, index, appended});
  }
}

namespace {

// nix develop, poetry shell: they start the user's shell, which reads what comes in.
bool enters_shell(const std::vector<Argument>& argv) {
  const std::string_view name = base_name(argv[0].text);
  const auto has = [&](std::string_view word) {
    return std::any_of(argv.begin() + 1, argv.end(),
                       [&](const Argument& one) { return one.text == word; });
  };
  if (name == "nix-shell") return !has("--run") && !has("--command");
  if (!is_one_of<"nix poetry pipenv hatch pixi devbox">(name)) return false;
  const std::size_t at = runner_sub_command(argv);
  if (at >= argv.size() || !is_one_of<"shell develop">(argv[at].text)) return false;
  return name != "nix" || (!has("-c") && !has("--command"));
}

}  // namespace

// shift N, of which as many words are gone where it has surely run once.
void Reader::note_shift(const std::vector<Word>& argv) {
  const bool counts = argv.size() == 1 || (argv.size() == 2 && argv[1].constant &&
                                           argv[1].text.size() == 1 && is_digit(argv[1].text[0]));
  if (!body_.inside || !counts || body_.loops > 0) {
    body_.moves_arguments = true;
    return;
  }
  ++body_.shifts;
  ++shifts_;
  body_.shifted += argv.size() == 1 ? 1 : static_cast<std::size_t>(argv[1].text[0] - '0');
}

// What a function is called with, where its body has "$@" as a command.
void Reader::run_arguments(const std::vector<Word>& argv) {
  const auto runner = line_.argument_runners.find(argv[0].text);
  if (runner == line_.argument_runners.end()) return;
  for (const std::size_t shifted : runner->second) {
    // A shift of more words than there are takes none away; a word that may become several, or
    // none, is not one of them.
    const bool countable =
        argv.size() > shifted &&
        std::all_of(argv.begin() + 1, argv.begin() + 1 + static_cast<std::ptrdiff_t>(shifted),
                    [](const Word& one) {
                      return !one.splits && !one.glob && !one.brace &&
                             (one.constant || one.text.find('@') == std::string::npos);
                    });
    if (shifted > 0 && !countable) {
      refuse("command.dynamic_name",
             "how many words '" + argv[0].text + "' shifts away is not known before the line runs");
    }
    if (argv.size() <= shifted + 1) continue;
    input_ = {};  // the function may give it another one
    std::vector<Word> run(argv.begin() + 1 + static_cast<std::ptrdiff_t>(shifted), argv.end());
    const std::size_t at = run[0].offset - base_;
    // Perhaps in a subshell, or not at all: as in a function's body.
    const bool outer = std::exchange(runs_arguments_, true);
    const bool was_in_function = std::exchange(in_function_, true);
    const Directories before = directories_;
    simple(std::move(run), {}, at, false);
    merge(before);
    in_function_ = was_in_function;
    runs_arguments_ = outer;
  }
}

// A script that comes in by standard input is read where the line holds it.
void Reader::script_input(const std::vector<Argument>& argv, CommandUse& use) {
  if (is_script_client(use.name)) {
    for (const Word& word : line_.printed) client_text(use.name, word.text, use.offset);
    for (const Word& word : piped_words_) client_text(use.name, word.text, use.offset);
    if (input_.kind == Input::Kind::kText) client_text(use.name, input_.text.text, use.offset);
    if (input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
      here_docs_[input_.here_doc].client = use.name;
    }
  }
  // git add --pathspec-from-file=-
  const bool lists = std::any_of(argv.begin(), argv.end(), [](const Argument& one) {
    return one.text.starts_with("--pathspec-from");
  });
  if (lists && input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
    here_docs_[input_.here_doc].names = true;
    here_docs_[input_.here_doc].directories = directories_;
  }
  const ScriptSource source = script_source(argv);
  const auto hazard = [&](std::string_view what) {
    use.hazards.push_back(
        {"command.dynamic_text", "'" + use.name + "' would run " + std::string(what), use.offset});
  };
  const bool enters = enters_shell(argv);
  const bool shell = enters || is_shell(base_name(use.name));
  if (source == ScriptSource::kInput && (use.name == "." || use.name == "source" || !shell) &&
      !is_interpreter(use.name)) {
    return hazard("what comes in by its standard input");
  }
  if (source == ScriptSource::kForeign) return hazard("text of a grammar that is not read");
  if (source == ScriptSource::kUnknown) {
    const bool pipe = std::any_of(argv.begin(), argv.end(),
                                  [](const Argument& one) { return one.text.starts_with('('); });
    // Of $X the whole line tells more: finish().
    if (pipe) hazard("a script that is not known before the line runs");
    return;
  }
  if (source != ScriptSource::kInput && !enters) return;
  switch (input_.kind) {
    case Input::Kind::kNull:
      return;
    case Input::Kind::kInherited:
      return hazard("whatever comes in by its standard input");
    case Input::Kind::kFile:
      if (shell) hazard("what a file holds, by its standard input");
      return;
    case Input::Kind::kText:
      if (shell) nested_text(input_.text, look_through_, false, use.name);
      return;
    case Input::Kind::kHereDoc:
      if (!shell) return;
      if (input_.here_doc >= here_docs_.size()) return hazard("a here-document that is not known");
      here_docs_[input_.here_doc].script = use.name;
      here_docs_[input_.here_doc].look_through = look_through_;
      here_docs_[input_.here_doc].directories = directories_;
      return;
  }
}

// echo TEXT and printf TEXT with constant words: what a pipe behind them carries.
void Reader::note_printed(const std::vector<Word>& argv, const std::vector<Argument>& args) {
  printed_.reset();
  const std::string_view name = args[0].text;
  if ((name != "echo" && name != "printf") || functions_.contains(args[0].text)) return;
  Word text;
  text.offset = argv[0].offset;
  for (std::size_t i = 1; i < args.size(); ++i) {
    const std::string& word = args[i].text;
    if (!args[i].constant || word.find('\\') != std::string::npos ||
        (i == 1 && word.starts_with('-') && word != "-n") ||
        (name == "printf" && (args.size() != 2 || word.find('%') != std::string::npos))) {
      return;
    }
    if (i == 1 && word == "-n") continue;
    if (!text.text.empty()) text.text.push_back(' ');
    text.text += word;
  }
  printed_ = Input{Input::Kind::kText, 0, std::move(text)};
}

// export, declare, local, readonly, typeset.
void Reader::declares(const std::vector<Word>& argv, CommandUse& use) {
  const std::string_view name = use.name;
  bool arrays = false;
  const bool exports = name == "export" ||
                       std::any_of(argv.begin() + 1, argv.end(),
                                   [](const Word& one) { return short_option_has(one.text, 'x'); });
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::size_t equals = argv[i].text.find('=');
    const bool option = argv[i].text.starts_with('-');
    if (option && argv[i].text.find_first_of("aA") != std::string::npos) arrays = true;
    if (arrays && !argv[i].constant && equals != std::string::npos) {
      refuse("command.arithmetic", use.name + " of an array whose text is not known");
    }
    if (option && argv[i].text.find_first_of("fniI") != std::string::npos) {
      line_hazard("command.environment",
                  use.name + " " + argv[i].text + " changes how names are read", use.offset);
    }
    if (option) continue;
    if (!argv[i].constant && (equals == std::string::npos || argv[i].text.find('$') < equals)) {
      refuse("command.dynamic_name", use.name + " of a name that is not known");
    }
    if (argv[i].splits) {
      refuse("command.dynamic_name", use.name + " of words that an expansion may bring");
    }
    Word value = argv[i];
    value.text = equals == std::string::npos ? "" : argv[i].text.substr(equals + 1);
    const std::string variable = argv[i].text.substr(0, equals);
    if (variable.find('[') != std::string::npos)
      refuse("command.arithmetic", use.name + " with a subscript");
    // declare -a 'x=($(cmd))' expands the text between the parentheses once more.
    if (value.text.starts_with('(')) {
      refuse("command.arithmetic", use.name + " expands an array in quotes");
    }
    // `export PATH` alone hands on what is there.
    if (equals == std::string::npos) {
      if (exports) export_name(variable, use);
      if (name != "export") {
        line_.redeclared.insert(variable);
        std::erase(temporaries_, variable);
      }
      continue;
    }
    note_assignment(variable, value, use.offset);
    if (exports) note_exported(variable, value, use.offset);
  }
}

// unset, read, getopts.
void Reader::unsets(const std::vector<Word>& argv, CommandUse& use) {
  const std::string_view name = use.name;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (name == "unset" &&
        (functions_.contains(argv[i].text) || short_option_has(argv[i].text, 'f'))) {
      refuse("command.unparsable", "unset of a function");
    }
    if (argv[i].text.starts_with('-')) continue;
    if (!argv[i].constant || argv[i].text.find('[') != std::string::npos) {
      refuse("command.dynamic_name", use.name + " of a name that is not known");
    }
    Word unknown;
    unknown.constant = false;
    note_assignment(argv[i].text, unknown, use.offset);
    // read a b <<< "x y"
    if (name == "read" && input_.kind == Input::Kind::kText) {
      for (const std::string_view part : words_of(input_.text.text)) {
        line_.values.note(argv[i].text, part, input_.text.constant);
      }
    }
  }
}

// set: whether its options are such that the rest of the line is read alike.
bool Reader::sets(const std::vector<Word>& argv) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    line_.exports_all = line_.exports_all || word == "allexport" || short_option_has(word, 'a');
    const bool known =
        argv[i].constant &&
        (word == "pipefail" || word == "errexit" || word == "nounset" || word == "xtrace" ||
         ((word.starts_with('-') || word.starts_with('+')) &&
          word.find_first_not_of("+-eux o") == std::string::npos));
    if (word == "--") break;
    if (!known) return false;
  }
  return true;
}

// printf, test, [, echo.
void Reader::prints(const std::vector<Word>& argv, CommandUse& use) {
  const std::string_view name = use.name;
  const auto hazard = [&](std::string code, std::string message) {
    use.hazards.push_back({std::move(code), std::move(message), use.offset});
  };
  // -v NAME[SUBSCRIPT] (and test -R) evaluates the subscript, which can run commands; the option
  // itself may come out of an expansion, so that the subscript alone is enough.
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    const std::size_t open = word.find('[');
    const bool evaluates =
        open != std::string::npos &&
        (word.find("$(", open) != std::string::npos || word.find('`', open) != std::string::npos);
    if (evaluates && argv[i].constant && name != "echo") {
      hazard("command.arithmetic",
             use.name + " may evaluate the subscript in '" + printable(word) + "'");
    }
    if (name != "printf" || !word.starts_with("-v")) continue;
    const bool glued = word.size() > 2;
    if (!glued && i + 1 >= argv.size()) continue;
    Word unknown;
    unknown.constant = false;
    const std::string variable = glued ? word.substr(2) : argv[i + 1].text;
    if (variable.find('[') != std::string::npos || !argv[glued ? i : i + 1].constant) {
      hazard("command.arithmetic", "printf -v evaluates a subscript");
    }
    note_assignment(variable, unknown, use.offset);
    for (std::size_t from = glued ? i + 1 : i + 2; from < argv.size(); ++from) {
      line_.values.note(variable, argv[from].text, argv[from].constant);
    }
  }
}

// Builtins that need no entry; their effect on the rest of the line is taken into account here.
bool Reader::builtin(const std::vector<Word>& argv, CommandUse& use) {
  const std::string_view name = use.name;
  const auto hazard = [&](std::string code, std::string message) {
    use.hazards.push_back({std::move(code), std::move(message), use.offset});
  };
  if (name == "cd" || name == "pushd" || name == "popd") {
    change_directory(argv);
    return true;
  }
  if (name == "export" || name == "declare" || name == "local" || name == "readonly" ||
      name == "typeset") {
    declares(argv, use);
    return true;
  }
  if (name == "unset" || name == "read" || name == "getopts") {
    unsets(argv, use);
    return true;
  }
  if (name == "set") return sets(argv);
  if (name == "printf" || name == "test" || name == "[" || name == "echo") {
    prints(argv, use);
    evaluates_subscript(argv, use);
    return true;
  }
  if (name == "alias" || name == "enable" || name == "hash" || name == "bind" ||
      name == "complete" || name == "shopt" || name == "trap" || name == "mapfile" ||
      name == "readarray" || name == "source" || name == "." || name == "let") {
    if (name == "let") refuse("command.arithmetic", "let is not read");
    // Where aliases are expanded (an interactive shell, shopt -s expand_aliases) later lines run
    // it.
    const bool defines =
        name == "alias" && std::any_of(argv.begin() + 1, argv.end(), [](const Word& one) {
          return !one.constant || one.text.find('=') != std::string::npos;
        });
    if (defines) hazard("command.environment", "alias changes what a name runs");
    return false;
  }
  return is_harmless_builtin(name);
}

// test -v NAME, printf -v NAME: the same where the option or the name comes out of an expansion.
void Reader::evaluates_subscript(const std::vector<Word>& argv, CommandUse& use) {
  const auto hazard = [&](const Word& word) {
    use.hazards.push_back({"command.arithmetic",
                           use.name + " may evaluate '" + printable(word.text) + "' as a subscript",
                           use.offset});
  };
  const auto number = [&](const Word& word) {
    return is_whole_arithmetic(word) || is_count(word) ||
           (word.text.starts_with('$') && integers_.contains(word.text.substr(1)));
  };
  if (use.name == "printf" && argv.size() > 1) {
    const Word& format = argv[1];
    if (!format.constant && format.text.starts_with('$') && !number(format) &&
        (format.splits || argv.size() > 3)) {
      hazard(format);
    }
    return;
  }
  if (use.name != "test" && use.name != "[") return;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i].constant) continue;
    const Word& previous = argv[i - 1];
    const bool operator_unknown = i > 1 && !previous.constant && previous.text.starts_with('$');
    if (operator_unknown || previous.text == "-v" || previous.text == "-R") hazard(argv[i]);
    // Without quotes a value may bring its own -v; only one that this line wrote can be meant so.
    if (argv[i].splits && !number(argv[i]) && subscript_seen_) hazard(argv[i]);
  }
}

// `uv $X curl`: as a sub-command that is not known may be the one that runs what follows.
void Reader::runner_words(const std::vector<Word>& argv, CommandUse& use, bool appended) {
  const std::size_t at = runner_sub_command(use.argv);
  if (at == npos) return;
  if (at == argv.size()) {
    if (!appended) return;
    use.hazards.push_back({"command.wrapper",
                           "what '" + use.name + "' would run behind xargs can't be told",
                           use.offset});
    return;
  }
  if (use.argv[at].constant) return;
  use.hazards.push_back({"command.wrapper",
                         "'" + printable(argv[at].text) + "' may be a sub-command of '" + use.name +
                             "' that runs another program",
                         use.offset});
}

// Words of the wrapper itself, of which the wrapped command stands behind a known number.
void Reader::wrapper_words(const std::vector<Word>& argv, std::size_t to, CommandUse& use) {
  for (std::size_t i = 1; i < to; ++i) {
    if (!argv[i].splits && !argv[i].glob && !argv[i].brace) continue;
    use.hazards.push_back({"command.wrapper",
                           "'" + printable(argv[i].text) + "' may become several words of '" +
                               use.name + "', the program among them",
                           use.offset});
  }
}

// The words of a wrapped command, as a command of its own.
void Reader::wrapper(const std::vector<Word>& argv, CommandUse& use, bool appended, bool package) {
  const Covered inner{runs_own_programs(use.argv, package), runs_own_files(use.argv)};
  wrapped_text(argv, use, inner);
  // Behind an assignment `time` is the program, whose -o writes a file.
  if (use.name == "time" && argv.size() > 1 && argv[1].text.starts_with('-') &&
      argv[1].text != "-p") {
    use.hazards.push_back(
        {"command.wrapper", "time with options of the program of that name", use.offset});
  }
  std::vector<std::string> assignments;
  const std::size_t at = wrapped_at(use.argv, assignments);
  for (const std::string& text : assignments) {
    const std::size_t equals = text.find('=');
    Word value;
    value.text = text.substr(equals + 1);
    value.constant = value.text.find('$') == std::string::npos;
    value.offset = use.offset;
    note_assignment(text.substr(0, equals), value, use.offset, Binding::kForOneCommand);
    note_exported(text.substr(0, equals), value, use.offset);
  }
  wrapper_words(argv, std::min(at, argv.size()), use);
  if (at == static_cast<std::size_t>(-1)) {
    use.hazards.push_back(
        {"command.wrapper", "what '" + use.name + "' would run can't be told", use.offset});
    return;
  }
  if (at >= argv.size()) {
    // `xargs env`: the program stands among the words that xargs appends.
    if (appended) {
      use.hazards.push_back({"command.wrapper",
                             "what '" + use.name + "' would run behind xargs can't be told",
                             use.offset});
    }
    return;
  }
  const bool outer = look_through_;
  look_through_ = outer || !is_transparent_wrapper(use.name);
  appended_ = appended;
  if (use.name == "xargs") {
    const bool replaces = xargs_replacement(argv, at, use);
    appended_ = !replaces;
    // The command itself reads nothing (POSIX xargs).
    if (input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
      here_docs_[input_.here_doc].names = true;
      here_docs_[input_.here_doc].directories = directories_;
    }
    input_ = {Input::Kind::kNull, 0, {}};
  }
  if (use.name == "xargs" && !argv[at].constant) {
    use.hazards.push_back({"command.wrapper", "what xargs would run can't be told", use.offset});
    appended_ = false;
  } else {
    skips_functions_ = true;
    next_covered_ = inner;
    simple({argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}, {},
           argv[at].offset - base_, false);
  }
  look_through_ = outer;
}

namespace {

// Whether a wrapper that puts what it found in the place of `name` would do so where a runner finds
// its sub-command or its program, or a shell its first option: uv {} nc, uv run {}, bash {} nc.
bool reaches_runner(const std::vector<Word>& argv, std::string_view name) {
  const std::vector<Argument> args = arguments_of(argv);
  std::size_t sub = runner_sub_command(args);
  if (base_name(args[0].text) == "npm") {
    sub = 1;
    while (sub < args.size() && args[sub].text.starts_with('-')) ++sub;
  }
  // bash {} TEXT: may become bash -c TEXT.
  if (is_shell(base_name(args[0].text)) && args.size() > 2) sub = 1;
  std::vector<std::string> ignored;
  const std::size_t program = runs_own_programs(args, true) ? wrapped_at(args, ignored) : npos;
  return std::any_of(args.begin() + 1, args.end(), [&](const Argument& one) {
    const auto at = static_cast<std::size_t>(&one - args.data());
    return (at == sub || at == program) && one.text.find(name) != std::string::npos;
  });
}

// The same for the text of a shell: sh -c 'cat {}'. As a word of its own behind the text it is
// data.
bool reaches_program(const std::vector<Word>& argv, std::string_view name) {
  if (reaches_runner(argv, name)) return true;
  bool shell = false;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    const bool text = shell && short_option_has(argv[i - 1].text, 'c');
    if (shell && word.find(name) != std::string::npos && (text || word != name)) return true;
    shell = shell || is_shell(base_name(word)) || word == "eval";
  }
  return false;
}

}  // namespace

// Words that a shell of the wrapper reads: hyperfine 'git status'.
void Reader::wrapped_text(const std::vector<Word>& argv, CommandUse& use, const Covered& inner) {
  for (const LineWord& one : wrapped_lines(use.argv)) {
    Word text = argv[one.argument];
    text.text.erase(0, one.from);
    text.constant = text.constant && !text.glob && !text.brace;
    for (std::size_t i = one.argument + 1; one.joined && i < argv.size(); ++i) {
      text.text += " " + argv[i].text;
      text.constant = text.constant && argv[i].constant && !argv[i].glob && !argv[i].brace;
    }
    const Covered outer = std::exchange(covered_, inner);
    const Input input = std::exchange(input_, {Input::Kind::kNull, 0, {}});
    nested_text(text, true, false, "sh");
    input_ = input;
    covered_ = outer;
  }
}

// xargs -I NAME puts what it reads in the place of NAME, in the name of the program too.
bool Reader::xargs_replacement(const std::vector<Word>& argv, std::size_t at, CommandUse& use) {
  bool replaces = false;
  for (std::size_t i = 1; i < at; ++i) {
    const std::string& word = argv[i].text;
    std::string name;
    if (word == "-I" || word == "--replace") {
      name = i + 1 < at && word == "-I" ? argv[i + 1].text : "{}";
    } else if (word.starts_with("-I") || word.starts_with("-i")) {
      name = word.size() > 2 ? word.substr(2) : "{}";
    } else if (word.starts_with("--replace=")) {
      name = word.substr(word.find('=') + 1);
    }
    replaces = replaces || !name.empty();
    if (!name.empty() &&
        (argv[at].text.find(name) != std::string::npos ||
         reaches_program({argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}, name))) {
      use.hazards.push_back({"command.wrapper", "what xargs would run can't be told", use.offset});
    }
  }
  return replaces;
}

namespace {

// parallel's options that neither run nor write anything, nor say where the jobs run.
std::size_t parallel_command_at(const std::vector<Word>& argv) {
  std::size_t i = 1;
  for (; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::string& word = argv[i].text;
    if (!argv[i].constant) return argv.size();
    if (is_one_of<"-j --jobs --max-procs --halt --delay --timeout --retries">(word)) {
      ++i;
    } else if (!is_one_of<"-k --keep-order --bar --eta --progress -v --verbose -t --will-cite -u"
                          " --no-notice --line-buffer --lb --ungroup --tag --dry-run --dryrun -0"
                          " --null --group">(word) &&
               !word.starts_with("--jobs=") && !word.starts_with("--halt=") &&
               !word.starts_with("--delay=") && !word.starts_with("--timeout=") &&
               (!word.starts_with("-j") || word.find_first_not_of("0123456789%+", 2) != npos)) {
      return argv.size();
    }
  }
  return std::min(i, argv.size());
}

// One word of a job's command with the source in it; nothing where a replacement string is not
// one of the plain ones.
std::optional<Word> with_source(Word word, const Word* source, bool& placed) {
  std::string out;
  for (std::size_t at = 0; at < word.text.size();) {
    const std::size_t open = word.text.find('{', at);
    if (open == npos) {
      out += word.text.substr(at);
      break;
    }
    const std::size_t close = word.text.find('}', open);
    if (close == npos) return {};
    const std::string name = word.text.substr(open + 1, close - open - 1);
    out += word.text.substr(at, open - at);
    at = close + 1;
    placed = true;
    if (name == "/" || name == "/." || name == "#" || name == "%") {
      out += "{" + name + "}";  // a name or a number: no place of its own
    } else if (!name.empty() && name != "." && name != "1") {
      return {};
    } else if (source == nullptr) {
      out += "{}";
    } else {
      out += source->text;
      const std::size_t offset = word.offset;
      const std::string text = std::move(word.text);
      word = *source;
      word.text = text;
      word.offset = offset;
      word.home = word.home && out == source->text;
      word.tilde = word.tilde && out == source->text;
    }
  }
  word.text = std::move(out);
  word.brace = false;
  return word;
}

// Where find looks (POSIX find), when `-exec sh -c TEXT NAME {} ;` makes what it finds $1 of that
// text; empty: not known.
std::vector<Word> found_below(const std::vector<Word>& argv, const std::vector<Word>& wrapped) {
  if (wrapped.size() != 5 || !is_one_of<"sh bash dash">(base_name(wrapped[0].text)) ||
      wrapped[1].text != "-c" || wrapped[4].text != "{}") {
    return {};
  }
  std::vector<Word> out;
  std::size_t at = 1;
  while (at < argv.size() && is_one_of<"-H -L -P">(argv[at].text)) ++at;
  for (; at < argv.size(); ++at) {
    const Word& one = argv[at];
    if (one.text.starts_with('-') || one.text == "(" || one.text == "!") break;
    if (!one.constant || one.glob || one.brace || one.tilde || one.text.empty()) return {};
    out.push_back(one);
  }
  const bool listed = std::any_of(argv.begin(), argv.end(), [](const Word& one) {
    return !one.constant || one.text.starts_with("-files0");
  });
  if (listed) return {};
  if (out.empty()) {
    // Other options may stand in front of the places (-O3, -D, BSD's -f).
    if (at >= argv.size() || !is_one_of<"-name -iname -type -path -maxdepth -mindepth -not -size "
                                        "-newer -mtime -mmin -exec ( !">(argv[at].text)) {
      return {};
    }
    out.push_back(argv[0]);
    out[0].text = ".";
  }
  return out;
}

}  // namespace

// parallel COMMAND ::: SOURCE..., or with the sources on standard input: GNU parallel(1). It quotes
// what it puts into the command, so that a command of plain words stays one.
bool Reader::parallel_jobs(const std::vector<Word>& argv) {
  constexpr std::size_t kSourcesMax = 32;
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./,:=+@%{}#";
  std::size_t at = parallel_command_at(argv);
  std::vector<Word> command;
  for (; at < argv.size() && !argv[at].text.starts_with(":::"); ++at) {
    if (!argv[at].constant || argv[at].glob || argv[at].text.empty() ||
        argv[at].text.find_first_not_of(kPlain) != npos) {
      return false;
    }
    for (const std::string_view one : words_of(argv[at].text)) {
      Word word;
      word.text = one;
      word.offset = argv[at].offset;
      command.push_back(std::move(word));
    }
  }
  if (command.empty() || command[0].text.find('{') != npos || reaches_program(command, "{") ||
      is_shell(base_name(command[0].text)) || command[0].text.find('=') != npos) {
    return false;
  }
  const bool listed = at < argv.size();
  if (listed && (argv[at].text != ":::" || argv.size() - at > kSourcesMax)) return false;
  std::vector<const Word*> sources;
  for (std::size_t i = at + 1; i < argv.size(); ++i) {
    if (argv[i].splits || argv[i].text.starts_with(":::")) return false;
    sources.push_back(&argv[i]);
  }
  if (!listed) sources.push_back(nullptr);
  std::vector<std::vector<Word>> jobs;
  for (const Word* const source : sources) {
    std::vector<Word> job;
    bool placed = false;
    for (const Word& word : command) {
      std::optional<Word> one = with_source(word, source, placed);
      if (!one) return false;
      job.push_back(std::move(*one));
    }
    if (!placed && source != nullptr) job.push_back(*source);
    jobs.push_back(std::move(job));
    if (!placed && source == nullptr) appended_ = true;
  }
  const bool appends = std::exchange(appended_, false);
  const bool outer = std::exchange(look_through_, true);
  const Input input = std::exchange(input_, {Input::Kind::kNull, 0, {}});
  for (std::vector<Word>& job : jobs) {
    skips_functions_ = true;
    appended_ = appends;
    const std::size_t from = job[0].offset - base_;
    simple(std::move(job), {}, from, false);
  }
  input_ = input;
  look_through_ = outer;
  return true;
}

void Reader::find_actions(const std::vector<Word>& argv, CommandUse& use) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "-fprint" || word == "-fprintf" || word == "-fls" || word == "-fprint0") {
      if (i + 1 < argv.size()) add_path(argv[i + 1], argv[i + 1].text, PathAccess::kWrite);
    }
    if (word != "-exec" && word != "-execdir" && word != "-ok" && word != "-okdir") continue;
    std::size_t to = i + 1;
    while (to < argv.size() && argv[to].text != ";" &&
           !(argv[to].text == "+" && argv[to - 1].text == "{}")) {
      ++to;
    }
    if (to == i + 1) continue;
    const std::vector<Word> wrapped{argv.begin() + static_cast<std::ptrdiff_t>(i + 1),
                                    argv.begin() + static_cast<std::ptrdiff_t>(to)};
    if (!argv[i + 1].constant || argv[i + 1].text.find("{}") != std::string::npos ||
        reaches_program(wrapped, "{}")) {
      use.hazards.push_back(
          {"command.wrapper", "what find " + word + " would run can't be told", use.offset});
      continue;
    }
    const bool outer = std::exchange(look_through_, true);
    skips_functions_ = true;
    if (word == "-exec" && to < argv.size() && argv[to].text == ";") {
      next_found_ = found_below(argv, wrapped);
    }
    simple(wrapped, {}, argv[i + 1].offset - base_, false);
    next_found_.clear();
    look_through_ = outer;
  }
}

// awk '{print | "sort -u"}'
void Reader::script_commands(const std::vector<Word>& argv, const ScriptUse& script) {
  for (const std::string& line : script.commands) {
    Word text;
    text.text = line;
    text.offset = argv[0].offset;
    const Input input = std::exchange(input_, Input());
    nested_text(text, true, false, "sh");
    input_ = input;
  }
}

// fd -x COMMAND, fd -X COMMAND: up to `;` or the end (fd(1)). What was found stands in the place of
// {}, {/}, {//}, {.} or {/.}, or behind the command.
void Reader::fd_actions(const std::vector<Word>& argv, CommandUse& use) {
  const auto unknown = [&](const std::string& what) {
    use.hazards.push_back(
        {"command.wrapper", "what fd " + what + " would run can't be told", use.offset});
  };
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return;
    if (word != "-x" && word != "-X" && word != "--exec" && word != "--exec-batch") {
      // In a bundle, glued to its command, or shortened.
      if (has_short(word, 'x', "deEtSogcjm") || has_short(word, 'X', "deEtSogcjm") ||
          (word.size() > 3 && word.starts_with("--ex") && !word.starts_with("--exclude"))) {
        unknown(word);
      }
      continue;
    }
    std::size_t to = i + 1;
    while (to < argv.size() && argv[to].text != ";") ++to;
    const std::vector<Word> wrapped{argv.begin() + static_cast<std::ptrdiff_t>(i + 1),
                                    argv.begin() + static_cast<std::ptrdiff_t>(to)};
    if (wrapped.empty() || !wrapped[0].constant || wrapped[0].text.find('{') != std::string::npos ||
        reaches_program(wrapped, "{}") || reaches_program(wrapped, "{/") ||
        reaches_program(wrapped, "{.")) {
      unknown(word);
      return;
    }
    const bool outer = std::exchange(look_through_, true);
    skips_functions_ = true;
    appended_ = std::none_of(wrapped.begin(), wrapped.end(), [](const Word& one) {
      return one.text.find('{') != std::string::npos;
    });
    const Input input = std::exchange(input_, {Input::Kind::kNull, 0, {}});
    simple(wrapped, {}, wrapped[0].offset - base_, false);
    input_ = input;
    look_through_ = outer;
    i = to;
  }
}

// `shell`: the program that reads it; empty: this one.
void Reader::nested_text(const Word& text, bool look_through, bool same_shell,
                         std::string_view shell) {
  if (!text.constant) {
    throw Refusal{"command.dynamic_text",
                  "the text that a shell would run is not known before the line runs", text.offset};
  }
  const Deeper deeper(*this);
  Reader nested(text.text, out_, line_, text.offset, depth_);
  nested.inherit(*this);
  nested.look_through_ = look_through;
  nested.loop_values_.clear();  // another shell's variables, or another time (trap)
  if (!shell.empty()) {
    nested.posix_ = !shell.ends_with("bash");
    nested.reads_loops_ = is_one_of<"bash sh dash">(base_name(shell));
  }
  if (same_shell) nested.body_.temporaries = temporaries_;  // at another time (trap)
  nested.found_ = same_shell ? found_ : std::exchange(next_found_, {});
  if (!same_shell) {
    nested.functions_.clear();
    nested.integers_.clear();
    nested.temporaries_.clear();
  }
  nested.run();
  give_back(nested, same_shell);
}

// sh -c TEXT, bash -lc TEXT, eval TEXT...
void Reader::shell_text(const std::vector<Word>& argv, CommandUse& use) {
  if (use.name == "eval") {
    Word joined;
    joined.offset = argv[0].offset;
    const std::size_t from = argv.size() > 1 && argv[1].text == "--" ? 2 : 1;
    for (std::size_t i = from; i < argv.size(); ++i) {
      if (i > from) joined.text.push_back(' ');
      joined.text += argv[i].text;
      joined.constant = joined.constant && argv[i].constant && !argv[i].glob && !argv[i].brace;
    }
    directories_ = {Directory{.known = false, .text = {}}};
    return nested_text(joined, look_through_, true);
  }
  for (const Word& word : argv) {
    if (word.text == "--rcfile" || word.text == "--init-file") {
      use.hazards.push_back({"command.exec_option", word.text, use.offset});
    }
  }
  const ShellCall call = shell_call(arguments_of(argv));
  if (call.text && call.operand < argv.size()) {
    nested_text(argv[call.operand], true, false, use.name);
  }
}

// trap TEXT SIGNAL...: runs at any time, like a function that is called everywhere.
void Reader::trap_text(const std::vector<Word>& argv) {
  std::size_t at = 1;
  while (at < argv.size() && argv[at].text.size() > 1 && argv[at].text.starts_with('-') &&
         argv[at].constant) {
    if (argv[at].text != "--") return;  // -l and -p print
    ++at;
  }
  if (at + 1 >= argv.size() || argv[at].text.empty() ||
      (argv[at].constant && (argv[at].text == "-" || is_integer(argv[at].text)))) {
    return;
  }
  const Directories directories =
      std::exchange(directories_, Directories{Directory{.known = false, .text = {}}});
  const bool was_in_function = std::exchange(in_function_, true);
  const std::set<std::string> functions = std::exchange(functions_, {});
  const std::set<std::string> integers = std::exchange(integers_, {});
  const std::set<std::string> lost = std::exchange(lost_, {});
  const std::size_t first = out_.commands.size();
  nested_text(argv[at], look_through_, true);
  line_.trap_moves =
      line_.trap_moves || std::any_of(out_.commands.begin() + static_cast<std::ptrdiff_t>(first),
                                      out_.commands.end(), [](const CommandUse& one) {
                                        return is_one_of<"set shift eval source .">(one.name);
                                      });
  integers_ = integers;
  functions_ = functions;
  in_function_ = was_in_function;
  directories_ = directories;
  for (const std::string& name : lost_) {
    if (used_.contains(name)) {
      refuse("command.arithmetic", "a trap may change '" + name + "', which arithmetic reads");
    }
    integers_.erase(name);
  }
  unsteady_.insert(lost_.begin(), lost_.end());
  lost_.insert(lost.begin(), lost.end());
}

}  // namespace lilith::rules::shell
