#pragma once

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "protocol/rosenpass/key.h"
#include "system/mapped_file.h"

#include <string>
#include <vector>

namespace trellis::rosenpass_program {

/// The form of a secret key's file: Rust rosenpass 0.2 reads only its own, go-rosenpass only the
/// other. We read both.
enum class SecretForm { Rust, Go };  // 13568, 13608 bytes

struct KeyPaths {
  std::string public_key;
  std::string secret_key;
};

enum class Existing { Refuse, Overwrite };

/// Both files or none; the secret one 0600, the public one 0644.
Result<> generate_key_files(const KeyPaths& paths, SecretForm form, Existing existing,
                            Random& random);

struct OwnKeyFiles {
  system::MappedFile public_key;
  SecretBuffer secret_key;
  std::vector<std::string> warnings;  // others may read the secret, say
};
/// Checks that the two belong together.
Result<OwnKeyFiles> load_own_keys(const KeyPaths& paths, Random& random);

Result<system::MappedFile> load_public_key(const std::string& path);

/// A file of base64, a line feed at its end or not.
Result<rosenpass::ExchangePsk> load_psk(const std::string& path);

}  // namespace trellis::rosenpass_program
