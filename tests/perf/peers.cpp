#include "tests/perf/peers.hpp"

#include "tests/support/support.hpp"

#include <algorithm>
#include <sys/resource.h>
#include <unistd.h>

namespace lilith::test {
namespace {

bool is_there(const std::string& path) { return ::access(path.c_str(), R_OK) == 0; }

std::string syslog_ng_root() { return std::string(LILITH_SOURCE_DIR) + "/build/syslog-ng"; }
std::string syslog_ng_modules() { return syslog_ng_root() + "/usr/lib/syslog-ng/3.38"; }

}  // namespace

bool has_rsyslog(const std::vector<std::string>& modules) {
  return is_there("/usr/sbin/rsyslogd") &&
         std::all_of(modules.begin(), modules.end(), [](const std::string& module) {
           return is_there("/usr/lib/x86_64-linux-gnu/rsyslog/" + module + ".so");
         });
}

bool has_syslog_ng(const std::string& module) {
  return is_there(syslog_ng_root() + "/usr/sbin/syslog-ng") &&
         is_there(syslog_ng_modules() + "/lib" + module + ".so");
}

PeerProgram rsyslog(const std::string& work, const std::string& log, const std::string& definitions,
                    const std::string& actions) {
  write_text(work + "/conf",
             "global(workDirectory=\"" + work + "\" maxMessageSize=\"64k\")\n" +
                 "module(load=\"imfile\")\n" + definitions + "input(type=\"imfile\" file=\"" + log +
                 "\" tag=\"lilith\" ruleset=\"fwd\" freshStartTail=\"off\" "
                 "persistStateInterval=\"1000\")\n"
                 "ruleset(name=\"fwd\" queue.type=\"LinkedList\" queue.size=\"100000\" "
                 "queue.dequeueBatchSize=\"2048\") { " +
                 actions + " }\n");
  return {{"/usr/sbin/rsyslogd", "-n", "-i", work + "/pid", "-f", work + "/conf"}};
}

PeerProgram syslog_ng(const std::string& work, const std::string& log, const std::string& rest) {
  const std::string root = syslog_ng_root();
  write_text(work + "/conf",
             "@version: 3.38\noptions{use-dns(no); keep-hostname(yes); stats-freq(0); "
             "log-msg-size(65536);};\nsource s{file(\"" +
                 log +
                 "\" flags(no-parse) read-old-records(yes) log-fetch-limit(1000) "
                 "log-iw-size(20000));};\n" +
                 rest);
  return {{root + "/usr/sbin/syslog-ng", "-F", "--no-caps", "-f", work + "/conf", "-R",
           work + "/persist", "-p", work + "/pid", "-c", work + "/control",
           "--module-path=" + syslog_ng_modules()},
          {{"LD_LIBRARY_PATH", root + "/usr/lib/syslog-ng:" + root +
                                   "/usr/lib/x86_64-linux-gnu:" + root + "/lib/x86_64-linux-gnu"}}};
}

double children_cpu() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace lilith::test
