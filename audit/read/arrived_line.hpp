#pragma once
// A line of what arrived at a SIEM, whatever was put around the event on its way.

#include "audit/base/clock.hpp"
#include "audit/read/chain_fact.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::audit {

// How the event stands in the line.
enum class LineForm {
  kNdjson,   // the line is the event: native, ECS or OCSF
  kSyslog,   // behind a header of RFC 3164 or RFC 5424, or what a receiver made of it
  kWazuh,    // archives.json, alerts.json: in full_log, or only taken apart under data
  kElastic,  // a hit of Elasticsearch or OpenSearch: in _source
  kJson,     // in a member of another JSON object
};
inline constexpr std::size_t kLineForms = 5;
[[nodiscard]] std::string_view name(LineForm form);
[[nodiscard]] std::optional<LineForm> line_form(std::string_view name);

enum class LineState {
  kForeign,     // nothing of ours
  kUnreadable,  // speaks of an event of ours, which can't be read: cut, or mangled
  kAltered,     // the event's bytes do not give its hash
  kWhole,       // they do
  kLinked,  // only its chain members arrived: ECS, OCSF, Wazuh's data. Its content can't be checked
            // (of a withheld event and a heartbeat ECS and OCSF have the bytes: kWhole)
};

enum class ArrivedKind { kEvent, kCheckpoint, kHeartbeat, kShipLoss, kWithheld };

// Views are valid until the next call of LineOpener::open and as long as the line is.
struct ArrivedEvent {
  LineForm form = LineForm::kNdjson;
  ArrivedKind kind = ArrivedKind::kEvent;
  bool added_to = false;     // members stand behind `chain` that the writer did not write; without
                             // them the hash holds
  bool taken_apart = false;  // only its members arrived, or in ECS and OCSF its bytes beside them
  std::string_view chain_id, host;
  std::uint64_t seq = 0;
  ChainDigest prev, hash;
  bool genesis = false;  // prev is 64 zeros
  WallTime time{};
  // Both empty when kLinked: the event's own bytes, and chain.hash in them.
  std::string_view line, hash_text;
};

class LineOpener {
 public:
  LineOpener();
  ~LineOpener();
  LineOpener(const LineOpener&) = delete;
  LineOpener& operator=(const LineOpener&) = delete;

  // Of kAltered, `out` is what the line claims. Of kUnreadable, why() says what is wrong.
  [[nodiscard]] LineState open(std::string_view line, ArrivedEvent& out);
  [[nodiscard]] const std::string& why() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::audit
