#pragma once

#include "base/random.h"
#include "crypto/openssl.h"

#include <algorithm>
#include <cstring>

namespace trellis::crypto {

/// The generator of NIST's known-answer programs: AES-256-CTR DRBG without derivation function,
/// reseeded never. [NIST SP 800-90A 10.2.1, PQCgenKAT rng.c]
class NistGenerator final : public Random {
 public:
  explicit NistGenerator(std::span<const std::byte, 48> seed) { update(seed); }

  void fill(MutableByteView target) override {
    while (!target.empty()) {
      const Bytes<16> block = next_block();
      const std::size_t n = std::min(target.size(), block.size());
      std::memcpy(target.data(), block.data(), n);
      target = target.subspan(n);
    }
    update(Bytes<48>{});
  }

 private:
  Bytes<16> next_block() {
    for (std::size_t i = 16; i-- > 0;) {
      v_[i] = static_cast<std::byte>(std::to_integer<unsigned>(v_[i]) + 1);
      if (v_[i] != std::byte{0}) break;
    }
    const openssl::Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
    CHECK(EVP_EncryptInit_ex2(context.get(), EVP_aes_256_ecb(), openssl::uchar(key_.data()),
                              nullptr, nullptr) == 1);
    Bytes<32> block{};
    int size = 0;
    CHECK(EVP_EncryptUpdate(context.get(), openssl::uchar(block.data()), &size,
                            openssl::uchar(v_.data()), 16) == 1 &&
          size == 16);
    return to_array<16>(block);
  }

  void update(std::span<const std::byte, 48> data) {
    Bytes<48> state{};
    for (std::size_t i = 0; i < state.size(); i += 16) {
      const Bytes<16> block = next_block();
      std::memcpy(state.data() + i, block.data(), block.size());
    }
    for (std::size_t i = 0; i < state.size(); ++i) state[i] ^= data[i];
    key_ = to_array<32>(state);
    v_ = to_array<16>(ByteView(state).subspan(32));
  }

  Bytes<32> key_{};
  Bytes<16> v_{};
};

}  // namespace trellis::crypto
