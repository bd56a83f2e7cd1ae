#include "audit/codec.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/codec_view.hpp"
#include "audit/json/reader.hpp"
#include "tests/audit/codec_properties.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::audit {
namespace {

using test::allowed_command;
using test::denied_egress;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Codec, WritesTheDocumentedLine) {
  test::expect_golden("event-lines.ndjson",
                      encode(denied_egress()) + "\n" + encode(allowed_command()) + "\n");
}

TEST(Codec, ReadsBackWhatItWrote) {
  for (const Event& event : {denied_egress(), allowed_command(), Event{}}) {
    const auto read = decode(encode(event));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(*read, event) << encode(event);
  }
}

TEST(Codec, RoundTripsAnyOutsideContentByteForByte) {
  std::mt19937 random(20261124);
  for (int i = 0; i < 3000; ++i) {
    const Event event = test::random_event(random);
    const std::string line = encode(event);
    ASSERT_THAT(line, StartsWith(R"({"lilith":{"schema":1,"event":")"));
    const auto read = decode(line);
    ASSERT_TRUE(read.has_value()) << read.error().message << "\n" << line;
    ASSERT_EQ(*read, event) << line;
    ASSERT_EQ(encode(*read), line);
    const auto chain = chain_fields(line);
    ASSERT_TRUE(chain.has_value()) << line;
    ASSERT_EQ(chain->seq, event.seq) << line;
    ASSERT_EQ(chain->id, event.chain_id);
    ASSERT_EQ(chain->prev, event.chain_prev);
    ASSERT_EQ(chain->hash, event.chain_hash);
    ASSERT_EQ(line.substr(chain->hash_at, 64), event.chain_hash);
  }
}

// Members of a later version, in every object, with numbers and spacing that a careless reader
// would change.
TEST(Codec, KeepsUnknownMembersByteForByte) {
  std::string line = encode(allowed_command());
  const auto put_before = [&line](std::string_view anchor, std::string_view text) {
    const std::size_t at = line.find(anchor);
    ASSERT_NE(at, std::string::npos) << anchor;
    line.insert(at, text);
  };
  put_before(R"(},"host":)", R"(,"later":1.50)");  // end of lilith.process
  put_before(R"(},"action":)", R"(,"future":{"deep": [1,  2.0e3, null]},"f2":"\u0041[")");
  put_before(R"(,"chain":)", R"(,"vendor":[ true ])");
  put_before(R"(,"hash":)", R"(,"sig":"x")");
  const auto read = decode(line);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(encode(*read), line);
}

TEST(Codec, GuardsValuesThatWouldBecomeArrays) {
  // facts: an outside value such as [1] turns into an array in a Wazuh alert and changes the index
  // type.
  for (const char* value : {"[1]", "[", " [x]", "  [", "[::1]"}) {
    Event event = denied_egress();
    event.operation.host = value;
    const std::string line = encode(event);
    EXPECT_THAT(line, HasSubstr("\"host\":\" " + std::string(value)));
    EXPECT_EQ(decode(line).value().operation.host, value);
  }
}

TEST(Codec, CutsLongValuesAndListsThem) {
  Event event = allowed_command();
  event.call.command = "\xC3\xA9" + std::string(limits::kEventValueBytesMax, 'x') + "\xC3\xA9";
  const auto read = decode(encode(event));
  ASSERT_TRUE(read.has_value());
  EXPECT_LE(read->call.command.size(), limits::kEventValueBytesMax);
  EXPECT_EQ(read->truncated, "call.command=" + std::to_string(event.call.command.size()) + ":" +
                                 sha256_hex(event.call.command));
}

TEST(Codec, NeverMakesALineAboveTheLimit) {
  Event event = allowed_command();
  for (int i = 0; i < 100; ++i) event.call.paths.push_back(std::string(5000, '"'));
  event.call.arguments = std::string(200'000, '\\');
  event.reason = std::string(200'000, 'r');
  event.facts.cwd = std::string(100'000, '\n');
  const std::string line = encode(event);
  EXPECT_LE(line.size() + 64, limits::kEventLineBytesMax + 64);
  const auto read = decode(line);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->action, event.action);
  for (const char* member : {"call.paths=", "call.arguments=", "reason=", "cwd="}) {
    EXPECT_THAT(read->truncated, HasSubstr(member));
  }
}

TEST(Codec, ReplacesWhatJsonOrWazuhCannotCarryAndSaysSo) {
  Event event = allowed_command();
  event.call.command = std::string("git\0status", 10);
  event.facts.cwd = "/home/\xFF";
  const auto read = decode(encode(event));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->call.command, "git\xEF\xBF\xBDstatus");
  EXPECT_EQ(read->facts.cwd, "/home/\xEF\xBF\xBD");
  EXPECT_EQ(read->redacted, "call.command=nul cwd=invalid_utf8");
}

struct BadLine {
  const char* name;
  std::string line;
  const char* says;
};
void PrintTo(const BadLine& c, std::ostream* out) { *out << c.name; }
class CodecRefuses : public testing::TestWithParam<BadLine> {};
TEST_P(CodecRefuses, AndNamesTheMember) {
  const auto read = decode(GetParam().line);
  ASSERT_FALSE(read.has_value());
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().says));
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string line = encode(denied_egress());
  const std::size_t at = line.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  line.replace(at, from.size(), to);
  return line;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, CodecRefuses,
    testing::Values(
        BadLine{"empty", "", "not a JSON object"}, BadLine{"array", "[1]", "not a JSON object"},
        BadLine{"other_json", R"({"a":1})", "lilith: is missing"},
        BadLine{"other_schema", replaced("\"schema\":1", "\"schema\":2"), "schema"},
        BadLine{"unknown_action", replaced("\"denied\"", "\"dinied\""), "action: 'dinied'"},
        BadLine{"unknown_event", replaced("\"decision\",", "\"revision\","), "lilith.event"},
        BadLine{"number_for_text", replaced("\"ws-42\",\"seq\"", "42,\"seq\""), "lilith.host"},
        BadLine{"fraction_for_integer", replaced("\"pid\":4711", "\"pid\":1.5"),
                "lilith.process.pid"},
        BadLine{"bad_time", replaced("2026-11-24T00", "2026-13-24T00"), "lilith.time"},
        BadLine{"port_out_of_range", replaced("\"port\":443", "\"port\":65536"), "port"},
        BadLine{"member_twice", replaced("\"host\":\"ws-42\"", "\"host\":\"a\",\"host\":\"b\""),
                "twice"},
        BadLine{"unknown_member_twice", replaced("\"host\":", "\"x\":1,\"x\":2,\"host\":"),
                "twice"},
        BadLine{"damaged_unknown_member", replaced("\"host\":", "\"x\"::1,\"host\":"),
                "damaged value of 'x'"},
        BadLine{"damage_inside_an_unknown_member",
                replaced("\"host\":", "\"x\":{\"a\":[1,]},\"host\":"), "damaged value of 'x'"},
        BadLine{"cut", encode(denied_egress()).substr(0, 300), ""},
        BadLine{"text_after", encode(denied_egress()) + "x", "not a JSON object"},
        BadLine{"object_after", encode(denied_egress()) + "{}", "after"},
        BadLine{"invalid_utf8", replaced("evil", "\xFFvil"), "UTF-8"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Codec, SurvivesRandomDamage) {
  std::mt19937 random(7);
  const std::string good = encode(allowed_command());
  Decoder decoder;
  Event event;
  for (int i = 0; i < 20'000; ++i) {
    std::string line = good;
    for (auto n = 1 + random() % 4; n > 0; --n) {
      line[random() % line.size()] = static_cast<char>(random());
    }
    if (decoder.decode(line, event)) {
      Event again;
      ASSERT_TRUE(decoder.decode(encode(event), again).has_value()) << line;
    }
  }
}

// A line in the writer's layout is read by one walk over its bytes, any other member by member.
// What the two say may not differ, whatever was done to the line.
TEST(CodecLayouts, AgreeOnEveryLineThatTheWriterMakes) {
  std::mt19937 random(20261126);
  for (int i = 0; i < 2000; ++i) {
    const std::string line = encode(test::random_event(random));
    LineView view;
    ASSERT_TRUE(view_line(line, view)) << line;
    ASSERT_EQ(test::codec_fault(line), "") << line;
  }
}

TEST(CodecLayouts, AgreeOnDamagedLines) {
  static constexpr std::string_view kPieces[] = {
      "\"", "\\", "{",    "}",     "[",       "]",          ",",           ":",    " ",
      "0",  "-",  "1",    "9.5",   "\\u0041", "\\u001f",    "\\u00e9",     "\\/",  "\n",
      "[]", "{}", "null", "true",  "\"\"",    "\"x\":1,",   "\xC3\xA9",    "\xFF", "\x7F",
      " [", "-0", "007",  "\"7\"", "1e3",     "\"uid\":5,", "\"id\":\"\","};
  std::mt19937 random(20261127);
  for (int i = 0; i < 8000; ++i) {
    std::string line = encode(test::random_event(random));
    for (auto n = 1 + random() % 2; n > 0; --n) {
      const std::size_t at = random() % line.size();
      const std::string_view piece = kPieces[random() % std::size(kPieces)];
      switch (random() % 3) {
        case 0:
          line.insert(at, piece);
          break;
        case 1:
          line.replace(at, std::min(piece.size(), line.size() - at), piece);
          break;
        default:
          line.erase(at, 1 + random() % 3);
      }
    }
    ASSERT_EQ(test::codec_fault(line), "") << line;
  }
}

// The corpus that the fuzzer starts from, and what it found once.
TEST(CodecLayouts, AgreeOnTheCorpus) {
  std::size_t lines = 0;
  for (const char* name : {"event-lines.ndjson", "chain-vector.ndjson", "codec-corpus.ndjson"}) {
    const std::string all =
        test::read_text(std::string(LILITH_SOURCE_DIR) + "/tests/golden/" + name);
    for (const std::string& line : test::lines_of(all)) {
      ++lines;
      EXPECT_EQ(test::codec_fault(line), "") << line;
    }
  }
  EXPECT_GT(lines, 20U);
}

TEST(Chain, GivesTheDocumentedVector) {
  // docs/event.md prints these three lines.
  std::string prev(kGenesis), lines;
  Event event = denied_egress();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    event.seq = seq;
    event.chain_prev = prev;
    event.chain_hash.clear();
    const std::string unsigned_line = encode(event);
    EXPECT_THAT(unsigned_line, EndsWith(R"("hash":""}})"));
    prev = event.chain_hash = sha256_hex(prev + std::string(1, '\0') + unsigned_line);
    EXPECT_EQ(chain_hash(event.chain_prev, unsigned_line), event.chain_hash);
    lines += encode(event) + "\n";
  }
  test::expect_golden("chain-vector.ndjson", lines);
}

TEST(Chain, FieldsAreFoundInForeignSpacingToo) {
  const std::string line = R"({"lilith": {"schema":1,"seq": "9"}, "chain": {"hash": ")" +
                           std::string(64, 'b') + R"(", "id":"c","prev":")" + std::string(64, 'a') +
                           R"("}})";
  const auto fields = chain_fields(line);
  ASSERT_TRUE(fields.has_value()) << fields.error().message;
  EXPECT_EQ(fields->seq, 9U);
  EXPECT_EQ(fields->hash, std::string(64, 'b'));
  EXPECT_EQ(line.substr(fields->hash_at, 64), fields->hash);
  EXPECT_FALSE(chain_fields("{}").has_value());
  EXPECT_FALSE(chain_fields("").has_value());
}

TEST(Names, AreTheSameBothWays) {
  for (int i = 0; i <= static_cast<int>(EventType::kConnectionClosed); ++i) {
    const auto value = static_cast<EventType>(i);
    EXPECT_FALSE(name(value).empty());
    EXPECT_EQ(event_type(name(value)), value);
  }
  for (const auto value : {Action::kAllowed, Action::kDenied, Action::kWouldDeny, Action::kError,
                           Action::kRecorded, Action::kNone}) {
    EXPECT_EQ(action(name(value)), value);
  }
  for (const auto value :
       {OperationKind::kReadFile, OperationKind::kWriteFile, OperationKind::kRunCommand,
        OperationKind::kEgress, OperationKind::kMcpTool, OperationKind::kOther}) {
    EXPECT_EQ(operation_kind(name(value)), value);
  }
  EXPECT_FALSE(action("Denied").has_value());
}

}  // namespace
}  // namespace lilith::audit
