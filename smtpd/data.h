/* data.h -- the content of a message as a client sends it after DATA or in BDAT chunks,
 * turned into what cleanup gets: lines that end in LF, dots unstuffed.
 *
 * Nothing but CRLF . CRLF ends DATA (RFC 5321 section 4.1.1.4): a lone dot between other
 * line ends is content. That is what keeps a second message from being smuggled in. */
#ifndef DATA_H
#define DATA_H

#include "base.h"

/* What the bytes so far leave open. */
enum data_place {
	DATA_START,   /* at the start of a line */
	DATA_DOT,     /* a dot at the start of a line, held back */
	DATA_DOT_CR,  /* a dot and a CR, held back */
	DATA_TEXT,    /* within a line */
	DATA_TEXT_CR, /* within a line; its CR is held back */
};
/* What ends DATA. */
enum data_end {
	DATA_END_STRICT,  /* CRLF . CRLF */
	DATA_END_LF_ONLY, /* LF . LF too, as long as the client never sent a CRLF: a
			     script in $mynetworks, and nothing that relays what others
			     wrote */
	DATA_END_ANY,     /* smtpd_forbid_bare_newline = no */
};
struct data_scan {
	bool chunked; /* BDAT: no dots, the end is counted */
	enum data_end end;
	bool last_crlf; /* the line before ended in CRLF */
	bool bare_lf;   /* some line ended in LF alone */
	bool ended;     /* the end of data was read */
	enum data_place place;
	octets_t size; /* content so far, each line end counted as CRLF */
};
/* after_crlf: the DATA command itself ended in CRLF. */
void data_scan_init(
	struct data_scan *d, bool chunked, enum data_end end, bool after_crlf);
/* Appends content from `in` to *out (at most in.len + 2 bytes); returns how many bytes
 * were used up: all of them, or those up to the end of data. */
size_t data_scan(struct data_scan *d, struct str in, struct buf *out);
/* After the last chunk of BDAT: the line that has no end gets one. */
void data_scan_finish(struct data_scan *d, struct buf *out);

#endif
