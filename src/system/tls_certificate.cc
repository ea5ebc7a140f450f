#include "system/tls_certificate.h"

#include "base/address.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <climits>

namespace trellis::system {
namespace {

using openssl::Owned;

constexpr long kDay = 24L * 60 * 60;
constexpr int kDaysValid = 30 * 365;

tl::unexpected<Error> certificate_error() {
  return fail_with("cannot make a certificate: " + openssl::last_error());
}

Owned<BIO> reader_of(ByteView bytes) {
  CHECK(bytes.size() <= INT_MAX);
  return Owned<BIO>(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

/// What was written. The bytes stay the BIO's.
std::span<std::byte> content_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return std::as_writable_bytes(std::span(data, static_cast<std::size_t>(length)));
}

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// "IP:192.0.2.1,DNS:vpn.example.org". The names are an administrator's own; what is no name at all
/// is left out.
std::string alternative_names(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    const bool plain = !name.empty() && name.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789.-_:") == std::string::npos;
    const auto address = IpAddress::parse(name);
    if (!plain || (!address && name.find(':') != std::string::npos)) continue;
    list += (list.empty() ? "" : ",") + (address ? "IP:" + address->to_string() : "DNS:" + name);
  }
  return list;
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes_ex(openssl::library(), bytes.data(), bytes.size(), 0) != 1) return false;
  bytes[0] &= 0x7f;  // positive
  BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
  const bool done =
      number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return done;
}

bool fill_in(X509* certificate, EVP_PKEY* key, WallTime now) {
  const std::time_t seconds = now.nanoseconds_since_epoch / 1'000'000'000;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>("trellis-server");
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_random_serial(certificate) &&
         ASN1_TIME_adj(X509_getm_notBefore(certificate), seconds, 0, -kDay) &&
         ASN1_TIME_adj(X509_getm_notAfter(certificate), seconds, kDaysValid, 0) &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1;
}

/// Instead of OpenSSL's own, which asks at the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*rwflag*/, void* /*data*/) { return -1; }

}  // namespace

Result<Owned<EVP_PKEY>> make_key() {
  Owned<EVP_PKEY> key(EVP_PKEY_Q_keygen(openssl::library(), nullptr, "EC", "P-256"));
  if (!key) return fail_with("cannot make a key: " + openssl::last_error());
  return key;
}

Result<SecretBuffer> key_to_pem(EVP_PKEY* key) {
  const Owned<BIO> target(BIO_new(BIO_s_mem()));
  if (!target ||
      PEM_write_bio_PrivateKey(target.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fail_with("cannot write a key as PEM: " + openssl::last_error());
  }
  const auto content = content_of(target.get());
  SecretBuffer pem{ByteView(content)};
  zeroise(content);
  return pem;
}

Result<Owned<EVP_PKEY>> key_from_pem(ByteView pem) {
  const Owned<BIO> source = reader_of(pem);
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey_ex(source.get(), nullptr, no_password, nullptr,
                                                 openssl::library(), nullptr));
  if (key) return key;
  const bool encrypted = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_BAD_PASSWORD_READ;
  const std::string why = openssl::last_error();
  if (encrypted) return fail_with("it is encrypted; a key without a passphrase is wanted");
  return fail_with("it holds no private key in PEM form (" + why + ")");
}

Result<ByteVector> make_certificate(EVP_PKEY* key, const std::vector<std::string>& names,
                                    WallTime now) {
  const Owned<X509> certificate(X509_new_ex(openssl::library(), nullptr));
  if (!certificate || !fill_in(certificate.get(), key, now)) return certificate_error();
  const std::string alternatives = alternative_names(names);
  if (!add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(certificate.get(), NID_ext_key_usage, "serverAuth") ||
      !add_extension(certificate.get(), NID_subject_key_identifier, "hash") ||
      (!alternatives.empty() &&
       !add_extension(certificate.get(), NID_subject_alt_name, alternatives))) {
    return certificate_error();
  }
  const Owned<BIO> target(BIO_new(BIO_s_mem()));
  if (!target || X509_sign(certificate.get(), key, EVP_sha256()) == 0 ||
      PEM_write_bio_X509(target.get(), certificate.get()) != 1) {
    return certificate_error();
  }
  return to_vector(content_of(target.get()));
}

Result<std::vector<Owned<X509>>> chain_from_pem(ByteView pem) {
  const Owned<BIO> source = reader_of(pem);
  std::vector<Owned<X509>> chain;
  while (true) {
    X509* certificate = X509_new_ex(openssl::library(), nullptr);
    if (!certificate || !PEM_read_bio_X509(source.get(), &certificate, no_password, nullptr)) {
      X509_free(certificate);  // null if OpenSSL has done so
      break;
    }
    chain.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = openssl::last_error();
  if (chain.empty() || !at_end) {
    return fail_with("it holds no certificate in PEM form (" + why + ")");
  }
  return chain;
}

}  // namespace trellis::system
