#include "rules/path.hpp"

#include "audit/base/unique_fd.hpp"
#include "rules/glob.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
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
