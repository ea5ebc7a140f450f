#include "apps/rosenpass/rp.h"

#include "apps/rosenpass/key_files.h"
#include "base/hex.h"
#include "crypto/x25519.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <filesystem>

namespace trellis::rosenpass_program {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBase64FileBytesMax = 64;

std::string in(const std::string& folder, const char* file) { return folder + "/" + file; }

Result<> make_folder(const std::string& path, fs::perms mode) {
  std::error_code failed;
  const bool made = fs::create_directories(path, failed);
  if (failed) return fail_with(fmt::format("cannot make {}: {}", path, failed.message()));
  if (made) fs::permissions(path, mode, failed);
  if (failed) return fail_with(fmt::format("cannot protect {}: {}", path, failed.message()));
  return {};
}

Result<> refuse_existing(const std::string& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!system::file_exists(in(folder, name))) continue;
    return fail_with(
        fmt::format("{} is there already, and is never overwritten", in(folder, name)));
  }
  return {};
}

Result<Bytes<32>> read_base64(const std::string& path) {
  ByteVector raw = TRY(system::read_file(path, kBase64FileBytesMax));
  std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto bytes = array_from_base64<32>(text);
  zeroise(raw);
  if (!bytes) return fail_with(path + " holds no key of WireGuard: 44 characters of base64");
  return *bytes;
}

Result<> write_base64(const std::string& path, ByteView key, mode_t mode) {
  std::string text = to_base64(key) + "\n";
  auto made = system::create_file(path, as_bytes(text), mode);
  zeroise(std::as_writable_bytes(std::span(text)));
  return made;
}

/// "host:9999" → "host:10000".
Result<std::string> wireguard_endpoint(const std::string& endpoint) {
  const auto parts = split_endpoint(endpoint);
  CHECK(parts.has_value());  // the words were checked
  const std::uint16_t port = TRY(port_after(parts->port));
  const bool v6 = parts->host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", parts->host, v6 ? "]" : "", port);
}

Result<PeerSection> section_of(const Tunnel& tunnel, const Tunnel::Peer& peer) {
  PeerSection section;
  section.public_key = in(peer.public_folder, "pqpk");
  section.endpoint = peer.endpoint;
  if (const std::string psk = in(peer.public_folder, "psk"); system::file_exists(psk)) {
    section.pre_shared_key = psk;
  }
  const Bytes<32> key = TRY(read_base64(in(peer.public_folder, "wgpk")));
  WireGuardTarget target{tunnel.device, crypto::PublicKey{key}, {}};
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    target.extra.emplace_back(name);
    target.extra.push_back(value);
  };
  if (!peer.endpoint.empty()) add("endpoint", TRY(wireguard_endpoint(peer.endpoint)));
  add("persistent-keepalive", peer.persistent_keepalive);
  add("allowed-ips", peer.allowed_ips);
  section.wireguard = std::move(target);
  return section;
}

}  // namespace

Result<> rp_genkey(const std::string& folder, Random& random) {
  TRY(make_folder(folder, fs::perms::owner_all));
  TRY(refuse_existing(folder, {"wgsk", "pqsk", "pqpk"}));
  TRY(generate_key_files({in(folder, "pqpk"), in(folder, "pqsk")}, SecretForm::Rust,
                         Existing::Refuse, random));
  const crypto::PrivateKey key = crypto::generate_private_key(random);
  auto made = write_base64(in(folder, "wgsk"), key.expose(), 0600);
  if (!made) {
    for (const char* name : {"pqsk", "pqpk"}) {
      static_cast<void>(system::remove_file(in(folder, name)));
    }
  }
  return made;
}

Result<> rp_pubkey(const std::string& private_folder, const std::string& public_folder) {
  const crypto::PrivateKey key = TRY(load_wireguard_key(in(private_folder, "wgsk")));
  const auto rosenpass_key = TRY(load_public_key(in(private_folder, "pqpk")));
  constexpr auto kReadable = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                             fs::perms::others_read | fs::perms::others_exec;
  TRY(make_folder(public_folder, kReadable));
  TRY(refuse_existing(public_folder, {"wgpk", "pqpk"}));
  TRY(system::create_file(in(public_folder, "pqpk"), rosenpass_key.bytes(), 0644));
  auto made = write_base64(in(public_folder, "wgpk"), crypto::public_key(key).bytes, 0644);
  if (!made) static_cast<void>(system::remove_file(in(public_folder, "pqpk")));
  return made;
}

Result<crypto::PrivateKey> load_wireguard_key(const std::string& path) {
  Bytes<32> bytes = TRY(read_base64(path));
  crypto::PrivateKey key(bytes);
  zeroise(bytes);
  return key;
}

Result<std::uint16_t> port_after(std::uint16_t port) {
  if (port < 65535) return static_cast<std::uint16_t>(port + 1);
  return fail_with("WireGuard has the port after Rosenpass's, so 65535 cannot be Rosenpass's");
}

Result<Config> config_of(const Tunnel& tunnel) {
  Config config;
  config.public_key = in(tunnel.private_folder, "pqpk");
  config.secret_key = in(tunnel.private_folder, "pqsk");
  if (tunnel.listen) config.listen.push_back(*tunnel.listen);
  for (const Tunnel::Peer& peer : tunnel.peers) {
    config.peers.push_back(TRY(section_of(tunnel, peer)));
  }
  return config;
}

}  // namespace trellis::rosenpass_program
