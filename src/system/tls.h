#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis::system {

/// SHA-256 of a key's SubjectPublicKeyInfo (DER): what a join line names. A renewed certificate of
/// the same key has the same fingerprint.
using TlsFingerprint = Bytes<32>;

/// The group that both programs of ours insist on: X25519 and ML-KEM-768.
constexpr const char* kPostQuantumGroup = "X25519MLKEM768";

/// What a handshake agreed on. Empty texts: no TLS.
struct TlsFacts {
  std::string version;                     // "TLSv1.3"
  std::string group;                       // "X25519MLKEM768"
  std::string cipher;                      // "TLS_AES_256_GCM_SHA384"
  std::optional<TlsFingerprint> peer_key;  // of the server, at the client

  bool post_quantum() const { return group == kPostQuantumGroup; }
};

/// TLS 1.3 towards a server: ALPN h2, no tickets, no early data, no openssl.cnf. Used for any
/// number of connections, one after the other or at once.
class ClientTls {
 public:
  struct Options {
    std::string server_name{};                   // host name or address; SNI if it is a name
    std::optional<TlsFingerprint> pinned_key{};  // given: this key, and the chain is not looked at
    std::string authorities_file{};              // PEM, without a pin; empty: those of the system
    std::string groups = kPostQuantumGroup;      // a server that has none of them is refused
  };
  static Result<ClientTls> create(Options options);

 private:
  friend class TlsSession;
  struct State;
  explicit ClientTls(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;  // immutable; connections keep it
};

/// TLS 1.3 of a server: X25519MLKEM768 before all else, even where a client lists it last; X25519
/// and P-256 for clients that lack it. ALPN h2 only. A connection keeps the certificate with which
/// it began.
class ServerTls {
 public:
  struct Options {
    std::string certificate_file;  // PEM, the chain
    std::string key_file;          // PEM, unencrypted
    // A group of the part before ':' is taken even if that costs a round trip.
    std::string groups = "X25519MLKEM768/X25519:P-256";
  };

  /// Fails if a file is missing, malformed, or key and certificate do not belong together; the
  /// error names the file.
  static Result<ServerTls> load(Options options);
  /// The same from FOLDER/tls.key and FOLDER/tls.crt, made if they are not there: an ECDSA P-256
  /// key (0600) and a certificate for `names` (host names or addresses) signed by itself. A lost
  /// certificate is made again for the key that is there: the key is the identity.
  static Result<ServerTls> load_or_create(const std::string& folder,
                                          const std::vector<std::string>& names);

  ServerTls(ServerTls&&) noexcept;
  ServerTls& operator=(ServerTls&&) noexcept;
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;
  ~ServerTls();

  /// Reads the files again, for connections to come. On an error the old ones stay in force.
  Result<> reload();
  /// A file is another one than at the last load() or reload(), successful or not.
  bool files_changed() const;
  TlsFingerprint fingerprint() const;

 private:
  friend class TlsSession;
  struct State;
  explicit ServerTls(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace trellis::system
