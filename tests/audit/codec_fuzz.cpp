// Any bytes as an event's line. The input is an edit of a line that is one: bytes at random rarely
// get past the first brace.

#include "tests/audit/codec_properties.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

std::vector<std::string> corpus() {
  std::vector<std::string> lines;
  for (const char* name : {"event-lines.ndjson", "codec-corpus.ndjson"}) {
    std::ifstream file(std::string(LILITH_SOURCE_DIR) + "/tests/golden/" + name);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  if (lines.empty()) std::abort();
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> kLines = corpus();
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::string line = input;
  if (size >= 4) {
    // Which line, from where, how many bytes are replaced; the rest of the input takes their place.
    line = kLines[data[0] % kLines.size()];
    const std::size_t at = (data[1] * std::size_t{256} + data[2]) % line.size();
    line.replace(at, std::min<std::size_t>(data[3] % 64, line.size() - at), input, 4);
  }
  for (const std::string& one : {input, line}) {
    if (const std::string fault = lilith::test::codec_fault(one); !fault.empty()) {
      std::fprintf(stderr, "%s\n%s\n", fault.c_str(), one.c_str());
      std::abort();
    }
  }
  return 0;
}
