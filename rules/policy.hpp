#pragma once
// The policy: loaded from YAML once, compiled, immutable, shared. docs/policy.md is the reference
// of the file.

#include "audit/base/limits.hpp"
#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/sync.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  int line = 0;  // from 1; 0: the file as a whole
  int column = 0;
  std::string message;  // what is wrong, and "did you mean ...?" or the remedy
};
// "FILE:LINE:COLUMN: error: MESSAGE"
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

// The audit section as written, with defaults filled in.
struct AuditSettings {
  bool enabled = true;
  std::string log_path = "/var/log/lilith/agent-audit.log";
  bool log_denied = true;
  bool log_allowed = true;
  bool redact = true;
  audit::Sync sync = audit::Sync::kOff;
  std::uint64_t rotate_max_bytes = limits::kRotateBytesDefault;
  std::uint32_t rotate_keep = 0;
  std::string shipper_state;          // audit.rotate.shipper_state
  std::uint64_t quota_max_bytes = 0;  // 0: no quota
  std::uint64_t quota_min_free_bytes = limits::kLogFreeBytesMin;
  std::string group;
  std::string seal_key;  // audit.seal.key; empty: no seals
  std::uint64_t seal_events = limits::kSealEventsDefault;
  std::chrono::seconds seal_age = limits::kSealAgeDefault;
};

// Compiled lists; rules/policy_model.hpp, for rules/ itself only.
struct PolicyModel;

class Policy {
 public:
  explicit Policy(std::unique_ptr<const PolicyModel> model);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  [[nodiscard]] const std::string& sha256() const;     // of the file's bytes, 64 hex
  [[nodiscard]] const std::string& file_name() const;  // as given to load_policy()
  [[nodiscard]] const AuditSettings& audit() const;
  // false when the whole file is `mode: audit`: nothing is ever blocked, not even on internal
  // errors.
  [[nodiscard]] bool enforces() const;
  [[nodiscard]] bool allow_user_policy() const;
  [[nodiscard]] const PolicyModel& model() const { return *model_; }

 private:
  std::unique_ptr<const PolicyModel> model_;
};

struct PolicyLoad {
  std::shared_ptr<const Policy> policy;  // null when there is any error
  std::vector<Diagnostic> diagnostics;   // all problems at once, in file order
};
// Parses and compiles. `file_name` is for messages only. $USER, $HOME and ~ in path patterns stay
// symbolic: they are the deciding call's user and home (audit::Facts), so that one policy replays
// the traffic of many people.
[[nodiscard]] PolicyLoad load_policy(std::string_view yaml, std::string_view file_name);
// Reads the file first; a file that can't be read is one diagnostic.
[[nodiscard]] PolicyLoad load_policy_file(const std::string& path);

// The grammar of the file as a JSON Schema (2020-12); `lilith policy schema` prints it.
[[nodiscard]] std::string_view policy_json_schema();

}  // namespace lilith::rules
