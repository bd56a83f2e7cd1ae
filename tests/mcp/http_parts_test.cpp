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

struct DeclarationRow {
  const char* name;
  std::string schema, arguments;
  std::vector<std::string> headers;
};
void PrintTo(const DeclarationRow& row, std::ostream* out) { *out << row.name; }
class McpParameterHeaders : public testing::TestWithParam<DeclarationRow> {};

TEST_P(McpParameterHeaders, AreWhatTheSchemaAsksFor) {
  const DeclarationRow& row = GetParam();
  json::Document schema, arguments;
  const auto declared = declared_headers(*schema.parse(row.schema));
  EXPECT_EQ(parameter_headers(declared, *arguments.parse(row.arguments)), row.headers);
}

std::string one_of(const std::string& property) {
  return R"({"type":"object","properties":{"a":)" + property + "}}";
}

// 2026-07-28, Streamable HTTP, "Schema Extension"; SEP-2243.
INSTANTIATE_TEST_SUITE_P(
    All, McpParameterHeaders,
    testing::Values(
        DeclarationRow{"text",
                       one_of(R"({"type":"string","x-mcp-header":"Region"})"),
                       R"({"a":"eu"})",
                       {"Mcp-Param-Region: eu"}},
        DeclarationRow{"whole_number",
                       one_of(R"({"type":"integer","x-mcp-header":"N"})"),
                       R"({"a":-12})",
                       {"Mcp-Param-N: -12"}},
        DeclarationRow{"truth",
                       one_of(R"({"type":"boolean","x-mcp-header":"N"})"),
                       R"({"a":false})",
                       {"Mcp-Param-N: false"}},
        DeclarationRow{"absent", one_of(R"({"type":"string","x-mcp-header":"N"})"), "{}", {}},
        DeclarationRow{
            "null", one_of(R"({"type":"string","x-mcp-header":"N"})"), R"({"a":null})", {}},
        DeclarationRow{"number_that_readers_round",
                       one_of(R"({"type":"integer","x-mcp-header":"N"})"),
                       R"({"a":9007199254740993})",
                       {}},
        DeclarationRow{"line_end",
                       one_of(R"({"type":"string","x-mcp-header":"N"})"),
                       R"({"a":"x\r\nHost: evil"})",
                       {"Mcp-Param-N: =?base64?eA0KSG9zdDogZXZpbA==?="}},
        DeclarationRow{"below",
                       one_of(R"({"type":"object","properties":{"b":{"type":"string",)"
                              R"("x-mcp-header":"N"}}})"),
                       R"({"a":{"b":"x"}})",
                       {"Mcp-Param-N: x"}},
        DeclarationRow{"name_with_a_line_end",
                       one_of(R"({"type":"string","x-mcp-header":"N\r\nHost"})"),
                       R"({"a":"x"})",
                       {}},
        DeclarationRow{
            "no_name", one_of(R"({"type":"string","x-mcp-header":""})"), R"({"a":"x"})", {}},
        DeclarationRow{"number",
                       one_of(R"({"type":"number","x-mcp-header":"N"})"),
                       R"({"a":1.50})",
                       {"Mcp-Param-N: 1.5"}},
        DeclarationRow{"whole_number_of_another_writer",
                       one_of(R"({"type":"integer","x-mcp-header":"N"})"),
                       R"({"a":42.0})",
                       {"Mcp-Param-N: 42"}},
        DeclarationRow{"number_with_an_exponent",
                       one_of(R"({"type":"number","x-mcp-header":"N"})"),
                       R"({"a":1e-7})",
                       {}},
        DeclarationRow{"no_type", one_of(R"({"x-mcp-header":"N"})"), R"({"a":"x"})", {}},
        DeclarationRow{"two_of_a_name",
                       R"({"properties":{"a":{"type":"string","x-mcp-header":"N"},)"
                       R"("b":{"type":"string","x-mcp-header":"n"}}})",
                       R"({"a":"x","b":"y"})",
                       {}},
        DeclarationRow{"in_a_list",
                       R"({"properties":{"a":{"type":"string","x-mcp-header":"N"},"b":{"type":)"
                       R"("array","items":{"type":"string","x-mcp-header":"M"}}}})",
                       R"({"a":"x"})",
                       {}},
        DeclarationRow{
            "on_the_schema", R"({"type":"object","x-mcp-header":"N"})", R"({"a":"x"})", {}},
        DeclarationRow{"no_schema", "true", R"({"a":"x"})", {}}),
    [](const testing::TestParamInfo<DeclarationRow>& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace lilith::enforcer::mcp
