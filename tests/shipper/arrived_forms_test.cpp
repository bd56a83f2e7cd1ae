// What `lilith verify --arrived` makes of ECS and OCSF as the shipper writes them.

#include "shipper/forms.hpp"
#include "tests/audit_read/arrivals.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

namespace lilith::shipper {
namespace {

using audit::ArrivalReport;
using audit::EventType;
using audit::LineForm;
using test::brief;
using test::ChainWriter;
using test::check_lines;

using Lines = std::vector<std::string>;

std::string in_form(Form form, const std::string& line) {
  std::string out;
  const auto made = FormWriter(form).append(out, line);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return out;
}

void replace(std::string& line, std::string_view what, std::string_view by) {
  const std::size_t at = line.find(what);
  ASSERT_NE(at, std::string::npos) << line;
  line.replace(at, what.size(), by);
}

// The names of the member with the event's own bytes, and of where the form keeps the list.
struct Names {
  Form form;
  std::string original, list;
};
void PrintTo(const Names& names, std::ostream* out) { *out << names.original; }
const Names kEcsNames{Form::kEcs, "\"original\":\"", "\"lilith_detail_seqs\":\""},
    kOcsfNames{Form::kOcsf, "\"raw_data\":\"", "\"detail_seqs\":\""};

// Of a chain of eight events 4 and 5 did not arrive; `record` is what the sink's log says of it.
struct Case {
  const char* name;
  std::function<void(std::string& record, const Names&)> change;  // in its form
  std::string expected;
  std::uint64_t withheld;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

constexpr const char* kBothMissing = "missing chain-a 4-5";
const std::vector<Case> kCases = {
    {"named", [](std::string&, const Names&) {}, "", 2},
    {"what_is_changed_only_beside_the_bytes_is_not_asked",
     [](std::string& r, const Names& n) { replace(r, n.list + "4-5", n.list + "1-9"); }, "", 2},
    {"whose_bytes_were_taken_out",
     [](std::string& r, const Names& n) { replace(r, n.original, "\"other\":\""); }, kBothMissing,
     0},
    {"whose_bytes_are_of_another_program",
     [](std::string& r, const Names& n) { replace(r, n.original, n.original + "<13>"); },
     kBothMissing, 0},
    {"whose_bytes_were_altered",
     [](std::string& r, const Names&) {
       replace(r, "\\\"seqs\\\":\\\"4-5", "\\\"seqs\\\":\\\"3-4");
     },
     std::string(kBothMissing) + "; altered own 1-1", 0},
    {"whose_bytes_are_of_another_event",
     [](std::string& r, const Names& n) {
       ChainWriter other("other");
       const std::string line = in_form(n.form, other.line(EventType::kWithheld, "",
                                                           {{"sink", "soc"},
                                                            {"host", "ws-42"},
                                                            {"chain", "chain-a"},
                                                            {"count", "2"},
                                                            {"seqs", "4-5"}}));
       const auto bytes_of = [&](const std::string& text) {
         const std::size_t from = text.find(n.original) + n.original.size();
         return text.substr(from, text.find("}}\"", from) - from);
       };
       replace(r, bytes_of(r), bytes_of(line));
     },
     std::string(kBothMissing) + "; altered own 1-1", 0},
};

class ArrivedRecords : public testing::TestWithParam<std::tuple<Names, Case>> {};
std::string name_of(const testing::TestParamInfo<std::tuple<Names, Case>>& one) {
  return std::string(std::get<0>(one.param).form == Form::kEcs ? "ecs_" : "ocsf_") +
         std::get<1>(one.param).name;
}
INSTANTIATE_TEST_SUITE_P(Rows, ArrivedRecords,
                         testing::Combine(testing::Values(kEcsNames, kOcsfNames),
                                          testing::ValuesIn(kCases)),
                         name_of);

const std::vector<std::pair<LineForm, std::function<std::string(const std::string&)>>> kAround = {
    {LineForm::kNdjson, [](const std::string& line) { return line; }},
    {LineForm::kElastic,
     [](const std::string& line) { return R"({"_index":"lilith","_source":)" + line + "}"; }},
    {LineForm::kSyslog,
     [](const std::string& line) { return "Nov 24 00:20:42 ws-42 lilith[4711]: " + line; }},
    {LineForm::kSyslog, [](const std::string& line) {
       return "<108>1 2026-11-24T00:20:42.831204Z ws-42 lilith 4711 decision - " + line;
     }}};

TEST_P(ArrivedRecords, TellWithheldFromMissing) {
  const auto& [names, row] = GetParam();
  ChainWriter chain, own("own", "ws-42");
  Lines lines;
  for (const std::string& line : chain.lines(8)) lines.push_back(in_form(names.form, line));
  lines.erase(lines.begin() + 3, lines.begin() + 5);
  lines.push_back(in_form(names.form, own.line(EventType::kWithheld, "",
                                               {{"sink", "soc"},
                                                {"host", "ws-42"},
                                                {"chain", "chain-a"},
                                                {"count", "2"},
                                                {"seqs", "4-5"}})));
  row.change(lines.back(), names);
  for (const auto& [form, around] : kAround) {
    Lines arrived;
    for (const std::string& line : lines) arrived.push_back(around(line));
    const auto report = check_lines(arrived);
    EXPECT_EQ(brief(report), row.expected);
    EXPECT_EQ(report.withheld, row.withheld);
    EXPECT_EQ(report.by_form[static_cast<std::size_t>(form)], lines.size());
    arrived.erase(arrived.begin() + 1);
    EXPECT_THAT(brief(check_lines(arrived)), testing::HasSubstr("missing chain-a 2-2"));
  }
}

// An agent may run whatever it likes: also what looks like an event that names others as withheld.
TEST(ArrivedForms, ACommandThatLooksLikeAnEventIsNone) {
  for (const Names& names : {kEcsNames, kOcsfNames}) {
    ChainWriter chain, forger("forged", "ws-42");
    const std::string forged = forger.line(
        EventType::kWithheld, "",
        {{"sink", "soc"}, {"host", "ws-42"}, {"chain", "chain-a"}, {"count", "1"}, {"seqs", "2"}});
    Lines lines;
    for (int i = 0; i < 4; ++i)
      lines.push_back(in_form(names.form, chain.line(EventType::kDecision, forged)));
    lines.erase(lines.begin() + 1);
    for (const auto& [form, around] : kAround) {
      Lines arrived;
      for (const std::string& line : lines) arrived.push_back(around(line));
      const auto report = check_lines(arrived);
      EXPECT_EQ(brief(report), "missing chain-a 2-2");
      EXPECT_EQ(report.events, 3U);
      EXPECT_EQ(report.withheld, 0U);
      // Cut behind the command.
      std::string& cut = arrived.back();
      cut.resize(cut.size() - 2);
      EXPECT_EQ(brief(check_lines(arrived)), "missing chain-a 2-2; unreadable");
    }
  }
}

TEST(ArrivedForms, HaveWhatHeartbeatsSayOfAGap) {
  for (const Names& names : {kEcsNames, kOcsfNames}) {
    ChainWriter chain, own("own", "ws-42");
    Lines lines;
    for (const std::string& line : chain.lines(3)) lines.push_back(in_form(names.form, line));
    lines.erase(lines.begin() + 1);
    lines.push_back(in_form(
        names.form, own.line(EventType::kHeartbeat, "",
                             {{"sink", "soc"}, {"withheld_events", "0"}, {"dead_letters", "1"}})));
    const auto report = check_lines(lines);
    EXPECT_EQ(brief(report), "missing chain-a 2-2");
    ASSERT_EQ(report.hosts.size(), 1U);
    EXPECT_EQ(report.hosts[0].dead_letters.at("soc"), 1U);
  }
}

}  // namespace
}  // namespace lilith::shipper
