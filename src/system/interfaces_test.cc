#include "system/interfaces.h"

#include "system/clock.h"
#include "system/netns_test.h"
#include "system/route.h"
#include "system/tun.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

namespace trellis::system {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Runs `ip`, in the namespace of the test.
void ip(const std::string& arguments) {
  const std::string command = "ip " + arguments;
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
}

const NetworkInterface* find(const NetworkState& state, std::string_view name) {
  const auto it = std::ranges::find(state.interfaces, name, &NetworkInterface::name);
  return it == state.interfaces.end() ? nullptr : &*it;
}

std::vector<std::string> addresses_of(const NetworkInterface& interface) {
  std::vector<std::string> result;
  for (const auto& entry : interface.addresses) {
    result.push_back(entry.address.to_string() + (entry.usable ? "" : " unusable"));
  }
  return result;
}

void make_pair_of_interfaces() {
  ip("link set lo up");
  ip("link add eth0 type veth peer name eth1");
  // No addresses that come by themselves, in their own time.
  ip("link set eth0 addrgenmode none");
  ip("link set eth1 addrgenmode none");
  ip("addr add 192.0.2.1/24 dev eth0");
  ip("addr add 2001:db8::1/64 dev eth0 nodad");
  ip("link set eth1 up");
  ip("link set eth0 up");
  ip("route add default via 192.0.2.254 metric 7");
}

TEST(NetworkState, TellsInterfacesAddressesAndDefaultRoutes) {
  IN_NAMESPACE({
    make_pair_of_interfaces();
    ip("link add br-1 type bridge");
    ip("addr add 2001:db8::2/64 dev eth0 preferred_lft 0 nodad");
    ip("link add eth8 type veth peer name eth9");
    const Tun tun = Tun::create("trellis9").value();
    const NetworkState state = read_network_state().value();

    const NetworkInterface* eth0 = find(state, "eth0");
    ASSERT_NE(eth0, nullptr);
    EXPECT_TRUE(eth0->up);
    EXPECT_FALSE(eth0->loopback || eth0->tunnel || eth0->bridge);
    EXPECT_THAT(addresses_of(*eth0),
                ElementsAre("192.0.2.1/24", "2001:db8::1/64", "2001:db8::2/64 unusable"));
    ASSERT_NE(find(state, "lo"), nullptr);
    EXPECT_TRUE(find(state, "lo")->loopback);
    EXPECT_FALSE(find(state, "eth8")->up);
    EXPECT_TRUE(find(state, "br-1")->bridge);
    EXPECT_TRUE(find(state, "trellis9")->tunnel);
    EXPECT_EQ(find(read_network_state("trellis9").value(), "trellis9"), nullptr);

    ASSERT_EQ(state.default_routes.size(), 1u);
    EXPECT_EQ(state.default_routes[0].interface, eth0->index);
    EXPECT_EQ(state.default_routes[0].gateway.to_string(), "192.0.2.254");
    EXPECT_EQ(state.default_routes[0].metric, 7u);
  });
}

/// A loop with a monitor that collects what it tells.
struct Watching {
  explicit Watching(NetworkMonitor::Options options = {}) : loop(Loop::create().value()) {
    monitor = NetworkMonitor::create(*loop, std::move(options), [this](const NetworkState& state) {
                told.push_back(state);
              }).value();
    timer = loop->timer([this] { loop->stop(); }).value();
  }
  void run_for(Duration duration) {
    timer.arm(boot_now() + duration);
    loop->run();
  }

  std::unique_ptr<Loop> loop;
  std::vector<NetworkState> told;
  std::optional<NetworkMonitor> monitor;
  Timer timer;
};

TEST(NetworkMonitor, TellsOnceOfABurstOfChanges) {
  IN_NAMESPACE({
    make_pair_of_interfaces();
    Watching watching;
    ASSERT_NE(find(watching.monitor->state(), "eth0"), nullptr);
    watching.run_for(400ms);
    watching.told.clear();
    ip("addr add 192.0.2.2/24 dev eth0");
    ip("addr add 192.0.2.3/24 dev eth0");
    watching.run_for(600ms);
    ASSERT_EQ(watching.told.size(), 1u);
    EXPECT_THAT(addresses_of(*find(watching.told[0], "eth0")),
                ElementsAre("192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "2001:db8::1/64"));
    EXPECT_EQ(watching.monitor->state(), watching.told[0]);

    ip("route del default");
    watching.run_for(600ms);
    ASSERT_EQ(watching.told.size(), 2u);
    EXPECT_THAT(watching.told[1].default_routes, IsEmpty());
    ip("link set eth1 down");
    watching.run_for(600ms);
    ASSERT_GE(watching.told.size(), 3u);
    EXPECT_FALSE(find(watching.told.back(), "eth0")->up);
  });
}

TEST(NetworkMonitor, DoesNotTellWhatIsAsBeforeOrOurOwn) {
  IN_NAMESPACE({
    make_pair_of_interfaces();
    Watching watching({.ignored_interface = "trellis9"});
    watching.run_for(400ms);
    watching.told.clear();
    ip("addr add 192.0.2.9/24 dev eth0");
    ip("addr del 192.0.2.9/24 dev eth0");
    ip("route add 198.51.100.0/24 via 192.0.2.254");
    const Tun tun = Tun::create("trellis9").value();
    Routes routes = Routes::open().value();
    ASSERT_TRUE(routes.bring_up(routes.interface_index("trellis9").value(), 1280));
    watching.run_for(600ms);
    EXPECT_THAT(watching.told, IsEmpty());
  });
}

TEST(NetworkMonitor, TellsInTheEndHoweverManyNoticesFollow) {
  IN_NAMESPACE({
    make_pair_of_interfaces();
    Watching watching({.quiet = 300ms, .delay_max = 500ms});
    watching.run_for(400ms);
    watching.told.clear();
    Timer again;
    int i = 10;
    again = watching.loop
                ->timer([&] {
                  ip("addr add 192.0.2." + std::to_string(i++) + "/24 dev eth0");
                  again.arm(boot_now() + 100ms);
                })
                .value();
    again.arm(boot_now());
    watching.run_for(1900ms);
    EXPECT_GE(watching.told.size(), 2u);
    EXPECT_LE(watching.told.size(), 4u);
  });
}

}  // namespace
}  // namespace trellis::system
