#include "enforcer/cli.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/read/arrival.hpp"
#include "audit/read/verify.hpp"
#include "audit/recorder.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/compiled_store.hpp"
#include "enforcer/hook_main.hpp"
#include "enforcer/mcp/proxy.hpp"
#include "enforcer/policy_place.hpp"
#include "enforcer/proxy/proxy_main.hpp"
#include "enforcer/recording.hpp"
#include "enforcer/run/run_main.hpp"
#include "enforcer/seal_command.hpp"
#include "enforcer/setup/doctor.hpp"
#include "enforcer/setup/install.hpp"
#include "enforcer/setup/inventory.hpp"
#include "enforcer/show.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer {
namespace {

struct CommandRow {
  const char* name;
  const char* does;
  const char* program;  // sibling that does it; null: this one
};
constexpr std::array kCommands{
    CommandRow{"hook",
               "one agent hook event on standard input -> verdict; the event is logged first",
               nullptr},
    CommandRow{"install", "put the hook into an agent's own settings file", nullptr},
    CommandRow{"uninstall", "take it out again: the file is as it was before", nullptr},
    CommandRow{"doctor", "prove that the hooks fire, and say what stands in their way", nullptr},
    CommandRow{"inventory", "agents, hooks and MCP servers of all users; for the SIEM as well",
               nullptr},
    CommandRow{"mcp", "an MCP server behind the policy: tools/call and resources/read are decided",
               nullptr},
    CommandRow{"proxy", "a forward proxy: where connections may go is decided before they are made",
               nullptr},
    CommandRow{"run", "an agent in namespaces of its own whose only way out is that proxy",
               nullptr},
    CommandRow{
        "policy",
        "check, explain, diff, compile, schema: is a policy right, and what does it say of a call",
        "lilith-policy"},
    CommandRow{"verify",
               "the chain of audit logs, or what of them arrived at a SIEM: nothing missing, "
               "changed or twice",
               nullptr},
    CommandRow{"seal", "init, rotate, export-verify-key: the key that seals a log", nullptr},
    CommandRow{"audit", "show, tail: look at a log like a person", nullptr},
    CommandRow{"recorder", "the daemon that owns the log, so that an agent's user need not",
               nullptr},
    CommandRow{"ship", "follow a log and deliver it to a SIEM: files, syslog, Kafka, HTTP, Wazuh",
               "lilith-ship"},
    CommandRow{"replay", "decide recorded events again under candidate policies", "lilith-replay"},
    CommandRow{"wazuh", "test: which Wazuh rule fires on which event", "lilith-wazuh"},
    CommandRow{"import", "make events of the history that agents keep", "lilith-replay"},
};

std::string help() {
  std::string out =
      "lilith guards AI coding agents with one policy and records every decision.\n\n"
      "usage: lilith COMMAND [options]\n\n";
  for (const CommandRow& row : kCommands) {
    std::string name = row.name;
    name.resize(10, ' ');
    out += "  " + name + row.does + "\n";
  }
  out +=
      "\nlilith COMMAND --help says everything about one of them; lilith --version prints the "
      "version.\n"
      "Exit codes: 0 good, 1 found what it looks for, 2 wrong usage or configuration, 3 input "
      "incomplete.\n";
  return out;
}

int run_sibling(const CommandRow& row, int argc, char** argv) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  // Without its folder the name would be looked up in the working directory, which is an agent's.
  if (error) {
    return complain(
        "can't tell where lilith is installed (" + error.message() + "): is /proc mounted?",
        kUsage);
  }
  const std::string program = (self.parent_path() / row.program).string();
  std::vector<char*> words;
  std::string name = row.program;
  words.push_back(name.data());
  // One program serves several commands; all but its namesake are told by name.
  const bool namesake = name == "lilith-" + std::string(row.name);
  for (int i = namesake ? 2 : 1; i < argc; ++i) words.push_back(argv[i]);
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  return complain("lilith " + std::string(row.name) + " needs the program " + program + ": " +
                      std::strerror(errno),
                  kUsage);
}

// ---- verify, audit, recorder ----

struct VerifyArguments {
  std::vector<std::string> logs;
  std::vector<std::string> keys;  // files of verify keys, and directories of them
  bool from_start = false, remember = false;
};

int verify(const VerifyArguments& arguments, bool json) {
  audit::VerifyOptions options;
  options.start_may_be_missing = !arguments.from_start;
  if (!arguments.keys.empty()) {
    auto keys = audit::read_verify_keys(arguments.keys);
    if (!keys) return complain(keys.error().message, code_of(keys.error()));
    options.keys = std::move(*keys);
  }
  if (arguments.remember) {
    if (auto file = audit::file_to_remember_in(arguments.keys); !file)
      return complain(file.error().message, kUsage);
  }
  const auto report = audit::verify(arguments.logs, options);
  if (!report) return complain(report.error().message, code_of(report.error()));
  if (arguments.remember && report->intact()) {
    const auto kept = audit::remember_seals(arguments.keys.front(), options.keys, report->seals);
    if (!kept) return complain(kept.error().message, code_of(kept.error()));
  }
  print(json ? audit::to_json(*report) : audit::to_text(*report));
  return audit::exit_code(*report);
}

// Kafka's client is a library of a package of its own.
constexpr CommandRow kVerifyTopic{"verify", "", "lilith-verify"};
bool names_kafka(int argc, char** argv) {
  return std::any_of(argv, argv + argc, [](std::string_view word) {
    return word == "--kafka" || word.starts_with("--kafka=");
  });
}

int verify_arrived(const std::vector<std::string>& files,
                   const audit::ArrivedArguments& arguments) {
  const auto done = audit::verify_arrived(files, arguments, system_clock());
  if (!done) return complain(done.error().message, code_of(done.error()));
  print(done->text);
  return done->exit_code;
}

int show_log(const ShowOptions& options, bool follow_on) {
  const auto put = [](std::string_view line) {
    return write_all(STDOUT_FILENO, std::string(line) + "\n").has_value();
  };
  if (follow_on) {
    const auto followed = follow(options, put);
    return followed ? kGood : complain(followed.error().message, code_of(followed.error()));
  }
  const auto shown = show(options, [&put](std::string_view line) { put(line); });
  if (!shown) return complain(shown.error().message, code_of(shown.error()));
  return *shown ? kGood : kIncomplete;
}

struct RecorderArguments {
  std::string socket = "/run/lilith/recorder.sock";
  std::string log, group, policy, sync;
  std::uint64_t rotate_bytes = 0;
  bool rotate_given = false;
};

// What the command line leaves open is taken from the policy in force.
Result<audit::RecorderOptions> recorder_options(const RecorderArguments& arguments) {
  audit::RecorderOptions options;
  options.socket_path = arguments.socket;
  rules::AuditSettings settings;
  bool enforces = true;
  if (!arguments.policy.empty() || arguments.log.empty()) {
    const Places places = machine_places({});
    const FoundPolicy found = find_policy(places, arguments.policy, rules::real_file_system());
    if (found.load.policy) {
      settings = found.load.policy->audit();
      enforces = found.load.policy->enforces();
    }
    if (!found.load.policy && !found.path.empty()) {
      return fail(ErrorCode::kInvalidInput, why_unusable(found, places));
    }
  }
  options.log = log_options(settings, enforces);
  options.log.host = host_name();
  if (!arguments.log.empty()) options.log.path = arguments.log;
  if (!arguments.group.empty()) options.log.group = arguments.group;
  if (arguments.rotate_given) options.log.rotate_bytes = arguments.rotate_bytes;
  if (arguments.sync == "always") options.log.sync = audit::Sync::kAlways;
  if (arguments.sync == "batch") options.log.sync = audit::Sync::kBatch;
  if (arguments.sync == "off") options.log.sync = audit::Sync::kOff;
  return options;
}

// So that hooks need not parse the policy in force. Where it can't be, they do.
void compile_policy_in_force(const RecorderArguments& arguments, const char* version) {
  const Places places = machine_places({});
  std::error_code ignored;
  const std::filesystem::path directory(places.compiled_policies);
  if (!std::filesystem::is_directory(directory.parent_path(), ignored)) return;
  const FoundPolicy found = find_policy(places, arguments.policy, rules::real_file_system());
  if (!found.load.policy) return;
  const auto yaml = read_file(found.path, limits::kPolicyBytesMax);
  if (!yaml) return;
  if (auto written = write_compiled(places.compiled_policies, *yaml, version); !written) {
    complain("the policy is not compiled: " + written.error().message, kGood);
  }
}

int serve(const RecorderArguments& arguments, const char* version) {
  auto options = recorder_options(arguments);
  if (!options) return complain(options.error().message, kUsage);
  compile_policy_in_force(arguments, version);
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  const UniqueFd stop(::signalfd(-1, &ending, SFD_CLOEXEC));
  if (!stop.valid()) return complain("cannot wait for signals", kUsage);
  if (auto served = audit::serve_recorder(*options, stop.get()); !served) {
    return complain(served.error().message, kUsage);
  }
  return kGood;
}

// ---- the command line ----

// Options are added to `app`; `action` is set to what is to be done.
class CommandLine {
 public:
  explicit CommandLine(const char* version) : app_("", "lilith"), version_(version) {
    mcp_.engine = version;
    proxy_.engine = version;
    doctor_.engine = version;
    inventory_.engine = version;
    run_.engine = version;
    app_.require_subcommand(1);
    add_verify();
    add_seal();
    add_audit();
    add_recorder();
    add_mcp();
    add_proxy();
    add_run();
    add_install();
    add_uninstall();
    add_doctor();
    add_inventory();
  }
  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      print(app_.help());
      return kGood;
    } catch (const CLI::ParseError& error) {
      return complain(printable(error.what()) + "; see lilith --help", kUsage);
    }
    return action_();
  }

 private:
  CLI::App* command(CLI::App& parent, const char* name, const char* does,
                    std::function<int()> action) {
    CLI::App* added = parent.add_subcommand(name, does);
    added->callback([this, action = std::move(action)] { action_ = action; });
    return added;
  }
  void add_verify() {
    auto* added =
        command(app_, "verify",
                "Is the chain of audit logs whole: nothing missing, changed, twice or forked. With "
                "--arrived: did everything reach a SIEM. "
                "0 whole, 1 findings, 3 some input could not be read, 5 no event in what arrived",
                [this] { return verify_either(); });
    added->add_option("LOG", verify_.logs, "logs or directories; - is standard input")->required();
    added->add_flag("--from-start", verify_.from_start, "the first event must be seq 1");
    auto* keys = added->add_option(
        "--verify-key", verify_.keys,
        "file with a line of lilith seal export-verify-key for each host, or a directory of them; "
        "may be given again: checkpoints are verified as well, and what is not sealed is said. "
        "docs/seals.md");
    keys->allow_extra_args(false);  // what follows is LOG
    added
        ->add_flag("--remember", verify_.remember,
                   "where all is whole (of what arrived: all of a host), keep in that file how far "
                   "it was: next time less is a finding, and older files may be gone")
        ->needs(keys);
    added->add_flag("--json", json_, "the report as JSON");
    add_arrived(*added);
    add_topic(*added);
  }
  // Listed here and read by lilith-verify: with --kafka this parser is not asked.
  void add_topic(CLI::App& verify) {
    for (const auto& [name, does] : audit::kTopicOptions) {
      CLI::Option* const option =
          name == "--follow" ? verify.add_flag(std::string(name), topic_on_, std::string(does))
                             : verify.add_option(std::string(name), topic_, std::string(does));
      option->group("A Kafka topic instead of LOG (lilith-verify, of the package lilith-shipper)");
      if (name != "--kafka") option->needs(verify.get_option("--kafka"));
    }
  }
  void add_arrived(CLI::App& verify) {
    CLI::Option* const on =
        verify.add_flag("--arrived", arrived_on_,
                        "LOG is what arrived at the other end, from many hosts, in any order, with "
                        "repeats: Wazuh's archives.json, rsyslog's file, hits of Elasticsearch, "
                        "NDJSON. Assumed when the first file is no log of ours");
    verify.add_option("--form", arrived_.form,
                      "only lines in this form: ndjson, syslog, wazuh, elastic, json (default: by "
                      "the content of each line)");
    verify.add_option("--silent-after", arrived_.silent_after,
                      "a host whose newest event is older than 90s, 30m, 72h, 7d is a finding");
    verify.add_option("--hosts", arrived_.hosts_file,
                      "file of hosts, one a line: one that sent nothing is a finding");
    verify.add_option("--at", arrived_.at, "count ages to this time (RFC 3339) instead of now");
    verify.add_option("--prometheus", arrived_.prometheus,
                      "write the figures to this file, for node_exporter's textfile collector");
    verify.add_flag("--problems", arrived_.problems_only, "only chains with findings");
    arrived_options_.push_back(on);
    for (const char* option :
         {"--form", "--silent-after", "--hosts", "--at", "--prometheus", "--problems"})
      arrived_options_.push_back(verify.get_option(option));
  }
  int verify_either() {
    const bool asked = std::any_of(arrived_options_.begin(), arrived_options_.end(),
                                   [](const CLI::Option* option) { return option->count() > 0; });
    if (!asked && !audit::looks_arrived(verify_.logs.front())) return verify(verify_, json_);
    arrived_.verify_keys = verify_.keys;
    arrived_.remember = verify_.remember;
    arrived_.from_start = verify_.from_start;
    arrived_.json = json_;
    return verify_arrived(verify_.logs, arrived_);
  }
  void add_seal() {
    CLI::App* seal = app_.add_subcommand("seal", "the key that seals a log. docs/seals.md");
    seal->require_subcommand(1);
    const auto add = [&](const char* name, const char* does, int (*act)(const SealArguments&)) {
      auto* added = command(*seal, name, does, [this, act] { return act(seal_); });
      added->add_option("--key", seal_.key, "the key (audit.seal.key of the policy in force)");
      added->add_option("--policy", seal_.policy, "policy to take the audit section from");
      return added;
    };
    const char* log = "the log (audit.log_path of the policy in force)";
    add("init", "Makes a key and prints its verify key. 2: there is one, or usage", seal_init)
        ->add_option("--log", seal_.log, log);
    add("rotate", "Seals the log now and puts another key in the place of the present one",
        seal_rotate)
        ->add_option("--log", seal_.log, log);
    add("export-verify-key", "Prints the verify key: public, one line", seal_export_key);
  }
  void add_audit() {
    CLI::App* audit = app_.add_subcommand("audit", "look at a log");
    audit->require_subcommand(1);
    const auto finish_options = [this] { show_.colour = ::isatty(STDOUT_FILENO) == 1; };
    auto* all = command(*audit, "show", "one line an event", [this, finish_options] {
      finish_options();
      return show_log(show_, false);
    });
    all->add_option("LOG", show_.logs, "logs; - is standard input")->required();
    all->add_flag("--rotated", show_.whole_series, "with the rotated files, oldest first");
    all->add_flag("--json", show_.json, "the lines themselves");
    auto* end = command(*audit, "tail", "the last events", [this, finish_options] {
      finish_options();
      show_.last = last_;
      return show_log(show_, follow_);
    });
    end->add_option("LOG", show_.logs, "log")->required()->expected(1);
    end->add_option("-n,--lines", last_, "how many (10)")->check(CLI::Range(1, 1'000'000));
    end->add_flag("-f,--follow", follow_, "go on with what is appended");
    end->add_flag("--json", show_.json, "the lines themselves");
  }
  void add_recorder() {
    auto* added = command(app_, "recorder", "own the log and take events over a socket",
                          [this] { return serve(recorder_, version_); });
    added->add_option("--socket", recorder_.socket, "socket (/run/lilith/recorder.sock)");
    added->add_option("--log", recorder_.log, "log (audit.log_path of the policy in force)");
    added->add_option("--policy", recorder_.policy, "policy to take the audit section from");
    added->add_option("--group", recorder_.group, "group that may read the log");
    added->add_option("--sync", recorder_.sync, "off, batch or always")
        ->check(CLI::IsMember({"off", "batch", "always"}));
    added->add_option("--rotate-bytes", recorder_.rotate_bytes, "size of a file; 0: never rotate")
        ->each([this](const std::string&) { recorder_.rotate_given = true; });
  }
  void add_mcp() {
    auto* added = command(
        app_, "mcp",
        "Runs an MCP server (stdio), or speaks to one over HTTP (--url), and decides what passes "
        "between it and its client: put it before the server's command in the agent's settings. "
        "Exit code: the server's; 2 when it could not be started. docs/mcp.md",
        [this] { return mcp::mcp_main(mcp_); });
    added->add_option("--server", mcp_.server, "the server's name in policies and events")
        ->required();
    added->add_option("--policy", mcp_.policy, "policy, found as the hook finds it");
    added->add_option("--recorder", mcp_.recorder, "socket of a recorder");
    added->add_option("--agent", mcp_.agent, "the agent that speaks to the server, for the events");
    added
        ->add_option("--pin", mcp_.pin,
                     "a tool whose description or schema changed since it was first seen: record "
                     "it (record), withhold it as well (deny), or don't look (off)")
        ->check(CLI::IsMember({"off", "record", "deny"}));
    auto* url = added->add_option("--url", mcp_.upstream.url,
                                  "a server over Streamable HTTP; its host is decided as egress");
    added
        ->add_option("--header", mcp_.upstream.headers,
                     "'Name: value' of each request, ${NAME} taken from the environment; or @FILE "
                     "with such lines; may stand several times")
        ->needs(url)
        ->allow_extra_args(false);
    added->add_option("--ca", mcp_.upstream.ca, "certificates to trust instead of the system's")
        ->needs(url);
    added->add_option("--proxy", mcp_.upstream.proxy, "URL of a forward proxy to the server")
        ->needs(url);
    added->add_option("CMD", mcp_.command, "-- and the server's program with its arguments")
        ->excludes(url);
  }
  void add_proxy() {
    auto* added = command(
        app_, "proxy",
        "A forward proxy for HTTP clients (CONNECT and http:// requests): each connection is "
        "decided and recorded before it is made. Ends with 0 at TERM or INT, reads the policy "
        "again "
        "at HUP; 2 when it can't listen. docs/proxy.md",
        [this] { return proxy::proxy_main(proxy_); });
    added->add_option("--listen", proxy_.listen,
                      "address and port (127.0.0.1:3128); port 0 takes a free one and prints it");
    added->add_option("--policy", proxy_.policy, "policy, found as the hook finds it");
    added->add_option("--recorder", proxy_.recorder, "socket of a recorder");
    added->add_option("--connections", proxy_.connections_max, "clients at once (20000)")
        ->check(CLI::Range(std::size_t{1}, limits::kProxyConnectionsMax));
  }
  void add_run() {
    auto* added = command(
        app_, "run",
        "Runs a program in namespaces of its own: no network but the proxy, no sockets of the "
        "host. Refuses to start it where the system has no such fence, or the fence leaks. Exit "
        "code: the program's; 2 when it was not started. docs/run.md",
        [this] { return run::run_main(run_); });
    added->add_option("--policy", run_.policy, "policy, found as the hook finds it");
    added->add_option("--recorder", run_.recorder, "socket of a recorder");
    added->add_option("--agent", run_.agent, "which agent it is, for the events");
    added
        ->add_option("--allow-local", run_.local_ports,
                     "a port of this machine's loopback that it may reach; may stand several times")
        ->check(CLI::Range(1, 65535))
        ->allow_extra_args(false);
    added->add_flag("--confine-writes", run_.confine_writes,
                    "files can be written only where the policy allows write_file, and in the "
                    "places for temporary files (Landlock)");
    added
        ->add_option("--writable", run_.writable,
                     "with --confine-writes, which it implies: a directory that may be written as "
                     "well; may stand several times")
        ->allow_extra_args(false);
    added->add_option("CMD", run_.command, "-- and the program with its arguments")->required();
  }
  void add_place(CLI::App& command) {
    command
        .add_option(
            "AGENT", install_.agent,
            "claude-code, copilot-cli, vscode-copilot, cursor, codex, gemini-cli or windsurf")
        ->required();
    command.add_option("--scope", install_.scope, "user (default), project or managed")
        ->check(CLI::IsMember({"user", "project", "managed"}));
    command.add_option("--project", install_.project, "the project's folder (this one)");
    command.add_option("--home", install_.home, "another user's home directory");
    command.add_option("--file", install_.file, "the settings file itself, instead of a scope");
    command.add_flag("--dry-run", install_.dry_run, "print the change as a diff and make none");
  }
  void add_install() {
    auto* added = command(
        app_, "install",
        "Puts the hook into the agent's own settings file: all else in it keeps its bytes, and "
        "what was there before is kept beside it as FILE.before-lilith. docs/agents.md",
        [this] { return setup::install_main(install_); });
    add_place(*added);
    added->add_option("--program", install_.program,
                      "the hook's program (lilith-hook beside this one, else this one)");
    added->add_option("--policy", install_.policy, "a policy for this hook only");
    added->add_option("--recorder", install_.recorder, "socket of a recorder");
    added->add_flag("--audit-rollout", install_.rollout,
                    "errors of the hook let tools run; refused once a policy was enforced here");
  }
  void add_uninstall() {
    auto* added = command(app_, "uninstall",
                          "Takes the hook out again; where nothing else was changed since, the "
                          "file has its bytes from before.",
                          [this] { return setup::uninstall_main(install_); });
    add_place(*added);
  }
  void add_doctor() {
    auto* added = command(
        app_, "doctor",
        "Tries the installed hooks with a call that must be denied, and looks at agents' versions, "
        "policy, log, recorder and shipper. 0 no errors, 1 errors. Each finding has its fix.",
        [this] { return setup::doctor_main(doctor_); });
    added->add_option("AGENT", doctor_.agents, "only these (those that are there)");
    added->add_option("--home", doctor_.home, "another user's home directory");
    added->add_option("--project", doctor_.project, "the project's folder (this one)");
    added->add_option("--policy", doctor_.policy, "policy, found as the hook finds it");
    added->add_option("--ship-config", doctor_.ship_config,
                      "the shipper's configuration (/etc/lilith/ship.yaml)");
    added->add_flag("--json", doctor_.json, "the findings as JSON");
  }
  void add_inventory() {
    auto* added = command(
        app_, "inventory",
        "Agents, versions, hooks and MCP servers of all users of this machine, as a table; and as "
        "inventory events in the audit log. 0 all was read, 3 something was not.",
        [this] { return setup::inventory_main(inventory_); });
    added->add_option("--home", inventory_.home, "only this home directory");
    added->add_option("--project", inventory_.project, "a project's folder besides");
    added->add_option("--policy", inventory_.policy, "policy whose log the events go to");
    added->add_option("--recorder", inventory_.recorder, "socket of a recorder");
    added->add_flag("--no-events", inventory_.no_events, "print only");
    added->add_flag("--json", inventory_.json, "as JSON");
  }

  CLI::App app_;
  const char* version_;
  std::function<int()> action_;
  ShowOptions show_;
  RecorderArguments recorder_;
  mcp::McpArguments mcp_;
  proxy::ProxyArguments proxy_;
  run::RunArguments run_;
  setup::InstallArguments install_;
  setup::DoctorArguments doctor_;
  setup::InventoryArguments inventory_;
  VerifyArguments verify_;
  SealArguments seal_;
  std::size_t last_ = 10;
  audit::ArrivedArguments arrived_;
  std::vector<const CLI::Option*> arrived_options_;  // each of them alone asks for --arrived
  std::string topic_;
  bool arrived_on_ = false, topic_on_ = false, json_ = false, follow_ = false;
};

}  // namespace

int cli_main(int argc, char** argv, const char* version) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "--help" || word == "-h" || word == "help") {
    print(help());
    return kGood;
  }
  if (word == "--version") {
    print("lilith " + std::string(version) + "\n");
    return kGood;
  }
  if (word.empty()) {
    if (auto ignored = write_all(STDERR_FILENO, help()); !ignored) return kUsage;
    return kUsage;
  }
  if (word == "verify" && names_kafka(argc, argv)) return run_sibling(kVerifyTopic, argc, argv);
  std::vector<std::string_view> names;
  for (const CommandRow& row : kCommands) {
    names.emplace_back(row.name);
    if (word == row.name && row.program != nullptr) return run_sibling(row, argc, argv);
  }
  if (std::find(names.begin(), names.end(), word) == names.end()) {
    const std::string_view near = did_you_mean(word, names);
    return complain("no command is called " + printable(word) +
                        (near.empty() ? "" : ", did you mean " + std::string(near) + "?") +
                        "; see lilith --help",
                    kUsage);
  }
  return CommandLine(version).run(argc, argv);
}

}  // namespace lilith::enforcer
