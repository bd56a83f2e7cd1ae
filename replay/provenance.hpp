#pragma once
// Which days a policy was made from. The grammar of the file has no place for it, so that
// `lilith replay suggest` writes it as a comment: `# learned_from: 2026-01-05 to 2026-01-16`.

#include "audit/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::replay {

inline constexpr std::string_view kLearnedFrom = "# learned_from: ";

struct Provenance {
  std::optional<std::int32_t> learned_until;  // nullopt: written without these days
  std::optional<std::int32_t> changed_day;    // of the file's last change
};

// `learned_until` ("2026-01-16") beats what stands in the file. Wrong days are an error.
[[nodiscard]] Result<Provenance> provenance_of(const std::string& policy_path,
                                               std::string_view learned_until);
// The last day named by the comment, nullopt when there is none.
[[nodiscard]] Result<std::optional<std::int32_t>> learned_until_of(std::string_view policy_text);

}  // namespace lilith::replay
