/* sendmail.h -- the parts of the sendmail command. */
#ifndef SENDMAIL_H
#define SENDMAIL_H

#include "base.h"
#include "conf.h"
#include "drop.h"

enum sendmail_mode {
	MODE_DELIVER, /* -bm, -bv; also -qIid and -qRsite, which then flush */
	MODE_SMTP,    /* -bs */
	MODE_QUEUE,   /* -bp, mailq */
	MODE_ALIASES, /* -bi, -I, newaliases */
	MODE_DAEMON,  /* -bd, -bl, called as smtpd */
	MODE_FLUSH,   /* -q */
	MODE_NOTHING, /* -bh, -bH, -q30m: accepted for old habits */
};
struct sendmail {
	enum sendmail_mode mode;
	const struct conf *conf;
	const char *directory; /* config_directory */
	struct str sender;     /* -f, -r */
	bool sender_given;
	struct str full_name; /* -F */
	bool full_name_given;
	bool from_header;    /* -t */
	bool dots_are_text;  /* -i, -oi */
	bool gateway;        /* -G: from elsewhere, headers stay as they are */
	bool verify;         /* -bv */
	bool report;         /* -v */
	uint8_t notify, ret; /* -N, -R */
	struct str envid;    /* -V */
	struct str verp;     /* -XV: two delimiters, or none */
	bool body_8bit, utf8, requiretls;
	const char *flush_id, *flush_site; /* -qI, -qR */
	const char *alias_database;        /* -oA */
	struct arena *arena;
	VEC(struct str) rcpts;
};

/* sendmail_options.c */
/* The directory that -C names, or NULL; complains on standard error about what is no
 * option. The rest of the command line is read when main.cf is known. */
const char *sendmail_directory(int argc, char **argv, struct arena *a);
/* Fills in *s from the command line (sendmail(1)). -1 and a text about what is wrong with
 * it; what Postfix puts up with is a warning in the log. */
int sendmail_options(struct sendmail *s, int argc, char **argv, struct buf *wrong)
	MUST_CHECK;
extern const char sendmail_usage[];
/* sendmail_message.c: a message from standard input into maildrop/. The exit status. */
int sendmail_message(struct sendmail *s);
/* sendmail.c: whether the mail for a site is tried now, as `postqueue -s` says. */
bool sendmail_flush_site(const struct sendmail *s, const char *site);
/* sendmail_smtp.c: SMTP on standard input and output. */
int sendmail_smtp(struct sendmail *s);

/* drop_child.c: postdrop, to be written to. */
struct drop_child {
	pid_t pid;
	int fd;
};
void drop_child_start(struct drop_child *c, const struct sendmail *s);
/* The exit status of postdrop; the message is in the queue when it is 0. */
int drop_child_end(struct drop_child *c);
/* Kills it: the message is dropped. */
void drop_child_abort(struct drop_child *c);
/* drop_child.c: the envelope in front of the message. */
void drop_child_envelope(struct drop_child *c, const struct drop *d);

#endif
