/* json.c -- see json.h. */
#include "json.h"

void
json_string(FILE *out, struct str s)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;

	json_put(&text, s);
	fwrite(text.data, 1, text.len, out);
}
