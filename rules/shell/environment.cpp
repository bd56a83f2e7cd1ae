// Variables that change which program runs, what it loads, or where it connects. docs/commands.md
// has the sources.

#include "audit/base/text.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace lilith::rules::shell {
namespace {

template <std::size_t N>
bool among(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

template <std::size_t N>
bool begins_with_one(const std::array<std::string_view, N>& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view one) { return word.starts_with(one); });
}

template <std::size_t N>
bool holds_one(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view one) {
    return text.find(one) != std::string_view::npos;
  });
}

std::vector<std::string_view> parts_of(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whatever their value: POSIX XBD 8.3 and the bash manual (shell variables), ld.so(8), glibc's
// manual, and the manual of each program that reads them.
constexpr auto kDangerousNames = std::to_array<std::string_view>({
    // the shells
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "HOME",
    "SHELL",
    "OLDPWD",
    "PWD",
    "BASH_LOADABLES_PATH",
    "BASH_CMDS",
    "BASH_ALIASES",
    "ZDOTDIR",
    "FPATH",
    "INPUTRC",
    "MANOPT",
    "GROFF_COMMAND_PREFIX",
    "GROFF_BIN_PATH",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "CCACHE_PREFIX",
    "CCACHE_PREFIX_CPP",
    "CCACHE_COMPILER",
    "CCACHE_CONFIGPATH",
    "BAT_CONFIG_PATH",
    // the C library, and what it resolves names by
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    // interpreters
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_REPL_EXTERNAL_MODULE",
    "NODE_REDIRECT_WARNINGS",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONBREAKPOINT",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONEXECUTABLE",
    "PYTEST_PLUGINS",
    "PERL5LIB",
    "PERLLIB",
    "PERL5OPT",
    "PERL5DB",
    "PERL5SHELL",
    "RUBYOPT",
    "RUBYLIB",
    "LUA_INIT",
    "LUA_PATH",
    "LUA_CPATH",
    "AWKPATH",
    "AWKLIBPATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "VIMINIT",
    "EXINIT",
    "GVIMINIT",
    "DOTNET_STARTUP_HOOKS",
    "DOTNET_ADDITIONAL_DEPS",
    "CORECLR_ENABLE_PROFILING",
    "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH",
    "COR_ENABLE_PROFILING",
    "COR_PROFILER",
    // compilers and build tools
    "RUSTUP_TOOLCHAIN",
    "MAKEFILES",
    "GNUMAKEFLAGS",
    "MFLAGS",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "CMAKE_PROJECT_TOP_LEVEL_INCLUDES",
    "GOENV",
    "DEVELOPER_DIR",
    "YARN_RC_FILENAME",
    "YARN_YARN_PATH",
    "YARN_REGISTRY",
    "YARN_NPM_REGISTRY_SERVER",
    "COREPACK_NPM_REGISTRY",
    // options and settings of one program
    "LESSOPEN",
    "LESSCLOSE",
    "LESSKEY",
    "LESSKEYIN",
    "LESSKEY_CONTENT",
    "LESSEDIT",
    "TAR_OPTIONS",
    "PARALLEL",
    "PARALLEL_HOME",
    "TAPE",
    "RSYNC_RSH",
    "RSYNC_CONNECT_PROG",
    "ZIPOPT",
    "UNZIPOPT",
    "PSQLRC",
    "PGSERVICEFILE",
    "PGSERVICE",
    "PSQL_HISTORY",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "CURL_HOME",
    "WGETRC",
    "SSLKEYLOGFILE",
    "RIPGREP_CONFIG_PATH",
    "FZF_DEFAULT_COMMAND",
    "FZF_DEFAULT_OPTS",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "GNUPGHOME",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "SVN_SSH",
    "CVS_RSH",
    "GH_HOST",
    "GH_PATH",
    "GH_CONFIG_DIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "BUILDKIT_HOST",
    "KUBECONFIG",
    "HELM_PLUGINS",
    "TF_CLI_CONFIG_FILE",
    // proxies and TLS
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
});
constexpr auto kDangerousPrefixes = std::to_array<std::string_view>(
    {"LD_", "BASH_FUNC_", "GIT_", "npm_config_", "NPM_CONFIG_", "CARGO_", "DYLD_", "LILITH_",
     "PIP_", "UV_", "TF_CLI_ARGS", "POETRY_REPOSITORIES_", "AWS_ENDPOINT_URL"});
// Of those prefixes, names that only describe, or that make their program do less.
constexpr auto kHarmlessNames = std::to_array<std::string_view>({
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_TERMINAL_PROMPT",
    "GIT_OPTIONAL_LOCKS",
    "GIT_MERGE_AUTOEDIT",
    "GIT_LFS_SKIP_SMUDGE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_NOSYSTEM",
    "CARGO_TERM_COLOR",
    "CARGO_TERM_VERBOSE",
    "CARGO_TERM_QUIET",
    "CARGO_TERM_PROGRESS_WHEN",
    "CARGO_INCREMENTAL",
    "CARGO_NET_OFFLINE",
    "CARGO_NET_RETRY",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_JOBS",
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_NO_INPUT",
    "PIP_QUIET",
    "PIP_BREAK_SYSTEM_PACKAGES",
    "PIP_ROOT_USER_ACTION",
    "PIP_REQUIRE_VIRTUALENV",
    "UV_NO_CACHE",
    "UV_OFFLINE",
    "UV_LINK_MODE",
    "UV_FROZEN",
    "UV_LOCKED",
    "UV_NO_SYNC",
    "UV_NO_PROGRESS",
    "UV_SYSTEM_PYTHON",
    "UV_COMPILE_BYTECODE",
    "UV_PYTHON_DOWNLOADS",
});
constexpr auto kHarmlessPrefixes = std::to_array<std::string_view>({"CARGO_PROFILE_"});
// npm reads the same option under names of either case (npm-config(7)).
constexpr auto kHarmlessNpm = std::to_array<std::string_view>(
    {"loglevel", "yes", "fund", "audit", "update_notifier", "progress", "color", "offline",
     "prefer_offline", "legacy_peer_deps", "ignore_scripts"});

// Pagers, editors and browsers run; these values of them do nothing.
constexpr auto kRunNames =
    std::to_array<std::string_view>({"PAGER",          "EDITOR",      "VISUAL",
                                     "GIT_PAGER",      "GIT_EDITOR",  "GIT_SEQUENCE_EDITOR",
                                     "MANPAGER",       "GH_PAGER",    "GH_EDITOR",
                                     "GH_BROWSER",     "BROWSER",     "SYSTEMD_PAGER",
                                     "BAT_PAGER",      "DELTA_PAGER", "AWS_PAGER",
                                     "SYSTEMD_EDITOR", "SUDO_EDITOR", "PSQL_PAGER",
                                     "PSQL_EDITOR",    "KUBE_EDITOR", "KUBECTL_EXTERNAL_DIFF"});
constexpr auto kInertPrograms = std::to_array<std::string_view>(
    {"", "cat", "true", ":", "false", "none", "/bin/true", "/usr/bin/true", "/bin/cat"});
constexpr auto kNullFiles =
    std::to_array<std::string_view>({"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "HISTFILE"});

// python(1) -W and PYTHONWARNINGS: a category with a dot in its name is imported
// (PYTHONWARNINGS=all:0:antigravity.x starts $BROWSER). A bare action imports nothing.
constexpr auto kPythonWarningActions =
    std::to_array<std::string_view>({"", "default", "error", "always", "module", "once", "ignore"});

// Options of a JVM that load code or run a program (java(1)); of Maven and Gradle too.
constexpr auto kJvmNames = std::to_array<std::string_view>(
    {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "MAVEN_OPTS",
     "MAVEN_ARGS", "GRADLE_OPTS", "SBT_OPTS", "ANT_OPTS"});
constexpr auto kJvmHarmless = std::to_array<std::string_view>({"-Xmx",
                                                               "-Xms",
                                                               "-Xss",
                                                               "-Xmn",
                                                               "-XX:Max",
                                                               "-XX:Min",
                                                               "-XX:Initial",
                                                               "-XX:+Use",
                                                               "-XX:-Use",
                                                               "-XX:Reserved",
                                                               "-XX:Tiered",
                                                               "-XX:Active",
                                                               "-Dfile.encoding=",
                                                               "-Duser.",
                                                               "-Djava.awt.head",
                                                               "-Djava.io.tmpdir=",
                                                               "-Djava.net.prefer",
                                                               "-Dorg.gradle.daemon=",
                                                               "-Dorg.gradle.parallel=",
                                                               "-Dorg.gradle.caching=",
                                                               "-Dorg.slf4j.simpleLogger.",
                                                               "-Dmaven.test.skip",
                                                               "-DskipTests",
                                                               "-Dmaven.artifact.threads=",
                                                               "-Dspring.profiles.active=",
                                                               "-ea",
                                                               "-B",
                                                               "-q",
                                                               "-ntp",
                                                               "-T",
                                                               "--batch-mode",
                                                               "--no-transfer-progress",
                                                               "--enable-preview",
                                                               "--add-opens="});

// What node may be told without loading code (node(1)).
constexpr auto kNodeHarmless = std::to_array<std::string_view>({"--max-old-space-size",
                                                                "--max_old_space_size",
                                                                "--max-semi-space-size",
                                                                "--max-http-header-size",
                                                                "--stack-size",
                                                                "--stack-trace-limit",
                                                                "--experimental-vm-modules",
                                                                "--experimental-strip-types",
                                                                "--experimental-json-modules",
                                                                "--no-warnings",
                                                                "--no-deprecation",
                                                                "--trace-warnings",
                                                                "--trace-deprecation",
                                                                "--enable-source-maps",
                                                                "--openssl-legacy-provider",
                                                                "--unhandled-rejections",
                                                                "--dns-result-order",
                                                                "--no-experimental",
                                                                "--throw-deprecation",
                                                                "--expose-gc",
                                                                "--expose_gc",
                                                                "--disable-warning"});

// Flags of compilers that load a plugin or run another program in the place of one of theirs.
constexpr auto kFlagNames =
    std::to_array<std::string_view>({"CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CGO_CFLAGS",
                                     "CGO_CXXFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS"});
constexpr auto kFlagsThatRun = std::to_array<std::string_view>(
    {"-fplugin", "-B", "-specs", "--specs", "-wrapper", "-fuse-ld=/", "-fuse-ld=.", "@", "-Xclang",
     "-load", "--ld-path", "-ld-path", "-Wl,-plugin", "-Wl,--plugin", "$(", "`"});
constexpr auto kRustFlagNames = std::to_array<std::string_view>({"RUSTFLAGS", "RUSTDOCFLAGS"});
constexpr auto kRustFlagsThatRun = std::to_array<std::string_view>(
    {"linker", "link-arg", "codegen-backend", "plugin", "sysroot", "@", "runtool", "test-builder"});
constexpr auto kGoFlagsThatRun = std::to_array<std::string_view>(
    {"exec", "vettool", "overlay", "ext", "modfile", "compiler", "$", "`"});

// Names whose value is a program (or, of JAVA_HOME and its like, a directory of programs).
constexpr auto kProgramNames = std::to_array<std::string_view>({"CC",
                                                                "CXX",
                                                                "CPP",
                                                                "LD",
                                                                "AR",
                                                                "AS",
                                                                "NM",
                                                                "RANLIB",
                                                                "MAKE",
                                                                "PKG_CONFIG",
                                                                "PROTOC",
                                                                "JAVACMD",
                                                                "RUSTC",
                                                                "RUSTC_WRAPPER",
                                                                "RUSTC_WORKSPACE_WRAPPER",
                                                                "RUSTDOC",
                                                                "CHROME_PATH",
                                                                "CHROME_BIN",
                                                                "PUPPETEER_EXECUTABLE_PATH",
                                                                "ESBUILD_BINARY_PATH",
                                                                "TARGET_CC",
                                                                "HOST_CC",
                                                                "TARGET_CXX",
                                                                "HOST_CXX",
                                                                "CMAKE_C_COMPILER_LAUNCHER",
                                                                "CMAKE_CXX_COMPILER_LAUNCHER"});
constexpr auto kProgramPrefixes = std::to_array<std::string_view>({"CC_", "CXX_", "AR_"});
constexpr auto kToolPrograms = std::to_array<std::string_view>({"gcc",
                                                                "g++",
                                                                "cc",
                                                                "c++",
                                                                "clang",
                                                                "clang++",
                                                                "cpp",
                                                                "ld",
                                                                "ld.lld",
                                                                "lld",
                                                                "mold",
                                                                "ld.gold",
                                                                "ar",
                                                                "llvm-ar",
                                                                "gcc-ar",
                                                                "as",
                                                                "nm",
                                                                "ranlib",
                                                                "llvm-ranlib",
                                                                "gcc-ranlib",
                                                                "make",
                                                                "gmake",
                                                                "ccache",
                                                                "sccache",
                                                                "distcc",
                                                                "pkg-config",
                                                                "pkgconf",
                                                                "protoc",
                                                                "rustc",
                                                                "rustdoc",
                                                                "clippy-driver",
                                                                "java",
                                                                "chrome",
                                                                "google-chrome",
                                                                "google-chrome-stable",
                                                                "chromium",
                                                                "chromium-browser",
                                                                "emcc",
                                                                "em++",
                                                                "musl-gcc",
                                                                "zig"});
constexpr auto kHomeNames =
    std::to_array<std::string_view>({"JAVA_HOME", "GOROOT", "DOTNET_ROOT", "RUSTUP_HOME"});
constexpr auto kHostNames = std::to_array<std::string_view>({"PGHOST", "PGHOSTADDR", "MYSQL_HOST"});
constexpr auto kOwnHosts =
    std::to_array<std::string_view>({"localhost", "127.0.0.1", "::1", "0.0.0.0"});
constexpr auto kSystemPlaces = std::to_array<std::string_view>(
    {"/usr/", "/bin/", "/sbin/", "/opt/", "/Library/", "/nix/store/"});

bool is_system_place(std::string_view path) {
  return begins_with_one(kSystemPlaces, path) && path.find("..") == std::string_view::npos;
}

bool all_words(std::string_view value, bool (*harmless)(std::string_view)) {
  const auto words = parts_of(value, " \t\n");
  return std::all_of(words.begin(), words.end(), harmless);
}

bool is_tool(std::string_view word) {
  const std::size_t slash = word.rfind('/');
  if (slash != std::string_view::npos && !is_system_place(word)) return false;
  word.remove_prefix(slash == std::string_view::npos ? 0 : slash + 1);
  // gcc-12, clang-19
  const std::size_t end = word.find_last_not_of("0123456789.");
  if (end != std::string_view::npos && word[end] == '-') word = word.substr(0, end);
  return among(kToolPrograms, word);
}

// $PATH with directories of the system before or behind it.
bool is_harmless_path(std::string_view value) {
  bool keeps = false;
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t end = std::min(value.find(':', at), value.size());
    const std::string_view one = value.substr(at, end - at);
    at = end + 1;
    if (one == "$PATH" || one == "${PATH}") {
      keeps = true;
    } else if (one == "/bin" || one == "/sbin" ||
               (one.starts_with("/usr/") && is_system_place(one) &&
                one.find_first_of("$`*?[{") == std::string_view::npos)) {
      continue;
    } else {
      return false;
    }
  }
  return keeps;
}

// Below the directory that the line runs in; what the value says of other places is judged as a
// path that is read (Reader::note_assignment).
bool is_harmless_search(std::string_view value) {
  const auto parts = parts_of(value, ":");
  return std::all_of(parts.begin(), parts.end(), [](std::string_view one) {
    if (one == "$PYTHONPATH" || one == "${PYTHONPATH}" || one == "${PYTHONPATH:-}") return true;
    for (const std::string_view here : {"$PWD", "${PWD}", "$(pwd)"}) {
      if (one.starts_with(here)) one.remove_prefix(here.size());
    }
    return one.find_first_of("$`*?[{") == std::string_view::npos &&
           one.find("..") == std::string_view::npos;
  });
}

// Of a name whose value decides: whether this one is harmless. `known` is false for other names.
bool is_harmless_value(std::string_view name, std::string_view value, bool constant, bool& known) {
  known = true;
  if (among(kRunNames, name)) return constant && among(kInertPrograms, value);
  if (name == "PATH") return is_harmless_path(value);
  if (name == "PYTHONPATH") return is_harmless_search(value);
  if (name == "PYTHONWARNINGS") return constant && among(kPythonWarningActions, value);
  if (name == "NODE_OPTIONS") {
    return constant && all_words(value, [](std::string_view word) {
             return begins_with_one(kNodeHarmless, word) || is_number(word);
           });
  }
  if (among(kJvmNames, name)) {
    return constant && all_words(value, [](std::string_view word) {
             return begins_with_one(kJvmHarmless, word);
           });
  }
  if (among(kFlagNames, name)) {
    return all_words(value,
                     [](std::string_view word) { return !begins_with_one(kFlagsThatRun, word); });
  }
  if (among(kRustFlagNames, name)) return constant && !holds_one(kRustFlagsThatRun, value);
  if (name == "GOFLAGS") return constant && !holds_one(kGoFlagsThatRun, value);
  if (name == "GOTOOLCHAIN") {
    return constant && value.find_first_of("/\\") == std::string_view::npos;
  }
  if (name == "GOPROXY") {
    const auto parts = parts_of(value, ",|");
    return constant && std::all_of(parts.begin(), parts.end(), [](std::string_view one) {
             return one == "direct" || one == "off";
           });
  }
  if (name == "MAKEFLAGS") {
    return constant && all_words(value, [](std::string_view word) {
             if (word == "-s" || word == "-k" || is_number(word)) return true;
             for (const std::string_view jobs : {"--jobs=", "-j"}) {
               if (word.starts_with(jobs)) {
                 word.remove_prefix(jobs.size());
                 return word.empty() || is_number(word);
               }
             }
             return false;
           });
  }
  if (name == "LESS") {
    return constant && value.find_first_not_of("-FRXSMiqeQ ") == std::string_view::npos;
  }
  if (name == "PYTEST_ADDOPTS")
    return constant && value.find("-p") == std::string_view::npos &&
           value.find("-c") == std::string_view::npos && value.find("=/") == std::string_view::npos;
  if (among(kNullFiles, name)) {
    return constant && (value == "/dev/null" || (value.empty() && name == "HISTFILE"));
  }
  if (name == "GIT_TRACE" || name == "GIT_CURL_VERBOSE") {
    return constant && (is_number(value) || value == "true");
  }
  if (among(kProgramNames, name) || begins_with_one(kProgramPrefixes, name)) {
    return constant && all_words(value, is_tool);
  }
  if (among(kHomeNames, name)) return constant && is_system_place(value);
  // Where a client connects to (libpq 32.15, mysql(1)): this machine, or a socket's directory.
  if (among(kHostNames, name)) {
    return constant && (value.empty() || value.starts_with('/') || among(kOwnHosts, value));
  }
  known = false;
  return false;
}

}  // namespace

bool is_dangerous_assignment(std::string_view name, std::string_view value, bool constant) {
  bool known = false;
  const bool harmless = is_harmless_value(name, value, constant, known);
  if (known) return !harmless;
  if (among(kDangerousNames, name)) return true;
  if (among(kHarmlessNames, name) || begins_with_one(kHarmlessPrefixes, name)) return false;
  const std::string lower = ascii_lower(name);
  if (lower.starts_with("npm_config_") &&
      among(kHarmlessNpm, std::string_view(lower).substr(std::string_view("npm_config_").size()))) {
    return false;
  }
  return begins_with_one(kDangerousPrefixes, name);
}

bool is_known_variable(std::string_view name) {
  bool known = false;
  (void)is_harmless_value(name, "", true, known);
  return known || among(kDangerousNames, name) || among(kHarmlessNames, name) ||
         begins_with_one(kHarmlessPrefixes, name) || begins_with_one(kDangerousPrefixes, name);
}

}  // namespace lilith::rules::shell
