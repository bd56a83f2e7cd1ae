// The power is cut after each call of the real writer that changes a file: what the next writer,
// the verifier and the shipper make of what is left, for each audit.sync. docs/event.md has the
// promises as a table.
//
// LILITH_LONG=1 tries thirty random states for each cut instead of two.

#include "audit/base/unique_fd.hpp"
#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "audit/read/reader.hpp"
#include "audit/read/series.hpp"
#include "audit/read/verify.hpp"
#include "audit/recorder.hpp"
#include "audit/seal_key.hpp"
#include "shipper/checkpoint.hpp"
#include "tests/crash/disk.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace lilith::audit {
namespace {

using test::Disk;
namespace fs = std::filesystem;

constexpr unsigned kSeed = 20261126;
constexpr std::size_t kRotateBytes = 12'000;  // the log keeps 8 KiB of it for its next line
constexpr int kEvents = 26;

int random_states() { return std::getenv("LILITH_LONG") == nullptr ? 2 : 30; }

// A line that was acknowledged, and after how many calls.
struct Acknowledged {
  std::size_t step = 0;
  std::uint64_t seq = 0;
  std::string hash;
};

class Machine {
 public:
  explicit Machine(Sync sync, bool sealed, bool behind) : sealed_(sealed), behind_(behind) {
    for (const char* folder : {"disk", "disk/log", "disk/key", "disk/ship"}) {
      fs::create_directory(dir_.file(folder));
    }
    options_.path = dir_.file("disk/log/audit.log");
    options_.host = "ws-42";
    options_.sync = sync;
    options_.rotate_bytes = kRotateBytes;
    options_.rotate_interval_min = std::chrono::seconds(0);
    disk_ = std::make_unique<Disk>(dir_.file("disk"));
    if (sealed) make_key();
    from_ = disk_->steps();
    work();
    disk_->stop();
  }

  [[nodiscard]] std::size_t first_cut() const { return from_; }
  [[nodiscard]] std::size_t last_cut() const { return disk_->steps(); }
  // Cuts the power and looks at what is left. False: this very state was seen before.
  bool cut(std::size_t step, const Disk::Luck& luck);

  std::size_t states = 0;
  [[nodiscard]] int sealed_behind() const { return sealed_behind_; }
  // The calls that made the disk, for whoever looks for the reason of a failure.
  void print() const { std::fputs(disk_->history().c_str(), stderr); }

 private:
  void make_key() {
    options_.seal.key = dir_.file("disk/key/seal.key");
    options_.seal.events_max = 5;
    const auto key = create_seal_key(options_.seal.key, "ws-42", options_.path);
    ASSERT_TRUE(key) << key.error().message;
    VerifyKey known;
    known.host = key->host;
    known.key = seal_key_id(key->first_public_key);
    known.public_key = key->first_public_key;
    verifier_.keys = {known};
  }
  void append(int number) {
    auto log = recorder_.joinable() ? open_recorder(socket_, std::chrono::seconds(60))
                                    : open_log(options_, clock_);
    ASSERT_TRUE(log) << log.error().message;
    Event event;
    event.decision = Verdict::kAllow;
    event.action = Action::kAllowed;
    event.process_key = "ws-42/1/1";
    event.host = "ws-42";
    event.time = clock_.now();
    event.reason = "number " + std::to_string(number) + std::string(300, '.');
    const auto done = (*log)->append(event);
    ASSERT_TRUE(done) << done.error().message;
    acknowledged_.push_back({disk_->steps(), done->seq, done->chain_hash});
    if (recorder_.joinable()) wait_for_recorder();
    if (behind_ && done->seal_soon) seal_behind();
    clock_.advance(std::chrono::seconds(1));
  }
  // As a hook does it when its verdict is out, in a process of its own.
  void seal_behind() {
    const auto sealed = seal_log(options_, SealReason::kInterval, clock_);
    ASSERT_TRUE(sealed) << sealed.error().message;
    sealed_behind_ += *sealed ? 1 : 0;
  }
  // The recorder seals when it has answered. It has one thread: when it refuses the next, it is
  // done.
  void wait_for_recorder() const {
    auto log = open_recorder(socket_, std::chrono::seconds(60));
    ASSERT_TRUE(log) << log.error().message;
    Event refused;
    refused.type = EventType::kHeartbeat;
    EXPECT_FALSE((*log)->append(refused));
  }
  // Delivers what the log has to a receiver that keeps it, then remembers how far.
  void ship(std::vector<std::pair<std::size_t, std::string>>& delivered) {
    const shipper::CheckpointFile file(dir_.file("disk/ship"), "siem");
    Position at;
    if (const auto loaded = file.load(); loaded.cursors.contains(options_.path)) {
      at = loaded.cursors.at(options_.path);
    }
    auto follower = Follower::open({options_.path}, at);
    ASSERT_TRUE(follower) << follower.error().message;
    for (;;) {
      FollowedLines lines;
      std::string gap;
      const auto read = (*follower)->read(lines, gap);
      ASSERT_TRUE(read) << read.error().message;
      said_ += gap + "\n";
      if (lines.ends.empty()) return;
      for (std::string& line : test::lines_of(lines.bytes)) {
        delivered.emplace_back(disk_->steps(), std::move(line));
      }
      const auto saved = file.save({{options_.path, lines.positions.back()}});
      ASSERT_TRUE(saved) << saved.error().message;
    }
  }
  void work() {
    if (options_.sync == Sync::kBatch) start_recorder();
    for (int i = 0; i < kEvents; ++i) {
      append(i);
      if (i % 6 == 5) ship(delivered_);
    }
    if (!recorder_.joinable()) return;
    stop_.reset();
    recorder_.join();
  }
  // It and the shipper never write at the same time: each event is waited for.
  void start_recorder() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    stopped_.reset(ends[0]);
    stop_.reset(ends[1]);
    recorder_ = std::thread([this] {
      RecorderOptions options;
      options.socket_path = socket_;
      options.log = options_;
      const auto served = serve_recorder(options, stopped_.get(), clock_);
      EXPECT_TRUE(served) << served.error().message;
    });
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    auto series = log_series(options_.path);
    if (!series) return out;
    for (const LogFile& one : *series) {
      for (std::string& line : test::lines_of(test::read_text(one.path))) {
        out.push_back(std::move(line));
      }
    }
    return out;
  }
  void expect_nothing_acknowledged_lost(std::size_t step, const std::vector<std::string>& left);
  void expect_what_is_sealed_is_there(const std::vector<std::string>& left);
  void expect_verifier_content();
  void expect_shipper_loses_nothing(std::size_t step);

  test::TempDir dir_;
  test::ManualClock clock_;
  LogOptions options_;
  VerifyOptions verifier_;
  std::unique_ptr<Disk> disk_;
  bool sealed_, behind_;
  std::size_t from_ = 0;
  std::vector<Acknowledged> acknowledged_;
  std::vector<std::pair<std::size_t, std::string>> delivered_;
  int sealed_behind_ = 0;
  std::set<std::size_t> seen_;  // hashes of states
  std::string said_;            // by the follower
  std::string socket_ = dir_.file("recorder.sock");
  UniqueFd stop_, stopped_;
  std::thread recorder_;
};

std::size_t hash_of(const Disk::Image& image) {
  std::string all;
  for (const auto& [path, file] : image) all += path + '\0' + file.bytes + '\0';
  return std::hash<std::string>()(all);
}

bool Machine::cut(std::size_t step, const Disk::Luck& luck) {
  const Disk::Image image = disk_->cut_after(step, luck);
  if (!seen_.insert(hash_of(image)).second) return false;
  ++states;
  disk_->restore(image);
  // One that was lost is a key that is missing, and no matter of the log.
  if (sealed_) {
    EXPECT_TRUE(image.contains(options_.seal.key));
  }
  const auto acknowledged = acknowledged_;
  expect_what_is_sealed_is_there(lines());
  append(1000);
  append(1001);
  acknowledged_ = acknowledged;
  const auto left = lines();
  if (options_.sync != Sync::kOff) expect_nothing_acknowledged_lost(step, left);
  expect_verifier_content();
  expect_shipper_loses_nothing(step);
  return true;
}

void Machine::expect_nothing_acknowledged_lost(std::size_t step,
                                               const std::vector<std::string>& left) {
  std::set<std::string> hashes;
  for (const std::string& line : left) {
    if (const auto fields = chain_fields(line)) hashes.insert(std::string(fields->hash));
  }
  for (const Acknowledged& one : acknowledged_) {
    if (one.step > step) break;
    EXPECT_TRUE(hashes.contains(one.hash)) << "seq " << one.seq << " is lost";
  }
}

// Before any writer came again; only the checkpoint itself may be with the key alone.
void Machine::expect_what_is_sealed_is_there(const std::vector<std::string>& left) {
  if (!sealed_) return;
  const auto key = read_seal_key(options_.seal.key, "ws-42", options_.path);
  ASSERT_TRUE(key) << key.error().message;
  std::set<std::uint64_t> seqs;
  for (const std::string& line : left) {
    if (const auto fields = chain_fields(line)) seqs.insert(fields->seq);
  }
  for (std::uint64_t seq = 1; seq < key->sealed.seq; ++seq) {
    EXPECT_TRUE(seqs.contains(seq)) << "seq " << seq << " was sealed, and is lost";
  }
}

// The chain may have holes where lines were lost, with batches those of events that were not
// acknowledged yet; nothing else is ever wrong in it.
void Machine::expect_verifier_content() {
  const auto report = verify({options_.path}, verifier_);
  ASSERT_TRUE(report) << report.error().message;
  for (const Finding& finding : report->findings) {
    const bool may_be = options_.sync != Sync::kAlways && finding.kind == FindingKind::kMissing;
    EXPECT_TRUE(may_be) << to_text(*report);
  }
}

void Machine::expect_shipper_loses_nothing(std::size_t step) {
  std::vector<std::pair<std::size_t, std::string>> after;
  said_.clear();
  ship(after);
  std::set<std::string> have;
  for (const auto& [when, line] : delivered_) {
    if (when <= step) have.insert(line);
  }
  for (const auto& [when, line] : after) have.insert(line);
  for (const std::string& line : lines()) {
    EXPECT_TRUE(have.contains(line)) << "never delivered: " << line.substr(0, 200) << "\n" << said_;
  }
}

struct Promise {
  const char* name;
  Sync sync;
  bool sealed;
  bool behind = false;  // checkpoints are made when the verdict is out, before they are due
};
void PrintTo(const Promise& promise, std::ostream* out) { *out << promise.name; }

class PowerCut : public testing::TestWithParam<Promise> {};

TEST_P(PowerCut, KeepsThePromiseAfterEachCall) {
  ::umask(022);
  Machine machine(GetParam().sync, GetParam().sealed, GetParam().behind);
  EXPECT_EQ(machine.sealed_behind() > 1, GetParam().behind);
  std::mt19937 random(kSeed);
  const auto fixed = [](bool folders, bool files) {
    Disk::Luck luck;
    luck.durable = [=](const std::string&, std::size_t count, bool is_folder) {
      return (is_folder ? folders : files) ? count : 0;
    };
    luck.torn = [](std::size_t) { return 0; };
    luck.zeros = [] { return false; };
    return luck;
  };
  Disk::Luck any;
  any.durable = [&](const std::string&, std::size_t count, bool) { return random() % (count + 1); };
  any.torn = [&](std::size_t size) { return random() % (size + 1); };
  any.zeros = [&] { return random() % 4 == 0; };

  for (std::size_t step = machine.first_cut(); step <= machine.last_cut(); ++step) {
    SCOPED_TRACE("power cut after call " + std::to_string(step) + ", seed " +
                 std::to_string(kSeed));
    for (const bool folders : {true, false}) {
      for (const bool files : {true, false}) machine.cut(step, fixed(folders, files));
    }
    for (int i = 0; i < random_states(); ++i) machine.cut(step, any);
    if (HasFailure()) {
      machine.print();
      return;
    }
  }
  EXPECT_GT(machine.states, 50U);
  RecordProperty("states", static_cast<int>(machine.states));
}
INSTANTIATE_TEST_SUITE_P(
    Sync, PowerCut,
    testing::Values(Promise{"off", Sync::kOff, false}, Promise{"off_sealed", Sync::kOff, true},
                    Promise{"batch", Sync::kBatch, false},
                    Promise{"batch_sealed", Sync::kBatch, true},
                    Promise{"always", Sync::kAlways, false},
                    Promise{"always_sealed", Sync::kAlways, true},
                    Promise{"off_sealed_behind", Sync::kOff, true, true},
                    Promise{"always_sealed_behind", Sync::kAlways, true, true}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace lilith::audit
