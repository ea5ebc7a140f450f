#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::grpc {

/// One header or trailer of a call that is the application's own.
struct MetadataEntry {
  std::string name;   // lower case: digits, letters and `-_.`, and not beginning with "grpc-"
  std::string value;  // of a name that ends in "-bin": raw bytes; otherwise printable ASCII
  friend bool operator==(const MetadataEntry&, const MetadataEntry&) = default;
};
using Metadata = std::vector<MetadataEntry>;

/// The first value of that name.
std::optional<std::string_view> find(const Metadata& metadata, std::string_view name);

/// May an application use this name? Those of gRPC and HTTP itself it may not.
bool is_metadata_name(std::string_view name);

/// The text that goes on the wire for the entry: base64 without padding for "-bin"; otherwise the
/// value itself, with '?' for what is not printable ASCII and without blanks at its ends.
std::string encode_value(const MetadataEntry& entry);

/// Adds what a header of the peer says: several entries if a "-bin" value is a list. False if it is
/// no base64; then nothing was added. Names that are not the application's are passed over.
bool add_received(Metadata& metadata, std::string_view name, std::string_view value);

}  // namespace trellis::grpc
