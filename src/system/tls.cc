#include "system/tls.h"

#include "base/address.h"
#include "base/hex.h"
#include "system/tls_openssl.h"
#include "system/tls_session.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstring>

namespace trellis::system {
namespace openssl {
namespace {

OSSL_LIB_CTX* make_library() {
  // Otherwise the first context would read the system's openssl.cnf into the process.
  CHECK(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1);
  CHECK(OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1);
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  CHECK(library != nullptr);
  // OpenSSL writes to sockets in a way that raises it; an error tells the same.
  struct sigaction before{};
  if (::sigaction(SIGPIPE, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, nullptr);
  }
  return library;
}

}  // namespace

OSSL_LIB_CTX* library() {
  static OSSL_LIB_CTX* const made = make_library();
  return made;
}

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : fmt::format("OpenSSL error {:#x}", code);
}

Result<Owned<SSL_CTX>> make_context(const SSL_METHOD* method, const std::string& groups) {
  Owned<SSL_CTX> context(SSL_CTX_new_ex(library(), nullptr, method));
  if (!context) return fail_with("cannot make a TLS context: " + last_error());
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Else a peer that sends nothing but key updates would keep us inside one SSL_read.
  SSL_CTX_clear_mode(context.get(), SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_num_tickets(context.get(), 0) != 1 ||
      SSL_CTX_set_max_early_data(context.get(), 0) != 1 ||
      SSL_CTX_set1_groups_list(context.get(), groups.c_str()) != 1) {
    return fail_with(fmt::format("cannot set up TLS with the groups {}: {}", groups, last_error()));
  }
  return context;
}

TlsFingerprint fingerprint_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  CHECK(length > 0);
  TlsFingerprint digest{};
  std::size_t digest_length = 0;
  CHECK(EVP_Q_digest(library(), "SHA256", nullptr, der, static_cast<std::size_t>(length),
                     reinterpret_cast<unsigned char*>(digest.data()), &digest_length) == 1);
  CHECK(digest_length == digest.size());
  OPENSSL_free(der);
  return digest;
}

}  // namespace openssl

namespace {

constexpr unsigned char kProtocols[] = {2, 'h', '2'};

/// Without a pin: a chain to an authority, and the name.
Result<> verify_by_chain(SSL_CTX* context, const ClientTls::Options& options) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const int loaded = options.authorities_file.empty()
                         ? SSL_CTX_set_default_verify_paths(context)
                         : SSL_CTX_load_verify_file(context, options.authorities_file.c_str());
  if (loaded != 1) {
    return fail_with(fmt::format("cannot read the certificates of authorities {}: {}",
                                 options.authorities_file, openssl::last_error()));
  }
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  const std::string& name = options.server_name;
  const int named = IpAddress::parse(name)
                        ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                        : X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
  if (name.empty() || named != 1) return fail_with("no usable server name: \"" + name + "\"");
  return {};
}

}  // namespace

ClientTls::ClientTls(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<ClientTls> ClientTls::create(Options options) {
  auto state = std::make_shared<State>();
  state->context = TRY(openssl::make_context(TLS_client_method(), options.groups));
  SSL_CTX* context = state->context.get();
  // Returns 0 for success, unlike its siblings.
  CHECK(SSL_CTX_set_alpn_protos(context, kProtocols, sizeof kProtocols) == 0);
  if (options.pinned_key) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, TlsSession::on_verify, state.get());
  } else {
    TRY(verify_by_chain(context, options));
  }
  state->options = std::move(options);
  return ClientTls(std::move(state));
}

}  // namespace trellis::system
