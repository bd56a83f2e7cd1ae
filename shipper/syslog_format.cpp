#include "shipper/syslog_format.hpp"

#include <algorithm>
#include <array>

namespace lilith::shipper {
namespace {

// RFC 5424 section 6: lengths of the header's fields.
constexpr std::size_t kHostnameBytesMax = 255, kAppNameBytesMax = 48, kProcIdBytesMax = 128,
                      kMsgIdBytesMax = 32;

// The value behind `key` (with its quotes and colon), up to the closing quote. Keys are found by
// bytes: inside a JSON string a quote is always escaped, so that no outside value can look like
// `,"host":"`.
std::string_view value_after(std::string_view line, std::string_view key, std::size_t from = 0) {
  const std::size_t at = line.find(key, from);
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + key.size();
  std::size_t end = start;
  while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2U : 1U;
  return end < line.size() ? line.substr(start, end - start) : std::string_view();
}

// PRINTUSASCII of at most `bytes_max` bytes, the nil value "-" when empty.
void append_field(std::string& out, std::string_view text, std::size_t bytes_max) {
  if (text.empty()) {
    out.push_back('-');
    return;
  }
  for (const char c : text.substr(0, bytes_max)) out.push_back(c > 32 && c < 127 ? c : '_');
}

// "Nov 24 00:20:42", RFC 3164 section 4.1.2, in UTC; the day is padded with a blank.
void append_rfc3164_time(std::string& out, std::string_view time) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (time.size() < 19) {
    out += "Jan  1 00:00:00";
    return;
  }
  const auto month = static_cast<std::size_t>((time[5] - '0') * 10 + time[6] - '0');
  out += kMonths[month >= 1 && month <= 12 ? month - 1 : 0];
  out.push_back(' ');
  out.push_back(time[8] == '0' ? ' ' : time[8]);
  out.push_back(time[9]);
  out.push_back(' ');
  out += time.substr(11, 8);
}

}  // namespace

LineFields scan_line(std::string_view line) {
  LineFields fields;
  fields.event = value_after(line.substr(0, 128), R"("event":")");
  fields.host = value_after(line, R"(,"host":")");
  fields.time = value_after(line, R"(,"time":")");
  const std::size_t action = line.rfind(R"(,"action":")");
  if (action != std::string_view::npos) fields.action = value_after(line, R"(,"action":")", action);
  const std::size_t pid = line.substr(0, 1024).find(R"(,"pid":)");
  if (pid != std::string_view::npos) {
    std::size_t end = pid + 7;
    while (end < line.size() && line[end] >= '0' && line[end] <= '9') ++end;
    fields.pid = line.substr(pid + 7, end - pid - 7);
  }
  return fields;
}

int severity_of(const LineFields& fields) {
  if (fields.event == "tamper") return 2;
  if (fields.action == "error") return 3;
  if (fields.action == "denied") return 4;
  if (fields.action == "would_deny") return 5;
  return 6;
}

void append_message(std::string& out, std::string_view line, const SinkConfig& config) {
  const LineFields fields = scan_line(line);
  out.push_back('<');
  out += std::to_string(config.facility * 8 + severity_of(fields));
  out.push_back('>');
  if (config.format == SyslogFormat::kRfc5424) {
    out += "1 ";
    append_field(out, fields.time, 32);
    out.push_back(' ');
    append_field(out, fields.host, kHostnameBytesMax);
    out.push_back(' ');
    append_field(out, config.app_name, kAppNameBytesMax);
    out.push_back(' ');
    append_field(out, fields.pid, kProcIdBytesMax);
    out.push_back(' ');
    append_field(out, fields.event, kMsgIdBytesMax);
    out += " - ";
  } else {
    append_rfc3164_time(out, fields.time);
    out.push_back(' ');
    append_field(out, fields.host, kHostnameBytesMax);
    out.push_back(' ');
    if (config.format == SyslogFormat::kRfc3164) {
      append_field(out, config.app_name, kAppNameBytesMax);
      if (!fields.pid.empty()) {
        out.push_back('[');
        out += fields.pid;
        out.push_back(']');
      }
      out += ": ";
    }
  }
  out += line;
}

}  // namespace lilith::shipper
