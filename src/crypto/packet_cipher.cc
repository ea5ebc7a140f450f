// ChaCha20-Poly1305 over whole packets, composed of OpenSSL's ChaCha20 and Poly1305 in one pass:
// the 64 zero bytes in front of the text become block 0, whose first half is the Poly1305 key, and
// the text follows as blocks 1, 2, ... This saves the AEAD's set-up per packet. [RFC 8439 2.8]

#include "crypto/aead.h"
#include "crypto/openssl.h"

#include <cstring>

namespace trellis::crypto {

using openssl::algorithms;
using openssl::Owned;
using openssl::uchar;

namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kPolyKeySize = 32;

constexpr std::size_t round_up(std::size_t n, std::size_t unit) {
  return (n + unit - 1) / unit * unit;
}

}  // namespace

struct PacketCipher::Contexts {
  Owned<EVP_CIPHER_CTX> chacha;
  Owned<EVP_MAC_CTX> poly;
  ByteVector scratch;  // block 0 and a plaintext that is not yet authenticated as the caller's

  Contexts() = default;
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;
  ~Contexts() { zeroise(scratch); }

  void stream(std::uint64_t counter, const std::byte* from, std::byte* to, std::size_t size) {
    Bytes<16> iv{};  // block counter 0, then the nonce
    const Nonce nonce = counter_nonce(counter);
    std::memcpy(iv.data() + 4, nonce.data(), nonce.size());
    CHECK(EVP_CipherInit_ex2(chacha.get(), nullptr, nullptr, uchar(iv.data()), -1, nullptr) == 1);
    CHECK(EVP_Cipher(chacha.get(), uchar(to), uchar(from), static_cast<unsigned>(size)) >= 0);
  }

  Bytes<kTagSize> authenticate(const std::byte* poly_key, ByteView ciphertext) {
    struct Trailer {
      Bytes<15> zeros{};
      le64 additional_data_size = 0;
      le64 text_size = 0;
    } trailer;
    trailer.text_size = ciphertext.size();
    const std::size_t padding = round_up(ciphertext.size(), 16) - ciphertext.size();
    const ByteView tail = bytes_of(trailer).subspan(trailer.zeros.size() - padding);
    CHECK(EVP_MAC_init(poly.get(), uchar(poly_key), kPolyKeySize, nullptr) == 1);
    if (!ciphertext.empty()) {
      CHECK(EVP_MAC_update(poly.get(), uchar(ciphertext.data()), ciphertext.size()) == 1);
    }
    CHECK(EVP_MAC_update(poly.get(), uchar(tail.data()), tail.size()) == 1);
    Bytes<kTagSize> tag{};
    std::size_t size = 0;
    CHECK(EVP_MAC_final(poly.get(), uchar(tag.data()), &size, tag.size()) == 1);
    return tag;
  }
};

PacketCipher::PacketCipher(const SymmetricKey& key) : contexts_(std::make_unique<Contexts>()) {
  contexts_->chacha.reset(EVP_CIPHER_CTX_new());
  contexts_->poly.reset(EVP_MAC_CTX_new(algorithms().poly1305));
  CHECK(contexts_->chacha && contexts_->poly);
  const Bytes<16> iv{};
  CHECK(EVP_CipherInit_ex2(contexts_->chacha.get(), algorithms().chacha20,
                           uchar(key.expose().data()), uchar(iv.data()), 1, nullptr) == 1);
}
PacketCipher::PacketCipher(PacketCipher&&) noexcept = default;
PacketCipher& PacketCipher::operator=(PacketCipher&&) noexcept = default;
PacketCipher::~PacketCipher() = default;

void PacketCipher::seal_in_place(std::uint64_t counter, MutableByteView text) {
  std::byte* const block0 = text.data() - kBlock;
  std::memset(block0, 0, kBlock);
  contexts_->stream(counter, block0, block0, kBlock + round_up(text.size(), kBlock));
  const auto tag = contexts_->authenticate(block0, text);
  zeroise(MutableByteView(block0, kPolyKeySize));
  std::memcpy(text.data() + text.size(), tag.data(), tag.size());
}

bool PacketCipher::open_in_place(std::uint64_t counter, MutableByteView text) {
  const std::size_t size = kBlock + round_up(text.size(), kBlock);
  ByteVector& scratch = contexts_->scratch;
  if (scratch.size() < size) {
    zeroise(scratch);
    scratch.resize(round_up(size, 2048));
  }
  std::byte* const block0 = text.data() - kBlock;
  Bytes<kBlock> headroom;
  std::memcpy(headroom.data(), block0, kBlock);
  std::memset(block0, 0, kBlock);
  contexts_->stream(counter, block0, scratch.data(), size);
  std::memcpy(block0, headroom.data(), kBlock);

  const auto tag = contexts_->authenticate(scratch.data(), text);
  if (!equal(tag, ByteView(text.data() + text.size(), kTagSize))) return false;
  std::memcpy(text.data(), scratch.data() + kBlock, text.size());
  return true;
}

}  // namespace trellis::crypto
