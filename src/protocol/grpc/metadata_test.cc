#include "protocol/grpc/metadata.h"

#include <gmock/gmock.h>

namespace trellis::grpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Metadata, KeepsNamesOfTheProtocolForItself) {
  for (const char* name : {"x-key", "a.b_c-1", "authorization", "key-bin"}) {
    EXPECT_TRUE(is_metadata_name(name)) << name;
  }
  for (const char* name : {"", ":path", "grpc-status", "grpc-x", "te", "content-type", "Key", "a b",
                           "user-agent", "\xc3"}) {
    EXPECT_FALSE(is_metadata_name(name)) << name;
  }
}

TEST(Metadata, ReadsAListOfBinaryValues) {
  Metadata metadata;
  EXPECT_TRUE(add_received(metadata, "a-bin", "Zm9v, Zg==,,YmE"));
  EXPECT_THAT(metadata, ElementsAre(MetadataEntry{"a-bin", "foo"}, MetadataEntry{"a-bin", "f"},
                                    MetadataEntry{"a-bin", ""}, MetadataEntry{"a-bin", "ba"}));
}

TEST(Metadata, AddsNothingOfAMalformedValue) {
  Metadata metadata;
  EXPECT_FALSE(add_received(metadata, "a-bin", "Zm9v,Z"));
  EXPECT_THAT(metadata, IsEmpty());
}

TEST(Metadata, PassesOverWhatIsNotTheApplications) {
  Metadata metadata;
  EXPECT_TRUE(add_received(metadata, "grpc-encoding", "gzip"));
  EXPECT_TRUE(add_received(metadata, ":path", "/x"));
  EXPECT_THAT(metadata, IsEmpty());
}

}  // namespace
}  // namespace trellis::grpc
