#include "tests/audit_read/random_log.hpp"

#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace lilith::test {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kLongLine = 32'000;
constexpr std::size_t kOddOneIn = 25;

}  // namespace

void RandomLog::step() {
  switch (pick(7)) {
    case 3:
      return write_part();
    case 4:
      return rotate();
    case 5:
      return copy_truncate();
    case 6:
      return compress_one();
    default:
      for (std::size_t i = pick(20); i > 0; --i) write_line();
  }
}

void RandomLog::finish() {
  if (!partial_.empty()) write_line();
}

std::string RandomLog::odd_line(const std::string& number) {
  switch (pick(5)) {
    case 0:
      return "no event " + number;
    case 1:
      return "a NUL: " + std::string(1, '\0') + number;
    case 2:
      return "no UTF-8: \xff\xfe\xc0\x80 " + number;
    case 3:
      return chain_.line(audit::EventType::kDecision, std::string(kLongLine, 'x'));
    default:
      return chain_.line(audit::EventType::kDecision, "poison");
  }
}

std::string RandomLog::next_line() {
  const std::string number = std::to_string(++number_);
  if (kind_.odd && pick(kOddOneIn) == 0)
    return odd_line(number + " of " + fs::path(path_).filename().string());
  if (kind_.events) return chain_.line(audit::EventType::kDecision, std::string(pick(300), 'x'));
  return number + std::string(pick(200), static_cast<char>('a' + pick(26)));
}

void RandomLog::append(std::string_view bytes) {
  append_text(path_, bytes);
  // Distinct times whatever the kernel's tick is, as in a log that lives for days.
  const timespec times[2] = {{clock_, 0}, {clock_, 0}};
  ++clock_;
  ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
}

void RandomLog::write_line() {
  if (partial_.empty()) partial_ = next_line(), at_ = 0;
  append(partial_.substr(at_) + "\n");
  written_.push_back(std::move(partial_));
  partial_.clear();
  lines_in_file_++;
}

void RandomLog::write_part() {
  if (partial_.empty()) partial_ = next_line(), at_ = 0;
  const std::size_t end = at_ + pick(partial_.size() - at_ + 1);
  const std::size_t piece = kind_.odd && end < at_ + kLongLine / 100 ? 1 : end - at_;
  for (; at_ < end; at_ += std::min(piece, end - at_)) append(partial_.substr(at_, piece));
}

std::string RandomLog::rotated_name() {
  char number[32];
  std::snprintf(number, sizeof number, ".%020zu", ++rotations_);
  if (!kind_.classic) return path_ + number;
  for (std::size_t i = rotations_; i > 0; --i)
    for (const char* ending : {"", ".gz", ".zst"}) {
      const std::string from = path_ + "." + std::to_string(i) + ending;
      if (fs::exists(from)) fs::rename(from, path_ + "." + std::to_string(i + 1) + ending);
    }
  return path_ + ".1";
}

void RandomLog::rotate() {
  finish();
  if (lines_in_file_ == 0) return;
  fs::rename(path_, rotated_name());
  lines_in_file_ = 0;
  if (pick(2) == 0) append("");
}

void RandomLog::copy_truncate() {
  finish();
  if (lines_in_file_ == 0) return;
  const std::string copy = rotated_name();
  fs::copy_file(path_, copy);
  const timespec times[2] = {{clock_, 0}, {clock_, 0}};
  ++clock_;
  ASSERT_EQ(::utimensat(AT_FDCWD, copy.c_str(), times, 0), 0);
  fs::resize_file(path_, 0);
  lines_in_file_ = 0;
}

void RandomLog::compress_one() {
  std::vector<std::string> plain;
  for (const auto& entry : fs::directory_iterator(fs::path(path_).parent_path())) {
    const std::string name = entry.path().string();
    if (name.starts_with(path_ + ".") && !name.ends_with(".gz") && !name.ends_with(".zst"))
      plain.push_back(name);
  }
  std::sort(plain.begin(), plain.end());
  if (!plain.empty()) compress_file(plain[pick(plain.size())], pick(2) == 0 ? ".gz" : ".zst");
}

}  // namespace lilith::test
