#include "protocol/dns/message.h"

#include "base/hex.h"

#include <gmock/gmock.h>

namespace trellis::dns {
namespace {

using testing::StartsWith;

// Sent by dig 9.18.
constexpr std::string_view kDigA =
    "44fc0120000100000000000105616c696365077472656c6c697308696e7465726e616c00000100010000"
    "2904d000000000000c000a00089fc35ba762d33946";
constexpr std::string_view kDigPtrWithoutEdns =
    "8f1f01200001000000000000013201300239320331303007696e2d61646472046172706100000c0001";
constexpr std::string_view kDigPtrDnssec =
    "7ba501200001000000000001013201300130013001300130013001300130013001300130013001300133013001300"
    "130013201300130013001310130013001300137013701640166036970360461727061"
    "00000c000100002904d000008000000c000a0008debac29fd3c1f04a";
constexpr std::string_view kDigNotify =
    "e41c21200001000000000001077472656c6c697308696e7465726e616c000006000100002904d00000000000"
    "0c000a0008874856717fcaf994";

Query parse(std::string_view hex) { return parse_query(*from_hex(hex)).value(); }

/// The answer to what is no query, in hexadecimal; "none" if there is none.
std::string refusal(std::string_view hex) {
  const auto query = parse_query(*from_hex(hex));
  if (query) return "a query";
  return query.error().answer ? to_hex(*query.error().answer) : "none";
}

TEST(ParseQuery, ReadsWhatDigSends) {
  const Query a = parse(kDigA);
  EXPECT_EQ(a.id, 0x44fc);
  EXPECT_TRUE(a.recursion_desired);
  EXPECT_FALSE(a.checking_disabled);
  EXPECT_EQ(a.question.name.to_string(), "alice.trellis.internal.");
  EXPECT_EQ(a.question.type, Type::A);
  EXPECT_EQ(a.question.klass, Class::In);
  ASSERT_TRUE(a.edns);
  EXPECT_EQ(a.edns->payload_bytes, 1232);
  EXPECT_EQ(a.edns->version, 0);
  EXPECT_FALSE(a.edns->dnssec_ok);

  const Query ptr = parse(kDigPtrWithoutEdns);
  EXPECT_EQ(ptr.question.name.to_string(), "2.0.92.100.in-addr.arpa.");
  EXPECT_EQ(ptr.question.type, Type::Ptr);
  EXPECT_FALSE(ptr.edns);
  EXPECT_TRUE(parse(kDigPtrDnssec).edns->dnssec_ok);
}

TEST(ParseQuery, AnswersNothingToAnswersAndToScraps) {
  EXPECT_EQ(refusal(""), "none");
  EXPECT_EQ(refusal("44fc012000010000000000"), "none");
  std::string response(kDigA);
  response[4] = '8';  // QR
  EXPECT_EQ(refusal(response), "none");
}

TEST(ParseQuery, SaysThatOtherOperationsAreNotThere) {
  EXPECT_EQ(refusal(kDigNotify), "e41ca1040000000000000000");
}

TEST(ParseQuery, SaysWhatItCannotRead) {
  struct Case {
    const char* name;
    std::string hex;
  };
  const std::string question = "016103636f6d0000010001";
  const Case cases[] = {
      {"no question", "123401000000000000000000"},
      {"two questions", "123401000002000000000000" + question + question},
      {"an answer", "123401000001000100000000" + question},
      {"an authority", "123401000001000000010000" + question},
      {"no type", "123401000001000000000000016103636f6d00"},
      {"half a class", "123401000001000000000000016103636f6d00000100"},
      {"something behind", "123401000001000000000000" + question + "00"},
      {"a pointer to itself", "123401000001000000000000c00c00010001"},
      {"a pointer to the header", "123401000001000000000000c00000010001"},
      {"additional records that are not there", "123401000001000000000001" + question},
      {"nine additional records", "123401000001000000000009" + question},
      {"an OPT record cut short", "123401000001000000000001" + question + "00002904d0000000000001"},
      {"an OPT record of a name",
       "123401000001000000000001" + question + "016100002904d0000000000000"},
      {"two OPT records",
       "123401000001000000000002" + question + "00002904d0000000000000" + "00002904d0000000000000"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(refusal(c.hex), "123481010000000000000000");
  }
}

TEST(ParseQuery, SkipsAdditionalRecordsThatItDoesNotKnow) {
  const Query query = parse(
      "123400000001000000000003016103636f6d0000010001"
      "c00c00fa00ff000000000003aabbcc"  // with a pointer as its name
      "0000290200000180000000"          // version 1, DNSSEC
      "01620000100001000000000000");
  ASSERT_TRUE(query.edns);
  EXPECT_EQ(query.edns->payload_bytes, 512);
  EXPECT_EQ(query.edns->version, 1);
  EXPECT_TRUE(query.edns->dnssec_ok);
  EXPECT_FALSE(query.recursion_desired);
}

TEST(Compose, RepeatsTheQuestionAndPointsToItsName) {
  const Query query = parse(kDigA);
  Response response{.authoritative = true, .answers = {}, .authorities = {}};
  response.answers.push_back(
      address_record(query.question.name, 60, *IpAddress::parse("100.92.0.2")));
  EXPECT_EQ(to_hex(compose(query, response, Transport::Udp)),
            "44fc85000001000100000001"  // QR AA RD
            "05616c696365077472656c6c697308696e7465726e616c0000010001"
            "c00c000100010000003c0004645c0002"  // A, IN, 60 s
            "00002904d0000000000000");          // EDNS
}

TEST(Compose, WritesAnAuthorityThatIsAPartOfTheQuestion) {
  const Query query = parse(
      "123401100001000000000000056e6f6f6e65077472656c6c697308696e7465726e616c0000"
      "1c0001");
  Response response{
      .rcode = Rcode::NxDomain, .authoritative = true, .answers = {}, .authorities = {}};
  response.authorities.push_back(authority_record(*Name::parse("trellis.internal"), 10,
                                                  {.primary = *Name::parse("a"),
                                                   .responsible = *Name::parse("b"),
                                                   .serial = 7,
                                                   .refresh_seconds = 1,
                                                   .retry_seconds = 2,
                                                   .expire_seconds = 3,
                                                   .negative_ttl_seconds = 10}));
  EXPECT_EQ(to_hex(compose(query, response, Transport::Udp)),
            "123485130001000000010000"  // QR AA RD CD, NXDOMAIN
            "056e6f6f6e65077472656c6c697308696e7465726e616c00001c0001"
            "c01200060001"
            "0000000a"
            "001a"
            "016100"
            "016200"
            "00000007"
            "00000001"
            "00000002"
            "00000003"
            "0000000a");
}

TEST(Compose, WritesANameThatIsNoPartOfTheQuestionInFull) {
  const Query query = parse("123400000001000000000000016103636f6d0000010001");
  Response response{.recursion_available = true, .answers = {}, .authorities = {}};
  response.answers.push_back(pointer_record(*Name::parse("b.com"), 1, *Name::parse("c")));
  EXPECT_EQ(to_hex(compose(query, response, Transport::Udp)),
            "123480800001000100000000016103636f6d0000010001"
            "016203636f6d00"
            "000c0001"
            "00000001"
            "0003"
            "016300");
}

TEST(Compose, CarriesTheUpperBitsOfARcodeInEdns) {
  const Query query = parse(kDigPtrDnssec);
  const Response response{.rcode = Rcode::BadVers, .answers = {}, .authorities = {}};
  const std::string hex = to_hex(compose(query, response, Transport::Udp));
  EXPECT_THAT(hex, StartsWith("7ba581000001000000000001"));
  EXPECT_THAT(hex, testing::EndsWith("00002904d0010080000000"));  // 1 << 4, DO repeated
}

TEST(Compose, LeavesOutWholeWhatADatagramCannotTakeAndSaysSo) {
  const auto sized = [](std::size_t addresses, std::string_view hex, Transport transport) {
    const Query query = parse(hex);
    Response response;
    for (std::size_t i = 0; i < addresses; ++i) {
      response.answers.push_back(address_record(query.question.name, 1, IpAddress()));
    }
    return compose(query, response, transport);
  };
  const std::string plain = "123400000001000000000000016103636f6d0000010001";  // 23 bytes
  const std::string edns(kDigA);                                               // 51 of the answer
  struct Case {
    const char* name;
    std::string query;
    std::size_t addresses;  // of 16 bytes each
    std::size_t bytes;      // of the answer
    bool truncated;
  };
  const Case cases[] = {
      {"the last that fits without EDNS", plain, 30, 503, false},
      {"one more", plain, 31, 23, true},
      {"the last that fits with EDNS", edns, 73, 51 + 73 * 16, false},
      {"one more", edns, 74, 51, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const ByteVector answer = sized(c.addresses, c.query, Transport::Udp);
    EXPECT_EQ(answer.size(), c.bytes);
    EXPECT_EQ((answer[2] & std::byte{2}) != std::byte{0}, c.truncated);
    const ByteVector whole = sized(c.addresses, c.query, Transport::Tcp);
    EXPECT_GT(whole.size(), c.addresses * 16);
    EXPECT_EQ(whole[2] & std::byte{2}, std::byte{0});
  }
}

TEST(Compose, TakesAnAskersSmallestSizeFor512) {
  const Query query = parse(
      "123400000001000000000001016103636f6d0000010001"
      "0000290001000000000000");
  EXPECT_EQ(query.edns->payload_bytes, 1);
  Response response;
  for (int i = 0; i < 29; ++i) {
    response.answers.push_back(address_record(query.question.name, 1, IpAddress()));
  }
  EXPECT_EQ(compose(query, response, Transport::Udp).size(), 34u + 29 * 16);
}

}  // namespace
}  // namespace trellis::dns
