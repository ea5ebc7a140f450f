#include "apps/rosenpass/config.h"
#include "base/hex.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace trellis::rosenpass_program {
namespace {

/// Goes through the words; every complaint tells which one it is about.
class Words {
 public:
  explicit Words(const std::vector<std::string>& words) : words_(words) {}

  bool at_end() const { return next_ == words_.size(); }
  bool next_is(std::string_view word) const { return !at_end() && words_[next_] == word; }
  const std::string& take() { return words_[next_++]; }

  /// The word behind `keyword`.
  Result<std::string> value_of(std::string_view keyword, std::string_view what) {
    if (at_end()) return fail_with(fmt::format("`{}` wants {} behind it", keyword, what));
    return take();
  }
  /// The same, for what may be given once.
  Result<> put(std::string_view keyword, std::string_view what, std::string& target) {
    if (!target.empty()) return fail_with(fmt::format("`{}` is given twice", keyword));
    target = TRY(value_of(keyword, what));
    if (target.empty()) return fail_with(fmt::format("`{}` wants {} behind it", keyword, what));
    return {};
  }

 private:
  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
};

Result<> take_listen(Words& words, Config& config) {
  const std::string address = TRY(words.value_of("listen", "ADDRESS:PORT"));
  const auto endpoint = parse_listen(address);
  if (!endpoint) {
    return fail_with(
        fmt::format("`listen {}`: use ADDRESS:PORT, such as 0.0.0.0:9999 or "
                    "[::]:9999",
                    address));
  }
  config.listen.push_back(*endpoint);
  return {};
}

Result<> take_own_word(Words& words, Config& config) {
  const std::string word = words.take();
  if (word == "public-key") return words.put(word, "a file", config.public_key);
  if (word == "secret-key" || word == "private-key") {
    return words.put(word, "a file", config.secret_key);
  }
  if (word == "listen") return take_listen(words, config);
  if (word == "verbose") {
    config.verbose = true;
    return {};
  }
  return fail_with(
      fmt::format("\"{}\" is not known here: use public-key, secret-key, listen, "
                  "verbose or peer",
                  word));
}

Result<> take_wireguard(Words& words, PeerSection& peer) {
  if (peer.wireguard) return fail_with("`wireguard` is given twice for one peer");
  WireGuardTarget target;
  target.device = TRY(words.value_of("wireguard", "an interface and a WireGuard public key"));
  const std::string key =
      TRY(words.value_of("wireguard", "an interface and a WireGuard public key"));
  const auto bytes = array_from_base64<32>(key);
  if (!bytes) {
    return fail_with(
        fmt::format("`wireguard {} {}`: the key of a WireGuard peer has 44 characters of base64",
                    target.device, key));
  }
  target.peer = crypto::PublicKey{*bytes};
  while (!words.at_end() && !words.next_is("peer")) target.extra.push_back(words.take());
  peer.wireguard = std::move(target);
  return {};
}

Result<> take_peer_word(Words& words, PeerSection& peer) {
  const std::string word = words.take();
  if (word == "public-key") return words.put(word, "a file", peer.public_key);
  if (word == "preshared-key") return words.put(word, "a file", peer.pre_shared_key);
  if (word == "outfile") return words.put(word, "a file", peer.key_out);
  if (word == "wireguard") return take_wireguard(words, peer);
  if (word == "endpoint") {
    TRY(words.put(word, "HOST:PORT", peer.endpoint));
    if (split_endpoint(peer.endpoint)) return {};
    return fail_with(fmt::format("`endpoint {}`: use HOST:PORT", peer.endpoint));
  }
  return fail_with(
      fmt::format("\"{}\" is not known for a peer: use public-key, endpoint, "
                  "preshared-key, outfile, wireguard or peer",
                  word));
}

}  // namespace

Result<Config> parse_exchange_words(const std::vector<std::string>& list) {
  Words words(list);
  Config config;
  while (!words.at_end() && !words.next_is("peer")) TRY(take_own_word(words, config));
  if (config.public_key.empty()) return fail_with("there is no own key: say `public-key FILE`");
  if (config.secret_key.empty()) return fail_with("there is no own key: say `secret-key FILE`");
  while (!words.at_end()) {
    words.take();  // "peer"
    PeerSection peer;
    while (!words.at_end() && !words.next_is("peer")) TRY(take_peer_word(words, peer));
    if (peer.public_key.empty()) return fail_with("a `peer` has no key: say `public-key FILE`");
    config.peers.push_back(std::move(peer));
  }
  return config;
}

std::optional<HostAndPort> split_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address without brackets
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return std::nullopt;
  }
  return HostAndPort{std::string(host), port};
}

std::optional<Endpoint> parse_listen(std::string_view text) {
  if (!text.ends_with(":0")) return Endpoint::parse(text);
  auto endpoint = Endpoint::parse(std::string(text.substr(0, text.size() - 1)) + "1");
  if (endpoint) endpoint->port = 0;
  return endpoint;
}

std::string expanded(const std::string& path) {
  if (!path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return home == nullptr ? path : home + path.substr(1);
}

}  // namespace trellis::rosenpass_program
