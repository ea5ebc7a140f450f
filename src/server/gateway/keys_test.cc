#include "server/gateway/fixture_test.h"
#include "server/management/key_store.h"

#include <gmock/gmock.h>

namespace trellis::server {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

class KeysTest : public GatewayTest {
 protected:
  KeysTest() : bob(world.machine("bob")), client(world.connect(bob)) {
    EXPECT_TRUE(client.log_in(everybody).ok());
  }
  ByteView key() const { return bob.rosenpass; }

  Machine& bob;
  Client& client;
};

TEST_F(KeysTest, TakesAKeyInPiecesAndGivesItToOthers) {
  World::Member alice = world.join("alice");
  const auto up = client.upload(key(), 0);
  EXPECT_TRUE(client.status_of(up).ok());
  EXPECT_EQ(client.upload_reply(up).offset(), World::kKeyBytes);
  EXPECT_TRUE(client.upload_reply(up).complete());
  const auto down = alice.client->fetch(bob.key_name);
  EXPECT_TRUE(alice.client->status_of(down).ok());
  EXPECT_EQ(alice.client->fetched(down), bob.rosenpass);
  const auto rest = alice.client->fetch(bob.key_name, 99'000);
  EXPECT_EQ(alice.client->fetched(rest).size(), 1'000U);
  ASSERT_TRUE(client.log_in().ok());
  EXPECT_FALSE(client.login.trellis().key_wanted()) << "once is enough";
}

TEST_F(KeysTest, ResumesAnUploadWhereItEnded) {
  client.upload(key().first(40'000), 0, /*to_the_end=*/false);
  world.cut(client);
  Client& again = world.connect(bob);
  ASSERT_TRUE(again.log_in().ok());
  EXPECT_TRUE(again.login.trellis().key_wanted());
  EXPECT_EQ(again.login.trellis().key_offset(), 40'000U);
  EXPECT_TRUE(again.upload_reply(again.upload(key().subspan(40'000), 40'000)).complete());
}

TEST_F(KeysTest, TellsWhereToGoOnIfTheOffsetIsWrong) {
  client.upload(key().first(40'000), 0);
  const auto call = client.upload(key().subspan(30'000), 30'000);
  EXPECT_TRUE(client.status_of(call).ok());
  EXPECT_EQ(client.upload_reply(call).offset(), 40'000U);
  EXPECT_FALSE(client.upload_reply(call).complete());
}

TEST_F(KeysTest, ResumesAfterARestartOfTheServer) {
  client.upload(key().first(40'000), 0, /*to_the_end=*/false);
  world.crash();
  world.start();
  Client& again = world.connect(bob);
  ASSERT_TRUE(again.log_in().ok());
  EXPECT_EQ(again.login.trellis().key_offset(), 40'000U);
}

TEST_F(KeysTest, TakesOnlyTheKeyOfThatName) {
  ByteVector other = bob.rosenpass;
  other[World::kKeyBytes / 2] ^= std::byte{1};
  const auto call = client.upload(other, 0);
  EXPECT_EQ(client.status_of(call).code, StatusCode::InvalidArgument);
  EXPECT_EQ(world.files.size(bob.key_name), 0U) << "it is not kept";
  EXPECT_TRUE(client.upload_reply(client.upload(key(), 0)).complete());
}

TEST_F(KeysTest, TakesNoByteMoreThanAKeyHas) {
  ByteVector longer = bob.rosenpass;
  longer.resize(World::kKeyBytes + 1);
  const auto call = client.upload(longer, 0);
  EXPECT_EQ(client.status_of(call).code, StatusCode::InvalidArgument);
  EXPECT_LE(world.files.size(bob.key_name), World::kKeyBytes);
  EXPECT_FALSE(world.files.is_complete(bob.key_name));
}

TEST_F(KeysTest, TakesNoKeyButTheOneOfTheLogin) {
  const Machine& other = world.machine("x");
  bob.key_name = other.key_name;  // after the login
  EXPECT_EQ(client.status_of(client.upload(other.rosenpass, 0)).code, StatusCode::PermissionDenied);
  EXPECT_EQ(world.files.size(other.key_name), 0U);
}

TEST_F(KeysTest, TakesNothingOfStrangers) {
  Client& stranger = world.connect(bob);
  stranger.server_key();
  EXPECT_EQ(stranger.status_of(stranger.upload(key(), 0)).code, StatusCode::PermissionDenied);
  EXPECT_EQ(stranger.status_of(stranger.fetch(bob.key_name)).code, StatusCode::PermissionDenied);
}

TEST_F(KeysTest, ServesOnlyKeysOfTheMap) {
  World::Member alice = world.join("alice");
  const auto code = [&](const KeyName& name) {
    return alice.client->status_of(alice.client->fetch(name)).code;
  };
  EXPECT_EQ(code(bob.key_name), StatusCode::NotFound) << "not here yet";
  EXPECT_EQ(code(KeyName{}), StatusCode::NotFound);
  client.upload(key(), 0);
  EXPECT_EQ(code(bob.key_name), StatusCode::Ok);
  world.ask({{"command", "peer remove"}, {"peer", "bob"}});
  EXPECT_EQ(code(bob.key_name), StatusCode::NotFound);
}

TEST_F(KeysTest, OfTwoUploadsTheNewerCounts) {
  const auto first = client.upload(key().first(40'000), 0, /*to_the_end=*/false);
  const auto second = client.upload(key().subspan(40'000), 40'000);
  EXPECT_EQ(client.status_of(first).code, StatusCode::Aborted);
  EXPECT_TRUE(client.upload_reply(second).complete());
}

TEST_F(KeysTest, ASlowReaderKeepsLittleOfTheKeyInMemory) {
  World::Member alice = world.join("alice");
  client.upload(key(), 0);
  alice.client->server_key();
  // Its requests arrive, but it takes nothing.
  std::vector<grpc::CallId> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(alice.client->grpc.start(world.now, control::kKeyFetch));
    wire::keys::FetchRequest request;
    request.set_key_name(std::string(reinterpret_cast<const char*>(bob.key_name.data()), 33));
    alice.client->grpc.send_message(calls.back(), as_bytes(request.SerializeAsString()));
  }
  for (auto bytes = alice.client->grpc.poll_transmit(); !bytes.empty();
       bytes = alice.client->grpc.poll_transmit()) {
    world.gateway->receive(world.now, alice.client->id, bytes);
  }
  EXPECT_LE(world.queued_bytes(*alice.client), 8 * (64U + 33U) * 1024);
  world.run();
  for (const auto call : calls) EXPECT_EQ(alice.client->fetched(call), bob.rosenpass);
}

TEST_F(KeysTest, AMemberMayNotFetchWithoutEnd) {
  World::Member alice = world.join("alice");
  client.upload(key(), 0);
  const auto fetch = [&](std::uint32_t offset = 0) {
    const auto call = alice.client->fetch(bob.key_name, offset);
    return alice.client->status_of(call).code;
  };
  const int burst = static_cast<int>(KeyStore::kFetchedKeysBurst);
  for (int i = 0; i < burst; ++i) ASSERT_EQ(fetch(), StatusCode::Ok) << i;
  EXPECT_EQ(fetch(), StatusCode::ResourceExhausted);
  Client& again = world.connect(*alice.machine);
  ASSERT_TRUE(again.log_in().ok());
  EXPECT_EQ(again.status_of(again.fetch(bob.key_name)).code, StatusCode::ResourceExhausted)
      << "the member counts, not the connection";
  alice.client = &again;
  world.advance(1s);
  EXPECT_EQ(fetch(World::kKeyBytes / 10 * 9), StatusCode::Ok) << "a tenth of a key";
  EXPECT_EQ(fetch(), StatusCode::ResourceExhausted);
  world.advance(5s);
  EXPECT_EQ(fetch(), StatusCode::Ok);
  World::Member carol = world.join("carol");
  EXPECT_EQ(carol.client->status_of(carol.client->fetch(bob.key_name)).code, StatusCode::Ok);
}

TEST_F(KeysTest, ADiskThatIsFullIsSaid) {
  world.files.set_failure("no space left on device");
  const auto status = client.status_of(client.upload(key(), 0));
  EXPECT_EQ(status.code, StatusCode::Unavailable);
  EXPECT_THAT(status.message, HasSubstr("the server cannot store"));
  EXPECT_THAT(status.message, Not(HasSubstr("no space left on device"))) << "where, is not theirs";
  world.files.set_failure("");
  world.store.set_failure("no space left on device");
  EXPECT_EQ(client.status_of(client.upload(key(), 0)).code, StatusCode::Unavailable);
  world.store.set_failure("");
  ASSERT_TRUE(client.log_in().ok());
  EXPECT_FALSE(client.login.trellis().key_wanted()) << "it was all here, only not noted";
  EXPECT_EQ(world.peer("bob")["post_quantum_key"], "here");
}

TEST_F(KeysTest, AKeyThatWasLostIsWantedAgain) {
  client.upload(key(), 0);
  ASSERT_TRUE(world.files.remove(bob.key_name));
  ASSERT_TRUE(client.log_in().ok());
  EXPECT_TRUE(client.login.trellis().key_wanted());
  EXPECT_TRUE(client.upload_reply(client.upload(key(), 0)).complete());
}

TEST_F(KeysTest, KeysThatNobodyNamesAreRemovedWhenTheServerStarts) {
  World::Member alice = world.join("alice");
  client.upload(key().first(40'000), 0, /*to_the_end=*/false);
  const KeyName nobodys{std::byte{1}, std::byte{2}};
  ASSERT_TRUE(world.files.append(nobodys, 0, as_bytes("what a crash left")));
  world.crash();
  world.start();
  EXPECT_EQ(world.files.size(nobodys), 0U);
  EXPECT_TRUE(world.files.is_complete(alice.machine->key_name));
  EXPECT_EQ(world.files.size(bob.key_name), 40'000U) << "named, and not whole yet";
}

}  // namespace
}  // namespace trellis::server
