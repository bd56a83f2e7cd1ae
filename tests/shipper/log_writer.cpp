#include "tests/shipper/log_writer.hpp"

#include "audit/codec.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace lilith::test {

audit::LogOptions log_options(const std::string& path) {
  audit::LogOptions options;
  options.path = path;
  options.host = "ws-42";
  options.lock_timeout = std::chrono::seconds(60);
  return options;
}

void append_events(const audit::LogOptions& options, std::size_t count) {
  auto log = audit::open_log(options);
  ASSERT_TRUE(log.has_value()) << log.error().message;
  for (std::size_t i = 0; i < count; ++i) {
    audit::Event event;
    event.decision = audit::Verdict::kDeny;
    event.action = audit::Action::kDenied;
    event.host = "ws-42";
    event.process_key = "ws-42/1/2";
    event.process_pid = 4711;
    event.reason = "padding " + std::string(200, 'p');
    auto appended = (*log)->append(event);
    ASSERT_TRUE(appended.has_value()) << appended.error().message;
  }
}

std::vector<std::string> all_lines(const std::string& path) {
  std::string bytes;
  const std::vector<std::string> rotated = audit::rotated_files(path).value();
  for (const std::string& file : rotated) bytes += read_text(file);
  return lines_of(bytes + read_text(path));
}

std::uint64_t seq_of(const std::string& line) {
  const auto fields = audit::chain_fields(line);
  return fields ? fields->seq : 0;
}

std::size_t expect_at_least_once_in_order(const std::vector<std::string>& received,
                                          const std::vector<std::string>& written) {
  std::set<std::string> seen;
  std::size_t next = 0, repeats = 0;
  for (const std::string& line : received) {
    if (!seen.insert(line).second) {
      ++repeats;
      continue;
    }
    if (next >= written.size() || line != written[next]) {
      ADD_FAILURE() << "line " << seen.size()
                    << " was invented or came too early: " << line.substr(0, 200);
      return repeats;
    }
    ++next;
  }
  EXPECT_EQ(next, written.size()) << "lines are missing at the receiver";
  return repeats;
}

std::vector<std::string> unframe(std::string_view stream) {
  std::vector<std::string> lines;
  while (!stream.empty()) {
    const std::size_t blank = stream.find(' ');
    if (blank == std::string_view::npos) break;
    const std::size_t size =
        std::strtoul(std::string(stream.substr(0, blank)).c_str(), nullptr, 10);
    if (size == 0 || stream.size() < blank + 1 + size) break;
    const std::string_view message = stream.substr(blank + 1, size);
    lines.emplace_back(message.substr(std::min(message.find('{'), message.size())));
    stream.remove_prefix(blank + 1 + size);
  }
  return lines;
}

}  // namespace lilith::test
