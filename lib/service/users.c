/* users.c -- the user of each program (design section 3), and who stands in for one that
 * does not exist: a configuration copied from Postfix must boot. */
#include "service_impl.h"
#include <pwd.h>
#include <unistd.h>

static struct str
user_name(enum service_user user, const struct conf *c)
{
	switch (user) {
	case USER_NET:
		return c->p.net_owner;
	case USER_CLEANUP:
		return c->p.cleanup_owner;
	case USER_AUTH:
		return c->p.auth_owner;
	case USER_DNS:
		return c->p.dns_owner;
	case USER_SIGN:
		return c->p.sign_owner;
	case USER_KEY:
		return c->p.key_owner;
	case USER_MAIL_OWNER:
	case USER_ROOT:
		break;
	}
	return c->p.mail_owner;
}

static const struct passwd *
look_up(struct str name)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;

	buf_add(&z, name);
	return getpwnam(buf_cstr(&z));
}

int
users_find(const struct service *s, const struct conf *c, uid_t *uid, gid_t *gid,
	struct why *why)
{
	const struct passwd *who;

	*uid = *gid = 0;
	if (geteuid() != 0 || (s->user == USER_ROOT && !worker.options.unprivileged))
		return 0;
	who = look_up(user_name(s->user, c));
	if (!who)
		who = look_up(c->p.mail_owner);
	if (!who || who->pw_uid == 0) {
		why_set(why, "4.3.5",
			"parameter mail_owner: no such user, or root: " STR_FMT
			"; create it (make install-users) or name another",
			STR_ARG(c->p.mail_owner));
		return -1;
	}
	*uid = who->pw_uid;
	*gid = who->pw_gid;
	return 0;
}

uid_t
users_mail_owner(const struct conf *c)
{
	const struct passwd *who = look_up(c->p.mail_owner);

	return who ? who->pw_uid : getuid();
}
