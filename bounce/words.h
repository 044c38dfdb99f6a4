/* words.h -- what notices say to people: bounce_template_file, or what is built in. */
#ifndef WORDS_H
#define WORDS_H

#include "templates.h"

struct words {
	const struct template *template;
	struct str text; /* of the template, with its $names replaced */
};
/* Reads the file while we may. A notice never waits for a file to be right: what is wrong
 * with it is said in the log. */
void words_read(const struct conf *c);
struct words words_for(enum template_kind kind, const struct conf *c, struct arena *a);

#endif
