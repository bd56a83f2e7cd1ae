#include "tests/shipper/certificates.hpp"

#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::test {

void make_certificates(const std::string& directory) {
  write_text(directory + "/make.sh", "set -e\ncd '" + directory + "'\n" + R"(
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
new() { openssl req $key -keyout $1.key -out $1.csr -subj "/CN=$2"; }
authority() { openssl req -x509 $key -keyout $1.key -out $1.pem -days 2 -subj "/CN=$1"; }
sign() {
  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days 2 \
    -extfile names
}
echo "subjectAltName=DNS:localhost,IP:127.0.0.1" > names
authority ca; authority other
new server localhost; sign server ca
new client ws-42; sign client ca
new stranger ws-42; sign stranger other
)");
  const auto made = run({"/bin/bash", directory + "/make.sh"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
}

}  // namespace lilith::test
