// Following a log through everything that happens to logs. Names T01 to T13 are the failure cases
// of other shippers that each test stands for.

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/read/reader.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::audit {
namespace {

using test::append_text;
using test::compress_file;
using test::TempDir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

class FollowerTest : public testing::Test {
 protected:
  void open(const Position& start = {}) {
    auto follower = Follower::open({path_, batch_bytes_, batch_lines_}, start);
    ASSERT_TRUE(follower) << follower.error().message;
    follower_ = std::move(*follower);
  }
  // Everything there is now.
  Lines read() {
    Lines out;
    gap_.clear();
    FollowedLines got;
    std::string gap;
    for (;;) {
      const auto ok = follower_->read(got, gap);
      EXPECT_TRUE(ok) << ok.error().message;
      gap_ += gap;
      if (!ok || got.ends.empty()) return out;
      std::size_t start = 0;
      for (const std::size_t end : got.ends) {
        EXPECT_EQ(got.bytes[end - 1], '\n');
        out.push_back(got.bytes.substr(start, end - start - 1));
        start = end;
      }
      EXPECT_EQ(got.positions.size(), 1U);
      EXPECT_EQ(position_after(got, got.ends.size() - 1), got.positions.back());
      position_ = got.positions.back();
      last_ = got;
    }
  }
  void restart() { open(position_); }
  void rename_log(const std::string& suffix) { fs::rename(path_, path_ + suffix); }
  // logrotate's copytruncate.
  void copy_truncate(const std::string& suffix) {
    fs::copy_file(path_, path_ + suffix);
    fs::resize_file(path_, 0);
  }

  TempDir directory_;
  std::string path_ = directory_.file("agent-audit.log");
  std::size_t batch_bytes_ = std::size_t{256} * 1024;
  std::size_t batch_lines_ = 1024;
  std::unique_ptr<Follower> follower_;
  Position position_;
  FollowedLines last_;
  std::string gap_;
};

TEST_F(FollowerTest, WaitsForALogThatDoesNotExistYet) {
  open();
  EXPECT_THAT(read(), IsEmpty());
  write_text(path_, "a\n");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, GoesOnAfterARestartExactlyWhereItWas) {
  write_text(path_, "a\nb\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append_text(path_, "c\n");
  restart();
  EXPECT_THAT(read(), ElementsAre("c"));
  restart();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, SeeksBackToWhatASinkDidNotTake) {
  write_text(path_, "a\nb\nc\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(follower_->seek(position_after(last_, 0)));
  EXPECT_THAT(read(), ElementsAre("b", "c"));
  // Also into a file that was rotated and compressed meanwhile.
  const Position after_a = position_after(last_, 0);
  rename_log(".1");
  write_text(path_, "d\n");
  EXPECT_THAT(read(), ElementsAre("d"));
  compress_file(path_ + ".1", ".zst");
  ASSERT_TRUE(follower_->seek(after_a));
  EXPECT_THAT(read(), ElementsAre("c", "d"));
}

TEST_F(FollowerTest, KeepsToItsBatchLimits) {
  batch_lines_ = 2;
  write_text(path_, "a\nb\nc\nd\ne\n");
  open();
  FollowedLines got;
  std::string gap;
  std::vector<std::size_t> sizes;
  do {
    ASSERT_TRUE(follower_->read(got, gap));
    sizes.push_back(got.ends.size());
  } while (sizes.back() > 0);
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1, 0));
}

TEST_F(FollowerTest, RemembersSeqAndChainOfTheLastEvent) {
  test::ChainWriter chain("chain-a");
  write_text(path_, test::joined(chain.lines(3)));
  open();
  EXPECT_EQ(read().size(), 3U);
  EXPECT_EQ(position_.seq, 3U);
  EXPECT_EQ(position_.chain_id, "chain-a");
  EXPECT_EQ(position_after(last_, 1).seq, 2U);
}

TEST_F(FollowerTest, LagCountsWhatIsUnreadInAllFiles) {
  write_text(path_ + ".1", "aa\n");
  write_text(path_, "bbb\n");
  open();
  EXPECT_EQ(follower_->lag_bytes(), 7U);
  read();
  EXPECT_EQ(follower_->lag_bytes(), 0U);
  append_text(path_, "cc\nd");
  EXPECT_EQ(follower_->lag_bytes(), 4U);
}

TEST_F(FollowerTest, T01_AReusedInodeIsANewFile) {
  write_text(path_, "old-1\nold-2\n");
  open();
  EXPECT_THAT(read(), ElementsAre("old-1", "old-2"));
  Position reused = position_;
  follower_.reset();
  fs::remove(path_);
  write_text(path_, "new-1\nnew-2\nnew-3\n");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  reused.inode = status.st_ino;  // as when the file system gives the number out again
  position_ = reused;
  restart();
  EXPECT_THAT(read(), ElementsAre("new-1", "new-2", "new-3"));
  EXPECT_THAT(gap_, HasSubstr("is gone or was rewritten"));
}

TEST_F(FollowerTest, T02_RotatedWhileStopped) {
  write_text(path_, "a\nb\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append_text(path_, "c\n");
  rename_log(".1");
  write_text(path_, "d\n");
  restart();
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T03_SeveralRotationsWhileStoppedInTheOrderOfTheChain) {
  test::ChainWriter chain;
  const auto lines = chain.lines(9);
  write_text(path_, test::joined({lines[0], lines[1]}));
  open();
  EXPECT_EQ(read().size(), 2U);
  append_text(path_, lines[2] + "\n");
  rename_log(".00000000000000000001");
  // Modification times that lie: only the chain tells the order.
  write_text(path_ + ".00000000000000000006.zst",
             test::zstd_compressed(test::joined({lines[5], lines[6]})));
  write_text(path_ + ".00000000000000000004", test::joined({lines[3], lines[4]}));
  write_text(path_, test::joined({lines[7], lines[8]}));
  restart();
  EXPECT_EQ(read(), Lines(lines.begin() + 2, lines.end()));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T03_ClassicNamesOfAForeignLogGoByTime) {
  write_text(path_ + ".3.gz", test::gzipped("a\n"));
  write_text(path_ + ".2", "b\n");
  write_text(path_ + ".1", "c\n");
  write_text(path_, "d\n");
  // Same time: the greater number is older. Then a file whose time says otherwise.
  const timespec same[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
  for (const char* suffix : {".3.gz", ".2", ".1"})
    ASSERT_EQ(::utimensat(AT_FDCWD, (path_ + suffix).c_str(), same, 0), 0);
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b", "c", "d"));
  const timespec early[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (path_ + ".1").c_str(), early, 0), 0);
  open();
  EXPECT_THAT(read(), ElementsAre("c", "a", "b", "d"));
}

TEST_F(FollowerTest, T03_SaysWhichSeqAreGoneWhenAFileBetweenWasDeleted) {
  test::ChainWriter chain;
  const auto lines = chain.lines(9);
  write_text(path_, test::joined({lines[0], lines[1], lines[2]}));
  open();
  EXPECT_EQ(read().size(), 3U);
  rename_log(".00000000000000000001");
  write_text(path_, test::joined({lines[7], lines[8]}));
  EXPECT_EQ(read(), (Lines{lines[7], lines[8]}));
  EXPECT_THAT(gap_, HasSubstr("seq 4 to 7 are in no file that is left"));
}

TEST_F(FollowerTest, T03_GoesOnBySeqWhenItsOwnFileIsGone) {
  test::ChainWriter chain;
  const auto lines = chain.lines(6);
  write_text(path_, test::joined({lines[0], lines[1], lines[2]}));
  open();
  EXPECT_EQ(read().size(), 3U);
  follower_.reset();
  fs::remove(path_);
  // Someone put the log together anew: other file, other first line, the same events.
  write_text(path_, test::joined({lines[1], lines[2], lines[3], lines[4], lines[5]}));
  restart();
  EXPECT_EQ(read(), Lines(lines.begin() + 3, lines.end()));
  EXPECT_THAT(gap_, HasSubstr("going on by seq"));
}

TEST_F(FollowerTest, T04_CopytruncateThatGrewPastTheOldOffset) {
  const std::string head(1024, 'h');  // the same first KiB before and after
  write_text(path_, head + "\nold-1\nold-2\n");
  open();
  EXPECT_EQ(read().size(), 3U);
  copy_truncate(".1");
  append_text(path_, head + "\nnew-1 longer than what stood here\nnew-2\n");
  EXPECT_THAT(read(), ElementsAre(head, "new-1 longer than what stood here", "new-2"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T04_TheRestOfACopiedFileComesFirst) {
  write_text(path_, "a\nb\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append_text(path_, "c\n");
  copy_truncate(".1");
  append_text(path_, "d\n");
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_EQ(gap_, "");
}

// Opened when there was much to read, and cut before anything was: the copy begins as the file in
// hand did, and yet none of it was read.
TEST_F(FollowerTest, T04_AFileThatIsCutBeforeTheFirstReadIsReadFromItsCopy) {
  write_text(path_, "a\nb\n");
  open();
  copy_truncate(".1");
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  append_text(path_, "c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T04_ACutWithoutACopyIsReportedAndReadFromTheStart) {
  write_text(path_, "a\nb\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  fs::resize_file(path_, 0);
  append_text(path_, "c\n");
  EXPECT_THAT(read(), ElementsAre("c"));
  EXPECT_THAT(gap_, HasSubstr("was cut or rewritten after byte 4"));
}

TEST_F(FollowerTest, T05_TruncatedWhileStoppedIsResetOnce) {
  write_text(path_, "a\nb\nc\n");
  open();
  EXPECT_EQ(read().size(), 3U);
  fs::resize_file(path_, 0);
  append_text(path_, "d\n");
  restart();
  EXPECT_THAT(read(), ElementsAre("d"));
  EXPECT_THAT(gap_, HasSubstr("is gone or was rewritten"));
  restart();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T06_AHoleOfNulBytesIsSkippedWithASentence) {
  constexpr off_t kHole = off_t{1} << 30;
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::pwrite(fd, "a\nb\n", 4, kHole), 4);  // a writer that kept its old offset
  ::close(fd);
  struct rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  struct rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_THAT(gap_, HasSubstr("1073741824 zero bytes from byte 0 on were skipped"));
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024) << "KiB";
  restart();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T06_NulsBetweenLinesAndAfterCopytruncate) {
  write_text(path_, "a\nb\n");
  open();
  EXPECT_EQ(read().size(), 2U);
  copy_truncate(".1");
  // Not O_APPEND: the next write goes to the old offset.
  append_text(path_, std::string(4, '\0') + "c\n" + std::string(7, '\0') + "\nd\n");
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_THAT(gap_, HasSubstr("4 zero bytes"));
  EXPECT_THAT(gap_, HasSubstr("8 zero bytes"));
}

TEST_F(FollowerTest, T07_RenamedThenCompressed) {
  for (const std::string ending : {".gz", ".zst"}) {
    write_text(path_, "a" + ending + "\nb\n");
    open();
    EXPECT_EQ(read().size(), 2U);
    append_text(path_, "c\n");
    rename_log(".1");
    compress_file(path_ + ".1", ending);
    write_text(path_, "d" + ending + "\n");
    const Position before = position_;
    EXPECT_THAT(read(), ElementsAre("c", "d" + ending)) << "running";
    EXPECT_EQ(gap_, "");
    open(before);
    EXPECT_THAT(read(), ElementsAre("c", "d" + ending)) << "restarted";
    EXPECT_EQ(gap_, "");
    restart();
    EXPECT_THAT(read(), IsEmpty());
    for (const auto& entry : fs::directory_iterator(directory_.path())) fs::remove(entry);
  }
}

TEST_F(FollowerTest, T07_WhileBothFormsExistTheFileIsReadOnce) {
  write_text(path_ + ".1", "a\n");
  write_text(path_ + ".1.gz", test::gzipped("a\nb\n").substr(0, 12));  // being written
  write_text(path_, "c\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "c"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T07_ADamagedRotatedFileIsReportedAndPassed) {
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "line " + std::to_string(i * 7919) + "\n";
  const std::string packed = test::gzipped(many);
  write_text(path_ + ".1.gz", packed.substr(0, packed.size() / 2));
  write_text(path_, "c\n");
  open();
  const Lines lines = read();
  ASSERT_GT(lines.size(), 1U);
  EXPECT_EQ(lines.front(), "line 0");
  EXPECT_EQ(lines.back(), "c");
  EXPECT_THAT(gap_, HasSubstr(path_ + ".1.gz: damaged gzip data"));
}

TEST_F(FollowerTest, T08_TwoFilesWithTheSameBeginningAreBothRead) {
  const std::string head(1000, 'h');
  write_text(path_ + ".1", head + "\na\n");
  write_text(path_, head + "\nb\n");
  open();
  EXPECT_THAT(read(), ElementsAre(head, "a", head, "b"));
  restart();
  EXPECT_THAT(read(), IsEmpty());
}

TEST_F(FollowerTest, T09_AShortFileIsReadAtOnce) {
  write_text(path_, std::string(39, 'x') + "\n");
  open();
  EXPECT_THAT(read(), ElementsAre(std::string(39, 'x')));
}

TEST_F(FollowerTest, T10_HalfALineAtTheStopIsOneLineAfterTheStart) {
  write_text(path_, "a\nhal");
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  restart();
  EXPECT_THAT(read(), IsEmpty());
  append_text(path_, "f\n");
  EXPECT_THAT(read(), ElementsAre("half"));
}

TEST_F(FollowerTest, T11_HalfALineWaitsHoweverOftenItIsLookedAt) {
  write_text(path_, "hal");
  open();
  for (int i = 0; i < 10; ++i) EXPECT_THAT(read(), IsEmpty());
  append_text(path_, "f\n");
  EXPECT_THAT(read(), ElementsAre("half"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T11_HalfALineAtTheEndOfARotatedFileIsReported) {
  write_text(path_, "a\nhal");
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  rename_log(".1");
  EXPECT_THAT(read(), IsEmpty()) << "no new file yet: it may still be finished";
  write_text(path_, "b\n");
  EXPECT_THAT(read(), ElementsAre("b"));
  EXPECT_THAT(gap_, HasSubstr("ends with 3 bytes that are no whole line"));
}

TEST_F(FollowerTest, T12_LinesMayEndAtAnyPlaceOfTheBuffer) {
  Lines written;
  std::string bytes;
  for (std::size_t i = 0; i < 60; ++i) {
    written.push_back(std::string(i * 7 % 67, static_cast<char>('a' + i % 26)) + "\r");
    bytes += written.back() + "\n";
  }
  write_text(path_, bytes);
  for (batch_bytes_ = 1; batch_bytes_ <= 64; ++batch_bytes_) {
    open();
    ASSERT_EQ(read(), written) << batch_bytes_;
  }
}

TEST_F(FollowerTest, T13_AnOverlongLineIsPassedWithItsHashAndTheOthersArrive) {
  const std::string huge(std::size_t{64} << 20, 'z');
  write_text(path_, "a\n" + huge);
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  append_text(path_, "\nb\n");
  EXPECT_THAT(read(), ElementsAre("b"));
  EXPECT_THAT(gap_, HasSubstr("the line at byte 2 has 67108864 bytes"));
  EXPECT_THAT(gap_, HasSubstr(sha256_hex(huge)));
  restart();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T13_AnOverlongFirstLineDoesNotHideTheFile) {
  write_text(path_, std::string(2 * limits::kReaderLineBytesMax, 'z') + "\na\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  append_text(path_, "b\n");
  restart();
  EXPECT_THAT(read(), ElementsAre("b"));
  EXPECT_EQ(gap_, "");
}

TEST_F(FollowerTest, T13b_ADeletedFileIsReadToItsEndAndLetGo) {
  write_text(path_, "a\n");
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  const int writer = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  fs::remove(path_);
  ASSERT_EQ(::write(writer, "b\n", 2), 2);
  EXPECT_THAT(read(), ElementsAre("b"));
  ASSERT_EQ(::write(writer, "c\n", 2), 2);
  ::close(writer);
  write_text(path_, "d\n");
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_EQ(gap_, "");
  std::size_t deleted = 0;
  for (const auto& fd : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    deleted += fs::read_symlink(fd, ignored).string().find("(deleted)") != std::string::npos;
  }
  EXPECT_EQ(deleted, 0U);
}

TEST_F(FollowerTest, T13d_LatePermissionIsAnErrorThenHeals) {
  if (::geteuid() == 0) {
    // Root reads everything; a loop of links is refused to root as well.
    fs::create_symlink(path_, path_);
    auto follower = Follower::open({path_}, {});
    ASSERT_TRUE(follower) << "a log that can't be looked at yet is one that is not there yet";
    follower_ = std::move(*follower);
    EXPECT_THAT(read(), IsEmpty());
    fs::remove(path_);
    write_text(path_, "a\n");
    EXPECT_THAT(read(), ElementsAre("a"));
    return;
  }
  write_text(path_, "a\n");
  fs::permissions(path_, fs::perms::none);
  auto refused = Follower::open({path_}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, EACCES);
  fs::permissions(path_, fs::perms::owner_read);
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
}

TEST_F(FollowerTest, T13e_AHardLinkIsNotASecondFile) {
  write_text(path_ + ".1", "a\n");
  fs::create_hard_link(path_ + ".1", path_ + ".2");
  write_text(path_, "b\n");
  fs::create_hard_link(path_, path_ + ".3");
  open();
  EXPECT_THAT(read(), ElementsAre("a", "b"));
}

TEST_F(FollowerTest, T13e_ASwappedLinkTargetIsANewFile) {
  write_text(directory_.file("one"), "a\n");
  fs::create_symlink(directory_.file("one"), path_);
  open();
  EXPECT_THAT(read(), ElementsAre("a"));
  append_text(directory_.file("one"), "b\n");
  write_text(directory_.file("two"), "c\n");
  fs::remove(path_);
  fs::create_symlink(directory_.file("two"), path_);
  EXPECT_THAT(read(), ElementsAre("b", "c"));
}

}  // namespace
}  // namespace lilith::audit
