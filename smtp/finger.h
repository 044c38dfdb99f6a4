/* finger.h -- posttls-finger: smtp's session with a server, shown to a person, and no
 * mail. A command of its own, without master, broker and other processes. */
#ifndef FINGER_H
#define FINGER_H

#include "smtp.h"

/* What is shown of TLS (-L). */
enum {
	SHOW_SUMMARY = 1,
	SHOW_DISTRUST = 2, /* why a certificate is not trusted */
	SHOW_CERTIFICATE = 4,
	SHOW_CACHE = 8, /* what becomes of TLS sessions */
};

struct finger {
	const struct conf *conf;
	struct str destination;
	bool without_chat; /* -c */
	bool chain;        /* -C */
	unsigned show;     /* SHOW_, while it is about the first session */
	msec_t again;      /* -r: a second session after that time; 0: none */
	int times;         /* -m: how many of those */
	int family;        /* -a: AF_INET, AF_INET6 first; AF_UNSPEC: as it comes */
};
extern struct finger finger;

/* ---- finger_options.c ---- */
/* Fills in finger; fatal when the command line is wrong. */
void finger_options(int argc, char **argv);

/* ---- finger_alone.c ---- */
/* Who answers instead of other processes: names are looked up in this one. In the loop.
 */
void finger_alone(void);

/* ---- finger_watch.c ---- */
extern const struct session_watch finger_watch;
/* Prints the certificates of the server. */
void finger_show_chain(const struct session *s);

#endif
