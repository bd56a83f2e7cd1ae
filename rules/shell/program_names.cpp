#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

namespace lilith::rules::shell {
namespace {

// bash manual, section 4; what is missing here (eval, source, exec, trap, alias, enable, hash,
// bind, complete, shopt, set, mapfile, ...) needs an entry. So do jobs (-x runs a command) and wait
// (-p assigns, and evaluates a subscript).
constexpr std::array<std::string_view, 16> kHarmlessBuiltins{
    ":",   "cd",   "echo",   "printf", "true",     "false", "test", "[",
    "pwd", "exit", "return", "break",  "continue", "shift", "type", "umask"};
constexpr std::array<std::string_view, 7> kTransparent{"time", "nice",    "nohup", "timeout",
                                                       "env",  "command", "stdbuf"};
constexpr std::array<std::string_view, 22> kListedWrappers{
    "sudo",    "doas",    "xargs",   "watch",    "setsid", "strace", "ltrace", "nsenter",
    "unshare", "chroot",  "script",  "parallel", "flock",  "ionice", "chrt",   "taskset",
    "runuser", "builtin", "busybox", "exec",     "ssh",    "su"};
constexpr std::array<std::string_view, 9> kShells{"sh",  "bash", "dash",  "zsh", "ksh",
                                                  "ash", "fish", "rbash", "mksh"};
constexpr std::array<std::string_view, 12> kPatternFirst{
    "grep", "egrep", "fgrep", "rg", "ag", "sed", "awk", "gawk", "mawk", "jq", "yq", "ack"};

// Programs of the system that no other table names.
constexpr std::string_view kOthers =
    "cargo npm npx pnpm yarn uv pip pip3 nc ncat netcat socat ftp telnet gh docker podman kubectl"
    " helm terraform aws gcloud az psql mysql sqlite3 redis-cli openssl gpg crontab at systemctl"
    " launchctl kill pkill cat ls head tail grep less vi vim nano ed apt apt-get brew dnf yum snap"
    " base64 xxd eval source gunzip bzip2 xz zstd dig nslookup host ping ssh-add mount screen tmux";

}  // namespace

bool is_harmless_builtin(std::string_view name) { return among(kHarmlessBuiltins, name); }
bool is_transparent_wrapper(std::string_view name) { return among(kTransparent, name); }
bool is_listed_wrapper(std::string_view name) { return among(kListedWrappers, name); }
bool is_system_program(std::string_view name) {
  return is_shell(name) || is_transparent_wrapper(name) || is_listed_wrapper(name) ||
         is_one_of<kOthers>(name) || (name != "node" && has_exec_rows(name)) ||
         has_write_rows(name);
}
bool is_shell(std::string_view name) { return among(kShells, name); }
bool takes_pattern_first(std::string_view name) { return among(kPatternFirst, name); }

}  // namespace lilith::rules::shell
