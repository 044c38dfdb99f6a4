/* ehlo.h -- the keywords of EHLO (RFC 5321 section 4.1.1.1) that *_discard_ehlo_keywords
 * can take away. */
#ifndef EHLO_H
#define EHLO_H

#include "base.h"

enum {
	KEYWORD_PIPELINING = 1,
	KEYWORD_SIZE = 2,
	KEYWORD_VRFY = 4,
	KEYWORD_STARTTLS = 8,
	KEYWORD_XCLIENT = 16,
	KEYWORD_ENHANCEDSTATUSCODES = 32,
	KEYWORD_8BITMIME = 64,
	KEYWORD_DSN = 128,
	KEYWORD_SMTPUTF8 = 256,
	KEYWORD_CHUNKING = 512,
	KEYWORD_ETRN = 2048,
	KEYWORD_XFORWARD = 4096,
	KEYWORD_AUTH = 8192,
	KEYWORD_XVERP = 16384, /* which cannot be taken away */
	KEYWORD_LIMITS = 32768,
	KEYWORD_REQUIRETLS = 65536,
	KEYWORD_SILENT = 1024, /* "silent-discard": do not log it */
};
/* Reads a list of keywords; unknown words are ignored with a warning. */
unsigned keywords_parse(struct str list, const char *parameter);
/* Whoever discards keywords wants to see that it worked: says which. */
void keywords_log(unsigned discarded);

#endif
