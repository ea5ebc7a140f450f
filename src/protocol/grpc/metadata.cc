#include "protocol/grpc/metadata.h"

#include "protocol/grpc/text_codec.h"

#include <algorithm>
#include <array>

namespace trellis::grpc {
namespace {

// What HTTP/2 and gRPC themselves say in headers, or HTTP/2 forbids.
constexpr std::array<std::string_view, 12> kReserved{
    "connection", "content-length",  "content-type",      "host",    "keep-alive",
    "te",         "trailer",         "transfer-encoding", "upgrade", "user-agent",
    "date",       "proxy-connection"};

bool is_binary(std::string_view name) { return name.ends_with("-bin"); }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

bool add_binary(Metadata& metadata, std::string_view name, std::string_view list) {
  Metadata decoded;
  for (;;) {
    const std::size_t comma = list.find(',');
    auto bytes = decode_base64(trim(list.substr(0, comma)));
    if (!bytes) return false;
    decoded.push_back({std::string(name), *std::move(bytes)});
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  std::move(decoded.begin(), decoded.end(), std::back_inserter(metadata));
  return true;
}

}  // namespace

std::optional<std::string_view> find(const Metadata& metadata, std::string_view name) {
  for (const MetadataEntry& entry : metadata) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

bool is_metadata_name(std::string_view name) {
  return !name.empty() && !name.starts_with("grpc-") &&
         std::all_of(name.begin(), name.end(), is_name_character) &&
         std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end();
}

std::string encode_value(const MetadataEntry& entry) {
  if (is_binary(entry.name)) return encode_base64(entry.value);
  std::string value(trim(entry.value));
  std::replace_if(value.begin(), value.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return value;
}

bool add_received(Metadata& metadata, std::string_view name, std::string_view value) {
  if (!is_metadata_name(name)) return true;
  if (is_binary(name)) return add_binary(metadata, name, value);
  metadata.push_back({std::string(name), std::string(value)});
  return true;
}

}  // namespace trellis::grpc
