#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

TEST(Hex, IsWrittenInLowerCase) {
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(to_hex(as_bytes(std::string_view("\x00\x7f\x80\xff", 4))), "007f80ff");
}

TEST(Hex, IsReadInEitherCase) {
  EXPECT_EQ(from_hex(""), ByteVector());
  EXPECT_EQ(from_hex("00aBFf"), (ByteVector{std::byte{0}, std::byte{0xab}, std::byte{0xff}}));
}

TEST(Hex, RefusesEverythingElse) {
  for (const std::string_view text : {"0", "000", "0g", "g0", "0x00", " 00", "00 ", "0 0", "-1",
                                      "+1", "00\n", "/0", ":0", "@0", "`0", "G0", "\xc3\xa9"}) {
    EXPECT_FALSE(from_hex(text).has_value()) << text;
  }
  EXPECT_FALSE(from_hex(std::string_view("0\0", 2)).has_value());
}

TEST(Hex, FillsAnArrayOfItsExactSize) {
  EXPECT_EQ(array_from_hex<2>("0102"), (Bytes<2>{std::byte{1}, std::byte{2}}));
  EXPECT_FALSE(array_from_hex<2>("01").has_value());
  EXPECT_FALSE(array_from_hex<2>("010203").has_value());
  EXPECT_FALSE(array_from_hex<2>("01zz").has_value());
}

// [RFC 4648 10]
TEST(Base64, IsThatOfRfc4648) {
  const std::pair<std::string_view, std::string_view> cases[] = {{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"}};
  for (const auto& [text, encoded] : cases) {
    EXPECT_EQ(to_base64(as_bytes(text)), encoded);
    EXPECT_EQ(from_base64(encoded), to_vector(as_bytes(text)));
  }
  EXPECT_EQ(to_base64(as_bytes("\xfb\xff\xbf")), "+/+/");
  EXPECT_EQ(from_base64("+/+/"), to_vector(as_bytes("\xfb\xff\xbf")));
}

TEST(Base64, GivesBackBytesOfEveryLengthAndValue) {
  ByteVector bytes;
  for (unsigned i = 0; i < 600; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes) << i;
    bytes.push_back(static_cast<std::byte>((i * 7) & 0xff));
  }
}

TEST(Base64, RefusesWhatIsMalformed) {
  const struct {
    const char* name;
    std::string_view text;
  } cases[] = {
      {"no padding", "Zg"},
      {"half a padding", "Zg="},
      {"three digits", "Zm8"},
      {"one digit", "Z"},
      {"one digit, padded", "Z==="},
      {"only padding", "===="},
      {"padding, then a digit", "Zg=v"},
      {"padding in the middle", "Zg==Zm9v"},
      {"padding too long", "Zm9v===="},
      {"unused bits set, one byte", "Zh=="},
      {"unused bits set, two bytes", "Zm9="},
      {"white space", "Zm9 "},
      {"a line break at the end", "Zm9v\n"},
      {"a line break inside", "Zm9v\nZm9v"},
      {"the alphabet for URLs", "-_-_"},
      {"a letter that is none", "Zm9\xc3"},
      {"a zero", std::string_view("Zm9\0", 4)},
  };
  for (const auto& c : cases) EXPECT_FALSE(from_base64(c.text).has_value()) << c.name;
}

TEST(Base64, FillsAnArrayOfItsExactSize) {
  EXPECT_EQ(array_from_base64<1>("Zg=="), Bytes<1>{std::byte{'f'}});
  EXPECT_FALSE(array_from_base64<2>("Zg==").has_value());
  EXPECT_FALSE(array_from_base64<1>("Zg").has_value());
}

}  // namespace
}  // namespace trellis
