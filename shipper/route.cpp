#include "shipper/route.hpp"

#include "audit/base/sha256.hpp"
#include "audit/event.hpp"

#include <algorithm>
#include <charconv>

namespace lilith::shipper {
namespace {

bool lists(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// By every list that is not empty.
bool admits(const Match& only, const LineFields& fields, bool of_agent) {
  const auto ok = [](const std::vector<std::string>& words, std::string_view word) {
    return words.empty() || lists(words, word);
  };
  return ok(only.category, fields.category) &&
         (!of_agent || (ok(only.action, fields.action) && ok(only.agent, fields.agent)));
}

// By any list.
bool excludes(const Match& except, const LineFields& fields, bool of_agent) {
  return lists(except.category, fields.category) ||
         (of_agent && (lists(except.action, fields.action) || lists(except.agent, fields.agent)));
}

bool in_sample(std::string_view id, std::uint64_t one_in) {
  const std::string hash = sha256_hex(id);
  constexpr std::size_t kDigits = 16;
  constexpr int kHexadecimal = 16;
  std::uint64_t number = 0;
  std::from_chars(hash.data(), hash.data() + kDigits, number, kHexadecimal);
  return number % one_in == 0;
}

}  // namespace

bool sends(const Route& route, const LineFields& fields) {
  if (fields.event.empty() || fields.category.empty() || fields.action.empty()) return true;
  const bool decision = fields.event == audit::name(audit::EventType::kDecision);
  const bool of_agent = decision || fields.event == audit::name(audit::EventType::kImported);
  if (!admits(route.only, fields, of_agent) || excludes(route.except, fields, of_agent))
    return false;
  const bool sampled = route.allowed_one_in > 1 && decision && !fields.id.empty() &&
                       fields.action == audit::name(audit::Action::kAllowed);
  return !sampled || in_sample(fields.id, route.allowed_one_in);
}

}  // namespace lilith::shipper
