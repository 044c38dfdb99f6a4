/* queue_id.c -- queue ids, made without asking anybody: the time in microseconds, never
 * twice the same in one process, and the worker's number, which no other living process
 * has.
 *
 * Shapes (contract 4): short, five hex digits of microseconds and then more hex, where
 * Postfix has an inode number and we 26 bits of seconds and 10 of the worker: no id comes
 * again within two years. Long: seconds (6) and microseconds (4) in base 52, "z", the
 * rest in base 51. */
#include "service_impl.h"
#include <stdio.h>

#define DIGITS "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

/* At least `width` digits; the end of the buffer is where the number ends. */
static char *
in_base(uint64_t n, unsigned base, int width, char *end)
{
	while (n > 0 || width > 0) {
		*--end = DIGITS[n % base];
		n /= base;
		width--;
	}
	return end;
}

void
queue_id_short(uint64_t us, uint32_t number, char out[32])
{
	uint64_t seconds = us / 1000000 & 0x3ffffff;

	snprintf(out, 32, "%05X%09llX", (unsigned)(us % 1000000),
		(unsigned long long)(seconds << 10 | (number & 0x3ff)));
}

void
queue_id_long(uint64_t us, uint32_t number, char out[32])
{
	char digits[32], *end = digits + sizeof(digits) - 1, *at = end;

	*end = '\0';
	at = in_base(number, 51, 1, at);
	*--at = 'z';
	at = in_base(us % 1000000, 52, 4, at);
	at = in_base(us / 1000000, 52, 6, at);
	memcpy(out, at, (size_t)(end - at) + 1);
}

void
service_queue_id(char out[32])
{
	static uint64_t last;
	uint64_t now = (uint64_t)time_wall_us();

	last = MAX(now, last + 1);
	if (worker.conf && worker.conf->p.enable_long_queue_ids)
		queue_id_long(last, worker.spawn.worker, out);
	else
		queue_id_short(last, worker.spawn.worker, out);
}
