// What passes between an MCP client and its server, message by message.

#include "audit/base/limits.hpp"
#include "audit/json/reader.hpp"
#include "tests/mcp/mcp_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>

namespace lilith {
namespace {

using audit::Action;
using audit::EventType;
using enforcer::mcp::PinMode;
using test::call_of;
using test::McpFolder;
using test::McpSession;
using testing::HasSubstr;

class McpSessionTest : public testing::Test {
 protected:
  void SetUp() override { folder.write_policy(); }
  [[nodiscard]] audit::Event last_decision() const {
    auto all = folder.events(EventType::kDecision);
    EXPECT_FALSE(all.empty());
    return all.empty() ? audit::Event() : all.back();
  }
  McpFolder folder;
};

// Lines as clients and servers of all versions send them, with odd but legal spelling.
constexpr std::string_view kPassing[] = {
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})",
    R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
    R"(  { "id" : "a\u0062" , "method":"ping", "jsonrpc":"2.0" }  )",
    R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"café x"}})",
    R"({"jsonrpc":"2.0","id":7,"result":{"roots":[{"uri":"file:///home"}]}})",
    R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}})",
    R"({"jsonrpc":"2.0","id":3,"method":"x/of-a-later-version","params":{"a":1.50e3,"b":[]}})",
    R"([{"jsonrpc":"2.0","id":4,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"}])",
    R"({"jsonrpc":"2.0","id":5,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})",
};

TEST_F(McpSessionTest, WhatIsNotDecidedPassesByteForByte) {
  McpSession session(folder);
  for (const std::string_view line : kPassing) {
    EXPECT_EQ(session.to_server_after(line), std::string(line) + "\n");
    EXPECT_EQ(session.answers(), "");
  }
  EXPECT_EQ(session.to_server_after("{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\r"),
            "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\r\n");
  EXPECT_EQ(session.to_server_after("   "), "");
  EXPECT_TRUE(folder.events(EventType::kDecision).empty());
}

TEST_F(McpSessionTest, TheServersLinesPassByteForByteWhateverTheyAre) {
  McpSession session(folder);
  for (const std::string_view line : kPassing) {
    EXPECT_EQ(session.to_client_after(line), std::string(line) + "\n");
  }
  EXPECT_EQ(session.to_client_after("Server running on stdio"), "Server running on stdio\n");
}

TEST_F(McpSessionTest, AllowedCallPassesUnchangedAndIsRecordedFirst) {
  McpSession session(folder);
  const std::string line =
      R"({"jsonrpc":"2.0", "id":"q-1","method":"tools/call","params":{"arguments":{"text":"ok // \u00e9"},"name":"echo"}})";
  EXPECT_EQ(session.to_server_after(line), line + "\n");
  const audit::Event event = last_decision();
  EXPECT_EQ(event.action, Action::kAllowed);
  EXPECT_EQ(event.tool, "mcp__demo__echo");
  EXPECT_EQ(event.server, "demo");
  EXPECT_EQ(event.hook, "tools/call");
  EXPECT_EQ(event.call_id, "\"q-1\"");
  EXPECT_EQ(event.call.arguments, "{\"text\":\"ok // é\"}");
  EXPECT_EQ(event.process_key.substr(event.process_key.find('/')), "/4711/8823912");
}

TEST_F(McpSessionTest, DeniedCallIsAnsweredWithAResultThatTheModelIsShown) {
  McpSession session(folder);
  EXPECT_EQ(session.to_server_after(call_of("remove")), "");
  json::Document document;
  const auto answer = document.parse(session.answers());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->find("id")->integer(), 1);
  const auto result = answer->find("result");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->find("isError")->boolean(), true);
  EXPECT_FALSE(result->find("resultType"));
  EXPECT_THAT(result->to_json(), HasSubstr("mcp__demo__remove"));
  const audit::Event event = last_decision();
  EXPECT_EQ(event.action, Action::kDenied);
  EXPECT_EQ(event.reason_code, "mcp.not_listed");
}

TEST_F(McpSessionTest, DeniedCallOfTheStatelessVersionsSaysItsResultType) {
  McpSession session(folder);
  EXPECT_EQ(
      session.to_server_after(
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"remove","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"later","version":"1"}}}})"),
      "");
  EXPECT_THAT(session.answers(), HasSubstr(R"("resultType":"complete")"));
  EXPECT_EQ(last_decision().detail,
            (std::vector<std::pair<std::string, std::string>>{{"client", "later"}}));
}

TEST_F(McpSessionTest, ADeniedCallThatWantedATaskGetsAProtocolError) {
  McpSession session(folder);
  EXPECT_EQ(
      session.to_server_after(
          R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"remove","task":{"ttl":1}}})"),
      "");
  EXPECT_THAT(session.answers(), HasSubstr(R"("code":-32010)"));
}

TEST_F(McpSessionTest, ACallWithoutIdIsDecidedAndNeverAnswered) {
  McpSession session(folder);
  EXPECT_EQ(session.to_server_after(
                R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"remove"}})"),
            "");
  EXPECT_EQ(session.answers(), "");
  EXPECT_EQ(last_decision().action, Action::kDenied);
}

TEST_F(McpSessionTest, ABatchPassesWithoutWhatWasDenied) {
  McpSession session(folder);
  const std::string ping = R"({"jsonrpc":"2.0","id":2, "method":"ping"})";
  const std::string allowed =
      R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"add","arguments":{}}})";
  EXPECT_EQ(session.to_server_after("[" + ping + " , " + call_of("remove") + "," + allowed + "]"),
            "[" + ping + "," + allowed + "]\n");
  const std::string answers = session.answers();
  EXPECT_EQ(answers.substr(0, 1), "[");
  EXPECT_THAT(answers, HasSubstr("isError"));
  EXPECT_EQ(folder.events(EventType::kDecision).size(), 2U);
  EXPECT_EQ(session.to_server_after("[" + call_of("remove") + "]"), "");
}

struct Malformed {
  std::string_view name, line;
  int code;
  std::string_view id;
};
void PrintTo(const Malformed& row, std::ostream* out) { *out << row.name; }

class McpMalformedTest : public testing::TestWithParam<Malformed> {};

TEST_P(McpMalformedTest, IsAnsweredRecordedAndNotPassedOn) {
  McpFolder folder;
  folder.write_policy();
  McpSession session(folder);
  EXPECT_EQ(session.to_server_after(GetParam().line), "");
  json::Document document;
  const std::string text = session.answers();
  const auto answer = document.parse(text);
  ASSERT_TRUE(answer) << text;
  EXPECT_EQ(answer->find("error")->find("code")->integer(), GetParam().code) << text;
  EXPECT_EQ(answer->find("id")->to_json(), GetParam().id);
  const auto events = folder.events(EventType::kDecision);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].action, Action::kDenied);
  EXPECT_EQ(events[0].reason_code, "call.undecidable");
}

constexpr Malformed kMalformed[] = {
    {"no_json", "hello", -32700, "null"},
    {"half_a_message", R"({"jsonrpc":"2.0","id":1,"method":"pi)", -32700, "null"},
    {"two_messages", R"({"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"})", -32700,
     "null"},
    {"name_twice",
     R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","name":"remove"}})",
     -32700, "null"},
    {"method_twice_by_escape",
     R"({"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"})", -32700, "null"},
    {"carriage_return_that_python_takes_for_a_line_end",
     "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":\r{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
     "\"tools/call\",\"params\":{\"name\":\"remove\"}}\r}",
     -32700, "null"},
    {"byte_order_mark", "\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", -32700,
     "null"},
    {"not_utf8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, "null"},
    {"method_in_another_case_that_go_takes",
     R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"})", -32600, "1"},
    {"params_with_a_long_s",
     R"({"jsonrpc":"2.0","id":1,"method":"x","param)"
     "\xC5\xBF"
     R"(":{}})",
     -32600, "1"},
    {"name_in_another_case",
     R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","Name":"remove"}})",
     -32600, "1"},
    {"argument_twice_but_for_case",
     R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ok","TEXT":"x"}}})",
     -32600, "1"},
    {"no_version", R"({"id":1,"method":"ping"})", -32600, "1"},
    {"other_version", R"({"jsonrpc":"1.0","id":1,"method":"ping"})", -32600, "1"},
    {"neither_request_nor_answer", R"({"jsonrpc":"2.0","id":"x"})", -32600, "\"x\""},
    {"request_and_answer", R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", -32600, "1"},
    {"id_null", R"({"jsonrpc":"2.0","id":null,"method":"ping"})", -32600, "null"},
    {"id_object", R"({"jsonrpc":"2.0","id":{},"method":"ping"})", -32600, "null"},
    {"positional_params", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":["remove"]})",
     -32600, "1"},
    {"scalar", "7", -32600, "null"},
    {"empty_batch", "[]", -32600, "null"},
    {"batch_in_batch", R"([[{"jsonrpc":"2.0","method":"x"}]])", -32600, "null"},
    {"batch_with_one_bad_message", R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"id":2}])", -32600,
     "2"},
    {"no_tool", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})", -32600, "1"},
    {"tool_is_a_number", R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}})",
     -32600, "1"},
    {"arguments_are_text",
     R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":"{}"}})",
     -32600, "1"},
    {"no_resource", R"({"jsonrpc":"2.0","id":1,"method":"resources/read"})", -32600, "1"},
};
INSTANTIATE_TEST_SUITE_P(Rows, McpMalformedTest, testing::ValuesIn(kMalformed),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(McpSessionTest, AMessageOverTheBoundIsRefusedUnderItsOwnId) {
  McpSession session(folder);
  const std::string big(limits::kMcpFrameBytesMax, 'x');
  session->from_client(
      R"({"jsonrpc":"2.0","method":"tools/call","params":{"name":"add","arguments":{"a":")");
  session->from_client(big);
  EXPECT_EQ(session.to_server_after(R"("}},"id":"big-1"})"), "");
  EXPECT_THAT(session.answers(), HasSubstr(R"("id":"big-1")"));
  EXPECT_EQ(session.to_server_after(R"({"jsonrpc":"2.0","method":"after"})"),
            "{\"jsonrpc\":\"2.0\",\"method\":\"after\"}\n");
}

TEST_F(McpSessionTest, LinesInPiecesAreReadAsTheyAreMeant) {
  McpSession session(folder);
  const std::string two = call_of("add") + "\n" + call_of("remove") + "\n";
  for (const char c : two) session->from_client(std::string_view(&c, 1));
  EXPECT_EQ(session->to_server, call_of("add") + "\n");
  EXPECT_THAT(session.answers(), HasSubstr("mcp__demo__remove"));
}

TEST_F(McpSessionTest, ALastLineWithoutLineEndIsDecided) {
  McpSession session(folder);
  session->from_client(call_of("remove"));
  session->end_of_client();
  EXPECT_EQ(session->to_server, "");
  EXPECT_THAT(session.answers(), HasSubstr("isError"));
  McpSession other(folder);
  other->from_client(call_of("add"));
  other->end_of_client();
  EXPECT_EQ(other->to_server, call_of("add"));
}

TEST_F(McpSessionTest, ResourcesAreJudgedByServerAndByWhatTheirUriNames) {
  McpSession session(folder);
  const auto read = [](std::string_view uri) {
    return R"({"jsonrpc":"2.0","id":9,"method":"resources/read","params":{"uri":")" +
           std::string(uri) + "\"}}";
  };
  EXPECT_NE(session.to_server_after(read("note://1")), "");
  EXPECT_NE(session.to_server_after(read("file://" + folder.file("work/note.txt"))), "");
  EXPECT_EQ(last_decision().operation.kind, audit::OperationKind::kMcpTool);
  EXPECT_EQ(last_decision().also,
            std::vector<std::string>{"read_file " + folder.file("work/note.txt")});
  EXPECT_EQ(last_decision().operations, 2U);
  for (const std::string_view uri :
       {"file:///etc/shadow", "FILE:///etc/shadow", "file:///%65tc/shadow",
        "file://host/etc/shadow", "https://evil.example/x", "file:///etc/passwd?x"}) {
    EXPECT_EQ(session.to_server_after(read(uri)), "") << uri;
    EXPECT_THAT(session.answers(), HasSubstr("-32010")) << uri;
  }
  EXPECT_EQ(session.to_server_after(read("file://" + folder.file("work/../../shadow"))), "");
}

TEST_F(McpSessionTest, AuditModeLetsEverythingPassAndRecordsIt) {
  folder.write_policy("enforce", "log");
  McpSession session(folder);
  EXPECT_EQ(session.to_server_after(call_of("remove")), call_of("remove") + "\n");
  EXPECT_EQ(last_decision().action, Action::kWouldDeny);
  EXPECT_EQ(session.to_server_after("hello"), "hello\n");
  EXPECT_EQ(last_decision().action, Action::kWouldDeny);
  EXPECT_EQ(session.answers(), "");
}

TEST_F(McpSessionTest, APolicyThatIsMissingOrBrokenDeniesEveryCallAndSaysWhy) {
  test::write_text(folder.policy_path(), "version: \"2\"\n");
  McpSession session(folder);
  EXPECT_EQ(session.to_server_after(call_of("add")), "");
  EXPECT_THAT(session.answers(), HasSubstr("the policy is not usable"));
  EXPECT_EQ(session.to_server_after(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
}

TEST_F(McpSessionTest, AChangedPolicyHoldsFromTheNextCallOn) {
  McpSession session(folder);
  EXPECT_NE(session.to_server_after(call_of("add")), "");
  test::write_text(
      folder.file("new.yaml"),
      "version: \"1\"\ntool_invocations:\n  default_action: deny\naudit:\n  log_path: \"" +
          folder.log() + "\"\n");
  ASSERT_EQ(::rename(folder.file("new.yaml").c_str(), folder.policy_path().c_str()), 0);
  EXPECT_EQ(session.to_server_after(call_of("add")), "");
}

std::size_t times_open(const std::string& path) {
  std::size_t times = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    if (std::filesystem::read_symlink(entry.path(), error) == path) ++times;
  }
  return times;
}

TEST_F(McpSessionTest, TheLogIsOpenFromCallToCallAndNotLonger) {
  McpSession session(folder);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(session.to_server_after(call_of("add")), "");
    EXPECT_EQ(times_open(folder.log()), 1U);
  }
  session->idle();
  EXPECT_EQ(times_open(folder.log()), 0U);
  EXPECT_NE(session.to_server_after(call_of("add")), "");
  EXPECT_EQ(folder.events(EventType::kDecision).size(), 3U);
}

TEST_F(McpSessionTest, ALogThatIsMovedAwayBetweenTwoCallsIsBegunAnew) {
  McpSession session(folder);
  EXPECT_NE(session.to_server_after(call_of("add")), "");
  const auto directory = std::filesystem::path(folder.log()).parent_path();
  std::filesystem::rename(directory, directory.string() + ".old");
  EXPECT_NE(session.to_server_after(call_of("add")), "");
  EXPECT_EQ(folder.events(EventType::kDecision).size(), 1U);
  EXPECT_EQ(folder.events(EventType::kLogOpened).size(), 1U);
}

TEST_F(McpSessionTest, WhatCannotBeRecordedIsNotAllowed) {
  McpSession session(folder);
  EXPECT_NE(session.to_server_after(call_of("add")), "");
  ASSERT_EQ(::unlink(folder.log().c_str()), 0);
  test::write_text(folder.log() + "/in-the-way", "");
  EXPECT_EQ(session.to_server_after(call_of("add")), "");
  EXPECT_THAT(session.answers(), HasSubstr("audit log could not be written"));
}

TEST_F(McpSessionTest, AnAnswerOfOursNeverStandsInsideALineOfTheServer) {
  McpSession session(folder);
  session->from_server(R"({"jsonrpc":"2.0","id":5,)");
  EXPECT_EQ(session.to_server_after(call_of("remove")), "");
  session->from_server("\"result\":{}}\n");
  const auto lines = test::lines_of(session->to_client);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], R"({"jsonrpc":"2.0","id":5,"result":{}})");
  EXPECT_THAT(lines[1], HasSubstr("isError"));
}

}  // namespace
}  // namespace lilith
