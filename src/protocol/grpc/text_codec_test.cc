#include "protocol/grpc/text_codec.h"

#include <gtest/gtest.h>

namespace trellis::grpc {
namespace {

TEST(TextCodec, WritesBase64AsRfc4648) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
  }
}

TEST(TextCodec, ReadsBase64WithPaddingAndNothingElse) {
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_EQ(decode_base64("Zm8="), "fo");
  for (const char* text :
       {"Z", "Zg=", "Z===", "====", "Zm9v=", "Zh", "Zm9", "Z g", "Zm9v\n", "-_-_"}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

TEST(TextCodec, PercentEncodesWhatIsNotPrintable) {
  EXPECT_EQ(percent_encode("a b%\n\xc3\xbc~"), "a b%25%0A%C3%BC~");
  EXPECT_EQ(percent_decode("a b%25%0A%C3%BC~"), "a b%\n\xc3\xbc~");
  EXPECT_EQ(percent_decode("%c3%Bc"), "\xc3\xbc");
  EXPECT_EQ(percent_decode("100% %z1 %1"), "100% %z1 %1");
}

TEST(TextCodec, WritesTimeoutsInEightDigitsRoundedUp) {
  const std::pair<Duration, const char*> cases[] = {{1ns, "1n"},
                                                    {99'999'999ns, "99999999n"},
                                                    {100'000'000ns, "100000u"},
                                                    {100'000'001ns, "100001u"},
                                                    {30s, "30000000u"},
                                                    {1h, "3600000m"},
                                                    {24h * 365, "31536000S"},
                                                    {24h * 365 * 100, "52560000M"}};
  for (const auto& [timeout, text] : cases) EXPECT_EQ(format_timeout(timeout), text);
}

TEST(TextCodec, ReadsTimeouts) {
  EXPECT_EQ(parse_timeout("1n"), 1ns);
  EXPECT_EQ(parse_timeout("30S"), 30s);
  EXPECT_EQ(parse_timeout("0m"), 0ns);
  EXPECT_EQ(parse_timeout("2M"), 2min);
  EXPECT_EQ(parse_timeout("5u"), 5us);
  EXPECT_EQ(parse_timeout("99999999H"), 24h * 365) << "at most a year";
  for (const char* text : {"", "S", "1", "123456789S", "-1S", "+1S", " 1S", "1s", "1.5S", "0x1S"}) {
    EXPECT_FALSE(parse_timeout(text)) << text;
  }
}

}  // namespace
}  // namespace trellis::grpc
