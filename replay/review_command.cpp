// `lilith replay review`: a person goes through the suggestions, on a screen or line by line.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/review.hpp"
#include "replay/review_screen.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <unistd.h>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, accepted_risks;
  std::string policy, output, decisions;
  SuggestOptions suggest;
  bool batch = false;
  std::int32_t utc_offset_minutes = 0;
};

constexpr std::string_view kHelp =
    "list [open]           the entries, by number\n"
    "show N                the evidence for one\n"
    "accept N|WHAT         put it into the policy; WHAT is its line: accept command jq\n"
    "accept suggested      all that are open and not left to a person\n"
    "reject N|WHAT         leave it out\n"
    "reopen N|WHAT         undo either\n"
    "write                 write the policy\n"
    "quit                  leave; decisions are kept, the policy is not written\n"
    "At the end of input the policy is written.\n";

// What was decided is on disk after each decision: nothing is lost by a closed terminal.
class Session {
 public:
  Session(Review& of, std::string output, std::string decisions)
      : review(of), output_(std::move(output)), decisions_(std::move(decisions)) {}

  Review& review;

  Result<void> choose(std::size_t index, Choice choice) {
    if (auto chosen = review.choose(index, choice); !chosen) return chosen;
    return replace_file(decisions_, review.decisions(), 0644);
  }
  // How many were accepted; those that can't be stay open.
  Result<std::size_t> accept_suggested() {
    std::size_t count = 0;
    for (std::size_t i = 0; i < review.suggestions().size(); ++i) {
      if (review.choice(i) != Choice::kOpen || !review.suggestions()[i].accepted()) continue;
      if (review.choose(i, Choice::kAccepted)) ++count;
    }
    if (auto saved = replace_file(decisions_, review.decisions(), 0644); !saved)
      return pass_error(saved);
    return count;
  }
  Result<void> write() {
    auto yaml = review.yaml();
    if (!yaml) return pass_error(yaml);
    return replace_file(output_, *yaml, 0644);
  }
  [[nodiscard]] std::string written() const {
    const ReviewCounts all = review.counts();
    return "wrote " + output_ + ": " + std::to_string(all.accepted) + " accepted, " +
           std::to_string(all.rejected) + " rejected, " + std::to_string(all.open) + " open";
  }

 private:
  std::string output_, decisions_;
};

// The entry that `what` names: its number, or its line.
Result<std::size_t> entry_of(const Review& review, std::string_view what) {
  const std::size_t entries = review.suggestions().size();
  if (!what.empty() && what.find_first_not_of("0123456789") == std::string_view::npos) {
    const std::size_t number = what.size() > 9 ? 0 : std::stoul(std::string(what));
    if (number >= 1 && number <= entries) return number - 1;
    return fail(ErrorCode::kInvalidInput, "there is no entry " + std::string(what) +
                                              "; there are " + std::to_string(entries));
  }
  const auto single_spaced = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c != ' ' || (!out.empty() && out.back() != ' ')) out.push_back(c);
    }
    return out;
  };
  for (std::size_t i = 0; i < entries; ++i) {
    if (single_spaced(label_of(review.suggestions()[i])) == single_spaced(what)) return i;
  }
  return fail(ErrorCode::kInvalidInput, "no entry is '" + printable(what) + "'");
}

void list(const Review& review, bool open_only) {
  for (std::size_t i = 0; i < review.suggestions().size(); ++i) {
    if (!open_only || review.choice(i) == Choice::kOpen) std::puts(entry_line(review, i).c_str());
  }
}

void show(const Review& review, std::size_t index) {
  const Suggestion& one = review.suggestions()[index];
  std::printf("%s\n    %s\n", entry_line(review, index).c_str(), evidence_of(one).c_str());
  if (!one.why_not.empty())
    std::printf("    left to a person: %s\n", printable(one.why_not).c_str());
}

std::optional<Choice> choice_of(std::string_view verb) {
  if (verb == "accept") return Choice::kAccepted;
  if (verb == "reject") return Choice::kRejected;
  if (verb == "reopen") return Choice::kOpen;
  return std::nullopt;
}

Result<void> obey(Session& session, std::string_view verb, std::string_view what) {
  if (verb == "help") {
    std::fputs(std::string(kHelp).c_str(), stdout);
    return {};
  }
  if (verb == "list") {
    list(session.review, what == "open");
    return {};
  }
  if (verb == "write") {
    if (auto written = session.write(); !written) return written;
    std::puts(session.written().c_str());
    return {};
  }
  if (verb == "accept" && what == "suggested") {
    auto count = session.accept_suggested();
    if (!count) return pass_error(count);
    std::printf("accepted %zu\n", *count);
    return {};
  }
  const auto choice = choice_of(verb);
  if (!choice && verb != "show")
    return fail(ErrorCode::kInvalidInput, "no command is '" + printable(verb) + "'; try help");
  auto index = entry_of(session.review, what);
  if (!index) return pass_error(index);
  if (!choice) {
    show(session.review, *index);
    return {};
  }
  if (auto chosen = session.choose(*index, *choice); !chosen) return chosen;
  std::puts(entry_line(session.review, *index).c_str());
  return {};
}

int by_lines(Session& session) {
  const bool asks = ::isatty(STDIN_FILENO) != 0;
  bool good = true;
  if (asks) std::puts("lilith replay review; help lists the commands");
  for (std::string line;;) {
    if (asks) std::fputs("> ", stdout);
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    const std::size_t from = line.find_first_not_of(" \t");
    if (from == std::string::npos || line[from] == '#') continue;
    const std::size_t to = line.find_last_not_of(" \t\r") + 1;
    const std::string_view text = std::string_view(line).substr(from, to - from);
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view what = text.substr(std::min(blank + 1, text.size()));
    if (text == "quit") return good ? kGood : kUsage;
    if (auto done = obey(session, text.substr(0, blank), what); !done) {
      complain(done.error().message);
      good = false;
    }
  }
  // After a wrong line the policy would not be what was meant.
  if (!good && !asks) return complain("the policy was not written; decisions are kept");
  if (auto written = session.write(); !written) return complain(written.error().message);
  std::puts(session.written().c_str());
  return kGood;
}

// The screen's cursor and message, and what keys do.
class Keys {
 public:
  explicit Keys(Session& session) : session_(session) { next_open(); }

  [[nodiscard]] std::vector<ScreenLine> lines(const Screen& screen) {
    page_ = std::max<std::size_t>(1, screen.rows() / 2);
    return render(session_.review, cursor_, message_, screen.rows(), screen.columns());
  }
  // False: the review is over.
  bool press(const Press& pressed) {
    message_.clear();
    switch (pressed.key) {
      case Press::Key::kGone:
        return false;
      case Press::Key::kUp:
        move_to(cursor_ - std::min<std::size_t>(cursor_, 1));
        return true;
      case Press::Key::kDown:
        move_to(cursor_ + 1);
        return true;
      case Press::Key::kPageUp:
        move_to(cursor_ - std::min(cursor_, page_));
        return true;
      case Press::Key::kPageDown:
        move_to(cursor_ + page_);
        return true;
      case Press::Key::kFirst:
        move_to(0);
        return true;
      case Press::Key::kLast:
        move_to(entries());
        return true;
      case Press::Key::kResized:
        return true;
      case Press::Key::kCharacter:
        break;
    }
    return character(pressed.character);
  }
  [[nodiscard]] bool wrote() const { return wrote_; }

 private:
  [[nodiscard]] std::size_t entries() const { return session_.review.suggestions().size(); }
  void move_to(std::size_t index) { cursor_ = entries() == 0 ? 0 : std::min(index, entries() - 1); }
  void next_open() {
    for (std::size_t step = 0; step < entries(); ++step) {
      const std::size_t index = (cursor_ + step) % entries();
      if (session_.review.choice(index) != Choice::kOpen) continue;
      cursor_ = index;
      return;
    }
  }
  void choose(Choice choice) {
    if (cursor_ >= entries()) return;
    if (auto chosen = session_.choose(cursor_, choice); !chosen) {
      message_ = chosen.error().message;
      return;
    }
    if (choice != Choice::kOpen) next_open();
  }
  void accept_suggested() {
    auto count = session_.accept_suggested();
    message_ = count ? "accepted " + std::to_string(*count) : count.error().message;
  }
  bool write() {
    auto written = session_.write();
    message_ = written ? session_.written() : written.error().message;
    wrote_ = wrote_ || written;
    return written.has_value();
  }
  bool character(char key) {
    switch (key) {
      case 'a':
        choose(Choice::kAccepted);
        return true;
      case 'r':
        choose(Choice::kRejected);
        return true;
      case 'o':
        choose(Choice::kOpen);
        return true;
      case 'A':
        accept_suggested();
        return true;
      case 'j':
        move_to(cursor_ + 1);
        return true;
      case 'k':
        move_to(cursor_ - std::min<std::size_t>(cursor_, 1));
        return true;
      case 'n':
        next_open();
        return true;
      case 'w':
        write();
        return true;
      case 'q':
        return !write();
      case 'Q':
        return false;
      default:
        return true;
    }
  }

  Session& session_;
  std::size_t cursor_ = 0, page_ = 1;
  std::string message_;
  bool wrote_ = false;
};

int on_screen(Session& session, std::unique_ptr<Screen> screen) {
  Keys keys(session);
  do {
    screen->draw(keys.lines(*screen));
  } while (keys.press(screen->wait()));
  screen.reset();
  std::puts(keys.wrote() ? session.written().c_str()
                         : "the policy was not written; decisions are kept");
  return kGood;
}

Result<void> take_up(Review& review, const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return {};
  auto text = read_file(path, limits::kPolicyBytesMax);
  if (!text) return pass_error(text);
  auto reopened = review.resume(*text);
  if (!reopened) return fail(ErrorCode::kInvalidInput, path + ": " + reopened.error().message);
  for (const std::string& one : *reopened) std::fprintf(stderr, "open again: %s\n", one.c_str());
  return {};
}

int run(Options& options) {
  const auto policies = load_policies({options.policy});
  if (policies.empty()) return complain("the policy could not be used");
  auto yaml = read_file(options.policy, limits::kPolicyBytesMax);
  if (!yaml) return complain(yaml.error().message);
  if (options.decisions.empty()) options.decisions = options.output + ".review";
  Recording recording(options.utc_offset_minutes);
  InputReport input;
  if (auto read = read_recording(options.logs, recording, input); !read)
    return complain(read.error().message);
  const std::vector<std::int32_t> days = recording.active_days();
  if (days.empty()) {
    complain("the logs hold no calls");
    return kNotEnoughData;
  }
  options.suggest.days = {days.front(), days.back()};
  options.suggest.accepted_risks.insert(options.accepted_risks.begin(),
                                        options.accepted_risks.end());
  auto suggested = suggest(recording, *policies[0], *yaml, options.suggest);
  if (!suggested) return complain(suggested.error().message);
  Review review(std::move(*suggested), policies[0], std::move(*yaml), options.suggest.days);
  if (auto taken = take_up(review, options.decisions); !taken)
    return complain(taken.error().message);
  Session session(review, options.output, options.decisions);
  std::unique_ptr<Screen> screen = options.batch ? nullptr : Screen::open();
  const int result = screen ? on_screen(session, std::move(screen)) : by_lines(session);
  return result == kGood && input.incomplete() ? kInputIncomplete : result;
}

}  // namespace

int review_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Goes through suggested entries with a person: on a screen where there is a terminal, else "
      "(and with --batch) by commands on standard input. The policy gets what was accepted.",
      "lilith replay review");
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policy, "the policy to extend").required();
  arguments.option("--output", &options.output, "file for the policy with what was accepted")
      .required();
  arguments.option("--decisions", &options.decisions,
                   "where decisions are kept and taken up again (default: OUTPUT.review)");
  arguments.support(options.suggest.min_hosts, options.suggest.min_days, options.accepted_risks);
  arguments.utc_offset(options.utc_offset_minutes);
  arguments.flag("--batch", options.batch, "commands from standard input; `help` lists them");
  arguments.footer(
      "Exit codes: 0 reviewed, 2 wrong usage, policy or command, 3 input incomplete, 5 no calls.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
