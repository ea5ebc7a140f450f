// What the primitives cost: packets, KEMs, and the hash of a Rosenpass public key.

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kem.h"
#include "crypto/packet_batch.h"
#include "crypto/x25519.h"
#include "testing/random.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace trellis::crypto {
namespace {

testing::SeededRandom& random_source() {
  static testing::SeededRandom random(1);
  return random;
}

SymmetricKey some_key() {
  return SymmetricKey::make([](auto target) { random_source().fill(target); });
}

/// Packets of one size, in the places that the data path gives them: a header of 16 bytes before
/// each, at multiples of 64.
struct Batch {
  Batch(std::size_t size, std::size_t count)
      : stride((16 + size + kTagSize + 63) / 64 * 64),
        memory(stride * count + 64),
        first(64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64),
        key(some_key()) {
    for (std::size_t i = 0; i < count; ++i) {
      const MutableByteView sealed =
          MutableByteView(memory).subspan(first + i * stride + 16, size + kTagSize);
      seals.push_back({&key, i, sealed.first(size), sealed.data()});
      opens.push_back({&key, i, sealed});
    }
  }
  std::size_t stride;
  ByteVector memory;
  std::size_t first;
  PacketKey key;
  std::vector<SealPacket> seals;
  std::vector<OpenPacket> opens;
};

void count_packets(benchmark::State& state, const Batch& batch) {
  const auto packets = static_cast<double>(batch.seals.size());
  const auto bytes = packets * static_cast<double>(batch.seals.front().text.size());
  using benchmark::Counter;
  state.counters["ns/packet"] =
      Counter(packets * 1e-9, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["GB/s"] = Counter(bytes * 1e-9, Counter::kIsIterationInvariantRate);
}

void batch_seal(benchmark::State& state, PacketKernels kernels) {
  Batch batch(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  for ([[maybe_unused]] auto _ : state) seal(batch.seals, kernels);
  count_packets(state, batch);
}

void batch_open(benchmark::State& state, PacketKernels kernels) {
  Batch batch(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
  seal(batch.seals, kernels);
  const ByteVector sealed = batch.memory;
  for ([[maybe_unused]] auto _ : state) {
    // Opening is in place, so the ciphertext is put back; the copy is part of the figure.
    std::copy(sealed.begin(), sealed.end(), batch.memory.begin());
    open(batch.opens, kernels);
    if (!batch.opens.back().opened) state.SkipWithError("forged");
  }
  count_packets(state, batch);
}

void register_batches() {
  const auto add = [](const std::string& word, auto run, PacketKernels kernels) {
    const std::string title = word + "/" + std::string(name(kernels));
    benchmark::RegisterBenchmark(title.c_str(), run, kernels)
        ->ArgNames({"bytes", "batch"})
        ->ArgsProduct({{64, 544, 1420}, {1, 4, 16, 45}});
  };
  for (const PacketKernels kernels : available_packet_kernels()) {
    add("seal", batch_seal, kernels);
    add("open", batch_open, kernels);
  }
}

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// OpenSSL's AEAD with a context for each packet: what the batches are measured against.
void aead_seal_each(benchmark::State& state) {
  const SymmetricKey key = some_key();
  const ByteVector text(static_cast<std::size_t>(state.range(0)));
  ByteVector sealed(text.size() + kTagSize);
  std::uint64_t counter = 0;
  for ([[maybe_unused]] auto _ : state)
    aead_seal(key.expose(), counter_nonce(counter++), {}, text, sealed);
  count_bytes(state);
}
BENCHMARK(aead_seal_each)->Arg(64)->Arg(544)->Arg(1420);

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
BENCHMARK(aead_open_each)->Arg(64)->Arg(544)->Arg(1420);

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

int main(int argc, char** argv) {
  trellis::crypto::register_batches();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
