#include "base/hex.h"
#include "system/clock.h"
#include "system/secure_file.h"
#include "system/tls_certificate.h"
#include "system/tls_session.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace trellis::system {
namespace {

using openssl::Owned;

constexpr std::size_t kPemBytesMax = 256 << 10;

/// h2 and nothing else. [RFC 7301 3.2]
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_length,
                    const unsigned char* offered, unsigned int length, void* /*data*/) {
  for (unsigned int at = 0; at < length; at += 1U + offered[at]) {
    if (offered[at] != 2 || at + 3 > length) continue;
    if (offered[at + 1] != 'h' || offered[at + 2] != '2') continue;
    *chosen = offered + at + 1;
    *chosen_length = 2;
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

Result<Owned<EVP_PKEY>> read_key(const std::string& path) {
  auto bytes = TRY(read_file(path, kPemBytesMax));
  auto key = key_from_pem(bytes);
  zeroise(bytes);
  if (!key) return fail(std::move(key).error().within(path));
  return key;
}

Result<Owned<SSL_CTX>> context_of(const ServerTls::Options& options, TlsFingerprint& fingerprint) {
  const Owned<EVP_PKEY> key = TRY(read_key(options.key_file));
  auto chain = chain_from_pem(TRY(read_file(options.certificate_file, kPemBytesMax)));
  if (!chain) return fail(std::move(chain).error().within(options.certificate_file));
  Owned<SSL_CTX> context = TRY(openssl::make_context(TLS_server_method(), options.groups));
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  X509* own = chain->front().get();
  if (SSL_CTX_use_certificate(context.get(), own) != 1) {
    return fail_with(options.certificate_file + ": " + openssl::last_error());
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return fail_with(fmt::format("{} does not belong to the certificate {}: {}", options.key_file,
                                 options.certificate_file, openssl::last_error()));
  }
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context.get(), (*chain)[i].get()) != 1) {
      return fail_with(options.certificate_file + ": " + openssl::last_error());
    }
  }
  fingerprint = openssl::fingerprint_of(own);
  return context;
}

}  // namespace

ServerTls::State::Mark ServerTls::State::mark_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return Mark{info.st_dev, info.st_ino, info.st_size,
              info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

ServerTls::ServerTls(std::shared_ptr<State> state) : state_(std::move(state)) {}
ServerTls::ServerTls(ServerTls&&) noexcept = default;
ServerTls& ServerTls::operator=(ServerTls&&) noexcept = default;
ServerTls::~ServerTls() = default;

Result<ServerTls> ServerTls::load(Options options) {
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  ServerTls tls(std::move(state));
  TRY(tls.reload());
  return tls;
}

Result<ServerTls> ServerTls::load_or_create(const std::string& folder,
                                            const std::vector<std::string>& names) {
  const Options options{folder + "/tls.crt", folder + "/tls.key"};
  if (!file_exists(options.key_file)) {
    const Owned<EVP_PKEY> key = TRY(make_key());
    const SecretBuffer pem = TRY(key_to_pem(key.get()));
    // Of another key, if there is one.
    TRY(remove_file(options.certificate_file));
    TRY(create_file(options.key_file, pem.expose(), 0600));
  }
  if (!file_exists(options.certificate_file)) {
    const Owned<EVP_PKEY> key = TRY(read_key(options.key_file));
    const ByteVector pem = TRY(make_certificate(key.get(), names, wall_now()));
    TRY(write_file_atomically(options.certificate_file, pem, 0644));
  }
  return load(options);
}

Result<> ServerTls::reload() {
  // Marks first: what changes while we read is read again.
  state_->certificate_mark = State::mark_of(state_->options.certificate_file);
  state_->key_mark = State::mark_of(state_->options.key_file);
  TlsFingerprint fingerprint{};
  state_->context = TRY(context_of(state_->options, fingerprint));
  state_->fingerprint = fingerprint;
  return {};
}

bool ServerTls::files_changed() const {
  return State::mark_of(state_->options.certificate_file) != state_->certificate_mark ||
         State::mark_of(state_->options.key_file) != state_->key_mark;
}

TlsFingerprint ServerTls::fingerprint() const { return state_->fingerprint; }

}  // namespace trellis::system
