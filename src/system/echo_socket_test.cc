#include "system/echo_socket.h"

#include "system/clock.h"

#include <gtest/gtest.h>

#include <array>

namespace trellis::system {
namespace {

class EchoSocketTest : public ::testing::TestWithParam<const char*> {};

TEST_P(EchoSocketTest, GetsTheAnswersOfLoopbackInOrder) {
  auto socket = EchoSocket::open(*IpAddress::parse(GetParam()));
  if (!socket) GTEST_SKIP() << socket.error().message;
  for (const std::uint16_t sequence : std::array<std::uint16_t, 3>{1, 2, 65535}) {
    const TimePoint sent = boot_now();
    ASSERT_TRUE(socket->send(sequence));
    const auto answer = socket->receive(sent + 2s);
    ASSERT_TRUE(answer);
    ASSERT_TRUE(answer->has_value());
    EXPECT_EQ((*answer)->sequence, sequence);
    EXPECT_GE((*answer)->arrived, sent);
  }
  EXPECT_FALSE(socket->receive(boot_now() + 1ms).value());  // and no more than was asked for
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, EchoSocketTest, ::testing::Values("127.0.0.1", "::1"));

}  // namespace
}  // namespace trellis::system
