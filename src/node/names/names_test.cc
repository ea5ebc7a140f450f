#include "node/names/names.h"

#include "base/hex.h"
#include "node/names/reverse.h"

#include <gmock/gmock.h>

namespace trellis::names {
namespace {

using dns::Name;
using dns::Rcode;
using dns::Transport;
using dns::Type;
using testing::ElementsAre;
using testing::IsEmpty;

netmap::MapPeer peer(std::string name, unsigned char key,
                     std::initializer_list<const char*> addresses) {
  netmap::MapPeer result;
  result.name = std::move(name);
  result.wireguard_key.bytes.fill(std::byte{key});
  for (const char* address : addresses) result.addresses.push_back(*Prefix::parse(address));
  return result;
}

netmap::Map map_of_alice() {
  netmap::Map map;
  map.serial = 0x1'0000'0007;
  map.name = "alice";
  map.domain = "trellis.internal";
  map.addresses = {*InterfaceAddress::parse("100.92.0.1/16"),
                   *InterfaceAddress::parse("fd77:1:2:3::1/64")};
  map.peers = {peer("bob", 2, {"100.92.0.2", "fd77:1:2:3::2"}), peer("carol", 3, {"100.92.7.3"})};
  return map;
}

/// What stands in an answer, for people: "bob.trellis.internal. 60 A 645c0002".
struct Answer {
  std::uint16_t flags = 0;
  std::vector<std::string> answers;
  std::vector<std::string> authorities;

  Rcode rcode() const { return static_cast<Rcode>(flags & 0xf); }
  bool authoritative() const { return (flags & 0x0400) != 0; }
};

/// Reads our own answers: names are whole or one pointer.
std::string read_name(Reader& reader, ByteView message) {
  Reader ahead = reader;
  const std::uint16_t first = ahead.read<be16>();
  if ((first & 0xc000) != 0xc000) return Name::read(reader)->to_string();
  reader.read<be16>();
  Reader target(message.subspan(first & 0x3fff));
  return Name::read(target)->to_string();
}

std::string read_record(Reader& reader, ByteView message) {
  std::string text = read_name(reader, message);
  const std::uint16_t type = reader.read<be16>();
  EXPECT_EQ(reader.read<be16>(), 1);
  const std::uint32_t ttl = reader.read<be32>();
  const std::uint16_t size = reader.read<be16>();
  Reader data(reader.bytes(size));
  text += " " + std::to_string(ttl) + " ";
  switch (static_cast<Type>(type)) {
    case Type::A:
    case Type::Aaaa:
      return text + IpAddress::from_bytes(data.bytes(size)).to_string();
    case Type::Ptr:
      return text + Name::read(data)->to_string();
    case Type::Soa: {
      text += "SOA " + Name::read(data)->to_string();
      Name::read(data);
      return text + " " + std::to_string(data.read<be32>());
    }
    case Type::Ns:
    case Type::Cname:
    case Type::Opt:
    case Type::Ixfr:
    case Type::Axfr:
    case Type::Any:
      break;
  }
  return text + "TYPE" + std::to_string(type);
}

ByteVector query(std::string_view name, Type type, std::uint16_t klass = 1) {
  ByteVector message = *from_hex("123401000001000000000000");
  append(message, Name::parse(name)->wire());
  append(message, bytes_of(be16(static_cast<std::uint16_t>(type))));
  append(message, bytes_of(be16(klass)));
  return message;
}

Answer ask(const Names& names, ByteView message) {
  const ByteVector bytes = names.answer(message, Transport::Udp).value();
  Reader reader(bytes);
  Answer answer;
  EXPECT_EQ(to_hex(reader.bytes(2)), to_hex(message.first(2)));
  answer.flags = reader.read<be16>();
  EXPECT_EQ(reader.read<be16>(), 1);
  const std::uint16_t answers = reader.read<be16>();
  const std::uint16_t authorities = reader.read<be16>();
  reader.read<be16>();
  Name::read(reader);
  reader.read<be32>();
  for (int i = 0; i < answers; ++i) answer.answers.push_back(read_record(reader, bytes));
  for (int i = 0; i < authorities; ++i) answer.authorities.push_back(read_record(reader, bytes));
  EXPECT_TRUE(reader.ok());
  return answer;
}

Answer ask(std::string_view name, Type type) {
  return ask(Names(map_of_alice()), query(name, type));
}

constexpr const char* kSoa = "trellis.internal. 10 SOA trellis.internal. 7";

TEST(Names, AnswerDigWithTheBytesThatItWants) {
  const auto answer =
      Names(map_of_alice())
          .answer(
              *from_hex(
                  "44fc0120000100000000000105616c696365077472656c6c697308696e7465726e616c0000010001"
                  "00002904d000000000000c000a00089fc35ba762d33946"),
              Transport::Udp);
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_hex(*answer),
            "44fc8580000100010000000105616c696365077472656c6c697308696e7465726e616c0000010001"
            "c00c000100010000003c0004645c000100002904d0000000000000");
}

TEST(Names, OfMachinesHaveTheirAddresses) {
  const Answer a = ask("bob.trellis.internal", Type::A);
  EXPECT_THAT(a.answers, ElementsAre("bob.trellis.internal. 60 100.92.0.2"));
  EXPECT_THAT(a.authorities, IsEmpty());
  EXPECT_TRUE(a.authoritative());
  EXPECT_EQ(a.flags, 0x8580);  // QR, AA, RD as asked, RA: nobody else need be asked
  EXPECT_THAT(ask("bob.trellis.internal", Type::Aaaa).answers,
              ElementsAre("bob.trellis.internal. 60 fd77:1:2:3::2"));
  EXPECT_THAT(ask("alice.trellis.internal", Type::A).answers,
              ElementsAre("alice.trellis.internal. 60 100.92.0.1"));
  EXPECT_THAT(
      ask("bob.trellis.internal", Type::Any).answers,
      ElementsAre("bob.trellis.internal. 60 100.92.0.2", "bob.trellis.internal. 60 fd77:1:2:3::2"));
}

TEST(Names, MindNoCaseAndGiveBackTheAskersOwn) {
  EXPECT_THAT(ask("bOB.tRELLIS.Internal", Type::A).answers,
              ElementsAre("bOB.tRELLIS.Internal. 60 100.92.0.2"));
}

TEST(Names, TellNoDataFromNoName) {
  const Answer no_data = ask("carol.trellis.internal", Type::Aaaa);
  EXPECT_EQ(no_data.rcode(), Rcode::NoError);
  EXPECT_THAT(no_data.answers, IsEmpty());
  EXPECT_THAT(no_data.authorities, ElementsAre(kSoa));
  for (const Type type : {Type::Ptr, Type::Soa, Type::Ns, Type::Cname, static_cast<Type>(65)}) {
    EXPECT_EQ(ask("bob.trellis.internal", type).rcode(), Rcode::NoError);
    EXPECT_THAT(ask("bob.trellis.internal", type).authorities, ElementsAre(kSoa));
  }
  for (const char* name : {"dave.trellis.internal", "a.bob.trellis.internal",
                           "bob.bob.trellis.internal", "*.trellis.internal"}) {
    const Answer none = ask(name, Type::A);
    EXPECT_EQ(none.rcode(), Rcode::NxDomain) << name;
    EXPECT_TRUE(none.authoritative());
    EXPECT_THAT(none.authorities, ElementsAre(kSoa));
  }
}

TEST(Names, HaveAZone) {
  EXPECT_THAT(ask("trellis.internal", Type::Soa).answers, ElementsAre(kSoa));
  EXPECT_THAT(ask("trellis.internal", Type::Soa).authorities, IsEmpty());
  const Answer no_data = ask("trellis.internal", Type::A);
  EXPECT_EQ(no_data.rcode(), Rcode::NoError);
  EXPECT_THAT(no_data.authorities, ElementsAre(kSoa));
}

TEST(Names, OfAddressesAreFoundInBothFamilies) {
  EXPECT_THAT(ask("2.0.92.100.in-addr.arpa", Type::Ptr).answers,
              ElementsAre("2.0.92.100.in-addr.arpa. 60 bob.trellis.internal."));
  const std::string v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.7.7.d.F.IP6.arpa";
  EXPECT_THAT(ask(v6, Type::Ptr).answers, ElementsAre(v6 + ". 60 alice.trellis.internal."));
}

TEST(Names, OfUnknownAddressesDoNotExist) {
  constexpr const char* kReverseSoa = "92.100.in-addr.arpa. 10 SOA trellis.internal. 7";
  const Answer none = ask("9.0.92.100.in-addr.arpa", Type::Ptr);
  EXPECT_EQ(none.rcode(), Rcode::NxDomain);
  EXPECT_THAT(none.authorities, ElementsAre(kReverseSoa));
  // Names below it: it exists, without data. [RFC 8020]
  const Answer between = ask("7.92.100.in-addr.arpa", Type::Ptr);
  EXPECT_EQ(between.rcode(), Rcode::NoError);
  EXPECT_THAT(between.authorities, ElementsAre(kReverseSoa));
  EXPECT_EQ(ask("8.92.100.in-addr.arpa", Type::Ptr).rcode(), Rcode::NxDomain);
  EXPECT_THAT(ask("92.100.in-addr.arpa", Type::Soa).answers, ElementsAre(kReverseSoa));
  EXPECT_EQ(ask("2.0.92.100.in-addr.arpa", Type::A).rcode(), Rcode::NoError);
}

TEST(Names, OfOthersAreRefused) {
  for (const char* name :
       {"example.com", ".", "internal", "bob", "trellis.internal.example", "100.in-addr.arpa",
        "1.0.93.100.in-addr.arpa", "in-addr.arpa", "arpa", "1.0.0.127.in-addr.arpa",
        "02.0.92.100.in-addr.arpa", "x.0.92.100.in-addr.arpa", "1.2.0.92.100.in-addr.arpa",
        "256.0.92.100.in-addr.arpa", "ip6.arpa", "7.7.d.f.ip6.arpa", "localhost"}) {
    const Answer answer = ask(name, Type::A);
    EXPECT_EQ(answer.rcode(), Rcode::Refused) << name;
    EXPECT_EQ(answer.flags, 0x8105);  // neither AA nor RA: ask another
    EXPECT_THAT(answer.answers, IsEmpty());
    EXPECT_THAT(answer.authorities, IsEmpty());
  }
}

TEST(Names, AreNotCopiedNorAskedInOtherClasses) {
  EXPECT_EQ(ask("trellis.internal", Type::Axfr).rcode(), Rcode::Refused);
  EXPECT_EQ(ask("trellis.internal", Type::Ixfr).rcode(), Rcode::Refused);
  const Names names(map_of_alice());
  EXPECT_EQ(ask(names, query("bob.trellis.internal", Type::A, /*CH*/ 3)).rcode(), Rcode::Refused);
  EXPECT_EQ(ask(names, query("bob.trellis.internal", Type::A, /*ANY*/ 255)).answers.size(), 1u);
}

TEST(Names, RefuseEverythingBeforeThereIsAMap) {
  EXPECT_EQ(ask(Names(), query("bob.trellis.internal", Type::A)).rcode(), Rcode::Refused);
  EXPECT_EQ(ask(Names(), query(".", Type::Ns)).rcode(), Rcode::Refused);
}

TEST(Names, SpeakNoLaterEdns) {
  ByteVector message = query("bob.trellis.internal", Type::A);
  message[11] = std::byte{1};
  append(message, *from_hex("00002904d0000100000000"));
  const auto answer = Names(map_of_alice()).answer(message, Transport::Udp);
  EXPECT_EQ(to_hex(ByteView(*answer).last(11)), "00002904d0010000000000");
  EXPECT_EQ(to_hex(ByteView(*answer).subspan(2, 10)), "81000001000000000001");
}

TEST(Names, AnswerWhatTheyCannotReadAndNotWhatIsNoQuery) {
  const Names names(map_of_alice());
  EXPECT_EQ(to_hex(*names.answer(*from_hex("123401000000000000000000"), Transport::Udp)),
            "123481010000000000000000");
  EXPECT_FALSE(names.answer(*from_hex("123481000000000000000000"), Transport::Tcp));
  EXPECT_FALSE(names.answer({}, Transport::Tcp));
}

TEST(Names, OfALongDomainAskForTcp) {
  netmap::Map map = map_of_alice();
  const std::string label(60, 'd');
  map.domain = label + "." + label + "." + label;
  const Names names(map);
  const ByteVector message = query("x." + map.domain, Type::A);
  const ByteVector cut = *names.answer(message, Transport::Udp);
  EXPECT_EQ(cut[2] & std::byte{2}, std::byte{2});
  EXPECT_EQ(cut.size(), message.size());
  EXPECT_GT(names.answer(message, Transport::Tcp)->size(), 512u);
}

TEST(Reverse, ZonesHoldNoForeignAddress) {
  const Prefix odd = *Prefix::parse("100.92.128.0/17");
  const Name name = *Name::parse("9.200.92.100.in-addr.arpa");
  EXPECT_EQ(reverse_zone(name, odd).to_string(), "200.92.100.in-addr.arpa.");
  EXPECT_EQ(reverse_zone(name, *Prefix::parse("100.92.0.0/16")).to_string(),
            "92.100.in-addr.arpa.");
  netmap::Map map = map_of_alice();
  map.addresses = {*InterfaceAddress::parse("100.92.200.9/17")};
  map.peers.clear();
  const Names names(map);
  EXPECT_EQ(ask(names, query("9.200.92.100.in-addr.arpa", Type::Ptr)).answers.size(), 1u);
  EXPECT_EQ(ask(names, query("9.100.92.100.in-addr.arpa", Type::Ptr)).rcode(), Rcode::Refused);
  EXPECT_EQ(ask(names, query("92.100.in-addr.arpa", Type::Ptr)).rcode(), Rcode::Refused);
  EXPECT_EQ(ask(names, query("1.201.92.100.in-addr.arpa", Type::Ptr)).rcode(), Rcode::NxDomain);
  EXPECT_EQ(ask(names, query("201.92.100.in-addr.arpa", Type::Ptr)).rcode(), Rcode::NoError);
}

TEST(Reverse, NamesStandForPrefixes) {
  const auto prefix = [](std::string_view text) {
    const auto result = prefix_of(*Name::parse(text));
    return result ? result->to_string() : "none";
  };
  EXPECT_EQ(prefix("4.7.92.100.in-addr.arpa"), "100.92.7.4/32");
  EXPECT_EQ(prefix("92.100.IN-ADDR.ARPA"), "100.92.0.0/16");
  EXPECT_EQ(prefix("7.7.d.f.ip6.arpa"), "fd77::/16");
  EXPECT_EQ(prefix("a.7.7.D.f.ip6.arpa"), "fd77:a000::/20");
  for (const char* text : {"in-addr.arpa", "ip6.arpa", "1.2.3.4.5.in-addr.arpa", "g.ip6.arpa",
                           "10.ip6.arpa", "-1.in-addr.arpa", "1.in-addr.arpa.example", "."}) {
    EXPECT_EQ(prefix(text), "none") << text;
  }
}

}  // namespace
}  // namespace trellis::names
