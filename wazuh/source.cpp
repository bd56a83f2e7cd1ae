#include "wazuh/source.hpp"

#include "audit/base/file.hpp"

namespace lilith::wazuh {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{4} * 1024 * 1024;

Result<void> read_files(const std::vector<std::string>& paths, std::vector<RuleFile>& into) {
  for (const std::string& path : paths) {
    auto text = read_file(path, kFileBytesMax);
    if (!text) return pass_error(text);
    into.push_back({path, std::move(*text)});
  }
  return {};
}

}  // namespace

Result<RuleSource> read_source(const SourcePaths& paths) {
  RuleSource out;
  if (paths.stock) out.rules.push_back(stock_rules());
  if (auto read = read_files(paths.rules, out.rules); !read) return pass_error(read);
  if (auto read = read_files(paths.decoders, out.decoders); !read) return pass_error(read);
  std::vector<RuleFile> lists;
  if (auto read = read_files(paths.lists, lists); !read) return pass_error(read);
  for (const RuleFile& list : lists) {
    out.lists[list.name.substr(list.name.rfind('/') + 1)] = list_keys(list.text);
  }
  return out;
}

Result<Engine> make_engine(const RuleSource& source, std::vector<std::string>* warnings) {
  auto set = load_rules(source.rules, source.lists);
  if (!set) return pass_error(set);
  if (warnings != nullptr) *warnings = set->warnings;
  auto decoders = stock_decoders();
  for (const RuleFile& file : source.decoders) {
    if (auto added = add_decoders(file.name, file.text, decoders); !added) return pass_error(added);
  }
  return Engine(std::move(*set), std::move(decoders));
}

}  // namespace lilith::wazuh
