#include "system/datagram_socket.h"

#include "system/output_file.h"
#include "system/program.h"
#include "system/secure_file.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace trellis::system {
namespace {

const Endpoint kLoopback{*IpAddress::parse("127.0.0.1"), 0};

void wait_readable(const DatagramSocket& socket) {
  pollfd entry{socket.descriptor(), POLLIN, 0};
  ASSERT_EQ(::poll(&entry, 1, 5000), 1);
}

TEST(DatagramSocket, CarriesDatagramsToAndFro) {
  auto one = DatagramSocket::bind(kLoopback);
  auto two = DatagramSocket::bind(kLoopback);
  ASSERT_TRUE(one && two);
  ASSERT_NE(one->local().port, 0);
  Bytes<16> buffer{};
  EXPECT_FALSE(two->receive(buffer));
  EXPECT_EQ(one->send(two->local(), as_bytes("longer than the buffer")), 0);
  EXPECT_EQ(one->send(two->local(), as_bytes("hello")), 0);
  wait_readable(*two);
  const auto received = two->receive(buffer);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->from, one->local());
  EXPECT_EQ(to_vector(received->bytes), to_vector(as_bytes("hello")));
}

TEST(DatagramSocket, OfAllAddressesSpeaksBothFamilies) {
  auto both = DatagramSocket::bind(Endpoint{*IpAddress::parse("::"), 0});
  if (!both) GTEST_SKIP() << "this host has no IPv6";
  auto v4 = DatagramSocket::bind(kLoopback);
  ASSERT_TRUE(v4);
  EXPECT_TRUE(both->reaches(v4->local().address));
  ASSERT_EQ(both->send(v4->local(), as_bytes("x")), 0);
  wait_readable(*v4);
  Bytes<16> buffer{};
  const auto received = v4->receive(buffer);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->from.port, both->local().port);
  ASSERT_EQ(v4->send(received->from, as_bytes("y")), 0);
  wait_readable(*both);
  const auto answer = both->receive(buffer);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->from, v4->local()) << "not an address that is mapped";
}

TEST(DatagramSocket, SaysThatAPortIsTaken) {
  auto one = DatagramSocket::bind(kLoopback);
  ASSERT_TRUE(one);
  const auto two = DatagramSocket::bind(one->local());
  ASSERT_FALSE(two);
  EXPECT_NE(two.error().message.find("in use"), std::string::npos) << two.error().message;
  EXPECT_FALSE(DatagramSocket::bind(Endpoint{*IpAddress::parse("192.0.2.77"), 0}));
}

TEST(OutputFile, IsWrittenWhereItIs) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/out";
  ASSERT_TRUE(write_in_place(file, as_bytes("long content"), 0600));
  ASSERT_TRUE(write_in_place(file, as_bytes("short"), 0600));
  const auto content = read_file(file, 100);
  ASSERT_TRUE(content);
  EXPECT_EQ(*content, to_vector(as_bytes("short")));
  EXPECT_TRUE(write_in_place("/dev/null", as_bytes("x"), 0600));
  EXPECT_FALSE(write_in_place(folder.path() + "/none/out", as_bytes("x"), 0600));
}

TEST(Program, ReadsWhatItIsGiven) {
  EXPECT_EQ(run_program_with_input({"sh", "-c", "read a; test \"$a\" = secret"},
                                   as_bytes("secret\n"), 10s)
                .value(),
            0);
  EXPECT_EQ(run_program_with_input({"sh", "-c", "exit 4"}, {}, 10s).value(), 4);
  EXPECT_FALSE(run_program_with_input({"/no/such/program"}, {}, 10s));
  const auto late = run_program_with_input({"sleep", "20"}, {}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().message.find("in time"), std::string::npos);
}

}  // namespace
}  // namespace trellis::system
