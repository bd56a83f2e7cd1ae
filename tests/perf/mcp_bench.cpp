// What `lilith mcp` adds to a tool call: round trips of one allowed tools/call to a server that
// echoes (cat(1)), straight, through a bare relay (the floor: one more process on the way, which
// moves bytes and looks at none) and through the proxy, one after the other in one run over pipes.
// Each call through the proxy is decided and appended to the log. Times are printed and never
// judged.
//
//   mcp_bench [--calls 3000] [--bin DIR] [--before DIR]
//
// --before: a build to compare with, in turn with the others, in the same run.
//
//   mcp_bench --relay COMMAND...      (what the first starts as its relay)

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr int kWarmUpCalls = 100;
constexpr int kCallsDefault = 3000;
constexpr int kCallsMax = 1'000'000;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "mcp_bench: %s\n", why.c_str());
  std::exit(1);
}

struct Started {
  pid_t pid = -1;
  int to = -1, from = -1;  // its standard input and output
};

Started start(const std::vector<std::string>& argv) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) die("pipe failed");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  Started started{-1, in[1], out[0]};
  if (posix_spawnp(&started.pid, words[0], &actions, nullptr, words.data(), environ) != 0) {
    die("cannot start " + argv[0]);
  }
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  return started;
}

// What any process between the two has to do, and nothing else: wait for either side, read, write.
int relay(const std::vector<std::string>& argv) {
  const Started server = start(argv);
  std::array<char, 64 * 1024> buffer{};
  std::array<pollfd, 2> waits{{{0, POLLIN, 0}, {server.from, POLLIN, 0}}};
  const std::array<int, 2> outputs{server.to, 1};
  while (poll(waits.data(), waits.size(), -1) > 0) {
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      const ssize_t got = read(waits[i].fd, buffer.data(), buffer.size());
      if (got > 0 && write(outputs[i], buffer.data(), static_cast<std::size_t>(got)) == got)
        continue;
      close(server.to);
      waitpid(server.pid, nullptr, 0);
      return 0;
    }
  }
  return 1;
}

class Server {
 public:
  explicit Server(const std::vector<std::string>& argv) : started_(start(argv)) {}
  ~Server() {
    close(started_.to);
    close(started_.from);
    waitpid(started_.pid, nullptr, 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Until the whole line is back.
  double call(std::string_view line) {
    const auto begin = std::chrono::steady_clock::now();
    if (write(started_.to, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      die("write");
    std::size_t got = 0;
    std::array<char, 4096> buffer{};
    do {
      const ssize_t some = read(started_.from, buffer.data(), buffer.size());
      if (some <= 0) die("the server is gone");
      got += static_cast<std::size_t>(some);
      if (got > line.size()) die("the call was not allowed");
    } while (got < line.size());
    return Microseconds(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  Started started_;
};

double quantile(std::vector<double> values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

struct Way {
  std::string name;
  std::vector<std::string> command;
  std::string log;  // of the decisions; empty: it makes none
  std::vector<double> times;
};

Way through_lilith(std::string name, const std::string& bin, const std::string& folder) {
  fs::create_directory(folder);
  const std::string policy = folder + "/policy.yaml", log = folder + "/log/agent-audit.log";
  std::ofstream(policy) << "version: \"1\"\ntool_invocations:\n  default_action: deny\n"
                           "  allowed_tools:\n    - name: mcp_tool\n      servers: [bench]\n"
                           "audit:\n  log_path: \""
                        << log << "\"\n";
  return {std::move(name),
          {bin + "/lilith", "mcp", "--server", "bench", "--policy", policy, "--", "cat"},
          log,
          {}};
}

int decisions_in(const std::string& log) {
  std::ifstream in(log);
  int logged = 0;
  for (std::string one; std::getline(in, one);) {
    if (one.find(R"("event":"decision")") != std::string::npos) ++logged;
  }
  return logged;
}

int bench(int calls, std::vector<Way> ways) {
  const std::string line =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"/home/dev/projects/app/src/index.ts","head":100}}})"
      "\n";
  {
    std::vector<std::unique_ptr<Server>> servers;
    for (const Way& way : ways) servers.push_back(std::make_unique<Server>(way.command));
    for (int i = -kWarmUpCalls; i < calls; ++i) {
      for (std::size_t k = 0; k < ways.size(); ++k) {
        const double took = servers[k]->call(line);
        if (i >= 0) ways[k].times.push_back(took);
      }
    }
  }
  std::printf("mcp_bench: %d interleaved calls each, one event a call\n", calls);
  std::printf("%-26s %10s %10s %10s %10s\n", "", "p50 us", "added", "p95 us", "p99 us");
  const double floor = quantile(ways.front().times, 0.5);
  bool all_logged = true;
  for (const Way& way : ways) {
    const double p50 = quantile(way.times, 0.5);
    std::printf("%-26s %10.1f %10.1f %10.1f %10.1f\n", way.name.c_str(), p50, p50 - floor,
                quantile(way.times, 0.95), quantile(way.times, 0.99));
    if (way.log.empty()) continue;
    const int logged = decisions_in(way.log), wanted = calls + kWarmUpCalls;
    std::printf("%26s %d of %d decisions are in the log\n", "", logged, wanted);
    all_logged = all_logged && logged == wanted;
  }
  return all_logged ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "--relay") return relay({argv + 2, argv + argc});
  int calls = kCallsDefault;
  std::string bin = LILITH_BIN_DIR, before;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--calls") {
      calls = std::atoi(argv[i + 1]);
    } else if (flag == "--bin") {
      bin = argv[i + 1];
    } else if (flag == "--before") {
      before = argv[i + 1];
    } else {
      die("unknown option " + std::string(flag));
    }
  }
  if (calls < 1 || calls > kCallsMax) die("--calls wants 1 to 1000000");
  signal(SIGPIPE, SIG_IGN);
  std::string folder = (fs::temp_directory_path() / "mcp_bench.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) die("cannot make a temporary directory");
  setenv("XDG_STATE_HOME", folder.c_str(), 1);
  std::vector<Way> ways{{"straight to cat", {"cat"}, {}, {}},
                        {"through a bare relay", {"/proc/self/exe", "--relay", "cat"}, {}, {}},
                        through_lilith("through lilith mcp", bin, folder + "/now")};
  if (!before.empty()) {
    ways.push_back(through_lilith("through lilith mcp before", before, folder + "/before"));
  }
  const int result = bench(calls, std::move(ways));
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return result;
}
