#include "protocol/wireguard/session.h"

#include "protocol/wireguard/constants.h"

#include <gtest/gtest.h>

namespace trellis::wireguard {
namespace {

crypto::SymmetricKey key(std::uint8_t number) {
  Bytes<32> bytes;
  bytes.fill(std::byte{number});
  return crypto::SymmetricKey(bytes);
}

Session session(Role role, std::uint64_t first_counter) {
  const bool initiator = role == Role::Initiator;
  return {SessionKeys{.send = key(initiator ? 1 : 2),
                      .receive = key(initiator ? 2 : 1),
                      .local = SessionIndex{initiator ? 1U : 2U},
                      .remote = SessionIndex{initiator ? 2U : 1U},
                      .role = role},
          KeyId{0}, TimePoint{}, first_counter};
}

/// A message of `sender`'s with ten bytes of text, or nothing.
std::optional<ByteVector> sealed(Session& sender) {
  ByteVector buffer(10 + kDataOverhead);
  const auto message = sender.seal(MutableByteView(buffer).subspan(sizeof(DataHeader), 10));
  if (!message) return std::nullopt;
  return buffer;
}

TEST(Session, UsesTheLastCounterAndNoneAfterIt) {
  Session sender = session(Role::Initiator, kRejectAfterMessages - 1);
  Session receiver = session(Role::Responder, 0);
  ASSERT_TRUE(sender.can_send(TimePoint{}));
  auto last = sealed(sender);
  ASSERT_TRUE(last);
  EXPECT_FALSE(sender.can_send(TimePoint{}));
  EXPECT_EQ(sealed(sender), std::nullopt);
  const auto message = parse(*last);
  ASSERT_TRUE(message);
  EXPECT_TRUE(receiver.open(std::get<DataMessage>(*message), *last));
}

TEST(Session, OpensNothingWithACounterThatNobodyMayUse) {
  Session sender = session(Role::Initiator, 0);
  Session receiver = session(Role::Responder, 0);
  auto bytes = sealed(sender);
  for (const std::uint64_t counter : {kRejectAfterMessages, ~std::uint64_t{0}}) {
    const le64 word = counter;
    std::memcpy(bytes->data() + 8, &word, sizeof word);
    const auto message = parse(*bytes);
    ASSERT_TRUE(message);
    const auto opened = receiver.open(std::get<DataMessage>(*message), *bytes);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), OpenError::Expired);
  }
}

TEST(Session, EitherRoleAsksForASuccessorAfterSoManyMessages) {
  for (const Role role : {Role::Initiator, Role::Responder}) {
    Session sender = session(role, kRekeyAfterMessages - 1);
    ASSERT_TRUE(sealed(sender));
    EXPECT_FALSE(sender.wants_rekey_after_send(TimePoint{}, kRekeyAfterTime));
    ASSERT_TRUE(sealed(sender));
    EXPECT_TRUE(sender.wants_rekey_after_send(TimePoint{}, kRekeyAfterTime));
  }
}

}  // namespace
}  // namespace trellis::wireguard
