// Seals among what arrived: verified for each host whatever the order, and no alarm for what the
// order or the cut of the input does.

#include "audit/codec.hpp"
#include "audit/read/arrival.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/audit_read/sealed_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

namespace lilith::audit {
namespace {

using test::SealedLog;
using test::write_text;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

using Lines = std::vector<std::string>;
constexpr WallTime kNow = WallTime(std::chrono::seconds(1'800'000'000));

ArrivalReport check(const Lines& lines, const std::vector<VerifyKey>& keys) {
  ArrivalOptions options;
  options.keys = keys;
  ArrivalCheck check(options);
  check.begin("in");
  std::uint64_t number = 0;
  for (const std::string& line : lines) check.line(++number, line, kNow);
  return check.report(kNow);
}
ArrivalReport check(const SealedLog& log, const Lines& lines) {
  return check(lines, log.verifier.keys);
}

// Each fault once, in order.
std::string faults(const ArrivalReport& report) {
  std::string out;
  for (const ArrivalFinding& finding : report.findings) {
    const std::string fault(name(finding.fault));
    if (out.find(fault) == std::string::npos) out += (out.empty() ? "" : " ") + fault;
  }
  return out;
}

void edit(std::string& line) {
  const std::size_t at = line.find("\"reason\":\"work");
  ASSERT_NE(at, std::string::npos);
  line.replace(at, 14, "\"reason\":\"play");
}

struct Order {
  const char* name;
  std::function<void(Lines&)> change;
};
void PrintTo(const Order& order, std::ostream* out) { *out << order.name; }
const std::vector<Order> kOrders = {
    {"as_written", [](Lines&) {}},
    {"backwards", [](Lines& l) { std::reverse(l.begin(), l.end()); }},
    {"shuffled", [](Lines& l) { std::shuffle(l.begin(), l.end(), std::mt19937(7)); }},
    {"twice",
     [](Lines& l) {
       const Lines once = l;
       l.insert(l.end(), once.begin(), once.end());
     }},
    {"second_half_first",
     [](Lines& l) {
       std::rotate(l.begin(), l.begin() + static_cast<std::ptrdiff_t>(l.size() / 2), l.end());
     }},
};
class ArrivedSealsInOrder : public testing::TestWithParam<Order> {};
TEST_P(ArrivedSealsInOrder, ReachAsFarAsInTheLogAndRaiseNothing) {
  SealedLog log;
  log.append(100);
  const SealedUpTo in_log = log.verify().seals.at(0);
  Lines lines = log.lines();
  GetParam().change(lines);
  const ArrivalReport report = check(log, lines);
  EXPECT_EQ(faults(report), "") << to_text(report);
  ASSERT_EQ(report.seals.size(), 1U);
  EXPECT_EQ(report.seals[0].seq, in_log.seq);
  EXPECT_EQ(report.seals[0].verified, in_log.verified);
  EXPECT_EQ(report.seals[0].tail, in_log.tail);
  EXPECT_EQ(report.seals[0].unverified, 0U);
}
TEST_P(ArrivedSealsInOrder, ShowARewrittenHistory) {
  SealedLog log;
  log.append(100);
  Lines lines = log.lines();
  const std::size_t fourth = log.checkpoint(3);
  edit(lines[fourth - 1]);
  SealedLog::rechain(lines, fourth - 1);
  log.sign_with_present_key(lines, fourth - 1);
  const std::uint64_t third_seq = decode(lines[log.checkpoint(2)]).value().seq;
  GetParam().change(lines);
  const ArrivalReport report = check(log, lines);
  EXPECT_EQ(faults(report), "seal_failed") << to_text(report);
  EXPECT_EQ(report.findings.at(0).first_seq, fourth + 1);
  EXPECT_EQ(report.findings.at(0).host, "ws-42");
  EXPECT_EQ(report.seals.at(0).seq, third_seq);
  EXPECT_GT(report.seals.at(0).unverified, 0U);
}
TEST_P(ArrivedSealsInOrder, ShowACheckpointThatWasTakenOutAndHealed) {
  SealedLog log;
  log.append(100);
  Lines lines = log.lines();
  const std::size_t third = log.checkpoint(2);
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(third));
  SealedLog::rechain(lines, third);
  GetParam().change(lines);
  EXPECT_EQ(faults(check(log, lines)), "seal_missing");
}
INSTANTIATE_TEST_SUITE_P(Orders, ArrivedSealsInOrder, testing::ValuesIn(kOrders),
                         [](const auto& tested) { return tested.param.name; });

TEST(ArrivedSeals, AreSaidForEachHostWithTheTailThatIsNotSealed) {
  SealedLog log;
  log.append(60);
  const ArrivalReport report = check(log, log.lines());
  const SealedUpTo& sealed = report.seals.at(0);
  const std::string tail =
      std::to_string(sealed.seq + 1) + " to " + std::to_string(sealed.seq + sealed.tail);
  EXPECT_THAT(to_text(report),
              HasSubstr("sealed up to seq " + std::to_string(sealed.seq) + " of chain "));
  EXPECT_THAT(to_text(report), HasSubstr("unsealed tail of " + std::to_string(sealed.tail) +
                                         " events, seq " + tail + ", the newest of "));
  EXPECT_THAT(to_json(report), HasSubstr("\"seals\":[{\"host\":\"ws-42\""));
  EXPECT_THAT(to_json(report), HasSubstr("\"unsealed_tail\":" + std::to_string(sealed.tail)));
  const std::string key = "{host=\"ws-42\",key=\"" + sealed.key + "\"} ";
  EXPECT_THAT(to_prometheus(report), HasSubstr("lilith_verify_seal_findings 0\n"));
  EXPECT_THAT(to_prometheus(report), HasSubstr("lilith_verify_unsealed_events" + key +
                                               std::to_string(sealed.tail) + "\n"));
  // Without keys nobody asked.
  EXPECT_THAT(to_json(check(log.lines(), {})), Not(HasSubstr("seal")));
}

TEST(ArrivedSeals, APartOfALogBeginsAtARememberedCheckpoint) {
  SealedLog log;
  log.append(50);
  log.remember();
  const std::uint64_t known = log.verifier.keys.back().seq;
  // Nothing new: what was verified before still holds.
  Lines lines = log.lines();
  Lines part(lines.begin() + static_cast<std::ptrdiff_t>(known), lines.end());
  const ArrivalReport quiet = check(log, part);
  EXPECT_EQ(faults(quiet), "") << to_text(quiet);
  EXPECT_THAT(to_text(quiet), HasSubstr("verified before; unsealed tail of"));
  log.append(50);
  lines = log.lines();
  part.assign(lines.begin() + static_cast<std::ptrdiff_t>(known) + 5, lines.end());
  const ArrivalReport grown = check(log, part);
  EXPECT_EQ(faults(grown), "") << to_text(grown);
  EXPECT_GT(grown.seals.at(0).seq, known);
  // Nobody can say that of a key that remembers nothing.
  log.verifier.keys.resize(1);
  EXPECT_EQ(faults(check(log, part)), "seal_missing");
}

TEST(ArrivedSeals, ALogThatIsNotSealedIsAFindingWhereItsBeginningArrived) {
  SealedLog log;
  log.options.seal.key.clear();
  log.append(5);
  Lines lines = log.lines();
  EXPECT_EQ(faults(check(log, lines)), "seal_stopped");
  lines.erase(lines.begin());
  const ArrivalReport part = check(log, lines);
  EXPECT_EQ(faults(part), "") << "a part of a day need not have a checkpoint";
  EXPECT_THAT(to_text(part), HasSubstr("no checkpoint was verified"));
}

TEST(ArrivedSeals, SealingThatStoppedIsAFinding) {
  SealedLog log;
  log.append(30);
  log.options.seal.key.clear();
  log.append(2 * static_cast<int>(SealedLog::kInterval));
  const ArrivalReport report = check(log, log.lines());
  EXPECT_EQ(faults(report), "seal_stopped");
  EXPECT_EQ(report.findings.at(0).first_seq, report.seals.at(0).seq + 1);
}

TEST(ArrivedSeals, AKeyThatNobodyVouchesForIsAFindingOfItsHost) {
  SealedLog log;
  log.append(30);
  VerifyKey other = log.verifier.keys.at(0);
  other.key = std::string(16, 'a');
  const ArrivalReport report = check(log.lines(), {other});
  EXPECT_THAT(faults(report), HasSubstr("seal_unknown_key"));
  EXPECT_EQ(report.findings.at(0).host, "ws-42");
}

TEST(ArrivedSeals, CheckpointsThatArrivedTakenApartAreSaidAndAreNoFinding) {
  SealedLog log;
  log.append(60);
  Lines lines = log.lines();
  std::size_t apart = 0;
  for (std::string& line : lines) {
    const Event event = decode(line).value();
    if (event.type != EventType::kCheckpoint) continue;
    // As Wazuh has an event without full_log.
    line = R"({"rule":{"id":"100800"},"data":{"action":"none","lilith":{"schema":"1",)"
           R"("event":"checkpoint","host":")" +
           event.host + R"(","seq":")" + std::to_string(event.seq) + R"(","time":")" +
           format_time(event.time) + R"("},"chain":{"id":")" + event.chain_id + R"(","prev":")" +
           event.chain_prev + R"(","hash":")" + event.chain_hash + R"("}}})";
    ++apart;
  }
  ASSERT_GT(apart, 3U);
  const ArrivalReport report = check(log, lines);
  EXPECT_EQ(report.linked, apart);
  EXPECT_EQ(faults(report), "") << to_text(report);
  EXPECT_THAT(to_text(report), HasSubstr("checkpoints arrived taken apart"));
}

// ---- the keys of many hosts

TEST(ArrivedSeals, KeysComeFromFilesAndDirectoriesAndOneFileRemembersThem) {
  SealedLog first, second;
  first.append(40);
  second.append(40);
  const auto line_of = [](const SealedLog& log) { return to_line(log.verifier.keys.at(0)) + "\n"; };
  const std::string directory = first.dir.file("keys");
  fs::create_directory(directory);
  write_text(directory + "/a", line_of(first));
  write_text(directory + "/b", line_of(second));
  write_text(directory + "/.swp", "no key");
  const std::string in = first.dir.file("in.ndjson");
  write_text(in, test::joined(first.lines()) + test::joined(second.lines()));
  ArrivedArguments arguments;
  arguments.verify_keys = {directory};
  const auto two = verify_arrived({in}, arguments, first.clock);
  ASSERT_TRUE(two) << two.error().message;
  EXPECT_EQ(two->exit_code, 0) << two->text;
  arguments.remember = true;
  const auto refused = verify_arrived({in}, arguments, first.clock);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("give one file with the lines of all hosts"));
  const std::string file = first.dir.file("all");
  write_text(file, line_of(first) + line_of(second));
  arguments.verify_keys = {file};
  ASSERT_TRUE(verify_arrived({in}, arguments, first.clock));
  EXPECT_EQ(read_verify_keys(file)->size(), 4U);

  // A directory without keys, and one with something else in it, are named.
  const std::string empty = first.dir.file("empty");
  fs::create_directory(empty);
  EXPECT_THAT(read_verify_keys(std::vector{empty}).error().message,
              HasSubstr("has no file of keys"));
  write_text(directory + "/c", "garbage\n");
  EXPECT_THAT(read_verify_keys(std::vector{directory}).error().message,
              HasSubstr("/c:1: this is no"));
}

TEST(ArrivedSeals, AHostWithAFindingIsNotRememberedAndTheOthersAre) {
  SealedLog log;
  log.append(40);
  const std::string file = log.dir.file("all");
  VerifyKey other = log.verifier.keys.at(0);
  write_text(file, to_line(other) + "\n");
  ArrivedArguments arguments;
  arguments.verify_keys = {file};
  arguments.remember = true;
  Lines lines = log.lines();
  lines.erase(lines.begin() + 10);
  const std::string in = log.dir.file("in.ndjson");
  write_text(in, test::joined(lines));
  EXPECT_EQ(verify_arrived({in}, arguments, log.clock)->exit_code, 1);
  EXPECT_EQ(read_verify_keys(file)->size(), 1U);
  write_text(in, test::joined(log.lines()));
  EXPECT_EQ(verify_arrived({in}, arguments, log.clock)->exit_code, 0);
  EXPECT_EQ(read_verify_keys(file)->size(), 2U);
}

}  // namespace
}  // namespace lilith::audit
