#include "tests/fleet/fleet.hpp"

#include "audit/base/clock.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace lilith::test {
namespace {

constexpr std::uint32_t kSharedKeys = 3'000;
constexpr std::uint32_t kRollOutKeys = 200;
constexpr double kSharedPart = 0.7;
constexpr double kActive = 0.85;  // a developer works with the agent on this share of days
constexpr double kZipf = 1.1;
constexpr double kDiscount = 0.5, kStrength = 10;  // Pitman-Yor
constexpr double kNewProject = 0.1;
// Makes the week after the flip cost about what the hold-out half did: no slack is left.
constexpr double kRollOutPart = 0.06;
constexpr double kRepeats = 8;

using Engine = std::mt19937_64;
double uniform(Engine& engine) { return std::uniform_real_distribution<double>(0, 1)(engine); }

// Things of one project: a new one or one used before, by Pitman and Yor (Annals of Probability
// 25, 1997): the more there were, the rarer a new one, and never none.
class Project {
 public:
  explicit Project(std::uint32_t number) : number_(number) {}
  std::uint32_t draw(Engine& engine, std::uint32_t& next_key) {
    const double drawn = static_cast<double>(history_.size());
    const double kinds = static_cast<double>(uses_.size());
    if (uniform(engine) < (kStrength + kDiscount * kinds) / (kStrength + drawn)) {
      history_.push_back(next_key);
      uses_[next_key] = 1;
      return next_key++;
    }
    for (;;) {
      const auto index = static_cast<std::size_t>(uniform(engine) * drawn);
      const std::uint32_t key = history_[std::min(index, history_.size() - 1)];
      if (uniform(engine) < kDiscount / static_cast<double>(uses_[key])) continue;
      history_.push_back(key);
      ++uses_[key];
      return key;
    }
  }
  [[nodiscard]] std::uint32_t number() const { return number_; }

 private:
  std::uint32_t number_;
  std::vector<std::uint32_t> history_;
  std::map<std::uint32_t, std::uint32_t> uses_;
};

class Maker {
 public:
  explicit Maker(const FleetOptions& options) : options_(options), engine_(options.seed) {
    double sum = 0;
    for (std::uint32_t i = 0; i < kSharedKeys; ++i) {
      sum += std::pow(i + 1.0, -kZipf);
      cumulated_.push_back(sum);
    }
    next_key_ = kSharedKeys + kRollOutKeys;
    for (std::uint32_t host = 0; host < options.hosts; ++host) {
      projects_.emplace_back(1);
      pace_.push_back(std::gamma_distribution<double>(4, 0.25)(engine_));  // cv 0.5
    }
  }

  Fleet make() {
    Fleet fleet;
    fleet.options = options_;
    const std::uint32_t days = fleet.days();
    fleet.active.resize(std::size_t{options_.hosts} * days);
    for (std::uint32_t day = 0; day < days; ++day) {
      for (std::uint32_t host = 0; host < options_.hosts; ++host) {
        if (uniform(engine_) >= kActive) continue;
        fleet.active[std::size_t{host} * days + day] = 1;
        work(host, day, fleet.uses);
      }
    }
    std::ranges::sort(fleet.uses, {},
                      [](const FleetUse& use) { return std::tuple(use.host, use.day, use.key); });
    fleet.keys = next_key_;
    return fleet;
  }

 private:
  std::uint32_t shared_key() {
    const double at = uniform(engine_) * cumulated_.back();
    return static_cast<std::uint32_t>(std::ranges::lower_bound(cumulated_, at) -
                                      cumulated_.begin());
  }

  void work(std::uint32_t host, std::uint32_t day, std::vector<FleetUse>& out) {
    if (options_.regime == Regime::kProject && uniform(engine_) < kNewProject)
      projects_[host] = Project(projects_[host].number() + 1);
    const bool rolled_out = options_.regime == Regime::kShift && day >= options_.baseline_days;
    const auto draws =
        1 + std::poisson_distribution<std::uint32_t>(options_.uses_per_day * pace_[host])(engine_);
    std::map<std::uint32_t, FleetUse> today;
    for (std::uint32_t i = 0; i < draws; ++i) {
      std::uint32_t key = 0, project = 0;
      if (rolled_out && uniform(engine_) < kRollOutPart) {
        key = kSharedKeys + static_cast<std::uint32_t>(uniform(engine_) * kRollOutKeys);
      } else if (uniform(engine_) < kSharedPart) {
        key = shared_key();
      } else {
        key = projects_[host].draw(engine_, next_key_);
        project = projects_[host].number();
      }
      std::uint32_t events = 1;
      if (options_.regime != Regime::kIid)
        events += std::geometric_distribution<std::uint32_t>(1 / kRepeats)(engine_);
      FleetUse& use = today.try_emplace(key, FleetUse{host, day, key, 0, project}).first->second;
      use.events += events;
    }
    for (const auto& [key, use] : today) out.push_back(use);
  }

  FleetOptions options_;
  Engine engine_;
  std::vector<double> cumulated_, pace_;
  std::vector<Project> projects_;
  std::uint32_t next_key_ = 0;
};

// The call that stands for a thing: commands, hosts and tools for what the fleet shares, files for
// what is a project's own.
void write_call(json::Writer& writer, const FleetUse& use, const std::string& home) {
  const std::string project = home + "/projects/p" + std::to_string(std::max(1U, use.project));
  writer.member("cwd", project);
  const std::string key = std::to_string(use.key);
  if (use.project != 0) {
    const bool edit = use.key % 3 == 0;
    writer.member("tool", edit ? "Edit" : "Read");
    writer.key("input").begin_object();
    writer.member("file_path",
                  project + "/src/part" + std::to_string(use.key % 7) + "/file" + key + ".go");
    if (edit) writer.member("old_string", "a").member("new_string", "b");
    writer.end_object();
  } else if (use.key % 10 == 9) {
    writer.member("tool", "WebFetch");
    writer.key("input").begin_object();
    writer.member("url", "https://docs" + key + ".example.com/").member("prompt", "summary");
    writer.end_object();
  } else {
    writer.member("tool", "Bash");
    writer.key("input").begin_object().member("command", "tool" + key + " run").end_object();
  }
}

}  // namespace

std::string_view name(Regime regime) {
  switch (regime) {
    case Regime::kIid:
      return "iid";
    case Regime::kBurst:
      return "burst";
    case Regime::kProject:
      return "project";
    case Regime::kShift:
      break;
  }
  return "shift";
}

Fleet make_fleet(const FleetOptions& options) { return Maker(options).make(); }

void write_fleet(const Fleet& fleet, std::string_view host_prefix,
                 const std::function<void(const std::string& line)>& emit) {
  struct Line {
    WallTime time;
    std::string text;
  };
  std::vector<Line> lines;
  const WallTime monday = *parse_time("2026-03-02T09:00:00Z");
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> made;
  for (const FleetUse& use : fleet.uses) {
    const std::string host = std::string(host_prefix) + std::to_string(use.host);
    const std::string home = "/home/dev" + std::to_string(use.host);
    const std::uint32_t calendar_day = use.day / 5 * 7 + use.day % 5;
    for (std::uint32_t i = 0; i < use.events; ++i) {
      const std::uint32_t nth = made[{use.host, use.day}]++;
      const WallTime time = monday + std::chrono::hours(24 * calendar_day) +
                            std::chrono::seconds(7 * nth) + std::chrono::milliseconds(use.host);
      std::string text;
      json::Writer writer(text);
      writer.begin_object().member("ts", format_time(time));
      writer.member("session",
                    host + "-" + std::to_string(use.day) + "-" + std::to_string(nth / 60));
      writer.member("host", host).member("agent", "claude_code");
      write_call(writer, use, home);
      writer.end_object();
      lines.push_back({time, std::move(text)});
    }
  }
  std::ranges::stable_sort(lines, {}, &Line::time);
  for (const Line& line : lines) emit(line.text);
}

}  // namespace lilith::test
