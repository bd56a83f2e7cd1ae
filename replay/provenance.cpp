#include "replay/provenance.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "replay/recording.hpp"

#include <algorithm>
#include <chrono>
#include <sys/stat.h>

namespace lilith::replay {

Result<std::optional<std::int32_t>> learned_until_of(std::string_view text) {
  std::optional<std::int32_t> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(kLearnedFrom)) continue;
    const std::string_view days = line.substr(kLearnedFrom.size());
    const std::size_t to = days.find(" to ");
    auto last =
        parse_day(to == std::string_view::npos ? days.substr(0, 10) : days.substr(to + 4, 10));
    if (!last) return pass_error(last);
    out = std::max(out.value_or(*last), *last);
  }
  return out;
}

Result<Provenance> provenance_of(const std::string& policy_path, std::string_view learned_until) {
  Provenance out;
  struct stat status{};
  if (::stat(policy_path.c_str(), &status) == 0)
    out.changed_day = static_cast<std::int32_t>(status.st_mtime / 86'400);
  if (!learned_until.empty()) {
    auto day = parse_day(learned_until);
    if (!day) return pass_error(day);
    out.learned_until = *day;
    return out;
  }
  auto text = read_file(policy_path, limits::kPolicyBytesMax);
  if (!text) return pass_error(text);
  auto day = learned_until_of(*text);
  if (!day) {
    return fail(ErrorCode::kInvalidInput,
                policy_path + ": in its learned_from comment " + day.error().message);
  }
  out.learned_until = *day;
  return out;
}

}  // namespace lilith::replay
