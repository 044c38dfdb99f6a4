/* postmulti.h -- the parts of postmulti(1) among themselves. */
#ifndef POSTMULTI_H
#define POSTMULTI_H

#include "instances.h"

struct postmulti {
	struct selection selection; /* -a, -g, -i */
	bool reverse;               /* -R */
	bool json;                  /* -j */
	struct str name, group;     /* -I, -G; "" for -: take away; STR_NONE: not given */
	char **arguments;           /* what follows, ended by NULL */
};

/* ---- iterate: for each that is selected; give the exit status ---- */
int postmulti_list(struct instances *all, const struct postmulti *p);    /* -l */
int postmulti_postfix(struct instances *all, const struct postmulti *p); /* -p */
int postmulti_command(struct instances *all, const struct postmulti *p); /* -x */

/* ---- edit: -e action ---- */
struct postmulti_action {
	const char *name;
	bool assigns;        /* -I and -G say something to it */
	bool takes_settings; /* config_directory=... */
	void (*run)(struct instances *all, const struct postmulti *p);
};
/* NULL: there is none of this name. */
const struct postmulti_action *postmulti_action(const char *name);
/* "create, import ..." for a message. */
void postmulti_actions(struct buf *out);

/* A command with MAIL_CONFIG set to `config`; its exit status, 1 when a signal ended it.
 */
BLOCKS int postmulti_run(
	const struct instances *all, struct str config, char *const argv[]);
/* A program of ours. */
char *postmulti_program(const struct instances *all, const char *name);

#endif
