#include "shipper/syslog_format.hpp"

#include "audit/base/eight_bytes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace lilith::shipper {
namespace {

// RFC 5424 section 6: lengths of the header's fields.
constexpr std::size_t kHostnameBytesMax = 255, kAppNameBytesMax = 48, kProcIdBytesMax = 128,
                      kMsgIdBytesMax = 32;
constexpr std::size_t kTimeBytesMax = 32;

// PRINTUSASCII of at most `bytes_max` bytes, the nil value "-" when empty.
void append_field(std::string& out, std::string_view text, std::size_t bytes_max) {
  if (text.empty()) {
    out.push_back('-');
    return;
  }
  text = text.substr(0, bytes_max);
  const std::size_t from = out.size();
  out += text;
  if (!all_between(text, '!', '~'))
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(from), out.end(),
        [](char c) { return c < '!' || c > '~'; }, '_');
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

int severity_of(const LineFields& fields) {
  if (fields.event == "tamper") return 2;
  if (fields.action == "error") return 3;
  if (fields.action == "denied") return 4;
  if (fields.action == "would_deny") return 5;
  return 6;
}

void MessageWriter::make_rest(const LineFields& fields) {
  event_ = fields.event;
  host_ = fields.host;
  pid_ = fields.pid;
  rest_ = " ";
  append_field(rest_, fields.host, kHostnameBytesMax);
  rest_.push_back(' ');
  if (config_.format == SyslogFormat::kRfc5424) {
    append_field(rest_, config_.app_name, kAppNameBytesMax);
    rest_.push_back(' ');
    append_field(rest_, fields.pid, kProcIdBytesMax);
    rest_.push_back(' ');
    append_field(rest_, fields.event, kMsgIdBytesMax);
    rest_ += " - ";
  } else if (config_.format == SyslogFormat::kRfc3164) {
    append_field(rest_, config_.app_name, kAppNameBytesMax);
    if (!fields.pid.empty()) {
      rest_.push_back('[');
      append_field(rest_, fields.pid, kProcIdBytesMax);
      rest_.push_back(']');
    }
    rest_ += ": ";
  }
}

// What stands before rest_.
void MessageWriter::make_header(const Line& line) {
  const LineFields fields = scan_marked(line.event, line.marks);
  if (rest_.empty() || fields.host != host_ || fields.pid != pid_ || fields.event != event_)
    make_rest(fields);
  std::array<char, 8> number{};
  const auto end = std::to_chars(number.data(), number.data() + number.size(),
                                 config_.facility * 8 + severity_of(fields))
                       .ptr;
  header_.assign(1, '<');
  header_.append(number.data(), end);
  if (config_.format == SyslogFormat::kRfc5424) {
    header_ += ">1 ";
    append_field(header_, fields.time, kTimeBytesMax);
  } else {
    header_.push_back('>');
    append_rfc3164_time(header_, fields.time);
  }
}

void MessageWriter::append(std::string& out, const Line& line) {
  make_header(line);
  out += header_;
  out += rest_;
  out += line.body;
}

void MessageWriter::append_frame(std::string& out, const Line& line) {
  make_header(line);
  if (config_.framing == Framing::kOctetCounting) {
    std::array<char, 24> number{};
    char* const end = std::to_chars(number.data(), number.data() + number.size(),
                                    header_.size() + rest_.size() + line.body.size())
                          .ptr;
    *end = ' ';
    out.append(number.data(), end + 1);
  }
  out += header_;
  out += rest_;
  out += line.body;
  if (config_.framing == Framing::kNewline) out.push_back('\n');
}

}  // namespace lilith::shipper
