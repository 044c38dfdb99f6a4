/* options.c -- "flags=Rq user=vmail:mail argv=/usr/bin/program -f ${sender}" (pipe(8)).
 */
#include "pipe.h"
#include "log.h"
#include "service.h"
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static void
read_flags(struct str flags, struct pipe_options *o)
{
	struct {
		char letter;
		bool *flag;
	} known[] = {
		{ 'B', &o->blank_line },
		{ 'D', &o->delivered_to },
		{ 'F', &o->from_line },
		{ 'O', &o->original_to },
		{ 'R', &o->return_path },
		{ 'X', &o->final },
		{ 'h', &o->fold_domain },
		{ 'q', &o->quote },
		{ 'u', &o->fold_user },
		{ '.', &o->quote_dot },
		{ '>', &o->quote_from },
	};

	for (size_t i = 0; i < flags.len; i++) {
		size_t k = 0;

		while (k < COUNT(known) && known[k].letter != flags.data[i])
			k++;
		if (k == COUNT(known))
			log_fatal("unknown flag: %c in flags=" STR_FMT, flags.data[i],
				STR_ARG(flags));
		*known[k].flag = true;
	}
}

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
check_rights(const struct pipe_options *o, const struct conf *c)
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
read_user(struct str value, struct pipe_options *o)
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

/* \n and its like, and octal numbers. */
static struct str
unescape(struct str text, struct arena *a)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	char *out = arena_alloc(a, text.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *known;
		unsigned octal = 0;
		int digits = 0;

		if (text.data[i] != '\\' || i + 1 == text.len) {
			out[n++] = text.data[i];
			continue;
		}
		i++;
		for (; digits < 3 && i < text.len && text.data[i] >= '0' &&
			text.data[i] <= '7';
			digits++)
			octal = octal * 8 + (unsigned)(text.data[i++] - '0');
		known = strchr(letters, text.data[i]);
		if (digits > 0) {
			out[n++] = (char)octal;
			i--;
		} else {
			out[n++] = known ? values[known - letters] : text.data[i];
		}
	}
	return str_of(out, n);
}

static void
read_attribute(struct str name, struct str value, struct arena *a, struct pipe_options *o)
{
	uint64_t size;

	if (str_is(name, "flags"))
		read_flags(value, o);
	else if (str_is(name, "user"))
		read_user(value, o);
	else if (str_is(name, "directory"))
		o->directory = value;
	else if (str_is(name, "chroot"))
		o->chroot = arena_cstr(a, value);
	else if (str_is(name, "eol"))
		o->eol = unescape(value, a);
	else if (str_is(name, "null_sender"))
		o->null_sender = value;
	else if (str_is(name, "size") && str_to_u64(value, &size) == 0)
		o->size = size;
	else
		log_fatal("unknown attribute name, or bad value: " STR_FMT "=" STR_FMT,
			STR_ARG(name), STR_ARG(value));
}

/* The command begins in the word argv= and is the rest of the line. */
static void
read_argv(struct strs args, size_t at, struct str first, struct pipe_options *o)
{
	size_t skip = first.len == 0;

	o->argv = (struct strs){ &args.items[at + skip], args.n - at - skip };
	if (!skip)
		o->argv.items[0] = first;
}

static void
check_limits(const struct pipe_options *o, const struct conf *c)
{
	struct str name = str_c(service_name());

	if ((o->delivered_to || o->original_to) &&
		conf_transport_int(c, name, "destination_recipient_limit") != 1)
		log_fatal("pipe flag `%c' requires %s_destination_recipient_limit = 1",
			o->delivered_to ? 'D' : 'O', service_name());
}

void
pipe_options_read(struct strs args, const struct conf *c, struct pipe_options *o)
{
	bool has_user = false;

	*o = (struct pipe_options){ .eol = STR("\n"),
		.null_sender = STR("MAILER-DAEMON") };
	for (size_t i = 0; i < args.n && o->argv.n == 0; i++) {
		struct str value = args.items[i], name;

		if (!str_split(&value, '=', &name) || name.len == args.items[i].len)
			log_fatal("not name=value: " STR_FMT, STR_ARG(args.items[i]));
		has_user |= str_is(name, "user");
		if (str_is(name, "argv")) {
			read_argv(args, i, value, o);
			break;
		}
		read_attribute(name, value, c->arena, o);
	}
	if (!has_user)
		log_fatal("missing user= command-line attribute");
	if (o->argv.n == 0)
		log_fatal("missing argv= command-line attribute");
	check_rights(o, c);
	check_limits(o, c);
}
