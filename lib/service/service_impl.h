/* service_impl.h -- the parts of lib/service among themselves: one worker process. */
#ifndef SERVICE_IMPL_H
#define SERVICE_IMPL_H

#include "service.h"
#include "spawn.h"
#include "suspect.h"

/* ---- options.c: argv as master gives it ---- */
struct options {
	const char *name;      /* -n, column 1 of master.cf */
	const char *transport; /* -t: inet, unix ... */
	bool unprivileged;     /* -u */
	int verbose;           /* -v, once for each */
	struct strs overrides; /* of -o */
	struct strs args;      /* what is left: the program's own */
};
/* Everything in *out points into argv or arena. -1 and *why. */
int options_parse(int argc, char **argv, struct arena *arena, struct options *out,
	struct why *why) MUST_CHECK;

/* ---- users.c ---- */
/* Who runs the program: 0 for both where no switch is due. mail_owner stands in for a
 * user that does not exist. -1 and *why when that does not exist either. */
int users_find(const struct service *s, const struct conf *c, uid_t *uid, gid_t *gid,
	struct why *why) MUST_CHECK;
uid_t users_mail_owner(const struct conf *c); /* our own uid when it does not exist */

/* ---- the process ---- */
struct worker {
	const struct service *service;
	struct spawn spawn;
	struct options options;
	struct conf *conf, *conf_under_stress; /* the latter NULL: not asked for */
	struct arena *arena;                   /* as long as the process */
	uid_t trusted;   /* who may connect besides root and ourselves: broker */
	size_t sessions; /* stream sessions and plain connections */
	VEC(struct ipc_link *) links; /* that were accepted */
	int busy;                     /* service_busy() */
	uint64_t served;
	struct suspect_page *suspects; /* NULL: none */
	bool draining, stopping, leaving;
	bool trial; /* SPAWN_TRIAL */
};
extern struct worker worker;
void worker_log_open(const struct conf *c);
/* After anything that ends work: leaves when draining and nothing is left in hand. */
void worker_settle(void);
void worker_drain(void); /* accept no more, finish, leave */

/* ---- accept.c ---- */
void accept_start(void);     /* opens the listeners */
void accept_stop(void);      /* closes them: master holds them too */
void accept_help(bool wait); /* leaves connections to a worker that is being started */
void accept_limit(void);     /* the limit changed */
SWITCHES void accept_cancel_all(void); /* ends every session, and waits for that */

/* ---- accepted.c ---- */
/* From now on the configuration is read from what came from master; the descriptor is
 * taken. -1: there is none, or another version's; then all stays as it was. */
int accepted_take(int *fd) MUST_CHECK;

/* ---- datagrams.c: in place of accept.c for services of type unix-dgram ---- */
void datagrams_start(void);
void datagrams_stop(void);

/* ---- control.c ---- */
void control_start(void);
void control_tell(enum control_kind kind, uint32_t value);
size_t control_in_hand(void);
void control_load_changed(void); /* sessions, links or busy changed */

/* ---- peers.c ---- */
void peers_start(int link);   /* the link to broker that the worker was born with */
void peers_replace(int link); /* a fresh one */

/* ---- tables.c ---- */
void tables_start(void);        /* before the first table is opened */
void tables_changed(int names); /* says CONTROL_TABLES; takes the descriptor */

/* ---- explained.c ---- */
void explained_start(void); /* answers `postern explain`, and ends with it */

/* ---- queue_id.c ---- */
void queue_id_short(uint64_t us, uint32_t number, char out[32]);
void queue_id_long(uint64_t us, uint32_t number, char out[32]);

/* ---- captured.c: test builds ---- */
void captured_listen(void); /* before the jail */
void captured_start(void);  /* in it */

#endif
