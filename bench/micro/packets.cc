#include "crypto/packet_batch.h"
#include "measure.h"
#include "testing/random.h"

#include <fmt/format.h>

namespace trellis::bench {
namespace {

using crypto::OpenPacket;
using crypto::PacketKernels;
using crypto::SealPacket;

/// Packets of one size where the data path has them: 16 bytes behind multiples of 64.
struct Batch {
  Batch(std::size_t size, std::size_t count)
      : stride((16 + size + crypto::kTagSize + 63) / 64 * 64), memory(stride * count + 64) {
    const std::size_t first = 64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64;
    for (std::size_t i = 0; i < count; ++i) {
      const MutableByteView sealed =
          MutableByteView(memory).subspan(first + i * stride + 16, size + crypto::kTagSize);
      seals.push_back({&key, i, sealed.first(size), sealed.data()});
      opens.push_back({&key, i, sealed});
    }
  }
  std::size_t stride;
  ByteVector memory;
  crypto::PacketKey key{crypto::SymmetricKey(Bytes<32>{})};
  std::vector<SealPacket> seals;
  std::vector<OpenPacket> opens;
};

void measure_batches(Report& report, PacketKernels kernels, std::size_t size, std::size_t count) {
  const auto rate = [size](double ns) {
    return fmt::format("{:.2f} GB/s", static_cast<double>(size) / ns);
  };
  const std::string title =
      fmt::format("{}, {} B, {} at a time", crypto::name(kernels), size, count);
  Batch batch(size, count);
  report.line("seal: " + title, count, [&] { crypto::seal(batch.seals, kernels); }, rate);
  crypto::seal(batch.seals, kernels);
  const ByteVector sealed = batch.memory;
  // Opening is in place, so the ciphertext is put back; the copy is part of the figure.
  const auto open = [&] {
    std::copy(sealed.begin(), sealed.end(), batch.memory.begin());
    crypto::open(batch.opens, kernels);
  };
  report.line("open: " + title, count, open, rate);
}

}  // namespace

void measure_packets(Report& report) {
  report.section("ChaCha20-Poly1305 of a packet", "");
  for (const PacketKernels kernels : crypto::available_packet_kernels()) {
    for (const std::size_t size : {64U, 544U, 1420U}) {
      for (const std::size_t count : {1U, 16U, 45U}) measure_batches(report, kernels, size, count);
    }
  }
  report.section("the same by OpenSSL's EVP", "");
  for (const std::size_t size : {64U, 544U, 1420U}) {
    const crypto::SymmetricKey key{Bytes<32>{}};
    const ByteVector text(size);
    ByteVector sealed(size + crypto::kTagSize);
    std::uint64_t counter = 0;
    report.line(fmt::format("seal: EVP, {} B", size), 1, [&] {
      crypto::aead_seal(key.expose(), crypto::counter_nonce(counter++), {}, text, sealed);
    });
  }
}

}  // namespace trellis::bench
