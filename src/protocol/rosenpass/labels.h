#pragma once

#include "crypto/hash.h"
#include "protocol/rosenpass/version.h"

#include <string>
#include <string_view>
#include <vector>

namespace trellis::rosenpass {

/// The label tree of one version: constants that its hash makes of texts. [WP "hashes"]
struct Labels {
  crypto::Digest protocol;              // P
  crypto::Digest mac;                   // MAC
  crypto::Digest peer_id;               // PID
  crypto::Digest biscuit;               // BAD
  crypto::Digest chaining_key_init;     // CKI
  crypto::Digest mix;                   // L_mix
  crypto::Digest handshake_encryption;  // L_hs
  crypto::Digest initiator_key;         // L_ini
  crypto::Digest responder_key;         // L_res
  crypto::Digest output_key;            // L_osk
  crypto::Digest cookie;                // COOK
  crypto::Digest cookie_value;          // CVAL
  crypto::Digest cookie_key;            // CKEY
};

/// Computed at the first call.
const Labels& labels(Version version);

/// L_osk of another purpose: h(CKE, "user", organization, labels ...). Unrelated purposes get
/// unrelated keys from the same exchange.
crypto::Digest output_label(Version version, std::string_view organization,
                            const std::vector<std::string>& purpose);

}  // namespace trellis::rosenpass
