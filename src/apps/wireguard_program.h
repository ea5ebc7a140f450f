#pragma once

#include "apps/packet_pump.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/uapi.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/random.h"
#include "system/route.h"
#include "system/tun.h"
#include "system/udp.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::apps {

/// Times of the wall clock, each later than the one before. Nothing is kept: who sets the clock
/// back and restarts waits until it is where it was, as with other implementations.
class WallTimestamps final : public wireguard::TimestampSource {
 public:
  wireguard::Tai64n next() override;

 private:
  WallTime last_;
};

/// `trellis-wg`: one WireGuard device between a TUN interface and a UDP socket, configured through
/// its control socket by `wg`. It ends when the interface or the control socket is removed.
class WireGuardProgram {
 public:
  struct Options {
    std::string name;        // of the interface
    std::string underlay{};  // network namespace of the UDP socket, by name or path; "": this one
  };

  /// Makes interface, control socket and UDP socket; nothing is left behind on failure. `loop` must
  /// outlive the result, and is stopped when the device ends. Enters the namespace of the UDP
  /// socket and gives up all capabilities that are not needed any more, both for good.
  static Result<std::unique_ptr<WireGuardProgram>> create(system::Loop& loop,
                                                          const Options& options);

  WireGuardProgram(const WireGuardProgram&) = delete;
  WireGuardProgram& operator=(const WireGuardProgram&) = delete;
  ~WireGuardProgram() = default;

 private:
  WireGuardProgram(system::Loop& loop, const Options& options);

  Result<> start();
  Result<> make_interface();
  Result<> watch_udp();
  void on_tun_readable();
  void on_udp_readable(IpAddress::Family family);
  void on_timer();
  void check_up();
  std::string answer(std::string_view request);
  /// Errno::Ok, or why the sockets could not follow the configuration.
  wireguard::uapi::Errno apply(const wireguard::uapi::Changes& changes);
  bool bind(std::uint16_t port);
  /// Sends what the device made by itself, and arms the timer.
  void settle();
  void end(const char* why);

  system::Loop& loop_;
  const Options options_;
  const std::string socket_path_;
  system::SystemRandom random_;
  WallTimestamps timestamps_;
  wireguard::Device device_;
  std::uint32_t mark_ = 0;

  std::optional<system::Routes> routes_;
  std::optional<system::Tun> tun_;
  std::uint32_t interface_ = 0;
  std::optional<system::UdpSocket> udp_;
  std::optional<system::IpcServer> control_;

  PacketPump<wireguard::Device> pump_;

  // Last, so that they are gone before what their callbacks use.
  system::Timer timer_;
  system::Timer upkeep_;
  system::Watch tun_watch_;
  system::Watch udp4_watch_;
  system::Watch udp6_watch_;
};

}  // namespace trellis::apps
