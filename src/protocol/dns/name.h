#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::dns {

/// A domain name in the form of the wire, uncompressed: each label after its length, a zero at the
/// end. Its bytes are kept as they came; comparisons mind no case of ASCII letters, as the DNS
/// does. [RFC 1035 3.1, RFC 4343]
class Name {
 public:
  static constexpr std::size_t kBytesMax = 255;  // with the zero [RFC 1035 2.3.4]
  static constexpr std::size_t kLabelBytesMax = 63;

  Name() : wire_(1, '\0') {}  // the root

  /// Of "alice.trellis.internal", with or without a dot at the end; "." is the root. Nothing if a
  /// label is empty or too long, or the whole is. There are no escapes: a label has no dot.
  static std::optional<Name> parse(std::string_view text);
  /// Takes a name from the front. Nothing if it is cut short, longer than 255 bytes, or compressed:
  /// in front of a question there is nothing that a pointer could lead to.
  static std::optional<Name> read(Reader& reader);

  ByteView wire() const { return as_bytes(std::string_view(wire_)); }
  /// "alice.trellis.internal."; dots inside of labels and bytes that do not print as "\\DDD".
  std::string to_string() const;

  /// From the left; they live as long as the name.
  std::vector<std::string_view> labels() const;
  /// True for the zone's own name and for all names below it.
  bool is_within(const Name& zone) const;
  /// The last `count` labels of the name; the name itself if it has no more.
  Name suffix(std::size_t count) const;

  friend bool operator==(const Name& a, const Name& b);

 private:
  std::string wire_;
};

}  // namespace trellis::dns
