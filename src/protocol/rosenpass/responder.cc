#include "protocol/rosenpass/responder.h"

#include "protocol/rosenpass/constants.h"

namespace trellis::rosenpass {

Expected<OpenedHello, Drop> open_init_hello(const InitHello& hello, const Identity& own) {
  Transcript transcript(own.own.version, own.own.initial_chain);  // IHR1
  transcript.mix(hello.sidi.bytes);                               // IHR4
  transcript.mix(hello.epki);
  if (!transcript.decaps_and_mix(*own.suite->static_kem, own.secret_key,  // IHR5
                                 own.own.bytes, hello.sctr)) {
    return fail(Drop::BadKem);
  }
  const auto pidi = transcript.decrypt_and_mix(hello.pidi_ct);  // IHR6
  if (!pidi) return fail(Drop::BadHello);
  return OpenedHello{PeerHash{*pidi}, std::move(transcript)};
}

Expected<Transcript, Drop> check_init_hello(OpenedHello opened, const InitHello& hello,
                                            const Counterpart& initiator) {
  Transcript transcript = std::move(opened.transcript);
  transcript.mix(initiator.key.bytes);  // IHR7
  transcript.mix(initiator.psk.expose());
  if (!transcript.decrypt_and_mix(hello.auth)) return fail(Drop::BadAuth);  // IHR8
  return transcript;
}

Expected<ByteVector, Drop> make_resp_hello(Transcript transcript, const InitHello& hello,
                                           const Identity& own, const Counterpart& initiator,
                                           const BiscuitSeal& seal, Random& random) {
  const SessionId sidr = seal.sidr;  // RHR1
  transcript.mix(sidr.bytes);        // RHR3
  transcript.mix(hello.sidi.bytes);
  const auto ecti =
      transcript.encaps_and_mix(*own.suite->ephemeral_kem, hello.epki, random);  // RHR4
  if (!ecti) return fail(Drop::BadKem);
  const auto scti = transcript.encaps_and_mix(*own.suite->static_kem,  // RHR5
                                              initiator.key.bytes, random);
  if (!scti) return fail(Drop::BadKem);
  const Biscuit biscuit{initiator.key.pid, seal.number, transcript.chaining_key().clone()};
  const SealedBiscuit biscuit_ct =  // RHR6
      seal_biscuit(seal.key, biscuit_additional_data(own.own, hello.sidi, sidr), biscuit, random);
  transcript.mix(biscuit_ct);
  const RespHello message{.sidr = sidr,
                          .sidi = hello.sidi,
                          .ecti = *ecti,
                          .scti = *scti,
                          .auth = transcript.encrypt_and_mix(Bytes<0>{}),  // RHR7
                          .biscuit_ct = biscuit_ct};
  return own.layout.write(message, initiator.key.mac_key);
}

Expected<CompletedExchange, Drop> complete_exchange(const Biscuit& biscuit, const InitConf& message,
                                                    const Identity& own,
                                                    const Counterpart& initiator) {
  Transcript transcript(own.own.version, biscuit.chaining_key.expose());  // ICR1
  transcript.mix(message.biscuit_ct);
  (void)transcript.encrypt_and_mix(Bytes<0>{});  // RespHello's tag once more     // ICR2
  transcript.mix(message.sidi.bytes);            // ICR3
  transcript.mix(message.sidr.bytes);
  if (!transcript.decrypt_and_mix(message.auth)) return fail(Drop::BadAuth);  // ICR4
  const crypto::SymmetricKey responder_key = transcript.responder_key();      // ICR7
  const EmptyData acknowledgement{.sid = message.sidi,
                                  .counter = kFirstCounter,
                                  .auth = acknowledgement_tag(responder_key, kFirstCounter)};
  return CompletedExchange{transcript.output_key(initiator.output_label),
                           own.layout.write(acknowledgement, initiator.key.mac_key)};
}

}  // namespace trellis::rosenpass
