// The parts of MCP over HTTP that need no server: events as they come in pieces, and messages of
// several streams in one output.

#include "audit/base/limits.hpp"
#include "enforcer/mcp/http_headers.hpp"
#include "enforcer/mcp/message_output.hpp"
#include "enforcer/mcp/sse_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace lilith::enforcer::mcp {
namespace {

using testing::ElementsAre;

struct Events final : SseReader::Handler {
  void on_data(std::string_view bytes) override { data += bytes; }
  void on_event(std::string_view type) override {
    seen.push_back(std::string(type) + "|" + std::exchange(data, {}));
  }
  std::string data;
  std::vector<std::string> seen;
};

struct SseRow {
  const char* name;
  std::string stream;
  std::vector<std::string> events;
  std::string last_event_id;
  int retry = -1;
};
void PrintTo(const SseRow& row, std::ostream* out) { *out << row.name; }
class Sse : public testing::TestWithParam<SseRow> {};

TEST_P(Sse, IsReadTheSameInPiecesOfAnySize) {
  const SseRow& row = GetParam();
  for (std::size_t step = 1; step <= row.stream.size() + 1; ++step) {
    SseReader reader;
    Events events;
    for (std::size_t at = 0; at < row.stream.size(); at += step) {
      reader.feed(std::string_view(row.stream).substr(at, step), events);
    }
    EXPECT_EQ(events.seen, row.events) << "in pieces of " << step;
    EXPECT_EQ(reader.last_event_id(), row.last_event_id) << "in pieces of " << step;
    EXPECT_EQ(reader.retry().value_or(std::chrono::milliseconds(-1)).count(), row.retry);
  }
}

// The first rows are the examples of the HTML Living Standard, section 9.2.6.
INSTANTIATE_TEST_SUITE_P(
    All, Sse,
    testing::Values(
        SseRow{"lines_are_joined", "data: YHOO\ndata: +2\ndata: 10\n\n", {"message|YHOO\n+2\n10"}},
        SseRow{"comment_ids_and_a_reset",
               ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
               "data:  third event\n\n",
               {"message|first event", "message|second event", "message| third event"}},
        SseRow{"empty_data_is_data", "data\n\ndata\ndata\n\ndata:", {"message|", "message|\n"}},
        SseRow{"one_blank_after_the_colon_counts_not",
               "data:test\n\ndata: test\n\n",
               {"message|test", "message|test"}},
        SseRow{"types", "event: add\ndata: 73857293\n\ndata: x\n\n", {"add|73857293", "message|x"}},
        SseRow{"all_line_ends",
               "data: a\r\rdata: b\r\n\r\ndata: c\n\n",
               {"message|a", "message|b", "message|c"}},
        SseRow{"byte_order_mark",
               "\xEF\xBB\xBF"
               "data: x\n\n",
               {"message|x"}},
        SseRow{"half_a_byte_order_mark_is_a_field",
               "\xEF\xBB"
               "data: x\n\n",
               {}},
        SseRow{"only_one_mark",
               "\xEF\xBB\xBF\xEF\xBB\xBF"
               "data: x\n\n",
               {}},
        SseRow{"id_without_data_is_kept", "id: 5\n\n", {}, "5"},
        SseRow{"id_of_half_an_event_is_not", "id: 5\n\nid: 6\ndata: x\n", {}, "5"},
        SseRow{"id_with_nul", std::string("id: a\0b\ndata: x\n\n", 17), {"message|x"}},
        SseRow{"id_that_is_too_long",
               "id: 5\n\nid: " + std::string(limits::kMcpSseValueBytesMax + 1, 'x') + "\n\n",
               {},
               ""},
        SseRow{"retry",
               "retry: 250\nretry: 1x\nretry: -5\nretry:\nretry: 99999999999999999999\n",
               {},
               "",
               250},
        SseRow{"other_fields", "foo: bar\ndatabase: x\ndata : y\nDATA: z\n\n", {}},
        SseRow{"type_that_is_too_long",
               "event: " + std::string(limits::kMcpSseValueBytesMax + 1, 'x') + "\ndata: y\n\n",
               {"?|y"}}),
    [](const testing::TestParamInfo<SseRow>& one) { return std::string(one.param.name); });

TEST(MessageOutput, KeepsMessagesOfSeveralStreamsApart) {
  MessageOutput output;
  IncomingMessage one(output), two(output);
  one.append(R"({"id":1,)");
  two.append("{\"method\":\"m\",\r\n\"id\":2}");
  const auto whole = two.finish();
  EXPECT_FALSE(whole.is_answer);
  EXPECT_EQ(whole.id, "2");
  one.append(R"("result":{}})");
  EXPECT_TRUE(one.finish().is_answer);
  EXPECT_EQ(output.bytes, "{\"method\":\"m\",  \"id\":2}\n{\"id\":1,\"result\":{}}\n");
}

TEST(MessageOutput, WhatIsTooLongToBeHeldStreamsAndTheOthersWait) {
  MessageOutput output;
  IncomingMessage one(output), two(output);
  const std::string much(limits::kMcpHttpHeldBytesMax + 1, 'x');
  one.append("\"" + much);
  EXPECT_EQ(output.bytes.size(), much.size() + 1) << "it is out at once";
  two.append("2");
  EXPECT_EQ(two.finish().text, "2");
  two.append(much);
  EXPECT_FALSE(two.has_room()) << "only one message may be out in part";
  EXPECT_TRUE(one.has_room());
  one.append("\"");
  EXPECT_EQ(one.finish().text, "") << "what streamed was not kept";
  EXPECT_EQ(output.bytes, "\"" + much + "\"\n2\n");
  EXPECT_TRUE(two.has_room());
}

TEST(MessageOutput, WhatBreaksOffLeavesNothing) {
  MessageOutput output;
  IncomingMessage one(output);
  one.append("{\"half\"");
  EXPECT_TRUE(one.discard());
  EXPECT_EQ(one.finish().text, "");
  EXPECT_EQ(output.bytes, "");
  one.append(std::string(limits::kMcpHttpHeldBytesMax + 1, 'x'));
  EXPECT_FALSE(one.discard()) << "part of it is with the client";
}

TEST(MessageOutput, ASlowReaderStopsTheStreams) {
  MessageOutput output;
  IncomingMessage one(output);
  const std::string piece(std::size_t{64} * 1024, 'x');
  std::size_t taken = 0;
  while (one.has_room() && taken < 2 * limits::kMcpQueueBytesMax) {
    one.append(piece);
    taken += piece.size();
  }
  EXPECT_LE(taken, limits::kMcpQueueBytesMax + piece.size());
  output.bytes.clear();
  EXPECT_TRUE(one.has_room());
}

TEST(McpHttpHeaders, NameWhatTheMessageAsksFor) {
  FrameReader reader;
  const auto headers = [&](const std::string& line) {
    const auto frame = reader.read(line);
    EXPECT_TRUE(frame);
    return standard_headers(frame->messages.front());
  };
  const auto named = [&](const std::string& name) {
    return headers(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + name +
                   "\"}}")
        .back();
  };
  EXPECT_THAT(headers(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})"),
              ElementsAre("Mcp-Method: tools/list"));
  EXPECT_EQ(named("echo"), "Mcp-Name: echo");
  EXPECT_EQ(named(" x"), "Mcp-Name: =?base64?IHg=?=");
  EXPECT_EQ(named("a\\r\\nX: y"), "Mcp-Name: =?base64?YQ0KWDogeQ==?=");
  EXPECT_EQ(named("=?base64?eA==?="), "Mcp-Name: =?base64?PT9iYXNlNjQ/ZUE9PT89?=");
  EXPECT_EQ(named(""),
            "Mcp-Name: =?base64?"
            "?=");
}

}  // namespace
}  // namespace lilith::enforcer::mcp
