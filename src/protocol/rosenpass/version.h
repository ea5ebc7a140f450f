#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trellis::rosenpass {

/// The hash of an exchange, and with it every label. Two ends that differ in it do not understand
/// each other: nothing on the wire tells which one is meant. [WP "hash functions"]
enum class Version : std::uint8_t {
  V02,  // twice BLAKE2b; what is deployed everywhere
  V03,  // SHAKE256; Rust rosenpass from 0.3 on, where a peer is configured so
};
constexpr std::size_t kVersions = 2;

/// "V02", "V03": as configurations name them.
constexpr std::string_view name(Version version) { return version == Version::V02 ? "V02" : "V03"; }

}  // namespace trellis::rosenpass
