#pragma once
// A fixture with a broker for all tests of a program that do not kill it: one takes seconds to
// start.

#include "tests/kafka/broker.hpp"
#include "tests/shipper/certificates.hpp"

#include <gtest/gtest.h>

namespace lilith::test {

// Beside what the fixture Base has. Its tests are skipped where no broker can be had.
template <class Base>
class WithBroker : public Base {
 protected:
  static void SetUpTestSuite() {
    if (!Broker::missing().empty()) return;
    home_ = new TempDir;
    make_certificates(home_->path());
    broker_ = new Broker(home_->path());
    broker_->start();
  }
  static void TearDownTestSuite() {
    delete broker_;
    delete home_;
  }
  void SetUp() override {
    if (!Broker::missing().empty()) GTEST_SKIP() << "no Kafka broker here: " << Broker::missing();
    ASSERT_NE(broker_, nullptr);
  }

  static inline TempDir* home_ = nullptr;
  static inline Broker* broker_ = nullptr;
};

}  // namespace lilith::test
