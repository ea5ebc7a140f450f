#include "apps/rosenpass/config.h"
#include "base/hex.h"
#include "node/netmap/toml_fields.h"
#include "node/netmap/toml_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

/// Configurations as TOML: reading.
namespace trellis::rosenpass_program {
namespace {

using netmap::fail_at;
using netmap::Fields;

constexpr std::array<std::string_view, 6> kTopKeys = {"public_key", "secret_key", "listen",
                                                      "verbosity",  "peers",      "api"};
constexpr std::array<std::string_view, 14> kPeerKeys = {
    "public_key",  "endpoint",         "pre_shared_key",   "key_out",          "device",
    "peer",        "extra_params",     "protocol_version", "osk_organization", "osk_label",
    "psk_command", "ciphertext_bytes", "peer_software",    "exchange_command"};

std::string at(const toml::source_region& where, std::string_view text) {
  return fmt::format("line {}, column {}: {}", where.begin.line, where.begin.column, text);
}

template <std::size_t N>
void warn_of_others(const toml::table& table, std::string_view title,
                    const std::array<std::string_view, N>& known,
                    std::vector<std::string>& warnings) {
  for (const auto& [key, value] : table) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    warnings.push_back(at(key.source(), fmt::format("{} has no key \"{}\": it is ignored", title,
                                                    key.str().substr(0, 64))));
  }
}

/// A text, or nothing if the key is not there.
Result<std::string> text_or_nothing(const Fields& fields, std::string_view key,
                                    std::string_view example) {
  const auto text = TRY(fields.text(key, example));
  return text ? text->value : std::string();
}

/// A list of texts, which may be empty; `found` tells where it stands.
Result<std::vector<netmap::Text>> texts(const toml::table& table, std::string_view key,
                                        std::string_view example) {
  std::vector<netmap::Text> result;
  const toml::node* node = table.get(key);
  if (node == nullptr) return result;
  const toml::array* list = node->as_array();
  const std::string wanted = fmt::format("{} is a list of texts: {} = {}", key, key, example);
  if (list == nullptr) return fail_at(node->source(), wanted);
  for (const toml::node& entry : *list) {
    const auto* text = entry.as_string();
    if (text == nullptr) return fail_at(entry.source(), wanted);
    result.push_back({text->get(), entry.source()});
  }
  return result;
}

std::vector<std::string> values_of(const std::vector<netmap::Text>& list) {
  std::vector<std::string> result;
  for (const netmap::Text& text : list) result.push_back(text.value);
  return result;
}

Result<std::optional<WireGuardTarget>> parse_wireguard(const Fields& fields,
                                                       const toml::table& table) {
  const auto device = TRY(fields.text("device", "\"wg0\""));
  const auto peer = TRY(fields.text("peer", "\"BASE64 OF A WIREGUARD KEY\""));
  const auto extra = TRY(texts(table, "extra_params", "[\"persistent-keepalive\", \"25\"]"));
  if (!device && !peer && extra.empty()) return std::nullopt;
  if (!device || !peer) {
    return fail_at(fields.where(),
                   "`device` and `peer` go together: name the interface and the "
                   "WireGuard public key of the peer");
  }
  const auto key = array_from_base64<32>(peer->value);
  if (!key) {
    return fail_at(peer->where, "`peer` is a WireGuard public key: 44 characters of base64");
  }
  return WireGuardTarget{device->value, crypto::PublicKey{*key}, values_of(extra)};
}

Result<rosenpass::Version> parse_version(const Fields& fields) {
  const auto text = TRY(fields.text("protocol_version", "\"V02\""));
  for (const auto version : {rosenpass::Version::V02, rosenpass::Version::V03}) {
    if (!text || text->value == rosenpass::name(version)) return version;
  }
  return fail_at(text->where, "`protocol_version` is \"V02\" or \"V03\"");
}

Result<rosenpass::PeerKind> parse_software(const Fields& fields) {
  const auto text = TRY(fields.text("peer_software", "\"rust\""));
  if (!text) return rosenpass::PeerKind::Unknown;
  if (text->value == "trellis") return rosenpass::PeerKind::Trellis;
  if (text->value == "rust") return rosenpass::PeerKind::Stock;
  if (text->value == "go") return rosenpass::PeerKind::StockGo;
  return fail_at(text->where, "`peer_software` is \"trellis\", \"rust\" or \"go\"");
}

Result<> parse_purpose(const Fields& fields, const toml::table& table, PeerSection& peer) {
  peer.osk_organization = TRY(text_or_nothing(fields, "osk_organization", "\"example.org\""));
  peer.osk_label = values_of(TRY(texts(table, "osk_label", "[\"backup\", \"key\"]")));
  if (peer.osk_organization.empty() == peer.osk_label.empty()) return {};
  return fail_at(fields.where(), "`osk_organization` and `osk_label` go together");
}

Result<PeerSection> parse_peer(const toml::table& table, std::vector<std::string>& warnings) {
  const Fields fields(table, "[[peers]]");
  warn_of_others(table, "[[peers]]", kPeerKeys, warnings);
  PeerSection peer;
  peer.public_key = TRY(fields.required_text("public_key", "\"peer.pub\"")).value;
  const auto endpoint = TRY(fields.text("endpoint", "\"peer.example.org:9999\""));
  if (endpoint) {
    if (!split_endpoint(endpoint->value)) {
      return fail_at(endpoint->where, "`endpoint` is HOST:PORT or [IPV6 ADDRESS]:PORT");
    }
    peer.endpoint = endpoint->value;
  }
  peer.pre_shared_key = TRY(text_or_nothing(fields, "pre_shared_key", "\"peer.psk\""));
  peer.key_out = TRY(text_or_nothing(fields, "key_out", "\"peer.osk\""));
  peer.wireguard = TRY(parse_wireguard(fields, table));
  peer.psk_command = values_of(TRY(texts(table, "psk_command", "[\"PROGRAM\", \"WORD\"]")));
  peer.version = TRY(parse_version(fields));
  peer.software = TRY(parse_software(fields));
  TRY(parse_purpose(fields, table, peer));
  if (const auto bytes = TRY(fields.number("ciphertext_bytes", 156, 188))) {
    if (*bytes != 156 && *bytes != 188) {
      return fail_at(table.get("ciphertext_bytes")->source(), "`ciphertext_bytes` is 188 or 156");
    }
    peer.ciphertext_bytes = static_cast<std::size_t>(*bytes);
  }
  if (const toml::node* ignored = table.get("exchange_command")) {
    warnings.push_back(at(ignored->source(),
                          "`exchange_command` is ignored, as rosenpass 0.2 "
                          "ignores it: `psk_command` is run with the key on its "
                          "standard input"));
  }
  return peer;
}

Result<bool> parse_verbosity(const Fields& fields) {
  const auto text = TRY(fields.text("verbosity", "\"Quiet\""));
  if (!text || text->value == "Quiet") return false;
  if (text->value == "Verbose") return true;
  return fail_at(text->where, "`verbosity` is \"Quiet\" or \"Verbose\"");
}

Result<> parse_peers(const toml::table& table, ParsedConfig& parsed) {
  const toml::node* node = table.get("peers");
  if (node == nullptr) return {};
  const toml::array* list = node->as_array();
  if (list == nullptr) return fail_at(node->source(), "peers are written as [[peers]]");
  for (const toml::node& entry : *list) {
    const toml::table* peer = entry.as_table();
    if (peer == nullptr) return fail_at(entry.source(), "peers are written as [[peers]]");
    parsed.config.peers.push_back(TRY(parse_peer(*peer, parsed.warnings)));
  }
  return {};
}

}  // namespace

Result<ParsedConfig> parse_config(std::string_view text) {
  TRY(netmap::guard_toml(text));
  const toml::parse_result read = toml::parse(text);
  if (!read) return fail_at(read.error().source(), read.error().description());
  const toml::table& table = read.table();
  const Fields fields(table, "the configuration");
  ParsedConfig parsed;
  warn_of_others(table, "the configuration", kTopKeys, parsed.warnings);
  Config& config = parsed.config;
  config.public_key = TRY(fields.required_text("public_key", "\"own.pub\"")).value;
  config.secret_key = TRY(fields.required_text("secret_key", "\"own.key\"")).value;
  for (const netmap::Text& address : TRY(texts(table, "listen", "[\"0.0.0.0:9999\"]"))) {
    const auto endpoint = parse_listen(address.value);
    if (!endpoint) {
      return fail_at(address.where,
                     "`listen` has addresses with ports: \"0.0.0.0:9999\", "
                     "\"[::]:9999\"");
    }
    config.listen.push_back(*endpoint);
  }
  config.verbose = TRY(parse_verbosity(fields));
  if (const toml::node* api = table.get("api")) {
    parsed.warnings.push_back(at(api->source(), "[api] is ignored: there is none"));
  }
  TRY(parse_peers(table, parsed));
  return parsed;
}

}  // namespace trellis::rosenpass_program
