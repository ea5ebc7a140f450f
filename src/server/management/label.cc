#include "server/management/label.h"

#include <algorithm>

namespace trellis::server {
namespace {

constexpr std::size_t kLabelMax = 63;  // [RFC 1035 2.3.4]

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

std::string without_hyphens_at_ends(std::string label) {
  const std::size_t first = label.find_first_not_of('-');
  if (first == std::string::npos) return {};
  return label.substr(first, label.find_last_not_of('-') - first + 1);
}

}  // namespace

std::string label_of(std::string_view host_name) {
  std::string label;
  for (const char c : host_name.substr(0, host_name.find('.'))) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    label.push_back(is_letter_or_digit(lower) ? lower : '-');
    if (label.size() == kLabelMax) break;
  }
  label = without_hyphens_at_ends(std::move(label));
  return label.empty() ? "machine" : label;
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= kLabelMax && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

std::string unique_label(const std::string& label,
                         const std::function<bool(const std::string&)>& taken) {
  if (!taken(label)) return label;
  for (unsigned number = 2;; ++number) {
    const std::string suffix = "-" + std::to_string(number);
    const std::string candidate =
        without_hyphens_at_ends(label.substr(0, kLabelMax - suffix.size())) + suffix;
    if (!taken(candidate)) return candidate;
  }
}

}  // namespace trellis::server
