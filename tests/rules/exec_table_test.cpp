// Options and sub-commands of git, npm and cargo that run another program, and the everyday use
// that has to stay allowed; which words name what a program writes.

#include "rules/command.hpp"
#include "rules/shell/tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace lilith::rules {
namespace {

struct HazardRow {
  std::string_view line;
  std::string_view code = "command.exec_option";
};

constexpr std::string_view kDynamic = "command.dynamic_option";

constexpr std::array kHoles{
    HazardRow{"git clone -uPROG host:x"},
    HazardRow{"git clone -u PROG host:x"},
    HazardRow{"git clone -quPROG host:x"},
    HazardRow{"git clone --u=PROG host:x"},
    HazardRow{"git clone -o -- -uPROG host:x"},
    HazardRow{"git clone -ccore.sshCommand=PROG host:x"},
    HazardRow{"git clone --config core.sshCommand=PROG host:x"},
    HazardRow{"git push --rece=PROG origin"},
    HazardRow{"git push --receive-pack=PROG origin"},
    HazardRow{"git push --exec=PROG origin"},
    HazardRow{"git push --e=PROG origin"},
    HazardRow{"git rebase -xPROG HEAD~1"},
    HazardRow{"git rebase -ixPROG HEAD~1"},
    HazardRow{"git grep -nOPROG x"},
    HazardRow{"git grep -OPROG x"},
    HazardRow{"git grep -O x"},
    HazardRow{"git grep --open-files-in-pager=PROG x"},
    HazardRow{"git fetch-pack --exec=PROG . HEAD"},
    HazardRow{"git send-pack --exec=PROG . HEAD"},
    HazardRow{"git -c tar.x.command=PROG archive --format=x HEAD"},
    HazardRow{"git config tar.x.command PROG"},
    HazardRow{"git config -- alias.x '!PROG'"},
    HazardRow{"git config alias.x get"},
    HazardRow{"git config set core.pager PROG"},
    HazardRow{"git config --rename-section x alias"},
    HazardRow{"git -c interactive.diffFilter=PROG add -p"},
    HazardRow{"git -c gc.recentObjectsHook=PROG gc"},
    HazardRow{"git remote-ext origin PROG"},
    HazardRow{"git remote-foo"},
    HazardRow{"git fetch foo::bar"},
    HazardRow{"git clone foo://bar/x"},
    HazardRow{"git clone -- foo::bar"},
    HazardRow{"git remote add x foo::bar"},
    HazardRow{"git maintenance start"},
    HazardRow{"git hook run pre-commit"},
    HazardRow{"git merge-index PROG -a"},
    HazardRow{"git merge -s foo x"},
    HazardRow{"git merge -sfoo x"},
    HazardRow{"git merge --strategy=foo x"},
    HazardRow{"git st"},
    HazardRow{"git lfs pull"},
    HazardRow{"git -C x foo"},
    HazardRow{"/usr/bin/git foo"},
    HazardRow{"git fetch --upload-{pack=curl,x} .", kDynamic},
    HazardRow{"git log --out{put=x,y}", kDynamic},
    HazardRow{"git log -$X", kDynamic},
    HazardRow{"git diff $(echo --no-index) /etc/passwd x", kDynamic},
    HazardRow{"git diff `echo --no-index` /etc/passwd x", kDynamic},
    HazardRow{"git diff ${X:---no-index} /etc/passwd x", kDynamic},
    HazardRow{"git push $(cat x)", kDynamic},
    HazardRow{"git grep $(cat x)", kDynamic},
    HazardRow{"git rebase $(cat x)", kDynamic},
    HazardRow{"git archive $(cat x)", kDynamic},
    HazardRow{"git config $(cat x) y", kDynamic},
    HazardRow{"git config \"$K\" y", kDynamic},
    HazardRow{"git push --force=$(cat x)", kDynamic},
    HazardRow{"git $SUB", kDynamic},
    HazardRow{"npm ex foo"},
    HazardRow{"npm exe foo"},
    HazardRow{"npm exec foo"},
    HazardRow{"npm x foo"},
    HazardRow{"npm expl foo"},
    HazardRow{"npm explore foo -- PROG"},
    HazardRow{"npm edit foo"},
    HazardRow{"npm --loglevel error exec foo"},
    HazardRow{"npm set script-shell PROG"},
    HazardRow{"npm c set script-shell PROG"},
    HazardRow{"npm conf set script-shell PROG"},
    HazardRow{"npm config set script-shell PROG"},
    HazardRow{"npm config --location project set script-shell PROG"},
    HazardRow{"npm config edit"},
    HazardRow{"npm init foo"},
    HazardRow{"npm init -y foo"},
    HazardRow{"npm create foo"},
    HazardRow{"npm innit foo"},
    HazardRow{"npm docs x --browser=PROG"},
    HazardRow{"npm repo --browser PROG"},
    HazardRow{"npm help x --viewer=PROG"},
    HazardRow{"npm install x --git=PROG"},
    HazardRow{"npm install --node-gyp=PROG"},
    HazardRow{"npm run x --script-shell=PROG"},
    HazardRow{"npm run x --script-shell PROG"},
    HazardRow{"npm run x --script-s=PROG"},
    HazardRow{"npm run x -script-shell=PROG"},
    HazardRow{"npm run x --shell=PROG"},
    HazardRow{"npm --call PROG"},
    HazardRow{"npm -c PROG"},
    HazardRow{"npm -yc PROG"},
    HazardRow{"npm --prefix /x run y"},
    HazardRow{"npm -C /x run y"},
    HazardRow{"npm run y --node-options=--require=x"},
    HazardRow{"npm ci --userconfig=x"},
    HazardRow{"npm ci --globalconfig=x"},
    HazardRow{"npm run y --script-{shell=x,y}", kDynamic},
    HazardRow{"npm $X", kDynamic},
    HazardRow{"cargo +/path/to/toolchain build"},
    HazardRow{"cargo +../x build"},
    HazardRow{"cargo +$T build", kDynamic},
    HazardRow{"cargo rustc -- -C linker=PROG"},
    HazardRow{"cargo rustc -- -Clinker=PROG"},
    HazardRow{"cargo rustc -- --codegen=linker=PROG"},
    HazardRow{"cargo clippy -- -C linker=PROG"},
    HazardRow{"cargo rustdoc -- --test-runtool=PROG"},
    HazardRow{"cargo rustdoc -- --runtool PROG"},
    HazardRow{"cargo install --path ."},
    HazardRow{"cargo install --git https://host/x"},
    HazardRow{"cargo --config x=y build"},
    HazardRow{"cargo build --config x=y"},
    HazardRow{"cargo build --config=x=y"},
    HazardRow{"cargo -Zunstable-options build"},
    HazardRow{"cargo build -Z unstable-options"},
    HazardRow{"cargo -C /x build"},
    HazardRow{"cargo nextestx run"},
    HazardRow{"cargo foo"},
    HazardRow{"jobs -x PROG"},
    HazardRow{"wait -n -p X"},
};

constexpr auto kBenign = std::to_array<std::string_view>({
    "git status",
    "git status --short --branch",
    "git diff",
    "git diff --stat HEAD~1",
    "git diff -- src/x.cpp",
    "git diff main...HEAD",
    "git diff --name-only -- \"$(pwd)\"",
    "git diff \"$BASE\"",
    "git diff ${BASE:-origin/main}",
    "git log --oneline -n 5",
    "git log -5 --since=$SINCE",
    "git log $(git rev-parse HEAD)",
    "git log --output-indicator-new=x -p",
    "git show HEAD:file",
    "git show \"$SHA\"",
    "git commit -am 'x'",
    "git commit -m \"$(cat x)\"",
    "git commit --amend --no-edit",
    "git add -A",
    "git add .",
    "git push -u origin x",
    "git push --force-with-lease origin HEAD:refs/heads/x",
    "git push -o ci.skip",
    "git pull --rebase origin main",
    "git pull -s ort",
    "git checkout -b x",
    "git checkout -- x",
    "git switch -c x",
    "git restore --staged x",
    "git rebase --continue",
    "git rebase -i HEAD~3",
    "git rebase -Xtheirs main",
    "git merge --no-ff x",
    "git merge -m x --strategy=ours y",
    "git stash pop",
    "git stash push -m x",
    "git branch --show-current",
    "git branch -D x",
    "git -C DIR status",
    "git -C \"$DIR\" status",
    "git -c user.name=x commit -m y",
    "git -c color.ui=never diff",
    "git --no-pager log",
    "git rev-parse --show-toplevel",
    "git config --get user.email",
    "git config --get core.pager",
    "git config get core.pager",
    "git config --list",
    "git config user.name x",
    "git config --global init.defaultBranch main",
    "git config --unset core.pager",
    "git ls-remote origin",
    "git fetch origin",
    "git fetch --all --prune",
    "git clone https://host/x.git",
    "git clone git@host:x/y.git z",
    "git clone --depth 1 -b x -o up https://host/x.git",
    "git submodule update --init --recursive",
    "git worktree list",
    "git worktree add ../x -b x",
    "git apply p.diff",
    "git am x.patch",
    "git grep -n x",
    "git grep -eO -- src",
    "git tag -a v1 -m x",
    "git cherry-pick abc",
    "git blame x",
    "git remote -v",
    "git remote add up https://host/x.git",
    "git reflog",
    "git clean -fdx",
    "git archive --format=tar HEAD",
    "git bisect start",
    "git maintenance run",
    "git reset --hard HEAD~1",
    "git describe --tags",
    "git ls-files",
    "git init",
    "git --version",
    "npm ci",
    "npm test",
    "npm t",
    "npm run build",
    "npm --silent run exec",
    "npm install x",
    "npm i -D x",
    "npm --version",
    "npm view x",
    "npm ls --depth=0",
    "npm run lint -- --fix",
    "npm run x -- -c y",
    "npm run \"$X\"",
    "npm config get registry",
    "npm config list",
    "npm init -y",
    "npm init -y -w packages/a",
    "npm pack --dry-run",
    "npm version patch --git-tag-version=false",
    "npm outdated",
    "npm audit fix",
    "npm explain x",
    "cargo build",
    "cargo build --release --color always",
    "cargo --color always build",
    "cargo test",
    "cargo test -- --nocapture",
    "cargo clippy -- -D warnings",
    "cargo clippy --all-targets -- -D warnings -A clippy::x",
    "cargo fmt",
    "cargo fmt --all -- --check",
    "cargo run --release",
    "cargo run -- -C linker=x",
    "cargo +nightly fmt",
    "cargo +1.80.0 build",
    "cargo add x",
    "cargo add x --path ../x",
    "cargo install ripgrep",
    "cargo check -p x",
    "cargo doc --no-deps",
    "cargo update -p x",
    "cargo tree",
    "cargo rustc -- -C opt-level=3",
    "jobs",
    "jobs -l",
    "wait 123",
});

TEST(ExecTable, RunsAnotherProgram) {
  for (const HazardRow& row : kHoles) {
    const CommandAnalysis analysis = analyse_command(row.line);
    ASSERT_FALSE(analysis.undecidable) << row.line << ": " << analysis.undecidable->message;
    ASSERT_FALSE(analysis.commands.empty()) << row.line;
    bool found = false;
    for (const CommandUse& command : analysis.commands) {
      found = found || std::any_of(command.hazards.begin(), command.hazards.end(),
                                   [&](const Hazard& hazard) { return hazard.code == row.code; });
    }
    EXPECT_TRUE(found) << row.line;
  }
}

TEST(ExecTable, EverydayUseHasNoHazard) {
  for (const std::string_view line : kBenign) {
    const CommandAnalysis analysis = analyse_command(line);
    ASSERT_FALSE(analysis.undecidable) << line << ": " << analysis.undecidable->message;
    ASSERT_FALSE(analysis.commands.empty()) << line;
    for (const CommandUse& command : analysis.commands) {
      for (const Hazard& hazard : command.hazards) {
        ADD_FAILURE() << line << ": " << hazard.code << ": " << hazard.message;
      }
    }
  }
}

TEST(ExecTable, DangerousVariables) {
  for (const std::string_view name :
       {"XDG_CONFIG_HOME", "CC", "CXX", "CPP", "LD", "AR", "AS", "RANLIB", "RUSTDOC",
        "RUSTUP_TOOLCHAIN", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_INDEX_URL", "PYTHONUSERBASE",
        "DOCKER_HOST", "KUBECONFIG"}) {
    EXPECT_TRUE(shell::is_dangerous_assignment(name, "x", true)) << name;
  }
  for (const std::string_view name : {"TMPDIR", "AWS_REGION", "CI", "FOO", "CFLAGS"}) {
    EXPECT_FALSE(shell::is_dangerous_assignment(name, "x", true)) << name;
  }
}

TEST(ExecTable, BuiltinsThatNeedAnEntry) {
  EXPECT_FALSE(shell::is_harmless_builtin("jobs"));
  EXPECT_FALSE(shell::is_harmless_builtin("wait"));
  EXPECT_TRUE(shell::is_harmless_builtin("echo"));
}

struct WriteRow {
  std::string_view line;
  std::vector<std::string> paths;
};

TEST(ExecTable, WriteOperands) {
  const std::vector<WriteRow> rows{
      {"git diff --output=F", {"F"}},
      {"git diff --output F", {"F"}},
      {"git log -p --output=F", {"F"}},
      {"git show --output=F HEAD", {"F"}},
      {"git log --output-indicator-new=x --oneline", {}},
      {"git config --file=F a.b c", {"F"}},
      {"git config -f F a.b c", {"F"}},
      {"git config -f F --get a.b", {}},
      {"git config user.name x", {}},
      {"git format-patch -o D HEAD~1", {"D"}},
      {"git format-patch -oD HEAD~1", {"D"}},
      {"git format-patch --output-directory=D", {"D"}},
      {"git archive -o F HEAD", {"F"}},
      {"git archive --output=F HEAD", {"F"}},
      {"git bundle create -q F HEAD", {"F"}},
      {"git bundle verify F", {}},
      {"git worktree add P", {"P"}},
      {"git worktree add -b x P main", {"P"}},
      {"git worktree list", {}},
      {"git init", {}},
      {"git init -b main P", {"P"}},
      {"git init --separate-git-dir G P", {"G", "P"}},
      {"git clone U", {}},
      {"git clone U P", {"P"}},
      {"git clone --depth 1 -b x U P", {"P"}},
      {"git checkout-index -a --prefix=P/", {"P/"}},
      {"git fast-export --export-marks=F --all", {"F"}},
      {"git --work-tree=D checkout .", {"D"}},
      {"git status", {}},
      {"curl -o F U", {"F"}},
      {"curl -sSLoF U", {"F"}},
      {"curl -sSLo F U", {"F"}},
      {"curl -O U", {}},
      {"curl -H -oX U", {}},
      {"curl --output F -D G U", {"F", "G"}},
      {"curl --dump-header=G U", {"G"}},
      {"wget -O F U", {"F"}},
      {"wget -qO F U", {"F"}},
      {"wget -P D U", {"D"}},
      {"wget -qO- U", {}},
      {"tar -cf F x", {"F"}},
      {"tar czf F x", {"F"}},
      {"tar -xf F", {}},
      {"tar -xf F -C D", {"D"}},
      {"tar xfC F D", {"D"}},
      {"tar --create --file=F x", {"F"}},
      {"tar -x --directory D -f F", {"D"}},
      {"tar -tf F", {}},
      {"cp a b D", {"D"}},
      {"cp -t D a b", {"D"}},
      {"cp --target-directory=D a", {"D"}},
      {"mv a b", {"a", "b"}},
      {"install -m 644 a b", {"b"}},
      {"install -d a b", {"a", "b"}},
      {"ln -s a b", {"b"}},
      {"ln -s a", {}},
      {"tee -a x y", {"x", "y"}},
      {"dd if=a of=b", {"b"}},
      {"sed -i s/a/b/ x y", {"x", "y"}},
      {"sed -i.bak -e s/a/b/ x", {"x"}},
      {"sed -ni -e p x", {"x"}},
      {"sed -n p x", {}},
      {"sed -e s/i/j/ x", {}},
      {"touch -d now x", {"x"}},
      {"mkdir -p x y", {"x", "y"}},
      {"rm -rf -- x -y", {"x", "-y"}},
      {"rmdir x", {"x"}},
      {"truncate -s 0 x", {"x"}},
      {"rsync -av a b", {"b"}},
      {"rsync a", {}},
      {"sort -o F x", {"F"}},
      {"sort -uoF x", {"F"}},
      {"sort --output=F x", {"F"}},
      {"sort -k 2 x", {}},
      {"npm pack --pack-destination D", {"D"}},
      {"npm pack --pack-destination=D", {"D"}},
      {"python3 x.py out", {}},
  };
  for (const WriteRow& row : rows) {
    const CommandAnalysis analysis = analyse_command(row.line);
    ASSERT_FALSE(analysis.undecidable) << row.line;
    ASSERT_EQ(analysis.commands.size(), 1U) << row.line;
    const std::vector<Argument>& argv = analysis.commands[0].argv;
    std::vector<std::string> paths;
    for (const shell::WriteOperand& operand : shell::write_operands(argv)) {
      ASSERT_LT(operand.argument, argv.size()) << row.line;
      paths.push_back(argv[operand.argument].text.substr(operand.from));
    }
    EXPECT_EQ(paths, row.paths) << row.line;
  }
}

TEST(ExecTable, WriteOperandsSayWhatTheyAreRelativeTo) {
  const auto base = [](std::string_view line) {
    const CommandAnalysis analysis = analyse_command(line);
    return shell::write_operands(analysis.commands.at(0).argv).at(0).base;
  };
  EXPECT_EQ(base("git diff --output=F"), 0U);
  EXPECT_EQ(base("git -C D diff --output=F"), 2U);
  EXPECT_EQ(base("git -C D -C E diff --output=F"), shell::WriteOperand::kUnknownBase);
}

TEST(ExecTable, WriteOperandsOfIncompleteLines) {
  for (const std::string_view line : {"git diff --output", "git config -f", "tar -cf", "tar xfC",
                                      "curl -o", "cp", "git -C", "dd of=", "sed -i"}) {
    const CommandAnalysis analysis = analyse_command(line);
    EXPECT_TRUE(shell::write_operands(analysis.commands.at(0).argv).empty()) << line;
  }
}

}  // namespace
}  // namespace lilith::rules
