/* dnslist_fuzz.c -- an administrator's filter, and a stranger's answer: "spec" LF
 * "address". */
#include "dnslist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_of(data, size), spec;
	struct dnslist list;
	struct why why;

	if (!str_split(&all, '\n', &spec) || dnslist_parse(spec, &list, &why) < 0)
		return 0;
	ensure(list.domain.len > 0);
	(void)dnslist_counts(&list, all);
	return 0;
}
