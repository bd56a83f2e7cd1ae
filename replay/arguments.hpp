#pragma once
// The command line of one command of lilith-replay: CLI11 behind a wall, since each file that
// includes it takes twenty seconds to compile, and what the commands share of it stands once.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lilith::replay {

class Arguments {
 public:
  // Where a value goes. It keeps what it holds when the command line does not name it.
  using Target =
      std::variant<std::string*, std::vector<std::string>*, std::size_t*, std::int32_t*, double*>;

  // The rules for one option; each returns the option again.
  class Option {
   public:
    Option& required();
    Option& between(std::int64_t low, std::int64_t high);
    Option& between(double low, double high);
    Option& not_negative();
    Option& positive();
    Option& one_of(const std::vector<std::string>& words);
    Option& at_most(int values);
    // A value for each time the option is named, so that words behind it are not taken for more.
    Option& one_value_each();

   private:
    friend class Arguments;
    explicit Option(void* option) : option_(option) {}
    void* option_;  // CLI::Option, owned by the parser
  };

  Arguments(const std::string& about, const std::string& name);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // `name` without dashes is a positional.
  Option option(const std::string& name, Target target, const std::string& help);
  void flag(const std::string& name, bool& target, const std::string& help);
  void footer(const std::string& text);

  // What several commands have.
  void logs(std::vector<std::string>& logs);
  void threads(std::size_t& threads);
  void utc_offset(std::int32_t& minutes);
  void taught_by(std::vector<std::string>& globs);
  void seed(std::uint64_t& seed);
  // What `suggest` and `review` ask of a suggestion.
  void support(std::size_t& min_hosts, std::size_t& min_days,
               std::vector<std::string>& accepted_risks);

  // Nothing when the command is to run, else the exit code: help or an error was printed.
  [[nodiscard]] std::optional<int> parse(int argc, char** argv);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace lilith::replay
