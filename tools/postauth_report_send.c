/* postauth_report_send.c -- postauth reports --send: to each domain what came in its name
 * (RFC 9990), by sendmail, so that it is signed like other mail. What cannot be sent now
 * goes back to the store for the next time. */
#include "command.h"
#include "dmarc_destinations.h"
#include "dmarc_report.h"
#include "dmarc_store.h"
#include "log.h"
#include "postauth.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE = 60000,     /* msec: the look-ups for one domain */
	KEPT = 3 * 24 * 3600, /* s: what is older is dropped rather than kept */
	BASE64_LINE = 57,     /* octets in a line of 76 */
};

struct sending {
	const struct conf *conf;
	const char *directory;
	struct arena *arena;
	struct str submitter; /* the domain of dmarc_report_email */
	int store;
	struct dmarc_collection collection;
	bool failed;
};

/* ---- the mail (section 3.1) ---- */

static void
put_base64(struct buf *out, struct str bytes)
{
	while (bytes.len > 0) {
		base64_encode(str_sub(bytes, 0, BASE64_LINE), out);
		buf_addc(out, '\n');
		bytes = str_from(bytes, MIN(bytes.len, (size_t)BASE64_LINE));
	}
}

static void
put_mail(const struct sending *s, const struct dmarc_report *r, struct str to,
	struct str packed, struct buf *out)
{
	buf_printf(out,
		"From: <" STR_FMT ">\nTo: <" STR_FMT ">\n"
		"Subject: Report Domain: " STR_FMT "\n Submitter: " STR_FMT
		"\n Report-ID: <" STR_FMT ">\n"
		"Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
		"Content-Type: multipart/mixed; boundary=\"=_report\"\n\n",
		STR_ARG(r->email), STR_ARG(to), STR_ARG(r->domain), STR_ARG(s->submitter),
		STR_ARG(r->id));
	buf_printf(out,
		"--=_report\nContent-Type: text/plain; charset=us-ascii\n\n"
		"This is an aggregate report of DMARC about mail in the name of\n" STR_FMT
		", from " STR_FMT ".\n\n",
		STR_ARG(r->domain), STR_ARG(s->submitter));
	buf_printf(out,
		"--=_report\nContent-Type: application/gzip\n"
		"Content-Transfer-Encoding: base64\nContent-Disposition: attachment;\n"
		" filename=\"" STR_FMT "!" STR_FMT "!%llu!%llu.xml.gz\"\n\n",
		STR_ARG(s->submitter), STR_ARG(r->domain), (unsigned long long)r->begin,
		(unsigned long long)r->end);
	put_base64(out, packed);
	buf_addz(out, "\n--=_report--\n");
}

/* ---- sendmail ---- */

NORETURN static void
exec_sendmail(const struct sending *s, struct str to, int mail)
{
	char *path = arena_cstr(s->arena, s->conf->p.sendmail_path);
	char *from = arena_cstr(s->arena, s->conf->p.dmarc_report_email);

	if (s->directory)
		setenv("MAIL_CONFIG", s->directory, 1);
	if (lseek(mail, 0, SEEK_SET) == 0 && dup2(mail, STDIN_FILENO) == STDIN_FILENO)
		execl(path, "sendmail", "-i", "-f", from, "-N", "never",
			arena_cstr(s->arena, to), (char *)NULL);
	log_fatal("execute %s: %m", path);
}

static bool
send_mail(const struct sending *s, struct str to, struct str mail)
{
	int fd CLEANUP(fd_close) = memfd_sealed("report", mail), status = 0;
	pid_t pid = fd < 0 ? -1 : command_fork(s->conf);

	if (pid == 0)
		exec_sendmail(s, to, fd);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0)
		return true;
	log_warn("report to " STR_FMT ": sendmail failed", STR_ARG(to));
	return false;
}

/* ---- a domain ---- */

static struct str
letter(bool strict)
{
	return strict ? STR("s") : STR("r");
}

static void
complete(const struct sending *s, struct dmarc_report *r, struct str published)
{
	struct dmarc_record record;

	r->organization = s->conf->p.dmarc_report_org_name;
	r->email = s->conf->p.dmarc_report_email;
	r->id = arena_printf(s->arena, "%llu.%llu." STR_FMT "@" STR_FMT,
		(unsigned long long)r->begin, (unsigned long long)r->end,
		STR_ARG(r->domain), STR_ARG(s->submitter));
	r->generator = STR("Postern");
	if (dmarc_record_get(published, &record) < 0)
		return;
	r->p = str_c(dmarc_policy_name(record.p));
	r->sp = str_c(dmarc_policy_name(record.sp));
	r->np = str_c(dmarc_policy_name(record.np));
	r->adkim = letter(record.strict_dkim);
	r->aspf = letter(record.strict_spf);
	r->testing = record.is_test ? STR("y") : STR("n");
}

/* False: not even one got it, and it is worth another try. */
static bool
report_to(const struct sending *s, const struct dmarc_report *r,
	const struct dmarc_destinations *d)
{
	struct buf xml CLEANUP(buf_free) = BUF_INIT, packed CLEANUP(buf_free) = BUF_INIT;
	bool sent = false, failed = d->in_doubt;

	if (d->n > 0) {
		dmarc_report_write(r, &xml);
		report_pack(buf_str(&xml), &packed);
	}
	for (size_t i = 0; i < d->n; i++) {
		const struct dmarc_destination *to = &d->items[i];
		struct buf mail CLEANUP(buf_free) = BUF_INIT;

		put_mail(s, r, to->address, buf_str(&packed), &mail);
		if (to->most > 0 && mail.len > to->most)
			log_warn("report about " STR_FMT " to " STR_FMT
				 ": larger than they want",
				STR_ARG(r->domain), STR_ARG(to->address));
		else if (send_mail(s, to->address, buf_str(&mail)))
			sent = true;
		else
			failed = true;
	}
	return sent || !failed;
}

static void
keep(struct sending *s, const struct dmarc_collected *one)
{
	if (one->report.begin + KEPT < (uint64_t)time_wall_us() / 1000000)
		log_warn("report about " STR_FMT ": given up",
			STR_ARG(one->report.domain));
	else if (dmarc_store_add(s->store, buf_str(&one->seen)) < 0)
		log_warn("report about " STR_FMT ": cannot be kept: %m",
			STR_ARG(one->report.domain));
	else
		log_warn("report about " STR_FMT ": kept for the next time",
			STR_ARG(one->report.domain));
	s->failed = true;
}

static void
send_all(void *arg)
{
	static const struct auth_dns dns = { .ask = postauth_ask };
	struct sending *s = arg;

	for (size_t i = 0; i < s->collection.domains.n; i++) {
		struct dmarc_collected *one = &s->collection.domains.items[i];
		struct dmarc_destinations d;

		dmarc_destinations(
			&dns, one->report.domain, s->arena, deadline_in(PATIENCE), &d);
		complete(s, &one->report, d.record);
		if (!report_to(s, &one->report, &d))
			keep(s, one);
	}
}

/* ---- all of them ---- */

static struct str
submitter_of(const struct conf *c)
{
	struct str email = c->p.dmarc_report_email;
	ssize_t at = str_rchr(email, '@');

	if (at <= 0 || !dkim_name_is_domain(str_from(email, (size_t)at + 1)))
		log_fatal("bad parameter value: dmarc_report_email = " STR_FMT
			  ": specify an address with a domain",
			STR_ARG(email));
	return str_from(email, (size_t)at + 1);
}

/* The descriptor of the file aside, to be emptied in the end. */
static int
take_store(struct sending *s)
{
	struct str path = s->conf->p.dmarc_report_store;
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;
	char *store = arena_cstr(s->arena, path);
	char *aside = arena_cstr(
		s->arena, arena_printf(s->arena, STR_FMT ".sending", STR_ARG(path)));
	int fd;

	s->store = store ? dmarc_store_open(store) : -1;
	if (s->store < 0)
		log_fatal("dmarc_report_store: " STR_FMT ": %m", STR_ARG(path));
	if (dmarc_store_take(s->store, aside, &fd, &bytes) < 0)
		log_fatal("%s: %s", aside,
			errno == EWOULDBLOCK ? "reports are being sent already"
					     : strerror(errno));
	dmarc_collect(arena_str(s->arena, buf_str(&bytes)), s->arena, &s->collection);
	if (s->collection.damaged > 0)
		log_warn("%s: %zu octets at its end are damaged", aside,
			s->collection.damaged);
	return fd;
}

int
postauth_send_reports(const char *directory, const char *server)
{
	struct sending s = { .directory = directory };
	int aside CLEANUP(fd_close) = -1;

	s.conf = command_conf(directory);
	command_open_log(s.conf, "postauth");
	s.arena = arena_new();
	s.submitter = submitter_of(s.conf);
	if (!s.conf->p.dmarc_report_store.len)
		log_fatal("dmarc_report_store is empty: nothing is counted");
	aside = take_store(&s);
	postauth_dns_open(server, directory);
	postauth_run(send_all, &s);
	if (ftruncate(aside, 0) < 0)
		log_fatal("dmarc_report_store: %m");
	dmarc_collection_free(&s.collection);
	arena_free(s.arena);
	return s.failed ? 1 : 0;
}
