#include "protocol/rosenpass/messages.h"

#include <gtest/gtest.h>

namespace trellis::rosenpass {
namespace {

TEST(Layout, AcceptsExactlyTheLengthsOfThePaper) {
  const Layout layout(crypto::suite_rosenpass());
  struct Case {
    std::uint8_t type;
    std::optional<std::size_t> size;
  };
  const Case cases[] = {{0x00, std::nullopt}, {0x01, std::nullopt}, {0x04, std::nullopt},
                        {0x80, std::nullopt}, {0x81, 1092},         {0x82, 1132},
                        {0x83, 176},          {0x84, 64},           {0x85, std::nullopt},
                        {0x86, 1092},         {0x87, std::nullopt}, {0xff, std::nullopt}};
  for (const Case& c : cases) {
    for (std::size_t length = 0; length <= 1400; ++length) {
      ByteVector datagram(length);
      if (length > 0) datagram[0] = std::byte{c.type};
      const auto message = layout.parse(datagram);
      ASSERT_EQ(message.has_value(), length > 0 && length == c.size)
          << int{c.type} << " " << length;
      if (message) continue;
      const bool known = length > 0 && c.type >= 0x81 && c.type <= 0x86 && c.type != 0x85;
      const bool unsupported = length > 0 && c.type == 0x85;
      ASSERT_EQ(message.error(), known         ? Drop::WrongLength
                                 : unsupported ? Drop::Unsupported
                                               : Drop::UnknownType);
    }
  }
}

TEST(Layout, TellsItsDatagramsFromOthers) {
  const Layout layout(crypto::suite_rosenpass());
  const auto accepts = [&](std::uint8_t type, std::size_t length) {
    ByteVector datagram(length);
    if (length > 0) datagram[0] = std::byte{type};
    return layout.accepts(datagram);
  };
  EXPECT_TRUE(accepts(0x81, 1092));
  EXPECT_TRUE(accepts(0x84, 64));
  EXPECT_TRUE(accepts(0x86, 1092)) << "a CookieReply is as long as an InitHello";
  EXPECT_FALSE(accepts(0x81, 1091));
  EXPECT_FALSE(accepts(0x85, 1092));
  EXPECT_FALSE(accepts(0x01, 148)) << "WireGuard's";
  EXPECT_FALSE(accepts(0x81, 0));
}

TEST(Layout, WritesWhatItReads) {
  const Layout layout(crypto::suite_rosenpass());
  const MacKey mac_key{Version::V02, {std::byte{7}}};
  const ByteVector ecti(768, std::byte{1});
  const ByteVector scti(188, std::byte{2});
  RespHello message{.sidr = {{std::byte{3}}}, .sidi = {{std::byte{4}}}, .ecti = ecti, .scti = scti};
  message.auth.fill(std::byte{5});
  message.biscuit_ct.fill(std::byte{6});
  const ByteVector datagram = layout.write(message, mac_key);
  const auto again = layout.parse(datagram);
  ASSERT_TRUE(again);
  const auto& read = std::get<RespHello>(*again);
  EXPECT_EQ(read.sidr, message.sidr);
  EXPECT_EQ(read.sidi, message.sidi);
  EXPECT_EQ(to_vector(read.ecti), ecti);
  EXPECT_EQ(to_vector(read.scti), scti);
  EXPECT_EQ(read.auth, message.auth);
  EXPECT_EQ(read.biscuit_ct, message.biscuit_ct);
  EXPECT_TRUE(has_valid_mac(datagram, mac_key));
}

TEST(Mac, CoversEverythingBeforeItAndNothingBehind) {
  const Layout layout(crypto::suite_rosenpass());
  const MacKey mac_key{Version::V02, {std::byte{7}}};
  const ByteVector datagram = layout.write(EmptyData{}, mac_key);
  for (std::size_t i = 0; i < datagram.size(); ++i) {
    ByteVector changed = datagram;
    changed[i] ^= std::byte{0x40};
    EXPECT_EQ(has_valid_mac(changed, mac_key), i >= datagram.size() - 16) << i;
  }
}

}  // namespace
}  // namespace trellis::rosenpass
