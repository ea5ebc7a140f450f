#include "system/tls_session.h"

#include "base/address.h"
#include "base/hex.h"
#include "system/descriptor.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <cerrno>

namespace trellis::system {
namespace {

constexpr const char* kCutOff = "the connection was cut off";

tl::unexpected<Error> no_session() {
  return fail_with("cannot begin TLS: " + openssl::last_error());
}

/// What a server answers that has nothing in common with us.
bool is_refusal_of_offer(int reason) {
  return reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
         reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION || reason == SSL_R_UNSUPPORTED_PROTOCOL ||
         reason == SSL_R_BAD_KEY_SHARE || reason == SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY ||
         reason == SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER;
}

}  // namespace

Result<TlsSession> TlsSession::client(const ClientTls& tls, int descriptor) {
  const ClientTls::State& state = *tls.state_;
  openssl::Owned<SSL> ssl(SSL_new(state.context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), descriptor) != 1) return no_session();
  const std::string& name = state.options.server_name;
  if (!name.empty() && !IpAddress::parse(name)) {
    // The macro for it has a cast of C.
    std::string copy = name;
    if (SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy.data()) !=
        1) {
      return no_session();
    }
  }
  SSL_set_connect_state(ssl.get());
  TlsSession session(std::move(ssl));
  session.settings_ = tls.state_;
  return session;
}

Result<TlsSession> TlsSession::server(const ServerTls& tls, int descriptor) {
  openssl::Owned<SSL> ssl(SSL_new(tls.state_->context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), descriptor) != 1) return no_session();
  SSL_set_accept_state(ssl.get());
  return TlsSession(std::move(ssl));
}

/// Takes the place of OpenSSL's check of the chain: the key is the pinned one, or it is not.
int TlsSession::on_verify(X509_STORE_CTX* store, void* tls) {
  const auto& options = static_cast<const ClientTls::State*>(tls)->options;
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  const SSL* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  CHECK(certificate != nullptr && ssl != nullptr && options.pinned_key.has_value());
  const TlsFingerprint found = openssl::fingerprint_of(certificate);
  if (found == *options.pinned_key) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  static_cast<TlsSession*>(SSL_get_app_data(ssl))->refusal_ = fmt::format(
      "{} has the key sha256:{}, and not sha256:{} as expected: somebody is in between, or it has "
      "a "
      "new key; ask its administrator for the new join line",
      options.server_name.empty() ? "the server" : options.server_name, to_hex(found),
      to_hex(*options.pinned_key));
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
  return 0;
}

TlsSession::Step TlsSession::handshake() {
  ERR_clear_error();
  SSL_set_app_data(ssl_.get(), this);  // for on_verify; we may have been moved since
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    const unsigned long code = ERR_peek_error();
    const Step step = step_of(result);
    if (step == Step::Closed) error_ = kCutOff;
    if (step == Step::Failed && code != 0) error_ = handshake_error(code);
    return step == Step::Closed ? Step::Failed : step;
  }
  const unsigned char* protocol = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &length);
  if (std::string_view(reinterpret_cast<const char*>(protocol), length) == "h2") return Step::Done;
  error_ = is_client() ? "the server does not speak HTTP/2 (ALPN h2)"
                       : "the client did not ask for HTTP/2 (ALPN h2)";
  return Step::Failed;
}

TlsSession::Step TlsSession::read(MutableByteView target, std::size_t& taken) {
  ERR_clear_error();
  taken = 0;
  const int result = SSL_read_ex(ssl_.get(), target.data(), target.size(), &taken);
  return result == 1 ? Step::Done : step_of(result);
}

TlsSession::Step TlsSession::write(ByteView bytes, std::size_t& sent) {
  ERR_clear_error();
  sent = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
  return result == 1 ? Step::Done : step_of(result);
}

TlsSession::Step TlsSession::shut_down() {
  ERR_clear_error();
  const int result = SSL_shutdown(ssl_.get());
  return result >= 0 ? Step::Done : step_of(result);  // 0: the peer's answer is still to come
}

bool TlsSession::holds_bytes() const { return SSL_pending(ssl_.get()) > 0; }

TlsSession::Step TlsSession::step_of(int result) {
  const int number = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::WantRead;
    case SSL_ERROR_WANT_WRITE:
      return Step::WantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Step::Closed;
    case SSL_ERROR_SYSCALL:
      error_ = number == 0 ? kCutOff : errno_text(number);
      return Step::Failed;
    default:
      break;
  }
  const bool cut = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  const std::string text = openssl::last_error();
  error_ = cut ? kCutOff : "TLS: " + text;
  return Step::Failed;
}

/// `code` is the first error of a failed handshake.
std::string TlsSession::handshake_error(unsigned long code) const {
  if (!refusal_.empty()) return refusal_;
  if (!is_client()) return error_;
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return fmt::format("the server's certificate is not trusted: {}",
                       X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get())));
  }
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) {
    return "what listens there does not speak TLS";
  }
  if (reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
    return "the server does not speak HTTP/2 (ALPN h2)";
  }
  if (is_refusal_of_offer(reason)) {
    return fmt::format(
        "the server does not offer TLS 1.3 with {}, without which the connection would not be safe "
        "from quantum computers ({})",
        kPostQuantumGroup, ERR_reason_error_string(code));
  }
  return error_;
}

TlsFacts TlsSession::facts() const {
  TlsFacts facts;
  facts.version = SSL_get_version(ssl_.get());
  if (const char* group = SSL_get0_group_name(ssl_.get())) facts.group = group;
  if (const char* cipher = SSL_get_cipher_name(ssl_.get())) facts.cipher = cipher;
  if (X509* certificate = is_client() ? SSL_get0_peer_certificate(ssl_.get()) : nullptr) {
    facts.peer_key = openssl::fingerprint_of(certificate);
  }
  return facts;
}

}  // namespace trellis::system
