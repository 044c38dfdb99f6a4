/* packets_fuzz.c -- whatever a milter may send as an answer: a command and its data. */
#include "packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each view lies within what was sent. */
static void
within(struct str part, struct str whole)
{
	ensure(!part.data || (part.data >= whole.data &&
				     part.data + part.len <= whole.data + whole.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new();
	struct str packet = str_of(data, size), rest = str_from(packet, 1), text;
	struct milter_options options;
	struct milter_edit edit;

	if (size == 0)
		return 0;
	if (milter_edit_read((char)data[0], rest, &edit) > 0) {
		within(edit.name, rest);
		within(edit.value, rest);
		/* Only a body may hold NULs. */
		ensure(edit.kind == EDIT_BODY ||
			(str_chr(edit.name, 0) < 0 && str_chr(edit.value, 0) < 0));
	}
	if (milter_reply_read(rest, arena, &text) == 0) {
		/* It becomes a reply to an SMTP client. */
		ensure(text.len >= 4 && (text.data[0] == '4' || text.data[0] == '5'));
		ensure(str_chr(text, '\r') < 0 && str_chr(text, 0) < 0);
	}
	if (milter_options_read(rest, arena, &options) == 0)
		for (size_t i = 0; i < COUNT(options.macros); i++)
			ensure(options.wants_macros[i] == (options.macros[i].n > 0));
	(void)milter_answer_name((char)data[0]);
	return 0;
}
