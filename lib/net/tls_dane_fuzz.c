/* tls_dane_fuzz.c -- TLSA records as strangers publish them: three bytes, and what
 * OpenSSL takes for a digest, a key or a certificate. */
#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_context *ctx;
	struct tls_config conf = { .dane_digests = STR("sha512 sha256") };
	struct tls_tlsa record;
	struct why why;

	if (size < 3)
		return 0;
	if (!ctx)
		ctx = tls_client_context(&conf, &why);
	record = (struct tls_tlsa){ .usage = data[0] % 4,
		.selector = data[1] % 4,
		.matching = data[2] % 4,
		.data = str_of(data + 3, size - 3) };
	ensure(ctx && tls_dane_usable(ctx, &record, 1) <= 1);
	return 0;
}
