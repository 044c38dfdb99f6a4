/* haproxy_fuzz.c -- anybody's bytes for a PROXY header: read whole, they are what they
 * are read octet by octet. */
#include "haproxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_of(data, MIN(size, (size_t)HAPROXY_MOST + 20));
	enum haproxy_state whole, piece = HAPROXY_MORE;
	size_t used, used_piece = 0;
	struct haproxy p;
	const char *what;

	whole = haproxy_read(all, &p, &used, &what);
	ensure(whole != HAPROXY_OK || (used <= all.len && used <= HAPROXY_MOST));
	ensure(whole != HAPROXY_MORE || all.len < HAPROXY_MOST);
	for (size_t n = 0; piece == HAPROXY_MORE && n <= all.len; n++)
		piece = haproxy_read(str_sub(all, 0, n), &p, &used_piece, &what);
	ensure(piece == whole);
	ensure(whole != HAPROXY_OK || used == used_piece);
	return 0;
}
