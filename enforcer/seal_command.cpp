#include "enforcer/seal_command.hpp"

#include "audit/log.hpp"
#include "audit/read/verify_key.hpp"
#include "audit/seal_key.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/policy_place.hpp"
#include "enforcer/recording.hpp"

#include <sys/stat.h>
#include <utility>

namespace lilith::enforcer {
namespace {

// The log's options with its key; a policy is read only for what the arguments leave open.
Result<audit::LogOptions> sealed_log(const SealArguments& arguments, bool needs_log) {
  rules::AuditSettings settings;
  const bool open = arguments.key.empty() || (needs_log && arguments.log.empty());
  if (open || !arguments.policy.empty()) {
    const Places places = machine_places({});
    const FoundPolicy found = find_policy(places, arguments.policy, rules::real_file_system());
    if (found.load.policy) settings = found.load.policy->audit();
    if (!found.load.policy && !found.path.empty()) {
      return fail(ErrorCode::kInvalidInput, why_unusable(found, places));
    }
  }
  audit::LogOptions log = log_options(settings, true);
  log.host = host_name();
  if (!arguments.log.empty()) log.path = arguments.log;
  if (!arguments.key.empty()) log.seal.key = arguments.key;
  if (log.seal.key.empty()) {
    return fail(ErrorCode::kInvalidInput,
                "which key? The policy has no audit.seal.key; name the file with --key");
  }
  for (const std::string& path : {log.path, log.seal.key}) {
    if (!path.starts_with('/')) {
      return fail(ErrorCode::kInvalidInput, "'" + path + "' must be an absolute path");
    }
  }
  return log;
}

void print_verify_key(const audit::SealKey& key) {
  audit::VerifyKey line;
  line.host = key.host;
  line.key = audit::seal_key_id(key.first_public_key);
  line.public_key = key.first_public_key;
  print(to_line(line) + "\n");
}

}  // namespace

int seal_init(const SealArguments& arguments) {
  const auto log = sealed_log(arguments, true);
  if (!log) return complain(log.error().message, code_of(log.error()));
  const auto key = audit::create_seal_key(log->seal.key, log->host, log->path);
  if (!key) return complain(key.error().message, code_of(key.error()));
  print_verify_key(*key);
  return complain("made " + log->seal.key + " for " + log->path +
                      ". The line on standard output is the verify key: keep it where the log is "
                      "verified, for lilith verify --verify-key",
                  kGood);
}

int seal_rotate(const SealArguments& arguments) {
  const auto log = sealed_log(arguments, true);
  if (!log) return complain(log.error().message, code_of(log.error()));
  struct stat info{};
  if (::lstat(log->path.c_str(), &info) != 0) {
    return complain("there is no log " + log->path + " to seal", kIncomplete);
  }
  const auto sealed = audit::seal_log(*log, audit::SealReason::kAsked);
  if (!sealed) return complain(sealed.error().message, code_of(sealed.error()));
  const auto key = audit::any_seal_key(log->seal.key);
  if (!key) return complain(key.error().message, code_of(key.error()));
  print("sealed " + log->path + " up to seq " + std::to_string(key->sealed.seq) +
        "; the key is now that of epoch " + std::to_string(key->epoch) + "\n");
  return kGood;
}

int seal_export_key(const SealArguments& arguments) {
  const auto log = sealed_log(arguments, false);
  if (!log) return complain(log.error().message, code_of(log.error()));
  const auto key = audit::any_seal_key(log->seal.key);
  if (!key) return complain(key.error().message, code_of(key.error()));
  print_verify_key(*key);
  return kGood;
}

}  // namespace lilith::enforcer
