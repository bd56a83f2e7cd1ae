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
  finish_loop_values();
  finish_links();
}

// `for v in 3.10 3.11; do uv run --python $v pytest; done`: $v is one word when nothing in the line
// but such loops can set it, or change how words are split.
void Reader::finish_loop_values() {
  const auto sets_variables = [](const CommandUse& use) {
    return is_one_of<
               "eval source . read mapfile readarray declare typeset local export readonly "
               "unset getopts let trap alias unalias enable bind wait compgen complete fc "
               "shopt coproc select">(use.name) ||
           (use.name == "printf" && use.argv.size() > 1 && !use.argv[1].constant);
  };
  const bool quiet = defined_.empty() && !line_.assigned.contains("IFS") &&
                     !line_.loops.contains("IFS") &&
                     std::none_of(out_.commands.begin(), out_.commands.end(), sets_variables);
  for (Line::LoopValue& one : line_.loop_values) {
    const auto loop = line_.loops.find(one.variable);
    // Names in capitals may be the shell's own, or of the environment.
    const bool own = one.variable[0] >= 'a' && one.variable[0] <= 'z';
    if (quiet && own && loop != line_.loops.end() && loop->second &&
        !line_.assigned.contains(one.variable) &&
        !line_.values.doubtful("$" + one.variable, LineValues::Doubt::kNothing)) {
      const std::vector<std::string> words = line_.values.words("$" + one.variable);
      const bool runs = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
        return is_runner_sub_command(one.program, word);
      });
      if (!one.sub_command || (!runs && words.size() < LineValues::kWordsMax)) continue;
    }
    const auto command =
        std::find_if(out_.commands.begin(), out_.commands.end(), [&](const CommandUse& use) {
          return use.name == one.program && use.offset == one.otherwise.offset;
        });
    std::vector<Hazard>& hazards = command == out_.commands.end() ? out_.hazards : command->hazards;
    hazards.push_back(std::move(one.otherwise));
  }
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
  try {
    Line line;
    Reader reader(text, out, line, 0, 0);
    reader.run();
    reader.finish();
    // Where such a function is perhaps defined, or later, its call is what it is called with.
    for (const CommandUse& use : out.commands) {
      if (!line.argument_runners.empty() && line.argument_runners.contains(use.name)) {
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

}  // namespace lilith::rules::shell
