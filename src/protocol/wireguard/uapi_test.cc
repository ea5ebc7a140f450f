#include "protocol/wireguard/uapi.h"

#include "base/hex.h"
#include "crypto/x25519.h"
#include "testing/random.h"

#include <gmock/gmock.h>

namespace trellis::wireguard::uapi {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr TimePoint kNow{100s};
constexpr WallTime kWallNow{1'700'000'100'000'000'000};
const std::string kPrivate = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
const std::string kPeerA = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
const std::string kPeerB = "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376";
const std::string kPsk = "188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52";

class Counting final : public TimestampSource {
 public:
  Tai64n next() override { return Tai64n::from_unix(WallTime{++last_}); }

 private:
  std::int64_t last_ = 0;
};

class Uapi : public ::testing::Test {
 protected:
  Errno set_lines(const std::string& lines) { return set(device, kNow, lines).error; }
  std::string text() const { return get(device, {}, kNow, kWallNow); }
  PeerId peer(const std::string& key) const {
    return *device.find_peer(crypto::PublicKey{*array_from_hex<32>(key)});
  }

  trellis::testing::SeededRandom random{1};
  Counting timestamps;
  Device device{Config{}, random, timestamps};
};

TEST_F(Uapi, TellsWhatWasSet) {
  const auto result =
      set(device, kNow,
          "private_key=" + kPrivate + "\nlisten_port=12912\nfwmark=0x10\n" +
              "replace_peers=true\npublic_key=" + kPeerA + "\npreshared_key=" + kPsk +
              "\nreplace_allowed_ips=true\nallowed_ip=192.168.4.4/32\n" +
              "endpoint=[2607:5300:60:6b0::c05f:543]:51820\npublic_key=" + kPeerB +
              "\nallowed_ip=192.168.4.6/30\nallowed_ip=fd00::/64\n" +
              "persistent_keepalive_interval=111\nendpoint=182.122.22.19:3233\n\n");
  EXPECT_EQ(result.error, Errno::Ok);
  EXPECT_EQ(result.changes.listen_port, 12912);
  EXPECT_EQ(result.changes.fwmark, 16U);
  while (device.poll_transmit()) {
  }
  EXPECT_EQ(get(device, {.listen_port = 12912, .fwmark = 16}, kNow, kWallNow),
            "private_key=" + kPrivate + "\nlisten_port=12912\nfwmark=16\npublic_key=" + kPeerA +
                "\npreshared_key=" + kPsk +
                "\nprotocol_version=1\nendpoint=[2607:5300:60:6b0::c05f:543]:51820\n"
                "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
                "persistent_keepalive_interval=0\nallowed_ip=192.168.4.4/32\npublic_key=" +
                kPeerB + "\npreshared_key=" + std::string(64, '0') +
                "\nprotocol_version=1\nendpoint=182.122.22.19:3233\n"
                "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=148\nrx_bytes=0\n"
                "persistent_keepalive_interval=111\nallowed_ip=192.168.4.4/30\n"
                "allowed_ip=fd00::/64\nerrno=0\n\n");
}

TEST_F(Uapi, TellsWhatWasDropped) {
  std::vector<std::byte> stray(40);
  const InboundDatagram datagram{*Endpoint::parse("192.0.2.1:1"), stray};
  std::vector<InboundPacket> packets;
  device.receive(kNow, {&datagram, 1}, packets);
  const std::string said = get_counters(device, "udp_too_long=3\n");
  EXPECT_THAT(said, ::testing::StartsWith("udp_too_long=3\nmalformed=1\nbad_mac1=0\n"));
  EXPECT_THAT(said, ::testing::EndsWith("too_big=0\nerrno=0\n\n"));
}

TEST_F(Uapi, AnEmptyDeviceHasNothingToTell) { EXPECT_EQ(text(), "errno=0\n\n"); }

TEST_F(Uapi, ReadsTheFirstLine) {
  EXPECT_EQ(parse_operation("get=1"), Operation::Get);
  EXPECT_EQ(parse_operation("set=1"), Operation::Set);
  EXPECT_EQ(parse_operation("get=counters"), Operation::GetCounters);
  EXPECT_EQ(parse_operation("set=2"), std::nullopt);
  EXPECT_EQ(parse_operation(""), std::nullopt);
}

TEST_F(Uapi, RefusesWhatIsWrong) {
  const std::string peer_line = "public_key=" + kPeerA + "\n";
  struct Case {
    const char* name;
    std::string lines;
    Errno error;
  };
  const Case cases[] = {
      {"no equals sign", "private_key\n", Errno::Protocol},
      {"unknown interface key", "colour=red\n", Errno::Invalid},
      {"unknown peer key", peer_line + "colour=red\n", Errno::Invalid},
      {"interface key after a peer", peer_line + "listen_port=1\n", Errno::Invalid},
      {"short private key", "private_key=" + kPrivate.substr(2) + "\n", Errno::Invalid},
      {"private key in base64",
       "private_key=6EtabScXwQA6E7QxVwNT26ypFGzxUMX4V1aA/rpSAnoAAAAAAAAAAAAAAAAAAAA=\n",
       Errno::Invalid},
      {"port too big", "listen_port=65536\n", Errno::Invalid},
      {"port negative", "listen_port=-1\n", Errno::Invalid},
      {"port with junk", "listen_port=1x\n", Errno::Invalid},
      {"port empty", "listen_port=\n", Errno::Invalid},
      {"mark too big", "fwmark=4294967296\n", Errno::Invalid},
      {"replace_peers false", "replace_peers=false\n", Errno::Invalid},
      {"not a public key", "public_key=12\n", Errno::Invalid},
      {"update_only false", peer_line + "update_only=false\n", Errno::Invalid},
      {"remove false", peer_line + "remove=0\n", Errno::Invalid},
      {"endpoint without port", peer_line + "endpoint=1.2.3.4\n", Errno::Invalid},
      {"endpoint with a name", peer_line + "endpoint=localhost:1\n", Errno::Invalid},
      {"keepalive too long", peer_line + "persistent_keepalive_interval=65536\n", Errno::Invalid},
      {"keepalive off", peer_line + "persistent_keepalive_interval=off\n", Errno::Invalid},
      {"prefix too long", peer_line + "allowed_ip=10.0.0.0/33\n", Errno::Invalid},
      {"prefix without length", peer_line + "allowed_ip=10.0.0.0\n", Errno::Invalid},
      {"protocol 2", peer_line + "protocol_version=2\n", Errno::Invalid},
      {"line too long", "private_key=" + std::string(1000, '0') + "\n", Errno::Protocol},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(set_lines(c.lines), c.error);
  }
}

TEST_F(Uapi, AnswersWithNegativeErrno) {
  EXPECT_EQ(answer(Errno::Ok), "errno=0\n\n");
  EXPECT_EQ(answer(Errno::Invalid), "errno=-22\n\n");
  EXPECT_EQ(answer(Errno::PortInUse), "errno=-98\n\n");
}

TEST_F(Uapi, KeepsWhatWasDoneBeforeAnError) {
  const auto result =
      set(device, kNow, "private_key=" + kPrivate + "\nlisten_port=7\ncolour=red\nfwmark=1\n");
  EXPECT_EQ(result.error, Errno::Invalid);
  EXPECT_EQ(result.changes.listen_port, 7);
  EXPECT_EQ(result.changes.fwmark, std::nullopt);
  EXPECT_TRUE(device.private_key());
}

TEST_F(Uapi, RemovesUpdatesAndReplacesPeers) {
  EXPECT_EQ(set_lines("public_key=" + kPeerA + "\npublic_key=" + kPeerB + "\n"), Errno::Ok);
  EXPECT_THAT(device.peers(), SizeIs(2));
  EXPECT_EQ(set_lines("public_key=" + kPeerA + "\nremove=true\nallowed_ip=10.0.0.0/8\n"),
            Errno::Ok);
  EXPECT_THAT(device.peers(), SizeIs(1));
  // Not there, so nothing is updated.
  EXPECT_EQ(set_lines("public_key=" + kPeerA + "\nupdate_only=true\nallowed_ip=10.0.0.0/8\n"),
            Errno::Ok);
  EXPECT_THAT(device.peers(), SizeIs(1));
  EXPECT_EQ(set_lines("public_key=" + kPeerA + "\nallowed_ip=10.0.0.0/8\nupdate_only=true\n"),
            Errno::Ok);
  EXPECT_THAT(device.peers(), SizeIs(1));
  EXPECT_EQ(set_lines("public_key=" + kPeerB + "\nupdate_only=true\nallowed_ip=10.0.0.0/8\n"),
            Errno::Ok);
  EXPECT_THAT(device.allowed_ips(peer(kPeerB)), SizeIs(1));
  EXPECT_EQ(set_lines("replace_peers=true\npublic_key=" + kPeerA + "\n"), Errno::Ok);
  EXPECT_EQ(device.peers(), std::vector{peer(kPeerA)});
}

TEST_F(Uapi, MovesAndReplacesAllowedIps) {
  EXPECT_EQ(set_lines("public_key=" + kPeerA +
                      "\nallowed_ip=10.0.0.0/8\nallowed_ip=10.1.0.0/16\npublic_key=" + kPeerB +
                      "\nallowed_ip=10.1.0.0/16\n"),
            Errno::Ok);
  EXPECT_EQ(device.allowed_ips(peer(kPeerA)), std::vector{*Prefix::parse("10.0.0.0/8")});
  EXPECT_EQ(set_lines("public_key=" + kPeerA + "\nreplace_allowed_ips=true\n"), Errno::Ok);
  EXPECT_THAT(device.allowed_ips(peer(kPeerA)), IsEmpty());
  EXPECT_EQ(
      set_lines("public_key=" + kPeerB + "\nallowed_ip=-10.1.0.0/16\nallowed_ip=+10.2.0.0/16\n"),
      Errno::Ok);
  EXPECT_EQ(device.allowed_ips(peer(kPeerB)), std::vector{*Prefix::parse("10.2.0.0/16")});
}

TEST_F(Uapi, ForgetsTheKeysThatAreSetToZero) {
  const std::string zero(64, '0');
  EXPECT_EQ(set_lines("private_key=" + kPrivate + "\npublic_key=" + kPeerA +
                      "\npreshared_key=" + kPsk + "\n"),
            Errno::Ok);
  EXPECT_EQ(set_lines("private_key=" + zero + "\npublic_key=" + kPeerA + "\npreshared_key=" + zero +
                      "\n"),
            Errno::Ok);
  EXPECT_THAT(text(), Not(HasSubstr("private_key")));
  EXPECT_THAT(text(), HasSubstr("preshared_key=" + zero));
  EXPECT_EQ(device.public_key(), std::nullopt);
}

TEST_F(Uapi, IgnoresAPeerThatIsOurself) {
  EXPECT_EQ(set_lines("private_key=" + kPrivate + "\n"), Errno::Ok);
  const std::string own = to_hex(device.public_key()->bytes);
  EXPECT_EQ(set_lines("public_key=" + own + "\nallowed_ip=10.0.0.0/8\npublic_key=" + kPeerA + "\n"),
            Errno::Ok);
  EXPECT_THAT(device.peers(), SizeIs(1));
}

}  // namespace
}  // namespace trellis::wireguard::uapi
