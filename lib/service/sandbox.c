/* sandbox.c -- into the jail: the walls of design section 3, put up in the only order in
 * which each is still allowed to be built, before the first thread and the first byte
 *that a stranger chose.
 *
 *	network namespace	needs root
 *	bounding set		needs root
 *	groups, user		from here on nobody gets anything back
 *	capabilities, no_new_privs, not dumpable, no writable memory that becomes code
 *	Landlock		opens its directories
 *	seccomp			last: it forbids all of the above
 *
 * A process that starts foreign commands (SANDBOX_EXEC: launchers of local, pipe, spawn)
 *has the first part only: no_new_privs, Landlock and seccomp pass through exec, and a
 * command may call sendmail, whose setgid postdrop must work as under Postfix. */
#include "config.h"
#include "sandbox_internal.h"
#include "log.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MDWE_SET        65 /* PR_SET_MDWE of Linux 6.3 */
#define MDWE_REFUSE     1
#define MDWE_NO_INHERIT 2 /* Linux 6.6 */

bool
sandbox_without(const char *wall)
{
#ifdef CAPTURED
	const char *without = getenv("POSTERN_WITHOUT");

	return without && strstr(without, wall);
#else
	(void)wall;
	return false;
#endif
}

/* ---- the walls that are one call each ---- */

static int
own_network(unsigned what, const struct conf *c)
{
	(void)c;
	/* A child of a parent that has been here cannot, and need not, do it again. */
	if (geteuid() != 0 || prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 1 ||
		what & (SANDBOX_INTERNET | SANDBOX_CONNECT_LOCAL | SANDBOX_EXEC))
		return 0;
	return unshare(CLONE_NEWNET) == 0 || errno == EPERM || errno == EINVAL ? 0 : -1;
}

static int
bounding_set(unsigned what, const struct conf *c)
{
	(void)c;
	return geteuid() == 0 ? capabilities_bound(what) : 0;
}

static int
capability_sets(unsigned what, const struct conf *c)
{
	(void)c;
	return capabilities_limit(what);
}

static int
not_dumpable(unsigned what, const struct conf *c)
{
	(void)what, (void)c;
#ifdef SANITIZED
	return 0; /* the leak check reads its own /proc files */
#else
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static int
no_new_privileges(unsigned what, const struct conf *c)
{
	(void)c;
	return what & SANDBOX_EXEC ? 0 : prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int
no_new_code(unsigned what, const struct conf *c)
{
	unsigned long how = MDWE_REFUSE | (what & SANDBOX_EXEC ? MDWE_NO_INHERIT : 0);

	(void)c;
	if (what & SANDBOX_PCRE) /* the JIT fails under it */
		return 0;
	/* In a child its parent's setting stands, and may not be narrowed again (EPERM).
	 */
	if (prctl(MDWE_SET, how, 0, 0, 0) == 0 || errno == EPERM)
		return 0;
	if (what & SANDBOX_EXEC)
		return 0; /* before 6.6 it would reach the commands */
	errno = ENOSYS;
	return -1;
}

static int
files(unsigned what, const struct conf *c)
{
	return what & SANDBOX_EXEC ? 0 : landlock_enter(what, c);
}

static int
system_calls(unsigned what, const struct conf *c)
{
	(void)c;
	return what & SANDBOX_EXEC ? 0 : seccomp_enter(what);
}

struct wall {
	const char *name;
	int (*build)(unsigned what, const struct conf *c);
	bool newer; /* not in every kernel that we run on */
};
static const struct wall as_root[] = {
	{ "network namespace", own_network, true },
	{ "capability bounding set", bounding_set, false },
};
static const struct wall as_user[] = {
	{ "capabilities", capability_sets, false },
	{ "dumpable", not_dumpable, false },
	{ "no_new_privs", no_new_privileges, false },
	{ "memory-deny-write-execute", no_new_code, true },
	{ "landlock", files, true },
	{ "seccomp", system_calls, false },
};

static int
build(const struct wall *wall, size_t n, unsigned what, const struct conf *c,
	struct why *why)
{
	bool required = str_case_is(c->p.sandbox, "require");

	for (; n > 0; wall++, n--) {
		if (sandbox_without(wall->name) || wall->build(what, c) == 0)
			continue;
		if (wall->newer && !required && (errno == ENOSYS || errno == EOPNOTSUPP))
			continue;
		why_errno(why, "4.3.0", wall->name);
		return -1;
	}
	return 0;
}

static int
set_groups(unsigned what, uid_t uid, gid_t gid)
{
	const struct passwd *who = what & SANDBOX_GROUPS ? getpwuid(uid) : NULL;

	return who ? initgroups(who->pw_name, gid) : setgroups(1, &gid);
}

static int
switch_user(unsigned what, uid_t uid, gid_t gid, struct why *why)
{
	if (uid == 0 || geteuid() != 0)
		return 0;
	if (set_groups(what, uid, gid) == 0 && setresgid(gid, gid, gid) == 0 &&
		setresuid(uid, uid, uid) == 0)
		return 0;
	why_errno(why, "4.3.0", "switching the user");
	return -1;
}

int
sandbox_enter(const char *program, unsigned what, uid_t uid, gid_t gid,
	const struct conf *c, struct why *why)
{
	bool jailed = !str_case_is(c->p.sandbox, "no");

	(void)program;
	if (jailed && build(as_root, COUNT(as_root), what, c, why) < 0)
		return -1;
	if (switch_user(what, uid, gid, why) < 0)
		return -1;
	return jailed ? build(as_user, COUNT(as_user), what, c, why) : 0;
}
