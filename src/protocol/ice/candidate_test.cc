#include "protocol/ice/candidate.h"

#include "protocol/ice/priority.h"

#include <gtest/gtest.h>

namespace trellis::ice {
namespace {

TEST(Candidate, IsReadAsItIsWritten) {
  const Endpoint related = *Endpoint::parse("192.168.1.2:51820");
  for (const CandidateType type : {CandidateType::Host, CandidateType::ServerReflexive,
                                   CandidateType::PeerReflexive, CandidateType::Relayed}) {
    for (const char* address : {"10.77.0.4:51820", "[2001:db8::1]:1"}) {
      Candidate candidate{"1", 2130706431, *Endpoint::parse(address), type, std::nullopt};
      EXPECT_EQ(parse_candidate(candidate.to_string()), candidate);
      candidate.related = related;
      EXPECT_EQ(parse_candidate(candidate.to_string()), candidate);
    }
  }
  const Candidate known{"1", 2130706431, *Endpoint::parse("10.77.0.4:51820"), CandidateType::Host,
                        std::nullopt};
  EXPECT_EQ(known.to_string(), "1 1 udp 2130706431 10.77.0.4 51820 typ host");
}

TEST(Candidate, LinesOfOthersAreRead) {
  const char* lines[] = {
      // pion's, with words of its own
      "2160812347 1 udp 2130706431 10.77.0.4 51820 typ host ufrag abcd cid l+bDKgDS7locOhD+",
      "candidate:2160812347 1 UDP 2130706431 10.77.0.4 51820 typ host generation 0",
      "a=candidate:2160812347 1 udp 2130706431 10.77.0.4 51820 TYP HOST",
      "  2160812347   1 udp 2130706431\t10.77.0.4 51820 typ host\r\n",
      "2160812347 1 udp 2130706431 ::ffff:10.77.0.4 51820 typ host",
      "2160812347 1 udp 2130706431 10.77.0.4 51820 typ host raddr x rport y",
      "2160812347 1 udp 2130706431 10.77.0.4 51820 typ host odd",
  };
  const Candidate expected{"2160812347", 2130706431, *Endpoint::parse("10.77.0.4:51820"),
                           CandidateType::Host, std::nullopt};
  for (const char* line : lines) EXPECT_EQ(parse_candidate(line), expected) << line;

  const auto reflexive = parse_candidate(
      "842163049 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 0.0.0.0 rport 51820");
  ASSERT_TRUE(reflexive);
  EXPECT_EQ(reflexive->type, CandidateType::ServerReflexive);
  EXPECT_EQ(reflexive->related, Endpoint::parse("0.0.0.0:51820"));
}

TEST(Candidate, WhatIsNoneIsRefused) {
  struct Case {
    std::string line;
    CandidateError error;
  };
  const Case cases[] = {
      {"", CandidateError::Syntax},
      {"candidate:", CandidateError::Syntax},
      {"1 1 udp 1 10.0.0.1 1 typ", CandidateError::Syntax},
      {"1 1 udp 1 10.0.0.1 1 typ moon", CandidateError::Syntax},
      {"1 1 udp 1 10.0.0.1 65536 typ host", CandidateError::Syntax},
      {"1 1 udp 4294967296 10.0.0.1 1 typ host", CandidateError::Syntax},
      {"1 1 udp -1 10.0.0.1 1 typ host", CandidateError::Syntax},
      {"1 x udp 1 10.0.0.1 1 typ host", CandidateError::Syntax},
      {"? 1 udp 1 10.0.0.1 1 typ host", CandidateError::Syntax},
      {std::string(33, '1') + " 1 udp 1 10.0.0.1 1 typ host", CandidateError::Syntax},
      {"1 1 udp 1 10.0.0.1 1 typ host " + std::string(kCandidateLineMax, 'x'),
       CandidateError::Syntax},
      {"1 2 udp 1 10.0.0.1 1 typ host", CandidateError::NotUdp},
      {"1 1 tcp 1 10.0.0.1 9 typ host tcptype active", CandidateError::NotUdp},
      {"1 1 udp 1 somebody.local 1 typ host", CandidateError::NotAnAddress},
      {"1 1 udp 1 fe80::1%eth0 1 typ host", CandidateError::NotAnAddress},
  };
  for (const Case& c : cases) {
    const auto candidate = parse_candidate(c.line);
    ASSERT_FALSE(candidate) << c.line;
    EXPECT_EQ(candidate.error(), c.error) << c.line;
  }
}

TEST(Candidate, LinesThatAreNoneAreLeftOut) {
  const std::vector<std::string> lines = {"x", "1 1 udp 1 10.0.0.1 1 typ host", ""};
  const auto candidates = parse_candidates(lines);
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].endpoint, Endpoint::parse("10.0.0.1:1"));
}

TEST(HostCandidates, TakeTheFamiliesInTurn) {
  const std::vector<Endpoint> endpoints = {
      *Endpoint::parse("192.0.2.1:7"), *Endpoint::parse("192.0.2.2:7"),
      *Endpoint::parse("192.0.2.3:7"), *Endpoint::parse("[2001:db8::1]:7")};
  const auto candidates = host_candidates(endpoints);
  ASSERT_EQ(candidates.size(), 4U);
  EXPECT_EQ(candidates[0].endpoint, endpoints[3]) << "IPv6 first";
  EXPECT_EQ(candidates[1].endpoint, endpoints[0]);
  EXPECT_EQ(candidates[2].endpoint, endpoints[1]);
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    EXPECT_GT(candidates[i - 1].priority, candidates[i].priority);
    EXPECT_NE(candidates[i - 1].foundation, candidates[i].foundation);
  }
  EXPECT_EQ(candidates[0].priority, 2130706431U) << "126 << 24 | 65535 << 8 | 255";
  EXPECT_TRUE(host_candidates({}).empty());
}

TEST(Priority, OfAPairIsTheSameAtBothEnds) {
  const std::uint32_t a = candidate_priority(CandidateType::Host, 65535);
  const std::uint32_t b = candidate_priority(CandidateType::PeerReflexive, 3);
  EXPECT_EQ(pair_priority(Role::Controlling, a, b), pair_priority(Role::Controlled, b, a));
  EXPECT_EQ(pair_priority(Role::Controlling, b, a), pair_priority(Role::Controlled, a, b));
  // 2^32 * min + 2 * max + 1 if the controlling end's is greater. [RFC 8445 6.1.2.3]
  EXPECT_EQ(pair_priority(Role::Controlling, 5, 3), (3ULL << 32) + 10 + 1);
  EXPECT_EQ(pair_priority(Role::Controlled, 5, 3), (3ULL << 32) + 10);
}

TEST(Priority, RanksTypesAsTheRfcRecommends) {
  EXPECT_GT(candidate_priority(CandidateType::Host, 0),
            candidate_priority(CandidateType::PeerReflexive, 65535));
  EXPECT_GT(candidate_priority(CandidateType::PeerReflexive, 0),
            candidate_priority(CandidateType::ServerReflexive, 65535));
  EXPECT_GT(candidate_priority(CandidateType::ServerReflexive, 0),
            candidate_priority(CandidateType::Relayed, 65535));
}

}  // namespace
}  // namespace trellis::ice
