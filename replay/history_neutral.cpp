// The neutral form (docs/replay.md): {"ts","session","host","agent","tool","input",...}, one call a
// line, for histories of programs that no other form reads.

#include "replay/history.hpp"

namespace lilith::replay {
namespace {

std::optional<Outcome> outcome_named(std::string_view name) {
  if (name == "ok") return Outcome::kOk;
  if (name == "error") return Outcome::kError;
  if (name == "rejected") return Outcome::kRejected;
  return std::nullopt;
}

class NeutralHistory final : public HistoryForm {
 public:
  Result<bool> line(json::View root, HistorySink& sink) override {
    if (!root.find("ts") || !root.find("tool")) return false;
    auto time = time_of(root, "ts");
    if (!time) return pass_error(time);
    const auto input = root.find("input");
    if (root.text("tool").empty() || !input)
      return fail(ErrorCode::kInvalidInput, "a call needs tool and input");
    HistoryCall call;
    call.agent = root.text("agent");
    call.tool = root.text("tool");
    call.host = root.text("host");
    call.session = root.text("session");
    call.child = root.text("subagent");
    call.call_id = root.text("call_id");
    call.cwd = root.text("cwd");
    call.time = *time;
    call.outcome = outcome_named(root.text("outcome"));
    sink.call(call, *input);
    return true;
  }
};

}  // namespace

std::unique_ptr<HistoryForm> neutral_history() { return std::make_unique<NeutralHistory>(); }

}  // namespace lilith::replay
