#include "protocol/dns/name.h"

#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis::dns {
namespace {

Name name(std::string_view text) { return Name::parse(text).value(); }

std::optional<Name> read(ByteView bytes) {
  Reader reader(bytes);
  auto result = Name::read(reader);
  return result && reader.at_end() ? result : std::nullopt;
}

TEST(Name, IsLabelsAfterTheirLengths) {
  const Name alice = name("alice.trellis.internal");
  EXPECT_EQ(to_hex(alice.wire()), "05616c696365077472656c6c697308696e7465726e616c00");
  EXPECT_EQ(alice.to_string(), "alice.trellis.internal.");
  EXPECT_EQ(name("alice.trellis.internal."), alice);
  EXPECT_EQ(name(".").to_string(), ".");
  EXPECT_EQ(Name(), name("."));
  EXPECT_EQ(alice.labels().size(), 3u);
  EXPECT_EQ(alice.labels()[1], "trellis");
  EXPECT_EQ(read(alice.wire()), alice);
}

TEST(Name, ComparesWithoutCaseAndKeepsIt) {
  EXPECT_EQ(name("Alice.TRELLIS.internal"), name("alice.trellis.Internal"));
  EXPECT_EQ(name("ALICE").to_string(), "ALICE.");
  EXPECT_FALSE(name("alice") == name("alicf"));
  EXPECT_FALSE(name("a.b") == name("ab"));
}

TEST(Name, HasTheLimitsOfTheWire) {
  const std::string label(63, 'a');
  EXPECT_TRUE(Name::parse(label));
  EXPECT_FALSE(Name::parse(label + "a"));
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_TRUE(Name::parse(longest));
  EXPECT_EQ(name(longest).wire().size(), 255u);
  EXPECT_EQ(read(name(longest).wire()), name(longest));
  EXPECT_FALSE(Name::parse(longest + "b"));
  for (const char* text : {"", "..", "a..b", ".a", "a.."}) EXPECT_FALSE(Name::parse(text)) << text;
}

TEST(Name, ReadFromTheWireIsNeverCutShortCompressedOrTooLong) {
  const char* cases[] = {
      "",          // nothing
      "05616c69",  // a label cut short
      "0161",      // no end
      "c000",      // a pointer
      "0161c000",  // one after a label
      "4161",      // the reserved kinds of labels
      "8161",
  };
  for (const char* hex : cases) EXPECT_FALSE(read(*from_hex(hex))) << hex;
  ByteVector endless;
  for (int i = 0; i < 128; ++i) append(endless, *from_hex("0161"));
  endless.push_back(std::byte{0});
  EXPECT_FALSE(read(endless));
  endless.erase(endless.begin(), endless.begin() + 2);
  EXPECT_TRUE(read(endless));  // 255 bytes
}

TEST(Name, ShowsForeignBytesAsNumbers) {
  const auto odd = read(*from_hex("05612e1b5c2000"));
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->to_string(), "a\\046\\027\\092\\032.");
}

TEST(Name, IsWithinAZoneByWholeLabels) {
  const Name zone = name("trellis.internal");
  EXPECT_TRUE(name("Trellis.Internal").is_within(zone));
  EXPECT_TRUE(name("a.b.trellis.internal").is_within(zone));
  EXPECT_FALSE(name("xtrellis.internal").is_within(zone));
  EXPECT_FALSE(name("internal").is_within(zone));
  EXPECT_FALSE(name("trellis.internal.example").is_within(zone));
  EXPECT_TRUE(zone.is_within(Name()));
  // The bytes of the zone, but inside of a label.
  const auto sly = read(*from_hex("1261077472656c6c697308696e7465726e616c00"));
  ASSERT_TRUE(sly);
  EXPECT_FALSE(sly->is_within(zone));
}

TEST(Name, HasSuffixes) {
  const Name alice = name("alice.trellis.internal");
  EXPECT_EQ(alice.suffix(2), name("trellis.internal"));
  EXPECT_EQ(alice.suffix(0), Name());
  EXPECT_EQ(alice.suffix(9), alice);
}

}  // namespace
}  // namespace trellis::dns
