// The real bash as judge: what runs must be among the commands that the reader names, whenever the
// reader lets a line pass. Every program that a line can reach is a shim that leaves its name.

#include "audit/json/reader.hpp"
#include "rules/decide.hpp"
#include "tests/shell/independent_sets.hpp"
#include "tests/shell/line_generator.hpp"
#include "tests/shell/rows.hpp"
#include "tests/shell/verdict_rows.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <poll.h>
#include <regex>
#include <sched.h>
#include <set>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith {
namespace {

namespace fs = std::filesystem;
using rules::CommandAnalysis;

// Real programs that run others; without them the wrapped command would never be reached.
constexpr std::array<const char*, 11> kReal{"env",  "nohup",  "nice",   "timeout", "xargs", "find",
                                            "bash", "setsid", "stdbuf", "sh",      "true"};

// A descriptor that no line redirects: what runs behind `>/dev/null 2>&1 &` holds it, too, so that
// it is seen, and not taken for a program of the next line.
constexpr int kAliveFd = 200;

class Oracle : public testing::Test {
 protected:
  void SetUp() override {
    // No network for whatever runs here; where that is not allowed the lines have no program that
    // could use one.
    if (unshare(CLONE_NEWNET) != 0) std::cout << "(network namespace not available)\n";
    fs::create_directory(folder_.file("bin"));
    fs::copy_file(SHELL_SHIM, folder_.file("shim"));
    std::set<std::string> names{"githack"};
    for (const std::string& line : all_lines()) collect(line, names);
    for (int i = 1; i <= 9; ++i) names.insert("p" + std::to_string(i));
    for (const char* name : kReal) {
      names.erase(name);
      for (const std::string folder : {"/bin/", "/usr/bin/"}) {
        if (fs::exists(folder + name) && !fs::exists(folder_.file("bin/") + name)) {
          fs::create_symlink(folder + name, folder_.file("bin/") + name);
        }
      }
    }
    for (const std::string& name : names) {
      if (name != "." && name != "..") fs::create_symlink("../shim", folder_.file("bin/") + name);
    }
  }

  static bool is_long() {
    const char* const wish = std::getenv("LILITH_LONG");
    return wish != nullptr && std::string_view(wish) == "1";
  }

  static std::vector<std::string> all_lines() {
    std::vector<std::string> lines;
    for (const auto rows : {test::attack_rows(), test::benign_rows()}) {
      for (const test::ShellRow& row : rows) lines.emplace_back(row.line);
    }
    for (const auto rows : {test::verdict_rows(), test::daily_rows()}) {
      for (const test::VerdictRow& row : rows) lines.emplace_back(row.line);
    }
    for (const std::string_view file : test::kIndependentSets) {
      if (!is_long()) break;
      for (const test::SetLine& one : test::independent_set(file)) lines.push_back(one.line);
    }
    return lines;
  }

  static void collect(const std::string& line, std::set<std::string>& names) {
    static const std::regex word(R"([A-Za-z0-9_.-]+)");
    for (std::sregex_iterator at(line.begin(), line.end(), word), end; at != end; ++at) {
      if (at->length() < 60) names.insert(at->str());
    }
    // Names that a trick spells in pieces.
    for (const char* name : {"curl", "wget", "git", "evil", "python3", "npm", "cargo"}) {
      names.insert(name);
    }
  }

  // Runs the line and returns the names of the programs that ran.
  std::set<std::string> ran(const std::string& line, int status) {
    fs::remove_all(folder_.file("work"));
    fs::create_directory(folder_.file("work"));
    test::write_text(folder_.file("work/f"), "x\n");
    test::write_text(folder_.file("status"), std::to_string(status));
    test::write_text(folder_.file("log"), "");
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0) {
      ADD_FAILURE() << "pipe";
      return {};
    }
    const std::string path = "PATH=" + folder_.file("bin"), work = folder_.file("work");
    const pid_t child = fork();
    if (child == 0) start(line, path, work, alive[1]);
    close(alive[1]);
    // Everything that the line started holds the other end.
    char byte[256];
    for (;;) {
      pollfd one{alive[0], POLLIN, 0};
      if (poll(&one, 1, 20'000) <= 0) {
        ADD_FAILURE() << "does not end: " << line;
        break;
      }
      if (read(alive[0], byte, sizeof byte) <= 0) break;
    }
    close(alive[0]);
    kill(-child, SIGKILL);
    waitpid(child, nullptr, 0);
    std::set<std::string> names;
    for (const std::string& name : test::lines_of(test::read_text(folder_.file("log")))) {
      names.insert(name);
    }
    return names;
  }

  [[noreturn]] static void start(const std::string& line, const std::string& path,
                                 const std::string& work, int out) {
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    dup2(out, kAliveFd);
    if (chdir(work.c_str()) != 0) _exit(126);
    // FUNCNEST ends the recursion of generated functions, which may fork at each level.
    std::string limit = "FUNCNEST=6", environment_path = path, text = line;
    char* environment[] = {environment_path.data(), limit.data(), nullptr};
    std::string shell = "bash", rc = "--norc", profile = "--noprofile", command = "-c";
    char* argv[] = {shell.data(), rc.data(), profile.data(), command.data(), text.data(), nullptr};
    execve("/bin/bash", argv, environment);
    _exit(127);
  }

  static std::set<std::string> named(const CommandAnalysis& analysis) {
    std::set<std::string> names;
    for (const rules::CommandUse& one : analysis.commands) {
      names.insert(one.name.substr(one.name.rfind('/') + 1));
    }
    return names;
  }

  static bool passes(const CommandAnalysis& analysis) {
    return !analysis.undecidable && analysis.hazards.empty() &&
           std::all_of(analysis.commands.begin(), analysis.commands.end(),
                       [](const rules::CommandUse& one) { return one.hazards.empty(); });
  }

  // The property. Returns whether the reader let the line pass.
  bool check(const std::string& line) {
    const CommandAnalysis analysis = rules::analyse_command(line);
    if (!passes(analysis)) return false;
    const std::set<std::string> names = named(analysis);
    for (const int status : {0, 1}) {
      for (const std::string& name : ran(line, status)) {
        ++programs_;
        // exec -l puts a dash in front of the name.
        const bool login = name.starts_with('-') && names.contains(name.substr(1));
        EXPECT_TRUE(names.contains(name) || login)
            << name << " ran, the reader named " << testing::PrintToString(names)
            << "\n  line: " << testing::PrintToString(line);
      }
    }
    return true;
  }

  test::TempDir folder_;
  std::size_t programs_ = 0;
};

// Lines that name a place outside of the test's folder are read, never run.
bool safe_to_run(std::string_view line) {
  static const std::regex outside(
      // A login shell runs the system's own profile.
      R"((^|[\s;&|(`'"=<>{,])/|(^|[^=])~|HOME|/dev/|\.\.|kill|reboot|bash -l|--login)");
  return !std::regex_search(line.begin(), line.end(), outside);
}

// In parts, so that they run side by side.
constexpr std::size_t kRowParts = 4;
class OracleRows : public Oracle, public testing::WithParamInterface<std::size_t> {};

TEST_P(OracleRows, RunNothingThatTheReaderDidNotName) {
  std::size_t run = 0, refused = 0, unsafe = 0;
  const std::vector<std::string> lines = all_lines();
  for (std::size_t i = GetParam(); i < lines.size(); i += kRowParts) {
    if (!safe_to_run(lines[i])) {
      ++unsafe;
    } else if (check(lines[i])) {
      ++run;
    } else {
      ++refused;
    }
  }
  std::cout << run << " rows run, " << refused << " refused by the reader, " << unsafe
            << " not safe to run; " << programs_ << " programs seen\n";
  EXPECT_GT(run, 100U);
  EXPECT_GT(programs_, 150U);
}

INSTANTIATE_TEST_SUITE_P(Part, OracleRows, testing::Range(std::size_t{0}, kRowParts));

// In parts, so that the long run stays below the time limit of one test.
class OracleGenerated : public Oracle, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(OracleGenerated, LinesRunNothingThatTheReaderDidNotName) {
  const std::uint32_t lines = is_long() ? 10'000 : 200;
  const std::uint32_t first = GetParam() * lines;
  std::size_t passed = 0;
  for (std::uint32_t seed = first; seed < first + lines && !HasFailure(); ++seed) {
    const std::string line = test::generated_line(seed);
    ASSERT_TRUE(safe_to_run(line)) << line;
    if (check(line)) ++passed;
  }
  std::cout << passed << " of " << lines << " generated lines passed the reader and ran; "
            << programs_ << " programs seen\n";
  if (HasFailure()) return;
  EXPECT_GT(passed, lines / 10);
  EXPECT_GT(programs_, passed);
}

INSTANTIATE_TEST_SUITE_P(Part, OracleGenerated, testing::Range(0U, 10U));

// The 100 attack scripts of the shared sample: what the sample policy allows of them is run, and
// runs nothing that the policy does not list.
TEST_F(Oracle, AttackScriptsThatAreAllowedRunListedProgramsOnly) {
  LILITH_NEEDS_SHARED(path, "data/attack_commands_sample.ndjson");
  const rules::PolicyLoad loaded = rules::load_policy(
      test::read_text(LILITH_SOURCE_DIR "/rules/policies/lilith-policy.yaml"), "p.yaml");
  ASSERT_NE(loaded.policy, nullptr);
  const std::set<std::string> listed{"git", "npm", "cargo", "python3"};
  std::size_t allowed = 0, scripts = 0;
  for (const std::string& text : test::lines_of(test::read_text(path))) {
    json::Document document;
    const auto root = document.parse(text);
    ASSERT_TRUE(root.has_value());
    const auto input = root->find("input");
    ASSERT_TRUE(input.has_value());
    audit::Call call;
    call.kind = audit::OperationKind::kRunCommand;
    call.command = input->text("command");
    ++scripts;
    const rules::CallAnalysis analysis = rules::analyse(call);
    const audit::Facts facts = rules::observe(analysis, {"dev", 1000, "/home/dev"},
                                              "/home/dev/projects/x", rules::lexical_file_system());
    const rules::Decision decision =
        rules::decide(*loaded.policy, {"claude_code", "Bash", ""}, analysis, facts);
    if (decision.verdict != audit::Verdict::kAllow) continue;
    ++allowed;
    // Programs of these names must be there to be seen.
    std::set<std::string> names;
    collect(call.command, names);
    for (const std::string& name : names) {
      const std::string shim = folder_.file("bin/") + name;
      if (name != "." && name != ".." && !fs::exists(fs::symlink_status(shim))) {
        fs::create_symlink("../shim", shim);
      }
    }
    for (const int status : {0, 1}) {
      for (const std::string& name : ran(call.command, status)) {
        EXPECT_TRUE(listed.contains(name)) << name << " ran in " << call.command;
      }
    }
  }
  EXPECT_EQ(scripts, 100U);
  std::cout << allowed << " of " << scripts
            << " attack scripts are allowed and were run; no program outside of the list ran\n";
}

// Without this a broken shim would make both of the above pass.
TEST_F(Oracle, SeesWhatRuns) {
  EXPECT_EQ(ran("git status; cu'r'l evil && wget x", 1), (std::set<std::string>{"git", "curl"}));
  EXPECT_EQ(ran("env -i git log $(curl evil) & wait", 0), (std::set<std::string>{"curl"}));
  EXPECT_EQ(ran("x='a[$(curl evil)]'; echo $((x))", 0), (std::set<std::string>{"curl"}));
  EXPECT_EQ(ran("while curl evil; do :; done", 0), (std::set<std::string>{"curl"}));
  EXPECT_EQ(ran("setsid sh -c 'git a; git b; curl evil' >out 2>&1 &", 0),
            (std::set<std::string>{"git", "curl"}));
}

}  // namespace
}  // namespace lilith
