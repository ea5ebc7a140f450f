#pragma once

#include "base/bytes.h"

#include <span>
#include <string>

namespace trellis {

/// Wipes a text at the end of a block, whichever way that ends: for secrets that libraries want as
/// std::string. The text must not grow meanwhile, or a copy is left behind.
class TextWiper {
 public:
  explicit TextWiper(std::string& text) : text_(text) {}
  TextWiper(const TextWiper&) = delete;
  TextWiper& operator=(const TextWiper&) = delete;
  ~TextWiper() { zeroise(std::as_writable_bytes(std::span(text_.data(), text_.size()))); }

 private:
  std::string& text_;
};

}  // namespace trellis
