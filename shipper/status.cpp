#include "shipper/checkpoint.hpp"
#include "shipper/http_client.hpp"
#include "shipper/report.hpp"
#include "shipper/ship.hpp"
#include "shipper/state.hpp"

#include <chrono>
#include <optional>

namespace lilith::shipper {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};

// What the running shipper answers; nothing when none does.
std::optional<ShipReport> ask(const std::string& socket) {
  const auto answer = get_from_socket(socket, kStatusPath, kAnswerTimeout);
  if (!answer) return std::nullopt;
  auto report = read_report(*answer);
  if (!report) return std::nullopt;
  return std::move(*report);
}

}  // namespace

Result<ShipReport> status(const Config& config, const Clock& clock) {
  // Checkpoints would not tell of a shipper that runs.
  if (auto ready = HttpClient::ready(); !ready) return pass_error(ready);
  if (auto live = ask(status_socket_path(config.state_dir))) return std::move(*live);
  ShipReport out;
  for (const SinkConfig& sink : config.sinks) {
    const Cursors cursors = CheckpointFile(config.state_dir, sink.name).load().cursors;
    SinkReport report;
    report.sink = sink.name;
    for (const std::string& source : all_sources(config)) {
      const auto found = cursors.find(source);
      report.sources.push_back(
          {source, found == cursors.end() ? audit::Cursor{} : found->second, {}});
    }
    if (auto measured = measure_lag(report, clock.now()); !measured) return pass_error(measured);
    out.sinks.push_back(std::move(report));
  }
  return out;
}

}  // namespace lilith::shipper
