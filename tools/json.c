/* json.c -- see json.h. */
#include "json.h"

void
json_string(FILE *out, struct str s)
{
	/* Pairs: the byte, and the letter that stands for it behind a backslash. */
	static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";

	putc('"', out);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		const char *pair = short_forms;

		while (*pair && (unsigned char)*pair != c)
			pair += 2;
		if (*pair)
			fprintf(out, "\\%c", pair[1]);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04X", c);
		else
			putc(c, out);
	}
	putc('"', out);
}
