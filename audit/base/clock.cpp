#include "audit/base/clock.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sys/random.h>

namespace lilith {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now());
  }
  [[nodiscard]] MonotonicTime monotonic() const override {
    return std::chrono::steady_clock::now();
  }
};

void put_digits(char* at, int count, unsigned value) {
  for (int i = count - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Reads exactly `count` digits at `at`; -1 when there are none or too few.
int take_digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "Z" or "+hh:mm" at `at`, up to the end of the text; minutes east of UTC.
bool take_offset(std::string_view text, std::size_t at, int& minutes) {
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    minutes = 0;
    return true;
  }
  if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':') {
    return false;
  }
  const int hours = take_digits(text, at + 1, 2);
  const int rest = take_digits(text, at + 4, 2);
  if (hours < 0 || hours > 23 || rest < 0 || rest > 59) return false;
  minutes = (hours * 60 + rest) * (text[at] == '-' ? -1 : 1);
  return true;
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string format_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto of_day = static_cast<std::uint64_t>((time - day).count());
  std::string out = "0000-00-00T00:00:00.000000Z";
  const int year = static_cast<int>(date.year());
  put_digits(out.data(), 4, static_cast<unsigned>(year < 0 ? 0 : year));
  put_digits(out.data() + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(out.data() + 8, 2, static_cast<unsigned>(date.day()));
  const auto seconds = static_cast<unsigned>(of_day / 1'000'000);
  put_digits(out.data() + 11, 2, seconds / 3600);
  put_digits(out.data() + 14, 2, seconds / 60 % 60);
  put_digits(out.data() + 17, 2, seconds % 60);
  put_digits(out.data() + 20, 6, static_cast<unsigned>(of_day % 1'000'000));
  return out;
}

Result<WallTime> parse_time(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidInput, "not an RFC 3339 time: '" + std::string(text) + "'");
  };
  const int year = take_digits(text, 0, 4), month = take_digits(text, 5, 2),
            day = take_digits(text, 8, 2), hour = take_digits(text, 11, 2),
            minute = take_digits(text, 14, 2), second = take_digits(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60 || text[4] != '-' || text[7] != '-' || text[13] != ':' ||
      text[16] != ':' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')) {
    return bad();
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad();
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (text.size() == 27 && text[19] == '.' && text[26] == 'Z') {  // as format_time() writes it
    micros = take_digits(text, 20, 6);
    if (micros < 0) return bad();
    at = 26;
  } else if (at < text.size() && text[at] == '.') {
    std::int64_t scale = 100'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      micros += (text[at] - '0') * scale;
    }
    if (at == first || at - first > 9) return bad();
  }
  int offset = 0;
  if (at >= text.size() || !take_offset(text, at, offset)) return bad();
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset) + std::chrono::seconds(second) +
         std::chrono::microseconds(micros);
}

std::string uuid_v7(WallTime time, const std::uint8_t (&random)[10]) {
  const auto millis = static_cast<std::uint64_t>(time.time_since_epoch().count() / 1000);
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 6; ++i) {
    bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  }
  for (std::size_t i = 0; i < 10; ++i) bytes[6 + i] = random[i];
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x70);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(kHex[bytes[i] >> 4]);
    out.push_back(kHex[bytes[i] & 15]);
  }
  return out;
}

std::string uuid_v7(WallTime time) {
  std::uint8_t random[10];
  std::size_t have = 0;
  while (have < sizeof random) {
    const ssize_t got = getrandom(random + have, sizeof random - have, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::perror("getrandom");  // getrandom(2) fails only where the kernel lacks it
      std::abort();
    }
    have += static_cast<std::size_t>(got);
  }
  return uuid_v7(time, random);
}

}  // namespace lilith
