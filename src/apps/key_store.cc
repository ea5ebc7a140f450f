#include "apps/key_store.h"

#include "base/hex.h"
#include "base/log.h"
#include "crypto/kem.h"
#include "crypto/x25519.h"
#include "protocol/rosenpass/key.h"
#include "system/locked_memory.h"
#include "system/secure_file.h"

#include <fmt/format.h>

namespace trellis::apps {
namespace {

constexpr std::size_t kWireGuardKeyFileBytesMax = 64;
constexpr std::size_t kRosenpassKeyFileBytesMax = 64 << 10;

std::string in(const std::string& folder, const char* file) { return folder + "/" + file; }

Result<crypto::PrivateKey> load_wireguard_key(const std::string& path) {
  const SecretBuffer text = TRY(system::read_secret_file(path, kWireGuardKeyFileBytesMax));
  std::string_view base64(reinterpret_cast<const char*>(text.expose().data()), text.size());
  if (base64.ends_with('\n')) base64.remove_suffix(1);
  auto bytes = array_from_base64<32>(base64);
  if (!bytes) {
    return fail_with(
        fmt::format("{} holds no WireGuard private key (44 characters of base64): put it back from "
                    "a backup",
                    path));
  }
  crypto::PrivateKey key(*bytes);
  zeroise(*bytes);
  return key;
}

/// Two files may each be sound and still not belong together.
Result<> check_rosenpass_pair(const std::string& folder, ByteView public_key, ByteView secret_key,
                              Random& random) {
  const crypto::Kem& kem = *crypto::suite_rosenpass().static_kem;
  const auto sent = kem.encapsulate(public_key, random);
  if (sent) {
    const auto received = kem.decapsulate(secret_key, sent->ciphertext);
    if (received && crypto::equal(received->expose(), sent->secret.expose())) return {};
  }
  return fail_with(
      fmt::format("{} and {} do not belong together, or one of them is damaged: put both back from "
                  "a backup",
                  in(folder, kRosenpassKeyFile), kRosenpassPublicFile));
}

Result<> create_rosenpass_pair(const system::StateFolder& folder, Random& random) {
  const crypto::Suite& suite = crypto::suite_rosenpass();
  const crypto::KemKeyPair keys = suite.static_kem->generate(random);
  const std::string public_path = folder.file(kRosenpassPublicFile);
  // A public key without its secret is what an interrupted run left: of no use to anybody.
  TRY(system::write_file_atomically(public_path, keys.public_key, 0644));
  auto made = system::create_file(folder.file(kRosenpassKeyFile), keys.secret_key.expose(), 0600);
  if (!made) static_cast<void>(system::remove_file(public_path));
  return made;
}

Result<> create_wireguard_key(const system::StateFolder& folder, Random& random) {
  const crypto::PrivateKey key = crypto::generate_private_key(random);
  std::string text = to_base64(key.expose());
  text += '\n';
  auto made = system::create_file(folder.file(kWireGuardKeyFile), as_bytes(text), 0600);
  zeroise(std::as_writable_bytes(std::span(text)));
  return made;
}

}  // namespace

crypto::PublicKey OwnKeys::wireguard_public() const { return crypto::public_key(wireguard); }

pair::KeyName OwnKeys::rosenpass_name() const {
  return {crypto::suite_rosenpass().number, rosenpass::peer_hash(rosenpass_public.bytes())};
}

Result<OwnKeys> load_keys(const std::string& folder, Random& random) {
  const crypto::Suite& suite = crypto::suite_rosenpass();
  const std::string wireguard_path = in(folder, kWireGuardKeyFile);
  if (!system::file_exists(wireguard_path)) {
    return fail_with(fmt::format(
        "there are no keys in {}: make them by `trellis keys new --state {}`", folder, folder));
  }
  crypto::PrivateKey wireguard = TRY(load_wireguard_key(wireguard_path));
  const std::string secret_path = in(folder, kRosenpassKeyFile);
  const SecretBuffer raw = TRY(system::read_secret_file(secret_path, kRosenpassKeyFileBytesMax));
  auto secret = rosenpass::normalise_secret_key(suite, raw.expose());
  if (!secret) return fail(std::move(secret).error().within(secret_path));
  system::MappedFile public_key = TRY(system::MappedFile::open(
      in(folder, kRosenpassPublicFile), suite.static_kem->sizes().public_key));
  TRY(check_rosenpass_pair(folder, public_key.bytes(), secret->expose(), random));
  if (const auto locked = system::lock_secret(secret->expose()); !locked) {
    LOG(warn, "keys", "{}", locked.error().message);
  }
  return OwnKeys{std::move(wireguard), *std::move(secret), std::move(public_key)};
}

Result<> check_no_keys(const system::StateFolder& folder) {
  if (system::file_exists(folder.file(kWireGuardKeyFile))) {
    return fail_with(fmt::format(
        "there are keys in {} already, and they are never replaced: every peer knows this host by "
        "them. `trellis keys show` shows them; to begin anew, move {}, {} and {} elsewhere first",
        folder.path(), kWireGuardKeyFile, kRosenpassKeyFile, kRosenpassPublicFile));
  }
  // Our own order of writing never leaves this.
  if (system::file_exists(folder.file(kRosenpassKeyFile)) &&
      !system::file_exists(folder.file(kRosenpassPublicFile))) {
    return fail_with(
        fmt::format("{} is there without {}: put that back from a backup, or move the secret key "
                    "elsewhere to begin anew",
                    folder.file(kRosenpassKeyFile), kRosenpassPublicFile));
  }
  return {};
}

Result<> create_keys(const system::StateFolder& folder, Random& random) {
  TRY(check_no_keys(folder));
  const bool had_rosenpass = system::file_exists(folder.file(kRosenpassKeyFile));
  if (!had_rosenpass) TRY(create_rosenpass_pair(folder, random));
  auto made = create_wireguard_key(folder, random);
  if (!made && !had_rosenpass) {
    static_cast<void>(system::remove_file(folder.file(kRosenpassKeyFile)));
    static_cast<void>(system::remove_file(folder.file(kRosenpassPublicFile)));
  }
  return made;
}

}  // namespace trellis::apps
