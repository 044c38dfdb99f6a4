/* command_line.c -- see command_line.h. */
#include "command_line.h"
#include "log.h"
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static gid_t
group_of(struct str name)
{
	const struct group *group;
	struct buf z CLEANUP(buf_free) = BUF_INIT;
	long number;

	buf_add(&z, name);
	group = getgrnam(buf_cstr(&z));
	if (group)
		return group->gr_gid;
	if (str_to_long(name, &number) < 0 || number < 0 || number > INT32_MAX)
		log_fatal("user=: unknown group: " STR_FMT, STR_ARG(name));
	return (gid_t)number;
}

static const struct passwd *
user_of(struct str name)
{
	struct buf z CLEANUP(buf_free) = BUF_INIT;
	const struct passwd *who;
	long number;

	buf_add(&z, name);
	who = getpwnam(buf_cstr(&z));
	if (!who && str_to_long(name, &number) == 0 && number >= 0 && number <= INT32_MAX)
		who = getpwuid((uid_t)number);
	if (!who)
		log_fatal("user=: unknown username: " STR_FMT, STR_ARG(name));
	return who;
}

/* Nobody whose rights reach into the mail system itself. An instance of an ordinary user
 * has but one user, and gives no rights away. */
static void
check_rights(const struct command_line *o, const struct conf *c)
{
	const struct passwd *owner;

	if (geteuid() != 0)
		return;
	if (o->uid == 0)
		log_fatal("user= command-line attribute specifies root privileges");
	if (o->gid == 0)
		log_fatal("user= command-line attribute specifies privileged group id 0");
	owner = user_of(c->p.mail_owner);
	if (o->uid == owner->pw_uid)
		log_fatal("user= command-line attribute specifies mail system owner %s",
			owner->pw_name);
	if (o->gid == owner->pw_gid)
		log_fatal("user= command-line attribute specifies mail system owner %s "
			  "group id %u",
			owner->pw_name, (unsigned)o->gid);
	if (o->gid == group_of(c->p.setgid_group))
		log_fatal("user= command-line attribute specifies mail system " STR_FMT
			  " group id %u",
			STR_ARG(c->p.setgid_group), (unsigned)o->gid);
}

static void
read_user(struct str value, struct command_line *o)
{
	struct str group = value, name;
	bool has_group = str_chr(value, ':') >= 0;
	const struct passwd *who;

	if (!str_split(&group, ':', &name))
		log_fatal("user= names nobody");
	who = user_of(name);
	o->uid = who->pw_uid;
	o->gid = has_group ? group_of(group) : who->pw_gid;
}

/* The command begins in the word argv= and is the rest of the line. */
static void
read_argv(struct strs args, size_t at, struct str first, struct command_line *o)
{
	size_t skip = first.len == 0;

	o->argv = (struct strs){ &args.items[at + skip], args.n - at - skip };
	if (!skip)
		o->argv.items[0] = first;
}

void
command_line_read(struct strs args, const struct conf *c,
	bool (*attribute)(struct str name, struct str value, void *arg), void *arg,
	struct command_line *out)
{
	bool has_user = false;

	*out = (struct command_line){ 0 };
	for (size_t i = 0; i < args.n; i++) {
		struct str value = args.items[i], name;

		if (!str_split(&value, '=', &name) || name.len == args.items[i].len)
			log_fatal("not name=value: " STR_FMT, STR_ARG(args.items[i]));
		if (str_is(name, "argv")) {
			read_argv(args, i, value, out);
			break;
		}
		if (str_is(name, "user")) {
			read_user(value, out);
			has_user = true;
		} else if (!attribute || !attribute(name, value, arg))
			log_fatal("unknown attribute name, or bad value: " STR_FMT
				  "=" STR_FMT,
				STR_ARG(name), STR_ARG(value));
	}
	if (!has_user)
		log_fatal("missing user= command-line attribute");
	if (out->argv.n == 0)
		log_fatal("missing argv= command-line attribute");
	check_rights(out, c);
}
