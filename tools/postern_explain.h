/* postern_explain.h -- `postern explain`: what becomes of a mail, and why. The programs
 * of master.cf are asked: each is started for that in its jail, as its user, and told not
 * to do anything. */
#ifndef POSTERN_EXPLAIN_H
#define POSTERN_EXPLAIN_H

#include "conf.h"
#include "messages.h"

struct explain {
	const char *directory;
	const struct conf *conf;
	const struct master_conf *services;
	struct arena *arena; /* as long as the command */
	unsigned may_ask;    /* EXPLAIN_DNS ... */
	bool json, verbose;
};

/* ---- explain_ask.c ---- */
/* Asks the program of a line. It is started at the first question and stays. Ends the
 * command when it cannot be asked. The reply lives in x->arena. */
SWITCHES void explain_ask(const struct explain *x, const struct service_line *line,
	struct explain_request *ask, struct explain_reply *said);
/* Ends all programs that were started, and waits for that. */
SWITCHES void explain_ask_end(void);

/* ---- explain_broker.c ---- */
/* A connected descriptor to what a program of this line wants to ask, or -1 and errno:
 * EPERM for what would change something, or bother others without --ask. BLOCKS */
int explain_connect(const struct explain *x, const struct ipc_caller *caller,
	struct str peer) MUST_CHECK;
/* Does the mail system run, so that others can be asked? */
bool explain_can_connect(const struct explain *x);

/* ---- explain_print.c ---- */
void explain_print_program(
	const struct explain *x, const struct service_line *line, struct str about);
void explain_print_steps(const struct explain *x, const struct service_line *line,
	const struct explain_reply *said);
/* outcome: "delivered", "refused" ...; text: why, or where to; each may be STR_NONE. */
void explain_print_outcome(const struct explain *x, struct str recipient,
	const char *outcome, struct str code, struct str text);

#endif
