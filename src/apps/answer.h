#pragma once

#include "base/result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::apps {

// Answers of a control socket, each one line of JSON: {"ok": true, ...} or {"ok": false, "error":
// TEXT}. Fields of another version of the agent may be missing or of another type: then they read
// as empty.

using JsonValue = nlohmann::ordered_json;  // keeps the order of fields

/// Fails on the agent's own error, and on an answer that is none.
Result<JsonValue> parse_answer(std::string_view answer);
/// The object "status" of an answer.
Result<JsonValue> parse_status(std::string_view answer);

std::string text_of(const JsonValue& object, const char* key);
std::optional<double> number_of(const JsonValue& object, const char* key);
std::uint64_t count_of(const JsonValue& object, const char* key);
bool flag_of(const JsonValue& object, const char* key);
const JsonValue& list_of(const JsonValue& object, const char* key);
const JsonValue& object_of(const JsonValue& object, const char* key);
/// Those of a list that are texts.
std::vector<std::string> texts_of(const JsonValue& object, const char* key);

/// Indented, with an end of line. What is no UTF-8 is replaced.
std::string dump(const JsonValue& object);
/// The same on one line, without its end.
std::string dump_line(const JsonValue& object);

}  // namespace trellis::apps
