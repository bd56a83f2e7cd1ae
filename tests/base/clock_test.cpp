#include "audit/base/clock.hpp"

#include <gtest/gtest.h>

namespace lilith {
namespace {

struct TimeCase {
  const char* name;
  const char* text;
  const char* canonical;  // nullptr: refused
};
void PrintTo(const TimeCase& c, std::ostream* out) { *out << c.name; }

class Rfc3339 : public testing::TestWithParam<TimeCase> {};

TEST_P(Rfc3339, IsReadOrRefused) {
  const auto time = parse_time(GetParam().text);
  if (GetParam().canonical == nullptr) {
    ASSERT_FALSE(time.has_value());
    EXPECT_NE(time.error().message.find(GetParam().text), std::string::npos);
  } else {
    ASSERT_TRUE(time.has_value()) << time.error().message;
    EXPECT_EQ(format_time(*time), GetParam().canonical);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Clock, Rfc3339,
    testing::Values(
        TimeCase{"micros", "2026-11-24T00:20:42.831204Z", "2026-11-24T00:20:42.831204Z"},
        TimeCase{"millis", "2026-01-05T12:17:36.209Z", "2026-01-05T12:17:36.209000Z"},
        TimeCase{"whole_seconds", "2026-01-05T12:17:36Z", "2026-01-05T12:17:36.000000Z"},
        TimeCase{"nanos_are_cut", "2026-01-05T12:17:36.123456789Z", "2026-01-05T12:17:36.123456Z"},
        TimeCase{"east", "2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"},
        TimeCase{"west", "2025-12-31T23:30:00-01:30", "2026-01-01T01:00:00.000000Z"},
        TimeCase{"leap_day", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000000Z"},
        TimeCase{"no_leap_day", "2026-02-29T00:00:00Z", nullptr},
        TimeCase{"no_zone", "2026-01-01T00:00:00", nullptr},
        TimeCase{"empty_fraction", "2026-01-01T00:00:00.Z", nullptr},
        TimeCase{"too_long_fraction", "2026-01-01T00:00:00.1234567890Z", nullptr},
        TimeCase{"text_after", "2026-01-01T00:00:00Zx", nullptr},
        TimeCase{"hour_24", "2026-01-01T24:00:00Z", nullptr}, TimeCase{"empty", "", nullptr},
        TimeCase{"cut", "2026-01-01T00:0", nullptr}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Uuid7, CarriesTimeVersionAndVariant) {
  // RFC 9562 appendix A.6: time 2022-02-22T14:22:22-05:00, random 0xCC3, 0x18C4DC0C0C07398F.
  const std::uint8_t random[10] = {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
  const auto time = parse_time("2022-02-22T14:22:22-05:00");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(uuid_v7(*time, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

TEST(Uuid7, TwoAreNeverTheSame) {
  const WallTime now = system_clock().now();
  EXPECT_NE(uuid_v7(now), uuid_v7(now));
}

}  // namespace
}  // namespace lilith
