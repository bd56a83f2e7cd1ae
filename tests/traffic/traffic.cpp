#include "tests/traffic/traffic.hpp"

#include "audit/base/clock.hpp"
#include "audit/json/writer.hpp"

#include <array>
#include <chrono>
#include <span>
#include <string_view>
#include <vector>

namespace lilith::test {
namespace {

// splitmix64 (Steele, Lea, Flood 2014): the standard library's distributions differ between
// implementations.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  template <class T>
  const T& one_of(std::span<const T> values) {
    return values[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

struct Weighted {
  std::string_view text;
  std::uint32_t weight;
};

// Per ten thousand calls.
constexpr std::array kTools{Weighted{"Bash", 2730},      Weighted{"Read", 2540},
                            Weighted{"Edit", 2190},      Weighted{"Grep", 1415},
                            Weighted{"TodoWrite", 620},  Weighted{"Glob", 140},
                            Weighted{"Task", 100},       Weighted{"Write", 90},
                            Weighted{"TaskOutput", 60},  Weighted{"WebFetch", 45},
                            Weighted{"WebSearch", 30},   Weighted{"mcp__tracker__get_issue", 25},
                            Weighted{"ExitPlanMode", 15}};

// %F a file, %D a directory, %B a branch, %N a number, %R the project's root.
constexpr std::array kCommands{
    Weighted{"git status", 90},
    Weighted{"git diff %F", 80},
    Weighted{"git log --oneline -%N", 60},
    Weighted{"git diff HEAD~1 -- %F | head -%N0", 40},
    Weighted{"git add %F && git commit -m \"%M\"", 45},
    Weighted{"git add -A && git commit -m \"$(cat <<'EOF'\n%M\n\nCo-Authored-By: agent\nEOF\n)\"",
             40},
    Weighted{"git push -u origin %B", 20},
    Weighted{"git checkout -b %B", 15},
    Weighted{"git stash; git pull --rebase; git stash pop", 8},
    Weighted{"git -C %R branch --show-current", 20},
    Weighted{"git rev-parse --short HEAD 2>/dev/null", 15},
    Weighted{"go test ./%D/... 2>&1 | tail -%N0", 70},
    Weighted{"go build ./... && echo ok", 40},
    Weighted{"go vet ./%D/...", 12},
    Weighted{"mise run test:%D 2>&1 | tail -%N0", 60},
    Weighted{"mise run lint", 45},
    Weighted{"npm test -- %D", 25},
    Weighted{"npm run build 2>&1 | grep -i error | head -%N", 18},
    Weighted{"npm ci && npm run lint", 10},
    Weighted{"cargo test %D 2>&1 | tail -%N0", 20},
    Weighted{"cargo build --release", 12},
    Weighted{"cargo clippy -- -D warnings", 8},
    Weighted{"python3 -m pytest %D -q", 25},
    Weighted{"python3 scripts/check.py %F", 12},
    Weighted{"python3 - <<'EOF'\nimport json\nprint(json.dumps({'n': %N}))\nEOF", 8},
    Weighted{"ls -la %D", 40},
    Weighted{"ls %D | wc -l", 15},
    Weighted{"cat %F", 30},
    Weighted{"cat %F | head -%N0", 15},
    Weighted{"grep -rn \"FIXME\" %D --include='*.go' | head -%N0", 35},
    Weighted{"grep -c func %F", 12},
    Weighted{"head -%N0 %F", 20},
    Weighted{"find %D -name '*.go' -newer %F", 12},
    Weighted{"wc -l %F", 12},
    Weighted{"cd %R && git status --short", 25},
    Weighted{"cd %D && go test . -run Test%N", 15},
    Weighted{"mkdir -p %D/out && cp %F %D/out/", 8},
    Weighted{"rm -rf %D/out", 6},
    Weighted{"sleep %N && git fetch origin", 4},
    Weighted{"for f in %D/*.go; do gofmt -l \"$f\"; done", 8},
    Weighted{"if [ -f %F ]; then echo yes; else echo no; fi", 8},
    Weighted{"gh pr view %N --json title,body", 25},
    Weighted{"gh pr checks %N", 12},
    Weighted{"gh api repos/example/app/pulls/%N/comments | jq '.[].body'", 14},
    Weighted{"jq -r '.version' package.json", 10},
    Weighted{"sed -n '%N,%N0p' %F", 18},
    Weighted{"curl -s https://status.example/%N", 1},
    Weighted{"cat ~/.aws/credentials", 1},
    Weighted{"cat .env", 2},
    Weighted{"bash -c 'git log | head'", 2},
    Weighted{"git push --force origin %B", 3},
    Weighted{"docker compose up -d", 4},
    Weighted{"make %D", 8},
    Weighted{"golangci-lint run ./%D/...", 12}};

constexpr std::array<std::string_view, 12> kDirectories{"cmd",    "internal", "pkg/api", "src",
                                                        "web",    "tests",    "scripts", "docs",
                                                        "server", "client",   "lib",     "tools"};
constexpr std::array<std::string_view, 12> kFiles{"main",  "config", "server", "client",
                                                  "store", "parse",  "report", "session",
                                                  "hooks", "auth",   "queue",  "model"};
constexpr std::array<std::string_view, 5> kExtensions{".go", ".ts", ".py", ".md", ".json"};
constexpr std::array<std::string_view, 6> kProjects{"app",    "gateway", "billing",
                                                    "portal", "cli",     "infra"};
constexpr std::array<std::string_view, 6> kMessages{"Fix the flaky test", "Add report",
                                                    "Tidy names",         "Update docs",
                                                    "Handle timeouts",    "Remove dead code"};
constexpr std::array<std::string_view, 8> kUrls{
    "https://github.com/example/app/pull/12",   "https://code.claude.com/docs/en/hooks",
    "https://api.github.com/repos/example/app", "https://docs.example/guide",
    "https://goreleaser.com/customization",     "https://pkg.example/search?q=json",
    "https://api.openai.com/v1/models",         "https://paste.example/collect"};

template <std::size_t N>
std::string_view pick(Random& random, const std::array<Weighted, N>& table) {
  std::uint64_t total = 0;
  for (const Weighted& row : table) total += row.weight;
  std::uint64_t at = random.below(total);
  for (const Weighted& row : table) {
    if (at < row.weight) return row.text;
    at -= row.weight;
  }
  return table[0].text;
}

struct Session {
  std::string host, user, root, id;
  WallTime next{};
  std::uint64_t calls_left = 0;
  std::uint32_t burst = 0;  // calls that follow at once, as sub-agents make them
};

class Generator {
 public:
  explicit Generator(const TrafficOptions& options) : options_(options), random_(options.seed) {
    for (std::uint32_t i = 0; i < options.hosts; ++i) sessions_.push_back(fresh(i, start_));
  }

  void run(const std::function<void(const std::string&)>& emit) {
    for (std::uint64_t i = 0; i < options_.calls; ++i) {
      std::size_t first = 0;
      for (std::size_t s = 1; s < sessions_.size(); ++s) {
        if (sessions_[s].next < sessions_[first].next) first = s;
      }
      Session& session = sessions_[first];
      emit(call(session));
      advance(session, static_cast<std::uint32_t>(first));
    }
  }

 private:
  Session fresh(std::uint32_t host, WallTime from) {
    Session session;
    session.host = "ws-" + std::to_string(1000 + host * 37);
    session.user = "dev" + std::to_string(host + 1);
    session.root = "/home/" + session.user + "/projects/" +
                   std::string(random_.one_of(std::span<const std::string_view>(kProjects)));
    const std::uint64_t a = random_.next(), b = random_.next();
    static constexpr char kHex[] = "0123456789abcdef";
    for (int i = 0; i < 32; ++i) {
      if (i == 8 || i == 12 || i == 16 || i == 20) session.id.push_back('-');
      session.id.push_back(kHex[((i < 16 ? a : b) >> (4 * (i % 16))) & 15]);
    }
    session.next = from + std::chrono::seconds(random_.below(3600));
    session.calls_left = 20 + random_.below(120);
    return session;
  }

  void advance(Session& session, std::uint32_t index) {
    if (session.burst > 0) {
      --session.burst;
      session.next += std::chrono::milliseconds(50 + random_.below(900));
    } else {
      session.next += std::chrono::milliseconds(1500 + random_.below(40'000));
      if (random_.below(60) == 0) session.burst = static_cast<std::uint32_t>(5 + random_.below(30));
    }
    if (--session.calls_left == 0) {
      // The calls spread over the days that were asked for.
      const auto pause = std::chrono::seconds(std::uint64_t{options_.days} * 86'400 * 80 *
                                              options_.hosts / (options_.calls + 1));
      session = fresh(index, session.next + pause);
    }
  }

  std::string file(const Session& session) {
    return session.root + "/" +
           std::string(random_.one_of(std::span<const std::string_view>(kDirectories))) + "/" +
           std::string(random_.one_of(std::span<const std::string_view>(kFiles))) +
           std::string(random_.one_of(std::span<const std::string_view>(kExtensions)));
  }

  std::string command(const Session& session) {
    const std::string_view text = pick(random_, kCommands);
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%' || i + 1 == text.size()) {
        out.push_back(text[i]);
        continue;
      }
      switch (text[++i]) {
        case 'F':
          out += file(session).substr(session.root.size() + 1);
          break;
        case 'D':
          out += random_.one_of(std::span<const std::string_view>(kDirectories));
          break;
        case 'B':
          out +=
              "feature/" + std::string(random_.one_of(std::span<const std::string_view>(kFiles)));
          break;
        case 'N':
          out += std::to_string(1 + random_.below(9));
          break;
        case 'R':
          out += session.root;
          break;
        case 'M':
          out += random_.one_of(std::span<const std::string_view>(kMessages));
          break;
        default:
          out.push_back(text[i]);
      }
    }
    return out;
  }

  void input(json::Writer& writer, std::string_view tool, const Session& session) {
    writer.key("input").begin_object();
    if (tool == "Bash") {
      writer.member("command", command(session)).member("description", "run");
    } else if (tool == "Read" || tool == "Edit" || tool == "Write") {
      // Now and then a file that no agent should look at.
      const std::uint64_t dice = random_.below(600);
      const std::string home = "/home/" + session.user;
      writer.member("file_path", dice == 0   ? home + "/.ssh/config"
                                 : dice == 1 ? session.root + "/.env"
                                 : dice < 8  ? home + "/.claude/plans/plan.md"
                                             : file(session));
      if (tool == "Edit")
        writer.member("old_string_len", random_.below(400))
            .member("new_string_len", random_.below(600));
      if (tool == "Write") writer.member("content_len", random_.below(4000));
    } else if (tool == "Grep" || tool == "Glob") {
      writer.member("pattern", tool == "Grep" ? "func .*Handler" : "**/*.go")
          .member("path", session.root);
    } else if (tool == "WebFetch") {
      writer.member("url", random_.one_of(std::span<const std::string_view>(kUrls)))
          .member("prompt_len", 120);
    } else if (tool == "WebSearch") {
      writer.member("query", "how to");
    } else {
      writer.member("todos_len", random_.below(900));
    }
    writer.end_object();
  }

  std::string call(const Session& session) {
    const std::string_view tool = pick(random_, kTools);
    std::string out;
    json::Writer writer(out);
    writer.begin_object().member("ts", format_time(session.next)).member("session", session.id);
    writer.member("host", session.host).member("agent", "claude_code").member("tool", tool);
    input(writer, tool, session);
    const std::uint64_t dice = random_.below(130);
    writer.member("cwd", session.root)
        .member("outcome", dice == 0  ? "rejected"
                           : dice < 8 ? "error"
                                      : "ok");
    writer.end_object();
    return out;
  }

  TrafficOptions options_;
  Random random_;
  WallTime start_ =
      WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 2)) + std::chrono::hours(8);
  std::vector<Session> sessions_;
};

}  // namespace

void generate_traffic(const TrafficOptions& options,
                      const std::function<void(const std::string&)>& emit) {
  Generator(options).run(emit);
}

}  // namespace lilith::test
