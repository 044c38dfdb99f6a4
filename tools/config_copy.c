/* config_copy.c -- see config_copy.h. */
#include "config_copy.h"
#include "conf.h"
#include "lines.h"
#include "log.h"
#include "places.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 64 << 20, DEPTH_MOST = 8 };

/* What Postfix's packages keep in its directory for themselves. */
static const char *const foreign[] = { "dynamicmaps.cf", "dynamicmaps.cf.d",
	"main.cf.proto", "makedefs.out", "master.cf.proto", "post-install",
	"postfix-files", "postfix-files.d", "postfix-script" };

static bool
is_among(struct str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

/* ---- paths in text ---- */
static bool
is_path_end(struct str rest)
{
	return rest.len == 0 || rest.data[0] == '/' ||
	       (!ascii_is_alnum(rest.data[0]) && !strchr("-_.+~", rest.data[0]));
}

/* The text with one directory for another, where it stands as a whole. True: it did. */
static bool
replace_path(struct str in, struct str from, struct str to, struct buf *out)
{
	bool found = false;
	ssize_t at;

	while (in.data && from.len && (at = str_find(in, from)) >= 0) {
		struct str rest = str_from(in, (size_t)at + from.len);
		bool whole = is_path_end(rest) &&
			     (at == 0 || (!ascii_is_alnum(in.data[at - 1]) &&
						 in.data[at - 1] != '/'));

		buf_add(out, str_sub(in, 0, (size_t)at));
		buf_add(out, whole ? to : from);
		found |= whole;
		in = rest;
	}
	buf_add(out, in);
	return found;
}

static bool
replace_paths(const struct config_copy *c, struct str in, struct buf *out)
{
	struct buf one CLEANUP(buf_free) = BUF_INIT, two CLEANUP(buf_free) = BUF_INIT;
	bool found = replace_path(in, str_c(c->from), str_c(c->to), &one);

	found |= replace_path(buf_str(&one), c->old_queue, c->new_queue, &two);
	found |= replace_path(buf_str(&two), c->old_data, c->new_data, out);
	return found;
}

/* ---- files ---- */

/* "one" "between" "two", in b. */
static const char *
joined(struct buf *b, const char *one, const char *between, const char *two)
{
	buf_clear(b);
	buf_printf(b, "%s%s%s", one, between, two);
	return buf_cstr(b);
}

static int
open_new(const char *path, const struct stat *st)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && ((fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EPERM) ||
			       fchmod(fd, st->st_mode & 07777) < 0))
		fd_close(&fd);
	return fd;
}

static bool
is_same(const char *path, struct str bytes)
{
	struct buf old CLEANUP(buf_free) = BUF_INIT;

	return read_file(path, FILE_MOST, &old) == 0 && str_eq(buf_str(&old), bytes);
}

/* Another file in the way is kept under a second name; the first one that was. */
static void
keep_old(const char *path)
{
	struct buf room CLEANUP(buf_free) = BUF_INIT;
	const char *kept = joined(&room, path, ".before", "");

	if (access(path, F_OK) < 0 || access(kept, F_OK) == 0)
		return;
	if (link(path, kept) < 0)
		log_fatal("link %s to %s: %s", path, kept, strerror(errno));
	printf("%s: kept as %s\n", path, kept);
}

static void
put_file(struct config_copy *c, const char *name, struct str bytes, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	struct buf room CLEANUP(buf_free) = BUF_INIT, more CLEANUP(buf_free) = BUF_INIT;
	const char *path = joined(&room, c->to, "/", name);
	const char *new = joined(&more, path, ".new", "");
	int fd CLEANUP(fd_close) = -1;

	if (is_same(path, bytes))
		return;
	keep_old(path);
	fd = open_new(new, st);
	if (fd < 0 || write_all(fd, bytes) < 0 || futimens(fd, times) < 0 ||
		fsync(fd) < 0 || rename(new, path) < 0)
		log_fatal("write %s: %s", path, strerror(errno));
	c->files++;
}

static void
read_whole(
	const struct config_copy *c, const char *name, struct buf *out, struct stat *st)
{
	struct buf room CLEANUP(buf_free) = BUF_INIT;
	const char *path = joined(&room, c->from, "/", name);

	if (stat(path, st) < 0 || read_file(path, FILE_MOST, out) < 0)
		log_fatal("read %s: %s", path, strerror(errno));
}

static void copy_folder(struct config_copy *c, const char *name, int depth);

/* A table of another mail system's directory may name files there, too. */
static void
copy_file(struct config_copy *c, const char *name)
{
	struct buf bytes CLEANUP(buf_free) = BUF_INIT, other CLEANUP(buf_free) = BUF_INIT;
	struct stat st;

	read_whole(c, name, &bytes, &st);
	if (!memchr(bytes.data ? bytes.data : "", 0, bytes.len) &&
		replace_path(buf_str(&bytes), str_c(c->from), STR(""), &other)) {
		printf("%s/%s: names %s: look at it\n", c->to, name, c->from);
		c->trouble++;
	}
	put_file(c, name, buf_str(&bytes), &st);
}

static void
copy_entry(struct config_copy *c, const char *name, int depth)
{
	struct buf room CLEANUP(buf_free) = BUF_INIT;
	const char *path = joined(&room, c->from, "/", name);
	struct stat st;

	if (stat(path, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
		printf("%s: not copied: %s\n", path,
			errno == ENOENT ? "it leads nowhere" : "not a file");
		c->trouble++;
	} else if (S_ISREG(st.st_mode)) {
		copy_file(c, name);
	} else if (depth < DEPTH_MOST) {
		path = joined(&room, c->to, "/", name);
		if (mkdir(path, st.st_mode & 0777) < 0 && errno != EEXIST)
			log_fatal("mkdir %s: %s", path, strerror(errno));
		copy_folder(c, name, depth + 1);
	}
}

static void
copy_folder(struct config_copy *c, const char *name, int depth)
{
	struct buf room CLEANUP(buf_free) = BUF_INIT, more CLEANUP(buf_free) = BUF_INIT;
	const char *path = joined(&room, c->from, "/", name), *below;
	struct dirent *e;
	DIR *d = opendir(path);

	if (!d)
		log_fatal("open %s: %s", path, strerror(errno));
	while ((e = readdir(d))) {
		struct str file = str_c(e->d_name);

		below = joined(&more, name, *name ? "/" : "", e->d_name);
		if (file.data[0] == '.' || str_ends(file, STR(".before")) ||
			(!*name &&
				(str_is(file, "main.cf") || str_is(file, "master.cf") ||
					is_among(file, foreign, COUNT(foreign)))))
			continue;
		copy_entry(c, below, depth);
	}
	closedir(d);
}

/* ---- main.cf ---- */
static bool
is_ours(struct str name)
{
	const struct param_info *p = conf_param(name);

	return p && p->ours;
}

/* Restrictions that Postfix does not know, for which it would answer 451 to all mail.
 * What does nothing takes their place, so that a warn_if_reject in front of one does not
 * come to mean what follows. */
static void
drop_our_restrictions(
	const struct config_copy *c, struct str where, struct str in, struct buf *out)
{
	static const char *const ours[] = { "reject_spf_fail", "reject_spf_permerror",
		"reject_dmarc_fail", "check_greylist" };
	struct buf rest CLEANUP(buf_free) = BUF_INIT;

	buf_add(out, in);
	for (size_t i = 0; c->to_postfix && i < COUNT(ours); i++) {
		buf_clear(&rest);
		buf_add(&rest, buf_str(out));
		buf_clear(out);
		if (replace_path(buf_str(&rest), str_c(ours[i]), STR("sleep,0"), out))
			printf(STR_FMT ": %s: left out: it is not one of Postfix's\n",
				STR_ARG(where), ours[i]);
	}
}

/* Why a setting stays behind, or NULL. */
static const char *
left_out(const struct config_copy *c, struct str name, struct str value)
{
	const struct param_info *p = conf_param(name);

	if (c->to_postfix && is_ours(name))
		return "is not one of Postfix's";
	if (!place_find(name) ||
		(!c->to_postfix && p && p->preset && str_is(value, p->preset)))
		return NULL;
	return "is a matter of the installation";
}

static void
put_main_line(struct config_copy *c, struct str name, struct str value, struct buf *out)
{
	const char *reason = left_out(c, name, value);
	struct buf converted CLEANUP(buf_free) = BUF_INIT;
	struct buf known CLEANUP(buf_free) = BUF_INIT;

	if (reason) {
		printf("main.cf: " STR_FMT " = " STR_FMT ": left out: it %s\n",
			STR_ARG(name), STR_ARG(value), reason);
		buf_printf(out, "# " STR_FMT " = ", STR_ARG(name));
		for (size_t i = 0; i < value.len; i++)
			buf_addc(out, value.data[i] == '\n' ? ' ' : value.data[i]);
		buf_addc(out, '\n');
		return;
	}
	drop_our_restrictions(c, name, value, &known);
	if (replace_paths(c, buf_str(&known), &converted))
		printf("main.cf: " STR_FMT " = " STR_FMT "\n", STR_ARG(name),
			STR_ARG(buf_str(&converted)));
	buf_printf(out, STR_FMT " = ", STR_ARG(name));
	buf_add(out, buf_str(&converted));
	buf_addc(out, '\n');
	c->settings++;
}

/* The other side's own places stay as they are in the file that is replaced. */
static void
keep_places(const struct config_copy *c, struct buf *out)
{
	struct conf_issues issues;
	struct conf *old;

	conf_issues_init(&issues);
	old = conf_open(c->to, STR_NONE, NULL, &issues);
	for (size_t i = 0; old && i < places_count; i++) {
		const struct conf_setting *s = conf_setting(old, str_c(places[i].name));

		if (s && s->file.len > 0)
			buf_printf(out, "%s = " STR_FMT "\n", places[i].name,
				STR_ARG(s->text));
	}
	conf_free(old);
	conf_issues_free(&issues);
}

static void
convert_main(struct config_copy *c)
{
	struct buf old CLEANUP(buf_free) = BUF_INIT, new CLEANUP(buf_free) = BUF_INIT;
	struct conf_issues issues;
	const struct conf_setting *s;
	struct conf *conf;
	struct stat st;
	size_t at = 0;

	read_whole(c, "main.cf", &old, &st);
	conf_issues_init(&issues);
	conf = conf_open(c->from, STR_NONE, NULL, &issues);
	if (!conf)
		conf_issues_die(&issues);
	buf_printf(&new, "# From %s/main.cf.\n", c->from);
	keep_places(c, &new);
	while ((s = conf_next_setting(conf, &at)))
		if (s->file.len > 0)
			put_main_line(c, s->name, s->text, &new);
	put_file(c, "main.cf", buf_str(&new), &st);
	conf_free(conf);
	conf_issues_free(&issues);
}

/* ---- master.cf ---- */

/* Without -o settings of names that only we know: "-o name=value". A line that has none
 * stays as it is written. */
static void
drop_our_options(struct str line, struct buf *out)
{
	struct str rest = line, word, before = STR_NONE;
	bool dropped = false;

	while (str_token(&rest, " \t\r\n", &word)) {
		struct str value = word, name;

		if (str_is(before, "-o") && str_split(&value, '=', &name) &&
			is_ours(name)) {
			printf("master.cf: -o " STR_FMT ": left out: it is not one of "
			       "Postfix's\n",
				STR_ARG(word));
			before = STR_NONE;
			dropped = true;
			continue;
		}
		if (before.data)
			buf_printf(out, STR_FMT " ", STR_ARG(before));
		before = word;
	}
	buf_add(out, before);
	if (!dropped) {
		buf_clear(out);
		buf_add(out, line);
	}
}

static void
put_service(struct config_copy *c, struct str text, struct buf *out)
{
	static const char *const only_ours[] = { "broker", "dns", "dkimsign", "greylistd",
		"mailauth", "spool", "stsd" };
	struct buf line CLEANUP(buf_free) = BUF_INIT, known CLEANUP(buf_free) = BUF_INIT;
	struct str rest = text, word = STR_NONE;

	for (int i = 0; i < 8; i++)
		if (!str_token(&rest, " \t", &word))
			word = STR_NONE;
	if (c->to_postfix && is_among(word, only_ours, COUNT(only_ours))) {
		printf("master.cf: " STR_FMT ": left out: Postfix has no such program\n",
			STR_ARG(word));
		return;
	}
	if (c->to_postfix)
		drop_our_options(text, &line);
	else
		buf_add(&line, text);
	drop_our_restrictions(c, word, buf_str(&line), &known);
	if (replace_paths(c, buf_str(&known), out))
		printf("master.cf: paths of " STR_FMT " converted\n", STR_ARG(word));
	buf_addc(out, '\n');
}

static void
convert_master(struct config_copy *c)
{
	struct buf old CLEANUP(buf_free) = BUF_INIT, new CLEANUP(buf_free) = BUF_INIT;
	struct conf_lines l CLEANUP(conf_lines_close);
	struct stat st;

	conf_lines_open(&l, STR_NONE);
	read_whole(c, "master.cf", &old, &st);
	buf_printf(&new, "# From %s/master.cf.\n", c->from);
	conf_lines_open(&l, buf_str(&old));
	while (conf_lines_next(&l))
		if (!l.stray)
			put_service(c, l.text, &new);
	put_file(c, "master.cf", buf_str(&new), &st);
}

void
config_copy(struct config_copy *c)
{
	copy_folder(c, "", 0);
	convert_main(c);
	convert_master(c);
	printf("%s: %lu settings, %lu files written, %lu to be looked at\n", c->to,
		c->settings, c->files, c->trouble);
}
