// lilith-policy: the command group `lilith policy`. A program of its own, so that what it links
// (libpsl) costs no hook anything.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "enforcer/cli_text.hpp"
#include "enforcer/compiled_store.hpp"
#include "enforcer/policy_explain.hpp"
#include "enforcer/policy_place.hpp"
#include "rules/lint.hpp"
#include "rules/policy_diff.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer {
namespace {

struct CheckOptions {
  std::vector<std::string> files;
  bool json = false, sarif = false, strict = false;
};

struct Checked {
  std::string file;
  bool readable = true;
  std::shared_ptr<const rules::Policy> policy;
  std::vector<rules::Finding> findings;
};

Checked check_one(const std::string& file) {
  Checked out;
  out.file = file;
  out.readable = ::access(file.c_str(), R_OK) == 0;
  rules::PolicyLoad load = rules::load_policy_file(file);
  out.findings = rules::findings_of(load.diagnostics);
  out.policy = std::move(load.policy);
  if (out.policy == nullptr) return out;
  for (rules::Finding& finding : rules::lint(*out.policy)) {
    out.findings.push_back(std::move(finding));
  }
  std::stable_sort(
      out.findings.begin(), out.findings.end(),
      [](const rules::Finding& a, const rules::Finding& b) { return a.line < b.line; });
  return out;
}

std::string text_of(const std::vector<Checked>& all) {
  std::string out;
  for (const Checked& one : all) {
    for (const rules::Finding& finding : one.findings) {
      out += printable(rules::to_string(finding)) + "\n";
    }
    if (one.policy != nullptr) {
      out += printable(one.file) + ": valid, sha256 " + one.policy->sha256() + "\n";
    }
  }
  return out;
}

std::string json_of(const std::vector<Checked>& all) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().key("files").begin_array();
  for (const Checked& one : all) {
    writer.begin_object().member("file", one.file).member("valid", one.policy != nullptr);
    if (one.policy != nullptr) writer.member("sha256", one.policy->sha256());
    writer.key("findings").begin_array();
    for (const rules::Finding& finding : one.findings) {
      writer.begin_object().member("id", finding.id);
      writer.member("severity", rules::name(finding.level)).member("file", finding.file);
      writer.member("line", finding.line).member("column", finding.column);
      writer.member("why", finding.why).member("remedy", finding.remedy).end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return out + "\n";
}

int check_policies(const CheckOptions& options) {
  int code = kGood;
  std::vector<Checked> all;
  std::vector<rules::Finding> findings;
  for (const std::string& file : options.files) {
    all.push_back(check_one(file));
    const Checked& one = all.back();
    if (one.policy == nullptr) code = std::max(code, one.readable ? kFound : kIncomplete);
    for (const rules::Finding& finding : one.findings) {
      findings.push_back(finding);
      const bool warns = finding.level == rules::FindingLevel::kWarning;
      if (options.strict && warns) code = std::max(code, kFound);
    }
  }
  print(options.sarif  ? rules::to_sarif(findings, LILITH_VERSION)
        : options.json ? json_of(all)
                       : text_of(all));
  return code;
}

struct DiffOptions {
  std::string a, b;
  bool json = false;
};

int diff(const DiffOptions& options) {
  std::vector<std::shared_ptr<const rules::Policy>> policies;
  for (const std::string* file : {&options.a, &options.b}) {
    rules::PolicyLoad load = rules::load_policy_file(*file);
    if (load.policy == nullptr) {
      for (const rules::Diagnostic& one : load.diagnostics) {
        complain(printable(to_string(one)), kUsage);
      }
      return complain("the policy " + printable(*file) + " is not usable", kUsage);
    }
    policies.push_back(std::move(load.policy));
  }
  const rules::PolicyDiff found = rules::diff_policies(*policies[0], *policies[1]);
  print(options.json ? rules::to_json(found, *policies[0], *policies[1])
                     : rules::to_text(found, *policies[0], *policies[1]));
  return found.differences.empty() ? kGood : kFound;
}

struct CompileOptions {
  std::vector<std::string> files;
  std::string directory = Places{}.compiled_policies;
};

int compile_policies(const CompileOptions& options) {
  for (const std::string& file : options.files) {
    const auto yaml = read_file(file, limits::kPolicyBytesMax);
    if (!yaml) return complain(yaml.error().message, kIncomplete);
    const auto path = write_compiled(options.directory, *yaml, LILITH_VERSION);
    if (!path) {
      return complain(printable(file) + ": " + path.error().message,
                      path.error().code == ErrorCode::kInvalidInput ? kFound : kUsage);
    }
    print(printable(*path) + "\n");
  }
  return kGood;
}

class CommandLine {
 public:
  CommandLine() : app_("check, explain and compare policies", "lilith policy") {
    app_.require_subcommand(1);
    add_check();
    add_explain();
    add_diff();
    add_compile();
    command("schema", "the grammar of the file as JSON Schema", [] {
      print(rules::policy_json_schema());
      return kGood;
    });
  }
  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      print(app_.help());
      return kGood;
    } catch (const CLI::ParseError& error) {
      return complain(printable(error.what()) + "; see lilith policy --help", kUsage);
    }
    return action_();
  }

 private:
  CLI::App* command(const char* name, const char* does, std::function<int()> action) {
    CLI::App* added = app_.add_subcommand(name, does);
    added->callback([this, action = std::move(action)] { action_ = action; });
    return added;
  }
  void add_check() {
    auto* check = command("check",
                          "validate and lint: 0 valid, 1 errors (with --strict also warnings), 3 a "
                          "file can't be read",
                          [this] { return check_policies(check_); });
    check->add_option("FILE", check_.files, "policies")->required();
    auto* json = check->add_flag("--json", check_.json, "findings as JSON");
    check->add_flag("--sarif", check_.sarif, "findings as SARIF 2.1.0")->excludes(json);
    check->add_flag("--strict", check_.strict, "a warning is an error");
  }
  void add_explain() {
    auto* one =
        command("explain",
                "what the policy says of one call, by which rules, and what would change it: "
                "0 allowed, 1 denied. The call comes by --command, --path or --url, by "
                "--event and --log, or on standard input: a hook event, or with --tool that "
                "tool's arguments",
                [this] { return explain_call(explain_); });
    one->add_option("FILE", explain_.file, "policy")->required();
    one->add_option("--agent", explain_.agent, "agent (claude_code)");
    one->add_option("--tool", explain_.tool, "the agent's own tool name");
    one->add_option("--server", explain_.server, "MCP server");
    one->add_option("--command", explain_.command, "a shell line");
    one->add_option("--path", explain_.path, "a file");
    one->add_option("--url", explain_.url, "a URL");
    one->add_option("--cwd", explain_.cwd, "the session's directory (the current one)");
    one->add_option("--event", explain_.event, "id of a recorded event");
    one->add_option("--log", explain_.logs, "log that holds it");
    one->add_flag("--json", explain_.json, "as JSON");
  }
  void add_diff() {
    auto* two =
        command("diff",
                "what B decides otherwise than A, without traffic, by example: 0 equivalent "
                "or no difference found, 1 they differ",
                [this] { return diff(diff_); });
    two->add_option("A", diff_.a, "policy")->required();
    two->add_option("B", diff_.b, "policy")->required();
    two->add_flag("--json", diff_.json, "as JSON");
  }

  void add_compile() {
    auto* made = command("compile",
                         "make the form that hooks load faster, as root or as the recorder's user: "
                         "0 done, 1 the policy has errors",
                         [this] { return compile_policies(compile_); });
    made->add_option("FILE", compile_.files, "policies")->required();
    made->add_option("--into", compile_.directory, "directory (/var/lib/lilith/compiled)");
  }

  CLI::App app_;
  std::function<int()> action_;
  CompileOptions compile_;
  CheckOptions check_;
  ExplainOptions explain_;
  DiffOptions diff_;
};

}  // namespace
}  // namespace lilith::enforcer

int main(int argc, char** argv) { return lilith::enforcer::CommandLine().run(argc, argv); }
