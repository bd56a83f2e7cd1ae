#pragma once
// The forecast as text for people and as JSON for programs.

#include "replay/forecast.hpp"
#include "replay/input.hpp"

#include <string>
#include <vector>

namespace lilith::replay {

// What a candidate was asked with, and what came out.
struct CandidateForecast {
  std::string policy, sha256;
  Forecast forecast;
  std::vector<std::string> notes;  // what a reader must know before quoting the number
};

struct ForecastReport {
  std::vector<CandidateForecast> candidates;
  RecordingQuality quality;
  InputReport input;
  std::uint64_t seed = 0;
  std::int32_t utc_offset_minutes = 0;
};

[[nodiscard]] std::string to_text(const ForecastReport& report);
[[nodiscard]] std::string to_json(const ForecastReport& report);

}  // namespace lilith::replay
