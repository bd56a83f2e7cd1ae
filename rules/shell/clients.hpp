#pragma once
// Clients of databases, editors and debuggers, whose own commands run programs and write files:
// psql(1), sqlite3(1), mysql(1), ed(1), vim's :help :!, the GDB manual; GTFOBins has a page for
// each.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::rules::shell {

[[nodiscard]] bool is_script_client(std::string_view name);
// What in `text`, a script of that client, runs a program; empty: nothing. `files` gets the files
// it writes to.
[[nodiscard]] std::string client_script_runs(std::string_view name, std::string_view text,
                                             std::vector<std::string>& files);

}  // namespace lilith::rules::shell
