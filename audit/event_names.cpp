#include "audit/event.hpp"
#include "audit/event_spellings.hpp"

#include <array>
#include <cstddef>

namespace lilith::audit {
namespace {

template <class Enum, std::size_t N>
std::string_view text_of(const std::array<Spelling<Enum>, N>& table, Enum value) {
  for (const auto& row : table) {
    if (row.value == value) return row.text;
  }
  return {};
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::array<Spelling<Enum>, N>& table, std::string_view text) {
  for (const auto& row : table) {
    if (row.text == text) return row.value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(EventType v) { return text_of(kEventTypes, v); }
std::string_view name(Verdict v) { return text_of(kVerdicts, v); }
std::string_view name(Mode v) { return text_of(kModes, v); }
std::string_view name(Action v) { return text_of(kActions, v); }
std::string_view name(Category v) { return text_of(kCategories, v); }
std::string_view name(Enforcement v) { return text_of(kEnforcements, v); }
std::string_view name(OperationKind v) { return text_of(kOperationKinds, v); }
std::string_view name(Via v) { return text_of(kVias, v); }

std::optional<EventType> event_type(std::string_view t) { return value_of(kEventTypes, t); }
std::optional<Verdict> verdict(std::string_view t) { return value_of(kVerdicts, t); }
std::optional<Mode> mode(std::string_view t) { return value_of(kModes, t); }
std::optional<Action> action(std::string_view t) { return value_of(kActions, t); }
std::optional<Category> category(std::string_view t) { return value_of(kCategories, t); }
std::optional<Enforcement> enforcement(std::string_view t) { return value_of(kEnforcements, t); }
std::optional<OperationKind> operation_kind(std::string_view t) {
  return value_of(kOperationKinds, t);
}
std::optional<Via> via(std::string_view t) { return value_of(kVias, t); }

std::string describe(const Operation& operation) {
  std::string out(name(operation.kind));
  out.push_back(' ');
  switch (operation.kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      return out + operation.path;
    case OperationKind::kRunCommand:
      return out + (operation.program.empty() ? operation.command : operation.program);
    case OperationKind::kEgress:
      out += operation.host;
      if (operation.port != 0) out += ":" + std::to_string(operation.port);
      return out;
    case OperationKind::kMcpTool:
      return out + operation.server + "/" + operation.name;
    case OperationKind::kOther:
      break;
  }
  return out + operation.name;
}

}  // namespace lilith::audit
