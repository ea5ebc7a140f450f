#include "protocol/rosenpass/initiator.h"

namespace trellis::rosenpass {

Expected<HelloStep, crypto::KemError> start_hello(const Identity& own, const Counterpart& responder,
                                                  SessionId sidi, Random& random) {
  Transcript transcript(responder.key.version, responder.key.initial_chain);  // IHI1
  crypto::KemKeyPair ephemeral = own.suite->ephemeral_kem->generate(random);  // IHI3
  transcript.mix(sidi.bytes);                                                 // IHI4
  transcript.mix(ephemeral.public_key);
  const ByteVector sctr = TRY(transcript.encaps_and_mix(*own.suite->static_kem,  // IHI5
                                                        responder.key.bytes, random));
  const SealedPid pidi_ct = transcript.encrypt_and_mix(own.own.pid.bytes);  // IHI6
  transcript.mix(own.own.bytes);                                            // IHI7
  transcript.mix(responder.psk.expose());
  const Tag auth = transcript.encrypt_and_mix(Bytes<0>{});  // IHI8

  const InitHello message{
      .sidi = sidi, .epki = ephemeral.public_key, .sctr = sctr, .pidi_ct = pidi_ct, .auth = auth};
  ByteVector datagram = own.layout.write(message, responder.key.mac_key);
  return HelloStep{HelloSent{sidi, std::move(ephemeral.public_key), std::move(ephemeral.secret_key),
                             std::move(transcript)},
                   std::move(datagram)};
}

Expected<ConfStep, Drop> consume_resp_hello(const HelloSent& sent, const RespHello& hello,
                                            const Identity& own, const Counterpart& responder) {
  Transcript transcript = sent.transcript.clone();  // a forged message must not damage the state
  transcript.mix(hello.sidr.bytes);                 // RHI3
  transcript.mix(hello.sidi.bytes);
  if (!transcript.decaps_and_mix(*own.suite->ephemeral_kem, sent.eski.expose(),  // RHI4
                                 sent.epki, hello.ecti)) {
    return fail(Drop::BadKem);
  }
  if (!transcript.decaps_and_mix(*own.suite->static_kem, own.secret_key,  // RHI5
                                 own.own.bytes, hello.scti)) {
    return fail(Drop::BadKem);
  }
  transcript.mix(hello.biscuit_ct);                                         // RHI6
  if (!transcript.decrypt_and_mix(hello.auth)) return fail(Drop::BadAuth);  // RHI7

  transcript.mix(hello.sidi.bytes);  // ICI3
  transcript.mix(hello.sidr.bytes);
  const InitConf message{.sidi = hello.sidi,
                         .sidr = hello.sidr,
                         .biscuit_ct = hello.biscuit_ct,
                         .auth = transcript.encrypt_and_mix(Bytes<0>{})};  // ICI4
  return ConfStep{ConfSent{sent.sidi, transcript.responder_key()},         // ICI7
                  own.layout.write(message, responder.key.mac_key),
                  transcript.output_key(responder.output_label)};
}

}  // namespace trellis::rosenpass
