/* Any bytes as the parameters of MAIL, RCPT and BDAT. */
#include "esmtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		ensure((unsigned char)s.data[i] >= ' ' && s.data[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str text = str_of(data, size);
	struct mail_parameters mail = { .size = 0 };
	struct rcpt_parameters rcpt = { .notify = 0 };
	struct why why;
	octets_t count;
	bool last;
	int code;

	if (bdat_parse(text, &count, &last))
		ensure(count <= INT64_MAX);
	if (mail_parameters_parse(text, ~0U, arena, &mail, &code, &why) == ACCEPT)
		check_printable(mail.envid);
	if (rcpt_parameters_parse(text, ~0U, arena, &rcpt, &code, &why) == ACCEPT)
		check_printable(rcpt.orcpt);
	return 0;
}
