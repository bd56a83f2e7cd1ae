#pragma once
// Small text helpers that the standard library lacks.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith {

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_valid_utf8(std::string_view text);
// The longest prefix of at most `bytes_max` bytes that does not cut a UTF-8 sequence.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);
// Invalid UTF-8 becomes U+FFFD; valid text is returned as it is.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);
// For messages: control bytes, DEL, bidi controls and invalid UTF-8 as \xNN, so that outside text
// can't drive a terminal.
[[nodiscard]] std::string printable(std::string_view text);
// 'TEXT', printable: a name in a message.
[[nodiscard]] std::string quote(std::string_view text);
[[nodiscard]] std::string to_hex(const unsigned char* bytes, std::size_t size);
[[nodiscard]] std::string ascii_lower(std::string_view text);
// Without the bytes of `blanks` at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text, std::string_view blanks);
// The candidate nearest to `word` by edit distance, or empty when none is near enough to be a
// typing error.
[[nodiscard]] std::string_view did_you_mean(std::string_view word,
                                            const std::vector<std::string_view>& candidates);

}  // namespace lilith
