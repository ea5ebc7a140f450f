#include "base/log.h"
#include "system/clock.h"
#include "system/descriptor.h"
#include "system/interfaces.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

constexpr unsigned kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;

Result<Descriptor> listen_to_kernel() {
  Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kGroups;
  if (!socket.valid() ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_with_errno("cannot watch the host's network", errno);
  }
  return socket;
}

/// Whether a notice may be about what we watch: of routes, the default ones only, since a router
/// has hundreds of thousands of others.
bool concerns_us(const nlmsghdr& header, ByteView payload) {
  switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      rtmsg body{};
      if (payload.size() < sizeof body) return true;
      std::memcpy(&body, payload.data(), sizeof body);
      return body.rtm_dst_len == 0 && body.rtm_table == RT_TABLE_MAIN;
    }
    default:
      return false;
  }
}

bool any_concerns_us(ByteView notices) {
  while (notices.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, notices.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > notices.size()) return true;
    if (concerns_us(header, notices.subspan(sizeof header, header.nlmsg_len - sizeof header))) {
      return true;
    }
    notices = notices.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), notices.size()));
  }
  return false;
}

}  // namespace

struct NetworkMonitor::State {
  Options options;
  Changed changed;
  Descriptor socket;
  NetworkState network;
  std::optional<TimePoint> first_notice;
  Timer timer;
  Watch watch;

  void receive();
  void look();
};

void NetworkMonitor::State::receive() {
  constexpr int kAtATime = 64;  // the loop has others to serve
  std::array<std::byte, 32768> buffer;
  bool noticed = false;
  for (int i = 0; i < kAtATime; ++i) {
    const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) noticed = true;  // some were lost: any may have been ours
    if (n < 0 && errno != ENOBUFS) break;
    if (n > 0) {
      noticed = noticed || any_concerns_us(ByteView(buffer).first(static_cast<std::size_t>(n)));
    }
  }
  if (!noticed) return;
  const TimePoint now = boot_now();
  if (!first_notice) first_notice = now;
  timer.arm(std::min(now + options.quiet, *first_notice + options.delay_max));
}

void NetworkMonitor::State::look() {
  first_notice.reset();
  auto read = read_network_state(options.ignored_interface);
  if (!read) {
    LOG(warn, "system", "the host's network cannot be read error={}", read.error().message);
    timer.arm(boot_now() + options.delay_max);
    return;
  }
  if (*read == network) return;
  network = *std::move(read);
  changed(network);
}

NetworkMonitor::NetworkMonitor(std::unique_ptr<State> state) : state_(std::move(state)) {}
NetworkMonitor::NetworkMonitor(NetworkMonitor&&) noexcept = default;
NetworkMonitor& NetworkMonitor::operator=(NetworkMonitor&&) noexcept = default;
NetworkMonitor::~NetworkMonitor() = default;

Result<NetworkMonitor> NetworkMonitor::create(Loop& loop, Options options, Changed changed) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->changed = std::move(changed);
  // First listen, then read: what changes in between is noticed.
  state->socket = TRY(listen_to_kernel());
  state->network = TRY(read_network_state(state->options.ignored_interface));
  State* raw = state.get();
  state->timer = TRY(loop.timer([raw] { raw->look(); }));
  state->watch = TRY(loop.watch(raw->socket.get(), Ready::Read, [raw] { raw->receive(); }));
  return NetworkMonitor(std::move(state));
}

const NetworkState& NetworkMonitor::state() const { return state_->network; }

}  // namespace trellis::system
