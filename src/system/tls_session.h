#pragma once

// Internal to system: one end of one TLS connection on a descriptor.

#include "system/tls_openssl.h"

namespace trellis::system {

class TlsSession {
 public:
  /// The descriptor stays the caller's, and must stay open as long as the session exists.
  static Result<TlsSession> client(const ClientTls& tls, int descriptor);
  static Result<TlsSession> server(const ServerTls& tls, int descriptor);

  /// WantRead, WantWrite: not now; call again when the descriptor is ready for that. Any call may
  /// want either. Closed: the peer hung up in order. Failed: see error().
  enum class Step { Done, WantRead, WantWrite, Closed, Failed };

  Step handshake();
  /// Takes at most one record into `target`, which has room for one (16 KiB). `taken` is set.
  Step read(MutableByteView target, std::size_t& taken);
  /// Sends from the front of `bytes`, one record at most. After WantRead or WantWrite the next call
  /// must begin with the same bytes.
  Step write(ByteView bytes, std::size_t& sent);
  /// Tells the peer that nothing follows. Done as soon as that is sent.
  Step shut_down();

  /// There are decrypted bytes that read() has not handed out. (Of a record that is not complete
  /// yet, this says nothing.)
  bool holds_bytes() const;
  const std::string& error() const { return error_; }
  TlsFacts facts() const;

 private:
  explicit TlsSession(openssl::Owned<SSL> ssl) : ssl_(std::move(ssl)) {}
  static int on_verify(X509_STORE_CTX* store, void* tls);
  friend class ClientTls;
  bool is_client() const { return settings_ != nullptr; }

  Step step_of(int result);
  std::string handshake_error(unsigned long code) const;

  std::shared_ptr<const ClientTls::State> settings_;  // at the client: on_verify reads them
  openssl::Owned<SSL> ssl_;
  std::string error_;
  std::string refusal_;  // why we do not take the server's key
};

}  // namespace trellis::system
