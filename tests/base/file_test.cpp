#include "audit/base/file.hpp"

#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith {
namespace {

TEST(ReadFile, GivesTheWholeContentOrSaysWhy) {
  const test::TempDir dir;
  test::write_text(dir.file("a"), std::string(200'000, 'a'));
  EXPECT_EQ(read_file(dir.file("a"), 200'000).value().size(), 200'000U);
  const auto too_big = read_file(dir.file("a"), 199'999);
  ASSERT_FALSE(too_big.has_value());
  EXPECT_EQ(too_big.error().code, ErrorCode::kLimitExceeded);
  EXPECT_NE(too_big.error().message.find(dir.file("a")), std::string::npos);
  const auto missing = read_file(dir.file("b"), 10);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().os_errno, ENOENT);
}

TEST(ReplaceFile, SwapsContentAndLeavesNoTemporaryFile) {
  const test::TempDir dir;
  ASSERT_TRUE(replace_file(dir.file("state"), "old", 0640).has_value());
  ASSERT_TRUE(replace_file(dir.file("state"), "new", 0640).has_value());
  EXPECT_EQ(test::read_text(dir.file("state")), "new");
  struct stat info{};
  ASSERT_EQ(::stat(dir.file("state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(ReplaceFile, KeepsTheOldContentWhenItFails) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir.file("taken"));
  const auto failed = replace_file(dir.file("taken"), "new", 0640);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_TRUE(std::filesystem::is_directory(dir.file("taken")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(WriteAll, NamesAFullDevice) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  const auto written = write_all(full.get(), "x");
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().os_errno, ENOSPC);
}

TEST(NamesIn, AreSortedAndHoldHiddenOnes) {
  const test::TempDir dir;
  for (const char* name : {"b", "a", ".hidden"}) test::write_text(dir.file(name), "");
  std::filesystem::create_directory(dir.file("c"));
  EXPECT_EQ(names_in(dir.path()).value(), (std::vector<std::string>{".hidden", "a", "b", "c"}));
}

TEST(NamesIn, SayWhyADirectoryCannotBeListed) {
  const test::TempDir dir;
  const auto missing = names_in(dir.file("missing"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  test::write_text(dir.file("file"), "");
  const auto file = names_in(dir.file("file"));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().os_errno, ENOTDIR);
  EXPECT_NE(file.error().message.find(dir.file("file")), std::string::npos);
}

TEST(IsDirectory, FollowsALink) {
  const test::TempDir dir;
  ASSERT_EQ(::symlink(dir.path().c_str(), dir.file("link").c_str()), 0);
  test::write_text(dir.file("file"), "");
  EXPECT_TRUE(is_directory(dir.file("link")));
  EXPECT_FALSE(is_directory(dir.file("file")));
  EXPECT_FALSE(is_directory(dir.file("missing")));
}

TEST(MakeDirectories, MakesEveryPartAndRefusesAFileInTheWay) {
  const test::TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("a/b/c"), 0750).has_value());
  ASSERT_TRUE(make_directories(dir.file("a/b/c"), 0750).has_value());
  EXPECT_TRUE(std::filesystem::is_directory(dir.file("a/b/c")));
  test::write_text(dir.file("file"), "");
  EXPECT_FALSE(make_directories(dir.file("file"), 0750).has_value());
  EXPECT_FALSE(make_directories(dir.file("file/below"), 0750).has_value());
}

}  // namespace
}  // namespace lilith
