/* folded.c -- programs of Postfix whose work is done inside others here. A line of
 * master.cf for one of them is taken, and nothing is missing. */
#include "conf.h"

static const struct {
	const char *program, *instead;
} folded[] = {
	{ "dnsblog", "names are looked up through dns" },
	{ "scache", "each smtp process keeps the connections that it may use again" },
	{ "tlsproxy", "TLS is spoken by the process that has the session" },
	{ "trivial-rewrite", "smtpd, cleanup and qmgr rewrite and resolve addresses "
			     "themselves" },
};

const char *
conf_folded(struct str program)
{
	for (size_t i = 0; i < COUNT(folded); i++)
		if (str_is(program, folded[i].program))
			return folded[i].instead;
	return NULL;
}
