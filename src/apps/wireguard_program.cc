#include "apps/wireguard_program.h"

#include "apps/offloads.h"
#include "apps/wireguard_socket.h"
#include "base/log.h"
#include "system/clock.h"
#include "system/network_namespace.h"
#include "system/privileges.h"
#include "system/secure_file.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <array>

namespace trellis::apps {
namespace {

namespace uapi = wireguard::uapi;

constexpr std::uint32_t kMtu = 1420;  // 80 bytes of headers over IPv6
constexpr Duration kUpkeep = 1s;
// A fifth of a second of small packets as fast as one core sends them: until we have the processor
// again, a flood does not take the place of what users send.
constexpr int kReceiveBufferBytes = 16 << 20;
// For marks, and for ports below 1024.
constexpr std::array kCapabilitiesAtWork{CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};

wireguard::Config device_config() {
  wireguard::Config config;
  config.mtu = kMtu;
  return config;
}

/// What the system refused, for get=counters.
std::string lines_of(const system::UdpCounters& udp, const system::Tun& tun) {
  return fmt::format(
      "udp_refused={}\nudp_unreachable={}\nudp_too_long={}\nudp_no_buffers={}\n"
      "udp_forbidden={}\nudp_other={}\nudp_truncated={}\ntun_dropped={}\n",
      udp.refused, udp.unreachable, udp.too_long, udp.no_buffers, udp.forbidden, udp.other,
      udp.truncated, tun.dropped());
}

void tell(const wireguard::SessionEstablished& session) {
  LOG(debug, "trellis-wg", "session established peer={} initiator={}",
      static_cast<std::uint32_t>(session.peer), session.role == wireguard::Role::Initiator);
}

}  // namespace

wireguard::Tai64n WallTimestamps::next() {
  last_.nanoseconds_since_epoch =
      std::max(system::wall_now().nanoseconds_since_epoch, last_.nanoseconds_since_epoch + 1);
  return wireguard::Tai64n::from_unix(last_);
}

// ---- setting up ------------------------------------------------------------------------------

WireGuardProgram::WireGuardProgram(system::Loop& loop, const Options& options)
    : loop_(loop),
      options_(options),
      socket_path_(wireguard_socket_path(options.name)),
      device_(device_config(), random_, timestamps_) {}

Result<std::unique_ptr<WireGuardProgram>> WireGuardProgram::create(system::Loop& loop,
                                                                   const Options& options) {
  TRY(system::check_interface_name(options.name));
  std::unique_ptr<WireGuardProgram> self(new WireGuardProgram(loop, options));
  TRY(self->start());
  return self;
}

Result<> WireGuardProgram::start() {
  TRY(make_interface());
  // Sockets of later ports have to be born there, too.
  if (!options_.underlay.empty()) TRY(system::enter_network_namespace(options_.underlay));
  udp_ = TRY(system::UdpSocket::open(
      {.receive_buffer_bytes = kReceiveBufferBytes, .offloads = udp_offloads()}));
  TRY(watch_udp());
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  upkeep_ = TRY(loop_.timer([this] { check_up(); }));
  control_ = TRY(listen_for_wg(loop_, options_.name,
                               [this](std::string_view request) { return answer(request); }));
  TRY(system::keep_capabilities(kCapabilitiesAtWork));
  upkeep_.arm(system::boot_now() + kUpkeep);
  return {};
}

Result<> WireGuardProgram::make_interface() {
  routes_ = TRY(system::Routes::open());
  tun_ = TRY(system::Tun::create(options_.name, tun_offloads()));
  interface_ = TRY(routes_->interface_index(options_.name));
  TRY(routes_->set_mtu(interface_, kMtu));
  tun_watch_ =
      TRY(loop_.watch(tun_->descriptor(), system::Ready::Read, [this] { on_tun_readable(); }));
  return {};
}

Result<> WireGuardProgram::watch_udp() {
  udp4_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V4), system::Ready::Read,
                                [this] { on_udp_readable(IpAddress::Family::V4); }));
  if (!udp_->has_v6()) return {};
  udp6_watch_ = TRY(loop_.watch(udp_->descriptor(IpAddress::Family::V6), system::Ready::Read,
                                [this] { on_udp_readable(IpAddress::Family::V6); }));
  return {};
}

// ---- packets ---------------------------------------------------------------------------------

void WireGuardProgram::on_tun_readable() {
  if (!pump_.outward(device_, *tun_, *udp_)) return end("the interface was removed");
  settle();
}

void WireGuardProgram::on_udp_readable(IpAddress::Family family) {
  if (!pump_.inward(device_, *udp_, family, &*tun_)) return end("the interface was removed");
  settle();
}

void WireGuardProgram::on_timer() {
  device_.handle_timeout(system::boot_now());
  settle();
}

void WireGuardProgram::settle() {
  pump_.flush(device_, *udp_);
  while (const auto event = device_.poll_event()) {
    if (const auto* session = std::get_if<wireguard::SessionEstablished>(&*event)) tell(*session);
  }
  timer_.arm(device_.next_timeout());
}

// ---- configuration ---------------------------------------------------------------------------

std::string WireGuardProgram::answer(std::string_view request) {
  const std::size_t line_end = request.find('\n');
  const auto operation = uapi::parse_operation(request.substr(0, line_end));
  if (!operation) return uapi::answer(uapi::Errno::Protocol);
  const TimePoint now = system::boot_now();
  if (*operation == uapi::Operation::Get) {
    return uapi::get(device_, {udp_->port(), mark_}, now, system::wall_now());
  }
  if (*operation == uapi::Operation::GetCounters) {
    return uapi::get_counters(device_, lines_of(udp_->counters(), *tun_));
  }
  const std::string_view lines =
      line_end == std::string_view::npos ? std::string_view() : request.substr(line_end + 1);
  const uapi::SetResult result = uapi::set(device_, now, lines);
  const uapi::Errno applied = apply(result.changes);
  settle();
  return uapi::answer(result.error == uapi::Errno::Ok ? applied : result.error);
}

uapi::Errno WireGuardProgram::apply(const uapi::Changes& changes) {
  if (changes.fwmark) {
    if (!udp_->set_mark(*changes.fwmark)) return uapi::Errno::Invalid;
    mark_ = *changes.fwmark;
  }
  if (changes.listen_port && *changes.listen_port != udp_->port() && !bind(*changes.listen_port)) {
    return uapi::Errno::PortInUse;
  }
  return uapi::Errno::Ok;
}

bool WireGuardProgram::bind(std::uint16_t port) {
  auto socket = system::UdpSocket::open({.port = port,
                                         .receive_buffer_bytes = kReceiveBufferBytes,
                                         .mark = mark_,
                                         .offloads = udp_offloads()});
  if (!socket) {
    LOG(error, "trellis-wg", "{}", socket.error().message);
    return false;
  }
  udp4_watch_.reset();
  udp6_watch_.reset();
  udp_ = *std::move(socket);
  if (const auto watched = watch_udp(); !watched) {
    LOG(error, "trellis-wg", "{}", watched.error().message);
    return false;
  }
  return true;
}

void WireGuardProgram::check_up() {
  if (!system::file_exists(socket_path_)) return end("the control socket was removed");
  // Padding stops at the MTU, which people change while we run. Of an interface that was moved into
  // another network namespace it is not known: the last one stays.
  if (const auto mtu = routes_->mtu(interface_)) device_.set_mtu(*mtu);
  upkeep_.arm(system::boot_now() + kUpkeep);
}

void WireGuardProgram::end(const char* why) {
  LOG(info, "trellis-wg", "{} is stopped: {}", options_.name, why);
  tun_watch_.reset();
  udp4_watch_.reset();
  udp6_watch_.reset();
  loop_.stop();
}

}  // namespace trellis::apps
