/* ehlo.c -- see ehlo.h. */
#include "ehlo.h"
#include "log.h"

static const struct {
	const char *word;
	unsigned keyword;
} keyword_words[] = {
	{ "PIPELINING", KEYWORD_PIPELINING },
	{ "SIZE", KEYWORD_SIZE },
	{ "VRFY", KEYWORD_VRFY },
	{ "ETRN", KEYWORD_ETRN },
	{ "STARTTLS", KEYWORD_STARTTLS },
	{ "XCLIENT", KEYWORD_XCLIENT },
	{ "XFORWARD", KEYWORD_XFORWARD },
	{ "ENHANCEDSTATUSCODES", KEYWORD_ENHANCEDSTATUSCODES },
	{ "8BITMIME", KEYWORD_8BITMIME },
	{ "DSN", KEYWORD_DSN },
	{ "SMTPUTF8", KEYWORD_SMTPUTF8 },
	{ "CHUNKING", KEYWORD_CHUNKING },
	{ "AUTH", KEYWORD_AUTH },
	{ "LIMITS", KEYWORD_LIMITS },
	{ "REQUIRETLS", KEYWORD_REQUIRETLS },
	{ "silent-discard", KEYWORD_SILENT },
};

unsigned
keywords_parse(struct str list, const char *parameter)
{
	struct str word;
	unsigned found = 0;

	while (str_token(&list, ", \t\r\n", &word)) {
		size_t i = 0;

		while (i < COUNT(keyword_words) &&
			!str_case_is(word, keyword_words[i].word))
			i++;
		if (i == COUNT(keyword_words))
			log_warn("%s: unknown EHLO keyword \"%.*s\"", parameter,
				STR_ARG(word));
		else
			found |= keyword_words[i].keyword;
	}
	return found;
}

void
keywords_log(unsigned discarded)
{
	struct buf names CLEANUP(buf_free) = BUF_INIT;

	for (size_t i = 0; i < COUNT(keyword_words); i++)
		if (discarded & keyword_words[i].keyword & ~(unsigned)KEYWORD_SILENT)
			buf_printf(&names, " %s", keyword_words[i].word);
	log_info("discarding EHLO keywords:%.*s", STR_ARG(buf_str(&names)));
}
