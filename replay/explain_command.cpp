// `lilith replay explain`: why one recorded event gets its verdict.

#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/explain.hpp"
#include "replay/input.hpp"

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::string id;
  std::vector<std::string> logs, policies;
  bool as_json = false;
};

int run(const Options& options) {
  const auto policies = load_policies(options.policies);
  if (policies.size() != 1) return complain("explain needs one policy");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  InputReport input;
  std::optional<audit::Event> found;
  if (auto read = each_event(*files, input,
                             [&](const audit::Event& event) {
                               if (!found && event.id == options.id) found = event;
                             });
      !read) {
    return complain(read.error().message);
  }
  if (!found) {
    const int code = complain("no event has the id '" + options.id + "'");
    return input.incomplete() ? kInputIncomplete : code;
  }
  if (found->type != audit::EventType::kDecision && found->type != audit::EventType::kImported) {
    return complain("this event is no call: " + std::string(audit::name(found->type)));
  }
  const Explanation one = explain(*policies[0], *found);
  std::fputs((options.as_json ? to_json(one, *policies[0]) : to_text(one, *policies[0])).c_str(),
             stdout);
  if (!one.unknown.empty()) return kNotEnoughData;
  return one.decision.verdict == audit::Verdict::kDeny ? kFound : kGood;
}

}  // namespace

int explain_command(int argc, char** argv) {
  Options options;
  Arguments arguments("Says why a recorded event gets its verdict under a policy.",
                      "lilith replay explain");
  arguments.option("id", &options.id, "the event's id, as reports give it as example").required();
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policies, "policy to decide under").required();
  arguments.flag("--json", options.as_json, "as JSON");
  arguments.footer(
      "Exit codes: 0 allowed, 1 denied, 2 wrong usage or no such event, 3 no such event in an "
      "incomplete input, 5 the call was cut or redacted.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
