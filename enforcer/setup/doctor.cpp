#include "enforcer/setup/doctor.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/base/users.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "audit/seal_key.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/compiled_store.hpp"
#include "enforcer/recording.hpp"
#include "enforcer/setup/child.hpp"
#include "enforcer/setup/ownership.hpp"
#include "rules/decide.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kShipDeadline{5'000};
constexpr std::int64_t kShipLagSeconds = 3600;

using Findings = std::vector<Finding>;

void add(Findings& out, Severity severity, std::string check, const std::string& subject,
         std::string message, std::string fix = {}) {
  out.push_back(
      {severity, std::move(check), printable(subject), std::move(message), std::move(fix)});
}

void check_policy(const DoctorContext& context, const FoundPolicy& found, Findings& out) {
  const std::string file = found.path.empty() ? context.places.system_policy : found.path;
  if (!found.load.policy) {
    return add(out, Severity::kError, found.path.empty() ? "policy.missing" : "policy.invalid",
               file, why_unusable(found, context.places),
               found.path.empty() ? "copy rules/policies/lilith-policy.yaml there"
                                  : "lilith policy check " + printable(file));
  }
  const bool enforces = found.load.policy->enforces();
  add(out, Severity::kOk, "policy", file,
      enforces ? "is in force and enforces" : "is in force in audit mode: nothing is denied");
  if (const std::string who = who_else_can_write(file, ::geteuid()); !who.empty()) {
    return add(out, Severity::kError, "policy.writable", file, "others can change it: " + who,
               "sudo chown root:root FILE && sudo chmod go-w FILE, for that file or folder");
  }
  struct stat info{};
  if (::stat(file.c_str(), &info) == 0 && info.st_uid != 0) {
    add(out, Severity::kWarning, "policy.of_user", file,
        "belongs to the agents' own user, so an agent could change it",
        "sudo install -D -o root -g root -m 0644 " + printable(file) + " " +
            context.places.system_policy);
  }
}

void check_compiled(const DoctorContext& context, const FoundPolicy& found, Findings& out) {
  const auto yaml = read_file(found.path, limits::kPolicyBytesMax);
  if (!yaml) return;
  const std::string& folder = context.places.compiled_policies;
  const std::string fix = "sudo lilith policy compile " + printable(found.path);
  if (!found.compiled_ignored.empty()) {
    return add(out, Severity::kWarning, "compiled.ignored", folder,
               "the compiled policy is not used: " + found.compiled_ignored, fix);
  }
  const auto compiled = read_compiled(folder, sha256_hex(*yaml));
  if (compiled && !compiled->empty()) {
    return add(out, Severity::kOk, "compiled", folder, "has the policy in force, compiled");
  }
  std::error_code ignored;
  const bool others = fs::is_directory(folder, ignored) && !fs::is_empty(folder, ignored);
  add(out, others ? Severity::kWarning : Severity::kNote,
      others ? "compiled.stale" : "compiled.missing", folder,
      others ? "holds other policies than the one in force: hooks parse the file each time"
             : "has no compiled policy: hooks parse the file each time",
      fix);
}

void check_log_file(const std::string& path, Findings& out) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    return add(
        out, errno == EACCES ? Severity::kNote : Severity::kWarning, "log.missing", path,
        errno == EACCES ? "can't be looked at by this user" : "is not there yet",
        errno == EACCES ? "run this as root" : "it is made by the first hook or the recorder");
  }
  if (!S_ISREG(info.st_mode)) {
    return add(out, Severity::kError, "log.no_file", path,
               S_ISLNK(info.st_mode) ? "is a symbolic link: events are refused" : "is no file",
               "name the file itself in audit.log_path");
  }
  if ((info.st_mode & S_IRWXO) != 0 || (info.st_mode & S_IWGRP) != 0) {
    return add(out, Severity::kError, "log.mode", path,
               (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "others can change the evidence"
                                                         : "everyone can read what agents did",
               "chmod 0640 " + printable(path));
  }
  if (info.st_uid == ::geteuid() && info.st_uid != 0) {
    return add(out, Severity::kNote, "log.of_user", path,
               "belongs to the agents' own user: as evidence it is advisory",
               "run the recorder: packaging/systemd/lilith-recorder.service");
  }
  add(out, Severity::kOk, "log", path, "has owner and mode that an audit log should have");
}

std::string user_name(uid_t uid) {
  const auto user = user_by_id(uid);
  return user ? printable(user->name) : "uid " + std::to_string(uid);
}

// Whose file it is: of the log, or of the folder that it will be made in.
std::optional<uid_t> writer_of(const std::string& log) {
  struct stat info{};
  if (::stat(log.c_str(), &info) != 0 && ::stat(directory_of(log).c_str(), &info) != 0)
    return std::nullopt;
  return info.st_uid;
}

// What the file system says of the key; false when that is an error already.
bool check_key_file(const rules::AuditSettings& settings, bool enforces, Findings& out) {
  const std::string& path = settings.seal_key;
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == EACCES) {
      add(out, Severity::kNote, "seal.hidden", path, "can't be looked at by this user",
          "run this as root");
      return false;
    }
    add(out, enforces ? Severity::kError : Severity::kWarning, "seal.missing", path,
        enforces ? "audit.seal names this key and it is not there: every event is refused, and "
                   "every call denied"
                 : "audit.seal names this key and it is not there: events are not sealed",
        "sudo lilith seal init, and keep the line that it prints where logs are verified");
    return false;
  }
  if (S_ISREG(info.st_mode) && (info.st_mode & 077U) != 0) {
    add(out, Severity::kError, "seal.mode", path,
        "can be read or written by others: who has it can seal what he likes",
        "chmod 600 " + printable(path) +
            ", move it away, and begin a new one with sudo lilith seal init");
    return false;
  }
  const auto writer = writer_of(settings.log_path);
  if (writer && *writer != info.st_uid) {
    add(out, Severity::kError, "seal.owner", path,
        "belongs to " + user_name(info.st_uid) + ", and the log is written by " +
            user_name(*writer) + ", who can't use it",
        "sudo chown " + user_name(*writer) + " " + printable(path));
    return false;
  }
  return true;
}

void check_seal(const rules::AuditSettings& settings, bool enforces, Findings& out) {
  const std::string& path = settings.seal_key;
  if (path.empty() || !check_key_file(settings, enforces, out)) return;
  const auto key = audit::read_seal_key(path, host_name(), settings.log_path);
  if (!key && key.error().os_errno == EACCES) {
    return add(out, Severity::kOk, "seal", path,
               "has owner and mode that a seal key should have; what it sealed, root can see");
  }
  if (!key) {
    return add(out, enforces ? Severity::kError : Severity::kWarning, "seal.unusable", path,
               printable(key.error().message), "docs/seals.md, \"The key\"");
  }
  struct stat info{};
  if (::geteuid() != 0 && ::stat(path.c_str(), &info) == 0 && info.st_uid == ::geteuid()) {
    add(out, Severity::kNote, "seal.of_user", path,
        "belongs to the agents' own user, who can seal what he likes from now on",
        "run the recorder: packaging/systemd/lilith-recorder.service");
  }
  if (key->sealed.seq == 0) {
    return add(out, Severity::kOk, "seal", path, "is made; the next event begins to be sealed");
  }
  const std::string until = "sealed up to seq " + std::to_string(key->sealed.seq) + " at " +
                            format_time(key->sealed_at) + ", epoch " +
                            std::to_string(key->epoch - 1);
  const bool written = ::stat(settings.log_path.c_str(), &info) == 0;
  const auto last = std::chrono::system_clock::from_time_t(info.st_mtime);
  if (written && settings.seal_age.count() != 0 && last > key->sealed_at + settings.seal_age) {
    return add(out, Severity::kError, "seal.stopped", path,
               until +
                   ", and the log was written later than audit.seal allows without another "
                   "checkpoint",
               "lilith verify --verify-key KEYS " + printable(settings.log_path));
  }
  add(out, Severity::kOk, "seal", path, until);
}

// The socket must take a connection; what the recorder then says is the hook's to hear.
void check_recorder(const DoctorContext& context, Findings& out) {
  const Places& places = context.places;
  struct stat info{};
  const bool system = ::stat(places.system_recorder.c_str(), &info) == 0;
  const std::string& path = system ? places.system_recorder : places.environment_recorder;
  if (path.empty()) {
    return add(out, Severity::kNote, "recorder.none", places.system_recorder,
               "there is no recorder: hooks write the log themselves",
               "packaging/systemd/lilith-recorder.service");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return;
  std::copy(path.begin(), path.end(), address.sun_path);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return add(out, Severity::kError, "recorder.gone", path,
               std::string("takes no connection: ") + std::strerror(errno) +
                   "; where a policy enforces, everything is denied",
               "systemctl restart lilith-recorder");
  }
  add(out, Severity::kOk, "recorder", path, "takes connections");
}

void check_sink(json::View row, Findings& out) {
  const auto number = [row](std::string_view key) {
    const auto member = row.find(key);
    return std::max<std::int64_t>(member ? member->integer().value_or(0) : 0, 0);
  };
  const std::int64_t bytes = number("lag_bytes"), seconds = number("lag_s");
  const bool behind =
      static_cast<std::uint64_t>(bytes) > limits::kRotateBytesDefault || seconds > kShipLagSeconds;
  add(out, behind ? Severity::kError : Severity::kOk, behind ? "ship.behind" : "ship",
      std::string(row.text("sink")),
      std::to_string(bytes) + " bytes are not delivered yet, the oldest for " +
          std::to_string(seconds) + " s",
      behind ? "look at the sink and at journalctl -u lilith-ship" : "");
}

void check_shipper(const DoctorContext& context, Findings& out) {
  struct stat info{};
  if (::stat(context.ship_config.c_str(), &info) != 0) {
    return add(out, Severity::kNote, "ship.none", context.ship_config,
               "there is no shipper: events stay on this machine",
               "packaging/lilith-ship.example.yaml");
  }
  const auto ran =
      run_child({context.ship_program, "status", "--config", context.ship_config, "--json"}, {},
                kShipDeadline);
  json::Document document;
  const auto status = ran && ran->exit_code == 0 ? document.parse(ran->out)
                                                 : fail(ErrorCode::kUnavailable, "no status");
  const auto sinks = status ? status->find("sinks") : std::nullopt;
  if (!sinks) {
    const std::string why = ran ? printable(utf8_prefix(ran->err, 300)) : ran.error().message;
    return add(out, Severity::kError, "ship.status", context.ship_config,
               "the shipper's state can't be read: " + why,
               "lilith ship --config " + printable(context.ship_config) + " --check");
  }
  const auto running = status->find("running");
  if (!running || !running->boolean().value_or(false)) {
    add(out, Severity::kWarning, "ship.stopped", context.ship_config,
        "no shipper with this configuration runs", "systemctl start lilith-ship");
  }
  sinks->each_element([&out](json::View sink) {
    check_sink(sink, out);
    return true;
  });
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<std::string> path_folders() {
  std::vector<std::string> out;
  std::string path = from_environment("PATH");
  path.push_back(':');
  for (std::size_t from = 0, end = 0; (end = path.find(':', from)) != std::string::npos;
       from = end + 1) {
    if (path[from] == '/') out.push_back(path.substr(from, end - from));
  }
  return out;
}

Result<DoctorContext> context_of(const DoctorArguments& arguments) {
  DoctorContext context;
  for (const std::string& word : arguments.agents) {
    const auto agent = agents::agent_from_name(word);
    if (!agent) return fail(ErrorCode::kInvalidInput, "no agent is called " + printable(word));
    context.wanted.push_back(*agent);
  }
  std::error_code error;
  const auto user = rules::current_user();
  const std::string own_home = user ? user->home : std::string();
  context.place.anchors.home =
      arguments.home.empty() ? own_home
                             : fs::absolute(arguments.home, error).lexically_normal().string();
  if (context.place.anchors.home.empty()) {
    return fail(ErrorCode::kInvalidInput, "this user has no home directory; say --home");
  }
  context.place.anchors.project =
      fs::absolute(arguments.project, error).lexically_normal().string();
  // In the home itself the user's files would be found a second time.
  if (fs::equivalent(context.place.anchors.project, context.place.anchors.home, error)) {
    context.place.anchors.project.clear();
  }
  if (arguments.home.empty()) context.place.anchors.variable = from_environment;
  context.place.search = path_folders();
  context.places = machine_places(own_home);
  context.policy = arguments.policy;
  context.engine = arguments.engine;
  if (!arguments.ship_config.empty()) context.ship_config = arguments.ship_config;
  context.own_folder = fs::read_symlink("/proc/self/exe", error).parent_path().string();
  context.ship_program = context.own_folder + "/lilith-ship";
  return context;
}

}  // namespace

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::kOk:
      return "ok";
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return {};
}

std::string to_text(const Findings& findings) {
  std::string out;
  for (const Finding& one : findings) {
    std::string severity(name(one.severity));
    severity.resize(8, ' ');
    out += severity + one.subject + ": " + one.message + " [" + one.check + "]\n";
    if (!one.fix.empty()) out += "        fix: " + one.fix + "\n";
  }
  return out;
}

std::string to_json(const Findings& findings) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().key("findings").begin_array();
  for (const Finding& one : findings) {
    writer.begin_object().member("severity", name(one.severity)).member("check", one.check);
    writer.member("subject", one.subject).member("message", one.message).member("fix", one.fix);
    writer.end_object();
  }
  writer.end_array().end_object();
  return out + "\n";
}

Findings check_surroundings(const DoctorContext& context) {
  Findings out;
  const FoundPolicy found =
      find_policy(context.places, context.policy, rules::real_file_system(), context.engine);
  check_policy(context, found, out);
  if (found.load.policy) {
    check_compiled(context, found, out);
    check_log_file(found.load.policy->audit().log_path, out);
    check_seal(found.load.policy->audit(), found.load.policy->enforces(), out);
  }
  check_recorder(context, out);
  check_shipper(context, out);
  return out;
}

int doctor_main(const DoctorArguments& arguments) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto context = context_of(arguments);
  if (!context) return complain(context.error().message, kUsage);
  Findings findings = check_hooks(*context);
  for (Finding& one : check_surroundings(*context)) findings.push_back(std::move(one));
  print(arguments.json ? to_json(findings) : to_text(findings));
  const bool errors = std::any_of(findings.begin(), findings.end(), [](const Finding& one) {
    return one.severity == Severity::kError;
  });
  return errors ? kFound : kGood;
}

}  // namespace lilith::enforcer::setup
