#include "rules/path.hpp"

#include "audit/base/unique_fd.hpp"
#include "rules/glob.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::rules {
namespace {

struct GlobCase {
  const char* name;
  const char* pattern;
  const char* path;
  bool matches;
};
void PrintTo(const GlobCase& c, std::ostream* out) { *out << c.name; }
class Glob : public testing::TestWithParam<GlobCase> {};
TEST_P(Glob, MatchesAsDocumented) {
  const auto pattern = PathPattern::parse(GetParam().pattern);
  ASSERT_TRUE(pattern.has_value()) << pattern.error().message;
  const PatternUser dev{"dev", "/home/dev"};
  EXPECT_EQ(pattern->matches(GetParam().path, dev), GetParam().matches);
  PathPatternSet set;
  set.add(*PathPattern::parse("/never/here"));
  set.add(*pattern);
  EXPECT_EQ(set.find(GetParam().path, dev) == 1, GetParam().matches)
      << "the index finds what the pattern matches";
}
INSTANTIATE_TEST_SUITE_P(
    Patterns, Glob,
    testing::Values(GlobCase{"below", "/a/**", "/a/b/c", true},
                    GlobCase{"itself", "/a/**", "/a", true},
                    GlobCase{"sibling", "/a/**", "/ab/c", false},
                    GlobCase{"any_level", "**/.ssh/**", "/home/dev/.ssh/id", true},
                    GlobCase{"any_level_itself", "**/.ssh/**", "/home/dev/.ssh", true},
                    GlobCase{"any_level_top", "**/.ssh/**", "/.ssh/id", true},
                    GlobCase{"not_a_part", "**/.ssh/**", "/home/dev/x.ssh/id", false},
                    GlobCase{"suffix", "**/*.key", "/a/b/server.key", true},
                    GlobCase{"suffix_leading_dot", "**/*.key", "/a/.key", true},
                    GlobCase{"suffix_directory", "**/*.key", "/a/x.key/b", false},
                    GlobCase{"star_one_level", "/a/*/c", "/a/b/c", true},
                    GlobCase{"star_not_two", "/a/*/c", "/a/b/b/c", false},
                    GlobCase{"question", "/a/?", "/a/b", true},
                    GlobCase{"class_in", "/a/[bc]", "/a/c", true},
                    GlobCase{"class_out", "/a/[!bc]", "/a/c", false},
                    GlobCase{"class_range", "/a/[0-9]x", "/a/7x", true},
                    GlobCase{"user", "/home/$USER/p/**", "/home/dev/p/x", true},
                    GlobCase{"other_user", "/home/$USER/p/**", "/home/eve/p/x", false},
                    GlobCase{"user_inside", "/tmp/$USER-*/x", "/tmp/dev-1/x", true},
                    GlobCase{"home", "~/p/**", "/home/dev/p/x", true},
                    GlobCase{"home_word", "$HOME/p/**", "/home/dev/p", true},
                    GlobCase{"home_prefix_is_not_home", "~/**", "/home/devil/x", false},
                    GlobCase{"two_doubles", "**/a/**/b", "/x/a/y/z/b", true},
                    GlobCase{"two_doubles_adjacent", "**/a/**/b", "/a/b", true},
                    GlobCase{"two_doubles_miss", "**/a/**/b", "/x/b/a", false},
                    GlobCase{"everything", "**", "/any/thing", true}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// Every pattern shape and every path shape against each other: the index of a set must answer what
// asking each pattern would.
TEST(PatternSet, FindsWhatItsPatternsMatch) {
  const std::vector<std::string> parts{"a",  "b*",  "*.key", "x?z", "[ab]c",      "$USER",
                                       "**", ".s*", "d.d",   "*",   "pre-*-post", "$USER-1"};
  const std::vector<std::string> names{"a",   "b",   "bb",       "s.key", "x.z",      "ac",
                                       "bc",  "dev", "c",        "k",     "dev-1",    ".ssh",
                                       "d.d", ".k",  "pre-post", "xyz",   "pre--post"};
  std::mt19937 random(7);
  const auto pick = [&random](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  const PatternUser dev{"dev", "/home/dev"};
  std::size_t hits = 0;
  for (int round = 0; round < 300; ++round) {
    PathPatternSet set;
    std::vector<PathPattern> patterns;
    for (int n = 0; n < 12; ++n) {
      std::string text = random() % 3 == 0 ? "**" : random() % 4 == 0 ? "~" : "";
      for (auto depth = 1 + random() % 3; depth > 0; --depth) text += "/" + pick(parts);
      patterns.push_back(PathPattern::parse(text).value());
      set.add(patterns.back());
    }
    for (int n = 0; n < 60; ++n) {
      std::string path = random() % 4 == 0 ? "/home/dev" : "";
      for (auto depth = 1 + random() % 4; depth > 0; --depth) path += "/" + pick(names);
      for (const PatternUser& user : {dev, PatternUser{"", "", true}, PatternUser{"", ""}}) {
        std::size_t expected = PathPatternSet::npos;
        for (std::size_t i = patterns.size(); i-- > 0;) {
          if (patterns[i].matches(path, user)) expected = i;
        }
        ASSERT_EQ(set.find(path, user), expected) << path;
        hits += expected == PathPatternSet::npos ? 0U : 1U;
      }
    }
  }
  EXPECT_GT(hits, 1000U);
}

// Deep paths, and slashes and letters on every place of a word of eight bytes.
TEST(PathComponents, AreWhatStandsBetweenSlashes) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string path;
    for (auto n = random() % 60; n > 0; --n)
      path += std::string_view("//a.bZ@[\xC1\x7F~")[random() % 11];
    std::vector<std::string> expected;
    std::istringstream parts(path);
    for (std::string one; std::getline(parts, one, '/');) {
      if (!one.empty()) expected.push_back(one);
    }
    TextArena texts;
    const Components components(path, texts);
    std::vector<std::string> found;
    for (std::size_t k = 0; k < components.size(); ++k) found.emplace_back(components.of(path, k));
    ASSERT_EQ(found, expected) << path;
    ASSERT_EQ(components.has_upper(), path.find('Z') != std::string::npos) << path;
    // Who sees this does not fold: it must be what folding gives back.
    if (path.starts_with('/') && components.is_folded()) {
      const FoldedPath folded = fold_path(path, "/elsewhere");
      ASSERT_EQ(folded.lexical, path);
      ASSERT_EQ(folded.reason, "");
      ASSERT_FALSE(folded.has_parent) << path;
    }
  }
}

// One long text takes its places by another rule.
TEST(PathComponents, OfALongTextAreAllThere) {
  for (const std::size_t bytes : {4'095U, 4'096U, 4'097U, 4'098U, 100'000U}) {
    std::string path;
    while (path.size() + 2 <= bytes) path += "/a";
    path.resize(bytes, 'b');
    TextArena texts;
    EXPECT_EQ(Components(path, texts).size(), bytes / 2) << bytes;
  }
}

TEST(PatternSet, TriesAHandfulOfTenThousandPatterns) {
  struct Shape {
    const char* before;
    const char* after;
  };
  for (const Shape& shape : std::initializer_list<Shape>{{"/home/$USER/projects/p", "/**"},
                                                         {"**/*.ext", ""},
                                                         {"**/secret-", "-*/**"},
                                                         {"**/*_part", "_end"},
                                                         {"~/work/", ""},
                                                         {"/data/$USER-", "/x"}}) {
    PathPatternSet set;
    for (int i = 0; i < 10'000; ++i) {
      set.add(PathPattern::parse(shape.before + std::to_string(i) + shape.after).value());
    }
    EXPECT_LE(set.candidates("/home/dev/projects/p77/src/main.cpp"), 8U) << shape.before;
    EXPECT_LE(set.candidates("/data/dev-77/x"), 8U) << shape.before;
  }
}

struct WordCase {
  const char* name;
  const char* word;
  bool anchored;
  const char* pattern;
  bool may;
};
void PrintTo(const WordCase& c, std::ostream* out) { *out << c.name; }
class Word : public testing::TestWithParam<WordCase> {};
TEST_P(Word, MayBecomeABlockedPath) {
  PathPatternSet set;
  set.add(PathPattern::parse(GetParam().pattern).value());
  const PatternUser dev{"dev", "/home/dev", true};
  EXPECT_EQ(set.find_possible(GetParam().word, GetParam().anchored, dev) == 0, GetParam().may);
}
INSTANTIATE_TEST_SUITE_P(
    Globs, Word,
    testing::Values(WordCase{"hidden_directory", "/home/dev/.s*/id_rsa", true, "**/.ssh/**", true},
                    WordCase{"unknown_directory", ".s*/id_rsa", false, "**/.ssh/**", true},
                    WordCase{"anchored_pattern", "/home/dev/.a*/credentials", true,
                             "/home/$USER/.aws/**", true},
                    WordCase{"anchored_pattern_below", ".a*/credentials", false,
                             "/home/$USER/.aws/**", true},
                    WordCase{"home_pattern", "/home/dev/.a*/credentials", true, "~/.aws/**", true},
                    WordCase{"class", "/home/dev/.[s]sh/id", true, "**/.ssh/**", true},
                    WordCase{"question_mark", "/home/dev/.ss?/id", true, "**/.ssh/**", true},
                    WordCase{"suffix", "server.k*", false, "**/*.key", true},
                    WordCase{"whole_suffix", "*.key", false, "**/*.key", true},
                    WordCase{"directory", "secr*/x", false, "**/secrets/**", true},
                    WordCase{"no_dot_gives_none", "/home/dev/*ssh/id", true, "**/.ssh/**", false},
                    WordCase{"lone_star", "*", false, "**/secrets/**", false},
                    WordCase{"lone_star_in_directory", "src/*", false, "**/*.key", false},
                    WordCase{"other_suffix", "src/*.cpp", false, "**/*.key", false},
                    WordCase{"name_without_suffix", "test*", false, "**/*.key", false},
                    WordCase{"other_place", "/srv/.a*/x", true, "/home/$USER/.aws/**", false},
                    WordCase{"everything_below", "src/*.ts", false, "/home/$USER/**", false},
                    WordCase{"no_glob", "/home/dev/.ssh/id", true, "**/.ssh/**", false}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// bash itself is the reference; a sequence becomes `*`, which no comparison with bash can show.
TEST(Braces, BecomeTheWordsOfBash) {
  for (const std::string word :
       {"a", "{a,b}", "x{a,b}y", "{a,b}{c,d}", "{a,{b,c}d}", "{a}", "{a", "a}", "{,x}y", "{a,b,}",
        "{}", "a{}b", "{a,b}/{c}", "x{a,b{c,d}e}", "{{a,b}", "{a,b}}", "{a,{b}", "{a}{b,c}"}) {
    const test::ProcessResult bash =
        test::run({"bash", "-c", "set -f; printf '%s\\n' " + word + "\"\""});
    ASSERT_EQ(bash.exit_code, 0);
    std::vector<std::string> expected = test::lines_of(bash.out);
    std::vector<std::string> words = expand_braces(word, 64);
    std::sort(expected.begin(), expected.end());
    std::sort(words.begin(), words.end());
    EXPECT_EQ(words, expected) << word;
  }
  EXPECT_EQ(expand_braces("a{1..9}b", 64), std::vector<std::string>{"a*b"});
  EXPECT_LE(expand_braces("{a,b}{a,b}{a,b}{a,b}", 4).size(), 4U) << "the rest is a star";
}

TEST(Glob, TakesNoExponentialTime) {
  const auto pattern = PathPattern::parse("**/a*a*a*a*a*a*a*a*a*b/**/a*a*a*a*b/**/x").value();
  std::string path;
  for (int i = 0; i < 200; ++i) path += "/" + std::string(100, 'a');
  EXPECT_FALSE(pattern.matches(path, {"dev", "/home/dev"}));
}

TEST(Glob, AnOddUserDatabaseOpensNothing) {
  const auto home = PathPattern::parse("~/.ssh/**").value();
  const auto user = PathPattern::parse("/home/$USER/secret/**").value();
  for (const char* odd : {"", "/", "relative"}) {
    EXPECT_FALSE(home.matches("/home/dev/.ssh/id", {"dev", odd}))
        << "an allow entry matches nothing";
    EXPECT_TRUE(home.matches("/home/dev/.ssh/id", {"dev", odd, true}))
        << "a block entry still blocks";
  }
  EXPECT_TRUE(home.matches("/home/dev/.ssh/id", {"dev", "/home/dev/"}));
  for (const char* odd : {"", "..", "a b", "a/b", "*"}) {
    EXPECT_FALSE(user.matches("/home/dev/secret/x", {odd, "/home/dev"}));
    EXPECT_TRUE(user.matches("/home/dev/secret/x", {odd, "/home/dev", true}));
  }
}

// resolve_path() with links followed by its general walk, on a file system without any.
class AllDirectories final : public FileSystem {
 public:
  [[nodiscard]] Entry look(const std::string&) const override { return {Kind::kDirectory, {}}; }
  [[nodiscard]] bool root_owned(const std::string&) const override { return false; }
};

TEST(FoldPath, IsTheWalkOfAFileSystemWithoutLinks) {
  const std::vector<std::string> parts{"a", "..", ".",   "",    "proc", "self", "root",
                                       "1", "fd", "dev", "b.c", "cwd",  "~"};
  const AllDirectories file_system;
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string given = random() % 2 == 0 ? "/" : "";
    for (auto n = random() % 6; n > 0; --n) given += parts[random() % parts.size()] + "/";
    if (random() % 2 == 0 && given.size() > 1) given.pop_back();
    const std::string cwd = random() % 4 == 0 ? "" : "/home/dev/x";
    const ResolvedPath walked = resolve_path(given, cwd, file_system);
    const ResolvedPath lexical = resolve_path(given, cwd, lexical_file_system());
    const FoldedPath folded = fold_path(given, cwd);
    ASSERT_EQ(lexical.lexical, walked.lexical) << given;
    ASSERT_EQ(lexical.resolved, walked.resolved) << given;
    ASSERT_EQ(lexical.reason, walked.reason) << given;
    ASSERT_EQ(folded.lexical, lexical.lexical);
    ASSERT_EQ(folded.reason, lexical.reason);
    const bool parent = !folded.lexical.empty() && given.find("..") != std::string::npos;
    ASSERT_EQ(folded.has_parent, parent) << given;
  }
}

// What open(2) reaches is what resolve_path() says.
class RealPaths : public testing::Test {
 protected:
  RealPaths() {
    namespace fs = std::filesystem;
    root_ = fs::canonical(dir_.path());
    fs::create_directories(root_ + "/app/sub");
    fs::create_directories(root_ + "/keys/inner");
    test::write_text(root_ + "/keys/id_rsa", "secret");
    test::write_text(root_ + "/app/file", "x");
    test::write_text(root_ + "/app/id_rsa", "decoy");
    fs::create_directory_symlink(root_ + "/keys/inner", root_ + "/app/d");
    fs::create_symlink("../keys/id_rsa", root_ + "/app/link");
    fs::create_symlink("link", root_ + "/app/link2");
    fs::create_symlink("loop", root_ + "/app/loop");
  }
  // The path of the file that the kernel opens, empty when it opens none.
  [[nodiscard]] static std::string opened(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return {};
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get()));
  }
  test::TempDir dir_;
  std::string root_;
};

TEST_F(RealPaths, ResolveAsTheKernelDoes) {
  for (const char* given : {"app/file", "app/./sub/../file", "app/d/../id_rsa", "app/link",
                            "app/link2", "app//d///..//id_rsa", "app/d/.."}) {
    const std::string path = root_ + "/" + given;
    const ResolvedPath resolved = resolve_path(path, "", real_file_system());
    EXPECT_EQ(resolved.resolved, opened(path)) << given << ": " << resolved.reason;
    EXPECT_EQ(resolve_path(given, root_, real_file_system()).resolved, resolved.resolved);
  }
  // Folding `..` before following the link would say app/id_rsa: the public bypass.
  EXPECT_EQ(resolve_path(root_ + "/app/d/../id_rsa", "", real_file_system()).resolved,
            root_ + "/keys/id_rsa");
  EXPECT_EQ(resolve_path(root_ + "/app/d/../id_rsa", "", real_file_system()).lexical,
            root_ + "/app/id_rsa");
}

// An independent set: links in every place of a path, with what a write would reach; and spellings
// that name no file of this machine for certain (CVE-2025-53109, CVE-2026-25724, facts 1.4).
TEST_F(RealPaths, TricksLeadWhereTheKernelGoesOrNowhere) {
  namespace fs = std::filesystem;
  fs::create_directories(root_ + "/app/a/b");
  fs::create_directory_symlink("../keys", root_ + "/app/out");
  fs::create_directory_symlink("out", root_ + "/app/chain");
  fs::create_directory_symlink("../../..", root_ + "/app/a/b/top");
  fs::create_symlink(root_ + "/keys/new", root_ + "/app/dangling");
  fs::create_symlink("sub/new", root_ + "/app/inside");
  fs::create_directory_symlink("/proc/self/root", root_ + "/app/magic");
  fs::create_symlink("loop2", root_ + "/app/loop1");
  fs::create_symlink("loop1", root_ + "/app/loop2");
  struct Row {
    const char* trick;
    std::string given;
    std::string reached;  // below the root; "refused": none
  };
  const std::vector<Row> rows{
      {"directory link", "app/out/id_rsa", "/keys/id_rsa"},
      {"chain of links", "app/chain/id_rsa", "/keys/id_rsa"},
      {"missing behind a link", "app/chain/new", "/keys/new"},
      {"dangling link is created where it leads", "app/dangling", "/keys/new"},
      {"dangling link that stays", "app/inside", "/app/sub/new"},
      {"out of a link by ..", "app/out/../keys/id_rsa", "/keys/id_rsa"},
      {"up by a link and down again", "app/a/b/top/keys/id_rsa", "/keys/id_rsa"},
      {"up and back", "app/a/b/top/app/file", "/app/file"},
      {"two slashes", "app//out//id_rsa", "/keys/id_rsa"},
      {"dots", "app/./out/./id_rsa", "/keys/id_rsa"},
      {"three dots are a name", "app/.../x", "/app/.../x"},
      {"two links that loop", "app/loop1", "refused"},
      {"below a loop", "app/loop1/x", "refused"},
      {".. behind what is missing", "app/none/../../keys/id_rsa", "refused"},
      {"a link to a magic link", "app/magic/etc/passwd", "refused"},
  };
  for (const Row& row : rows) {
    const ResolvedPath path = resolve_path(root_ + "/" + row.given, "", real_file_system());
    EXPECT_EQ(path.resolved, row.reached == "refused" ? "" : root_ + row.reached)
        << row.trick << ": " << path.reason;
  }
  for (const char* given :
       {"/proc/self/root/etc/passwd", "/proc/1/root/x", "/proc/self/cwd/x", "/proc/self/fd/3",
        "/proc/thread-self/root/x", "/proc/self/task/1/root/x", "/dev/fd/0", "~/x", "~root/x",
        "file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd", ""}) {
    EXPECT_EQ(resolve_path(given, root_, real_file_system()).resolved, "") << given;
  }
}

// A program reached through a link counts as root's own only when the whole way behind it does.
TEST_F(RealPaths, RootsProgramsAreRootsAllTheWay) {
  EXPECT_TRUE(real_file_system().root_owned("/usr/bin/env"));
  EXPECT_FALSE(real_file_system().root_owned("usr/bin/env"));
  EXPECT_FALSE(real_file_system().root_owned("/usr/bin/no-such-program"));
  ASSERT_EQ(::chmod((root_ + "/app").c_str(), 0777), 0);
  EXPECT_FALSE(real_file_system().root_owned(root_ + "/app/file")) << "anyone may replace it";
}

// Random trees of directories and links: whatever open(2) reaches, resolve_path() names.
TEST_F(RealPaths, AgreeWithTheKernelOnRandomTrees) {
  namespace fs = std::filesystem;
  std::mt19937 random(5);
  const std::vector<std::string> names{"a", "b", "c"};
  const auto name = [&] { return names[random() % names.size()]; };
  std::size_t opened_any = 0;
  for (int tree = 0; tree < 60; ++tree) {
    const std::string top = root_ + "/t" + std::to_string(tree);
    std::vector<std::string> directories{top};
    fs::create_directory(top);
    for (int n = 0; n < 14; ++n) {
      const std::string at = directories[random() % directories.size()] + "/" + name();
      if (fs::exists(fs::symlink_status(at))) continue;
      const auto what = random() % 3;
      if (what == 0) {
        fs::create_directory(at);
        directories.push_back(at);
      } else if (what == 1) {
        test::write_text(at, "x");
      } else {
        std::string target = random() % 3 == 0 ? top + "/" : random() % 2 == 0 ? "../" : "";
        target += name();
        if (random() % 3 == 0) target += "/../" + name();
        fs::create_symlink(target, at);
      }
    }
    for (int n = 0; n < 200; ++n) {
      std::string path = top;
      for (auto depth = 1 + random() % 4; depth > 0; --depth) {
        path += "/" + (random() % 4 == 0 ? ".." : name());
      }
      const std::string reached = opened(path);
      if (reached.empty()) continue;
      ++opened_any;
      const ResolvedPath resolved = resolve_path(path, "", real_file_system());
      ASSERT_EQ(resolved.resolved, reached) << path << ": " << resolved.reason;
    }
  }
  EXPECT_GT(opened_any, 500U);
}

TEST_F(RealPaths, KeepAMissingTailAndRefuseWhatCannotBeDecided) {
  EXPECT_EQ(resolve_path(root_ + "/app/d/new/file", "", real_file_system()).resolved,
            root_ + "/keys/inner/new/file");
  for (const std::string& given :
       {root_ + "/app/new/../file", root_ + "/app/loop", std::string("/proc/self/root/etc"),
        std::string("/proc/1/cwd/x"), std::string("/dev/fd/3"), std::string("~/x"),
        std::string("file:///etc/x"), std::string("FILE:x"), std::string("relative"),
        std::string("/a\0b", 4), std::string("/a\xFF"), std::string(),
        "/" + std::string(5000, 'a')}) {
    const ResolvedPath path = resolve_path(given, "", real_file_system());
    EXPECT_TRUE(path.resolved.empty()) << given;
    EXPECT_NE(path.reason.find(": "), std::string::npos) << given;
  }
}

}  // namespace
}  // namespace lilith::rules
