// What the packet cipher answers to packets of any length, place and key, in a few lines to compare
// between processors: for each set of kernels a digest of all that was sealed, and of all that was
// authenticated with numbers that carry. Exit status 1: an answer differs from RFC 8439's, a packet
// did not open again, or a forged one did.
//
// It names nothing but the packet cipher and base, so that it can be built for a processor that has
// no other library here.

#include "base/hex.h"
#include "crypto/batch/chunk.h"
#include "crypto/packet_batch.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace trellis::crypto {
namespace {

/// SplitMix64: the same on all processors.
class Numbers {
 public:
  std::uint64_t next() {
    state_ += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }
  void fill(MutableByteView bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next());
  }

 private:
  std::uint64_t state_ = 1;
};

/// FNV-1a.
class Digest {
 public:
  void add(ByteView bytes) {
    for (const std::byte byte : bytes) {
      value_ = (value_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100'0000'01b3;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf2'9ce4'8422'2325;
};

bool g_failed = false;

void expect(bool holds, const char* what) {
  if (holds || g_failed) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  g_failed = true;
}

/// A packet in a place of its own, between bytes that must stay.
struct Packet {
  Packet(std::size_t text_size, Numbers& numbers)
      : place(numbers.below(64)), size(text_size), memory(place + size + kTagSize + 64) {
    numbers.fill(memory);
    before = memory;
  }
  MutableByteView sealed() { return MutableByteView(memory).subspan(place, size + kTagSize); }
  bool surroundings_are_whole() const {
    const auto same = [this](std::size_t from, std::size_t to) {
      const auto at = static_cast<std::ptrdiff_t>(from);
      return std::equal(memory.begin() + at, memory.begin() + static_cast<std::ptrdiff_t>(to),
                        before.begin() + at);
    };
    return same(0, place) && same(place + size + kTagSize, memory.size());
  }

  std::size_t place;
  std::size_t size;
  ByteVector memory;
  ByteVector before;
};

std::vector<PacketKey> some_keys(Numbers& numbers) {
  std::vector<PacketKey> keys;
  for (int i = 0; i < 5; ++i) {
    Bytes<32> bytes;
    numbers.fill(bytes);
    keys.emplace_back(SymmetricKey(bytes));
  }
  return keys;
}

std::size_t some_size(Numbers& numbers) {
  constexpr std::array<std::size_t, 4> kLimits = {40, 200, 700, 1500};
  return numbers.below(kLimits[numbers.below(kLimits.size())]);
}

/// Seals up to 20 packets at once, then opens them, some of them forged.
std::size_t pass_a_batch(std::span<const PacketKey> keys, PacketKernels kernels, Numbers& numbers,
                         Digest& digest) {
  std::vector<Packet> packets;
  const std::size_t count = 1 + numbers.below(20);
  packets.reserve(count);
  for (std::size_t i = 0; i < count; ++i) packets.emplace_back(some_size(numbers), numbers);
  std::vector<SealPacket> seals;
  std::vector<OpenPacket> opens;
  for (Packet& packet : packets) {
    const PacketKey& key = keys[numbers.below(2) == 0 ? 0 : numbers.below(keys.size())];
    const std::uint64_t counter = numbers.next() >> numbers.below(64);
    const MutableByteView sealed = packet.sealed();
    seals.push_back({&key, counter, sealed.first(packet.size), sealed.data()});
    opens.push_back({&key, counter, sealed});
  }
  seal(seals, kernels);
  std::vector<bool> forged;
  for (Packet& packet : packets) {
    digest.add(packet.sealed());
    forged.push_back(numbers.below(4) == 0);
    if (!forged.back()) continue;
    const std::size_t bit = numbers.below(8 * packet.sealed().size());
    packet.sealed()[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  open(opens, kernels);
  for (std::size_t i = 0; i < count; ++i) {
    expect(packets[i].surroundings_are_whole(), "bytes around a packet");
    expect(opens[i].opened != forged[i], forged[i] ? "a forged packet opened" : "did not open");
    if (forged[i]) continue;
    const ByteView text = opens[i].sealed.first(packets[i].size);
    expect(std::equal(text.begin(), text.end(),
                      packets[i].before.begin() + static_cast<std::ptrdiff_t>(packets[i].place)),
           "another text");
  }
  return count;
}

std::uint64_t digest_of_packets(std::size_t count, PacketKernels kernels) {
  Numbers numbers;
  Digest digest;
  const std::vector<PacketKey> keys = some_keys(numbers);
  while (count > 0) count -= std::min(count, pass_a_batch(keys, kernels, numbers, digest));
  return digest.value();
}

/// A byte of the kind that carries far, or anything.
std::byte byte_that_carries(Numbers& numbers) {
  constexpr std::array<std::uint8_t, 6> kBytes = {0x00, 0xff, 0xff, 0x01, 0x80, 0xfc};
  const std::size_t pick = numbers.below(8);
  return static_cast<std::byte>(pick < kBytes.size() ? kBytes[pick] : numbers.next());
}

std::uint64_t digest_of_tags(std::size_t count, PacketKernels kernels) {
  struct alignas(64) KeyBlock {
    Bytes<batch::kBlockSize> bytes;
  };
  Numbers numbers;
  Digest digest;
  for (std::size_t done = 0; done < count;) {
    std::array<KeyBlock, batch::kTextsMax> keys;
    std::array<batch::Authentication, batch::kTextsMax> jobs;
    std::array<ByteVector, batch::kTextsMax> texts;
    const std::size_t group = 1 + numbers.below(batch::kTextsMax);
    for (std::size_t i = 0; i < group; ++i) {
      for (std::byte& byte : keys[i].bytes) byte = byte_that_carries(numbers);
      texts[i].resize(some_size(numbers));
      for (std::byte& byte : texts[i]) byte = byte_that_carries(numbers);
      jobs[i].key = keys[i].bytes.data();
      jobs[i].text = texts[i].data();
      jobs[i].size = texts[i].size();
    }
    batch::kernels_of(kernels).authenticate(jobs.data(), group);
    for (std::size_t i = 0; i < group; ++i) digest.add(jobs[i].tag);
    done += group;
  }
  return digest.value();
}

/// Block 0 and 1 under a key and a nonce of zeros. [RFC 8439 A.1, test vectors 1 and 2]
void expect_key_stream_of_the_rfc(PacketKernels kernels) {
  const std::string expected =
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
      "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
      "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f";
  const PacketKey key(SymmetricKey(Bytes<32>{}));
  struct alignas(64) Blocks {
    Bytes<batch::kLanesMax * batch::kBlockSize> bytes;
  } stream, scratch;
  const batch::Run run = {key.expose().data(), 0, 0, 2, nullptr, stream.bytes.data(), 0};
  batch::kernels_of(kernels).crypt(&run, 1, scratch.bytes.data());
  expect(to_hex(ByteView(stream.bytes).first(expected.size() / 2)) == expected,
         "the key stream of RFC 8439 A.1");
}

int run(std::size_t packets) {
  for (const PacketKernels kernels : available_packet_kernels()) {
    expect_key_stream_of_the_rfc(kernels);
    const std::uint64_t sealed = digest_of_packets(packets, kernels);
    const std::uint64_t tags = digest_of_tags(packets, kernels);
    std::printf("%s %016llx %016llx\n", std::string(name(kernels)).c_str(),
                static_cast<unsigned long long>(sealed), static_cast<unsigned long long>(tags));
  }
  return g_failed ? 1 : 0;
}

}  // namespace
}  // namespace trellis::crypto

int main(int argc, char** argv) {
  return trellis::crypto::run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000);
}
