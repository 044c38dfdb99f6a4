/* spawn.h -- what master and its workers say to each other: the one environment variable
 * that a worker finds at its start, and the records of the status socket.
 *
 * The status socket is SOCK_SEQPACKET with records of one fixed size, so that master,
 * which is root, reads no lengths and no text from a worker. */
#ifndef SPAWN_H
#define SPAWN_H

#include "base.h"

#define SPAWN_ENV       "POSTERN_SPAWN"
#define SPAWN_LISTENERS 64
/* Instead: open what has to be opened, complain on stderr, and end without doing any
 * work. `postern check` asks each program so. */
#define SPAWN_TRIAL "trial"

/* Descriptors are those that the worker inherits; -1: none. */
struct spawn {
	uint32_t worker; /* 1 and up; unique among the living, the smallest free number */
	uint32_t generation; /* of master's configuration; counts reloads */
	uint32_t limit;      /* sessions or deliveries this worker may have in hand; 0: no
				limit */
	int control;         /* records to and from master */
	int broker;          /* a link on which broker answers `connect` */
	int identities; /* broker's own: new workers, one struct spawn_identity each */
	int log;        /* maillog_file, opened by master */
	int suspects;   /* the page of suspect.h, for those who serve clients */
	int accepted;   /* what both files said when master took them: conf_accepted_use()
			 */
	int explain;    /* not master's: a link over which `postern explain` asks what
			   would be done. Nothing else is done */
	bool stays;     /* never leaves for being idle */
	bool stress;    /* its line is near its bound (CONTROL_STRESS) */
	int listeners[SPAWN_LISTENERS];
	size_t n_listeners;
};
/* "worker=3 generation=1 ... listen=6,7" */
void spawn_show(const struct spawn *s, struct buf *out);
/* -1 on anything that spawn_show() would not have written. */
int spawn_parse(struct str text, struct spawn *out) MUST_CHECK;

/* ---- records: one fixed size, perhaps with a descriptor; never wait ---- */
int record_send(int sock, const void *record, size_t size, int pass) MUST_CHECK;
/* 1 and a record (*passed is a descriptor or -1), 0 at the end, -1 and errno (EAGAIN;
 * EPROTO for what is no such record). */
int record_receive(int sock, void *record, size_t size, int *passed) MUST_CHECK;

/* ---- records of the status socket ---- */
/* For how long a worker counts as busy after it said so. */
#define CONTROL_BUSY_FOR ((msec_t)2000)

enum control_kind {
	/* worker to master */
	CONTROL_READY = 1, /* in the jail, accepting */
	CONTROL_USED,      /* the first session came */
	CONTROL_BUSY,      /* keeps a processor busy: another worker would help */
	CONTROL_FULL,      /* at its limit, stopped accepting */
	CONTROL_ROOM,      /* below it again */
	CONTROL_DRAINING,  /* accepts no more, will end: start another; value: in hand */
	CONTROL_LOAD,      /* value: in hand; told when it matters, see control.c */
	CONTROL_ALIVE,     /* CONTROL_PING was read */
	CONTROL_UNLINKED,  /* its link to broker broke, and no CONTROL_BROKER came */
	/* master to worker */
	CONTROL_RELOAD =
		32,     /* value: the new generation; what was accepted comes along */
	CONTROL_STOP,   /* end now: cancel sessions */
	CONTROL_BROKER, /* a fresh link to broker comes along */
	CONTROL_DRAIN,  /* the line is gone: finish and leave */
	CONTROL_GO_ON, /* after CONTROL_BUSY: there is another worker now, or will be none
			*/
	CONTROL_LOG,   /* maillog_file was opened anew and comes along */
	CONTROL_STRESS, /* value 1: the line is near its bound; 0: no more */
	CONTROL_PING,   /* who does not answer is stuck */
	CONTROL_TABLES, /* their names, a row for each, come along: they are to be opened
			   again */
};
struct control {
	uint32_t kind, value;
};
/* Pass is a descriptor that goes along (duplicated, not taken), or -1. Never waits. */
int control_send(int sock, enum control_kind kind, uint32_t value, int pass) MUST_CHECK;
int control_receive(int sock, struct control *out, int *passed) MUST_CHECK;

/* Who a worker is, as master tells broker together with the worker's link. */
struct spawn_identity {
	char program[32], service[64];
	uint32_t pid, uid;
};
int identity_send(int sock, const struct spawn_identity *who, int link) MUST_CHECK;
int identity_receive(int sock, struct spawn_identity *who, int *link) MUST_CHECK;

#endif
