#pragma once

#include "base/hex.h"
#include "testing/vector_file.h"

#include <nlohmann/json.hpp>

#include <string>

namespace trellis::testing {

/// A JSON file of tests/vectors.
inline nlohmann::json read_vector_json(const std::string& path) {
  const ByteVector bytes = read_vector_file(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return nlohmann::json::parse(text, text + bytes.size());
}

/// A string of hex digits in it.
inline ByteVector hex_of(const nlohmann::json& node) {
  const auto bytes = from_hex(node.get<std::string>());
  CHECK(bytes.has_value());
  return *bytes;
}

}  // namespace trellis::testing
