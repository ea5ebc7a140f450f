#include "apps/rosenpass/key_files.h"

#include "apps/rosenpass/config.h"
#include "base/hex.h"
#include "crypto/kem.h"
#include "system/locked_memory.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <initializer_list>

namespace trellis::rosenpass_program {
namespace {

constexpr std::size_t kSecretFileBytesMax = 64 << 10;
constexpr std::size_t kPskFileBytesMax = 256;

const crypto::Suite& suite() { return crypto::suite_rosenpass(); }

/// What everybody on this host can do with the file, in words; nothing if it is for its owner only.
std::optional<std::string> weakness_of(const std::string& path) {
  std::error_code failed;
  const auto mode = std::filesystem::status(path, failed).permissions();
  constexpr auto kOthers = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  if (failed || (mode & kOthers) == std::filesystem::perms::none) return std::nullopt;
  return fmt::format("{} holds a secret and has mode {:04o}: run `chmod 600 {}`", path,
                     static_cast<unsigned>(mode) & 07777U, path);
}

/// Stock rosenpass 0.2 makes its secrets with the modes of any file, so such ones are read.
Result<SecretBuffer> read_secret(const std::string& path, std::size_t bytes_max) {
  ByteVector bytes = TRY(system::read_file(path, bytes_max));
  SecretBuffer secret{ByteView(bytes)};
  zeroise(bytes);
  return secret;
}

bool belong_together(ByteView public_key, ByteView secret_key, Random& random) {
  const auto sent = suite().static_kem->encapsulate(public_key, random);
  if (!sent) return false;
  const auto received = suite().static_kem->decapsulate(secret_key, sent->ciphertext);
  return received && crypto::equal(received->expose(), sent->secret.expose());
}

Result<> write_both(const KeyPaths& paths, const crypto::KemKeyPair& keys, ByteView secret,
                    Existing existing) {
  if (existing == Existing::Overwrite) {
    TRY(system::write_file_atomically(paths.secret_key, secret, 0600));
    return system::write_file_atomically(paths.public_key, keys.public_key, 0644);
  }
  TRY(system::create_file(paths.secret_key, secret, 0600));
  auto made = system::create_file(paths.public_key, keys.public_key, 0644);
  if (!made) static_cast<void>(system::remove_file(paths.secret_key));
  return made;
}

}  // namespace

Result<> generate_key_files(const KeyPaths& paths, SecretForm form, Existing existing,
                            Random& random) {
  const KeyPaths files{expanded(paths.public_key), expanded(paths.secret_key)};
  if (files.public_key == files.secret_key) {
    return fail_with("the public and the secret key cannot be one file: " + files.public_key);
  }
  for (const std::string& path : {files.public_key, files.secret_key}) {
    if (existing == Existing::Refuse && system::file_exists(path)) {
      return fail_with(fmt::format("{} is there already: use --force to overwrite it", path));
    }
  }
  const crypto::KemKeyPair keys = suite().static_kem->generate(random);
  const SecretBuffer secret = form == SecretForm::Go
                                  ? keys.secret_key.clone()
                                  : rosenpass::rust_form(keys.secret_key.expose());
  return write_both(files, keys, secret.expose(), existing);
}

Result<system::MappedFile> load_public_key(const std::string& path) {
  return system::MappedFile::open(expanded(path), suite().static_kem->sizes().public_key);
}

Result<OwnKeyFiles> load_own_keys(const KeyPaths& paths, Random& random) {
  const std::string secret_path = expanded(paths.secret_key);
  std::vector<std::string> warnings;
  if (auto weakness = weakness_of(secret_path)) warnings.push_back(*std::move(weakness));
  const SecretBuffer raw = TRY(read_secret(secret_path, kSecretFileBytesMax));
  auto secret = rosenpass::normalise_secret_key(suite(), raw.expose());
  if (!secret) return fail(std::move(secret).error().within(secret_path));
  system::MappedFile public_key = TRY(load_public_key(paths.public_key));
  if (!belong_together(public_key.bytes(), secret->expose(), random)) {
    return fail_with(fmt::format("{} and {} do not belong together, or one of them is damaged",
                                 paths.public_key, secret_path));
  }
  if (auto locked = system::lock_secret(secret->expose()); !locked) {
    warnings.push_back(std::move(locked).error().message);
  }
  return OwnKeyFiles{std::move(public_key), *std::move(secret), std::move(warnings)};
}

Result<rosenpass::ExchangePsk> load_psk(const std::string& path) {
  const SecretBuffer raw = TRY(read_secret(expanded(path), kPskFileBytesMax));
  std::string_view text(reinterpret_cast<const char*>(raw.expose().data()), raw.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  auto bytes = array_from_base64<32>(text);
  if (!bytes) {
    return fail_with(fmt::format(
        "{} holds no preshared key: 44 characters of base64, as `wg genpsk` makes them", path));
  }
  rosenpass::ExchangePsk psk(*bytes);
  zeroise(*bytes);
  return psk;
}

}  // namespace trellis::rosenpass_program
