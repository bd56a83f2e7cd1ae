// What one hook costs: `lilith-hook` and `lilith hook` on recorded events against an empty process,
// all started by posix_spawn, one after the other in one run, so that the ratio does not depend on
// the machine. Times are printed and never judged; the exit code says only whether every hook did
// its work (right verdict, every event in the log).
//
//   hook_bench [--runs 300] [--mode direct|recorder] [--parallel N] [--bin DIR]
//
// As root it also measures hooks with a compiled policy: in a mount namespace of its own, whose
// /var/lib is empty but for that policy.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Microseconds = std::chrono::duration<double, std::micro>;
namespace fs = std::filesystem;

constexpr int kWarmUpRuns = 5;  // the first runs of a program pay for cold files
constexpr int kRunsDefault = 300;
constexpr int kRunsMax = 100'000;
constexpr int kParallelMax = 1000;
constexpr char kCompiledPolicies[] = "/var/lib/lilith/compiled";

struct Options {
  int runs = kRunsDefault;
  bool recorder = false;
  int parallel = 0;  // hooks at once; 0: the interleaved measurement
  std::string bin = LILITH_BIN_DIR;
};

struct Subject {
  std::string name;
  std::vector<std::string> argv;
  std::string input;  // file for stdin
  int expected_exit = 0;
  std::vector<double> wall_us, cpu_us;
};

struct Cost {
  double wall_us = 0;
  double cpu_us = 0;  // of the process from exec to exit, user and system
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "hook_bench: %s\n", why.c_str());
  std::exit(1);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (i + 1 >= argc) {
      die("usage: hook_bench [--runs N] [--mode direct|recorder] [--parallel N] [--bin DIR]");
    }
    const std::string value = argv[++i];
    if (flag == "--runs") {
      options.runs = std::atoi(value.c_str());
      if (options.runs < 1 || options.runs > kRunsMax) die("--runs wants 1 to 100000");
    } else if (flag == "--parallel") {
      options.parallel = std::atoi(value.c_str());
      if (options.parallel < 1 || options.parallel > kParallelMax)
        die("--parallel wants 1 to 1000");
    } else if (flag == "--mode" && (value == "direct" || value == "recorder")) {
      options.recorder = value == "recorder";
    } else if (flag == "--bin") {
      options.bin = value;
    } else {
      die("unknown option " + std::string(flag) + " " + value);
    }
  }
  return options;
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) die("cannot write " + path);
}

// The project's own sample policy with its log and roots in `folder`, as `name`.
std::string sample_policy(const std::string& folder, const std::string& name) {
  const std::string source = std::string(LILITH_SOURCE_DIR) + "/rules/policies/lilith-policy.yaml";
  std::ifstream in(source, std::ios::binary);
  if (!in) die("cannot read " + source);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  constexpr std::string_view kLog = "/var/log/lilith/agent-audit.log";
  const std::size_t at = text.find(kLog);
  if (at == std::string::npos) die(source + " has no audit.log_path of the usual place");
  text.replace(at, kLog.size(), folder + "/agent-audit.log");
  const std::string path = folder + "/" + name;
  write_file(path, text + "# " + name + "\n");
  return path;
}

// As Claude Code 2.1.328 sends it on stdin.
std::string hook_event(const std::string& tool, const std::string& input) {
  return R"({"session_id":"97f0a3c2-1b7e-4a55-9d0c-3f1e5a6b7c8d","transcript_path":"/home/dev/.claude/projects/x/97f0a3c2.jsonl","cwd":"/home/dev/projects/app","prompt_id":"p1","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":")" +
         tool + R"(","tool_input":)" + input + R"(,"tool_use_id":"toolu_01A"})";
}

pid_t spawn(const std::vector<std::string>& argv, const std::string& input,
            const std::string& errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) die("cannot start " + argv[0] + ": " + std::strerror(failed));
  return pid;
}

void check(const Subject& subject, int status, const std::string& errors) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == subject.expected_exit) return;
  std::ifstream in(errors);
  die(subject.name + " ended with " + std::to_string(code) + " instead of " +
      std::to_string(subject.expected_exit) + ": " +
      std::string((std::istreambuf_iterator<char>(in)), {}));
}

double microseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

// Wall time from before the spawn to after the wait.
Cost run_once(const Subject& subject, const std::string& errors) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = spawn(subject.argv, subject.input, errors);
  int status = 0;
  rusage usage{};
  if (wait4(pid, &status, 0, &usage) != pid) die("wait4 failed");
  const auto end = std::chrono::steady_clock::now();
  check(subject, status, errors);
  return {Microseconds(end - begin).count(),
          microseconds(usage.ru_utime) + microseconds(usage.ru_stime)};
}

double quantile(std::vector<double> values, double q) {
  const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// Decision events in every log file of the folder.
std::size_t decisions_in(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("agent-audit.log")) continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.find(R"("event":"decision")") != std::string::npos) ++count;
    }
  }
  return count;
}

class Recorder {
 public:
  Recorder(const Options& options, const std::string& folder) : socket_(folder + "/recorder.sock") {
    pid_ = spawn({options.bin + "/lilith", "recorder", "--socket", socket_, "--log",
                  folder + "/agent-audit.log"},
                 "/dev/null", folder + "/recorder.err");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!answers()) {
      if (std::chrono::steady_clock::now() > deadline) die("the recorder did not open " + socket_);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~Recorder() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  [[nodiscard]] const std::string& socket() const { return socket_; }

 private:
  [[nodiscard]] bool answers() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path)
      die("the temporary directory's name is too long for a socket");
    std::copy(socket_.begin(), socket_.end(), address.sun_path);
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const bool ok = connect(fd, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                            sizeof address) == 0;
    close(fd);
    return ok;
  }
  std::string socket_;
  pid_t pid_ = -1;
};

void report(const std::vector<Subject>& subjects, const Options& options) {
  const double wall_floor = quantile(subjects.front().wall_us, 0.5);
  const double cpu_floor = quantile(subjects.front().cpu_us, 0.5);
  std::printf("hook_bench: %d interleaved runs each, mode %s; wall time from spawn to exit\n",
              options.runs, options.recorder ? "recorder" : "direct");
  std::printf("%-42s %9s %9s %9s %7s %9s %7s\n", "", "median us", "p95 us", "p99 us", "ratio",
              "cpu us", "ratio");
  for (const Subject& subject : subjects) {
    const double wall = quantile(subject.wall_us, 0.5), cpu = quantile(subject.cpu_us, 0.5);
    std::printf("%-42s %9.0f %9.0f %9.0f %7.2f %9.0f %7.2f\n", subject.name.c_str(), wall,
                quantile(subject.wall_us, 0.95), quantile(subject.wall_us, 0.99), wall / wall_floor,
                cpu, cpu / cpu_floor);
  }
}

// Whether this process now has a mount namespace of its own with an empty /var/lib.
bool own_var_lib() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("none", "/var/lib", "tmpfs", 0, "mode=0755") == 0;
}

void compile(const Options& options, const std::string& policy, const std::string& errors) {
  const Subject compile{
      "lilith policy compile",
      {options.bin + "/lilith", "policy", "compile", policy, "--into", kCompiledPolicies},
      "/dev/null",
      0,
      {},
      {}};
  run_once(compile, errors);
}

std::vector<Subject> make_subjects(const Options& options, const std::string& folder,
                                   const std::string& socket) {
  const std::string policy = sample_policy(folder, "policy.yaml");
  write_file(
      folder + "/bash.json",
      hook_event(
          "Bash",
          R"({"command":"git status --short && git diff --stat | cat","description":"Look"})"));
  write_file(folder + "/git.json",
             hook_event("Bash", R"({"command":"git status --short","description":"Look"})"));
  write_file(folder + "/read.json", hook_event("Read", R"({"file_path":"/etc/shadow"})"));
  const auto hook = [&](std::vector<std::string> argv, const std::string& file) {
    argv.insert(argv.end(), {"--agent", "claude-code", "--policy", file});
    if (!socket.empty()) argv.insert(argv.end(), {"--recorder", socket});
    return argv;
  };
  const std::vector<std::string> tiny{options.bin + "/lilith-hook"};
  const std::vector<std::string> door{options.bin + "/lilith", "hook"};
  std::vector<Subject> subjects{
      {"empty process", {options.bin + "/empty_process"}, "/dev/null", 0, {}, {}},
      {"empty process, no dynamic loader",
       {options.bin + "/empty_static_process"},
       "/dev/null",
       0,
       {},
       {}},
      {"lilith-hook, Bash allowed", hook(tiny, policy), folder + "/git.json", 0, {}, {}},
      {"lilith-hook, Bash denied", hook(tiny, policy), folder + "/bash.json", 2, {}, {}},
      {"lilith-hook, Read denied", hook(tiny, policy), folder + "/read.json", 2, {}, {}},
      {"lilith hook, Bash allowed", hook(door, policy), folder + "/git.json", 0, {}, {}}};
  if (!own_var_lib()) {
    std::printf("without compiled policies: that needs root and a mount namespace\n");
    return subjects;
  }
  const std::string compiled = sample_policy(folder, "compiled.yaml");
  compile(options, compiled, folder + "/stderr");
  subjects.push_back({"lilith-hook, compiled, Bash allowed",
                      hook(tiny, compiled),
                      folder + "/git.json",
                      0,
                      {},
                      {}});
  subjects.push_back({"lilith-hook, compiled, Read denied",
                      hook(tiny, compiled),
                      folder + "/read.json",
                      2,
                      {},
                      {}});
  subjects.push_back({"lilith hook, compiled, Bash allowed",
                      hook(door, compiled),
                      folder + "/git.json",
                      0,
                      {},
                      {}});
  return subjects;
}

void interleave(std::vector<Subject>& subjects, const Options& options, const std::string& errors) {
  for (int run = -kWarmUpRuns; run < options.runs; ++run) {
    // Each run begins with another subject: who comes after the empty process finds colder caches.
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      Subject& subject =
          subjects[(i + static_cast<std::size_t>(run + kWarmUpRuns)) % subjects.size()];
      const Cost cost = run_once(subject, errors);
      if (run < 0) continue;
      subject.wall_us.push_back(cost.wall_us);
      subject.cpu_us.push_back(cost.cpu_us);
    }
  }
  report(subjects, options);
}

// Rounds of hooks that are all started before one is waited for; each one's time is from the start
// of its round's first to its own end.
std::size_t storm(const std::vector<Subject>& subjects, const Options& options,
                  const std::string& errors) {
  const Subject& hook = subjects[2];
  const int rounds = std::max(options.runs / options.parallel, 1);
  std::vector<double> wall_us;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < options.parallel; ++i) spawn(hook.argv, hook.input, errors);
    for (int i = 0; i < options.parallel; ++i) {
      int status = 0;
      if (waitpid(-1, &status, 0) < 0) die("waitpid failed");
      wall_us.push_back(Microseconds(std::chrono::steady_clock::now() - begin).count());
      check(hook, status, errors);
    }
  }
  std::printf(
      "hook_bench: %d rounds of %d hooks at once, mode %s, from the first start to each end\n",
      rounds, options.parallel, options.recorder ? "recorder" : "direct");
  std::printf("%-42s p50 %.1f ms, p99 %.1f ms, %.0f us a hook\n", hook.name.c_str(),
              quantile(wall_us, 0.5) / 1000, quantile(wall_us, 0.99) / 1000,
              quantile(wall_us, 1.0) / options.parallel);
  return wall_us.size();
}

int bench(const Options& options, const std::string& folder) {
  std::unique_ptr<Recorder> recorder;
  if (options.recorder) recorder = std::make_unique<Recorder>(options, folder);
  auto subjects = make_subjects(options, folder, recorder ? recorder->socket() : "");
  const std::string errors = folder + "/stderr";
  constexpr std::size_t kEmpty = 2;  // subjects that are no hooks
  std::size_t expected = 0;
  if (options.parallel > 0) {
    expected = storm(subjects, options, errors);
  } else {
    interleave(subjects, options, errors);
    expected = (subjects.size() - kEmpty) * static_cast<std::size_t>(options.runs + kWarmUpRuns);
  }
  recorder.reset();
  const std::size_t logged = decisions_in(folder);
  std::printf("%zu of %zu decisions are in the log\n", logged, expected);
  return logged == expected ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::string folder = (fs::temp_directory_path() / "hook_bench.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) die("cannot make a temporary directory");
  const int result = bench(options, folder);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return result;
}
