// A person goes through suggestions: what may be accepted, what is written, what is taken up again,
// and what fits on a small terminal. The program itself is driven through a pseudo-terminal and by
// lines.

#include "replay/review.hpp"

#include "audit/codec.hpp"
#include "tests/replay/call_maker.hpp"
#include "tests/replay/traffic_log.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::replay {
namespace {

using test::CallMaker;
using test::read_text;
using test::TempDir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kBase = R"(version: "1"
egress: {default_action: deny}
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: run_command
      command_allowlist: [git]
audit: {log_path: "/var/log/lilith/agent-audit.log"}
)";

// jq: well supported; tr: used by one on one day; python3: an interpreter.
std::vector<audit::Event> calls() {
  CallMaker make;
  std::vector<audit::Event> out;
  for (const char* day : {"2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z", "2026-03-04T10:00:00Z"}) {
    for (const char* host : {"ws-1", "ws-2"}) {
      out.push_back(make.command(host, "ann", day, "jq ."));
      out.push_back(make.command(host, "ann", day, "python3 x.py"));
    }
  }
  out.push_back(make.command("ws-1", "ann", "2026-03-04T11:00:00Z", "tr a b"));
  return out;
}

Review review_of(std::set<std::string> accepted_risks = {}) {
  Recording recording;
  for (const audit::Event& event : calls()) recording.add(event);
  SuggestOptions options;
  options.days = {recording.active_days().front(), recording.active_days().back()};
  options.accepted_risks = std::move(accepted_risks);
  auto base = test::policy_of(kBase);
  auto suggested = suggest(recording, *base, kBase, options);
  EXPECT_TRUE(suggested) << suggested.error().message;
  return Review(std::move(*suggested), base, std::string(kBase), options.days);
}

std::vector<std::string> lines_of(const Review& review) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < review.suggestions().size(); ++i)
    out.push_back(entry_line(review, i));
  return out;
}

TEST(Review, BeginsWithNothingDecidedAndWritesTheBase) {
  const Review review = review_of();
  EXPECT_THAT(lines_of(review),
              ElementsAre("[ ]   1 command     jq", "[!]   2 command     python3 R5",
                          "[!]   3 command     tr R3 R4"));
  const std::string yaml = review.yaml().value();
  EXPECT_THAT(yaml, HasSubstr("# learned_from: 2026-03-02 to 2026-03-04\n"));
  EXPECT_THAT(yaml,
              HasSubstr("# reviewed: 0 of 3 suggestions accepted, 0 rejected, 3 left open\n"));
  EXPECT_THAT(yaml, Not(HasSubstr("jq")));
}

TEST(Review, APersonMayAcceptWhatTooFewUsedAndNoRiskThatWasNotNamed) {
  Review review = review_of();
  EXPECT_TRUE(review.choose(0, Choice::kAccepted));
  EXPECT_TRUE(review.choose(2, Choice::kAccepted));
  const auto refused = review.choose(1, Choice::kAccepted);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--accept-risk R5"));
  EXPECT_THAT(lines_of(review),
              ElementsAre("[+]   1 command     jq", "[!]   2 command     python3 R5",
                          "[+]   3 command     tr R3 R4"));
  const auto policy = test::policy_of(review.yaml().value());
  CallMaker make;
  const auto allows = [&](std::string_view command) {
    const audit::Event event = make.command("ws-1", "ann", "2026-03-05T10:00:00Z", command);
    return rules::decide(*policy, {"claude_code", "Bash", ""}, rules::analyse(event.call),
                         event.facts)
               .verdict == audit::Verdict::kAllow;
  };
  EXPECT_TRUE(allows("jq . | tr a b"));
  EXPECT_FALSE(allows("python3 x.py"));
  Review named = review_of({"R5"});
  EXPECT_TRUE(named.choose(1, Choice::kAccepted));
}

// What too few had used was never asked for secrets; a person's yes does not open them either.
TEST(Review, NobodyCanAcceptAPatternThatOpensASecret) {
  Suggestion open;
  open.kind = SuggestionKind::kReadPath;
  open.value = "~/stuff/**";
  open.held = Held::kSupport;
  open.why_not = "seen on fewer than 2 workstations and 3 days";
  SuggestedPolicy suggested;
  suggested.suggestions = {open};
  const std::string base = R"(version: "1"
egress: {default_action: deny}
tool_invocations: {default_action: deny, allowed_tools: []}
audit: {log_path: "/var/log/lilith/agent-audit.log"}
)";
  Review review(suggested, test::policy_of(base), base, {0, 1});
  // The closed patterns hold for it, so that it may be accepted ...
  EXPECT_TRUE(review.choose(0, Choice::kAccepted));
  EXPECT_THAT(review.yaml().value(), HasSubstr("**/.env"));
  // ... and one that no closed pattern covers may not.
  suggested.suggestions[0].value = "~/stuff/**";
  const auto wide = test::policy_of(R"(version: "1"
egress: {default_action: deny}
tool_invocations:
  default_action: deny
  allowed_tools: [{name: read_file, path_allowlist: ["~/stuff/**"]}]
audit: {log_path: "/var/log/lilith/agent-audit.log"}
)");
  EXPECT_EQ(opened_secret(suggested.suggestions[0], *test::policy_of(base), *wide),
            "~/stuff/.ssh/id_ed25519");
}

TEST(Review, DecisionsAreTakenUpAgain) {
  Review first = review_of({"R5"});
  ASSERT_TRUE(first.choose(0, Choice::kRejected));
  ASSERT_TRUE(first.choose(1, Choice::kAccepted));
  const std::string kept = first.decisions();
  Review second = review_of({"R5"});
  EXPECT_THAT(second.resume(kept).value(), IsEmpty());
  EXPECT_EQ(lines_of(second), lines_of(first));
  EXPECT_EQ(second.decisions(), kept);
  EXPECT_EQ(second.yaml().value(), first.yaml().value());
  // Without the risk's name this time: open again, and said so.
  Review third = review_of();
  EXPECT_THAT(third.resume(kept).value(), ElementsAre(HasSubstr("command     python3: can't be")));
  EXPECT_EQ(third.choice(1), Choice::kOpen);
  EXPECT_EQ(third.choice(0), Choice::kRejected);
  for (const char* wrong : {"", "{}", "[]", R"({"lilith_review":2,"decisions":[]})",
                            R"({"lilith_review":1,"decisions":[{"kind":"command"}]})"})
    EXPECT_FALSE(third.resume(wrong)) << wrong;
}

TEST(Review, DecisionsOnWhatIsNoLongerSuggestedAreKept) {
  Review review = review_of();
  const std::string other =
      R"({"lilith_review":1,"base":"","decisions":[{"kind":"host","value":"a.example","port":443,)"
      R"("protocol":"https","choice":"rejected"}]})";
  ASSERT_TRUE(review.resume(other));
  EXPECT_THAT(review.decisions(), HasSubstr(R"("value":"a.example","port":443)"));
  EXPECT_EQ(review.counts().open, 3);
}

TEST(ReviewScreen, ShowsTheSelectedEntryOnWhateverTerminal) {
  const Review review = review_of();
  for (std::size_t rows = 0; rows <= 30; ++rows) {
    for (const std::size_t columns : {1U, 7U, 20U, 80U}) {
      for (std::size_t cursor = 0; cursor < 3; ++cursor) {
        const auto lines = render(review, cursor, "", rows, columns);
        ASSERT_EQ(lines.size(), rows);
        std::size_t selected = 0;
        for (const ScreenLine& line : lines) {
          EXPECT_LE(line.text.size(), columns);
          if (line.selected) {
            ++selected;
            EXPECT_EQ(line.text, entry_line(review, cursor).substr(0, columns));
          }
        }
        EXPECT_EQ(selected, rows == 0 ? 0U : 1U) << rows << "x" << columns;
      }
    }
  }
}

TEST(ReviewScreen, NamesEvidenceAndReasonsWhereThereIsRoom) {
  const auto lines = render(review_of(), 2, "a message", 12, 60);
  std::string all;
  for (const ScreenLine& line : lines) all += line.text + "\n";
  EXPECT_THAT(all, HasSubstr("3 suggestions: 0 accepted, 0 rejected, 3 open"));
  EXPECT_THAT(all, HasSubstr("1 calls, 1 sessions, 1 workstations, 1 days"));
  EXPECT_THAT(all, HasSubstr("seen on fewer than 2"));
  EXPECT_THAT(lines.back().text, HasSubstr("a message"));
}

// --- the program ---------------------------------------------------------------------------------

class ReviewCommand : public testing::Test {
 protected:
  ReviewCommand() {
    write_text(dir_.file("base.yaml"), kBase);
    write_text(dir_.file("a.log"), test::lines_of_events(calls()));
  }
  [[nodiscard]] std::vector<std::string> argv(std::vector<std::string> more = {}) const {
    std::vector<std::string> out{std::string(LILITH_BIN_DIR) + "/lilith-replay",
                                 "review",
                                 dir_.file("a.log"),
                                 "--policy",
                                 dir_.file("base.yaml"),
                                 "--output",
                                 dir_.file("out.yaml")};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  test::ProcessResult by_lines(const std::string& input, std::vector<std::string> more = {}) {
    test::ProcessOptions options;
    options.input = input;
    return test::run(argv(std::move(more)), options);
  }
  TempDir dir_;
};

TEST_F(ReviewCommand, ByLinesWritesWhatWasAcceptedAndGoesOnWhereItStopped) {
  const auto first = by_lines("list\naccept command tr\nreject 1\nquit\n");
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("[ ]   1 command     jq"));
  EXPECT_THAT(first.out, HasSubstr("[+]   3 command     tr R3 R4\n[-]   1 command     jq"));
  EXPECT_NE(::access(dir_.file("out.yaml").c_str(), F_OK), 0);
  const auto second = by_lines("# changed my mind\naccept 1\nshow 2\n", {"--batch"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("2 accepted, 0 rejected, 1 open"));
  EXPECT_THAT(second.out, HasSubstr("left to a person: R5"));
  EXPECT_THAT(read_text(dir_.file("out.yaml")), HasSubstr("tr"));
  EXPECT_THAT(read_text(dir_.file("out.yaml")), HasSubstr("jq"));
}

TEST_F(ReviewCommand, AWrongLineIsNamedAndNoPolicyIsWritten) {
  const auto result = by_lines("accept 1\naccept 2\naccept 99\nfrobnicate\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--accept-risk R5"));
  EXPECT_THAT(result.err, HasSubstr("there is no entry 99; there are 3"));
  EXPECT_THAT(result.err, HasSubstr("no command is 'frobnicate'; try help"));
  EXPECT_THAT(result.err, HasSubstr("the policy was not written; decisions are kept"));
  EXPECT_NE(::access(dir_.file("out.yaml").c_str(), F_OK), 0);
  EXPECT_EQ(by_lines("accept suggested\n").exit_code, 0);
  write_text(dir_.file("out.yaml.review"), "no JSON");
  EXPECT_THAT(by_lines("").err, HasSubstr("out.yaml.review"));
}

// Runs the review in a terminal of this size, gives it these keys once it shows `prompt`, and
// returns what it drew.
std::string in_terminal(const std::vector<std::string>& argv, unsigned short rows,
                        unsigned short columns, const char* term, std::string_view prompt,
                        std::string_view keys, int& status) {
  winsize size{rows, columns, 0, 0};
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    ::setenv("TERM", term, 1);
    ::unsetenv("LINES");
    ::unsetenv("COLUMNS");
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  std::string drawn;
  bool sent = false;
  for (pollfd wait{terminal, POLLIN, 0}; ::poll(&wait, 1, 60'000) > 0;) {
    char buffer[4096];
    const ssize_t got = ::read(terminal, buffer, sizeof buffer);
    if (got <= 0) break;  // EIO: the program has ended
    drawn.append(buffer, static_cast<std::size_t>(got));
    // Keys once it reads them: what was typed before would be echoed, not read.
    if (!sent && drawn.find(prompt) != std::string::npos) {
      sent = true;
      EXPECT_EQ(::write(terminal, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
    }
  }
  ::close(terminal);
  ::waitpid(child, &status, 0);
  return drawn;
}

TEST_F(ReviewCommand, OnATerminalKeysDecideAndTheTerminalIsGivenBack) {
  struct Case {
    unsigned short rows, columns;
    const char* term;
  };
  for (const Case& one :
       {Case{24, 80, "xterm-256color"}, Case{24, 80, "vt100"}, Case{4, 24, "xterm"}}) {
    ::unlink(dir_.file("out.yaml").c_str());
    ::unlink(dir_.file("out.yaml.review").c_str());
    int status = 0;
    // jq accepted, the cursor goes on; python3 can't be; tr rejected; written.
    const std::string drawn =
        in_terminal(argv(), one.rows, one.columns, one.term, "jq", "aajrq", status);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << one.term << drawn;
    EXPECT_THAT(drawn, HasSubstr("1 accepted, 1 rejected, 1 open")) << one.term;
    const std::string yaml = read_text(dir_.file("out.yaml"));
    EXPECT_THAT(yaml,
                HasSubstr("# reviewed: 1 of 3 suggestions accepted, 1 rejected, 1 left open"));
    EXPECT_THAT(yaml, HasSubstr("- \"jq\""));
  }
}

TEST_F(ReviewCommand, ATerminalThatNothingCanBeDrawnOnGetsLines) {
  int status = 0;
  const std::string drawn =
      in_terminal(argv(), 24, 80, "no-such-terminal", "> ", "accept 1\n\x04", status);
  EXPECT_THAT(drawn, HasSubstr("help lists the commands"));
  EXPECT_THAT(drawn, HasSubstr("1 accepted, 0 rejected, 2 open"));
}

}  // namespace
}  // namespace lilith::replay
