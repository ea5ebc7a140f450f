// What the primitives cost: packets, KEMs, and the hash of a Rosenpass public key.

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kem.h"
#include "crypto/x25519.h"
#include "testing/random.h"

#include <benchmark/benchmark.h>

namespace trellis::crypto {
namespace {

testing::SeededRandom& random_source() {
  static testing::SeededRandom random(1);
  return random;
}

SymmetricKey some_key() {
  return SymmetricKey::make([](auto target) { random_source().fill(target); });
}

struct Packet {
  explicit Packet(std::size_t size)
      : memory(PacketCipher::kHeadroom + size + PacketCipher::kTailroom),
        text(MutableByteView(memory).subspan(PacketCipher::kHeadroom, size)) {}
  ByteVector memory;
  MutableByteView text;
};

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void packet_seal(benchmark::State& state) {
  PacketCipher cipher(some_key());
  Packet packet(static_cast<std::size_t>(state.range(0)));
  std::uint64_t counter = 0;
  for ([[maybe_unused]] auto _ : state) cipher.seal_in_place(counter++, packet.text);
  count_bytes(state);
}
BENCHMARK(packet_seal)->Arg(64)->Arg(1280)->Arg(1420);

void packet_open(benchmark::State& state) {
  PacketCipher cipher(some_key());
  Packet packet(static_cast<std::size_t>(state.range(0)));
  cipher.seal_in_place(1, packet.text);
  const Packet sealed = [&] {
    Packet copy(packet.text.size());
    std::copy(packet.memory.begin(), packet.memory.end(), copy.memory.begin());
    return copy;
  }();
  for ([[maybe_unused]] auto _ : state) {
    // Opening is in place, so the ciphertext is put back; the copy is part of the figure (some 20
    // ns).
    std::copy(sealed.memory.begin(), sealed.memory.end(), packet.memory.begin());
    if (!cipher.open_in_place(1, packet.text)) state.SkipWithError("forged");
  }
  count_bytes(state);
}
BENCHMARK(packet_open)->Arg(64)->Arg(1280)->Arg(1420);

// The AEAD as a whole, with a context for each packet: what PacketCipher is measured against.
void aead_seal_each(benchmark::State& state) {
  const SymmetricKey key = some_key();
  const ByteVector text(static_cast<std::size_t>(state.range(0)));
  ByteVector sealed(text.size() + kTagSize);
  std::uint64_t counter = 0;
  for ([[maybe_unused]] auto _ : state)
    aead_seal(key.expose(), counter_nonce(counter++), {}, text, sealed);
  count_bytes(state);
}
BENCHMARK(aead_seal_each)->Arg(64)->Arg(1280)->Arg(1420);

void aead_open_each(benchmark::State& state) {
  const SymmetricKey key = some_key();
  ByteVector text(static_cast<std::size_t>(state.range(0)));
  ByteVector sealed(text.size() + kTagSize);
  aead_seal(key.expose(), counter_nonce(1), {}, text, sealed);
  for ([[maybe_unused]] auto _ : state) {
    if (!aead_open(key.expose(), counter_nonce(1), {}, sealed, text)) state.SkipWithError("forged");
  }
  count_bytes(state);
}
BENCHMARK(aead_open_each)->Arg(64)->Arg(1280)->Arg(1420);

void kem_generate(benchmark::State& state, const Kem& kem) {
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(kem.generate(random_source()));
}
void kem_encapsulate(benchmark::State& state, const Kem& kem) {
  const KemKeyPair pair = kem.generate(random_source());
  for ([[maybe_unused]] auto _ : state) {
    if (!kem.encapsulate(pair.public_key, random_source())) state.SkipWithError("failed");
  }
}
void kem_decapsulate(benchmark::State& state, const Kem& kem) {
  const KemKeyPair pair = kem.generate(random_source());
  const auto sent = kem.encapsulate(pair.public_key, random_source());
  for ([[maybe_unused]] auto _ : state) {
    if (!kem.decapsulate(pair.secret_key.expose(), sent->ciphertext)) {
      state.SkipWithError("failed");
    }
  }
}
#define BENCHMARK_KEM(name)                                                        \
  BENCHMARK_CAPTURE(kem_generate, name, name())->Unit(benchmark::kMicrosecond);    \
  BENCHMARK_CAPTURE(kem_encapsulate, name, name())->Unit(benchmark::kMicrosecond); \
  BENCHMARK_CAPTURE(kem_decapsulate, name, name())->Unit(benchmark::kMicrosecond)
BENCHMARK_KEM(kyber512_round3);
BENCHMARK_KEM(ml_kem_768);
BENCHMARK_KEM(mceliece460896pc);
BENCHMARK_KEM(mceliece460896);

void x25519_agree(benchmark::State& state) {
  const PrivateKey own = generate_private_key(random_source());
  const PublicKey peer = public_key(generate_private_key(random_source()));
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(shared_secret(own, peer));
}
BENCHMARK(x25519_agree)->Unit(benchmark::kMicrosecond);

void kdf3_of_32_bytes(benchmark::State& state) {
  const ChainingKey key{Bytes<32>{}};
  const Bytes<32> input{};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(kdf3(key, input));
}
BENCHMARK(kdf3_of_32_bytes)->Unit(benchmark::kMicrosecond);

// The name of a Rosenpass key is a keyed hash of all of it.
void blake2b_of_a_public_key(benchmark::State& state) {
  const ByteVector public_key(524160);
  const Bytes<32> key{};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(blake2b_keyed(key, public_key));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(public_key.size()));
}
BENCHMARK(blake2b_of_a_public_key)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace trellis::crypto
