#include "crypto/packet_batch.h"

#include "base/result.h"
#include "crypto/batch/chunk.h"
#include "crypto/batch/kernels.h"

#include <algorithm>
#include <array>

namespace trellis::crypto {

namespace {

using batch::Kernels;

constexpr Kernels kPortable = {batch::portable::kLanes, batch::portable::crypt,
                               batch::portable::authenticate, batch::portable::combine, 0};

#ifdef TRELLIS_X86_KERNELS

constexpr Kernels kAvx2 = {batch::avx2::kLanes, batch::avx2::crypt, batch::avx2::authenticate,
                           batch::avx2::combine, 384};
constexpr Kernels kAvx512 = {batch::avx512::kLanes, batch::avx512::crypt, batch::avx2::authenticate,
                             batch::avx512::combine, 384};
constexpr Kernels kAvx512Ifma = {batch::avx512::kLanes, batch::avx512::crypt,
                                 batch::avx512_ifma::authenticate, batch::avx512::combine, 48};

const Kernels& choose(PacketKernels kernels) {
  switch (kernels) {
    case PacketKernels::Avx2:
      return kAvx2;
    case PacketKernels::Avx512:
      return kAvx512;
    case PacketKernels::Avx512Ifma:
      return kAvx512Ifma;
    case PacketKernels::Portable:
    case PacketKernels::Neon:
      break;
  }
  return kPortable;
}

/// How many of kAll, from the first on, this processor can run. (The compiler's support
/// asks for the system's, too: whether it saves the registers.)
std::size_t count_available() {
  if (!__builtin_cpu_supports("avx2")) return 1;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) {
    return 2;
  }
  return __builtin_cpu_supports("avx512ifma") ? 4 : 3;
}

constexpr std::array kAll = {PacketKernels::Portable, PacketKernels::Avx2, PacketKernels::Avx512,
                             PacketKernels::Avx512Ifma};

#elif defined(TRELLIS_NEON_KERNELS)

constexpr Kernels kNeon = {batch::neon::kLanes, batch::neon::crypt, batch::neon::authenticate,
                           batch::neon::combine, 64};

const Kernels& choose(PacketKernels kernels) {
  return kernels == PacketKernels::Neon ? kNeon : kPortable;
}
std::size_t count_available() { return 2; }  // NEON is part of AArch64
constexpr std::array kAll = {PacketKernels::Portable, PacketKernels::Neon};

#else

const Kernels& choose(PacketKernels /*kernels*/) { return kPortable; }
std::size_t count_available() { return 1; }
constexpr std::array kAll = {PacketKernels::Portable};

#endif

}  // namespace

const Kernels& batch::kernels_of(PacketKernels kernels) { return choose(kernels); }

std::string_view name(PacketKernels kernels) {
  switch (kernels) {
    case PacketKernels::Portable:
      return "portable";
    case PacketKernels::Neon:
      return "neon";
    case PacketKernels::Avx2:
      return "avx2";
    case PacketKernels::Avx512:
      return "avx512";
    case PacketKernels::Avx512Ifma:
      return "avx512-ifma";
  }
  return "unknown";
}

std::span<const PacketKernels> available_packet_kernels() {
  static const std::size_t count = count_available();
  return std::span(kAll).first(count);
}

std::optional<PacketKernels> find_packet_kernels(std::string_view name) {
  const auto found = std::ranges::find(kAll, name, [](PacketKernels k) { return crypto::name(k); });
  return found == kAll.end() ? std::nullopt : std::optional(*found);
}

namespace {

PacketKernels& chosen() {
  static PacketKernels kernels = available_packet_kernels().back();
  return kernels;
}

}  // namespace

PacketKernels best_packet_kernels() { return chosen(); }

bool choose_packet_kernels(PacketKernels kernels) {
  const auto available = available_packet_kernels();
  if (std::ranges::find(available, kernels) == available.end()) return false;
  chosen() = kernels;
  return true;
}

void seal(std::span<const SealPacket> packets, PacketKernels kernels) {
  batch::Chunk chunk(choose(kernels));
  while (!packets.empty()) {
    const std::size_t count = std::min(packets.size(), batch::kTextsMax);
    chunk.seal(packets.first(count));
    packets = packets.subspan(count);
  }
}

void open(std::span<OpenPacket> packets, PacketKernels kernels) {
  batch::Chunk chunk(choose(kernels));
  while (!packets.empty()) {
    const std::size_t count = std::min(packets.size(), batch::kTextsMax);
    chunk.open(packets.first(count));
    packets = packets.subspan(count);
  }
}

}  // namespace trellis::crypto
