// Paths and URLs by somebody who had not read the rules (tests/rules/independent), decided as the
// tools of an agent would give them.

#include "rules/decide.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {
namespace {

struct Row {
  bool allow = false;
  std::vector<std::string> cells;  // behind the verdict
};

// Of a cell: \t \n \r \0 \xNN and a doubled backslash.
std::string plain(std::string_view cell) {
  constexpr std::string_view kNames = "tnr0\\";
  constexpr std::string_view kBytes("\t\n\r\0\\", 5);
  std::string out;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] != '\\' || i + 1 == cell.size()) {
      out += cell[i];
    } else if (const std::size_t at = kNames.find(cell[++i]); at != std::string_view::npos) {
      out += kBytes[at];
    } else {
      EXPECT_EQ(cell[i], 'x') << cell;
      out += static_cast<char>(std::stoi(std::string(cell.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    }
  }
  return out;
}

std::vector<Row> rows(const std::string& file) {
  std::vector<Row> out;
  for (const std::string& line :
       test::lines_of(test::read_text(LILITH_SOURCE_DIR "/tests/rules/independent/" + file))) {
    if (line.starts_with('#')) continue;
    Row row;
    for (std::string_view rest = line;;) {
      const std::size_t end = rest.find('\t');
      row.cells.push_back(plain(rest.substr(0, end)));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    row.allow = row.cells.front() == "allow";
    EXPECT_TRUE(row.allow || row.cells.front() == "deny") << line;
    row.cells.erase(row.cells.begin());
    out.push_back(std::move(row));
  }
  return out;
}

// The machine that the rows were written for.
class AlicesMachine final : public FileSystem {
 public:
  [[nodiscard]] Entry look(const std::string& path) const override {
    const auto link = kLinks.find(path);
    if (link != kLinks.end()) return {Kind::kSymlink, std::string(link->second)};
    if (kDirectories.contains(path)) return {Kind::kDirectory, {}};
    return {kFiles.contains(path) ? Kind::kOther : Kind::kMissing, {}};
  }
  [[nodiscard]] bool root_owned(const std::string&) const override { return false; }

 private:
  const std::map<std::string, std::string_view, std::less<>> kLinks{
      {"/home/alice/projects/app/link_ssh", "/home/alice/.ssh"},
      {"/home/alice/projects/app/link_etc", "/etc"},
      {"/home/alice/projects/app/link_src", "src"},
      {"/home/alice/projects/app/chain1", "chain2"},
      {"/home/alice/projects/app/chain2", "chain3"},
      {"/home/alice/projects/app/chain3", "../../.aws"},
      {"/home/alice/projects/app/loop", "loop"},
      {"/home/alice/projects/app/up", ".."},
      {"/home/alice/projects/app/innocent.txt", "/home/alice/.ssh/id_rsa"},
      {"/home/alice/projects/app/good.txt", "README.md"},
      {"/home/alice/data", "/home/alice/projects/app/docs"}};
  const std::set<std::string, std::less<>> kFiles{"/home/alice/projects/app/src/main.c",
                                                  "/home/alice/projects/app/README.md",
                                                  "/home/alice/projects/app/docs/notes.md",
                                                  "/home/alice/projects/app/certs/server.pem",
                                                  "/home/alice/projects/app/config/secrets/db.yaml",
                                                  "/home/alice/projects/app/deploy.key",
                                                  "/home/alice/.ssh/id_rsa",
                                                  "/home/alice/.aws/credentials",
                                                  "/etc/passwd",
                                                  "/etc/shadow",
                                                  "/home/bob/projects/x.txt"};
  const std::set<std::string, std::less<>> kDirectories{"/",
                                                        "/tmp",
                                                        "/tmp/build",
                                                        "/etc",
                                                        "/home",
                                                        "/home/alice",
                                                        "/home/alice/.ssh",
                                                        "/home/alice/.aws",
                                                        "/home/alice/projects",
                                                        "/home/alice/projects/app",
                                                        "/home/alice/projects/app/src",
                                                        "/home/alice/projects/app/docs",
                                                        "/home/alice/projects/app/certs",
                                                        "/home/alice/projects/app/config",
                                                        "/home/alice/projects/app/config/secrets",
                                                        "/home/bob",
                                                        "/home/bob/projects"};
};

constexpr const char* kPolicy = R"(version: "1"
mode: enforce
egress:
  default_action: deny
  allowed_destinations:
    - {host: "github.com", ports: [443, 22], protocols: [https, ssh]}
    - {host: "api.github.com"}
    - {host: "*.crates.io"}
    - {host: "crates.io"}
    - {host: "localhost", ports: [3000], protocols: [http]}
    - {host: "docs.python.org"}
  blocked_destinations:
    - {host: "*.ngrok.io"}
    - {host: "gist.github.com"}
    - {host: "evil.crates.io"}
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: ["/home/$USER/projects/**"]
      path_blocklist: ["**/.ssh/**", "/home/$USER/.aws/**", "**/secrets/**", "**/*.key", "**/*.pem"]
    - name: write_file
      path_allowlist: ["/home/$USER/projects/**", "/tmp/build/**"]
      path_blocklist: ["**/.ssh/**", "/home/$USER/.aws/**", "**/secrets/**", "**/*.key", "**/*.pem"]
protect_agent_config: true
)";

Decision decided(const audit::Call& call, std::string_view tool) {
  static const std::shared_ptr<const Policy> policy = load_policy(kPolicy, "policy.yaml").policy;
  static const AlicesMachine machine;
  const CallAnalysis analysis = analyse(call);
  const UserRecord alice{"alice", 1000, "/home/alice"};
  return decide(*policy, {"claude_code", tool, ""}, analysis,
                observe(analysis, alice, "/home/alice/projects/app", machine));
}

TEST(IndependentPaths, AreDecidedAsTheirRowsSay) {
  std::size_t denied = 0;
  const std::vector<Row> all = rows("paths.tsv");
  for (const Row& row : all) {
    audit::Call call;
    call.kind =
        row.cells[0] == "Read" ? audit::OperationKind::kReadFile : audit::OperationKind::kWriteFile;
    call.paths.push_back(row.cells[1]);
    const Decision decision = decided(call, row.cells[0]);
    const bool allowed = decision.verdict == audit::Verdict::kAllow;
    EXPECT_EQ(allowed, row.allow) << row.cells[0] << " " << row.cells[1] << "\n  " << row.cells[2]
                                  << "\n  " << decision.reason;
    denied += allowed ? 0U : 1U;
  }
  std::cout << denied << " of " << all.size() << " are denied\n";
  EXPECT_GT(all.size(), 250U);
}

TEST(IndependentHosts, AreDecidedAsTheirRowsSay) {
  std::size_t denied = 0;
  const std::vector<Row> all = rows("hosts.tsv");
  for (const Row& row : all) {
    // HOST:PORT, what a client asks a proxy to connect to, carries TLS.
    const bool connects = row.cells[1] == "CONNECT" || row.cells[0].find('/') == std::string::npos;
    audit::Call call;
    call.kind = audit::OperationKind::kEgress;
    call.urls.push_back((connects ? "https://" : "") + row.cells[0]);
    const Decision decision = decided(call, "WebFetch");
    const bool allowed = decision.verdict == audit::Verdict::kAllow;
    const std::string& reason = decision.reason;
    EXPECT_EQ(allowed, row.allow) << row.cells[0] << "\n  " << row.cells[1] << "\n  " << reason;
    denied += allowed ? 0U : 1U;
  }
  std::cout << denied << " of " << all.size() << " are denied\n";
  EXPECT_GT(all.size(), 200U);
}

}  // namespace
}  // namespace lilith::rules
