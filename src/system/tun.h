#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "system/descriptor.h"
#include "system/packet_batch.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::system {

enum class TunError {
  Gone,    // somebody removed the interface: it has to be made anew
  Failed,  // anything else; counted, and worth no more than that
};

/// A virtual network interface whose packets we read and write. It is there as long as this object.
/// Bring it up and give it addresses by means of route.h.
class Tun {
 public:
  /// Makes the interface. `name` may be up to 15 characters. Fails without root, without
  /// /dev/net/tun, and if an interface of that name exists; says which.
  static Result<Tun> create(std::string_view name);

  const std::string& name() const { return name_; }
  /// To be watched for reading.
  int descriptor() const { return descriptor_.get(); }

  /// Takes the packets that wait, at most `batch.size()`, into the batch; `packets` is cleared
  /// first. True if more may wait.
  Expected<bool, TunError> read(PacketBatch& batch, std::vector<MutableByteView>& packets);

  /// Hands one IP packet to the kernel. Packets that it refuses (interface down, no memory) are
  /// dropped and counted.
  Expected<void, TunError> write(ByteView packet);

  std::uint64_t dropped() const { return dropped_; }

 private:
  Tun(Descriptor descriptor, std::string name)
      : descriptor_(std::move(descriptor)), name_(std::move(name)) {}

  Descriptor descriptor_;
  std::string name_;
  std::uint64_t dropped_ = 0;
};

/// Whether the kernel takes this as an interface's name and people can type it.
Result<> check_interface_name(std::string_view name);

}  // namespace trellis::system
