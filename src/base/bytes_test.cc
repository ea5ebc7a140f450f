#include "base/bytes.h"

#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

struct Header {
  le32 type;
  be16 port;
  be64 counter;
};
static_assert(WireLayout<Header> && sizeof(Header) == 14);
static_assert(!WireLayout<std::uint16_t>, "alignment 2");
static_assert(!WireLayout<std::string>, "not trivially copyable");
static_assert(le32(0x01020304) == 0x01020304);
static_assert(sizeof(le16) == 2 && sizeof(be64) == 8 && alignof(be64) == 1);

TEST(WireInteger, LiesInMemoryInItsOrder) {
  EXPECT_EQ(to_hex(bytes_of(le16(0x0102))), "0201");
  EXPECT_EQ(to_hex(bytes_of(be16(0x0102))), "0102");
  EXPECT_EQ(to_hex(bytes_of(le32(0x01020304))), "04030201");
  EXPECT_EQ(to_hex(bytes_of(be32(0x01020304))), "01020304");
  EXPECT_EQ(to_hex(bytes_of(le64(0x0102030405060708))), "0807060504030201");
  EXPECT_EQ(to_hex(bytes_of(be64(0x0102030405060708))), "0102030405060708");
}

TEST(WireInteger, GivesBackWhatWasPut) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x80},
                                    std::uint64_t{0xff00}, ~std::uint64_t{0}}) {
    EXPECT_EQ(le64(value), value);
    EXPECT_EQ(be64(value), value);
    EXPECT_EQ(le16(static_cast<std::uint16_t>(value)), static_cast<std::uint16_t>(value));
    EXPECT_EQ(be16(static_cast<std::uint16_t>(value)), static_cast<std::uint16_t>(value));
  }
}

TEST(Reader, ReadsFrontToBack) {
  const auto bytes = *from_hex("040302010506000000000000000911");
  Reader reader(bytes);
  const auto header = reader.read<Header>();
  EXPECT_EQ(header.type, 0x01020304U);
  EXPECT_EQ(header.port, 0x0506);
  EXPECT_EQ(header.counter, 9U);
  EXPECT_FALSE(reader.at_end());
  EXPECT_EQ(reader.remaining(), 1U);
  EXPECT_EQ(to_hex(reader.bytes(1)), "11");
  EXPECT_TRUE(reader.at_end());
  EXPECT_TRUE(reader.bytes(0).empty());
  EXPECT_TRUE(reader.ok());
}

TEST(Reader, YieldsZerosAfterTheFirstShortfall) {
  const auto bytes = *from_hex("0102030405");
  Reader reader(bytes);
  EXPECT_EQ(reader.read<be16>(), 0x0102);
  EXPECT_EQ(reader.read<be32>(), 0U);  // three bytes are left
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.read<be16>(), 0) << "also what would have fitted";
  EXPECT_TRUE(reader.bytes(1).empty());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.at_end()) << "an end that was passed";
}

TEST(Reader, RefusesAnAbsurdLength) {
  const auto bytes = *from_hex("0102");
  Reader reader(bytes);
  EXPECT_TRUE(reader.bytes(~std::size_t{0}).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, OfNothingIsAtItsEnd) {
  Reader reader({});
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.read<le64>(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, AreAppendedCopiedAndZeroised) {
  ByteVector bytes;
  append(bytes, as_bytes("ab"));
  append(bytes, {});
  append(bytes, as_bytes("c"));
  EXPECT_EQ(to_hex(bytes), "616263");
  EXPECT_EQ(to_array<2>(ByteView(bytes).first(2)), (Bytes<2>{std::byte{0x61}, std::byte{0x62}}));
  EXPECT_EQ(to_vector(bytes), bytes);
  zeroise(MutableByteView(bytes).first(2));
  EXPECT_EQ(to_hex(bytes), "000063");
  zeroise({});
}

}  // namespace
}  // namespace trellis
