/* pipe.h -- the command of one master.cf line, and a message for it. */
#ifndef PIPE_H
#define PIPE_H

#include "agent.h"
#include "command_line.h"

struct pipe_options {
	struct command_line command; /* with macros */
	struct str directory, eol, null_sender;
	const char *chroot; /* or NULL */
	octets_t size;      /* largest message; 0: any */
	bool blank_line, delivered_to, from_line, original_to, return_path, final;
	bool fold_domain, quote, fold_user, quote_dot, quote_from;
};

/* options.c: reads the arguments of the line; log_fatal on a mistake. Asks the user
 * database: before the jail. */
void pipe_options_read(struct strs args, const struct conf *c, struct pipe_options *out);

/* words.c: the words of the command for this delivery; words with a macro that is about a
 * recipient are there once for each. TEMPFAIL 4.3.5: an unknown macro (logged). */
enum verdict pipe_words(const struct pipe_options *o, const struct delivery *d,
	struct strs *out, struct why *why);

#endif
