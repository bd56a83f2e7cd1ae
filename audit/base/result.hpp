#pragma once
// Result<T>: the return type of everything that can fail on input or I/O. No exception crosses a
// module's interface.

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace lilith {

// Small and closed: a caller decides by the code, a person reads the message.
enum class ErrorCode {
  kInvalidInput,   // the bytes, the file or the option given is wrong; trying again won't help
  kNotFound,       // the named thing does not exist
  kIo,             // the operating system refused; os_errno says why
  kUnavailable,    // a peer, a lock or a socket is not there now; trying again may help
  kLimitExceeded,  // one of limits.hpp's bounds
};

struct Error {
  ErrorCode code = ErrorCode::kInvalidInput;
  std::string message;  // what failed, where (file, line), and the remedy where there is one
  int os_errno = 0;     // errno of the failed call, 0 when none was involved
};

// Derived and not an alias: neither GCC 12 nor clang 19 warns about a dropped plain std::expected.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message,
                                                 int os_errno = 0) {
  return std::unexpected(Error{code, std::move(message), os_errno});
}

// "cannot open /x: Permission denied", from the errno of the call that just failed.
[[nodiscard]] inline std::unexpected<Error> fail_errno(std::string what, int os_errno = errno) {
  return std::unexpected(
      Error{ErrorCode::kIo, std::move(what) + ": " + std::strerror(os_errno), os_errno});
}

// Hands an error of one Result on as that of another.
template <class T>
[[nodiscard]] std::unexpected<Error> pass_error(Result<T>& result) {
  return std::unexpected(std::move(result.error()));
}

}  // namespace lilith
