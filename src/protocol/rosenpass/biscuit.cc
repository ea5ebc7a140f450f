#include "protocol/rosenpass/biscuit.h"

#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/keyed_hash.h"

namespace trellis::rosenpass {
namespace {

/// What a biscuit seals.
struct BiscuitText {
  Bytes<32> pidi;
  le64 number;
  le32 number_high;  // more than we ever count
  Bytes<32> chaining_key;
};
static_assert(WireLayout<BiscuitText> && sizeof(BiscuitText) == kBiscuitTextSize);

constexpr std::size_t kNonceSize = sizeof(crypto::XNonce);

}  // namespace

crypto::Digest biscuit_additional_data(const StaticPublicKey& own, SessionId sidi, SessionId sidr) {
  return keyed_hash_chain(own.version, own.biscuit_chain, {sidi.bytes, sidr.bytes});
}

SealedBiscuit seal_biscuit(const crypto::SymmetricKey& key, const crypto::Digest& additional_data,
                           const Biscuit& biscuit, Random& random) {
  BiscuitText text{.pidi = biscuit.pidi.bytes,
                   .number = biscuit.number,
                   .number_high = 0U,
                   .chaining_key = to_array<32>(biscuit.chaining_key.expose())};
  const crypto::XNonce nonce = random.bytes<kNonceSize>();
  SealedBiscuit sealed;
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  crypto::xaead_seal(key.expose(), nonce, additional_data, bytes_of(text),
                     MutableByteView(sealed).subspan(kNonceSize));
  zeroise(mutable_bytes_of(text));
  return sealed;
}

std::optional<Biscuit> open_biscuit(const crypto::SymmetricKey& key,
                                    const crypto::Digest& additional_data,
                                    const SealedBiscuit& sealed) {
  const auto nonce = to_array<kNonceSize>(ByteView(sealed).first<kNonceSize>());
  BiscuitText text;
  if (!crypto::xaead_open(key.expose(), nonce, additional_data,
                          ByteView(sealed).subspan(kNonceSize), mutable_bytes_of(text))) {
    return std::nullopt;
  }
  if (text.number_high != 0U) return std::nullopt;  // we never issued one
  Biscuit biscuit{.pidi = PeerHash{text.pidi},
                  .number = text.number,
                  .chaining_key = crypto::ChainingKey(text.chaining_key)};
  zeroise(mutable_bytes_of(text));
  return biscuit;
}

const crypto::SymmetricKey& BiscuitKeys::sealing_key(TimePoint now, Random& random) {
  expire(now);
  if (!young_) {
    young_.emplace(Key{crypto::SymmetricKey::make([&](auto target) { random.fill(target); }), now});
  }
  return young_->key;
}

std::optional<Biscuit> BiscuitKeys::open(TimePoint now, const crypto::Digest& additional_data,
                                         const SealedBiscuit& sealed) {
  expire(now);
  for (const std::optional<Key>* slot : {&young_, &old_}) {
    if (!*slot) continue;
    if (auto biscuit = open_biscuit((*slot)->key, additional_data, sealed)) return biscuit;
  }
  return std::nullopt;
}

void BiscuitKeys::expire(TimePoint now) {
  if (young_ && now - young_->made_at >= kBiscuitEpoch) {
    old_ = std::move(young_);
    young_.reset();
  }
  if (old_ && now - old_->made_at >= 2 * kBiscuitEpoch) old_.reset();
}

std::optional<TimePoint> BiscuitKeys::next_expiry() const {
  std::optional<TimePoint> next;
  if (young_) next = young_->made_at + kBiscuitEpoch;
  if (old_) next = earlier(next, old_->made_at + 2 * kBiscuitEpoch);
  return next;
}

BiscuitNumber BiscuitCounter::issue(TimePoint now) {
  ++last_;
  while (!marks_.empty() && now - marks_.front().time >= kRejectAfter + kBiscuitMarkEvery) {
    marks_.pop_front();
  }
  // Marked at an issue, not by a clock: while there is little to do, ages are exact.
  if (marks_.empty() || now - marks_.back().time >= kBiscuitMarkEvery) {
    marks_.push_back(Mark{now, last_});
  }
  return last_;
}

std::optional<TimePoint> BiscuitCounter::issued_at(TimePoint now, BiscuitNumber number) const {
  if (number > last_) return std::nullopt;
  for (auto mark = marks_.rbegin(); mark != marks_.rend(); ++mark) {
    if (mark->first > number) continue;
    if (now - mark->time >= kRejectAfter) return std::nullopt;
    return mark->time;
  }
  return std::nullopt;
}

}  // namespace trellis::rosenpass
