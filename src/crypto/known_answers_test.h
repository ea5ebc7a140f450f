#pragma once

#include "base/hex.h"
#include "base/result.h"
#include "testing/vector_file.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::crypto {

/// One block of a file of tests/vectors/crypto: names and their bytes.
class KnownAnswer {
 public:
  void add(std::string_view name, std::string_view hex) {
    const auto bytes = from_hex(hex);
    CHECK(bytes.has_value());
    CHECK(values_.emplace(name, *bytes).second);
  }
  bool empty() const { return values_.empty(); }
  const ByteVector& at(const std::string& name) const {
    const auto found = values_.find(name);
    CHECK(found != values_.end());
    return found->second;
  }
  template <std::size_t N>
  Bytes<N> array(const std::string& name) const {
    CHECK(at(name).size() == N);
    return to_array<N>(at(name));
  }

 private:
  std::map<std::string, ByteVector, std::less<>> values_;
};

/// The blocks of `[section]` in tests/vectors/crypto/`file`: lines "name = hex", an empty line
/// between blocks, '#' before comments. There is at least one, so that a loop over them tests
/// something.
inline std::vector<KnownAnswer> known_answers(const std::string& file, std::string_view section) {
  const ByteVector bytes = testing::read_vector_file("crypto/" + file);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<KnownAnswer> answers;
  KnownAnswer current;
  bool inside = false;
  while (true) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t equals = line.find(" = ");
    const bool named = !line.starts_with('#') && equals != line.npos;
    if (inside && named) current.add(line.substr(0, equals), line.substr(equals + 3));
    if (!named && !current.empty()) answers.push_back(std::exchange(current, {}));
    if (line.starts_with('[')) inside = line.substr(1, line.find(']') - 1) == section;
    if (line.size() == rest.size()) break;
    rest.remove_prefix(line.size() + 1);
  }
  if (!current.empty()) answers.push_back(std::move(current));
  CHECK(!answers.empty());
  return answers;
}

}  // namespace trellis::crypto
