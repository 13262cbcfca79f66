/*
 * A security key in software, for tests: what OpenSSH loads as SSH_SK_PROVIDER. It stands in for a FIDO
 * authenticator, which a build machine does not have, and protects nothing: the private key lies in the key
 * handle, so in the key file. Its human is always there to touch it and knows one PIN, PROVIDER_PIN.
 *
 * The binary interface is OpenSSH's (PROTOCOL.u2f and sk_api_version 0x000a0000: struct layouts, flags, error
 * codes); a signature is over SHA-256(application), flags, a 32-bit counter, SHA-256(data).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#define API_VERSION 0x000a0000
#define PROVIDER_PIN "synthetic-pin"

enum { ALG_ECDSA = 0, ALG_ED25519 = 1 };
enum { USER_PRESENT = 0x01, USER_VERIFIED = 0x04, RESIDENT_KEY = 0x20 };
enum { ERR_GENERAL = -1, ERR_UNSUPPORTED = -2, ERR_PIN_REQUIRED = -3 };

/* Wishes of the user (device, user and the like); this authenticator has nothing to choose from. */
struct sk_option {
  char *name;
  char *value;
  uint8_t required;
};

struct sk_enroll_response {
  uint8_t flags;
  uint8_t *public_key;
  size_t public_key_len;
  uint8_t *key_handle;
  size_t key_handle_len;
  uint8_t *signature;
  size_t signature_len;
  uint8_t *attestation_cert;
  size_t attestation_cert_len;
  uint8_t *authdata;
  size_t authdata_len;
};

struct sk_sign_response {
  uint8_t flags;
  uint32_t counter;
  uint8_t *sig_r;
  size_t sig_r_len;
  uint8_t *sig_s;
  size_t sig_s_len;
};

struct sk_resident_key;

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, struct sk_option **options, struct sk_enroll_response **response);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle,
            size_t key_handle_len, uint8_t flags, const char *pin, struct sk_option **options,
            struct sk_sign_response **response);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***keys, size_t *count);

uint32_t sk_api_version(void) { return API_VERSION; }

static int demands_a_feature(struct sk_option **options) {
  for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
    if (options[i]->required) return 1;
  }
  return 0;
}

/* The handle: SHA-256(application), then the private key as DER. Bound to its application, as real ones are. */
static int make_handle(EVP_PKEY *key, const char *application, struct sk_enroll_response *out) {
  int length = i2d_PrivateKey(key, NULL);
  if (length <= 0) return ERR_GENERAL;
  out->key_handle_len = SHA256_DIGEST_LENGTH + (size_t)length;
  out->key_handle = malloc(out->key_handle_len);
  if (out->key_handle == NULL) return ERR_GENERAL;
  SHA256((const uint8_t *)application, strlen(application), out->key_handle);
  uint8_t *der = out->key_handle + SHA256_DIGEST_LENGTH;
  return i2d_PrivateKey(key, &der) == length ? 0 : ERR_GENERAL;
}

static EVP_PKEY *read_handle(const uint8_t *handle, size_t length, const char *application) {
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256((const uint8_t *)application, strlen(application), digest);
  if (length <= sizeof(digest) || memcmp(handle, digest, sizeof(digest)) != 0) return NULL;
  const uint8_t *der = handle + sizeof(digest);
  return d2i_AutoPrivateKey(NULL, &der, (long)(length - sizeof(digest)));
}

/* A point as 0x04, x, y for ECDSA; 32 bytes for Ed25519. */
static int make_public_key(uint32_t alg, EVP_PKEY *key, struct sk_enroll_response *out) {
  uint8_t bytes[65];
  size_t length = sizeof(bytes);
  int good = alg == ALG_ED25519
                 ? EVP_PKEY_get_raw_public_key(key, bytes, &length)
                 : EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes), &length);
  if (good != 1 || length != (alg == ALG_ED25519 ? 32u : 65u)) return ERR_GENERAL;
  out->public_key = malloc(length);
  if (out->public_key == NULL) return ERR_GENERAL;
  memcpy(out->public_key, bytes, length);
  out->public_key_len = length;
  return 0;
}

static void free_enrolled(struct sk_enroll_response *out) {
  free(out->public_key);
  free(out->key_handle);
  free(out->signature);
  free(out);
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, struct sk_option **options, struct sk_enroll_response **response) {
  (void)challenge, (void)challenge_len, (void)pin;
  if ((alg != ALG_ECDSA && alg != ALG_ED25519) || (flags & RESIDENT_KEY) != 0) return ERR_UNSUPPORTED;
  if (demands_a_feature(options)) return ERR_UNSUPPORTED;
  struct sk_enroll_response *out = calloc(1, sizeof(*out));
  EVP_PKEY *key = alg == ALG_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
  int result = ERR_GENERAL;
  if (out != NULL && key != NULL) {
    out->flags = flags;
    /* No attestation: a signature of no bytes. OpenSSH wants the pointer. */
    out->signature = malloc(1);
    result = out->signature == NULL ? ERR_GENERAL : make_public_key(alg, key, out);
    if (result == 0) result = make_handle(key, application, out);
  }
  EVP_PKEY_free(key);
  if (result == 0) {
    *response = out;
  } else if (out != NULL) {
    free_enrolled(out);
  }
  return result;
}

static uint8_t *number_bytes(const BIGNUM *number, size_t *length) {
  *length = (size_t)BN_num_bytes(number);
  uint8_t *bytes = malloc(*length + 1);
  if (bytes != NULL) BN_bn2bin(number, bytes);
  return bytes;
}

/* ECDSA answers two numbers, Ed25519 its 64 bytes in the place of the first. */
static int put_signature(uint32_t alg, const uint8_t *bytes, size_t length, struct sk_sign_response *out) {
  if (alg == ALG_ED25519) {
    out->sig_r = malloc(length);
    if (out->sig_r == NULL) return ERR_GENERAL;
    memcpy(out->sig_r, bytes, length);
    out->sig_r_len = length;
    return 0;
  }
  ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &bytes, (long)length);
  if (numbers == NULL) return ERR_GENERAL;
  out->sig_r = number_bytes(ECDSA_SIG_get0_r(numbers), &out->sig_r_len);
  out->sig_s = number_bytes(ECDSA_SIG_get0_s(numbers), &out->sig_s_len);
  ECDSA_SIG_free(numbers);
  return out->sig_r == NULL || out->sig_s == NULL ? ERR_GENERAL : 0;
}

static int sign_message(uint32_t alg, EVP_PKEY *key, const uint8_t *message, size_t length,
                        struct sk_sign_response *out) {
  uint8_t signature[128];
  size_t signature_length = sizeof(signature);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const EVP_MD *hash = alg == ALG_ED25519 ? NULL : EVP_sha256();
  int good = context != NULL && EVP_DigestSignInit(context, NULL, hash, NULL, key) == 1 &&
             EVP_DigestSign(context, signature, &signature_length, message, length) == 1;
  EVP_MD_CTX_free(context);
  return good ? put_signature(alg, signature, signature_length, out) : ERR_GENERAL;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *key_handle,
            size_t key_handle_len, uint8_t flags, const char *pin, struct sk_option **options,
            struct sk_sign_response **response) {
  if ((alg != ALG_ECDSA && alg != ALG_ED25519) || demands_a_feature(options)) return ERR_UNSUPPORTED;
  if ((flags & USER_VERIFIED) != 0 && (pin == NULL || strcmp(pin, PROVIDER_PIN) != 0)) return ERR_PIN_REQUIRED;
  struct sk_sign_response *out = calloc(1, sizeof(*out));
  EVP_PKEY *key = read_handle(key_handle, key_handle_len, application);
  int result = ERR_GENERAL;
  if (out != NULL && key != NULL && EVP_PKEY_is_a(key, alg == ALG_ED25519 ? "ED25519" : "EC")) {
    uint8_t message[SHA256_DIGEST_LENGTH + 1 + 4 + SHA256_DIGEST_LENGTH];
    out->flags = flags & (USER_PRESENT | USER_VERIFIED);
    out->counter = 0; /* an authenticator without a counter says zero */
    memcpy(message, key_handle, SHA256_DIGEST_LENGTH);
    message[SHA256_DIGEST_LENGTH] = out->flags;
    memset(message + SHA256_DIGEST_LENGTH + 1, 0, 4);
    SHA256(data, data_len, message + SHA256_DIGEST_LENGTH + 5);
    result = sign_message(alg, key, message, sizeof(message), out);
  }
  EVP_PKEY_free(key);
  if (result == 0) {
    *response = out;
  } else if (out != NULL) {
    free(out->sig_r);
    free(out->sig_s);
    free(out);
  }
  return result;
}

/* It keeps no keys inside: sk_enroll refuses to make such. */
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***keys, size_t *count) {
  (void)pin, (void)options;
  *keys = NULL;
  *count = 0;
  return 0;
}
