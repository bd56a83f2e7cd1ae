#include "audit/read/reader.hpp"

#include "audit/base/limits.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <functional>
#include <numeric>
#include <unistd.h>

namespace lilith::audit {
namespace {

using test::gzipped;
using test::TempDir;
using test::write_text;
using test::zstd_compressed;

// What a reader said, in order: "line:...", "torn:...", "long:<bytes shown>", then "end" or
// "error:<message>".
std::vector<std::string> all_of(const std::string& path) {
  std::vector<std::string> out;
  auto reader = LineReader::open(path);
  if (!reader) return {"error:" + reader.error().message};
  std::string_view line;
  for (;;) {
    const auto status = (*reader)->next(line);
    if (!status) {
      out.push_back("error:" + status.error().message);
      return out;
    }
    switch (*status) {
      case LineReader::Status::kLine:
        out.push_back("line:" + std::string(line));
        break;
      case LineReader::Status::kTorn:
        out.push_back("torn:" + std::string(line));
        break;
      case LineReader::Status::kTooLong:
        out.push_back("long:" + std::to_string(line.size()));
        break;
      case LineReader::Status::kEnd:
        out.emplace_back("end");
        return out;
    }
    EXPECT_EQ((*reader)->line_number(), out.size());
  }
}

struct Form {
  std::string name;
  std::function<std::string(std::string_view)> pack;
};
void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

std::string halves(std::string_view bytes,
                   const std::function<std::string(std::string_view)>& pack) {
  return pack(bytes.substr(0, bytes.size() / 2)) + pack(bytes.substr(bytes.size() / 2));
}

// A frame that decompressors pass over (RFC 8878 section 3.1.2); pzstd writes them first.
const std::string kSkippableFrame(
    "\x50\x2a\x4d\x18\x04\x00\x00\x00"
    "abcd",
    12);

const std::vector<Form> kForms = {
    {"plain", [](std::string_view b) { return std::string(b); }},
    {"gzip", gzipped},
    {"gzip_members", [](std::string_view b) { return halves(b, gzipped); }},
    {"gzip_padded_with_zeros",
     [](std::string_view b) { return halves(b, gzipped) + std::string(1024, '\0'); }},
    {"zstd", zstd_compressed},
    {"zstd_frames", [](std::string_view b) { return halves(b, zstd_compressed); }},
    {"zstd_after_a_skippable_frame",
     [](std::string_view b) { return kSkippableFrame + zstd_compressed(b); }},
};

class LineReaderForms : public testing::TestWithParam<Form> {
 protected:
  std::vector<std::string> read(std::string_view content) {
    write_text(directory_.file("log"), GetParam().pack(content));
    return all_of(directory_.file("log"));
  }
  TempDir directory_;
};

TEST_P(LineReaderForms, GivesEveryLineWithoutItsLineFeed) {
  EXPECT_THAT(read("one\n\nthree\n"),
              testing::ElementsAre("line:one", "line:", "line:three", "end"));
}
TEST_P(LineReaderForms, NamesATornLastLine) {
  EXPECT_THAT(read("one\ntw"), testing::ElementsAre("line:one", "torn:tw", "end"));
}
TEST_P(LineReaderForms, AnEmptyFileHasNoLine) {
  EXPECT_THAT(read(""), testing::ElementsAre("end"));
}
// What has_line() announces is behind the line before it, and none of them moves until then.
TEST_P(LineReaderForms, KeepsTheLinesThatItAnnounces) {
  std::string content;
  std::vector<std::string> written;
  for (std::size_t i = 0; content.size() < 5 * limits::kReaderChunkBytes; ++i) {
    written.push_back(std::string(i * 37 % 3000, static_cast<char>('a' + i % 26)));
    content += written.back() + "\n";
  }
  write_text(directory_.file("log"), GetParam().pack(content + "torn"));
  auto reader = LineReader::open(directory_.file("log"));
  ASSERT_TRUE(reader.has_value());
  std::size_t at = 0, groups = 0;
  for (auto status = LineReader::Status::kLine; status == LineReader::Status::kLine; ++groups) {
    std::vector<std::string_view> lines;
    do {
      status = *(*reader)->next(lines.emplace_back());
    } while (status == LineReader::Status::kLine && (*reader)->has_line());
    if (status != LineReader::Status::kLine) {
      EXPECT_EQ(lines.size(), 1U) << "it was announced";
      EXPECT_EQ(lines.front(), "torn");
      continue;
    }
    for (const std::string_view line : lines) {
      ASSERT_LT(at, written.size());
      ASSERT_EQ(line, written[at++]);
    }
    EXPECT_EQ(lines.back().data() + lines.back().size() - lines.front().data(),
              static_cast<std::ptrdiff_t>(std::accumulate(
                  lines.begin(), lines.end(), lines.size() - 1,
                  [](std::size_t sum, std::string_view line) { return sum + line.size(); })));
  }
  EXPECT_EQ(at, written.size());
  EXPECT_GT(groups, 2U);
}
TEST_P(LineReaderForms, SkipsALineAboveTheLimitAndGoesOn) {
  const std::string most(limits::kReaderLineBytesMax, 'm');
  const std::string longer(limits::kReaderLineBytesMax + 1, 'x');
  const std::string huge(5 * limits::kReaderLineBytesMax, 'y');
  EXPECT_THAT(read("a\n" + most + "\n" + longer + "\nb\n" + huge + "\nc\n" + huge),
              testing::ElementsAre("line:a", "line:" + most,
                                   "long:" + std::to_string(limits::kReaderLineBytesMax), "line:b",
                                   "long:" + std::to_string(limits::kReaderLineBytesMax), "line:c",
                                   "long:" + std::to_string(limits::kReaderLineBytesMax), "end"));
}
TEST_P(LineReaderForms, LinesMayEndAnywhereInTheBuffer) {
  // Around the chunk size, so that each LF is once the last byte, once the first byte of a chunk.
  for (std::size_t delta = 0; delta < 5; ++delta) {
    const std::string first(limits::kReaderChunkBytes - 3 + delta, 'a');
    const std::string second(limits::kReaderChunkBytes - 2, 'b');
    EXPECT_THAT(read(first + "\n" + second + "\nc\n"),
                testing::ElementsAre("line:" + first, "line:" + second, "line:c", "end"));
  }
}
INSTANTIATE_TEST_SUITE_P(AllForms, LineReaderForms, testing::ValuesIn(kForms),
                         [](const auto& tested) { return tested.param.name; });

struct Damage {
  std::string name;
  std::string bytes;
  std::string says;
};
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

std::string many_lines() {
  std::string out;
  for (int i = 0; i < 20'000; ++i) out += "line " + std::to_string(i * 7919) + "\n";
  return out;
}
std::string flipped(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
  return bytes;
}
std::vector<Damage> damages() {
  const std::string gz = gzipped(many_lines());
  const std::string zst = zstd_compressed(many_lines());
  return {
      {"gzip_cut", gz.substr(0, gz.size() / 2), "ends in the middle of a member"},
      {"gzip_without_its_trailer", gz.substr(0, gz.size() - 4), "ends in the middle of a member"},
      {"gzip_wrong_checksum", flipped(gz, gz.size() - 6), "incorrect data check"},
      {"gzip_bad_header", flipped(gz, 2), "damaged gzip data"},
      {"gzip_followed_by_text", gz + "text\n", "no gzip member"},
      {"zstd_cut", zst.substr(0, zst.size() / 2), "ends in the middle of a frame"},
      {"zstd_bad_block", flipped(zst, 20), "damaged zstd data"},
      {"zstd_followed_by_text", zst + "text\n", "damaged zstd data"},
  };
}
class LineReaderDamage : public testing::TestWithParam<Damage> {};
TEST_P(LineReaderDamage, IsAnErrorThatNamesTheFile) {
  const TempDir directory;
  write_text(directory.file("damaged.log"), GetParam().bytes);
  const auto said = all_of(directory.file("damaged.log"));
  EXPECT_THAT(said.back(), testing::AllOf(testing::StartsWith("error:"),
                                          testing::HasSubstr(directory.file("damaged.log")),
                                          testing::HasSubstr(GetParam().says)));
  for (std::size_t i = 0; i + 1 < said.size(); ++i)
    ASSERT_EQ(said[i], "line:line " + std::to_string(i * 7919));
}
INSTANTIATE_TEST_SUITE_P(AllDamage, LineReaderDamage, testing::ValuesIn(damages()),
                         [](const auto& tested) { return tested.param.name; });

TEST(LineReader, ReadsStandardInput) {
  const TempDir directory;
  write_text(directory.file("log"), gzipped("one\ntwo\n"));
  const int saved = ::dup(STDIN_FILENO);
  const int input = ::open(directory.file("log").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(::dup2(input, STDIN_FILENO), 0);
  const auto said = all_of("-");
  ASSERT_GE(::dup2(saved, STDIN_FILENO), 0);
  ::close(saved);
  ::close(input);
  EXPECT_THAT(said, testing::ElementsAre("line:one", "line:two", "end"));
}

TEST(LineReader, SaysWhatItCannotOpen) {
  const TempDir directory;
  const auto absent = LineReader::open(directory.file("absent"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  const auto folder = LineReader::open(directory.path());
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, testing::HasSubstr("is a directory"));
}

}  // namespace
}  // namespace lilith::audit
