#include "audit/base/limits.hpp"
#include "audit/json/reader.hpp"
#include "rules/command.hpp"
#include "tests/shell/rows.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <regex>
#include <set>

namespace lilith {
namespace {

using rules::analyse_command;
using rules::CommandAnalysis;
using test::ShellRow;
using test::Verdict;

std::vector<std::string> hazard_codes(const CommandAnalysis& analysis) {
  std::vector<std::string> codes;
  for (const rules::Hazard& one : analysis.hazards) codes.push_back(one.code);
  for (const rules::CommandUse& command : analysis.commands) {
    for (const rules::Hazard& one : command.hazards) codes.push_back(one.code);
  }
  return codes;
}

std::string names_of(const CommandAnalysis& analysis) {
  std::string names;
  for (const rules::CommandUse& command : analysis.commands) names += command.name + "\n";
  return names;
}

// All that an analysis says, to compare two of them.
std::string whole(const CommandAnalysis& analysis) {
  std::string text;
  if (analysis.undecidable) return analysis.undecidable->code + analysis.undecidable->message;
  for (const std::string& code : hazard_codes(analysis)) text += code + "\n";
  for (const rules::CommandUse& command : analysis.commands) {
    text += std::to_string(command.offset) + (command.needs_entry ? "!" : ".");
    for (const rules::Argument& one : command.argv) text += one.text + (one.constant ? "," : "$,");
  }
  for (const rules::PathUse& path : analysis.paths) {
    text += path.text + "|" + path.directory + std::to_string(static_cast<int>(path.base));
  }
  for (const rules::HostUse& host : analysis.hosts) text += host.host + std::to_string(host.port);
  return text;
}

class ShellLine : public testing::TestWithParam<ShellRow> {};

TEST_P(ShellLine, IsReadAsBashWouldReadIt) {
  const ShellRow& row = GetParam();
  const CommandAnalysis analysis = analyse_command(row.line);
  const std::vector<std::string> codes = hazard_codes(analysis);
  switch (row.verdict) {
    case Verdict::kUndecidable:
      ASSERT_TRUE(analysis.undecidable) << "runs: " << names_of(analysis);
      EXPECT_EQ(analysis.undecidable->code, row.expected) << analysis.undecidable->message;
      EXPECT_LE(analysis.undecidable->offset, row.line.size());
      break;
    case Verdict::kHazard:
      ASSERT_FALSE(analysis.undecidable) << analysis.undecidable->message;
      EXPECT_NE(std::find(codes.begin(), codes.end(), row.expected), codes.end())
          << testing::PrintToString(codes);
      break;
    case Verdict::kRuns:
      ASSERT_FALSE(analysis.undecidable) << analysis.undecidable->message;
      EXPECT_TRUE(codes.empty()) << testing::PrintToString(codes);
      EXPECT_EQ(names_of(analysis), row.expected);
      break;
  }
}

std::string row_name(const testing::TestParamInfo<ShellRow>& info) {
  std::string name;
  for (const char c : std::string(info.param.trick) + "_" + std::to_string(info.index)) {
    name.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Attack, ShellLine, testing::ValuesIn(test::attack_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Daily, ShellLine, testing::ValuesIn(test::benign_rows()), row_name);

TEST(ShellRows, DailyWorkIsDecidedWithoutHazards) {
  for (const ShellRow& row : test::benign_rows()) {
    EXPECT_EQ(row.verdict, Verdict::kRuns) << row.line;
  }
}

TEST(ShellLimits, TooLongTooDeepAndInvalidTextIsRefused) {
  const auto code = [](const std::string& line) {
    const CommandAnalysis analysis = analyse_command(line);
    return analysis.undecidable ? analysis.undecidable->code : "decided";
  };
  EXPECT_EQ(code(std::string(limits::kShellInputBytesMax + 1, 'a')), "command.too_long");
  EXPECT_EQ(code(std::string("git\0status", 10)), "command.control_byte");
  EXPECT_EQ(code("git \xFF"), "command.control_byte");
  for (const std::string open : {"$(", "(", "{ ", "\"$(", "if ", "${x:-", "`", "<(", "! ( "}) {
    std::string line;
    while (line.size() + open.size() < limits::kShellInputBytesMax) line += open;
    EXPECT_NE(code(line), "decided") << open;
  }
  std::string nested = "echo x";
  for (std::size_t i = 0; i < limits::kShellDepthMax; ++i) nested = "( " + nested + ")";
  EXPECT_EQ(code(nested), "command.too_complex");
}

TEST(CommandPattern, SeveralWordsMatchTheProgramAndItsOptionsHoweverTheyAreSpelled) {
  struct Case {
    const char* entry;
    const char* line;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"curl", "curl x", true},
      {"curl", "cu'r'l x", true},
      {"curl", "curlx x", false},
      {"bash -c", "bash -c 'ls'", true},
      {"bash -c", "bash -lc 'ls'", true},
      {"bash -c", "bash --login -c 'ls'", true},
      {"bash -c", "bash x.sh", false},
      {"git push --force", "git push --force-with-lease", false},
      {"git push", "git -C d push", true},
      {"git push", "git status", false},
      {"git push --force", "git push --forc", true},
      {"rm -rf", "rm -r -f x", true},
      {"rm -rf", "rm -fvr x", true},
      {"rm -rf", "rm -f x", false},
      {"git push --force", "git push --force=x", true},
      {"git push", "echo git push", false},
  };
  for (const Case& one : kCases) {
    const CommandAnalysis analysis = analyse_command(one.line);
    ASSERT_FALSE(analysis.commands.empty()) << one.line;
    EXPECT_EQ(rules::CommandPattern(one.entry).matches(analysis.commands[0]), one.matches)
        << one.entry << " / " << one.line;
  }
}

// Bytes changed and rows cut and joined: nothing may crash, hang or depend on anything but the
// text.
TEST(ShellMutation, BrokenRowsAreReadDeterministically) {
  std::vector<std::string> seeds;
  for (const ShellRow& row : test::attack_rows()) seeds.emplace_back(row.line);
  for (const ShellRow& row : test::benign_rows()) seeds.emplace_back(row.line);
  std::mt19937 random(20261124);
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  constexpr std::string_view kBytes = "'\"`$(){}[]<>|&;\\\n #!=*?~-+:@%^,/ax0\t";
  std::size_t decided = 0;
  constexpr std::size_t kRounds = 20'000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::string line = seeds[below(seeds.size())];
    for (std::size_t n = below(4); n-- > 0;) {
      const std::string& other = seeds[below(seeds.size())];
      switch (below(5)) {
        case 0:
          line = line.substr(0, below(line.size() + 1)) + other.substr(below(other.size() + 1));
          break;
        case 1:
          line.erase(below(line.size() + 1), 1 + below(3));
          break;
        case 2:
          line.insert(below(line.size() + 1), 1, static_cast<char>(below(256)));
          break;
        case 3:
          line.insert(below(line.size() + 1), other.substr(0, below(20)));
          break;
        default:
          line.insert(below(line.size() + 1), 1, kBytes[below(kBytes.size())]);
          break;
      }
    }
    const CommandAnalysis first = analyse_command(line);
    decided += first.undecidable ? 0U : 1U;
    ASSERT_EQ(whole(first), whole(analyse_command(line))) << testing::PrintToString(line);
    if (first.undecidable) {
      EXPECT_TRUE(first.commands.empty() && first.paths.empty()) << line;
    }
  }
  EXPECT_GT(decided, kRounds / 10);
  EXPECT_LT(decided, kRounds);
}

struct Call {
  std::string line, category;
};
std::vector<Call> recorded_calls(const std::string& path) {
  std::vector<Call> calls;
  const std::string text = test::read_text(path);
  for (const std::string& line : test::lines_of(text)) {
    json::Document document;
    const auto root = document.parse(line);
    if (!root) {
      ADD_FAILURE() << "unreadable line in " << path;
      continue;
    }
    const std::string_view tool = root->text("tool");
    const auto input = root->find("input");
    if ((tool != "Bash" && tool != "run_shell_command") || !input) continue;
    if (const std::string_view command = input->text("command"); !command.empty()) {
      calls.push_back({std::string(command), std::string(root->text("category"))});
    }
  }
  return calls;
}

void print_counts(const char* title, const std::map<std::string, std::size_t>& counts) {
  std::cout << title << '\n';
  for (const auto& [what, count] : counts) std::cout << "  " << count << "  " << what << '\n';
}

TEST(RecordedWork, IsDecided) {
  LILITH_NEEDS_SHARED(path, "data/claude_code_baseline.ndjson");
  const std::vector<Call> calls = recorded_calls(path);
  ASSERT_GT(calls.size(), 1'500U);
  std::map<std::string, std::size_t> reasons, hazards;
  std::size_t decided = 0;
  for (const Call& call : calls) {
    const CommandAnalysis analysis = analyse_command(call.line);
    decided += analysis.undecidable ? 0U : 1U;
    if (analysis.undecidable) ++reasons[analysis.undecidable->code];
    for (const std::string& code : hazard_codes(analysis)) ++hazards[code];
  }
  std::cout << decided << " of " << calls.size() << " recorded shell calls are decided\n";
  print_counts("undecidable:", reasons);
  print_counts("hazards:", hazards);
  EXPECT_GE(decided * 100, calls.size() * 99);
}

// With a list of four programs no attack script gets a program of its own past the reader.
TEST(RecordedAttacks, NoneIsAllowedThatRunsAProgramOutsideOfTheList) {
  LILITH_NEEDS_SHARED(path, "data/attack_commands_sample.ndjson");
  const std::set<std::string> listed{"git", "npm", "cargo", "python3"};
  const std::vector<Call> calls = recorded_calls(path);
  ASSERT_EQ(calls.size(), 100U);
  std::map<std::string, std::size_t> outcomes;
  for (const Call& call : calls) {
    const CommandAnalysis analysis = analyse_command(call.line);
    if (analysis.undecidable) {
      ++outcomes["undecidable, " + analysis.undecidable->code];
      continue;
    }
    if (!hazard_codes(analysis).empty()) {
      ++outcomes["a hazard, " + hazard_codes(analysis)[0]];
      continue;
    }
    const bool all = std::all_of(analysis.commands.begin(), analysis.commands.end(),
                                 [&](const rules::CommandUse& command) {
                                   return !command.needs_entry || listed.contains(command.name);
                                 });
    ++outcomes[all ? "listed programs and builtins only" : "a program outside of the list"];
    if (!all) continue;
    // The file touched is then the path rules' matter; no other program may have been overlooked.
    static const std::regex other(R"((^|[;&|(`\n]\s*)(curl|wget|rm|nc|ssh|sudo|chmod|dd|kill)\s)");
    EXPECT_FALSE(std::regex_search(call.line, other)) << call.category << ": " << call.line;
  }
  print_counts("100 attack scripts:", outcomes);
}

TEST(Documentation, NamesEveryCodeOfTheReader) {
  const std::string docs = test::read_text(LILITH_SOURCE_DIR "/docs/commands.md");
  const std::regex code(R"re("(command\.[a-z_]+)")re");
  std::set<std::string> codes;
  for (const auto& file : std::filesystem::directory_iterator(LILITH_SOURCE_DIR "/rules/shell")) {
    if (file.path().filename() == "CMakeLists.txt") continue;
    const std::string text = test::read_text(file.path().string());
    for (std::sregex_iterator at(text.begin(), text.end(), code), end; at != end; ++at) {
      codes.insert((*at)[1]);
    }
  }
  EXPECT_GE(codes.size(), 10U);
  for (const std::string& one : codes) {
    EXPECT_NE(docs.find("`" + one + "`"), std::string::npos)
        << one << " is not in docs/commands.md";
  }
}

}  // namespace
}  // namespace lilith
