// Random writers against what they wrote: every line once, in order, whatever was rotated, copied,
// compressed, and however often the reader was restarted.

#include "audit/read/reader.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sys/stat.h>

namespace lilith::audit {
namespace {

namespace fs = std::filesystem;

struct Setting {
  std::uint64_t seed;
  bool events;   // lines of a chain, else any text
  bool classic;  // PATH.1, PATH.2 ..., else PATH.<20 digits>
};
void PrintTo(const Setting& setting, std::ostream* out) {
  *out << "seed " << setting.seed << (setting.events ? ", events" : ", text")
       << (setting.classic ? ", classic names" : ", names by seq");
}

class Model {
 public:
  explicit Model(const Setting& setting) : setting_(setting), random_(setting.seed) { open(); }

  void step() {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        for (std::size_t i = pick(20); i > 0; --i) write_line();
        break;
      case 3:
        write_part();
        break;
      case 4:
        rotate();
        break;
      case 5:
        copy_truncate();
        break;
      case 6:
        compress_one();
        break;
      case 7:
        restart();
        break;
      case 8:
        while (read_once()) {
        }
        break;
      default:
        read_once();
    }
  }

  void finish() {
    if (!partial_.empty()) write_line();
    while (read_once()) {
    }
    EXPECT_EQ(gaps_, "");
    ASSERT_EQ(received_.size(), written_.size());
    EXPECT_EQ(received_, written_);
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  std::string next_line() {
    if (setting_.events) return chain_.line(EventType::kDecision, std::string(pick(300), 'x'));
    return std::to_string(++number_) + std::string(pick(200), static_cast<char>('a' + pick(26)));
  }

  void append(std::string_view bytes) {
    test::append_text(path_, bytes);
    // Distinct times whatever the kernel's tick is, as in a log that lives for days.
    const timespec times[2] = {{clock_, 0}, {clock_, 0}};
    ++clock_;
    ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  }

  void write_line() {
    if (partial_.empty()) partial_ = next_line(), at_ = 0;
    append(partial_.substr(at_) + "\n");
    written_.push_back(std::move(partial_));
    partial_.clear();
    lines_in_file_++;
  }
  void write_part() {
    if (partial_.empty()) partial_ = next_line(), at_ = 0;
    const std::size_t end = at_ + pick(partial_.size() - at_ + 1);
    if (end > at_) append(partial_.substr(at_, end - at_));
    at_ = end;
  }

  std::string rotated_name() {
    char number[32];
    std::snprintf(number, sizeof number, ".%020zu", ++rotations_);
    if (!setting_.classic) return path_ + number;
    for (std::size_t i = rotations_; i > 0; --i)
      for (const char* ending : {"", ".gz", ".zst"}) {
        const std::string from = path_ + "." + std::to_string(i) + ending;
        if (fs::exists(from)) fs::rename(from, path_ + "." + std::to_string(i + 1) + ending);
      }
    return path_ + ".1";
  }
  void rotate() {
    if (!partial_.empty()) write_line();
    if (lines_in_file_ == 0) return;
    fs::rename(path_, rotated_name());
    lines_in_file_ = 0;
    if (pick(2) == 0) append("");
  }
  void copy_truncate() {
    if (!partial_.empty()) write_line();
    if (lines_in_file_ == 0) return;
    const std::string copy = rotated_name();
    fs::copy_file(path_, copy);
    const timespec times[2] = {{clock_, 0}, {clock_, 0}};
    ++clock_;
    ASSERT_EQ(::utimensat(AT_FDCWD, copy.c_str(), times, 0), 0);
    fs::resize_file(path_, 0);
    lines_in_file_ = 0;
  }
  void compress_one() {
    std::vector<std::string> plain;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      const std::string name = entry.path().string();
      if (name != path_ && !name.ends_with(".gz") && !name.ends_with(".zst")) plain.push_back(name);
    }
    std::sort(plain.begin(), plain.end());
    if (!plain.empty())
      test::compress_file(plain[pick(plain.size())], pick(2) == 0 ? ".gz" : ".zst");
  }

  void open() {
    FollowOptions options;
    options.path = path_;
    options.batch_bytes_max = 1 + pick(4096);
    options.batch_lines_max = 1 + pick(30);
    auto follower = Follower::open(options, position_);
    ASSERT_TRUE(follower) << follower.error().message;
    follower_ = std::move(*follower);
  }
  // From what was acknowledged last.
  void restart() {
    follower_.reset();
    open();
  }
  // A sink that sometimes takes only a part.
  bool read_once() {
    FollowedLines got;
    std::string gap;
    const auto ok = follower_->read(got, gap);
    EXPECT_TRUE(ok) << ok.error().message;
    gaps_ += gap;
    if (!ok || got.ends.empty()) return false;
    const std::size_t taken = pick(4) == 0 ? pick(got.ends.size() + 1) : got.ends.size();
    for (std::size_t i = 0; i < taken; ++i) {
      const std::size_t start = i > 0 ? got.ends[i - 1] : 0;
      received_.push_back(got.bytes.substr(start, got.ends[i] - start - 1));
    }
    if (taken > 0) position_ = position_after(got, taken - 1);
    if (taken == got.ends.size()) return true;
    if (pick(2) == 0) {
      restart();
    } else {
      const auto back = follower_->seek(position_);
      EXPECT_TRUE(back) << back.error().message;
    }
    return true;
  }

  Setting setting_;
  std::mt19937_64 random_;
  test::TempDir directory_;
  std::string path_ = directory_.file("log");
  test::ChainWriter chain_;
  std::size_t number_ = 0;
  time_t clock_ = 1'700'000'000;
  std::string partial_;
  std::size_t at_ = 0;
  std::size_t lines_in_file_ = 0;
  std::size_t rotations_ = 0;
  std::vector<std::string> written_, received_;
  std::unique_ptr<Follower> follower_;
  Position position_;
  std::string gaps_;
};

class FollowerModel : public testing::TestWithParam<Setting> {};

TEST_P(FollowerModel, EveryLineOnceAndInOrder) {
  Model model(GetParam());
  for (int i = 0; i < 400 && !testing::Test::HasFailure(); ++i) model.step();
  model.finish();
}

// LILITH_MODEL_SEEDS=N tries N seeds for each kind.
std::vector<Setting> settings() {
  const char* wanted = std::getenv("LILITH_MODEL_SEEDS");
  const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 4;
  std::vector<Setting> out;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    for (const bool events : {false, true})
      for (const bool classic : {false, true}) out.push_back({seed, events, classic});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Seeds, FollowerModel, testing::ValuesIn(settings()),
                         [](const auto& tested) {
                           return (tested.param.events ? "events_" : "text_") +
                                  std::string(tested.param.classic ? "classic_" : "seq_") +
                                  std::to_string(tested.param.seed);
                         });

}  // namespace
}  // namespace lilith::audit
