#include "replay/teams.hpp"

#include "audit/yaml/tree.hpp"
#include "rules/glob.hpp"

#include <algorithm>
#include <cctype>

namespace lilith::replay {
namespace {

using yaml::Node;

bool is_file_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

std::unexpected<Error> wrong(std::string_view file, const Node& node, const std::string& why) {
  return fail(ErrorCode::kInvalidInput,
              std::string(file) + ":" + std::to_string(node.line) + ": " + why);
}

}  // namespace

Result<std::vector<Team>> read_teams(std::string_view yaml, std::string_view file) {
  std::vector<yaml::Problem> problems;
  const Node root = yaml::read(yaml, problems);
  if (!problems.empty()) {
    return fail(
        ErrorCode::kInvalidInput,
        std::string(file) + ":" + std::to_string(problems[0].line) + ": " + problems[0].message);
  }
  if (root.kind != Node::Kind::kMap)
    return wrong(file, root, "teams are a map like `backend: [\"be-*\", \"ann@shared-1\"]`");
  std::vector<Team> out;
  for (const auto& [key, value] : root.members) {
    Team team;
    team.name = key.scalar;
    if (!is_file_name(team.name) || team.name == "all")
      return wrong(file, key, "a team's name is letters, digits, - _ . and not `all`");
    if (value.kind != Node::Kind::kSequence || value.items.empty())
      return wrong(file, value, "a team needs a list of globs over hosts, or over user@host");
    for (const Node& item : value.items) {
      if (item.kind != Node::Kind::kScalar || item.scalar.empty())
        return wrong(file, item, "a glob is text");
      team.globs.push_back(item.scalar);
    }
    out.push_back(std::move(team));
  }
  return out;
}

std::vector<std::vector<bool>> members_of(const std::vector<Team>& teams,
                                          const Recording& recording, std::size_t& left) {
  const auto& developers = recording.developers();
  std::vector<std::vector<bool>> out(teams.size(), std::vector<bool>(developers.size()));
  left = 0;
  for (std::size_t i = 0; i < developers.size(); ++i) {
    const std::string& host = recording.hosts().text(developers[i].host);
    const std::string full = developers[i].user + "@" + host;
    bool found = false;
    for (std::size_t team = 0; team < teams.size() && !found; ++team) {
      for (const std::string& glob : teams[team].globs) {
        const bool whole = glob.find('@') != std::string::npos;
        if (!rules::wildcard_match(glob, whole ? full : host)) continue;
        out[team][i] = found = true;
        break;
      }
    }
    if (!found) ++left;
  }
  return out;
}

}  // namespace lilith::replay
