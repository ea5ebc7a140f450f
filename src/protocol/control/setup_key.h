#pragma once

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

#include <string>
#include <string_view>

namespace trellis::control {

/// The password by which a machine joins a network: a UUID, as stock clients want it.
///
///   A2C8E62B-38F5-4553-B31E-DD66C696CEBB
class SetupKey {
 public:
  static constexpr std::size_t kTextBytes = 36;

  /// A random one, 122 bits. [RFC 9562 5.4]
  static SetupKey generate(Random& random);
  /// Either case, white space around it (a file ends in a line feed); nothing else. The error never
  /// quotes the text.
  static Result<SetupKey> parse(std::string_view text);

  /// Upper case: as it is shown, once. `text()` points into this object.
  std::string_view text() const;
  /// What a server keeps: base64 of the SHA-256 of the text. [netbird-wire 2.15]
  std::string hash() const;
  /// 00000000-0000-0000-0000-000000000000: stock clients send it with a JWT, and mean none.
  bool is_nil() const;

 private:
  using Text = SecretBytes<struct SetupKeyTag, kTextBytes>;
  explicit SetupKey(Text text) : text_(std::move(text)) {}

  Text text_;
};

}  // namespace trellis::control
