#include "base/text_wiper.h"

#include <gtest/gtest.h>

namespace trellis {
namespace {

TEST(TextWiper, LeavesZerosWhereTheTextWas) {
  std::string text = "a setup key, longer than what a string keeps within itself";
  const std::size_t size = text.size();
  const char* at = text.data();
  {
    const TextWiper wiper(text);
    EXPECT_EQ(text[0], 'a');
  }
  EXPECT_EQ(text, std::string(size, '\0'));
  EXPECT_EQ(text.data(), at);
}

TEST(TextWiper, TakesAnEmptyText) {
  std::string text;
  {
    const TextWiper wiper(text);
  }
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace trellis
