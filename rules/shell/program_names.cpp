#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

namespace lilith::rules::shell {
namespace {

// bash manual, section 4; what is missing here (eval, source, exec, trap, alias, enable, hash,
// bind, complete, shopt, set, mapfile, ...) needs an entry. So do jobs (-x runs a command) and wait
// (-p assigns, and evaluates a subscript).
constexpr std::string_view kHarmlessBuiltins =
    ": cd echo printf true false test [ pwd exit return break continue shift type umask";
constexpr std::string_view kTransparent = "time nice nohup timeout env command stdbuf";
constexpr std::string_view kListedWrappers =
    "sudo doas xargs watch setsid strace ltrace nsenter unshare chroot script parallel flock"
    " ionice chrt taskset runuser builtin busybox exec ssh su setpriv prlimit choom setarch linux32"
    " linux64 systemd-run dbus-run-session xvfb-run faketime unbuffer rlwrap fakeroot firejail "
    "bwrap"
    " screen tmux at batch crontab run-parts start-stop-daemon ssh-agent entr";
constexpr std::string_view kShells = "sh bash dash zsh ksh ash fish rbash mksh";
constexpr std::string_view kPatternFirst = "grep egrep fgrep rg ag sed awk gawk mawk jq yq ack";

// Programs of the system that no other table names.
constexpr std::string_view kOthers =
    "cargo npm npx pnpm yarn uv pip pip3 nc ncat netcat socat ftp telnet gh docker podman kubectl"
    " helm terraform aws gcloud az psql mysql sqlite3 redis-cli openssl gpg systemctl"
    " launchctl kill pkill cat ls head tail grep less vi vim nano ed apt apt-get brew dnf yum snap"
    " base64 xxd eval source gunzip bzip2 xz zstd dig nslookup host ping mount valgrind gdb lldb "
    "perf";

// Programs with rows in the tables of options that projects install as packages.
constexpr std::string_view kPackages =
    "eslint prettier jest tsc esbuild pytest ruff black mypy dmypy coverage pylint virtualenv";

}  // namespace

bool is_harmless_builtin(std::string_view name) { return is_one_of<kHarmlessBuiltins>(name); }
bool is_transparent_wrapper(std::string_view name) { return is_one_of<kTransparent>(name); }
bool is_listed_wrapper(std::string_view name) { return is_one_of<kListedWrappers>(name); }
bool is_system_program(std::string_view name) {
  return is_shell(name) || is_transparent_wrapper(name) || is_listed_wrapper(name) ||
         is_one_of<kOthers>(name) ||
         (name != "node" && !is_one_of<kPackages>(name) &&
          (has_exec_rows(name) || has_write_rows(name)));
}
bool is_shell(std::string_view name) { return is_one_of<kShells>(name); }
bool takes_pattern_first(std::string_view name) { return is_one_of<kPatternFirst>(name); }

}  // namespace lilith::rules::shell
