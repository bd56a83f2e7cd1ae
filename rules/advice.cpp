#include "rules/advice.hpp"

#include <algorithm>
#include <array>

namespace lilith::rules {
namespace {

struct Advice {
  std::string_view code, text;
};
constexpr std::array kAdvice{
    Advice{"call.undecidable", "call the tool again with complete arguments"},
    Advice{"command.arithmetic", "write plain numbers in their place"},
    Advice{"command.blocked", "do it without this program, or ask the user"},
    Advice{"command.control_byte", "write the line without control characters"},
    Advice{"command.dynamic_host", "write the host's name out"},
    Advice{"command.dynamic_name", "write the program's name out"},
    Advice{"command.dynamic_option", "write the option out"},
    Advice{"command.dynamic_text", "write the text out"},
    Advice{"command.environment", "run the command without changing the environment"},
    Advice{"command.exec_option", "run what the option would run as a command of its own"},
    Advice{"command.function_shadowing", "give the function another name"},
    Advice{"command.indirect", "write the command itself as the line"},
    Advice{"command.not_listed", "use a listed program, or ask the user to add it"},
    Advice{"command.path", "call the program by its name alone"},
    Advice{"command.too_complex", "split it into shorter calls"},
    Advice{"command.too_long", "split it into shorter calls, or write a file and run that"},
    Advice{"command.unparsable", "correct the line's syntax"},
    Advice{"command.wrapper", "call the program without the wrapper"},
    Advice{"egress.bad_host", "give the plain name of the host"},
    Advice{"egress.bad_url", "give one plain https URL"},
    Advice{"egress.blocked", "leave this host alone, or ask the user"},
    Advice{"egress.no_section", "ask the user"},
    Advice{"egress.not_listed", "use a listed host, or ask the user to add it"},
    Advice{"egress.port_or_protocol", "use the protocol and port that are listed"},
    Advice{"egress.private", "use a host that is not in the private network, or ask the user"},
    Advice{"mcp.not_listed", "use another tool, or ask the user to add it"},
    Advice{"path.agent_config", "ask the user to make this change"},
    Advice{"path.blocked", "leave this file alone, or ask the user for what is needed from it"},
    Advice{"path.empty", "give the path"},
    Advice{"path.encoding", "give the path in UTF-8"},
    Advice{"path.file_url", "give the path without file:"},
    Advice{"path.link_loop", "give the path of the file itself"},
    Advice{"path.magic_link", "give the path of the file itself"},
    Advice{"path.not_listed", "use a file that is listed, or ask the user to add it"},
    Advice{"path.nul", "give the path without NUL"},
    Advice{"path.parent_of_missing", "give the path without '..'"},
    Advice{"path.relative_without_cwd", "give the absolute path"},
    Advice{"path.tilde", "give the absolute path"},
    Advice{"path.too_long", "give a shorter path"},
    Advice{"path.undecidable", "write the file's path out"},
    Advice{"path.unreadable", "use a file that you may look at, or ask the user"},
    Advice{"tool.blocked", "use another tool, or ask the user"},
    Advice{"tool.no_section", "ask the user"},
    Advice{"tool.not_listed", "use another tool, or ask the user to add it"}};

}  // namespace

std::string_view advice_of(std::string_view code) {
  const auto* const found = std::find_if(kAdvice.begin(), kAdvice.end(),
                                         [&](const Advice& one) { return one.code == code; });
  return found == kAdvice.end() ? std::string_view() : found->text;
}

}  // namespace lilith::rules
