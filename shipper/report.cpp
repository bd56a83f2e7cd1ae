#include "shipper/report.hpp"

#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

namespace lilith::shipper {
namespace {

using Counter = std::uint64_t SinkReport::*;

struct Metric {
  std::string_view name, help;
  Counter value;
};
constexpr std::array<Metric, 7> kCounters{{
    {"delivered_events", "Events acknowledged by the receiver.", &SinkReport::delivered_events},
    {"delivered_bytes", "Bytes of these events in the sink's form.", &SinkReport::delivered_bytes},
    {"retried_events", "Events given to the sink again after an error.",
     &SinkReport::retried_events},
    {"withheld_events", "Events kept from the sink by its settings.", &SinkReport::withheld_events},
    {"dead_letters", "Lines set aside since they can never be delivered.",
     &SinkReport::dead_letters},
    {"errors", "Deliveries and reads that failed.", &SinkReport::errors},
    {"gaps", "Places where the log lacked lines.", &SinkReport::gaps},
}};
constexpr std::array<SinkState, 3> kStates{SinkState::kDelivering, SinkState::kRetrying,
                                           SinkState::kFailed};

// Prometheus, "Exposition formats": backslash, double quote and line feed are escaped in a label.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += fmt::format("# HELP lilith_ship_{0} {1}\n# TYPE lilith_ship_{0} {2}\n", name, help, type);
}

void each_source(std::string& out, const ShipReport& report, std::string_view name,
                 std::string_view help,
                 const std::function<std::optional<double>(const Lag&)>& value) {
  head(out, name, "gauge", help);
  for (const SinkReport& sink : report.sinks) {
    for (const SourceReport& source : sink.sources) {
      if (const auto number = source.lag.known ? value(source.lag) : std::nullopt)
        out += fmt::format("lilith_ship_{}{{sink=\"{}\",source=\"{}\"}} {}\n", name,
                           label(sink.sink), label(source.source), *number);
    }
  }
}

std::uint64_t number(json::View object, std::string_view key) {
  const auto found = object.find(key);
  const auto value = found ? found->integer() : std::nullopt;
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

void lag_members(json::Writer& writer, const Lag& lag) {
  if (!lag.known) return;
  writer.member("lag_bytes", lag.bytes);
  if (lag.events) writer.member("lag_events", *lag.events);
  writer.member("lag_s", static_cast<std::int64_t>(std::llround(lag.seconds)));
}

Lag read_lag(json::View object) {
  Lag lag;
  lag.known = object.find("lag_bytes").has_value();
  lag.bytes = number(object, "lag_bytes");
  if (object.find("lag_events")) lag.events = number(object, "lag_events");
  lag.seconds = static_cast<double>(number(object, "lag_s"));
  return lag;
}

SinkReport read_sink(json::View one) {
  SinkReport sink;
  sink.sink = one.text("sink");
  for (const SinkState state : kStates) {
    if (one.text("state") == name(state)) sink.state = state;
  }
  sink.error = one.text("error");
  for (const Metric& metric : kCounters) sink.*metric.value = number(one, metric.name);
  sink.lag = read_lag(one);
  if (const auto sources = one.find("sources")) {
    sources->each_element([&](json::View from) {
      SourceReport source;
      source.source = from.text("source");
      source.position.seq = number(from, "seq");
      source.lag = read_lag(from);
      sink.sources.push_back(std::move(source));
      return true;
    });
  }
  return sink;
}

void write_confinement(json::Writer& writer, const ConfinementState& state) {
  writer.key("confined").begin_object().member("wanted", state.wanted);
  for (const auto& [what, holds] : confined_things(state)) writer.member(what, holds);
  if (!state.problem.empty()) writer.member("problem", state.problem);
  writer.end_object();
}

ConfinementState read_confinement(json::View object) {
  const auto is = [&](std::string_view key) {
    const auto found = object.find(key);
    return found && found->boolean().value_or(false);
  };
  ConfinementState out{is("wanted"), is("capabilities"), is("writes"), is("syscalls"), {}};
  out.problem = object.text("problem");
  return out;
}

std::string confined(const ConfinementState& state) {
  if (!state.wanted) return "none (confine: off)";
  return confined_words(state) + (state.problem.empty() ? "" : "; " + printable(state.problem));
}

std::string behind(const Lag& lag) {
  if (!lag.known) return "lag unknown";
  const std::string events = lag.events ? std::to_string(*lag.events) : "?";
  return fmt::format("{} events, {} bytes, {:.0f} s behind", events, lag.bytes, lag.seconds);
}

}  // namespace

std::string metrics_text(const ShipReport& report) {
  std::string out;
  for (const Metric& metric : kCounters) {
    head(out, std::string(metric.name) + "_total", "counter", metric.help);
    for (const SinkReport& sink : report.sinks)
      out += fmt::format("lilith_ship_{}_total{{sink=\"{}\"}} {}\n", metric.name, label(sink.sink),
                         sink.*metric.value);
  }
  head(out, "sink_up", "gauge", "1 while the last try to deliver was good, 0 otherwise.");
  for (const SinkReport& sink : report.sinks)
    out += fmt::format("lilith_ship_sink_up{{sink=\"{}\"}} {}\n", label(sink.sink),
                       sink.state == SinkState::kDelivering ? 1 : 0);
  each_source(out, report, "lag_events", "Events that are not delivered yet.",
              [](const Lag& lag) -> std::optional<double> {
                if (!lag.events) return std::nullopt;
                return static_cast<double>(*lag.events);
              });
  each_source(out, report, "lag_bytes", "Bytes of the log that are not delivered yet.",
              [](const Lag& lag) { return static_cast<double>(lag.bytes); });
  each_source(out, report, "lag_seconds", "Age of the oldest event that is not delivered yet.",
              [](const Lag& lag) { return lag.seconds; });
  head(out, "reloads_total", "counter", "New configurations taken up or refused.");
  out += fmt::format("lilith_ship_reloads_total{{result=\"applied\"}} {}\n", report.reloads);
  out +=
      fmt::format("lilith_ship_reloads_total{{result=\"refused\"}} {}\n", report.reloads_refused);
  head(out, "confined", "gauge", "1 for what the shipper has given up, 0 for what it has not.");
  for (const auto& [what, holds] : confined_things(report.confinement))
    out += fmt::format("lilith_ship_confined{{what=\"{}\"}} {}\n", what, holds ? 1 : 0);
  head(out, "start_time_seconds", "gauge", "When the shipper started, in seconds since 1970.");
  out += fmt::format(
      "lilith_ship_start_time_seconds {}\n",
      std::chrono::duration_cast<std::chrono::seconds>(report.started.time_since_epoch()).count());
  return out;
}

std::string report_json(const ShipReport& report) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("running", report.running);
  if (report.running) {
    writer.member("started", format_time(report.started));
    writer.member("reloads", report.reloads).member("reloads_refused", report.reloads_refused);
    write_confinement(writer, report.confinement);
  }
  writer.key("sinks").begin_array();
  for (const SinkReport& sink : report.sinks) {
    writer.begin_object().member("sink", sink.sink);
    if (report.running) {
      writer.member("state", name(sink.state));
      if (!sink.error.empty()) writer.member("error", sink.error);
      for (const Metric& metric : kCounters) writer.member(metric.name, sink.*metric.value);
    }
    lag_members(writer, sink.lag);
    writer.key("sources").begin_array();
    for (const SourceReport& source : sink.sources) {
      writer.begin_object().member("source", source.source);
      writer.member("seq", source.position.seq);
      lag_members(writer, source.lag);
      writer.end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

Result<ShipReport> read_report(std::string_view text) {
  json::Document document;
  auto root = document.parse(text);
  if (!root) return pass_error(root);
  ShipReport report;
  report.running = true;
  if (auto started = parse_time(root->text("started")); started) report.started = *started;
  report.reloads = number(*root, "reloads");
  report.reloads_refused = number(*root, "reloads_refused");
  if (const auto confined = root->find("confined"))
    report.confinement = read_confinement(*confined);
  const auto sinks = root->find("sinks");
  if (!sinks) return fail(ErrorCode::kInvalidInput, "the answer names no sinks");
  sinks->each_element([&](json::View one) {
    report.sinks.push_back(read_sink(one));
    return true;
  });
  return report;
}

std::string not_ready(const ShipReport& report) {
  std::string out = report.stopping ? "stopping\n" : "";
  for (const SinkReport& sink : report.sinks) {
    if (sink.state != SinkState::kDelivering)
      out += sink.sink + " is " + std::string(name(sink.state)) + ": " + sink.error + "\n";
  }
  return out;
}

std::string not_healthy(const ShipReport& report) {
  std::string out;
  for (const SinkReport& sink : report.sinks) {
    if (sink.stuck) out += sink.sink + " hangs\n";
    if (sink.needs_restart) out += sink.sink + " needs a restart: " + sink.error + "\n";
  }
  return out;
}

std::string report_text(const ShipReport& report) {
  std::string out = report.running ? "running since " + format_time(report.started) + "\n"
                                   : "not running; from the checkpoints:\n";
  if (report.running) out += "confined: " + confined(report.confinement) + "\n";
  for (const SinkReport& sink : report.sinks) {
    out += "sink " + sink.sink + ": ";
    if (report.running) out += std::string(name(sink.state)) + ", ";
    out += behind(sink.lag) + "\n";
    if (!sink.error.empty()) out += "  " + printable(sink.error) + "\n";
    if (report.running) {
      out += fmt::format("  {} delivered, {} withheld, {} given again, {} set aside, {} errors\n",
                         sink.delivered_events, sink.withheld_events, sink.retried_events,
                         sink.dead_letters, sink.errors);
    }
    for (const SourceReport& source : sink.sources)
      out += fmt::format("  {}: delivered up to seq {}, {}\n", printable(source.source),
                         source.position.seq, behind(source.lag));
  }
  return out;
}

std::string report_screen(const ShipReport& report, const ShipReport& before, double seconds,
                          std::size_t rows, std::size_t columns) {
  std::vector<std::string> lines;
  lines.push_back(report.running ? "lilith ship, running since " + format_time(report.started)
                                 : "lilith ship, not running");
  lines.push_back(fmt::format("{:<16} {:<10} {:>10} {:>10} {:>12} {:>8} {:>8} {:>8}", "SINK",
                              "STATE", "EVENTS/s", "LAG", "LAG BYTES", "LAG s", "ERRORS", "ASIDE"));
  for (const SinkReport& sink : report.sinks) {
    std::string rate = "-";
    for (const SinkReport& earlier : before.sinks) {
      if (earlier.sink == sink.sink && seconds > 0 &&
          sink.delivered_events >= earlier.delivered_events)
        rate = fmt::format(
            "{:.0f}",
            static_cast<double>(sink.delivered_events - earlier.delivered_events) / seconds);
    }
    lines.push_back(
        fmt::format("{:<16} {:<10} {:>10} {:>10} {:>12} {:>8.0f} {:>8} {:>8}", sink.sink,
                    report.running ? name(sink.state) : "-", rate,
                    sink.lag.known && sink.lag.events ? std::to_string(*sink.lag.events) : "?",
                    sink.lag.bytes, sink.lag.seconds, sink.errors, sink.dead_letters));
    if (!sink.error.empty()) lines.push_back("  " + printable(sink.error));
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(lines.size(), rows); ++i)
    out.append(utf8_prefix(lines[i], columns)).push_back('\n');
  return out;
}

}  // namespace lilith::shipper
