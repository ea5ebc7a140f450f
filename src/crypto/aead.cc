#include "crypto/aead.h"

#include "crypto/openssl.h"

#include <sodium.h>

#include <cstring>

namespace trellis::crypto {

using openssl::algorithms;
using openssl::Owned;
using openssl::uchar;

Nonce counter_nonce(std::uint64_t counter) {
  Nonce nonce{};
  const le64 wire(counter);
  std::memcpy(nonce.data() + 4, &wire, sizeof wire);
  return nonce;
}

namespace {

int as_int(std::size_t size) {
  CHECK(size <= 0x7fff'ffff);
  return static_cast<int>(size);
}

}  // namespace

void aead_seal(KeyView key, const Nonce& nonce, ByteView additional_data, ByteView text,
               MutableByteView target) {
  CHECK(target.size() == text.size() + kTagSize);
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  CHECK(EVP_EncryptInit_ex2(context.get(), algorithms().chacha20_poly1305, uchar(key.data()),
                            uchar(nonce.data()), nullptr) == 1);
  int written = 0;
  if (!additional_data.empty()) {
    CHECK(EVP_EncryptUpdate(context.get(), nullptr, &written, uchar(additional_data.data()),
                            as_int(additional_data.size())) == 1);
  }
  if (!text.empty()) {
    CHECK(EVP_EncryptUpdate(context.get(), uchar(target.data()), &written, uchar(text.data()),
                            as_int(text.size())) == 1);
  }
  int rest = 0;
  CHECK(EVP_EncryptFinal_ex(context.get(), uchar(target.data()) + text.size(), &rest) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize,
                            target.data() + text.size()) == 1);
}

bool aead_open(KeyView key, const Nonce& nonce, ByteView additional_data, ByteView sealed,
               MutableByteView target) {
  if (sealed.size() < kTagSize) return false;
  const std::size_t size = sealed.size() - kTagSize;
  CHECK(target.size() == size);
  const Owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new());
  CHECK(EVP_DecryptInit_ex2(context.get(), algorithms().chacha20_poly1305, uchar(key.data()),
                            uchar(nonce.data()), nullptr) == 1);
  Bytes<kTagSize> tag = to_array<kTagSize>(sealed.subspan(size));
  CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
  int written = 0;
  bool good = true;
  if (!additional_data.empty()) {
    good = EVP_DecryptUpdate(context.get(), nullptr, &written, uchar(additional_data.data()),
                             as_int(additional_data.size())) == 1;
  }
  if (good && size > 0) {
    good = EVP_DecryptUpdate(context.get(), uchar(target.data()), &written, uchar(sealed.data()),
                             as_int(size)) == 1;
  }
  // Only the final call checks the tag.
  Bytes<kTagSize> rest{};
  good = good && EVP_DecryptFinal_ex(context.get(), uchar(rest.data()), &written) == 1;
  if (!good) zeroise(target);
  return good;
}

void xaead_seal(KeyView key, const XNonce& nonce, ByteView additional_data, ByteView text,
                MutableByteView target) {
  CHECK(target.size() == text.size() + kTagSize);
  unsigned long long written = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(uchar(target.data()), &written, uchar(text.data()),
                                             text.size(), uchar(additional_data.data()),
                                             additional_data.size(), nullptr, uchar(nonce.data()),
                                             uchar(key.data()));
  CHECK(written == target.size());
}

bool xaead_open(KeyView key, const XNonce& nonce, ByteView additional_data, ByteView sealed,
                MutableByteView target) {
  if (sealed.size() < kTagSize) return false;
  CHECK(target.size() == sealed.size() - kTagSize);
  unsigned long long written = 0;
  const bool good = crypto_aead_xchacha20poly1305_ietf_decrypt(
                        uchar(target.data()), &written, nullptr, uchar(sealed.data()),
                        sealed.size(), uchar(additional_data.data()), additional_data.size(),
                        uchar(nonce.data()), uchar(key.data())) == 0;
  if (!good) zeroise(target);
  return good;
}

}  // namespace trellis::crypto
