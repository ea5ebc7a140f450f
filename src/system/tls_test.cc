#include "system/tls.h"

#include "base/hex.h"
#include "system/secure_file.h"
#include "system/stream_pair_test.h"

#include <sys/stat.h>

namespace trellis::system {
namespace {

using TlsTest = StreamTest;

void put(const std::string& path, std::string_view text) {
  ASSERT_TRUE(write_file_atomically(path, as_bytes(text), 0600));
}

TEST_F(TlsTest, AServersGroupIsPreferredEvenIfTheClientListsItLast) {
  listen();
  StreamEnd client;
  auto options = pinned();
  options.groups = "X25519:X25519MLKEM768";
  join(client, server(), options);
  EXPECT_TRUE(client.connected) << client.closed.value_or("");
  EXPECT_EQ(client.stream.tls().group, "X25519MLKEM768");
}

TEST_F(TlsTest, AClientWithoutThePostQuantumGroupIsServedAndMarked) {
  listen();
  StreamEnd client;
  auto options = pinned();
  options.groups = "X25519";
  join(client, server(), options);
  ASSERT_TRUE(client.connected) << client.closed.value_or("");
  EXPECT_FALSE(accepted_.front().stream.tls().post_quantum());
}

TEST_F(TlsTest, AServerWithoutThePostQuantumGroupIsRefused) {
  const ServerTls classical =
      ServerTls::load({folder_.file("tls.crt"), folder_.file("tls.key"), "X25519"}).value();
  listen_with(&classical);
  StreamEnd client;
  join(client, server(), pinned());
  EXPECT_FALSE(client.connected);
  EXPECT_TRUE(contains(client.closed.value_or(""), "X25519MLKEM768")) << *client.closed;
  EXPECT_TRUE(accepted_.empty());
}

TEST_F(TlsTest, AnotherKeyThanThePinnedOneIsRefusedAndBothAreNamed) {
  listen();
  StreamEnd client;
  auto options = pinned();
  (*options.pinned_key)[5] ^= std::byte{1};
  join(client, server(), options);
  EXPECT_FALSE(client.connected);
  EXPECT_TRUE(contains(*client.closed, to_hex(*options.pinned_key))) << *client.closed;
  EXPECT_TRUE(contains(*client.closed, to_hex(server_tls_->fingerprint()))) << *client.closed;
  EXPECT_TRUE(contains(*client.closed, "join line")) << *client.closed;
  EXPECT_TRUE(run_until([&] { return listener_->counters().failed_handshakes == 1; }));
  EXPECT_TRUE(accepted_.empty());
}

TEST_F(TlsTest, WithoutAPinTheChainAndTheNameAreLookedAt) {
  listen();
  const std::string own = folder_.file("tls.crt");
  StreamEnd trusted;
  join(trusted, server(), ClientTls::Options{.server_name = "localhost", .authorities_file = own});
  EXPECT_TRUE(trusted.connected) << trusted.closed.value_or("");
  StreamEnd by_address;
  join(by_address, server(),
       ClientTls::Options{.server_name = "127.0.0.1", .authorities_file = own});
  EXPECT_TRUE(by_address.connected) << by_address.closed.value_or("");
  StreamEnd other_name;
  join(other_name, server(),
       ClientTls::Options{.server_name = "example.org", .authorities_file = own});
  EXPECT_TRUE(contains(other_name.closed.value_or(""), "not trusted"));
  StreamEnd unknown;
  join(unknown, server(), ClientTls::Options{.server_name = "localhost"});
  EXPECT_TRUE(contains(unknown.closed.value_or(""), "not trusted"));
}

TEST_F(TlsTest, TheKeyStaysAndALostCertificateIsMadeAgain) {
  const TlsFingerprint first = server_tls_->fingerprint();
  struct stat info{};
  ASSERT_EQ(::stat(folder_.file("tls.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(ServerTls::load_or_create(folder_.path(), {}).value().fingerprint(), first);
  ASSERT_TRUE(remove_file(folder_.file("tls.crt")));
  EXPECT_EQ(ServerTls::load_or_create(folder_.path(), {"a", "b c", ""}).value().fingerprint(),
            first);
  ASSERT_TRUE(remove_file(folder_.file("tls.key")));
  EXPECT_NE(ServerTls::load_or_create(folder_.path(), {}).value().fingerprint(), first);
}

TEST_F(TlsTest, RenewedFilesServeNewConnectionsAndBadOnesNone) {
  const TemporaryFolder renewed;
  const TlsFingerprint other = ServerTls::load_or_create(renewed.path(), {}).value().fingerprint();
  listen();
  StreamEnd before;
  join(before);
  EXPECT_FALSE(server_tls_->files_changed());

  put(folder_.file("tls.crt"), "no certificate");
  EXPECT_TRUE(server_tls_->files_changed());
  EXPECT_FALSE(server_tls_->reload());
  EXPECT_FALSE(server_tls_->files_changed());
  StreamEnd still;
  join(still);
  EXPECT_TRUE(still.connected);

  for (const char* name : {"tls.crt", "tls.key"}) {
    ASSERT_EQ(::rename(renewed.file(name).c_str(), folder_.file(name).c_str()), 0);
  }
  EXPECT_TRUE(server_tls_->files_changed());
  ASSERT_TRUE(server_tls_->reload());
  EXPECT_EQ(server_tls_->fingerprint(), other);
  StreamEnd after;
  join(after);
  EXPECT_TRUE(after.connected);
  before.send("goes on");
  EXPECT_TRUE(run_until([&] { return accepted_.front().received == "goes on"; }));
}

TEST_F(TlsTest, WhatIsWrongWithTheFilesIsSaid) {
  const TemporaryFolder second;
  ASSERT_TRUE(ServerTls::load_or_create(second.path(), {}));
  const auto load = [&](const std::string& certificate, const std::string& key) {
    const auto loaded = ServerTls::load({certificate, key});
    return loaded ? std::string() : loaded.error().message;
  };
  const std::string certificate = folder_.file("tls.crt");
  const std::string key = folder_.file("tls.key");
  EXPECT_EQ(load(certificate, key), "");
  EXPECT_TRUE(contains(load(certificate, second.file("tls.key")), "does not belong"));
  EXPECT_TRUE(contains(load(certificate, folder_.file("none")), folder_.file("none")));
  EXPECT_TRUE(contains(load(key, key), "no certificate"));
  EXPECT_TRUE(contains(load(certificate, certificate), "no private key"));
  put(folder_.file("locked.key"),
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBBVb2gqcqJlZ2cWVwzJ\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_TRUE(contains(load(certificate, folder_.file("locked.key")), "locked.key"));
  EXPECT_FALSE(ClientTls::create({.server_name = ""}));
  EXPECT_FALSE(ClientTls::create({.server_name = "a", .authorities_file = folder_.file("none")}));
  EXPECT_FALSE(ClientTls::create({.pinned_key = TlsFingerprint{}, .groups = "NoSuchGroup"}));
}

}  // namespace
}  // namespace trellis::system
