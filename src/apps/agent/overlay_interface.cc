#include "apps/agent/overlay_interface.h"

#include "apps/offloads.h"
#include "apps/wireguard_socket.h"
#include "base/log.h"
#include "system/clock.h"

#include <fmt/format.h>

namespace trellis::apps {
namespace {

constexpr Duration kRetry = 1s;
constexpr const char* kTopic = "interface";

}  // namespace

Result<std::unique_ptr<OverlayInterface>> OverlayInterface::open(system::Loop& loop,
                                                                 Options options,
                                                                 Warnings& warnings,
                                                                 std::function<void()> readable) {
  system::Routes routes = TRY(system::Routes::open());
  std::unique_ptr<OverlayInterface> self(
      new OverlayInterface(std::move(routes), std::move(options), warnings, std::move(readable)));
  TRY(self->check_overlaps());
  // What keeps the packets of a killed predecessor in stays if we cannot take its place.
  self->remove_guards_ = TRY(self->routes_.guards(self->options_.name)).empty();
  self->retry_ = TRY(loop.timer([&loop, raw = self.get()] { raw->make_again(loop); }));
  TRY(self->make(loop));
  self->remove_guards_ = true;
  self->listen_to_wg(loop);
  return self;
}

OverlayInterface::~OverlayInterface() {
  watch_.reset();
  tun_.reset();
  if (!remove_guards_) return;
  if (const auto removed = routes_.remove_guards(options_.name); !removed) {
    LOG(warn, "trellisd", "{}", removed.error().message);
  }
}

std::vector<Prefix> OverlayInterface::networks() const {
  std::vector<Prefix> networks;
  networks.reserve(options_.addresses.size());
  for (const InterfaceAddress& address : options_.addresses) networks.push_back(address.network());
  return networks;
}

Result<> OverlayInterface::check_overlaps() {
  for (const Prefix& network : networks()) {
    const auto foreign = TRY(routes_.overlapping(network, 0));
    if (foreign.empty()) continue;
    return fail_with(fmt::format(
        "the network {} overlaps with {}, which this host has a route to already: choose other "
        "addresses, or remove that route",
        network.to_string(), foreign.front().prefix.to_string()));
  }
  return {};
}

/// The tunnel works without it: the folder is the machine's, and another network namespace may have
/// an interface of the same name.
void OverlayInterface::listen_to_wg(system::Loop& loop) {
  auto listening = listen_for_wg(loop, options_.name, options_.answer_wg);
  if (!listening) {
    LOG(info, "trellisd", "wg(8) cannot show {}: {}", options_.name, listening.error().message);
    return;
  }
  wg_ = *std::move(listening);
}

void OverlayInterface::make_again(system::Loop& loop) {
  if (const auto made = make(loop); !made) {
    tun_.reset();
    warnings_.set(kTopic, made.error().message);
    retry_.arm(system::boot_now() + kRetry);
    return;
  }
  warnings_.clear(kTopic);
  LOG(warn, "trellisd", "the interface {} had disappeared and was made again", options_.name);
}

Result<> OverlayInterface::make(system::Loop& loop) {
  // Should the interface ever disappear unasked, nothing goes out in clear. What a predecessor that
  // was killed left behind is taken over.
  for (const Prefix& network : networks()) TRY(routes_.add_guard(network, options_.name));
  tun_ =
      TRY(system::Tun::create(options_.name, tun_offloads()));  // fails if another process runs it
  TRY(routes_.remove_guards(options_.name, networks()));
  const std::uint32_t index = TRY(routes_.interface_index(options_.name));
  for (const InterfaceAddress& address : options_.addresses) {
    TRY(routes_.add_address(index, address));
  }
  TRY(routes_.bring_up(index, options_.mtu));
  watch_ = TRY(loop.watch(tun_->descriptor(), system::Ready::Read, [this] { readable_(); }));
  return {};
}

void OverlayInterface::is_gone() {
  watch_.reset();
  tun_.reset();
  retry_.arm(system::boot_now());
}

}  // namespace trellis::apps
