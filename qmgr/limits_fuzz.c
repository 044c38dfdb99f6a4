/* Any entry of shaping_maps. */
#include "limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf shown CLEANUP(buf_free) = BUF_INIT;
	struct limits l;
	struct why why;
	bool any;

	if (limits_parse(str_of(data, size), &l, &any, &why) == ACCEPT)
		limits_show(&l, &shown);
	return 0;
}
