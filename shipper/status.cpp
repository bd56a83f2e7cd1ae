#include "shipper/checkpoint.hpp"
#include "shipper/report.hpp"
#include "shipper/ship.hpp"
#include "shipper/state.hpp"

#include <curl/curl.h>
#include <memory>
#include <optional>

namespace lilith::shipper {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{16} * 1024 * 1024;
constexpr long kAnswerTimeoutMs = 10'000;

std::size_t take(char* bytes, std::size_t one, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  // Returning less than was given ends the transfer.
  if (answer.size() + one * count > kAnswerBytesMax) return 0;
  answer.append(bytes, one * count);
  return one * count;
}

// What the running shipper answers; nothing when none does.
std::optional<ShipReport> ask(const std::string& socket) {
  const std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)> easy(::curl_easy_init(),
                                                                   ::curl_easy_cleanup);
  if (!easy) return std::nullopt;
  std::string answer;
  ::curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_URL, (std::string("http://lilith") + kStatusPath).c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  ::curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, kAnswerTimeoutMs);
  ::curl_easy_setopt(easy.get(), CURLOPT_FAILONERROR, 1L);
  ::curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &take);
  ::curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
  if (::curl_easy_perform(easy.get()) != CURLE_OK) return std::nullopt;
  auto report = read_report(answer);
  if (!report) return std::nullopt;
  return std::move(*report);
}

}  // namespace

Result<ShipReport> status(const Config& config, const Clock& clock) {
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
