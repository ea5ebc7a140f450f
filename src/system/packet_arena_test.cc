#include "system/packet_arena.h"

#include <gtest/gtest.h>

namespace trellis::system {
namespace {

TEST(PacketArena, PacketsAreApartAndAligned) {
  PacketArena arena({.bytes = 8192, .headroom = 64, .tailroom = 80});
  const MutableByteView first = arena.take(100);
  const MutableByteView second = arena.take(1);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(second.size(), 1u);
  EXPECT_GE(second.data() - first.data(), 100 + 80 + 64);
  for (const MutableByteView packet : {first, second}) {
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(packet.data()) % 64, 0u);
  }
}

TEST(PacketArena, HasNoMoreRoomThanMemory) {
  PacketArena arena({.bytes = 4096, .headroom = 64, .tailroom = 80});
  EXPECT_EQ(arena.room().size(), 4096u - 64 - 80);
  const std::byte* const start = arena.room().data();
  while (arena.room().size() >= 500) arena.take(500);
  if (!arena.room().empty()) arena.take(arena.room().size());
  EXPECT_TRUE(arena.room().empty());
  arena.clear();
  EXPECT_EQ(arena.room().data(), start);
  arena.take(4096 - 64 - 80);
  EXPECT_TRUE(arena.room().empty());
}

}  // namespace
}  // namespace trellis::system
