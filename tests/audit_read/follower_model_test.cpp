// Random writers against what they wrote: every line once, in order, whatever was rotated, copied,
// compressed, and however often the reader was restarted.

#include "audit/read/reader.hpp"
#include "tests/audit_read/random_log.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace lilith::audit {
namespace {

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
  explicit Model(const Setting& setting)
      : random_(setting.seed),
        log_(directory_.file("log"), {.events = setting.events, .classic = setting.classic},
             random_) {
    open();
  }

  void step() {
    switch (pick(12)) {
      case 7:
        restart();
        break;
      case 8:
        while (read_once()) {
        }
        break;
      case 9:
      case 10:
      case 11:
        read_once();
        break;
      default:
        log_.step();
    }
  }

  void finish() {
    log_.finish();
    while (read_once()) {
    }
    EXPECT_EQ(gaps_, "");
    ASSERT_EQ(received_.size(), log_.written().size());
    EXPECT_EQ(received_, log_.written());
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  void open() {
    FollowOptions options;
    options.path = log_.path();
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

  std::mt19937_64 random_;
  test::TempDir directory_;
  test::RandomLog log_;
  std::unique_ptr<Follower> follower_;
  Position position_;
  std::vector<std::string> received_;
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
