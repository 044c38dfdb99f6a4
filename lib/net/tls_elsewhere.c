/* tls_elsewhere.c -- private keys that this process does not have: an OpenSSL provider
 * whose keys are public ones, and whose signatures are asked of another process.
 *
 * The provider is alone in a library context of its own, so that nothing else in this
 * process comes upon it when it looks for RSA. A TLS context of the default library that
 * is given such a key first tries to export it to the default provider, which fails (the
 * private half cannot be had), and then comes here: EVP_DigestSignInit(3).
 *
 * tls_key_ask may switch in the middle of a handshake. Of what OpenSSL keeps for the
 * thread only the error queue matters: others have used it when we are back, so it is
 * emptied (SSL_get_error(3) looks into it). */
#include "tls_impl.h"
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

int (*tls_key_ask)(const struct tls_key_use *use, struct buf *out);

static OSSL_LIB_CTX *library;

struct key {
	EVP_PKEY *public;
	unsigned char id[TLS_KEY_ID];
};

/* What is called by OpenSSL gets and gives its generic function pointers. */
#define FUNCTION(id, fn) \
	{ \
		id, (void (*)(void))(fn) \
	}
#define FUNCTIONS_END \
	{ \
		0, NULL \
	}

/* ---- key management ---- */

static void *
key_new(void *provider)
{
	(void)provider;
	return mem_alloc(sizeof(struct key));
}

static void
key_free(void *arg)
{
	struct key *key = arg;

	if (!key)
		return;
	EVP_PKEY_free(key->public);
	mem_free(key);
}

/* The private half, too: somebody has it. */
static int
key_has(const void *key, int selection)
{
	(void)selection;
	return key != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key *one = a, *other = b;

	(void)selection;
	return EVP_PKEY_eq(one->public, other->public) == 1;
}

static int
import(struct key *key, const char *type, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	int done;

	done = ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
	       EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY,
		       (OSSL_PARAM *)(uintptr_t)params) > 0 &&
	       tls_key_id(key->public, key->id) == 0;
	EVP_PKEY_CTX_free(ctx);
	return done;
}

#define IMPORT(name, type) \
	static int import_##name(void *key, int selection, const OSSL_PARAM params[]) \
	{ \
		(void)selection; \
		return import(key, type, params); \
	}
IMPORT(rsa, "RSA")
IMPORT(ec, "EC")
IMPORT(ed25519, "ED25519")
IMPORT(ed448, "ED448")

static int
key_export(void *arg, int selection, OSSL_CALLBACK *give, void *give_arg)
{
	struct key *key = arg;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	return EVP_PKEY_export(key->public, selection, give, give_arg);
}

/* Which parameters there are depends on the type, and the type's own knows. */
static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM any[] = { OSSL_PARAM_END };

	(void)selection;
	return any;
}

static int
key_get(void *arg, OSSL_PARAM params[])
{
	struct key *key = arg;

	return EVP_PKEY_get_params(key->public, params);
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return list;
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

#define MANAGEMENT(name, ...) \
	static const OSSL_DISPATCH name##_management[] = { \
		FUNCTION(OSSL_FUNC_KEYMGMT_NEW, key_new), \
		FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free), \
		FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has), \
		FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, import_##name), \
		FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types), \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export), \
		FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get), \
		FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), \
		__VA_ARGS__ FUNCTIONS_END \
	}
MANAGEMENT(rsa, );
MANAGEMENT(ec, FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation), );
MANAGEMENT(ed25519, );
MANAGEMENT(ed448, );

/* ---- signatures and decryption: what is known when it is asked for ---- */

struct operation {
	struct key *key;
	char digest[32];
	bool pss, tls_padding;
	unsigned client_version, negotiated_version;
};

static void *
operation_new(void *provider, const char *properties)
{
	(void)provider, (void)properties;
	return mem_alloc(sizeof(struct operation));
}

static void *
cipher_new(void *provider)
{
	return operation_new(provider, NULL);
}

static void
operation_free(void *operation)
{
	mem_free(operation);
}

/* A padding is named by number or by word. */
static int
set_padding(struct operation *o, const OSSL_PARAM *p)
{
	const char *word;
	int number;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_utf8_string_ptr(p, &word) != 1)
			return 0;
		number = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0
				 ? RSA_PKCS1_PSS_PADDING
			 : strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0
				 ? RSA_PKCS1_PADDING
				 : -1;
	} else if (OSSL_PARAM_get_int(p, &number) != 1) {
		return 0;
	}
	o->pss = number == RSA_PKCS1_PSS_PADDING;
	o->tls_padding = number == RSA_PKCS1_WITH_TLS_PADDING;
	return o->pss || o->tls_padding || number == RSA_PKCS1_PADDING;
}

/* The salt's length is not looked at: in TLS it is always the digest's (RFC 8446
 * section 4.2.3). */
static int
operation_set(void *arg, const OSSL_PARAM params[])
{
	struct operation *o = arg;
	const OSSL_PARAM *p;

	if (!params)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PAD_MODE);
	if (p && !set_padding(o, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION);
	if (p && OSSL_PARAM_get_uint(p, &o->client_version) != 1)
		return 0;
	p = OSSL_PARAM_locate_const(
		params, OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION);
	return !p || OSSL_PARAM_get_uint(p, &o->negotiated_version) == 1;
}

static const OSSL_PARAM *
operation_settable(void *operation, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, NULL),
		OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, NULL),
		OSSL_PARAM_END,
	};

	(void)operation, (void)provider;
	return list;
}

static int
sign_begin(void *arg, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct operation *o = arg;

	o->key = key;
	if (digest && strlen(digest) >= sizeof(o->digest))
		return 0;
	snprintf(o->digest, sizeof(o->digest), "%s", digest ? digest : "");
	return operation_set(o, params);
}

static int
decrypt_begin(void *arg, void *key, const OSSL_PARAM params[])
{
	struct operation *o = arg;

	o->key = key;
	return operation_set(o, params);
}

/* Asks, and waits for the answer. */
static int
ask(struct operation *o, bool decrypt, struct str data, unsigned char *out, size_t *len,
	size_t room)
{
	struct buf answer CLEANUP(buf_wipe) = BUF_INIT;
	struct tls_key_use use = {
		.key = str_of(o->key->id, TLS_KEY_ID),
		.decrypt = decrypt,
		.digest = str_c(o->digest),
		.pss = o->pss,
		.client_version = o->client_version,
		.negotiated_version = o->negotiated_version,
		.data = data,
	};
	int result = tls_key_ask ? tls_key_ask(&use, &answer) : -1;

	ERR_clear_error();
	if (result < 0 || answer.len == 0 || answer.len > room)
		return 0;
	memcpy(out, answer.data, answer.len);
	*len = answer.len;
	return 1;
}

static int
sign(void *arg, unsigned char *out, size_t *len, size_t room, const unsigned char *data,
	size_t data_len)
{
	struct operation *o = arg;

	*len = (size_t)EVP_PKEY_get_size(o->key->public);
	return !out || ask(o, false, str_of(data, data_len), out, len, room);
}

static int
decrypt(void *arg, unsigned char *out, size_t *len, size_t room,
	const unsigned char *data, size_t data_len)
{
	struct operation *o = arg;

	*len = (size_t)EVP_PKEY_get_size(o->key->public);
	if (!o->tls_padding)
		return 0;
	return !out || ask(o, true, str_of(data, data_len), out, len, room);
}

static const OSSL_DISPATCH signature[] = {
	FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, operation_new),
	FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, operation_free),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_begin),
	FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
	FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, operation_set),
	FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, operation_settable),
	FUNCTIONS_END,
};

static const OSSL_DISPATCH cipher[] = {
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_NEWCTX, cipher_new),
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_FREECTX, operation_free),
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, decrypt_begin),
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT, decrypt),
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, operation_set),
	FUNCTION(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, operation_settable),
	FUNCTIONS_END,
};

/* ---- the provider ---- */

#define RSA_NAMES     "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define EC_NAMES      "EC:id-ecPublicKey:1.2.840.10045.2.1"
#define ED25519_NAMES "ED25519:1.3.101.112"
#define ED448_NAMES   "ED448:1.3.101.113"
#define PROPERTIES    "provider=postern"

static const OSSL_ALGORITHM *
algorithms(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ RSA_NAMES, PROPERTIES, rsa_management, NULL },
		{ EC_NAMES, PROPERTIES, ec_management, NULL },
		{ ED25519_NAMES, PROPERTIES, ed25519_management, NULL },
		{ ED448_NAMES, PROPERTIES, ed448_management, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM signatures[] = {
		{ RSA_NAMES, PROPERTIES, signature, NULL },
		{ "ECDSA", PROPERTIES, signature, NULL },
		{ ED25519_NAMES, PROPERTIES, signature, NULL },
		{ ED448_NAMES, PROPERTIES, signature, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM ciphers[] = {
		{ RSA_NAMES, PROPERTIES, cipher, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return keys;
	case OSSL_OP_SIGNATURE:
		return signatures;
	case OSSL_OP_ASYM_CIPHER:
		return ciphers;
	default:
		return NULL;
	}
}

static int
provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, algorithms),
		FUNCTIONS_END,
	};
	static int nothing;

	(void)core, (void)in;
	*out = functions;
	*provider = &nothing;
	return 1;
}

/* Once in a process; the provider stays. */
static bool
library_ready(void)
{
	if (library)
		return true;
	library = OSSL_LIB_CTX_new();
	if (library &&
		OSSL_PROVIDER_add_builtin(library, "postern", provider_init) == 1 &&
		OSSL_PROVIDER_load(library, "postern"))
		return true;
	OSSL_LIB_CTX_free(library);
	library = NULL;
	return false;
}

EVP_PKEY *
tls_key_elsewhere(EVP_PKEY *public)
{
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key = NULL;

	if (library_ready() &&
		EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) == 1 &&
		(ctx = EVP_PKEY_CTX_new_from_name(
			 library, EVP_PKEY_get0_type_name(public), NULL)) &&
		EVP_PKEY_fromdata_init(ctx) > 0)
		(void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}
