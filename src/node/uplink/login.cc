#include "node/uplink/login.h"

#include "protocol/control/key_text.h"

#include <algorithm>

namespace trellis::uplink {

namespace {

using wire::management::PeerSystemMeta;

// PeerSystemMeta.capabilities. [netbird-wire 2.5]
constexpr int kSourcePrefixes = 1;
constexpr int kIpv6Overlay = 2;

constexpr int kWarningsMax = 16;

void fill_meta(const Shared& shared, PeerSystemMeta& meta) {
  const Facts& facts = shared.options.facts;
  meta.set_hostname(facts.host_name);
  meta.set_go_os(facts.system);
  meta.set_kernel(facts.kernel);
  meta.set_kernel_version(facts.kernel);
  meta.set_core(facts.distribution_version);
  meta.set_platform(facts.platform);
  meta.set_os(facts.distribution);
  meta.set_os_version(facts.distribution_version);
  meta.set_netbird_version(std::string(control::kAgentVersion));
  for (const Prefix& address : facts.addresses) {
    meta.add_addresses()->set_prefix(address.to_string());
  }
  meta.mutable_flags()->set_rosenpass(shared.identity.rosenpass.has_value());
  meta.mutable_flags()->set_rosenpass_permissive(!shared.options.strict);
  meta.add_capabilities(kSourcePrefixes);
  meta.add_capabilities(kIpv6Overlay);
}

/// A map of nothing but us, so that our addresses are judged here as they are there.
wire::management::NetworkMap map_of(const wire::management::PeerConfig& config) {
  wire::management::NetworkMap map;
  *map.mutable_peer_config() = config;
  map.set_remote_peers_is_empty(true);
  map.set_firewall_rules_is_empty(true);
  map.set_route_firewall_rules_is_empty(true);
  return map;
}

}  // namespace

Result<ServerHello> read_server_hello(const wire::management::ServerKeyResponse& response) {
  const auto key = control::parse_key_text(response.key());
  if (!key) return fail_with("the server's key is not valid");
  const ByteView nonce = control::field_bytes(response.connection_nonce());
  if (nonce.size() != control::kConnectionNonceBytes) {
    return fail_with("this is a NetBird server, or another that is none of Trellis");
  }
  return ServerHello{*key, to_array<control::kConnectionNonceBytes>(nonce)};
}

ByteVector seal_login(const Shared& shared, const Session& session,
                      const control::SetupKey* setup_key) {
  wire::management::LoginRequest request;
  fill_meta(shared, *request.mutable_meta());
  request.mutable_peer_keys()->set_wg_key_text(control::key_text(shared.own));
  auto& trellis = *request.mutable_trellis();
  trellis.set_connection_nonce(control::to_field(session.nonce));
  trellis.set_instance(control::to_field(shared.options.instance));
  trellis.set_strict(shared.options.strict);
  if (const auto& name = shared.identity.rosenpass) trellis.set_key_name(key_name_bytes(*name));
  if (setup_key) request.set_setup_key(setup_key->text().data(), setup_key->text().size());
  ByteVector sealed = control::seal_message(session.server, request, shared.random);
  if (std::string& text = *request.mutable_setup_key(); !text.empty()) {
    zeroise(std::as_writable_bytes(std::span(text.data(), text.size())));
  }
  return sealed;
}

ByteVector seal_sync(const Shared& shared, const Session& session, bool deltas) {
  wire::management::SyncRequest request;
  fill_meta(shared, *request.mutable_meta());
  auto& trellis = *request.mutable_trellis();
  trellis.set_connection_nonce(control::to_field(session.nonce));
  trellis.set_instance(control::to_field(shared.options.instance));
  trellis.set_deltas(deltas);
  if (shared.map) trellis.set_have_serial(shared.map->serial);
  return control::seal_message(session.server, request, shared.random);
}

ByteVector seal_empty(const Shared& shared, const Session& session) {
  return control::seal_message(session.server, wire::management::Empty{}, shared.random);
}

std::string key_name_bytes(const pair::KeyName& name) {
  ByteVector bytes{std::byte{name.suite}};
  append(bytes, name.pid.bytes);
  return control::to_field(bytes);
}

Result<LoggedIn> read_login(const Shared& shared, const Session& session,
                            const wire::management::LoginResponse& response) {
  if (!response.has_trellis()) return fail_with("the server's answer has nothing of Trellis");
  const auto own =
      netmap::read_map(map_of(response.peer_config()),
                       {.own_key = shared.own, .allowed_domain = shared.options.allowed_domain});
  if (!own) return fail(own.error());
  const auto& reply = response.trellis();
  LoggedIn event{.server_key = session.server.peer(),
                 .name = own->name,
                 .domain = own->domain,
                 .addresses = own->addresses,
                 .strict = reply.strict(),
                 .registered = false,
                 .warnings = {}};
  for (int i = 0; i < std::min(reply.warnings_size(), kWarningsMax); ++i) {
    event.warnings.push_back(printable(reply.warnings(i)));
  }
  return event;
}

}  // namespace trellis::uplink
