#pragma once

#include "base/bytes.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses are a family of their own trouble: make them
/// IPv4 by `unmapped()` where a socket hands them in.
class IpAddress {
 public:
  enum class Family : std::uint8_t { V4, V6 };

  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(const Bytes<4>& bytes);
  static IpAddress v6(const Bytes<16>& bytes);
  /// `bytes` has 4 or 16 bytes.
  static IpAddress from_bytes(ByteView bytes);
  static std::optional<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::V4; }
  bool is_v6() const { return family_ == Family::V6; }
  std::uint8_t bits() const { return is_v4() ? 32 : 128; }
  ByteView bytes() const { return ByteView(bytes_).first(is_v4() ? 4 : 16); }
  IpAddress unmapped() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_unspecified() const;
  bool is_link_local() const;
  std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Family family_ = Family::V4;
  Bytes<16> bytes_{};
};

/// A UDP endpoint. `scope` is the interface index of a link-local IPv6 address, else 0.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;

  /// "192.0.2.1:51820" or "[2001:db8::1]:51820"; a scope must be a number ("[fe80::1%3]:1").
  static std::optional<Endpoint> parse(std::string_view text);
  std::string to_string() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// An address and the number of its leading bits that count; the others are zero.
class Prefix {
 public:
  Prefix() = default;
  /// Zeroes the host bits. `length` at most `address.bits()`.
  Prefix(const IpAddress& address, std::uint8_t length);
  static Prefix host(const IpAddress& address) { return Prefix(address, address.bits()); }
  /// "10.0.0.0/8"; without a slash it is a single address. Host bits are dropped.
  static std::optional<Prefix> parse(std::string_view text);

  const IpAddress& address() const { return address_; }
  std::uint8_t length() const { return length_; }
  bool contains(const IpAddress& address) const;
  bool overlaps(const Prefix& other) const;
  std::string to_string() const;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;

 private:
  IpAddress address_;
  std::uint8_t length_ = 0;
};

/// An address of our own on a network: "100.64.7.1/16" keeps its host bits.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length = 0;
  static std::optional<InterfaceAddress> parse(std::string_view text);
  Prefix network() const { return Prefix(address, length); }
  std::string to_string() const;
  friend auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

}  // namespace trellis

template <>
struct std::hash<trellis::IpAddress> {
  std::size_t operator()(const trellis::IpAddress& address) const noexcept;
};

template <>
struct std::hash<trellis::Endpoint> {
  std::size_t operator()(const trellis::Endpoint& endpoint) const noexcept;
};
