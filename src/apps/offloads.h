#pragma once

#include "system/tun.h"
#include "system/udp.h"

#include <cstdlib>

namespace trellis::apps {

// Super-packets at both edges of the packet path, unless the environment has TRELLIS_NO_OFFLOAD:
// for kernels and drivers that spoil them, and to see what they are worth.

inline bool offloads_wanted() {
  return std::getenv("TRELLIS_NO_OFFLOAD") == nullptr;  // NOLINT(concurrency-mt-unsafe): never set
}

inline system::Tun::Offloads tun_offloads() {
  using enum system::Tun::Offloads;
  return offloads_wanted() ? AllThatTheKernelHas : None;
}

inline system::UdpSocket::Offloads udp_offloads() {
  using enum system::UdpSocket::Offloads;
  return offloads_wanted() ? AllThatTheKernelHas : None;
}

}  // namespace trellis::apps
