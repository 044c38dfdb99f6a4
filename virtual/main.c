/* virtual -- delivers to the mailboxes of virtual_mailbox_maps (virtual(8)). */
#include "agent.h"
#include "dict.h"
#include "explain.h"
#include "launcher.h"
#include "log.h"
#include "writer.h"
#include <stdio.h>

#define SLOTS 256

static struct {
	struct maps *mailbox, *uid, *gid, *quota;
} tables;

/* Where and as whom one recipient's mail goes. */
struct place {
	struct str path;
	uid_t uid;
	gid_t gid;
};

static enum dict_result
find(struct delivery *d, struct maps *maps, struct str address, struct str *value,
	struct why *why)
{
	struct str extension;
	enum dict_result got =
		maps_find_address(maps, address, d->conf->p.recipient_delimiter,
			FIND_FULL | FIND_DOMAIN, false, d->arena, value, &extension, why);

	if (got == DICT_ERROR)
		log_warn(
			"table lookup problem for %.*s: %s", STR_ARG(address), why->text);
	return got;
}

/* A numeric owner of at least virtual_minimum_uid. */
static enum verdict
find_owner(struct delivery *d, struct maps *maps, const char *what, struct str address,
	long least, long *out, struct why *why)
{
	struct str value;

	switch (find(d, maps, address, &value, why)) {
	case DICT_ERROR:
		return why_set(why, "4.3.5", "mail system configuration error");
	case DICT_NOTFOUND:
		log_warn("recipient %.*s: not found in %s", STR_ARG(address), what);
		return why_set(why, "4.3.5", "mail system configuration error");
	case DICT_FOUND:
		break;
	}
	if (str_to_long(value, out) < 0 || *out < least || *out > INT32_MAX) {
		log_warn("recipient %.*s: bad value \"%.*s\" in %s: a number of at least "
			 "%ld "
			 "is needed",
			STR_ARG(address), STR_ARG(value), what, least);
		return why_set(why, "4.3.5", "mail system configuration error");
	}
	return ACCEPT;
}

/* virtual_mailbox_base/result; nothing that climbs out of it. */
static enum verdict
find_path(struct delivery *d, struct str address, struct str *out, struct why *why)
{
	struct str base = d->conf->p.virtual_mailbox_base, value;

	switch (find(d, tables.mailbox, address, &value, why)) {
	case DICT_ERROR:
		return why_set(why, "4.3.0", "mail system configuration error");
	case DICT_NOTFOUND:
		return why_set(why, "5.1.1", "unknown user: \"%.*s\"", STR_ARG(address));
	case DICT_FOUND:
		break;
	}
	*out = base.len > 0 ? arena_printf(d->arena, "%.*s/%.*s", STR_ARG(base),
				      STR_ARG(value))
			    : value;
	if (!str_starts(*out, STR("/")) || str_find(*out, STR("/../")) >= 0 ||
		str_ends(*out, STR("/.."))) {
		log_warn("recipient %.*s: mailbox \"%.*s\" must be below "
			 "virtual_mailbox_base",
			STR_ARG(address), STR_ARG(*out));
		return why_set(why, "4.3.5", "mail system configuration error");
	}
	return ACCEPT;
}

static enum verdict
find_place(struct delivery *d, struct str address, struct place *out, struct why *why)
{
	long uid = 0, gid = 0;
	enum verdict v = find_path(d, address, &out->path, why);

	if (v == ACCEPT)
		v = find_owner(d, tables.uid, "virtual_uid_maps", address,
			d->conf->p.virtual_minimum_uid, &uid, why);
	if (v == ACCEPT)
		v = find_owner(d, tables.gid, "virtual_gid_maps", address, 1, &gid, why);
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return v;
}

static enum verdict
find_quota(struct delivery *d, struct str address, struct mailbox_request *ask,
	struct why *why)
{
	struct str value;

	switch (find(d, tables.quota, address, &value, why)) {
	case DICT_ERROR:
		return why_set(why, "4.3.0", "mail system configuration error");
	case DICT_NOTFOUND:
		return ACCEPT;
	case DICT_FOUND:
		break;
	}
	return writer_quota("virtual_maildir_quota_maps", value,
		d->conf->p.maildir_quota_bounce, ask, why);
}

static enum verdict
write_mailbox(struct delivery *d, const struct rcpt *r, struct str address,
	const struct place *p, struct why *why)
{
	struct buf headers CLEANUP(buf_free) = BUF_INIT;
	struct mailbox_request ask = {
		.path = p->path,
		.sender = d->envelope.sender,
		.content = d->ask.content,
		.rest = d->ask.rest,
		.limit = (uint64_t)d->conf->p.virtual_mailbox_limit,
		.locks = d->conf->p.virtual_mailbox_lock,
		.how = d->conf->p.strict_mailbox_ownership ? MAILBOX_STRICT : 0,
	};
	struct why bare;
	enum verdict v = ACCEPT;
	bool maildir = str_ends(p->path, STR("/"));

	if (maildir)
		v = find_quota(d, address, &ask, why);
	if (v != ACCEPT)
		return v;
	delivery_headers(d, r, d->envelope.sender,
		HEADER_RETURN_PATH | HEADER_ORIGINAL_TO | HEADER_DELIVERED_TO, &headers);
	ask.headers = buf_str(&headers);
	v = writer_deliver(p->uid, p->gid, &ask, d->rest_fd, d->arena, &bare);
	/* An mbox does not name itself, a Maildir does. */
	if (v == ACCEPT || maildir) {
		*why = bare;
		return v;
	}
	return why_set(why, bare.code, "delivery failed to mailbox " STR_FMT ": %s",
		STR_ARG(p->path), bare.text);
}

static struct str
delivered_to(const struct delivery *d, bool maildir)
{
	if (d->ask.probe)
		return maildir ? STR("delivers to maildir") : STR("delivers to mailbox");
	return maildir ? STR("delivered to maildir") : STR("delivered to mailbox");
}

static void
virtual_deliver(struct delivery *d)
{
	for (size_t i = 0; i < d->envelope.n_rcpts; i++) {
		const struct rcpt *r = &d->envelope.rcpts[i];
		struct str address = arena_lower(d->arena, r->address);
		struct place place = { .path = STR_NONE };
		struct why why;
		enum verdict v = find_place(d, address, &place, &why);

		if (v == ACCEPT)
			explain_step("mailbox", STR_NONE, address, "is", place.path);
		if (v == ACCEPT && !d->ask.probe)
			v = write_mailbox(d, r, address, &place, &why);
		if (v == ACCEPT)
			delivery_done(d, i, ACCEPT, "2.0.0", STR("virtual"),
				delivered_to(d, str_ends(place.path, STR("/"))));
		else
			delivery_done(d, i, v, why.code, STR("virtual"), str_c(why.text));
	}
}

static void
virtual_open_tables(void)
{
	const struct conf *c = service_conf();
	struct str base = c->p.virtual_mailbox_base;

	agent_filter(
		"virtual_delivery_status_filter", c->p.virtual_delivery_status_filter);
	tables.mailbox = maps_open(
		"virtual_mailbox_maps", c->p.virtual_mailbox_maps, DICT_FOLD, c);
	tables.uid = maps_open("virtual_uid_maps", c->p.virtual_uid_maps, DICT_FOLD, c);
	tables.gid = maps_open("virtual_gid_maps", c->p.virtual_gid_maps, DICT_FOLD, c);
	tables.quota = maps_open("virtual_maildir_quota_maps",
		c->p.virtual_maildir_quota_maps, DICT_FOLD, c);
	launcher_start(
		&(struct launcher_settings){
			.places = base.len > 0 ? arena_cstr(c->arena, base) : "/" },
		c);
}

static void
virtual_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	agent_explain(virtual_deliver, ask, say, arena);
}

static void
virtual_start(void)
{
	agent_run(virtual_deliver, SLOTS);
}

static void
virtual_drain(void)
{
	agent_drain();
	writers_close();
}

static const struct service virtual_service = {
	.name = "virtual",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES | SANDBOX_PCRE,
	.peers = (const char *const[]){ "qmgr", "proxymap", NULL },
	.before_jail = virtual_open_tables,
	.start = virtual_start,
	.explain = virtual_explain,
	.drain = virtual_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&virtual_service, argc, argv);
}
