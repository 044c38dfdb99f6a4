/* lines.c -- content as a mailbox or a command wants its lines. */
#include "deliver.h"

static const char from[] = "From ";
#define FROM_LEN (sizeof(from) - 1)

/* What is held back of a line that may yet begin with "From ". */
static void
let_go(struct line_filter *f, struct buf *out)
{
	if (f->matched < FROM_LEN)
		buf_add(out, str_of(from, f->matched));
	f->matched = FROM_LEN;
}

static void
end_line(struct line_filter *f, struct buf *out)
{
	if (f->eol.data)
		buf_add(out, f->eol);
	else
		buf_addc(out, '\n');
	f->matched = 0;
	f->inside = false;
}

void
line_filter(struct line_filter *f, struct str chunk, struct buf *out)
{
	for (size_t i = 0; i < chunk.len; i++) {
		char c = chunk.data[i];

		if (c == '\n') {
			let_go(f, out);
			end_line(f, out);
			continue;
		}
		if (!f->inside && c == '.' && f->quote_dot)
			buf_addc(out, '.');
		f->inside = true;
		if (f->quote_from && f->matched < FROM_LEN && c == from[f->matched]) {
			if (++f->matched == FROM_LEN)
				buf_addz(out, ">From ");
			continue;
		}
		let_go(f, out);
		buf_addc(out, c);
	}
}

void
line_filter_end(struct line_filter *f, struct buf *out)
{
	if (!f->inside)
		return;
	let_go(f, out);
	end_line(f, out);
}
