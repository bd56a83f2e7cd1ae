#include "audit/base/users.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace lilith {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/bash\ndev:x:1000:1000:Dev,,,:/home/dev:/bin/zsh\n";
constexpr std::string_view kGroup = "root:x:0:\naudit:x:42:dev,other\n";

struct SwitchCase {
  const char* name;
  std::string_view nsswitch;
  bool files_answer;
};
void PrintTo(const SwitchCase& one, std::ostream* out) { *out << one.name; }
class NameServiceSwitch : public testing::TestWithParam<SwitchCase> {};

TEST_P(NameServiceSwitch, LetsTheFilesAnswerOnlyWhereTheyAreAskedFirst) {
  const auto user = user_in_files(GetParam().nsswitch, kPasswd, 1000);
  ASSERT_EQ(user.has_value(), GetParam().files_answer);
  if (user) {
    EXPECT_EQ(user->name, "dev");
    EXPECT_EQ(user->home, "/home/dev");
  } else {
    EXPECT_EQ(user.error().code, ErrorCode::kUnavailable);
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, NameServiceSwitch,
    testing::Values(SwitchCase{"debian", "# comment\npasswd:         files systemd\ngroup: files\n",
                               true},
                    SwitchCase{"alone", "passwd: files", true},
                    SwitchCase{"tab", "\tpasswd:\tfiles\tsss\n", true},
                    SwitchCase{"blank_before_colon", "passwd : files\n", true},
                    SwitchCase{"comment_after", "passwd: files # first\n", true},
                    SwitchCase{"sssd_first", "passwd: sss files\n", false},
                    SwitchCase{"compat", "passwd: compat\n", false},
                    SwitchCase{"action", "passwd: files [SUCCESS=merge] sss\n", false},
                    SwitchCase{"commented_out", "# passwd: files\n", false},
                    SwitchCase{"other_database", "passwd_compat: files\n", false},
                    SwitchCase{"empty", "", false}),
    [](const testing::TestParamInfo<SwitchCase>& one) { return std::string(one.param.name); });

struct PasswdCase {
  const char* name;
  std::string_view passwd;
};
void PrintTo(const PasswdCase& one, std::ostream* out) { *out << one.name; }
class UserFile : public testing::TestWithParam<PasswdCase> {};

TEST_P(UserFile, LeavesWhatItCanNotTellToTheNameService) {
  const auto user = user_in_files("passwd: files\n", GetParam().passwd, 1000);
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().code, ErrorCode::kUnavailable);
}
INSTANTIATE_TEST_SUITE_P(
    All, UserFile,
    testing::Values(
        PasswdCase{"not_there", "root:x:0:0:root:/root:/bin/bash\n"}, PasswdCase{"empty", ""},
        PasswdCase{"behind_a_compat_entry", "+::::::\ndev:x:1000:1:D:/home/dev:/bin/sh\n"},
        PasswdCase{"behind_a_short_line", "root:x:0:0\ndev:x:1000:1:D:/home/dev:/bin/sh\n"},
        PasswdCase{"too_many_fields", "dev:x:1000:1:D:/home/dev:/bin/sh:x\n"},
        PasswdCase{"odd_number", "dev:x:1000x:1:D:/home/dev:/bin/sh\n"},
        PasswdCase{"negative", "dev:x:-1:1:D:/home/dev:/bin/sh\n"}),
    [](const testing::TestParamInfo<PasswdCase>& one) { return std::string(one.param.name); });

TEST(GroupFile, AnswersByName) {
  EXPECT_EQ(*group_in_files("group: files\n", kGroup, "audit"), 42U);
  EXPECT_FALSE(group_in_files("group: files\n", kGroup, "aud"));
  EXPECT_FALSE(group_in_files("group: sss files\n", kGroup, "audit"));
}

TEST(UserDatabase, KnowsWhoRunsThis) {
  const auto user = user_by_id(::getuid());
  if (!user && user.error().code == ErrorCode::kNotFound) {
    GTEST_SKIP() << "the user of this test is in no user database";
  }
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_FALSE(user->name.empty());
  const auto nobody = user_by_id(4'000'000'000U);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace lilith
