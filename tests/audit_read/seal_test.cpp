// A sealed log under attack by somebody who may write all files of the host: what `lilith verify
// --verify-key` says of it. docs/threat-model.md has the same table.

#include "audit/base/file.hpp"
#include "audit/codec.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/audit_read/sealed_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::audit {
namespace {

using test::SealedLog;
using testing::HasSubstr;
namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

void edit(std::string& line) {
  const std::size_t at = line.find("\"reason\":\"work");
  ASSERT_NE(at, std::string::npos);
  line.replace(at, 14, "\"reason\":\"play");
}

void erase(Lines& lines, std::size_t from, std::size_t to) {
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from),
              lines.begin() + static_cast<std::ptrdiff_t>(to));
}

// What is done to a log of 60 events with checkpoints, in one file.
struct Attack {
  const char* name;
  std::function<void(SealedLog&, Lines&)> change;
  const char* expected;  // kinds of finding
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

const std::vector<Attack> kAttacks = {
    {"untouched", [](SealedLog&, Lines&) {}, ""},
    {"line_deleted", [](SealedLog&, Lines& l) { erase(l, 20, 21); }, "missing"},
    {"line_deleted_and_all_behind_it_made_to_follow",
     [](SealedLog&, Lines& l) {
       erase(l, 20, 21);
       SealedLog::rechain(l, 20);
     },
     "seal_failed"},
    {"range_with_two_checkpoints_deleted",
     [](SealedLog& log, Lines& l) { erase(l, log.checkpoint(2), log.checkpoint(4)); },
     "missing seal_missing"},
    {"checkpoint_deleted_and_all_behind_it_made_to_follow",
     [](SealedLog& log, Lines& l) {
       const std::size_t at = log.checkpoint(3);
       erase(l, at, at + 1);
       SealedLog::rechain(l, at);
     },
     "seal_missing"},
    {"byte_edited", [](SealedLog&, Lines& l) { edit(l[12]); }, "changed"},
    {"byte_edited_and_rehashed",
     [](SealedLog&, Lines& l) {
       edit(l[12]);
       SealedLog::rechain(l, 12);
     },
     "seal_failed"},
    {"rewritten_and_signed_with_the_key_of_today",
     [](SealedLog& log, Lines& l) {
       edit(l[12]);
       SealedLog::rechain(l, 12);
       log.sign_with_present_key(l, 12);
     },
     "seal_failed"},
    {"line_put_in",
     [](SealedLog&, Lines& l) {
       l.insert(l.begin() + 20, l[19]);
       SealedLog::rechain(l, 20);
     },
     "seal_failed"},
    {"lines_swapped", [](SealedLog&, Lines& l) { std::swap(l[20], l[21]); }, "reordered"},
    {"lines_swapped_and_rehashed",
     [](SealedLog&, Lines& l) {
       edit(l[20]);
       std::swap(l[20], l[21]);
       SealedLog::rechain(l, 20);
     },
     "seal_failed"},
    {"beginning_replayed_behind_the_end",
     [](SealedLog&, Lines& l) {
       const Lines old(l.begin(), l.begin() + 30);
       l.insert(l.end(), old.begin(), old.end());
     },
     "duplicated"},
    {"two_checkpoints_swapped",
     [](SealedLog& log, Lines& l) {
       std::swap(l[log.checkpoint(2)], l[log.checkpoint(3)]);
       SealedLog::rechain(l, log.checkpoint(2));
     },
     "seal_failed"},
    // What follows the last checkpoint is what seals can't keep: whoever takes the key then can
    // write it anew. It is bounded by the interval.
    {"unsealed_tail_cut", [](SealedLog&, Lines& l) { l.pop_back(); }, ""},
    {"unsealed_tail_rewritten",
     [](SealedLog&, Lines& l) {
       edit(l.back());
       SealedLog::rechain(l, l.size() - 1);
     },
     ""},
};

class SealAttack : public testing::TestWithParam<Attack> {};
TEST_P(SealAttack, HasItsOwnFinding) {
  SealedLog log;
  log.append(60);
  Lines lines = log.lines();
  GetParam().change(log, lines);
  log.write(lines);
  EXPECT_EQ(log.kinds(), GetParam().expected) << to_text(log.verify());
}
INSTANTIATE_TEST_SUITE_P(Attacks, SealAttack, testing::ValuesIn(kAttacks),
                         [](const auto& tested) { return tested.param.name; });

TEST(Seals, ReachToTheLastCheckpointAndNameTheTail) {
  SealedLog log;
  log.append(60);
  const VerifyReport report = log.verify();
  ASSERT_EQ(report.seals.size(), 1U);
  const auto& sealed = report.seals[0];
  EXPECT_EQ(report.findings_total, 0U) << to_text(report);
  EXPECT_EQ(sealed.seq + sealed.tail, report.chains[0].last_seq);
  EXPECT_GT(sealed.tail, 0U);
  EXPECT_LE(sealed.tail, SealedLog::kInterval);
  EXPECT_EQ(sealed.verified, sealed.epoch + 1);
  EXPECT_EQ(sealed.host, "ws-42");
  EXPECT_THAT(to_text(report), HasSubstr("sealed up to seq " + std::to_string(sealed.seq)));
  EXPECT_THAT(to_json(report), HasSubstr("\"unsealed_tail\":" + std::to_string(sealed.tail) + "}"));
}

TEST(Seals, TheFirstCheckpointWhoseSignatureFailsIsNamedAndTheOnesBeforeItHold) {
  SealedLog log;
  log.append(60);
  Lines lines = log.lines();
  const std::size_t third = log.checkpoint(2), fourth = log.checkpoint(3);
  edit(lines[fourth - 1]);
  SealedLog::rechain(lines, fourth - 1);
  log.write(lines);
  const VerifyReport report = log.verify();
  ASSERT_EQ(report.findings.size(), 1U) << to_text(report);
  EXPECT_EQ(report.findings[0].line, fourth + 1);
  ASSERT_EQ(report.seals.size(), 1U);
  EXPECT_EQ(report.seals[0].seq, third + 1);
  EXPECT_GT(report.seals[0].unverified, 0U);
}

TEST(Seals, CoverRotatedFilesAndADeletedOneIsNoticed) {
  SealedLog log;
  for (int i = 0; i < 4; ++i) {
    log.append(12);
    log.rotate();
  }
  EXPECT_EQ(log.kinds(), "");
  const auto files = rotated_files(log.options.path).value();
  ASSERT_EQ(files.size(), 4U);
  for (const std::string& file : files) {
    const auto last = decode(test::lines_of(test::read_text(file)).back()).value();
    EXPECT_EQ(last.type, EventType::kCheckpoint);
    EXPECT_EQ(last.reason_code, "seal.rotation");
  }
  const std::string kept = test::read_text(files[1]);
  fs::remove(files[1]);
  EXPECT_EQ(log.kinds(), "missing seal_missing");
  // An old file under the name of a later one.
  test::write_text(files[1], kept);
  test::write_text(files[2], kept);
  EXPECT_EQ(log.kinds(), "duplicated missing seal_missing");
}

TEST(Seals, OlderFilesMayBeGoneWhereTheVerifyKeyRemembersThem) {
  SealedLog log;
  log.append(12);
  log.rotate();
  log.append(12);
  log.rotate();
  log.remember();
  log.append(20);
  const auto older = rotated_files(log.options.path).value();
  for (const std::string& file : older) fs::remove(file);
  EXPECT_EQ(log.kinds(), "") << to_text(log.verify());
  EXPECT_GT(log.verify().seals.at(0).verified, 1U);
  // Without that memory nobody can say whose key the first checkpoint here was signed with.
  log.verifier.keys.resize(1);
  EXPECT_EQ(log.kinds(), "seal_missing");
}

TEST(Seals, ACutBehindTheLastRememberedCheckpointIsNoticed) {
  SealedLog log;
  log.append(60);
  const std::size_t third = log.checkpoint(2);
  Lines lines = log.lines();
  lines.resize(third + 1);
  log.remember();
  log.write(lines);
  EXPECT_EQ(log.kinds(), "seal_rolled_back");
  // Nor does a history help that leads to the same place.
  SealedLog other;
  other.append(70);
  log.write(other.lines());
  EXPECT_THAT(log.kinds(), HasSubstr("seal_rolled_back"));
}

TEST(Seals, TruncatingAndGoingOnIsNoticedByTheWriterEvenWithoutItsLockFile) {
  SealedLog log;
  log.append(60);
  Lines lines = log.lines();
  lines.resize(log.checkpoint(2));
  log.write(lines);
  fs::remove(log.options.path + ".lock");
  log.append(3);
  EXPECT_EQ(log.kinds(), "missing seal_missing") << to_text(log.verify());
  const auto tampers = log.lines();
  EXPECT_TRUE(std::any_of(tampers.begin(), tampers.end(), [](const std::string& line) {
    return decode(line).value().type == EventType::kTamper;
  }));
}

TEST(Seals, RemovingLogAndLockFileIsNoticedByTheWriter) {
  SealedLog log;
  log.append(60);
  fs::remove(log.options.path);
  fs::remove(log.options.path + ".lock");
  log.append(20);
  const VerifyReport report = log.verify();
  ASSERT_EQ(report.chains.size(), 1U);
  EXPECT_GT(report.chains[0].first_seq, 60U) << "the chain goes on";
  EXPECT_EQ(log.kinds(), "seal_missing");
}

TEST(Seals, AForkFromABackupShowsBesideTheCopyThatWasShippedAndToWhoRemembers) {
  SealedLog log;
  log.append(30);
  const std::string backup = log.backup("backup");
  log.append(30);
  log.remember();
  const std::string shipped = log.dir.file("shipped.log");
  fs::copy(log.options.path, shipped);
  log.restore(backup, true);
  log.append(40, "other");
  EXPECT_THAT(log.kinds(), HasSubstr("seal_rolled_back"));
  log.verifier.keys.resize(1);
  EXPECT_EQ(log.kinds({shipped}), "duplicated forked seal_rolled_back")
      << to_text(log.verify({shipped}));
}

TEST(Seals, ABackupOfTheLogWithoutItsKeyIsNoticedByTheWriter) {
  SealedLog log;
  log.append(30);
  const std::string backup = log.backup("backup");
  log.append(30);
  log.restore(backup, false);
  log.append(5);
  EXPECT_EQ(log.kinds(), "missing seal_missing");
}

TEST(Seals, AClockThatIsPutBackPutsNoCheckpointOffAndIsSaid) {
  SealedLog log;
  log.append(30);
  const std::uint64_t before = log.verify().seals.at(0).verified;
  log.clock.advance(-std::chrono::hours(3));
  log.append(1);
  EXPECT_EQ(log.verify().seals.at(0).verified, before + 1);
  EXPECT_EQ(log.kinds(), "clock_set_back");
}

TEST(Seals, AClockThatIsPutForwardEndsTheTail) {
  SealedLog log;
  log.options.seal.events_max = 1000;
  log.options.seal.age_max = std::chrono::hours(8);
  log.append(30);
  EXPECT_EQ(log.verify().seals.at(0).tail, 30U);
  log.clock.advance(std::chrono::hours(9));
  log.append(1);
  EXPECT_EQ(log.verify().seals.at(0).tail, 1U);
  EXPECT_EQ(log.kinds(), "");
}

TEST(Seals, ALogThatStopsBeingSealedIsAFinding) {
  SealedLog log;
  log.append(30);
  const std::string key = log.options.seal.key;
  log.options.seal.key.clear();
  log.append(2 * static_cast<int>(SealedLog::kInterval));
  EXPECT_EQ(log.kinds(), "seal_stopped");
  // By time as well.
  SealedLog quiet;
  quiet.options.seal.events_max = 1000;
  quiet.append(10);
  quiet.options.seal.key.clear();
  quiet.clock.advance(std::chrono::hours(9));
  quiet.append(1);
  EXPECT_EQ(quiet.kinds(), "seal_stopped");
}

TEST(Seals, ALogWithoutAnyCheckpointIsAFindingForWhoKnowsAKeyOfItsHost) {
  SealedLog log;
  log.options.seal.key.clear();
  log.append(3);
  EXPECT_EQ(log.kinds(), "seal_stopped");
}

TEST(Seals, AKeyThatNobodyVouchesForIsAFinding) {
  SealedLog log;
  log.append(30);
  fs::remove(log.options.seal.key);
  const auto made = create_seal_key(log.options.seal.key, "ws-42", log.options.path);
  ASSERT_TRUE(made);
  log.append(30);
  EXPECT_THAT(log.kinds(), HasSubstr("seal_unknown_key"));
}

TEST(Seals, AThiefWhoSealsGoesOnOnlyFromTheLastCheckpointAndMustCount) {
  SealedLog log;
  log.append(30);
  Lines lines = log.lines();
  const std::size_t last = log.checkpoint(0);
  ASSERT_GT(lines.size(), last + 4);
  // The thief seals the tail with the key of today, as the writer would, and counts wrongly.
  auto key = load_seal_key(log.options.seal.key, "ws-42", log.options.path);
  ASSERT_TRUE(key);
  Event event = decode(lines[last]).value();
  Seal seal = seal_of(event).value();
  seal.epoch = key->key.epoch;
  seal.first = key->key.sealed.seq + 1;
  const std::uint64_t tail = decode(lines.back()).value().seq - key->key.sealed.seq;
  seal.counts[static_cast<std::size_t>(Action::kWouldDeny)] = tail;
  event.detail.clear();
  put_seal(event, seal);
  lines.push_back(encode(event));
  SealedLog::rechain(lines, lines.size() - 1);
  log.sign_with_present_key(lines, lines.size() - 1);
  log.write(lines);
  EXPECT_EQ(log.kinds(), "seal_miscounted") << to_text(log.verify());
}

TEST(Seals, CheckpointsMayArriveInAnyOrderAndTwice) {
  SealedLog log;
  for (int i = 0; i < 3; ++i) {
    log.append(20);
    log.rotate();
  }
  auto files = rotated_files(log.options.path).value();
  files.push_back(log.options.path);
  std::string all;
  for (auto file = files.rbegin(); file != files.rend(); ++file) all += test::read_text(*file);
  all += test::read_text(files[1]);
  test::write_text(log.dir.file("arrived"), all);
  const auto report = verify({log.dir.file("arrived")}, log.verifier).value();
  for (const Finding& finding : report.findings) {
    EXPECT_THAT(std::string(name(finding.kind)), testing::AnyOf("reordered", "duplicated"));
  }
  EXPECT_EQ(report.seals.at(0).verified, log.verify().seals.at(0).verified);
}

// ---- the key

struct BadKey {
  const char* name;
  std::function<void(const SealedLog&)> change;
  const char* says;
};
void PrintTo(const BadKey& bad, std::ostream* out) { *out << bad.name; }

void replace_in_key(const SealedLog& log, const std::string& from, const std::string& to) {
  std::string text = test::read_text(log.options.seal.key);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, from.size(), to);
  test::write_text(log.options.seal.key, text);
}

const std::vector<BadKey> kBadKeys = {
    {"missing", [](const SealedLog& log) { fs::remove(log.options.seal.key); },
     "does not exist; lilith seal init makes it"},
    {"open_to_others", [](const SealedLog& log) { ::chmod(log.options.seal.key.c_str(), 0640); },
     "can be read or written by others"},
    {"of_another_host",
     [](const SealedLog& log) { replace_in_key(log, "host ws-42", "host ws-1"); },
     "belongs to the host ws-1, and this is ws-42"},
    {"of_another_log",
     [](const SealedLog& log) { replace_in_key(log, "audit.log\n", "other.log\n"); },
     "belongs to the log"},
    {"cut", [](const SealedLog& log) { fs::resize_file(log.options.seal.key, 100); },
     "is no seal key of this version"},
    {"emptied", [](const SealedLog& log) { fs::resize_file(log.options.seal.key, 0); },
     "is no seal key of this version"},
    {"a_directory",
     [](const SealedLog& log) {
       fs::remove(log.options.seal.key);
       fs::create_directory(log.options.seal.key);
     },
     "is no file"},
    {"a_link",
     [](const SealedLog& log) {
       fs::rename(log.options.seal.key, log.options.seal.key + ".moved");
       fs::create_symlink(log.options.seal.key + ".moved", log.options.seal.key);
     },
     "can't be opened"},
};

class SealBadKey : public testing::TestWithParam<BadKey> {};
TEST_P(SealBadKey, IsAnErrorWhereSealsAreRequired) {
  SealedLog log;
  log.append(3);
  const Lines before = log.lines();
  GetParam().change(log);
  auto writer = open_log(log.options, log.clock);
  ASSERT_TRUE(writer);
  Event event;
  event.process_key = "ws-42/1/1";
  event.host = "ws-42";
  const auto appended = (*writer)->append(event);
  ASSERT_FALSE(appended);
  EXPECT_THAT(appended.error().message, HasSubstr(GetParam().says));
  EXPECT_EQ(log.lines(), before) << "nothing was written";
}
TEST_P(SealBadKey, IsSaidOnceInTheLogWhereTheyAreNot) {
  SealedLog log;
  log.options.seal.required = false;
  log.append(3);
  GetParam().change(log);
  log.append(20);
  std::size_t said = 0;
  for (const std::string& line : log.lines()) {
    const Event event = decode(line).value();
    if (event.type != EventType::kTamper) continue;
    ++said;
    EXPECT_THAT(event.reason, HasSubstr(GetParam().says));
    EXPECT_EQ(event.reason_code, "seal.unusable");
  }
  EXPECT_EQ(said, 1U);
  EXPECT_EQ(log.kinds(), "seal_stopped");
}
INSTANTIATE_TEST_SUITE_P(Keys, SealBadKey, testing::ValuesIn(kBadKeys),
                         [](const auto& tested) { return tested.param.name; });

TEST(SealKey, IsForItsOwnerOnlyAndNoOlderSecretIsLeftInItsFolder) {
  SealedLog log;
  std::vector<std::string> secrets;
  for (int i = 0; i < 4; ++i) {
    log.append(10);
    struct stat info{};
    ASSERT_EQ(::stat(log.options.seal.key.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    const std::string text = test::read_text(log.options.seal.key);
    secrets.push_back(text.substr(text.find("secret ") + 7, 64));
  }
  for (std::size_t i = 0; i + 1 < secrets.size(); ++i) {
    EXPECT_NE(secrets[i], secrets.back());
    for (const auto& entry : fs::recursive_directory_iterator(log.dir.path())) {
      if (!entry.is_regular_file()) continue;
      EXPECT_EQ(test::read_text(entry.path()).find(secrets[i]), std::string::npos);
    }
  }
}

TEST(SealKey, TheFileOfAnOldSecretIsOverwritten) {
  SealedLog log;
  // Somebody who holds the file open, or a second name of it, sees what is left of it.
  fs::create_hard_link(log.options.seal.key, log.dir.file("second-name"));
  log.append(1);
  const std::string left = test::read_text(log.dir.file("second-name"));
  EXPECT_EQ(left, std::string(left.size(), '\0'));
}

TEST(SealKey, IsNeverOverwrittenByANewOne) {
  SealedLog log;
  const auto again = create_seal_key(log.options.seal.key, "ws-42", log.options.path);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("a key is never overwritten"));
}

TEST(SealKey, CanBeSealedWithAtAnyTime) {
  SealedLog log;
  log.append(3);
  EXPECT_EQ(seal_log(log.options, SealReason::kStop, log.clock).value(), true);
  EXPECT_EQ(seal_log(log.options, SealReason::kStop, log.clock).value(), false) << "nothing is new";
  EXPECT_EQ(seal_log(log.options, SealReason::kInterval, log.clock).value(), false);
  EXPECT_EQ(seal_log(log.options, SealReason::kAsked, log.clock).value(), true);
  log.append(1);
  const VerifyReport report = log.verify();
  EXPECT_EQ(report.findings_total, 0U) << to_text(report);
  EXPECT_EQ(report.seals.at(0).tail, 1U);
}

TEST(SealKey, ManyProcessesSealOneLogInOneLine) {
  SealedLog log;
  log.options.lock_timeout = std::chrono::seconds(60);
  std::vector<pid_t> children;
  for (int i = 0; i < 30; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      log.append(5);
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const VerifyReport report = log.verify();
  EXPECT_EQ(report.findings_total, 0U) << to_text(report);
  EXPECT_GE(report.seals.at(0).verified, 150U / SealedLog::kInterval);
}

TEST(VerifyKeys, AreReadBackAndAnythingElseIsRefusedWithItsLine) {
  SealedLog log;
  log.append(60);
  log.remember();
  ASSERT_EQ(log.verifier.keys.size(), 2U);
  std::string text = "# two keys\n\n";
  for (const VerifyKey& key : log.verifier.keys) text += to_line(key) + "\r\n";
  const auto keys = parse_verify_keys(text, "keys");
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(to_line(keys->at(i)), to_line(log.verifier.keys[i]));
  }
  const std::string good = to_line(log.verifier.keys[0]);
  for (const std::string& bad :
       {std::string("garbage"), good + " what=1", good.substr(0, good.size() - 1),
        good.substr(0, good.find(" public")), std::string("lilith-verify-key 2 host=a")}) {
    const auto refused = parse_verify_keys(good + "\n" + bad + "\n", "keys");
    ASSERT_FALSE(refused) << bad;
    EXPECT_THAT(refused.error().message, HasSubstr("keys:2: this is no verify key"));
  }
  EXPECT_FALSE(parse_verify_keys("# none\n", "keys"));
}

}  // namespace
}  // namespace lilith::audit
