#include "enforcer/agent_process.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

constexpr std::size_t kStatBytesMax = 4096;
constexpr int kFieldParent = 4, kFieldStart = 22;  // proc(5)

// Programs that agents start hooks through.
constexpr std::array<std::string_view, 26> kBetween{
    "sh",      "dash", "bash",    "zsh",  "ksh",     "ksh93",   "mksh",   "fish",   "ash",
    "busybox", "env",  "timeout", "nice", "ionice",  "nohup",   "stdbuf", "setsid", "sudo",
    "doas",    "su",   "xargs",   "time", "unshare", "setpriv", "script", "strace"};

struct Stat {
  std::string name;
  std::int64_t parent = 0;
  std::string start;
};

bool read_stat(const std::string& directory, Stat& out) {
  const auto text = read_file(directory + "/stat", kStatBytesMax);
  if (!text) return false;
  // The name may hold blanks and parentheses; the last ')' ends it.
  const std::size_t open = text->find('('), close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  out.name = text->substr(open + 1, close - open - 1);
  std::string_view rest = std::string_view(*text).substr(close + 1);
  for (int field = 3; field <= kFieldStart; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    if (field == kFieldParent) {
      std::from_chars(word.data(), word.data() + word.size(), out.parent);
    } else if (field == kFieldStart) {
      out.start = word;
    }
  }
  return !out.start.empty();
}

std::string exe_of(const std::string& directory) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink((directory + "/exe").c_str(), target.data(), target.size());
  if (size <= 0) return {};
  // The kernel marks a program whose file was replaced while it runs.
  constexpr std::string_view kDeletedMark = " (deleted)";
  std::string_view text(target.data(), static_cast<std::size_t>(size));
  if (text.ends_with(kDeletedMark)) text.remove_suffix(kDeletedMark.size());
  return std::string(text);
}

}  // namespace

AgentProcess agent_process_above(std::int64_t parent, const std::string& proc) {
  AgentProcess nearest;
  for (int hop = 0; hop < limits::kAncestorsMax && parent > 0; ++hop) {
    AgentProcess candidate{parent, {}, {}};
    const std::string directory = proc + "/" + std::to_string(parent);
    Stat stat;
    if (!read_stat(directory, stat)) break;
    candidate.start = stat.start;
    candidate.exe = exe_of(directory);
    if (hop == 0) nearest = candidate;
    const std::string_view program =
        candidate.exe.empty()
            ? std::string_view(stat.name)
            : std::string_view(candidate.exe).substr(candidate.exe.rfind('/') + 1);
    if (std::find(kBetween.begin(), kBetween.end(), program) == kBetween.end()) {
      // Process 1 is nobody's agent, unless it is all there is (a container).
      return candidate.pid == 1 && hop > 0 ? nearest : candidate;
    }
    parent = stat.parent;
  }
  return nearest;
}

AgentProcess process_of(std::int64_t pid, const std::string& proc) {
  const std::string directory = proc + "/" + std::to_string(pid);
  Stat stat;
  if (!read_stat(directory, stat)) return {pid, {}, {}};
  return {pid, stat.start, exe_of(directory)};
}

AgentProcess agent_process_of(std::int64_t pid, const std::string& proc) {
  Stat stat;
  if (!read_stat(proc + "/" + std::to_string(pid), stat)) return {};
  return agent_process_above(stat.parent, proc);
}

std::string process_key(const std::string& host, const AgentProcess& process) {
  return host + "/" + std::to_string(process.pid) + "/" +
         (process.start.empty() ? "0" : process.start);
}

}  // namespace lilith::enforcer
