#include "protocol/dns/stream.h"

#include "base/hex.h"

#include <gtest/gtest.h>

namespace trellis::dns {
namespace {

TEST(Stream, HasALengthInFrontOfEachMessage) {
  EXPECT_EQ(to_hex(frame(*from_hex("aabbcc"))), "0003aabbcc");
  EXPECT_EQ(to_hex(frame({})), "0000");
  EXPECT_EQ(frame(ByteVector(65535)).size(), 65537u);
}

TEST(StreamReader, TakesMessagesHoweverTheyAreCut) {
  ByteVector bytes = frame(*from_hex("aabbcc"));
  append(bytes, frame({}));
  append(bytes, frame(*from_hex("dd")));
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    StreamReader reader(16);
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.receive(ByteView(bytes).subspan(at, std::min(step, bytes.size() - at)));
      while (const auto message = reader.next()) seen += to_hex(*message) + ";";
    }
    EXPECT_EQ(seen, "aabbcc;;dd;") << step;
    EXPECT_FALSE(reader.failed());
  }
}

TEST(StreamReader, FailsAtAMessageThatIsTooLongBeforeItCame) {
  StreamReader reader(3);
  reader.receive(frame(*from_hex("aabbcc")));
  EXPECT_TRUE(reader.next());
  reader.receive(*from_hex("0004"));
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.failed());
  reader.receive(frame(*from_hex("aa")));
  EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace trellis::dns
