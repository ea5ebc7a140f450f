#include "apps/key_commands.h"

#include "apps/key_store.h"
#include "apps/progress.h"
#include "base/hex.h"
#include "crypto/kem.h"
#include "system/hardening.h"
#include "system/host_name.h"
#include "system/random.h"
#include "system/secure_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace trellis::apps {
namespace {

/// What is typed as a name, made fit for peers.toml.
std::string peer_name() {
  std::string name;
  for (char c : system::host_name()) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-') name += c;
  }
  const std::size_t first = name.find_first_not_of('-');
  if (first == std::string::npos) return "this-host";
  name = name.substr(first, 63);
  name.erase(name.find_last_not_of('-') + 1);
  return name;
}

std::string peer_block(const std::string& name, const OwnKeys& keys) {
  return fmt::format(
      "[[peer]]\n"
      "name = \"{}\"\n"
      "wireguard_key = \"{}\"\n"
      "rosenpass_key = \"{}.rosenpass.pub\"\n"
      "endpoint = \"HOST:51820\"  # where it is reached; leave the line out if it has no fixed "
      "one\n"
      "addresses = [\"ADDRESS\"]  # inside the network, as in its own list\n",
      name, to_base64(keys.wireguard_public().bytes), name);
}

}  // namespace

Result<> make_keys(const std::string& state_folder) {
  const auto warnings = system::harden_process();
  const auto folder = TRY(system::StateFolder::open(state_folder));
  TRY(check_no_keys(folder));
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "trellis: warning: %s\n", warning.c_str());
  }
  system::SystemRandom random;
  {
    const Progress progress("making the Rosenpass key pair; a slow machine needs up to a minute");
    TRY(create_keys(folder, random));
  }
  const OwnKeys keys = TRY(load_keys(state_folder, random));
  fmt::print("made the keys of this host in {}\n{}\n", state_folder,
             keys.rosenpass_name().to_string());
  return {};
}

Result<> show_keys(const std::string& state_folder, Form form) {
  static_cast<void>(system::harden_process());  // nothing secret is made, so warn of nothing
  system::SystemRandom random;
  const OwnKeys keys = TRY(load_keys(state_folder, random));
  const std::string file = state_folder + "/" + kRosenpassPublicFile;
  const std::string name = peer_name();
  const std::string block = peer_block(name, keys);
  if (form == Form::Json) {
    const nlohmann::ordered_json object = {
        {"wireguard_key", to_base64(keys.wireguard_public().bytes)},
        {"rosenpass_key", keys.rosenpass_name().to_string()},
        {"rosenpass_public_file", file},
        {"peer_block", block},
    };
    fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return {};
  }
  fmt::print(
      "WireGuard public key  {}\n"
      "Rosenpass key         {}\n"
      "Rosenpass key file    {}\n"
      "\n"
      "For peers.toml of the other hosts, beside which the key file is to be copied as\n"
      "{}.rosenpass.pub:\n"
      "\n"
      "{}",
      to_base64(keys.wireguard_public().bytes), keys.rosenpass_name().to_string(), file, name,
      block);
  return {};
}

Result<> export_rosenpass_public_key(const std::string& state_folder, const std::string& target) {
  const auto key =
      TRY(system::MappedFile::open(state_folder + "/" + kRosenpassPublicFile,
                                   crypto::suite_rosenpass().static_kem->sizes().public_key));
  if (target != "-") return system::write_file_atomically(target, key.bytes(), 0644);
  const bool written =
      std::fwrite(key.bytes().data(), 1, key.bytes().size(), stdout) == key.bytes().size() &&
      std::fflush(stdout) == 0;
  return written ? Result<>() : fail_with("cannot write to standard output");
}

}  // namespace trellis::apps
