#pragma once

#include "node/uplink/scripted_server_test.h"
#include "node/uplink/uplink_test.h"
#include "protocol/rosenpass/key.h"

#include <gtest/gtest.h>

namespace trellis::uplink {

inline const IpAddress kAliceAt = *IpAddress::parse("192.0.2.1");
inline const IpAddress kBobAt = *IpAddress::parse("192.0.2.2");
inline const Endpoint kServerAt = *Endpoint::parse("192.0.2.9:443");
inline constexpr const char* kGoodKey = "A2C8E62B-38F5-4553-B31E-DD66C696CEBB";
inline constexpr const char* kBadKey = "00000000-38F5-4553-B31E-DD66C696CEBB";

/// Alice, Bob, and a server, 10 ms apart.
class UplinkTest : public ::testing::Test {
 protected:
  struct Person {
    explicit Person(Random& random)
        : key(crypto::generate_private_key(random)), public_key(crypto::public_key(key)) {
      rosenpass.resize(524160);
      random.fill(rosenpass);
      name = {1, trellis::rosenpass::peer_hash(rosenpass)};
    }
    std::string key_name_field() const {
      ByteVector bytes{std::byte{name.suite}};
      append(bytes, name.pid.bytes);
      return control::to_field(bytes);
    }
    crypto::PrivateKey key;
    crypto::PublicKey public_key;
    ByteVector rosenpass;
    pair::KeyName name;
  };

  UplinkTest() {
    server_.map.set_serial(1000);
    server_.map.mutable_peer_config()->set_address("100.92.0.1/16");
    server_.map.mutable_peer_config()->set_fqdn("alice.trellis.internal");
    *server_.map.add_remote_peers() = entry(bob_, "bob", "100.92.0.2/32");
    for (const auto direction :
         {wire::management::FirewallRule::IN, wire::management::FirewallRule::OUT}) {
      auto& rule = *server_.map.add_firewall_rules();
      rule.set_peer_ip("0.0.0.0");
      rule.set_direction(direction);
      rule.set_protocol(wire::management::ALL);
    }
    server_.map.set_route_firewall_rules_is_empty(true);
  }

  static wire::management::RemotePeerConfig entry(const Person& person, const std::string& name,
                                                  const std::string& address) {
    wire::management::RemotePeerConfig result;
    result.set_wg_key(control::key_text(person.public_key));
    result.add_allowed_ips(address);
    result.set_fqdn(name + ".trellis.internal");
    result.set_trellis_key_name(person.key_name_field());
    return result;
  }

  static Options options() {
    Options result;
    result.authority = "vpn.example.org";
    result.facts.host_name = "alice";
    result.facts.system = "linux";
    result.instance.fill(std::byte{7});
    return result;
  }

  std::unique_ptr<TestAgent> make_agent(const Person& person, const IpAddress& at,
                                        Options with = options()) {
    return std::make_unique<TestAgent>(net_, streams_, at, kServerAt,
                                       Identity{person.key.clone(), person.name, person.rosenpass},
                                       std::move(with), random_);
  }

  /// Alice, whom the server knows; her line is up and her key is there.
  void start_member() {
    server_.members.insert(alice_.public_key);
    server_.keys[alice_.key_name_field()] = alice_.rosenpass;
    agent_ = make_agent(alice_, kAliceAt);
    ASSERT_TRUE(net_.run_until(1s, [&] { return agent_->has<SignalUp>(); }));
    net_.run_for(100ms);
    ASSERT_EQ(status().server, LineState::Up);
    ASSERT_TRUE(status().synced);
  }

  void give_setup_key(const char* text) {
    ASSERT_TRUE(agent_->uplink().set_setup_key(net_.now(), SecretBuffer(as_bytes(text))));
  }
  Uplink& uplink() { return agent_->uplink(); }
  Status status() { return uplink().status(); }

  template <class T>
  bool run_until_event(Duration limit) {
    return net_.run_until(limit, [&] { return agent_->has<T>(); });
  }

  testing::SeededRandom random_{7};
  testing::Sim net_{1};
  testing::StreamNet streams_{net_, 1};
  ScriptedServer server_{net_, streams_, kServerAt, random_};
  Person alice_{random_};
  Person bob_{random_};
  std::unique_ptr<TestAgent> agent_;
};

}  // namespace trellis::uplink
