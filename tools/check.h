/* check.h -- `postern check`: what looks at what. Each part adds what it finds; errors
 * (conf_issue.fatal) are what keeps a part of the mail system from working, or protects
 * nobody. */
#ifndef CHECK_H
#define CHECK_H

#include "conf.h"

struct check {
	const char *directory; /* of the two files */
	const struct conf *conf;
	const struct master_conf *services;
	const struct instance_owners *owners;
	struct conf_issues found;
	struct conf_issues notes; /* what -v tells: nothing is wrong */
};

/* A finding about a parameter, where main.cf sets it; about a file; about a line of
 * master.cf. Texts are complete; the remedy may be "". */
void check_parameter(struct check *k, bool error, const char *parameter,
	const char *remedy, const char *fmt, ...) PRINTF(5, 6);
void check_file(struct check *k, bool error, const char *path, const char *remedy,
	const char *fmt, ...) PRINTF(5, 6);
void check_line(struct check *k, const struct service_line *line, bool error,
	const char *remedy, const char *fmt, ...) PRINTF(5, 6);
/* What lists and tables have to say against themselves the daemons have told already. */
void check_quietly(bool on);

/* check_names.c: settings that nothing reads; names that may be misspelt. */
void check_names(struct check *k);
/* check_daemons.c: each service opens what it opens when it starts. */
void check_daemons(struct check *k);
/* check_relay.c: may strangers send mail through us? */
void check_relay(struct check *k);
/* check_domains.c: domains that belong to two classes. */
void check_domains(struct check *k);
/* check_loops.c: aliases and virtual aliases that lead back to themselves. */
void check_loops(struct check *k);
/* check_doubles.c: filters that verify or sign what we do, too. */
void check_doubles(struct check *k);
/* check_routes.c: transports that there are not, next hops that are this host. */
void check_routes(struct check *k);
/* check_certificates.c: of smtpd and smtp: unreadable, expired, open to others. */
void check_certificates(struct check *k);
/* check_files.c: owners, modes, copies for chroot, damaged messages. */
void check_owners(struct check *k);
void check_setgid(struct check *k);
void check_copies(struct check *k);
void check_queue(struct check *k);

#endif
