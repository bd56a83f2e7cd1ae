// Who must have written a compiled policy before a hook believes it.

#include "enforcer/compiled_store.hpp"

#include "audit/base/sha256.hpp"
#include "enforcer/gate.hpp"
#include "enforcer/policy_place.hpp"
#include "rules/path.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

using test::TempDir;
using testing::HasSubstr;

constexpr uid_t kOther = 65534, kThird = 65533;
constexpr char kYaml[] = R"(version: "1"
egress:
  default_action: deny
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: run_command
      command_allowlist: [git]
)";

class CompiledStore : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root can make files of root and of others";
    test::write_text(folder_.file("policy.yaml"), yaml_);
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    places_.system_policy = folder_.file("none");
    places_.compiled_policies = directory();
    const auto written = write_compiled(directory(), yaml_, "9.9");
    ASSERT_TRUE(written) << written.error().message;
    file_ = *written;
  }
  [[nodiscard]] std::string directory() const { return folder_.file("state/compiled"); }
  [[nodiscard]] Result<std::string> read() const {
    return read_compiled(directory(), sha256_hex(yaml_));
  }
  [[nodiscard]] FoundPolicy find(std::string_view engine = "9.9") const {
    return find_policy(places_, folder_.file("policy.yaml"), rules::real_file_system(), engine);
  }

  TempDir folder_;
  // Its log is not that of the machine.
  const std::string yaml_ =
      std::string(kYaml) + "audit:\n  log_path: \"" + folder_.file("audit.log") + "\"\n";
  Places places_;
  std::string file_;
};

TEST_F(CompiledStore, OfRootIsBelieved) {
  const auto bytes = read();
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_FALSE(bytes->empty());
  const FoundPolicy found = find();
  ASSERT_TRUE(found.load.policy);
  EXPECT_EQ(found.compiled_ignored, "");
  EXPECT_EQ(found.load.policy->sha256(), sha256_hex(yaml_));
}

TEST_F(CompiledStore, IsNamedByThePolicysBytes) {
  EXPECT_EQ(*read_compiled(directory(), sha256_hex("other")), "");
  EXPECT_EQ(file_, directory() + "/" + sha256_hex(yaml_) + ".policy");
}

TEST_F(CompiledStore, OfTheUserToWhomRootGaveTheDirectoryIsBelieved) {
  for (const std::string& path : {directory(), file_}) {
    ASSERT_EQ(::chown(path.c_str(), kOther, kOther), 0);
  }
  EXPECT_TRUE(read());
}

struct Damage {
  const char* name;
  std::function<void(const std::string& directory, const std::string& file)> apply;
};
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }
class CompiledStoreDamage : public CompiledStore, public testing::WithParamInterface<Damage> {};

TEST_P(CompiledStoreDamage, MakesHooksReadTheYamlAndSayWhy) {
  GetParam().apply(directory(), file_);
  const FoundPolicy found = find();
  ASSERT_TRUE(found.load.policy) << "the policy itself is good";
  EXPECT_NE(found.compiled_ignored, "");
}
void own(const std::string& path, uid_t uid) { EXPECT_EQ(::chown(path.c_str(), uid, uid), 0); }
void mode(const std::string& path, mode_t bits) { EXPECT_EQ(::chmod(path.c_str(), bits), 0); }
INSTANTIATE_TEST_SUITE_P(
    All, CompiledStoreDamage,
    testing::Values(
        Damage{"file_of_another", [](auto&, auto& file) { own(file, kOther); }},
        Damage{"file_writable_by_group", [](auto&, auto& file) { mode(file, 0664); }},
        Damage{"file_writable_by_all", [](auto&, auto& file) { mode(file, 0646); }},
        Damage{"directory_writable_by_group", [](auto& folder, auto&) { mode(folder, 0775); }},
        Damage{"directory_sticky", [](auto& folder, auto&) { mode(folder, 01777); }},
        Damage{"owner_changes_twice",
               [](auto& folder, auto& file) {
                 own(std::filesystem::path(folder).parent_path(), kOther);
                 own(folder, kThird);
                 own(file, kThird);
               }},
        Damage{
            "root_below_another",
            [](auto& folder, auto&) { own(std::filesystem::path(folder).parent_path(), kOther); }},
        Damage{"directory_is_a_link",
               [](auto& folder, auto&) {
                 std::filesystem::rename(folder, folder + ".real");
                 EXPECT_EQ(::symlink((folder + ".real").c_str(), folder.c_str()), 0);
               }},
        Damage{"file_is_a_link",
               [](auto&, auto& file) {
                 std::filesystem::rename(file, file + ".real");
                 EXPECT_EQ(::symlink((file + ".real").c_str(), file.c_str()), 0);
               }},
        Damage{"file_is_a_fifo",
               [](auto&, auto& file) {
                 std::filesystem::remove(file);
                 EXPECT_EQ(::mkfifo(file.c_str(), 0644), 0);
               }},
        Damage{"file_cut_short",
               [](auto&, auto& file) {
                 std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
               }},
        Damage{"file_of_zeros",
               [](auto&, auto& file) { test::write_text(file, std::string(500, '\0')); }}),
    [](const testing::TestParamInfo<Damage>& one) { return std::string(one.param.name); });

TEST_F(CompiledStore, OfAnotherVersionIsIgnored) {
  const FoundPolicy found = find("9.8");
  ASSERT_TRUE(found.load.policy);
  EXPECT_THAT(found.compiled_ignored, HasSubstr("another version"));
}

// Proxies load a policy as the hook does.
TEST_F(CompiledStore, IsWhatAGateLoadsToo) {
  const auto ignored = [this](const char* engine) {
    GateOptions options;
    options.policy = folder_.file("policy.yaml");
    options.engine = engine;
    const Gate gate(options, system_clock(), rules::real_file_system(), {}, places_, {}, "/");
    EXPECT_NE(gate.policy(), nullptr);
    const auto detail = gate.blank_event(audit::EventType::kDecision).detail;
    return detail.empty() ? std::string() : detail.front().first + ": " + detail.front().second;
  };
  EXPECT_EQ(ignored("9.9"), "");
  EXPECT_THAT(ignored("9.8"), HasSubstr("compiled_policy_ignored: "));
}

TEST_F(CompiledStore, TakesNoPolicyWithErrors) {
  const auto written = write_compiled(directory(), "version: \"1\"\nnonsense: 1\n", "9.9");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kInvalidInput);
}

TEST_F(CompiledStore, ThatRootMakesInTheRecordersDirectoryIsTheRecorders) {
  const std::string state = folder_.file("recorder");
  std::filesystem::create_directories(state);
  ASSERT_EQ(::chown(state.c_str(), kOther, kOther), 0);
  const auto written = write_compiled(state + "/compiled", yaml_, "9.9");
  ASSERT_TRUE(written) << written.error().message;
  struct stat info{};
  ASSERT_EQ(::stat(written->c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kOther);
  EXPECT_EQ(::geteuid(), 0U);
  const auto believed = read_compiled(state + "/compiled", sha256_hex(yaml_));
  ASSERT_TRUE(believed) << believed.error().message;
  EXPECT_FALSE(believed->empty());
}

TEST_F(CompiledStore, IsNotWrittenWhereHooksWouldNotBelieveIt) {
  const std::string open = folder_.file("open");
  std::filesystem::create_directories(open);
  mode(open, 0777);
  const auto written = write_compiled(open, yaml_, "9.9");
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("can be written by others"));
}

}  // namespace
}  // namespace lilith::enforcer
