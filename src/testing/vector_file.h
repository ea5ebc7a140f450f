#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <fstream>
#include <iterator>
#include <string>

namespace trellis::testing {

/// A file of tests/vectors, whole. Test programs only: they are told where the checkout lies.
inline ByteVector read_vector_file(const std::string& path) {
#ifdef TRELLIS_TEST_VECTORS
  std::ifstream file(std::string(TRELLIS_TEST_VECTORS) + "/" + path, std::ios::binary);
#else
  std::ifstream file(path, std::ios::binary);
#endif
  CHECK(file.good());
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return to_vector(as_bytes(text));
}

}  // namespace trellis::testing
