#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "system/descriptor.h"

#include <optional>

namespace trellis::system {

/// One UDP socket at one address, for few and small datagrams. Non-blocking. UdpSocket is the one
/// for many.
class DatagramSocket {
 public:
  /// `[::]` takes IPv4, too, unless `V6Only`. Port 0: the kernel picks one.
  enum class Families { Both, V6Only };
  static Result<DatagramSocket> bind(const Endpoint& at, Families families = Families::Both);

  /// With the port that the kernel picked.
  const Endpoint& local() const { return local_; }
  /// To be watched for reading.
  int descriptor() const { return socket_.get(); }

  struct Received {
    Endpoint from;  // never an IPv4-mapped address
    MutableByteView bytes;
  };
  /// Into `buffer`; a datagram that is longer is dropped. Nothing: none is left.
  std::optional<Received> receive(MutableByteView buffer);

  /// Whether an address of that family and kind can be reached from here at all.
  bool reaches(const IpAddress& address) const;
  /// 0, or the errno. A full buffer loses the datagram, as the network might.
  int send(const Endpoint& to, ByteView bytes);

 private:
  DatagramSocket(Descriptor socket, const Endpoint& local, bool dual)
      : socket_(std::move(socket)), local_(local), dual_(dual) {}

  Descriptor socket_;
  Endpoint local_;
  bool dual_;  // an IPv6 socket that carries IPv4, too
};

}  // namespace trellis::system
