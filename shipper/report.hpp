#pragma once
// What the shipper tells of itself: Prometheus metrics, JSON, and text for people.

#include "audit/base/result.hpp"
#include "shipper/counters.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

// Prometheus text exposition format 0.0.4. docs/shipping.md lists the metrics.
[[nodiscard]] std::string metrics_text(const ShipReport& report);
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] std::string report_json(const ShipReport& report);
[[nodiscard]] Result<ShipReport> read_report(std::string_view json);

// Why the shipper is not ready: the sinks that cannot deliver. Empty when it is.
[[nodiscard]] std::string not_ready(const ShipReport& report);
// Why it should be restarted: sinks that hang. Empty when it is healthy.
[[nodiscard]] std::string not_healthy(const ShipReport& report);

[[nodiscard]] std::string report_text(const ShipReport& report);
// One screen of at most `rows` lines of `columns` characters. Rates are those since `before`, which
// was made `seconds` earlier; `seconds` 0: not known yet.
[[nodiscard]] std::string report_screen(const ShipReport& report, const ShipReport& before,
                                        double seconds, std::size_t rows, std::size_t columns);

}  // namespace lilith::shipper
