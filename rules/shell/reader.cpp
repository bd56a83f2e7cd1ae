#include "rules/shell/reader.hpp"

#include "rules/shell/braces.hpp"
#include "rules/shell/line_reader.hpp"
#include "rules/shell/network.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

namespace lilith::rules::shell {
namespace {

// Commands of a line, those that its own values give among them.
constexpr std::size_t kVariantsMax = 1024;

// A word as it is read where a value stands in its place.
Word word_of_value(const Word& from, std::string text) {
  Word word;
  word.offset = from.offset;
  word.constant = text.find_first_of("$`") == std::string::npos;
  word.tilde = text.starts_with('~');
  word.glob = text.find_first_of("*?[") != std::string::npos && (from.splits || from.glob);
  word.brace = from.brace;
  word.text = std::move(text);
  return word;
}

}  // namespace

void Reader::finish() {
  for (std::size_t at = 0; at < line_.dynamic.size(); ++at) {
    const Dynamic one = line_.dynamic[at];
    std::vector<std::vector<std::string>> values;
    std::size_t variants = 0;
    for (const Word& word : one.argv) {
      values.push_back(word.constant ? std::vector<std::string>() : line_.values.words(word.text));
      variants = std::max(variants, values.back().size());
    }
    for (std::size_t variant = 0; variant < variants; ++variant) {
      step();
      std::vector<Word> argv;
      for (std::size_t i = 0; i < one.argv.size(); ++i) {
        const Word& word = one.argv[i];
        if (values[i].empty()) {
          argv.push_back(word);
          continue;
        }
        const std::string& text = values[i][std::min(variant, values[i].size() - 1)];
        if (!word.splits) {
          argv.push_back(word_of_value(word, text));
          continue;
        }
        for (std::size_t from = 0; from < text.size();) {
          const std::size_t end = std::min(text.find_first_of(" \t\n", from), text.size());
          if (end > from) argv.push_back(word_of_value(word, text.substr(from, end - from)));
          from = end + 1;
        }
      }
      finish_variant(one, argv);
    }
    finish_braces(one);
    if (one.command == Dynamic::kNoCommand) continue;
    CommandUse& use = out_.commands[one.command];
    std::vector<bool> begins, nothing;
    for (const Word& word : one.argv) {
      const bool whole = word.text.starts_with('$') || word.text.starts_with('`');
      const auto doubtful = [&](LineValues::Doubt doubt) {
        return !word.constant && word.splits && line_.values.doubtful(word.text, doubt);
      };
      begins.push_back(doubtful(whole ? LineValues::Doubt::kBegins : LineValues::Doubt::kBlank));
      nothing.push_back(whole ? doubtful(LineValues::Doubt::kNothing) : begins.back());
    }
    std::vector<Argument> argv = arguments_of(one.argv);
    if (one.appended) {
      argv.push_back({"$(xargs)", false, true});
      begins.push_back(false);
      nothing.push_back(true);
    }
    for (Hazard& hazard : unknown_option_hazards(argv, nothing, begins, use.offset)) {
      use.hazards.push_back(std::move(hazard));
    }
  }
  finish_links();
}

// {a,b} in the place of one word gives several: git -c {core.pager=x,log}.
void Reader::finish_braces(const Dynamic& one) {
  constexpr std::size_t kBraceWordsMax = 64;
  if (std::none_of(one.argv.begin(), one.argv.end(), [](const Word& word) { return word.brace; })) {
    return;
  }
  std::vector<Word> argv;
  for (const Word& word : one.argv) {
    if (!word.brace) {
      argv.push_back(word);
      continue;
    }
    for (std::string& text : expand_braces(word.text, kBraceWordsMax)) {
      Word part = word;
      part.brace = false;
      part.tilde = text.starts_with('~');
      part.glob = word.glob || text.find('*') != std::string::npos;
      part.text = std::move(text);
      argv.push_back(std::move(part));
    }
  }
  finish_variant(one, argv);
}

// The line's own values in the place of its variables: what the words are then must be as good.
void Reader::finish_variant(const Dynamic& one, const std::vector<Word>& argv) {
  if (argv.empty()) return;
  directories_ = one.directories;
  argument_paths(argv);
  if (one.command == Dynamic::kNoCommand || !argv[0].constant) return;
  const std::vector<Argument> args = arguments_of(argv);
  // Block entries are asked of the options that the line itself puts there: F=--force; git push $F.
  const std::vector<Word>& before = one.argv;
  const bool options = std::any_of(argv.begin() + 1, argv.end(), [&](const Word& word) {
    if (!word.text.starts_with('-') && !word.text.starts_with('+')) return false;
    return std::none_of(before.begin(), before.end(),
                        [&](const Word& other) { return other.text == word.text; });
  });
  if (options) {
    if (out_.commands.size() >= kVariantsMax) {
      refuse("command.too_complex", "the line's values give too many commands");
    }
    CommandUse variant = out_.commands[one.command];
    variant.argv = args;
    variant.hazards.clear();
    out_.commands.push_back(std::move(variant));
  }
  write_paths(argv, args);
  const ScriptUse script = script_use(args, argv[0].offset);
  script_paths(argv, script);
  for (HostUse& host : dialled_hosts(args, argv[0].offset)) {
    out_.hosts.push_back(std::move(host));
  }
  std::vector<Hazard> hazards = exec_hazards(args, argv[0].offset);
  if (is_shell(base_name(args[0].text))) {
    CommandUse use = out_.commands[one.command];
    shell_text(argv, use);
    if (script_source(args) == ScriptSource::kInput) {
      hazards.push_back({"command.dynamic_text",
                         "'" + use.name + "' would run what comes in by its standard input",
                         use.offset});
    }
  }
  hazards.insert(hazards.end(), script.hazards.begin(), script.hazards.end());
  for (Hazard& hazard : hazards) {
    std::vector<Hazard>& known = out_.commands[one.command].hazards;
    const bool seen = std::any_of(known.begin(), known.end(), [&](const Hazard& other) {
      return other.code == hazard.code && other.message == hazard.message;
    });
    if (!seen) known.push_back(std::move(hazard));
  }
}

namespace {

// Whether a command may set a variable in a way that its reading did not note in Line::assigned, or
// change how values become words.
bool sets_unseen(const CommandUse& use) {
  if (is_one_of<"eval source . mapfile readarray let alias unalias enable bind compgen complete fc"
                " getopts shopt coproc ulimit">(use.name)) {
    return true;
  }
  const auto options = [&](std::string_view known) {
    return std::all_of(use.argv.begin() + 1, use.argv.end(), [&](const Argument& one) {
      return one.constant && (!one.text.starts_with('-') || is_word_of(known, one.text));
    });
  };
  // A name alone (`local v`) has another value then, or an attribute that changes it.
  if (is_one_of<"declare typeset local export readonly">(use.name)) return !options("-r -x -g");
  if (use.name == "read") return !options("-r -s -e -d -p -t -n -N -u -a -ra -rp -rd -rsp -er");
  if (use.name == "wait") {
    return std::any_of(use.argv.begin() + 1, use.argv.end(), [](const Argument& one) {
      return one.text.starts_with('-') || (!one.constant && one.text != "$!");
    });
  }
  if (use.name == "printf") return use.argv.size() > 1 && !use.argv[1].constant;
  // test -v 'a[v=1]' evaluates the subscript.
  return (use.name == "test" || use.name == "[") &&
         std::any_of(use.argv.begin() + 1, use.argv.end(), [](const Argument& one) {
           const std::size_t open = one.text.find('[');
           return open != std::string::npos && open > 0 && is_name(one.text[open - 1]);
         });
}

bool assumptions_hold(const Line& line, const CommandAnalysis& out) {
  const bool makes = std::any_of(line.assumed.begin(), line.assumed.end(), [&](const auto& one) {
    return line.temporaries.contains(one.first);
  });
  // A link in a directory that mktemp made leads elsewhere.
  const bool links = std::any_of(out.commands.begin(), out.commands.end(), [](const auto& use) {
    return is_one_of<"ln link mount">(base_name(use.name));
  });
  if (makes && (links || line.assigned.contains("TMPDIR") || line.temporaries.contains("TMPDIR") ||
                line.looped.contains("TMPDIR"))) {
    return false;
  }
  return !line.broken && !line.assigned.contains("IFS") && !line.looped.contains("IFS") &&
         std::none_of(out.commands.begin(), out.commands.end(), sets_unseen) &&
         std::none_of(line.assumed.begin(), line.assumed.end(), [&](const auto& one) {
           const std::string& name = one.first;
           const bool made = line.temporaries.contains(name);
           // `local v` alone gives a name another variable.
           const bool moved =
               line.redeclared.contains(name) && (!made || line.shared.contains(name));
           return line.assigned.contains(name) || moved || (made && line.looped.contains(name));
         });
}

void read_as(std::string_view text, CommandAnalysis& out, Line& line) {
  try {
    Reader reader(text, out, line, 0, 0);
    reader.run();
    reader.finish();
    // Where such a function is perhaps defined, or later, its call is what it is called with.
    for (const CommandUse& use : out.commands) {
      if (!line.argument_runners.empty() &&
          (line.trap_moves || line.argument_runners.contains(use.name))) {
        throw Refusal{"command.dynamic_name",
                      "'" + use.name + "' may be a function that runs what it is called with",
                      use.offset};
      }
    }
    // Defined functions take the place of programs of the same name; a shadowed name says another
    // thing than it does.
    for (const std::string& name : reader.defined_) {
      if (line.counters.contains(name) || is_harmless_builtin(name) ||
          is_transparent_wrapper(name) || is_shell(name) ||
          (is_listed_wrapper(name) && !is_one_of<"at batch">(name))) {
        out.hazards.push_back(
            {"command.function_shadowing", "a function takes the name '" + name + "'", 0});
      }
    }
  } catch (const Refusal& refusal) {
    out = CommandAnalysis();
    out.undecidable =
        Hazard{refusal.code, refusal.message + " (at byte " + std::to_string(refusal.offset) + ")",
               refusal.offset};
  }
}

}  // namespace

void read_line(std::string_view text, CommandAnalysis& out) {
  if (text.size() > limits::kShellInputBytesMax) {
    out.undecidable = Hazard{
        "command.too_long",
        "the line is longer than " + std::to_string(limits::kShellInputBytesMax) + " bytes", 0};
    return;
  }
  if (text.find('\0') != std::string_view::npos || !is_valid_utf8(text)) {
    out.undecidable = Hazard{"command.control_byte", "the line has a NUL or is not UTF-8", 0};
    return;
  }
  Line line;
  read_as(text, out, line);
  if (line.assumed.empty() || (!out.undecidable && assumptions_hold(line, out))) return;
  out = CommandAnalysis();
  Line plain;
  plain.assumes = false;
  read_as(text, out, plain);
}

}  // namespace lilith::rules::shell
