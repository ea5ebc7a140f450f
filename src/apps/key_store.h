#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "node/pair/key_name.h"
#include "system/mapped_file.h"
#include "system/state_folder.h"

#include <string>

namespace trellis::apps {

// The keys of this host, files of its state folder:
//
//   rosenpass.pub   0644  Rosenpass public key, 524,160 bytes as they are; for everybody
//   rosenpass.key   0600  Rosenpass secret key, 13,608 bytes (stock Rosenpass' 13,568 are taken
//   too) wireguard.key   0600  WireGuard private key, base64 and a line feed
//
// They are made in this order, so a folder with a wireguard.key has all of them, whenever the power
// failed. None is ever replaced.
constexpr const char* kWireGuardKeyFile = "wireguard.key";
constexpr const char* kRosenpassKeyFile = "rosenpass.key";
constexpr const char* kRosenpassPublicFile = "rosenpass.pub";

struct OwnKeys {
  crypto::PrivateKey wireguard;
  SecretBuffer rosenpass_secret;  // in the form of the suite's KEM; its pages are locked
  system::MappedFile rosenpass_public;

  crypto::PublicKey wireguard_public() const;
  pair::KeyName rosenpass_name() const;
};

/// Reads the keys in `folder` and makes sure that the two Rosenpass keys belong together. Errors
/// name the file and say what to do.
Result<OwnKeys> load_keys(const std::string& folder, Random& random);

/// Fails if `folder` has keys already, whole or in part.
Result<> check_no_keys(const system::StateFolder& folder);

/// Makes the keys that `folder` lacks; takes up to a few seconds. On failure the folder has no more
/// files than before.
Result<> create_keys(const system::StateFolder& folder, Random& random);

}  // namespace trellis::apps
