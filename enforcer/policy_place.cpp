#include "enforcer/policy_place.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "enforcer/compiled_store.hpp"
#include "rules/policy_compiled.hpp"

#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>

namespace lilith::enforcer {
namespace {

// A file that is there but can't be looked at counts: it must not fall out of the order silently.
bool is_there(const std::string& path) {
  struct stat info{};
  if (path.empty()) return false;
  return ::stat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// The policy at `path`, by its compiled form where there is one to be believed.
FoundPolicy load(const std::string& path, const Places& places, std::string_view engine) {
  FoundPolicy found{path, {}, {}};
  const auto yaml = read_file(path, limits::kPolicyBytesMax);
  if (!yaml) {
    found.load = rules::load_policy_file(path);
    return found;
  }
  if (!engine.empty()) {
    const std::string sha256 = sha256_hex(*yaml);
    auto bytes = read_compiled(places.compiled_policies, sha256);
    if (bytes && !bytes->empty()) {
      auto load = rules::load_compiled_policy(*bytes, sha256, engine, path);
      if (load) {
        found.load = std::move(*load);
        return found;
      }
      found.compiled_ignored = load.error().message;
    } else if (!bytes) {
      found.compiled_ignored = bytes.error().message;
    }
  }
  found.load = rules::load_policy(*yaml, path);
  return found;
}

}  // namespace

Places machine_places(const std::string& home) {
  Places places;
  places.environment_policy = from_environment("LILITH_POLICY");
  places.environment_recorder = from_environment("LILITH_RECORDER");
  const std::string state = from_environment("XDG_STATE_HOME");
  if (state.starts_with('/')) {
    places.user_state = state + "/lilith";
  } else if (!home.empty()) {
    places.user_state = home + "/.local/state/lilith";
  }
  if (!home.empty()) places.user_policy = home + "/.config/lilith/lilith-policy.yaml";
  return places;
}

FoundPolicy find_policy(const Places& places, const std::string& option,
                        const rules::FileSystem& file_system, std::string_view engine) {
  const std::string& named = option.empty() ? places.environment_policy : option;
  const auto load_from = [&](const std::string& path) { return load(path, places, engine); };
  const bool system_there = is_there(places.system_policy);
  if (system_there && file_system.root_owned(places.system_policy)) {
    FoundPolicy system = load_from(places.system_policy);
    const bool yields = system.load.policy && system.load.policy->allow_user_policy();
    return yields && !named.empty() ? load_from(named) : std::move(system);
  }
  if (!named.empty()) return load_from(named);
  if (system_there) return load_from(places.system_policy);
  if (is_there(places.user_policy)) return load_from(places.user_policy);
  return {};
}

std::string why_unusable(const FoundPolicy& found, const Places& places) {
  if (found.path.empty()) {
    return "there is no policy: neither --policy, LILITH_POLICY, " + places.system_policy +
           " nor " + places.user_policy;
  }
  std::size_t errors = 0;
  const rules::Diagnostic* first = nullptr;
  for (const rules::Diagnostic& diagnostic : found.load.diagnostics) {
    if (diagnostic.severity != rules::Severity::kError) continue;
    if (first == nullptr) first = &diagnostic;
    ++errors;
  }
  std::string why = "the policy is not usable";
  if (first != nullptr) why += ": " + rules::to_string(*first);
  if (errors > 1) why += " (and " + std::to_string(errors - 1) + " more)";
  return why;
}

}  // namespace lilith::enforcer
