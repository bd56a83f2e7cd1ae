// `lilith-hook`: `lilith hook` as a program of its own. It has no dynamic loader, so that it starts
// at a fraction of the cost, and can't ask the name service; where a user or group is not in
// /etc/passwd or /etc/group it becomes `lilith hook`, which can.

#include "enforcer/hook_main.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace {

char** arguments = nullptr;

// `lilith` stands beside this program. Comes back only when it can't be started.
void become_lilith_hook() {
  static std::array<char, PATH_MAX> self;
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size <= 0 || static_cast<std::size_t>(size) >= self.size()) return;
  const std::string_view path(self.data(), static_cast<std::size_t>(size));
  const std::string program = std::string(path.substr(0, path.rfind('/') + 1)) + "lilith";
  std::string name = "lilith", command = "hook";
  std::vector<char*> words{name.data(), command.data()};
  for (char** word = arguments + 1; *word != nullptr; ++word) words.push_back(*word);
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
}

}  // namespace

int main(int argc, char** argv) {
  arguments = argv;
  lilith::enforcer::hook_main(std::max(argc - 1, 0), argv + 1, LILITH_VERSION, become_lilith_hook);
}
