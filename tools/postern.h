/* postern.h -- the `postern` command (postfix(1)): its subcommands. */
#ifndef POSTERN_H
#define POSTERN_H

#include "base.h"
#include "conf.h"
#include "instance.h"

struct postern {
	const char *directory; /* of the configuration */
	bool is_named;         /* by -c or MAIL_CONFIG */
	bool verbose;          /* -v */
	struct conf *conf;
	struct conf_issues issues; /* that reading main.cf raised */
	struct instance_owners owners;
	int argc; /* what follows the subcommand */
	char **argv;
};
extern struct postern postern;

void postern_open_log(void); /* once more after logrotate */

/* main.cf was changed: queue and owners may be others now. Ends the program when it
 * cannot be used. */
void postern_read_again(void);

/* Each gives the exit status. */
int postern_start(void);
int postern_start_fg(void);
int postern_stop(void);
int postern_abort(void);
int postern_drain(void);
int postern_reload(void);
int postern_upgrade(void);
int postern_flush(void);
int postern_status(void);
int postern_logrotate(void);
int postern_check(void);
int postern_explain(void);
int postern_install(void); /* the next two, with their arguments */
int postern_set_permissions(void);
int postern_upgrade_configuration(void);
int postern_spool(void);
int postern_limits(void);
int postern_tls(void);
int postern_import(void);
int postern_export(void);

/* Directories, owners, main.cf and master.cf. Ends the program when the configuration
 * cannot be used. */
void check_before_start(void);
/* main.cf cannot be used: tells why, and what is wrong with master.cf. */
NORETURN void check_unusable(void);
pid_t postern_master(void); /* 0: none runs */
pid_t postern_must_run(void);
void postern_signal(pid_t master, int signo);
const char *postern_program(struct str directory, const char *name);
/* status --jail */
int jail_show(pid_t master);

#endif
