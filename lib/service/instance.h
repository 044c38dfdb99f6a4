/* instance.h -- one Postern on a machine: its directories, and whether its master runs.
 * For master and for the `postern` command. */
#ifndef INSTANCE_H
#define INSTANCE_H

#include "base.h"
#include "conf.h"

/* A directory below queue_directory or data_directory (contract 3.8) and its rights. */
struct instance_directory {
	const char *name; /* below queue_directory; "" itself; NULL: data_directory */
	bool root;        /* owned by root, otherwise by mail_owner */
	bool setgid;      /* its group is setgid_group */
	mode_t mode;
};
extern const struct instance_directory instance_directories[];
extern const size_t instance_directories_count;

/* Who owns what; as an ordinary user everything is that user's. -1 and *why when
 * mail_owner or setgid_group does not exist. */
struct instance_owners {
	bool root; /* we are root */
	uid_t mail_owner;
	gid_t mail_group, setgid_group;
};
int instance_owners(const struct conf *c, struct instance_owners *out, struct why *why)
	MUST_CHECK;

/* Makes what is missing, and logs each directory that it made. -1 and *why. BLOCKS */
int instance_make_directories(const struct conf *c, const struct instance_owners *owners,
	struct why *why) MUST_CHECK;
/* Each directory whose owner or mode is wrong. */
void instance_check_directories(const struct conf *c,
	const struct instance_owners *owners, struct conf_issues *found);

/* Sets every owner and mode as the table says. -1 and *why. */
int instance_repair_directories(const struct conf *c,
	const struct instance_owners *owners, struct why *why) MUST_CHECK;

/* queue_directory/pid/master.pid: locked as long as master lives, its process id inside,
 * blank-padded as other programs expect it. */
/* The pid of the running master; 0: none runs; -1 and errno. */
pid_t instance_master(const struct conf *c);
/* Takes the lock and data_directory/master.lock; both stay open for good. -1 and *why,
 * also when another holds it. */
int instance_lock(const struct conf *c, const struct instance_owners *owners,
	struct why *why) MUST_CHECK;
/* The two locks, for a program that follows in this process. */
void instance_lock_descriptors(int out[2]);
void instance_lock_adopt(const int fds[2]);
int instance_write_pid(struct why *why) MUST_CHECK; /* once the final process runs */

/* What a SIGHUP to master is about: pid/reload has a row for each service and table. All
 * when there is no such file, or a row "*" in it. */
struct instance_reload {
	bool all;
	struct strs services; /* as service_line_is() knows them */
	struct strs tables;   /* "type:name" */
};
/* Adds to what is asked for already. -1 and errno. */
int instance_ask_reload(const struct conf *c, const struct instance_reload *what)
	MUST_CHECK;
/* Takes what was asked for since the last call; names are in arena. */
void instance_take_reload(
	const struct conf *c, struct arena *arena, struct instance_reload *out);

#endif
