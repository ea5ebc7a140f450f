#include "protocol/rosenpass/constants.h"
#include "protocol/rosenpass/cookie.h"
#include "protocol/rosenpass/initiator.h"
#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/labels.h"
#include "protocol/rosenpass/responder.h"
#include "testing/random.h"
#include "testing/vector_json.h"

#include <gtest/gtest.h>

#include <deque>

namespace trellis::rosenpass {
namespace {

/// A real KEM, but keys and encapsulations are those of a recorded handshake.
class RecordedKem final : public crypto::Kem {
 public:
  explicit RecordedKem(const crypto::Kem& real) : real_(real) {}

  void record_key(ByteView public_key, ByteView secret_key) {
    public_key_ = to_vector(public_key);
    secret_key_ = to_vector(secret_key);
  }
  void record(ByteView public_key, ByteView ciphertext, ByteView secret) {
    recorded_.push_back({to_vector(public_key), to_vector(ciphertext), to_vector(secret)});
  }

  std::string_view name() const override { return real_.name(); }
  crypto::KemSizes sizes() const override { return real_.sizes(); }
  crypto::KemKeyPair generate(Random&) const override {
    return {public_key_, SecretBuffer(ByteView(secret_key_))};
  }
  Expected<crypto::Encapsulation, crypto::KemError> encapsulate(ByteView public_key,
                                                                Random&) const override {
    CHECK(!recorded_.empty());
    const Recorded next = recorded_.front();
    recorded_.pop_front();
    EXPECT_TRUE(crypto::equal(public_key, next.public_key));
    return crypto::Encapsulation{
        next.ciphertext, crypto::SharedSecret(std::span<const std::byte, 32>(next.secret.data(),
                                                                             next.secret.size()))};
  }
  Expected<crypto::SharedSecret, crypto::KemError> decapsulate(ByteView secret_key,
                                                               ByteView ciphertext) const override {
    return real_.decapsulate(secret_key, ciphertext);
  }

 private:
  struct Recorded {
    ByteVector public_key;
    ByteVector ciphertext;
    ByteVector secret;
  };
  const crypto::Kem& real_;
  ByteVector public_key_;
  ByteVector secret_key_;
  mutable std::deque<Recorded> recorded_;
};

/// A recorded handshake: both hashes, and both forms of the McEliece ciphertext.
struct Record {
  const char* name;  // of its files in tests/vectors/rosenpass
  const char* secret_form;
  Version version;
  const crypto::Kem& (*static_kem)();
  std::size_t init_hello_size;
  std::size_t resp_hello_size;
};
const Record kRecords[] = {
    {"v02", "sk13568", Version::V02, &crypto::mceliece460896pc, 1092, 1132},
    {"v03", "sk13608", Version::V03, &crypto::mceliece460896, 1060, 1100},
};

/// `a` is its initiator, `b` its responder.
class RecordedHandshake : public ::testing::TestWithParam<Record> {
 protected:
  RecordedHandshake()
      : known_(testing::read_vector_json("rosenpass/" + file("handshake.json"))),
        init_hello_(testing::hex_of(known_["messages"]["InitHello"])),
        resp_hello_(testing::hex_of(known_["messages"]["RespHello"])),
        init_conf_(testing::hex_of(known_["messages"]["InitConf"])),
        empty_data_(testing::hex_of(known_["messages"]["EmptyData"])),
        a_(identity("peer_a", key_a_)),
        b_(identity("peer_b", key_b_)) {
    static_kem_.record(key_b_, parsed<InitHello>(init_hello_).sctr,
                       testing::hex_of(known_["sptr"]));
    ephemeral_kem_.record_key(testing::hex_of(known_["epki"]), testing::hex_of(known_["eski"]));
  }

  static std::string file(const std::string& rest) {
    return std::string(GetParam().name) + "_" + rest;
  }
  static ByteVector raw_secret_key(const std::string& peer) {
    return testing::read_vector_file("rosenpass/" +
                                     file(peer + "." + GetParam().secret_form + ".bin"));
  }

  Identity identity(const std::string& peer, ByteVector& key) {
    key = testing::read_vector_file("rosenpass/" + file(peer + ".pk.bin"));
    auto secret = normalise_secret_key(suite_, raw_secret_key(peer));
    CHECK(secret.has_value());
    secrets_.push_back(*std::move(secret));
    return Identity{&suite_, Layout(suite_), StaticPublicKey(key, GetParam().version),
                    secrets_.back().expose()};
  }

  Counterpart counterpart(const Identity& other) const {
    const ByteVector psk = testing::hex_of(known_["psk"]);
    return {StaticPublicKey(other.own.bytes, GetParam().version),
            ExchangePsk(std::span<const std::byte, 32>(psk.data(), psk.size()))};
  }

  template <class T>
  T parsed(const ByteVector& datagram) const {
    const auto message = Layout(suite_).parse(datagram);
    CHECK(message.has_value());
    return std::get<T>(*message);
  }

  /// A value of the record; some are marked as computed from the others.
  std::string known(const std::string& field) const { return field_of(known_, field); }
  std::string chaining_key(const std::string& step) const {
    return field_of(known_["chaining_key"], step);
  }
  static std::string field_of(const nlohmann::json& object, const std::string& name) {
    const std::string computed = name + " (computed)";
    return object.contains(name) ? object[name].get<std::string>()
                                 : object.at(computed).get<std::string>();
  }
  std::uint64_t first_counter() const { return parsed<EmptyData>(empty_data_).counter; }
  /// Rust fills the cookie field of what its initiator sends from a value of its own.
  ByteVector with_cookie(ByteVector datagram) const {
    if (known_.contains("initiator_cookie_value")) {
      put_cookie(datagram, to_array<16>(testing::hex_of(known_["initiator_cookie_value"])));
    }
    return datagram;
  }
  SessionId sidi() const { return SessionId{to_array<4>(testing::hex_of(known_["sidi"]))}; }

  const nlohmann::json known_;
  std::deque<SecretBuffer> secrets_;
  RecordedKem static_kem_{GetParam().static_kem()};
  RecordedKem ephemeral_kem_{crypto::kyber512_round3()};
  const crypto::Suite suite_{0, "recorded", &static_kem_, &ephemeral_kem_};
  const ByteVector init_hello_;
  const ByteVector resp_hello_;
  const ByteVector init_conf_;
  const ByteVector empty_data_;
  ByteVector key_a_;
  ByteVector key_b_;
  const Identity a_;
  const Identity b_;
  testing::ScriptedRandom random_;
};

TEST_P(RecordedHandshake, NamesPeersByTheirKeys) {
  EXPECT_EQ(to_hex(a_.own.pid.bytes), known("pidi"));
  EXPECT_EQ(to_hex(b_.own.pid.bytes), known("pidr"));
  EXPECT_EQ(to_hex(peer_hash(key_a_, GetParam().version).bytes), known("pidi"));
}

TEST_P(RecordedHandshake, HasEveryMacRight) {
  EXPECT_TRUE(has_valid_mac(init_hello_, b_.own.mac_key));
  EXPECT_TRUE(has_valid_mac(resp_hello_, a_.own.mac_key));
  EXPECT_TRUE(has_valid_mac(init_conf_, b_.own.mac_key));
  EXPECT_TRUE(has_valid_mac(empty_data_, a_.own.mac_key));
  EXPECT_FALSE(has_valid_mac(init_hello_, a_.own.mac_key));
}

TEST_P(RecordedHandshake, ChainsEveryStepAlike) {
  const auto hello = parsed<InitHello>(init_hello_);
  const auto resp = parsed<RespHello>(resp_hello_);
  const auto conf = parsed<InitConf>(init_conf_);
  Transcript t(GetParam().version, b_.own.initial_chain);
  const auto ck = [&] { return to_hex(t.chaining_key().expose()); };
  EXPECT_EQ(ck(), chaining_key("IHI1"));
  t.mix(hello.sidi.bytes);
  t.mix(hello.epki);
  EXPECT_EQ(ck(), chaining_key("IHI4"));
  ASSERT_TRUE(t.decaps_and_mix(GetParam().static_kem(), b_.secret_key, key_b_, hello.sctr));
  EXPECT_EQ(ck(), chaining_key("IHI5"));
  EXPECT_EQ(t.encrypt_and_mix(a_.own.pid.bytes), hello.pidi_ct);
  EXPECT_EQ(ck(), chaining_key("IHI6"));
  t.mix(key_a_);
  t.mix(testing::hex_of(known_["psk"]));
  EXPECT_EQ(ck(), chaining_key("IHI7"));
  EXPECT_EQ(t.encrypt_and_mix(Bytes<0>{}), hello.auth);
  EXPECT_EQ(ck(), chaining_key("IHI8"));
  t.mix(resp.sidr.bytes);
  t.mix(resp.sidi.bytes);
  EXPECT_EQ(ck(), chaining_key("RHR3"));
  ASSERT_TRUE(t.decaps_and_mix(crypto::kyber512_round3(), testing::hex_of(known_["eski"]),
                               hello.epki, resp.ecti));
  EXPECT_EQ(ck(), chaining_key("RHR4"));
  ASSERT_TRUE(t.decaps_and_mix(GetParam().static_kem(), a_.secret_key, key_a_, resp.scti));
  EXPECT_EQ(ck(), chaining_key("RHR5"));
  t.mix(resp.biscuit_ct);
  EXPECT_EQ(ck(), chaining_key("RHR6"));
  EXPECT_EQ(t.encrypt_and_mix(Bytes<0>{}), resp.auth);
  EXPECT_EQ(ck(), chaining_key("RHR7"));
  t.mix(conf.sidi.bytes);
  t.mix(conf.sidr.bytes);
  EXPECT_EQ(ck(), chaining_key("ICI3"));
  EXPECT_EQ(t.encrypt_and_mix(Bytes<0>{}), conf.auth);
  EXPECT_EQ(ck(), chaining_key("ICI4"));
  EXPECT_EQ(to_hex(t.responder_key().expose()), known("txkr"));
  EXPECT_EQ(to_hex(t.output_key().expose()), known("osk"));
}

TEST_P(RecordedHandshake, IsReproducedAsInitiator) {
  const auto start = start_hello(a_, counterpart(b_), sidi(), random_);
  ASSERT_TRUE(start);
  EXPECT_EQ(to_hex(with_cookie(start->init_hello)), to_hex(init_hello_));
  EXPECT_EQ(to_hex(start->sent.transcript.chaining_key().expose()), chaining_key("IHI8"));

  const auto conf =
      consume_resp_hello(start->sent, parsed<RespHello>(resp_hello_), a_, counterpart(b_));
  ASSERT_TRUE(conf);
  EXPECT_EQ(to_hex(with_cookie(conf->init_conf)), to_hex(init_conf_));
  EXPECT_EQ(to_hex(conf->osk.expose()), known("osk"));
  EXPECT_TRUE(is_acknowledged(conf->sent.responder_key, parsed<EmptyData>(empty_data_)));

  EmptyData forged = parsed<EmptyData>(empty_data_);
  forged.counter = forged.counter + 1;
  EXPECT_FALSE(is_acknowledged(conf->sent.responder_key, forged));
}

TEST_P(RecordedHandshake, IsReproducedAsResponder) {
  const auto hello = parsed<InitHello>(init_hello_);
  const auto resp = parsed<RespHello>(resp_hello_);
  auto opened = open_init_hello(hello, b_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->pidi, a_.own.pid);
  EXPECT_EQ(to_hex(opened->transcript.chaining_key().expose()), chaining_key("IHI6"));
  auto transcript = check_init_hello(*std::move(opened), hello, counterpart(a_));
  ASSERT_TRUE(transcript);
  EXPECT_EQ(to_hex(transcript->chaining_key().expose()), chaining_key("IHI8"));

  random_.push(testing::hex_of(known_["biscuit_nonce"]));
  (void)static_kem_.encapsulate(key_b_, random_);  // the initiator's, which is first in the record
  ephemeral_kem_.record(hello.epki, resp.ecti, testing::hex_of(known_["epti"]));
  static_kem_.record(key_a_, resp.scti, testing::hex_of(known_["spti"]));
  const crypto::SymmetricKey biscuit_key(to_array<32>(testing::hex_of(known_["biscuit_key"])));
  const auto answer = make_resp_hello(*std::move(transcript), hello, b_, counterpart(a_),
                                      BiscuitSeal{resp.sidr, biscuit_key, 1}, random_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_hex(*answer), to_hex(resp_hello_));
  EXPECT_TRUE(random_.exhausted());

  const auto conf = parsed<InitConf>(init_conf_);
  const crypto::Digest ad = biscuit_additional_data(b_.own, conf.sidi, conf.sidr);
  EXPECT_EQ(to_hex(ad), known("biscuit_ad"));
  const auto biscuit = open_biscuit(biscuit_key, ad, conf.biscuit_ct);
  ASSERT_TRUE(biscuit);
  EXPECT_EQ(biscuit->number, 1U);
  EXPECT_EQ(biscuit->pidi, a_.own.pid);
  EXPECT_EQ(to_hex(biscuit->chaining_key.expose()), chaining_key("RHR5"));
  const auto completed = complete_exchange(*biscuit, conf, b_, counterpart(a_));
  ASSERT_TRUE(completed);
  EXPECT_EQ(to_hex(completed->osk.expose()), known("osk"));
  // The counter is the responder's to choose: ours is the one of go-rosenpass, Rust begins at 0.
  const crypto::SymmetricKey txkr(to_array<32>(testing::hex_of(known("txkr"))));
  EXPECT_TRUE(is_acknowledged(txkr, parsed<EmptyData>(completed->empty_data)));
  EXPECT_EQ(acknowledgement_tag(txkr, first_counter()), parsed<EmptyData>(empty_data_).auth);
  if (first_counter() == kFirstCounter) {
    EXPECT_EQ(to_hex(completed->empty_data), to_hex(empty_data_));
  }
}

TEST_P(RecordedHandshake, FailsWhereOneSecretDiffers) {
  const auto hello = parsed<InitHello>(init_hello_);
  auto opened = open_init_hello(hello, b_);
  ASSERT_TRUE(opened);
  const Counterpart other_psk{StaticPublicKey(key_a_, GetParam().version), ExchangePsk::zero()};
  const auto checked = check_init_hello(*std::move(opened), hello, other_psk);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(), Drop::BadAuth);

  EXPECT_FALSE(open_init_hello(hello, a_)) << "it was not made for that key";

  const auto start = start_hello(a_, counterpart(b_), sidi(), random_);
  ASSERT_TRUE(start);
  RespHello answer = parsed<RespHello>(resp_hello_);
  answer.sidr.bytes[0] ^= std::byte{1};
  const auto conf = consume_resp_hello(start->sent, answer, a_, counterpart(b_));
  ASSERT_FALSE(conf);
  EXPECT_EQ(conf.error(), Drop::BadAuth);
}

TEST_P(RecordedHandshake, HasTheSizesOfThePaper) {
  const Layout layout(suite_);
  EXPECT_EQ(layout.init_hello_size(), GetParam().init_hello_size);
  EXPECT_EQ(layout.resp_hello_size(), GetParam().resp_hello_size);
  EXPECT_EQ(Layout::init_conf_size(), 176U);
  EXPECT_EQ(Layout::empty_data_size(), 64U);
}

INSTANTIATE_TEST_SUITE_P(Records, RecordedHandshake, ::testing::ValuesIn(kRecords),
                         [](const auto& record) { return std::string(record.param.name); });

TEST(SecretKey, WorksInEitherForm) {
  // The newer form: seed and pivots in front, and s at the end.
  const crypto::Suite& suite = crypto::suite_rosenpass();
  const auto known = testing::read_vector_json("rosenpass/v02_handshake.json");
  const auto hello_bytes = testing::hex_of(known["messages"]["InitHello"]);
  const auto message = Layout(suite).parse(hello_bytes);
  ASSERT_TRUE(message);
  const auto& hello = std::get<InitHello>(*message);
  const ByteVector old_form = testing::read_vector_file("rosenpass/v02_peer_b.sk13568.bin");
  const auto converted = normalise_secret_key(suite, old_form);
  ASSERT_TRUE(converted);
  EXPECT_EQ(converted->size(), 13608U);
  EXPECT_EQ(to_hex(converted->expose().subspan(32, 8)), "ffffffff00000000");
  EXPECT_TRUE(crypto::equal(converted->expose().last(576), ByteView(old_form).first(576)));
  EXPECT_TRUE(
      crypto::equal(converted->expose().subspan(40, 12992), ByteView(old_form).subspan(576)));
  EXPECT_TRUE(crypto::equal(rust_form(converted->expose()).expose(), old_form));
  const auto unchanged = normalise_secret_key(suite, converted->expose());
  ASSERT_TRUE(unchanged);
  EXPECT_TRUE(crypto::equal(unchanged->expose(), converted->expose()));
  const auto secret = crypto::mceliece460896pc().decapsulate(unchanged->expose(), hello.sctr);
  ASSERT_TRUE(secret);
  EXPECT_EQ(to_hex(secret->expose()), known["sptr"].get<std::string>());

  const auto wrong = normalise_secret_key(suite, ByteView(old_form).first(13567));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("13567"), std::string::npos);
  EXPECT_NE(wrong.error().message.find("13608"), std::string::npos);
  EXPECT_NE(wrong.error().message.find("13568"), std::string::npos);
}

}  // namespace
}  // namespace trellis::rosenpass
