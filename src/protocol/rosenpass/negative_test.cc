// What is refused of each message, in every dialect: a field that was changed, a length that is
// wrong, a message that comes again, late, or from before a restart.

#include "protocol/rosenpass/biscuit.h"
#include "testing/rosenpass/world.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trellis::rosenpass {
namespace {

struct Spoken {
  const char* name;
  const crypto::Suite& (*suite)();
  Version version;
};
const Spoken kSpoken[] = {
    {"blake2b_188", &crypto::suite_rosenpass, Version::V02},
    {"blake2b_156", &crypto::suite_rosenpass_156, Version::V02},
    {"shake256_188", &crypto::suite_rosenpass, Version::V03},
    {"shake256_156", &crypto::suite_rosenpass_156, Version::V03},
};

/// A field of a message that is changed, and what is said of it.
struct Field {
  const char* name;
  std::size_t size;
  Drop wrong;
};

/// The first end begins; each message is handed over by the test.
class Negative : public ::testing::TestWithParam<Spoken> {
 protected:
  Negative() : world_({.suite = &GetParam().suite(), .dialect = {.version = GetParam().version}}) {
    world_.introduce_first();
  }

  End& first() { return world_.first(); }
  End& second() { return world_.second(); }

  ByteVector take(End& from) {
    from.handle_timeout(now_);
    auto out = from.poll_transmit();
    CHECK(out);
    ByteVector bytes = std::move(out->bytes);
    while (from.poll_transmit()) {
    }
    return bytes;
  }
  void give(End& to, ByteView datagram) {
    to.handle_datagram(now_, &to == &first() ? kSecond : kFirst, datagram);
  }
  /// The answer to it, which must come.
  ByteVector answer_of(End& to, ByteView datagram) {
    give(to, datagram);
    return take(to);
  }

  ByteVector with_mac(ByteVector datagram, const End& to) {
    const bool for_first = &to == &first();
    const ByteView key = (for_first ? world_.keys().first : world_.keys().second).public_key;
    const StaticPublicKey receiver(key, GetParam().version);
    const auto mac =
        message_mac(receiver.mac_key, ByteView(datagram).first(datagram.size() - kTrailerSize));
    std::ranges::copy(mac, datagram.end() - kTrailerSize);
    return datagram;
  }

  /// Changes each field behind the first four bytes in turn, and the mac; nothing may come of it.
  void refuse_each(End& to, const ByteVector& message, const std::vector<Field>& fields) {
    std::size_t at = 4;
    for (const Field& field : fields) {
      for (const std::size_t offset : {at, at + field.size / 2, at + field.size - 1}) {
        SCOPED_TRACE(std::string(field.name) + " at " + std::to_string(offset));
        ByteVector changed = message;
        changed[offset] ^= std::byte{0x10};
        expect_drop(to, changed, Drop::BadMac);
        expect_drop(to, with_mac(std::move(changed), to), field.wrong);
      }
      at += field.size;
    }
    ASSERT_EQ(at, message.size() - kTrailerSize) << "all fields are named";
    for (std::size_t i = 0; i < kMacSize; ++i) {
      ByteVector changed = message;
      changed[at + i] ^= std::byte{1};
      expect_drop(to, changed, Drop::BadMac);
    }
  }

  void expect_drop(End& to, ByteView datagram, Drop reason) {
    now_ += 200ms;  // what strangers may cost is not the question here
    const std::uint64_t before = to.dropped(reason);
    give(to, datagram);
    EXPECT_EQ(to.dropped(reason), before + 1) << name(reason);
    EXPECT_FALSE(to.poll_transmit());
    EXPECT_EQ(to.history.size(), keys_known_);
  }

  /// Cut and grown up to a fifth.
  void refuse_lengths(End& to, const ByteVector& message) {
    for (std::size_t size = 0; size <= message.size() * 6 / 5; ++size) {
      if (size == message.size()) continue;
      ByteVector changed = message;
      changed.resize(size);
      if (size > kTrailerSize) changed = with_mac(std::move(changed), to);
      const Drop reason = size == 0 ? Drop::UnknownType : Drop::WrongLength;
      const std::uint64_t before = to.dropped(reason);
      give(to, changed);
      ASSERT_EQ(to.dropped(reason), before + 1) << size;
      ASSERT_FALSE(to.poll_transmit()) << size;
    }
  }

  World world_;
  TimePoint now_ = world_.net.now();
  std::size_t keys_known_ = 0;
  const crypto::KemSizes static_sizes_ = GetParam().suite().static_kem->sizes();
  const crypto::KemSizes ephemeral_sizes_ = GetParam().suite().ephemeral_kem->sizes();
};

TEST_P(Negative, AnInitHelloIsRefusedWithAnyFieldChanged) {
  const ByteVector hello = take(first());
  refuse_each(second(), hello,
              {{"sidi", 4, Drop::BadHello},
               {"epki", ephemeral_sizes_.public_key, Drop::BadHello},
               {"sctr", static_sizes_.ciphertext, Drop::BadHello},
               {"pidi_ct", kSealedPidSize, Drop::BadHello},
               {"auth", 16, Drop::BadAuth}});
  EXPECT_TRUE(is(MessageType::RespHello, answer_of(second(), hello)));
}

TEST_P(Negative, ARespHelloIsRefusedWithAnyFieldChanged) {
  const ByteVector answer = answer_of(second(), take(first()));
  refuse_each(first(), answer,
              {{"sidr", 4, Drop::BadAuth},
               {"sidi", 4, Drop::UnknownSession},
               {"ecti", ephemeral_sizes_.ciphertext, Drop::BadAuth},
               {"scti", static_sizes_.ciphertext, Drop::BadAuth},
               {"auth", 16, Drop::BadAuth},
               {"biscuit", kBiscuitSize, Drop::BadAuth}});
  EXPECT_TRUE(is(MessageType::InitConf, answer_of(first(), answer)));
}

TEST_P(Negative, AnInitConfIsRefusedWithAnyFieldChanged) {
  const ByteVector conf = answer_of(first(), answer_of(second(), take(first())));
  refuse_each(second(), conf,
              {{"sidi", 4, Drop::BadBiscuit},
               {"sidr", 4, Drop::BadBiscuit},
               {"biscuit", kBiscuitSize, Drop::BadBiscuit},
               {"auth", 16, Drop::BadAuth}});
  EXPECT_TRUE(is(MessageType::EmptyData, answer_of(second(), conf)));
}

TEST_P(Negative, AnEmptyDataIsRefusedWithAnyFieldChanged) {
  const ByteVector empty =
      answer_of(second(), answer_of(first(), answer_of(second(), take(first()))));
  refuse_each(first(), empty,
              {{"sid", 4, Drop::UnknownSession},
               {"counter", 8, Drop::BadAuth},
               {"auth", 16, Drop::BadAuth}});
  give(first(), empty);
  EXPECT_TRUE(world_.agree());
}

TEST_P(Negative, EveryWrongLengthIsRefused) {
  const ByteVector hello = take(first());
  refuse_lengths(second(), hello);
  const ByteVector answer = answer_of(second(), hello);
  refuse_lengths(first(), answer);
  const ByteVector conf = answer_of(first(), answer);
  refuse_lengths(second(), conf);
  const ByteVector empty = answer_of(second(), conf);
  refuse_lengths(first(), empty);
  give(first(), empty);
  EXPECT_TRUE(world_.agree());
}

TEST_P(Negative, ARepeatedInitConfIsAcknowledgedAndMakesNoSecondKey) {
  const ByteVector conf = answer_of(first(), answer_of(second(), take(first())));
  const ByteVector empty = answer_of(second(), conf);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answer_of(second(), conf), empty);
  EXPECT_EQ(second().history.size(), 1U);
}

TEST_P(Negative, AnOldBiscuitIsRefusedAfterALaterOne) {
  const ByteVector hello = take(first());
  const ByteVector old_conf = answer_of(first(), answer_of(second(), hello));
  const ByteVector later = answer_of(second(), hello);  // a later biscuit for the same InitHello
  world_.restart_first();
  first().add_peer(now_, kSecond);
  const ByteVector conf = answer_of(first(), answer_of(second(), take(first())));
  EXPECT_FALSE(later.empty());
  EXPECT_TRUE(is(MessageType::EmptyData, answer_of(second(), conf)));
  keys_known_ = 1;
  expect_drop(second(), old_conf, Drop::DeadBiscuit);
}

TEST_P(Negative, ABiscuitIsRefusedWhenItsKeyIsErased) {
  const ByteVector conf = answer_of(first(), answer_of(second(), take(first())));
  now_ += 2 * kBiscuitEpoch;
  second().handle_timeout(now_);
  expect_drop(second(), conf, Drop::BadBiscuit);
  world_.restart_second();
  second().add_peer(now_, std::nullopt);
  expect_drop(second(), conf, Drop::BadBiscuit);
}

/// A key that was never made is not a key of zeros.
TEST_P(Negative, ABiscuitUnderAnEmptySlotIsRefused) {
  const Version version = GetParam().version;
  const StaticPublicKey receiver(world_.keys().second.public_key, version);
  const crypto::SymmetricKey zeros(Bytes<32>{});
  const SessionId sid{};
  testing::SeededRandom random(1);
  const Biscuit biscuit{peer_hash(world_.keys().first.public_key, version), 1,
                        crypto::ChainingKey(Bytes<32>{})};
  const InitConf conf{
      sid,
      sid,
      seal_biscuit(zeros, biscuit_additional_data(receiver, sid, sid), biscuit, random),
      {}};
  const ByteVector datagram = Layout(GetParam().suite()).write(conf, receiver.mac_key);
  expect_drop(second(), datagram, Drop::BadBiscuit);
  (void)answer_of(second(), take(first()));  // now one of its two slots has a key
  expect_drop(second(), datagram, Drop::BadBiscuit);
}

INSTANTIATE_TEST_SUITE_P(Dialects, Negative, ::testing::ValuesIn(kSpoken),
                         [](const auto& spoken) { return std::string(spoken.param.name); });

}  // namespace
}  // namespace trellis::rosenpass
