// SARIF 2.1.0: docs.oasis-open.org/sarif/sarif/v2.1.0.

#include "audit/json/writer.hpp"
#include "rules/lint.hpp"

namespace lilith::rules {
namespace {

void append_rules(json::Writer& writer) {
  writer.key("rules").begin_array();
  for (const LintRule& rule : lint_rules()) {
    writer.begin_object().member("id", rule.id);
    writer.key("shortDescription").begin_object().member("text", rule.summary).end_object();
    writer.key("defaultConfiguration").begin_object().member("level", name(rule.level));
    writer.end_object().end_object();
  }
  writer.end_array();
}

std::int64_t index_of(const Finding& finding) {
  std::int64_t index = 0;
  for (const LintRule& rule : lint_rules()) {
    if (rule.id == finding.id) break;
    ++index;
  }
  return index;
}

// artifactLocation.uri is a URI reference: RFC 3986 section 2.
std::string uri_of(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out.starts_with('/') ? "file://" + out : out;
}

void append_result(json::Writer& writer, const Finding& finding) {
  writer.begin_object().member("ruleId", finding.id).member("ruleIndex", index_of(finding));
  writer.member("level", name(finding.level));
  writer.key("message").begin_object();
  writer.member("text", finding.why + (finding.remedy.empty() ? "" : "; " + finding.remedy));
  writer.end_object().key("locations").begin_array().begin_object();
  writer.key("physicalLocation").begin_object().key("artifactLocation").begin_object();
  writer.member("uri", uri_of(finding.file)).end_object();
  if (finding.line > 0) {
    writer.key("region").begin_object().member("startLine", finding.line);
    writer.member("startColumn", finding.column > 0 ? finding.column : 1).end_object();
  }
  writer.end_object().end_object().end_array().end_object();
}

}  // namespace

std::string to_sarif(const std::vector<Finding>& findings, std::string_view program_version) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("$schema",
                "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
                "sarif-schema-2.1.0.json");
  writer.member("version", "2.1.0").key("runs").begin_array().begin_object();
  writer.key("tool").begin_object().key("driver").begin_object();
  writer.member("name", "lilith policy check").member("version", program_version);
  append_rules(writer);
  writer.end_object().end_object().member("columnKind", "unicodeCodePoints");
  writer.key("results").begin_array();
  for (const Finding& finding : findings) append_result(writer, finding);
  writer.end_array().end_object().end_array().end_object();
  return out + "\n";
}

}  // namespace lilith::rules
