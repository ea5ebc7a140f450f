#include "protocol/dns/name.h"

#include "base/host_label.h"

#include <algorithm>

namespace trellis::dns {
namespace {

std::size_t label_size(char length) { return static_cast<unsigned char>(length); }

/// Length bytes are at most 63, and no letter is: the whole may be compared as if it were text.
bool same(std::string_view a, std::string_view b) { return ascii_lower(a) == ascii_lower(b); }

}  // namespace

std::optional<Name> Name::parse(std::string_view text) {
  Name name;
  if (text == ".") return name;
  if (text.ends_with('.')) text.remove_suffix(1);
  name.wire_.clear();
  while (true) {
    const std::size_t size = std::min(text.find('.'), text.size());
    if (size == 0 || size > kLabelBytesMax) return std::nullopt;
    name.wire_ += static_cast<char>(size);
    name.wire_ += text.substr(0, size);
    if (size == text.size()) break;
    text.remove_prefix(size + 1);
  }
  name.wire_ += '\0';
  if (name.wire_.size() > kBytesMax) return std::nullopt;
  return name;
}

std::optional<Name> Name::read(Reader& reader) {
  Name name;
  name.wire_.clear();
  while (true) {
    const auto length = std::to_integer<std::uint8_t>(reader.read<std::byte>());
    if (length > kLabelBytesMax) return std::nullopt;
    const ByteView label = reader.bytes(length);
    if (!reader.ok() || name.wire_.size() + 1 + length > kBytesMax) return std::nullopt;
    name.wire_ += static_cast<char>(length);
    name.wire_.append(reinterpret_cast<const char*>(label.data()), label.size());
    if (length == 0) return name;
  }
}

std::vector<std::string_view> Name::labels() const {
  std::vector<std::string_view> result;
  std::string_view rest = wire_;
  while (const std::size_t size = label_size(rest.front())) {
    result.push_back(rest.substr(1, size));
    rest.remove_prefix(1 + size);
  }
  return result;
}

std::string Name::to_string() const {
  std::string text;
  for (const std::string_view label : labels()) {
    for (const char c : label) {
      const auto code = static_cast<unsigned char>(c);
      if (code > 0x20 && code < 0x7f && c != '.' && c != '\\') {
        text += c;
      } else {
        text += '\\';
        for (const int unit : {100, 10, 1}) text += static_cast<char>('0' + code / unit % 10);
      }
    }
    text += '.';
  }
  return text.empty() ? "." : text;
}

bool Name::is_within(const Name& zone) const {
  std::string_view rest = wire_;
  while (rest.size() > zone.wire_.size()) rest.remove_prefix(1 + label_size(rest.front()));
  return same(rest, zone.wire_);
}

Name Name::suffix(std::size_t count) const {
  std::string_view rest = wire_;
  for (std::size_t skip = labels().size(); skip > count; --skip) {
    rest.remove_prefix(1 + label_size(rest.front()));
  }
  Name result;
  result.wire_ = rest;
  return result;
}

bool operator==(const Name& a, const Name& b) { return same(a.wire_, b.wire_); }

}  // namespace trellis::dns
