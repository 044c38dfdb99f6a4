/* crc32c.c -- the Castagnoli CRC (RFC 3720 appendix B.4) over queue records: by the
 * processor where it can, by table elsewhere. The choice is made once, before main. */
#include "base.h"
#include <pthread.h>
#if defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

enum { POLYNOMIAL_REVERSED = 0x82f63b78 };

typedef uint32_t (*crc_fn)(uint32_t crc, const unsigned char *p, size_t len);

/* table[0] advances the CRC by one byte, table[k] by a byte that k zeros follow. */
static uint32_t table[8][256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void
table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? (uint32_t)POLYNOMIAL_REVERSED : 0);
		table[0][i] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (int i = 0; i < 256; i++)
			table[k][i] =
				table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

static uint32_t
crc_by_table(uint32_t crc, const unsigned char *p, size_t len)
{
	pthread_once(&table_made, table_make);
	for (; len >= 8; p += 8, len -= 8) {
		crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		       (uint32_t)p[3] << 24;
		crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^
		      table[5][crc >> 16 & 255] ^ table[4][crc >> 24] ^ table[3][p[4]] ^
		      table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
	return crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
crc_by_processor(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t wide = crc, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}

static bool
processor_can(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2");
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) static uint32_t
crc_by_processor(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		crc = __crc32cd(crc, word);
	}
	for (; len > 0; p++, len--)
		crc = __crc32cb(crc, *p);
	return crc;
}

static bool
processor_can(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

#else
#define crc_by_processor crc_by_table
static bool
processor_can(void)
{
	return false;
}
#endif

static crc_fn crc_best = crc_by_table;

__attribute__((constructor)) static void
crc_choose(void)
{
	if (processor_can())
		crc_best = crc_by_processor;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	return ~crc_best(~crc, data, len);
}

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	return ~crc_by_table(~crc, data, len);
}
