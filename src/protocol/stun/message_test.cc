#include "protocol/stun/message.h"

#include "base/hex.h"
#include "protocol/stun/crc32.h"
#include "protocol/stun/message_writer.h"

#include <gtest/gtest.h>

namespace trellis::stun {
namespace {

constexpr TransactionId kTransaction = {std::byte{1}, std::byte{2}, std::byte{3}};
const ByteView kPassword = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");

ByteVector request_with_everything() {
  MessageWriter writer(Class::Request, kTransaction);
  writer.add_username("local:remote");
  writer.add_use_candidate();
  writer.add_controlling(0x0102'0304'0506'0708);
  writer.add_priority(0x7eff'ffff);
  return std::move(writer).finish(kPassword);
}

ByteVector with_attribute(std::uint16_t type, ByteView value) {
  ByteVector datagram = std::move(MessageWriter(Class::Request, kTransaction)).finish();
  datagram.resize(kHeaderSize);
  append(datagram, bytes_of(be16(type)));
  append(datagram, bytes_of(be16(static_cast<std::uint16_t>(value.size()))));
  append(datagram, value);
  datagram.resize((datagram.size() + 3) & ~std::size_t{3});
  datagram[3] = static_cast<std::byte>(datagram.size() - kHeaderSize);
  return datagram;
}

TEST(Crc32, IsThatOfZip) {
  EXPECT_EQ(crc32({as_bytes("123456789")}), 0xcbf4'3926U);
  EXPECT_EQ(crc32({as_bytes("1234"), {}, as_bytes("56789")}), 0xcbf4'3926U);
}

TEST(Message, IsReadAsItWasWritten) {
  const ByteVector datagram = request_with_everything();
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, Class::Request);
  EXPECT_EQ(message->transaction, kTransaction);
  EXPECT_EQ(message->username, "local:remote");
  EXPECT_EQ(message->priority, 0x7eff'ffffU);
  EXPECT_EQ(message->controlling, 0x0102'0304'0506'0708U);
  EXPECT_FALSE(message->controlled);
  EXPECT_TRUE(message->use_candidate);
  EXPECT_TRUE(message->has_fingerprint);
  EXPECT_TRUE(integrity_matches(*message, datagram, kPassword));
  EXPECT_FALSE(integrity_matches(*message, datagram, as_bytes("VOkJxbRl1RmTxUk/WvJxBu")));
  EXPECT_FALSE(integrity_matches(*message, datagram, {}));
}

TEST(Message, CarriesAddressesOfBothFamilies) {
  for (const char* text : {"192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}) {
    SCOPED_TRACE(text);
    const Endpoint endpoint = *Endpoint::parse(text);
    MessageWriter writer(Class::Success, kTransaction);
    writer.add_mapped_address(endpoint);
    const ByteVector datagram = std::move(writer).finish();
    const auto message = parse(datagram);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->kind, Class::Success);
    EXPECT_EQ(message->mapped_address, endpoint);
    EXPECT_FALSE(integrity_matches(*message, datagram, kPassword)) << "it has none";
  }
}

TEST(Message, CarriesErrors) {
  MessageWriter writer(Class::Error, kTransaction);
  writer.add_error(ErrorNumber::RoleConflict);
  const std::uint16_t types[] = {0x7001};
  writer.add_unknown_attributes(types);
  const auto message = parse(std::move(writer).finish(kPassword));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, Class::Error);
  EXPECT_EQ(message->error_code, 487);
}

TEST(Message, ChangedAnywhereIsRefusedByFingerprintOrIntegrity) {
  const ByteVector datagram = request_with_everything();
  const std::size_t fingerprint_at = datagram.size() - 8;
  for (std::size_t at = 0; at < datagram.size(); ++at) {
    ByteVector changed = datagram;
    changed[at] ^= std::byte{0x10};
    const auto message = parse(changed);
    const bool accepted = message && integrity_matches(*message, changed, kPassword);
    // What follows the integrity may become an attribute that nobody knows, and then says nothing.
    const bool fingerprint_is_gone = at >= fingerprint_at && message && !message->has_fingerprint;
    EXPECT_EQ(accepted, fingerprint_is_gone) << at;
    if (accepted) {
      EXPECT_EQ(message->username, "local:remote");
    }
  }
}

TEST(Message, CutAnywhereIsRefused) {
  const ByteVector datagram = request_with_everything();
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    EXPECT_FALSE(parse(ByteView(datagram).first(size))) << size;
  }
}

TEST(Message, WithoutFingerprintIsReadToItsEnd) {
  const ByteVector datagram = with_attribute(0x0006, as_bytes("name"));
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->has_fingerprint);
  EXPECT_EQ(message->username, "name");
}

TEST(Message, NamesTheAttributesThatMustBeUnderstood) {
  auto message = parse(with_attribute(0x7001, as_bytes("what")));
  ASSERT_TRUE(message);
  ASSERT_EQ(message->unknown_attribute_count, 1U);
  EXPECT_EQ(message->unknown_attributes[0], 0x7001);
  message = parse(with_attribute(0xc001, as_bytes("what")));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->unknown_attribute_count, 0U) << "optional ones need not be understood";
}

TEST(Message, WhatFollowsIntegrityIsNotBelieved) {
  ByteVector datagram = request_with_everything();
  datagram.resize(datagram.size() - 8);  // without FINGERPRINT
  append(datagram, *from_hex("0020000800010000e112a643"));
  datagram[3] = static_cast<std::byte>(datagram.size() - kHeaderSize);
  const auto message = parse(datagram);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->mapped_address);
  EXPECT_TRUE(integrity_matches(*message, datagram, kPassword));
}

TEST(Message, WrongShapesAreToldApart) {
  struct Case {
    const char* name;
    ByteVector datagram;
    ParseError error;
  };
  ByteVector longer = request_with_everything();
  longer.resize(longer.size() + 4);
  ByteVector allocate = request_with_everything();
  allocate[1] = std::byte{0x03};
  ByteVector changed = request_with_everything();
  changed.back() ^= std::byte{1};
  ByteVector overrun = with_attribute(0x0006, as_bytes("name"));
  overrun[kHeaderSize + 3] = std::byte{5};
  const ByteVector huge(kMessageBytesMax + 1);
  const Bytes<5> five{};
  const Bytes<8> unknown_family = {std::byte{0}, std::byte{3}};
  const Bytes<4> code_200 = {std::byte{0}, std::byte{0}, std::byte{2}};
  const Case cases[] = {
      {"empty", {}, ParseError::NotStun},
      {"huge", huge, ParseError::NotStun},
      {"bytes after its end", longer, ParseError::NotStun},
      {"another method", allocate, ParseError::NotBinding},
      {"a wrong fingerprint", changed, ParseError::BadFingerprint},
      {"an attribute longer than the message", overrun, ParseError::BadAttribute},
      {"a long priority", with_attribute(0x0024, five), ParseError::BadAttribute},
      {"a short tie-breaker", with_attribute(0x8029, five), ParseError::BadAttribute},
      {"a short integrity", with_attribute(0x0008, five), ParseError::BadAttribute},
      {"a long fingerprint", with_attribute(0x8028, five), ParseError::BadAttribute},
      {"an address without end", with_attribute(0x0020, five), ParseError::BadAttribute},
      {"an unknown family", with_attribute(0x0020, unknown_family), ParseError::BadAttribute},
      {"an error of class 2", with_attribute(0x0009, code_200), ParseError::BadAttribute},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto message = parse(c.datagram);
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error(), c.error);
  }
}

}  // namespace
}  // namespace trellis::stun
