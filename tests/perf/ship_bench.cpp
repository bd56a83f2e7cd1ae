// lilith-ship to a loopback TCP receiver, against raw loops and installed peers: the same log, the
// same receiver, one after the other in one run. Also as ECS and OCSF, against peers that parse
// each line and write it anew.

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "tests/perf/bench_log.hpp"
#include "tests/perf/peers.hpp"
#include "tests/support/support.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace lilith;
using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kCalls = 300'000;
constexpr int kRuns = 5;
constexpr std::size_t kReadBytes = std::size_t{1} << 20, kFrameBytes = std::size_t{256} << 10;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::_Exit(1);
}

// Accepts one connection at a time and reads it until the last event of the log has come.
class Sink {
 public:
  explicit Sink(std::string last_id)
      : last_id_(std::move(last_id)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_.get(), 1) != 0 ||
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      give_up("no loopback receiver");
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] int port() const { return port_; }

  // The time at which the last line was there, or nothing when the connection ended before, or the
  // sender before it connected.
  std::optional<SteadyClock::time_point> drain(const std::atomic<bool>& sender_gone) {
    for (pollfd wait{socket_.get(), POLLIN, 0}; ::poll(&wait, 1, 100) == 0;)
      if (sender_gone) return std::nullopt;
    const UniqueFd client(::accept(socket_.get(), nullptr, nullptr));
    std::vector<char> buffer(kReadBytes);
    std::string tail;
    for (;;) {
      const ssize_t got = ::read(client.get(), buffer.data(), buffer.size());
      if (got <= 0) return std::nullopt;
      // The last line is at the end of what came; before it comes, this looks at some bytes only.
      const std::string_view now(buffer.data(), static_cast<std::size_t>(got));
      tail.append(now.substr(now.size() - std::min(now.size(), kTailBytes)));
      if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
      if (tail.find(last_id_) != std::string::npos) return SteadyClock::now();
    }
  }

 private:
  static constexpr std::size_t kTailBytes = 4096;  // more than the last event in any form
  std::string last_id_;
  UniqueFd socket_;
  int port_ = 0;
};

UniqueFd connect_to(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    give_up("cannot connect");
  return socket;
}

void send_raw(const std::string& path, int port) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd socket = connect_to(port);
  std::vector<char> buffer(kReadBytes);
  for (ssize_t got = 0; (got = ::read(file.get(), buffer.data(), buffer.size())) > 0;) {
    if (!write_all(socket.get(), {buffer.data(), static_cast<std::size_t>(got)}))
      give_up("cannot send");
  }
}

// A fixed RFC 5424 header before each line, octet-counted, nothing looked at.
void send_counted(const std::string& path, int port) {
  constexpr std::string_view kHeader =
      "<110>1 2026-11-24T00:20:42.831204Z ws-42 lilith 4711 decision - ";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd socket = connect_to(port);
  std::string in(kReadBytes, '\0'), out;
  std::size_t have = 0;
  for (ssize_t got = 0; (got = ::read(file.get(), in.data() + have, in.size() - have)) > 0;) {
    have += static_cast<std::size_t>(got);
    std::string_view rest(in.data(), have);
    for (std::size_t lf = 0; (lf = rest.find('\n')) != std::string_view::npos;) {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, kHeader.size() + lf).ptr;
      out.append(digits, end).append(" ").append(kHeader).append(rest.substr(0, lf));
      rest.remove_prefix(lf + 1);
      if (out.size() < kFrameBytes) continue;
      if (!write_all(socket.get(), out)) give_up("cannot send");
      out.clear();
    }
    have = rest.size();
    std::memmove(in.data(), rest.data(), have);
  }
  if (!write_all(socket.get(), out)) give_up("cannot send");
}

struct Figures {
  double wall_s = 0, cpu_s = 0;
};

// Runs it beside the receiver; nothing when it did not deliver everything. A program that goes on
// is told to end.
std::optional<Figures> program(Sink& sink, const std::vector<std::string>& argv,
                               const std::map<std::string, std::string>& environment = {}) {
  std::optional<SteadyClock::time_point> last;
  std::atomic<bool> gone{false}, done{false};
  const double cpu = test::children_cpu();
  const auto began = SteadyClock::now();
  test::ProcessOptions options;
  options.environment = environment;
  test::Process process(argv, options);
  std::thread receiver([&] {
    last = sink.drain(gone);
    done = true;
  });
  while (!done) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!process.running()) gone = true;
  }
  receiver.join();
  process.signal(SIGTERM);
  (void)process.wait();
  if (!last) return std::nullopt;
  return Figures{std::chrono::duration<double>(*last - began).count(), test::children_cpu() - cpu};
}

struct Subject {
  std::string name;
  std::function<std::optional<Figures>(Sink&, int run)> once;
  int runs = kRuns;
  std::vector<double> wall{}, cpu{};
};

std::optional<Subject> rsyslog_subject(const std::string& log, const test::TempDir& dir,
                                       bool parses) {
  std::vector<std::string> modules;
  if (parses) modules.emplace_back("mmjsonparse");
  if (!test::has_rsyslog(modules)) return std::nullopt;
  return Subject{
      parses ? "rsyslog (the same, mmjsonparse)" : "rsyslog (tuned, octet-counted)",
      [log, parses, &dir](Sink& sink, int run) {
        const std::string work = dir.file("rsyslog" + std::to_string(run) + (parses ? "p" : ""));
        const auto peer = test::rsyslog(
            work, log,
            std::string(parses ? "module(load=\"mmjsonparse\")\n" : "") +
                "template(name=\"t5424\" type=\"string\" string=\"<134>1 "
                "%timegenerated:::date-rfc3339% %hostname% lilith - audit - " +
                (parses ? "%$!all-json%" : "%msg%") + "\")\n",
            std::string(parses ? "action(type=\"mmjsonparse\" cookie=\"\") " : "") +
                "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"" + std::to_string(sink.port()) +
                "\" protocol=\"tcp\" template=\"t5424\" TCP_Framing=\"octet-counted\" "
                "action.resumeRetryCount=\"-1\")");
        return program(sink, peer.argv);
      },
      1};
}

std::optional<Subject> syslog_ng_subject(const std::string& log, const test::TempDir& dir,
                                         bool parses) {
  if (!test::has_syslog_ng(parses ? "json-plugin" : "afsocket")) return std::nullopt;
  return Subject{
      parses ? "syslog-ng (the same, json-parser)" : "syslog-ng (tuned, newline)",
      [=, &dir](Sink& sink, int run) {
        const std::string work = dir.file("syslog-ng" + std::to_string(run) + (parses ? "p" : ""));
        const auto peer = test::syslog_ng(
            work, log,
            "destination d{network(\"127.0.0.1\" port(" + std::to_string(sink.port()) +
                ") flush-lines(1000) log-fifo-size(40000) template(\"<134>1 ${S_ISODATE} ${HOST} "
                "lilith - audit - " +
                (parses ? "$(format-json --key .j.* --shift-levels 2)" : "${MSG}") +
                "\\n\"));};\nparser p{json-parser(prefix(\".j.\"));};\nlog{source(s); " +
                (parses ? "parser(p); " : "") + "destination(d); flags(flow-control);};\n");
        return program(sink, peer.argv, peer.environment);
      },
      1};
}

void print(std::vector<Subject>& subjects, std::size_t events, std::size_t bytes) {
  const double raw_wall = test::median(subjects[0].wall), raw_cpu = test::median(subjects[0].cpu);
  const double oc_wall = test::median(subjects[1].wall), oc_cpu = test::median(subjects[1].cpu);
  std::printf("%zu events, %.0f MB; medians of %d runs (peers: 1)\n", events,
              static_cast<double>(bytes) / 1e6, kRuns);
  std::printf("%-36s %10s %7s %9s | %-17s | %-17s\n", "", "events/s", "MB/s", "CPU us/ev",
              "wall: of raw, OC", "CPU: of raw, OC");
  for (const Subject& one : subjects) {
    if (one.wall.empty()) continue;
    const double wall = test::median(one.wall), cpu = test::median(one.cpu);
    std::printf("%-36s %10.0f %7.0f %9.2f | %8.3f %8.3f | %8.3f %8.3f\n", one.name.c_str(),
                static_cast<double>(events) / wall, static_cast<double>(bytes) / 1e6 / wall,
                cpu * 1e6 / static_cast<double>(events), raw_wall / wall, oc_wall / wall,
                raw_cpu / cpu, oc_cpu / cpu);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4) {  // one of the raw loops, in a process of its own
    (argv[1] == std::string_view("--raw") ? send_raw : send_counted)(argv[2], std::atoi(argv[3]));
    return 0;
  }
  const test::TempDir dir;
  const std::string log = test::make_log(dir.path(), kCalls);
  const std::size_t bytes = test::read_text(log).size();
  const std::string last_id = test::read_events(log).back().id;
  std::vector<Subject> subjects;
  for (const auto& [name, how] : {std::pair{"raw: read, send", "--raw"},
                                  {"raw OC: header and count per line", "--raw-counted"}}) {
    subjects.push_back({name, [self = std::string(argv[0]), log, flag = how](Sink& sink, int) {
                          return program(sink, {self, flag, log, std::to_string(sink.port())});
                        }});
  }
  for (const std::string form : {"native", "ecs", "ocsf"}) {
    subjects.push_back(
        {form == "native" ? "lilith-ship (tcp, octet-counting)"
                          : "lilith-ship (the same, " + form + ")",
         [&log, &dir, form](Sink& sink, int run) {
           const std::string name = form + std::to_string(run);
           test::write_text(dir.file(name + ".yaml"),
                            "version: \"1\"\nsources: [\"" + log + "\"]\nstate_dir: \"" +
                                dir.file("state-" + name) +
                                "\"\nsinks:\n  - {name: soc, type: syslog, form: " + form +
                                ", address: \"127.0.0.1:" + std::to_string(sink.port()) + "\"}\n");
           return program(sink, {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config",
                                 dir.file(name + ".yaml")});
         }});
  }
  for (const bool parses : {false, true}) {
    if (auto peer = rsyslog_subject(log, dir, parses)) subjects.push_back(std::move(*peer));
    if (auto peer = syslog_ng_subject(log, dir, parses)) subjects.push_back(std::move(*peer));
  }
  for (int run = -1; run < kRuns; ++run) {  // the first one warms up
    for (Subject& one : subjects) {
      if (one.runs < kRuns && run != 0) continue;
      Sink sink(last_id);  // of its own: a peer goes on trying to connect
      const auto figures = one.once(sink, run);
      if (run < 0) continue;
      if (!figures) {
        std::printf("%s did not deliver everything\n", one.name.c_str());
        continue;
      }
      one.wall.push_back(figures->wall_s);
      one.cpu.push_back(figures->cpu_s);
    }
  }
  print(subjects, kCalls + 1, bytes);
}
