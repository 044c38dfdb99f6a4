/* service.h -- what every daemon's main calls: start-up, privileges, jail, accept loop,
 * reload, retirement.
 *
 * Order: read the configuration, open what needs root (before_jail), drop the user, enter
 * the jail, tell master, and only then read the first byte that a stranger chose. */
#ifndef SERVICE_H
#define SERVICE_H

#include "base.h"
#include "conf.h"
#include "event.h"
#include "ipc.h"
#include "net.h"

/* Users of design section 3: conf names them; a missing one falls back to mail_owner. */
enum service_user {
	USER_MAIL_OWNER,
	USER_NET,
	USER_CLEANUP,
	USER_AUTH,
	USER_DNS,
	USER_SIGN,
	USER_KEY,
	USER_ROOT,
};

/* What the jail leaves (lib/service/sandbox.c has the table: each bit's system calls and
 * paths). Nothing set: read and write on descriptors at hand, memory, time. */
enum {
	SANDBOX_TABLES = 1,   /* re-open local tables: read below their directories */
	SANDBOX_PCRE = 2,     /* may make executable memory (PCRE2 JIT) */
	SANDBOX_INTERNET = 4, /* socket, connect to inet addresses */
	SANDBOX_SPOOL_READ = 8,
	SANDBOX_SPOOL_WRITE = 16,
	SANDBOX_CONNECT_LOCAL = 32, /* broker: connect to unix sockets (and endpoints) */
	SANDBOX_MAILDROP = 64,      /* pickup: read and remove in maildrop/ */
	SANDBOX_SPAWN =
		128, /* fork, wait, kill own children, setuid in them: root parents */
	SANDBOX_MAILBOX = 256,    /* a delivery child: files below its own places */
	SANDBOX_EXEC = 512,       /* starts foreign commands: no wall that passes exec */
	SANDBOX_DNS_FILES = 1024, /* resolv.conf, hosts, nsswitch.conf */
	SANDBOX_CHROOT = 2048,    /* puts its children into another root directory */
	SANDBOX_CLIENTS = 4096,   /* client libraries of databases, which load parts of
				     themselves and read files below /etc */
	SANDBOX_DATA = 8192,      /* writes a table of its own: service_allow_write() */
	SANDBOX_KEYS = 16384,     /* reads files that only root may: tlsmgr's reader */
	SANDBOX_FORK = 32768,     /* has children, who stay what it is */
	SANDBOX_GROUPS = 65536,   /* keeps the groups that its user is a member of */
};

struct explain_request;
struct explain_reply;

struct service {
	const char *name;
	enum service_user user;
	unsigned sandbox;
	const char *const *peers; /* services it may ask broker for; NULL-terminated */
	/* Each may be NULL. */
	void (*before_jail)(void); /* as root, conf loaded; log_fatal on a mistake */
	void (*start)(
		void); /* in a coroutine, after the jail, before the first session */
	/* Stream services (smtpd): one coroutine for each connection, large stack if tls.
	 */
	SWITCHES void (*session)(struct conn *conn);
	/* IPC services: answers over links that broker (or a permitted command) made. */
	const struct ipc_handler *handlers;
	/* Called in the loop when one of the links accepted for `handlers` was lost. */
	void (*link_closed)(struct ipc_link *link);
	/* Services of type unix-dgram: called with each datagram. */
	void (*datagram)(struct str bytes);
	/* Called for each connection whose first bytes are not an IPC HELLO: triggers
	 * ('W'), showq's readers. NULL: such connections are dropped. The first bytes are
	 * unread. */
	SWITCHES void (*plain)(struct conn *conn);
	void (*wakeup)(void); /* a trigger byte came */
	/* Reload in place (single-process services); NULL: drain and retire. Says whether
	 * nothing looks into the old configuration any more, so that it may be freed. */
	bool (*reload)(const struct conf *fresh);
	/* `postern explain`: what would be done. The process was started for this, in the
	 * jail as always, without start() and listeners; it does nothing, and counts
	 * nothing. Steps are told as they happen (explain.h); *say is zero. */
	SWITCHES void (*explain)(const struct explain_request *ask,
		struct explain_reply *say, struct arena *arena);
	/* Asked to end: finish what is in hand, then service_leave(). NULL: leave when
	 * the last session ended. */
	void (*drain)(void);
};
int service_main(const struct service *s, int argc, char **argv);

/* For sessions and handlers: */
const struct conf *service_conf(void); /* keep the pointer for the length of a session */
/* The same configuration under `stress = yes`, for programs whose settings ask for it.
 * Loaded at the first call, which has to come from before_jail. */
const struct conf *service_conf_under_stress(void);
bool service_under_stress(void); /* the line has 80 % of the sessions it may have */
const char *service_name(void);  /* column 1 of master.cf: "smtp", "submission" */
struct strs service_args(void);  /* of master.cf after the program, -o taken out */
struct ipc_peer *service_peer(const char *name); /* made on first use through broker */
/* A connected descriptor to one of our services, HELLO sent, for ipc_link_open(): for
 * those who also answer over it (delivery agents to qmgr). -1 and errno. */
SWITCHES int service_connect_peer(const char *name, deadline_t patience);
/* A connected plain socket to a configured endpoint ("unix:private/auth", "inet:h:p"). */
SWITCHES int service_connect(const char *endpoint, deadline_t patience);
/* How many sessions or deliveries this worker may have in hand: its share of the maxproc
 * column; 0: no limit. Stream sessions are bounded by the service itself. */
uint32_t service_limit(void);
uint32_t service_worker(void);       /* number given by master; unique among the living */
uint32_t service_next_session(void); /* for log_session() */
/* The session that runs works for this client from now on: should the process crash in
 * it, master knows whose bytes it was reading. False: clients of its network did that
 * lately, and are to be refused. */
bool service_client(const struct net_addr *client) MUST_CHECK;
bool service_draining(void); /* accepts no more; what was begun is finished */
bool service_stopping(void); /* the end is now: sessions are being cancelled */
void service_leave(void);    /* ends the loop and the process, exit 0 */
/* Handlers that keep to service_limit() have reached it, or have room again: master may
 * start another worker. */
void service_full(bool full);
void service_busy(int change); /* +1/-1: sessions in hand (handlers count themselves) */
/* Between two requests: tables that changed are opened again, in a fresh process where
 * the jail is in the way; this one still answers what it was asked. */
void service_renew_tables(void);
/* Something that only a fresh process can do is due (a table outside the jail changed):
 * stop accepting, finish, leave; master starts another. */
void service_retire(const char *why);
/* For a drain of one's own: callers are told to ask our successor, and close their links
 * after the last answer. Calls done when none is left; what comes in until then is to be
 * answered. Once in a process. */
void service_dismiss(void (*done)(void));
/* Was this process started for `postern explain`? before_jail may need less then. */
bool service_explains(void);
/* `postern check` started it (SPAWN_TRIAL): it complains about what it opens, and ends
 * before the jail; there is nobody to ask. */
bool service_on_trial(void);
/* What master gave this worker: for broker. */
struct spawn;
const struct spawn *service_spawn(void);
/* In a child that is no worker: closes all of the worker's descriptors, master's and
 * broker's among them, but for the standard ones, the log's and its own. */
void service_keep_only(int own);
/* Queue ids (design 2): short or long form by enable_long_queue_ids; unique. 32 bytes. */
void service_queue_id(char out[32]);
/* Extra paths for Landlock, to be added in before_jail (directories). */
void service_allow_read(const char *directory);
/* Also where links in it lead to, as those in Debian's /etc/ssl/certs. */
void service_allow_read_links(const char *directory);
void service_allow_write(const char *directory);
void service_allow_write_of(struct str path); /* the directory that a file is in */

/* ---- the jail itself (sandbox.c), for programs that are not services too ---- */
/* Switches to the user (0: stay), drops groups and capabilities, no_new_privs, Landlock,
 * seccomp. Follows `sandbox = yes | require | no`. -1 and *why. */
int sandbox_enter(const char *program, unsigned what, uid_t uid, gid_t gid,
	const struct conf *c, struct why *why) MUST_CHECK;

#endif
