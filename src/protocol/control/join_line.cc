#include "protocol/control/join_line.h"

#include "base/address.h"
#include "base/hex.h"
#include "protocol/control/trimmed.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace trellis::control {

namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::string_view kHash = "sha256:";
constexpr std::uint16_t kDefaultPort = 443;
constexpr std::string_view kExample =
    " (it looks like https://HOST[:PORT]#sha256:FINGERPRINT, as `trellis server setup-key create` "
    "prints it)";

tl::unexpected<Error> wrong(std::string what) { return fail_with(what.append(kExample)); }

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool is_decimal(char c) { return c >= '0' && c <= '9'; }

constexpr bool is_letter_or_digit(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || is_decimal(c);
}

std::string lowered(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
  return lowered(text.substr(0, scheme.size())) == scheme;
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end || port == 0) return std::nullopt;
  return port;
}

/// Host and port of an authority, still as text; the port is empty if there is none.
struct Authority {
  std::string_view host;
  std::string_view port;
  bool bracketed = false;
};

Result<Authority> split_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return wrong("the server has no user names");
  const bool bracketed = text.starts_with('[');
  std::size_t end = 0;
  if (bracketed) {
    end = text.find(']');
    if (end == std::string_view::npos)
      return wrong("the bracket of the IPv6 address is not closed");
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    if (text.find(':', std::min(end + 1, text.size())) != std::string_view::npos) {
      return wrong("an IPv6 address stands in brackets");
    }
  }
  std::string_view host = text.substr(0, end);
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::string_view port = text.substr(end);
  if (port.empty()) return Authority{host, {}, bracketed};
  if (port.front() != ':' || port.size() == 1) return wrong("the port is missing");
  return Authority{host, port.substr(1), bracketed};
}

Result<std::string> parse_host(const Authority& authority) {
  if (authority.host.empty()) return wrong("the name of the server is missing");
  const auto address = IpAddress::parse(authority.host);
  if (authority.bracketed) {
    if (!address || !address->is_v6()) return wrong("what is in brackets is no IPv6 address");
    return address->to_string();
  }
  if (address) return address->to_string();
  if (!is_host_name(authority.host)) return wrong("the name of the server is no host name");
  return lowered(authority.host);
}

Result<Bytes<32>> parse_fingerprint(std::string_view text) {
  if (!starts_with_scheme(text, kHash)) return wrong("the fingerprint does not begin with sha256:");
  const auto bytes = array_from_hex<32>(text.substr(kHash.size()));
  if (!bytes) return wrong("the fingerprint has not exactly 64 hexadecimal digits");
  return *bytes;
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  bool numeric = false;  // the last label: then it would be an address, and is none
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('.', start), text.size());
    const std::string_view label = text.substr(start, end - start);
    if (!is_label(label)) return false;
    numeric = std::ranges::all_of(label, is_decimal);
    start = end + 1;
  }
  return !numeric;
}

std::string JoinLine::authority() const {
  std::string result = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != kDefaultPort) result += ":" + std::to_string(port);
  return result;
}

std::string JoinLine::to_string() const {
  return std::string(kScheme) + authority() + "#" + std::string(kHash) + to_hex(fingerprint);
}

Result<JoinLine> JoinLine::parse(std::string_view text) {
  const std::string_view line = trimmed(text);
  if (line.empty()) return wrong("the address of the server is empty");
  if (starts_with_scheme(line, "http://")) {
    return wrong("without TLS nothing tells the server from another: it begins with https://");
  }
  if (!starts_with_scheme(line, kScheme)) return wrong("it does not begin with https://");
  const std::string_view rest = line.substr(kScheme.size());
  const std::size_t hash = rest.find('#');
  if (hash == std::string_view::npos) {
    return wrong("the fingerprint of the server's key is missing");
  }
  std::string_view before = rest.substr(0, hash);
  if (before.ends_with('/')) before.remove_suffix(1);
  if (before.find_first_of("/?") != std::string_view::npos) {
    return wrong("nothing stands between the name of the server and #");
  }
  const Authority authority = TRY(split_authority(before));
  JoinLine result;
  result.host = TRY(parse_host(authority));
  if (!authority.port.empty()) {
    const auto port = parse_port(authority.port);
    if (!port) return wrong("the port is no number from 1 to 65535");
    result.port = *port;
  }
  result.fingerprint = TRY(parse_fingerprint(rest.substr(hash + 1)));
  return result;
}

}  // namespace trellis::control
