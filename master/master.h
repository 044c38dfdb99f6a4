/* master.h -- the supervisor among itself. One struct line for each line of master.cf,
 * its listeners, and the workers that serve them; everything else is policy about when to
 * start and to end workers. */
#ifndef MASTER_H
#define MASTER_H

#include "base.h"
#include "conf.h"
#include "event.h"
#include "instance.h"
#include "saved.h"
#include "spawn.h"
#include "suspect.h"

struct line;

/* A running process. */
struct worker {
	struct line *line;
	pid_t pid;
	uint32_t number; /* smallest free one */
	uint32_t limit;  /* its share of the line's */
	uint32_t load;   /* of that in hand, as last told */
	struct io control;
	struct suspect_page *suspects; /* shared with it; NULL: none */
	msec_t started;
	bool ready;            /* said so: the start was good */
	bool waits;            /* accepts nothing until it hears of another one */
	deadline_t busy_until; /* another one would help */
	bool full;             /* at its limit */
	bool leaving;          /* draining: accepts no more */
	struct timer watchdog;
	bool pinged;             /* and has not answered yet */
	struct timer impatience; /* an only process that holds up its successor */
};

/* A listening socket, and our poll on it while no worker accepts. */
struct listener {
	int fd;
	struct io io;
	bool polled;
	struct line *line;
};

struct line {
	struct service_line conf; /* views into the generation's master_conf */
	struct master_conf *file; /* whose arena those views point into */
	char *key; /* "unix:public/cleanup": what makes it the same line after a reload */
	char *path;     /* of the program */
	char *endpoint; /* as log lines name it */
	char *socket;   /* path of a unix socket, NULL for inet */
	VEC(struct listener *) listeners;
	VEC(struct worker *) workers;
	unsigned most;         /* processes */
	uint32_t sessions;     /* bound over all of them; 0: none */
	uint32_t each;         /* bound of one of them; 0: none */
	bool stressed;         /* near the bound */
	struct timer calm;     /* ... or has been, not long ago */
	msec_t daemon_timeout; /* who does not answer for so long is stuck */
	bool alone;            /* never two processes, not even while one leaves */
	bool stays;            /* started at once, never idle */
	bool missing;          /* there is no such program */
	bool removed;          /* no longer in master.cf */
	bool used;             /* "n?" of the wakeup column */
	msec_t limit_told;
	struct timer retry; /* after a bad start */
	struct timer wakeup;
};

struct master {
	const char *directory; /* of the configuration */
	struct conf *conf;
	struct instance_owners owners;
	VEC(struct line *) lines;
	uint32_t generation;
	unsigned processors;
	int log;      /* maillog_file, or -1 */
	int accepted; /* both files as they were accepted, for workers */
	bool foreground;
	bool stopping;
};
extern struct master master;

/* ---- log_file.c ---- */
/* Opens where master.conf says the log goes; what was open before stays when it cannot.
 */
int log_file_open(struct why *why) MUST_CHECK;
/* The same for a running system: whoever writes the old file gets the new one, too. */
void log_file_again(void);

/* ---- lines.c: what master.cf says ---- */
/* Reads both files. NULL, everything logged with file and line, when something is wrong.
 */
struct conf *lines_read(struct master_conf **services) MUST_CHECK;
struct line *lines_find(const char *key); /* NULL; none that was removed */
struct line *line_new(const struct service_line *s, struct master_conf *file);
/* (Re)reads what depends on the configuration. */
void line_configure(
	struct line *l, const struct service_line *s, struct master_conf *file);
void line_free(struct line *l);
const char *line_key(const struct service_line *s); /* good until the next call */

/* ---- sockets.c ---- */
int sockets_open(struct line *l, const struct conf *c, struct why *why) MUST_CHECK;
void sockets_close(struct line *l);
void sockets_adopt(struct line *l, int fd); /* opened by the program before us */
/* Polls the listeners while nobody else accepts on them. */
void sockets_poll(struct line *l, bool poll);
void sockets_refuse(struct line *l, int listener); /* for a program that is not there */

/* ---- supervise.c: when to start workers, and what their ends mean ---- */
/* Starts, polls or leaves alone, as the state of the line asks for. */
void supervise(struct line *l);
void supervise_demand(struct line *l); /* a connection is waiting */
void supervise_worker_ended(struct worker *w, int status);
void supervise_record(struct worker *w, const struct control *said);
void supervise_retire_all(struct line *l); /* the line is gone: no successors */

/* ---- workers.c: processes ---- */
/* NULL, logged, when the process could not be made. */
struct worker *worker_start(struct line *l);
void worker_order(struct worker *w, enum control_kind kind, uint32_t value);
void worker_reload(struct worker *w);            /* gives it what was accepted last */
void worker_tables(struct worker *w, int names); /* CONTROL_TABLES */
void worker_link(struct worker *w);              /* gives it another link to broker */
struct worker *worker_adopt(struct line *l, const struct saved_worker *was);
/* The socket to the broker that runs; -1. */
int workers_identities(void);
void workers_set_identities(int fd);
void worker_log(struct worker *w); /* passes master.log on */
/* It has died of a signal: was that in a client's session, and the third time? */
void worker_blame(const struct worker *w, int signo);
unsigned workers_accepting(const struct line *l);
uint32_t workers_share(const struct line *l); /* what is left of the line's bound */
struct worker *workers_broker(void);          /* NULL when it does not run */

/* ---- watchdog.c: processes whose loop does not turn ---- */
void watchdog_start(struct worker *w);

/* ---- environment.c ---- */
/* What a worker gets; in arena. */
char **environment_for(const struct spawn *s, struct arena *arena);

/* ---- wakeup.c ---- */
void wakeup_configure(struct line *l);

/* ---- upgrade.c ---- */
void upgrade_begin(void); /* if the new program is good, does not return to this one */
/* The new program: takes what belongs to the process; -1 when the state cannot be read.
 */
int upgrade_prepare(int fd) MUST_CHECK;
void upgrade_take_sockets(struct line *l); /* the line's, if it had some */
void upgrade_take_workers(void);           /* all of them, and tells them to finish */

/* ---- reload.c, stop.c ---- */
int lines_start(struct master_conf *services) MUST_CHECK; /* the first time */
void lines_supervise(void);
void reload_now(void);
void stop_now(int signo);
void stop_proceed(void); /* after a worker ended */

#endif
