#include "base/secret.h"

#include "base/hex.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <ostream>

// Memory that a SecretBuffer gave back cannot be looked at; so it is looked at while it is given
// back. The test program's own `delete` does that.
namespace {
const void* g_watched = nullptr;  // start of the memory that a test waits for
std::size_t g_watched_size = 0;
bool g_was_freed = false;
bool g_was_wiped = false;

void give_back(void* memory) noexcept {
  if (memory != nullptr && memory == g_watched) {
    g_was_freed = true;
    g_was_wiped = true;
    const auto* bytes = static_cast<const volatile unsigned char*>(memory);
    for (std::size_t i = 0; i < g_watched_size; ++i) g_was_wiped = g_was_wiped && bytes[i] == 0;
    g_watched = nullptr;
  }
  std::free(memory);  // NOLINT: this is operator delete
}
}  // namespace

void* operator new(std::size_t size) {
  void* memory = std::malloc(size);  // NOLINT: this is operator new
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }

namespace trellis {
namespace {

using Key = SecretBytes<struct KeyTag, 32>;
using OtherKey = SecretBytes<struct OtherKeyTag, 32>;

template <class T>
concept Streamable = requires(std::ostream& stream, const T& value) { stream << value; };

static_assert(!std::is_copy_constructible_v<Key> && !std::is_copy_assignable_v<Key>);
static_assert(std::is_nothrow_move_constructible_v<Key> && std::is_nothrow_move_assignable_v<Key>);
static_assert(!std::is_default_constructible_v<Key>, "no key that is zero by accident");
static_assert(!fmt::is_formattable<Key>::value && !Streamable<Key>);
static_assert(!std::equality_comparable<Key> && !std::three_way_comparable<Key>);
static_assert(!std::is_constructible_v<Key, OtherKey> &&
              !std::is_constructible_v<Key, const OtherKey&>);
static_assert(!std::is_assignable_v<Key&, OtherKey> &&
              !std::is_assignable_v<Key&, const OtherKey&>);
static_assert(!std::is_convertible_v<std::span<const std::byte, 32>, Key>, "only by name");
static_assert(!std::is_convertible_v<Key, ByteView>, "only by expose()");

static_assert(!std::is_copy_constructible_v<SecretBuffer>);
static_assert(!std::is_copy_assignable_v<SecretBuffer>);
static_assert(std::is_nothrow_move_constructible_v<SecretBuffer>);
static_assert(!fmt::is_formattable<SecretBuffer>::value && !Streamable<SecretBuffer>);
static_assert(!std::equality_comparable<SecretBuffer>);
static_assert(!std::is_convertible_v<SecretBuffer, ByteView>);

Bytes<32> pattern() {
  Bytes<32> bytes;
  bytes.fill(std::byte{0xa5});
  return bytes;
}

const std::string kPattern = to_hex(pattern());
const std::string kZeros(64, '0');

/// Memory of the test's own in which an object lives and dies. (volatile: reading after its death
/// is what we want.)
class Grave {
 public:
  void* place() { return memory_; }
  std::string hex() const {
    Bytes<sizeof(Key)> copy;
    for (std::size_t i = 0; i < copy.size(); ++i) {
      copy[i] = static_cast<std::byte>(static_cast<const volatile unsigned char*>(memory_)[i]);
    }
    return to_hex(copy);
  }

 private:
  alignas(Key) unsigned char memory_[sizeof(Key)] = {};
};

TEST(SecretBytes, IsWipedWhenItDies) {
  static_assert(sizeof(Key) == 32, "nothing but the bytes lies there");
  Grave grave;
  Key* key = new (grave.place()) Key(pattern());
  EXPECT_EQ(grave.hex(), kPattern);
  key->~Key();
  EXPECT_EQ(grave.hex(), kZeros);
}

TEST(SecretBytes, IsWipedWhenItIsMovedAway) {
  Grave grave;
  Key* key = new (grave.place()) Key(pattern());
  Key constructed(std::move(*key));
  EXPECT_EQ(grave.hex(), kZeros);
  EXPECT_EQ(to_hex(constructed.expose()), kPattern);
  *key = std::move(constructed);
  EXPECT_EQ(grave.hex(), kPattern);
  Key assigned = Key::zero();
  assigned = std::move(*key);
  EXPECT_EQ(grave.hex(), kZeros);
  EXPECT_EQ(to_hex(assigned.expose()), kPattern);
  key->~Key();
}

TEST(SecretBytes, SurvivesAMoveToItself) {
  Key key(pattern());
  Key& same = key;
  key = std::move(same);
  EXPECT_EQ(to_hex(key.expose()), kPattern);
}

TEST(SecretBytes, IsClonedAndMadeInPlace) {
  const Key key = Key::make([](std::span<std::byte, 32> target) { target[0] = std::byte{1}; });
  const Key clone = key.clone();
  EXPECT_EQ(to_hex(clone.expose()), "01" + std::string(62, '0'));
  EXPECT_EQ(to_hex(key.expose()), to_hex(clone.expose()));
}

/// Waits for the memory of `buffer` to be given back.
void watch(const SecretBuffer& buffer) {
  g_watched = buffer.expose().data();
  g_watched_size = buffer.size();
  g_was_freed = false;
  g_was_wiped = false;
}

TEST(SecretBuffer, IsWipedBeforeItsMemoryIsGivenBack) {
  {
    const SecretBuffer buffer{ByteView(pattern())};
    watch(buffer);
  }
  EXPECT_TRUE(g_was_freed);
  EXPECT_TRUE(g_was_wiped);
}

TEST(SecretBuffer, IsWipedWhenAnotherTakesItsPlace) {
  SecretBuffer buffer{ByteView(pattern())};
  watch(buffer);
  buffer = SecretBuffer(100);
  EXPECT_TRUE(g_was_freed);
  EXPECT_TRUE(g_was_wiped);
  EXPECT_EQ(buffer.size(), 100U);
}

TEST(SecretBuffer, IsMoreThanPlainBytesWhichAreNotWiped) {  // or the two tests above could not fail
  {
    auto plain = std::make_unique<ByteVector>(32, std::byte{0xa5});
    g_watched = plain->data();
    g_watched_size = plain->size();
    g_was_freed = false;
    g_was_wiped = false;
  }
  EXPECT_TRUE(g_was_freed);
  EXPECT_FALSE(g_was_wiped);
}

TEST(SecretBuffer, MovesItsMemoryAndLeavesNothing) {
  SecretBuffer source{ByteView(pattern())};
  const std::byte* memory = source.expose().data();
  SecretBuffer target(std::move(source));
  EXPECT_EQ(target.expose().data(), memory);
  // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): that is what is tested
  EXPECT_EQ(source.size(), 0U);
  SecretBuffer& same = target;
  target = std::move(same);
  EXPECT_EQ(to_hex(target.expose()), kPattern);
  EXPECT_EQ(to_hex(target.clone().expose()), kPattern);
  EXPECT_NE(target.clone().expose().data(), memory);
}

}  // namespace
}  // namespace trellis
