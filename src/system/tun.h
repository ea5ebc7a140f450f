#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/ip/offload.h"
#include "system/descriptor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trellis::system {

enum class TunError {
  Gone,    // somebody removed the interface: it has to be made anew
  Failed,  // anything else; counted, and worth no more than that
};

/// A packet of the kernel's. What `offload` says is left to be done; see protocol/ip/segment.h.
struct TunPacket {
  ip::Offload offload;
  MutableByteView bytes;
};

/// A virtual network interface whose packets we read and write. It is there as long as this object.
/// Bring it up and give it addresses by means of route.h.
class Tun {
 public:
  /// Whether packets are passed in pieces of up to 64 KiB, with their checksums unfinished.
  enum class Offloads { None, AllThatTheKernelHas };

  /// Makes the interface. `name` may be up to 15 characters. Fails without root, without
  /// /dev/net/tun, and if an interface of that name exists; says which.
  static Result<Tun> create(std::string_view name,
                            Offloads offloads = Offloads::AllThatTheKernelHas);

  const std::string& name() const { return name_; }
  /// To be watched for reading.
  int descriptor() const { return descriptor_.get(); }
  /// Which super-packets may be written and will be read.
  bool takes_tcp_segments() const { return tcp_segments_; }
  bool takes_udp_segments() const { return udp_segments_; }

  /// The next packet that waits, at the front of `buffer`, which should have kPacketBytesMax bytes:
  /// a packet that is longer is cut off. Nothing: none waits.
  Expected<std::optional<TunPacket>, TunError> read(MutableByteView buffer);
  static constexpr std::size_t kPacketBytesMax = 65535;

  /// Hands one IP packet to the kernel. Packets that it refuses (interface down, no memory) are
  /// dropped and counted.
  Expected<void, TunError> write(ByteView packet);
  /// One packet or super-packet in at most kPartsMax parts.
  Expected<void, TunError> write(const ip::Offload& offload, std::span<const ByteView> parts);
  static constexpr std::size_t kPartsMax = 128;

  std::uint64_t dropped() const { return dropped_; }

 private:
  Tun(Descriptor descriptor, std::string name)
      : descriptor_(std::move(descriptor)), name_(std::move(name)) {}
  void ask_for_offloads();

  Descriptor descriptor_;
  std::string name_;
  bool has_offload_header_ = false;  // in front of each packet, both ways
  bool tcp_segments_ = false;
  bool udp_segments_ = false;
  std::uint64_t dropped_ = 0;
};

/// Whether the kernel takes this as an interface's name and people can type it.
Result<> check_interface_name(std::string_view name);

}  // namespace trellis::system
