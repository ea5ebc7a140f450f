#include "apps/answer.h"

namespace trellis::apps {

Result<JsonValue> parse_answer(std::string_view answer) {
  JsonValue object = JsonValue::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return fail_with("trellisd gave an answer that this version of trellis does not understand");
  }
  if (flag_of(object, "ok")) return object;
  const std::string why = text_of(object, "error");
  return fail_with(why.empty() ? "trellisd refused and did not say why" : why);
}

Result<JsonValue> parse_status(std::string_view answer) {
  JsonValue object = TRY(parse_answer(answer));
  const auto status = object.find("status");
  if (status == object.end() || !status->is_object()) {
    return fail_with("trellisd gave an answer without a status");
  }
  return JsonValue(std::move(*status));
}

std::string text_of(const JsonValue& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<double> number_of(const JsonValue& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
}

std::uint64_t count_of(const JsonValue& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

bool flag_of(const JsonValue& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() && it->get<bool>();
}

const JsonValue& list_of(const JsonValue& object, const char* key) {
  static const JsonValue kEmpty = JsonValue::array();
  const auto it = object.find(key);
  return it != object.end() && it->is_array() ? *it : kEmpty;
}

const JsonValue& object_of(const JsonValue& object, const char* key) {
  static const JsonValue kEmpty = JsonValue::object();
  const auto it = object.find(key);
  return it != object.end() && it->is_object() ? *it : kEmpty;
}

std::vector<std::string> texts_of(const JsonValue& object, const char* key) {
  std::vector<std::string> texts;
  for (const JsonValue& text : list_of(object, key)) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::string dump(const JsonValue& object) {
  return object.dump(2, ' ', false, JsonValue::error_handler_t::replace) + "\n";
}

std::string dump_line(const JsonValue& object) {
  return object.dump(-1, ' ', false, JsonValue::error_handler_t::replace);
}

}  // namespace trellis::apps
