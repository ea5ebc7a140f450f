#pragma once

#include "base/hex.h"
#include "crypto/hash.h"
#include "protocol/control/message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace trellis::control {

// Writes a message as the vector files do, by reflection: what is set, under its name.

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

nlohmann::json fields_of(const Message& message);

inline nlohmann::json bytes_json(const std::string& bytes) {
  if (bytes.size() <= 16 << 10) return to_hex(as_bytes(bytes));
  return {{"length", bytes.size()}, {"sha256", to_hex(crypto::sha256(as_bytes(bytes)))}};
}

/// The value of a field; the `index`-th if it is repeated.
inline nlohmann::json value_of(const Message& message, const FieldDescriptor& field, int index) {
  const google::protobuf::Reflection& values = *message.GetReflection();
  const bool many = field.is_repeated();
  const auto pick = [&](auto one, auto nth) {
    return many ? (values.*nth)(message, &field, index) : (values.*one)(message, &field);
  };
  using R = google::protobuf::Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return pick(&R::GetInt32, &R::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return pick(&R::GetInt64, &R::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return pick(&R::GetUInt32, &R::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return pick(&R::GetUInt64, &R::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_BOOL:
      return pick(&R::GetBool, &R::GetRepeatedBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return std::string(pick(&R::GetEnum, &R::GetRepeatedEnum)->name());
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = pick(&R::GetString, &R::GetRepeatedString);
      return field.type() == FieldDescriptor::TYPE_BYTES ? bytes_json(text) : nlohmann::json(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return many ? fields_of(values.GetRepeatedMessage(message, &field, index))
                  : fields_of(values.GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      break;
  }
  CHECK(false);
  return {};
}

inline nlohmann::json fields_of(const Message& message) {
  const google::protobuf::Reflection& values = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  values.ListFields(message, &fields);
  nlohmann::json result = nlohmann::json::object();
  for (const FieldDescriptor* field : fields) {
    if (!field->is_repeated()) {
      result[std::string(field->name())] = value_of(message, *field, 0);
      continue;
    }
    for (int i = 0; i < values.FieldSize(message, field); ++i) {
      result[std::string(field->name())].push_back(value_of(message, *field, i));
    }
  }
  std::string unknown;
  values.GetUnknownFields(message).SerializeToString(&unknown);
  if (!unknown.empty()) result["_unknown"] = to_hex(as_bytes(unknown));
  return result;
}

}  // namespace trellis::control
