/* resolver.c -- libunbound in our loop.
 *
 * libunbound brings its own idea of an event base; what it registers goes into an epoll
 * set of ours that the loop watches as one descriptor. It expects level-triggered events,
 * the loop's own registrations are edge-triggered: hence the set between them. */
#include "config.h"
#include "resolver.h"
#include "event.h"
#include "log.h"
#include "net.h"
#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unbound.h>
#include <unbound-event.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define LOOPBACK6 \
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
#define RECHECK 1000 /* milliseconds between looks at resolv.conf */

struct base {
	struct ub_event_base super;
	struct io io;             /* of the epoll set */
	struct event_later later; /* the set was not empty yet: look again this turn */
	int set;
};

struct event {
	struct ub_event super;
	struct base *base;
	int fd;
	short bits;
	bool added;
	struct timer timer;
	void (*cb)(int, short, void *);
	void *arg;
};

/* One of libunbound's contexts; it stays until nobody waits for an answer of it. */
struct context {
	struct ub_ctx *ctx;
	unsigned pending;
	bool retired; /* resolv.conf changed */
	struct context *next;
};

struct resolver {
	struct resolver_options options;
	struct base base;
	struct context *plain, *validating; /* made when first needed */
	struct context *all;
	struct stat resolv_seen;
	msec_t checked;
};

/* ---- libunbound's events on our loop ---- */

static uint32_t
epoll_bits(short bits)
{
	return (bits & UB_EV_READ ? EPOLLIN : 0u) | (bits & UB_EV_WRITE ? EPOLLOUT : 0u);
}

static void
event_unwatch(struct event *e)
{
	if (e->added && e->fd >= 0)
		epoll_ctl(e->base->set, EPOLL_CTL_DEL, e->fd, NULL);
	e->added = false;
}

static void
event_timeout(void *arg)
{
	struct event *e = arg;

	if (!(e->bits & UB_EV_PERSIST))
		event_unwatch(e);
	e->cb(e->fd, UB_EV_TIMEOUT, e->arg);
}

static void
timer_start(struct event *e, const struct timeval *tv)
{
	if (tv)
		timer_set(&e->timer,
			deadline_in(tv->tv_sec * 1000 + (tv->tv_usec + 999) / 1000),
			event_timeout, e);
}

static int
event_add(struct ub_event *ub, struct timeval *tv)
{
	struct event *e = (struct event *)ub;
	struct epoll_event ev = { .events = epoll_bits(e->bits), .data.ptr = e };

	if (e->fd >= 0 && ev.events != 0) {
		event_unwatch(e);
		if (epoll_ctl(e->base->set, EPOLL_CTL_ADD, e->fd, &ev) < 0)
			return -1;
		e->added = true;
	}
	timer_start(e, tv);
	return 0;
}

static int
event_del(struct ub_event *ub)
{
	struct event *e = (struct event *)ub;

	event_unwatch(e);
	timer_cancel(&e->timer);
	return 0;
}

static void
event_add_bits(struct ub_event *ub, short bits)
{
	((struct event *)ub)->bits |= bits;
}

static void
event_del_bits(struct ub_event *ub, short bits)
{
	((struct event *)ub)->bits &= (short)~bits;
}

static void
event_set_fd(struct ub_event *ub, int fd)
{
	((struct event *)ub)->fd = fd;
}

static void
event_free(struct ub_event *ub)
{
	event_del(ub);
	mem_free(ub);
}

static int
event_add_timer(struct ub_event *ub, struct ub_event_base *base,
	void (*cb)(int, short, void *), void *arg, struct timeval *tv)
{
	struct event *e = (struct event *)ub;

	(void)base;
	e->cb = cb;
	e->arg = arg;
	timer_start(e, tv);
	return 0;
}

static int
event_del_timer(struct ub_event *ub)
{
	timer_cancel(&((struct event *)ub)->timer);
	return 0;
}

static struct ub_event_vmt event_vmt = {
	.add_bits = event_add_bits,
	.del_bits = event_del_bits,
	.set_fd = event_set_fd,
	.free = event_free,
	.add = event_add,
	.del = event_del,
	.add_timer = event_add_timer,
	.del_timer = event_del_timer,
};

static struct ub_event *
base_new_event(struct ub_event_base *ub, int fd, short bits,
	void (*cb)(int, short, void *), void *arg)
{
	struct event *e = mem_alloc(sizeof(*e));

	e->super.magic = UB_EVENT_MAGIC;
	e->super.vmt = &event_vmt;
	e->base = (struct base *)ub;
	e->fd = fd;
	e->bits = bits;
	e->cb = cb;
	e->arg = arg;
	return &e->super;
}

/* The base belongs to the resolver, and the loop is not libunbound's to run. */
static void
base_free(struct ub_event_base *ub)
{
	(void)ub;
}

static int
base_dispatch(struct ub_event_base *ub)
{
	(void)ub;
	return -1;
}

static int
base_loopexit(struct ub_event_base *ub, struct timeval *tv)
{
	(void)ub, (void)tv;
	return 0;
}

static struct ub_event_base_vmt base_vmt = {
	.free = base_free,
	.dispatch = base_dispatch,
	.loopexit = base_loopexit,
	.new_event = base_new_event,
};

/* One event at a time, since a callback may free any other. */
static void
base_run(void *arg)
{
	struct base *b = arg;
	struct epoll_event ev;

	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		struct event *e;
		short bits;

		if (epoll_wait(b->set, &ev, 1, 0) <= 0)
			return;
		e = ev.data.ptr;
		bits = (short)((ev.events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? UB_EV_READ
									    : 0) |
			       (ev.events & EPOLLOUT ? UB_EV_WRITE : 0)) &
		       e->bits;
		if (!(e->bits & UB_EV_PERSIST)) {
			event_unwatch(e);
			timer_cancel(&e->timer);
		}
		e->cb(e->fd, bits, e->arg);
	}
	event_at_turn_end(&b->later);
}

static void
base_ready(struct io *io)
{
	io->readable = false;
	base_run(io->arg);
}

static int
base_open(struct base *b)
{
	b->super.magic = UB_EVENT_MAGIC;
	b->super.vmt = &base_vmt;
	b->set = epoll_create1(EPOLL_CLOEXEC);
	if (b->set < 0 || io_open(&b->io, b->set) < 0)
		return -1;
	b->io.on_event = base_ready;
	b->io.arg = b;
	b->later = (struct event_later){ .fn = base_run, .arg = b };
	return 0;
}

/* ---- contexts ---- */

/* What differs from a resolver for the world: servers on loopback are asked (tests, local
 * resolvers), many questions are open at once, and a server that was away is asked again
 * soon. */
static int
set_options(struct ub_ctx *ctx, bool validate)
{
	static const struct {
		const char *name, *value;
	} always[] = {
		{ "do-not-query-localhost:", "no" },
		{ "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" },
		{ "hide-trustanchor:", "yes" },
		{ "msg-cache-size:", "8m" },
		{ "rrset-cache-size:", "16m" },
		{ "cache-max-negative-ttl:", "60" },
		{ "outgoing-range:", "1024" },
		{ "num-queries-per-thread:", "4096" },
		{ "outgoing-num-tcp:", "64" },
		{ "infra-host-ttl:", "60" },
		{ "infra-keep-probing:", "yes" },
	};
	int result = ub_ctx_set_option(
		ctx, "module-config:", validate ? "validator iterator" : "iterator");

	for (size_t i = 0; i < COUNT(always); i++)
		if (result == 0)
			result = ub_ctx_set_option(ctx, always[i].name, always[i].value);
	return result;
}

/* libunbound would answer these names from a list of its own; whether they exist is the
 * matter of the servers that the administrator chose. After all other settings: this
 * makes them final. */
static int
remove_local_zones(struct ub_ctx *ctx)
{
	static const char *const zones[] = { "localhost.", "127.in-addr.arpa.", LOOPBACK6,
		"home.arpa.", "onion.", "test.", "invalid.", "resolver.arpa.",
		"service.arpa." };
	int result = 0;

	for (size_t i = 0; i < COUNT(zones); i++)
		if (result == 0)
			result = ub_ctx_zone_remove(ctx, zones[i]);
	return result;
}

/* "192.0.2.1:5353", "[2001:db8::1]:53" as libunbound writes it: "192.0.2.1@5353". */
static int
add_server(struct ub_ctx *ctx, struct str server)
{
	struct str host = server, port = STR("53");
	ssize_t colon = str_rchr(server, ':');
	char text[128];

	if (str_starts(server, STR("["))) {
		ssize_t end = str_chr(server, ']');

		host = end < 0 ? STR("") : str_sub(server, 1, (size_t)end - 1);
		if (end > 0 && colon > end)
			port = str_from(server, (size_t)colon + 1);
	} else if (colon >= 0 && str_chr(server, ':') == colon) {
		host = str_sub(server, 0, (size_t)colon);
		port = str_from(server, (size_t)colon + 1);
	}
	snprintf(text, sizeof(text), "%.*s@%.*s", STR_ARG(host), STR_ARG(port));
	return ub_ctx_set_fwd(ctx, text);
}

static int
context_configure(struct ub_ctx *ctx, const struct resolver_options *o, bool validate)
{
	int error = set_options(ctx, validate);

	for (size_t i = 0; i < o->servers.n && !error; i++)
		error = add_server(ctx, o->servers.items[i]);
	if (!error && o->servers.n == 0 && ub_ctx_resolvconf(ctx, o->resolv_conf) != 0)
		log_warn("%s cannot be used: asking the root servers", o->resolv_conf);
	if (!error && validate && o->trust_anchor)
		error = ub_ctx_add_ta_file(ctx, o->trust_anchor);
	return error ? error : remove_local_zones(ctx);
}

static struct context *
context_new(struct resolver *r, bool validate)
{
	struct ub_ctx *ctx = ub_ctx_create_ub_event(&r->base.super);
	int error = ctx ? context_configure(ctx, &r->options, validate) : UB_NOMEM;
	struct context *c;

	if (error) {
		log_warn("DNS resolver: %s: check dns_servers, dns_trust_anchor and %s",
			ub_strerror(error), r->options.resolv_conf);
		if (ctx)
			ub_ctx_delete(ctx);
		return NULL;
	}
	c = mem_alloc(sizeof(*c));
	c->ctx = ctx;
	c->next = r->all;
	r->all = c;
	return c;
}

/* Contexts that nobody waits for any more. Never called from one of libunbound's own
 * calls. */
static void
free_retired(struct resolver *r)
{
	struct context **at = &r->all;

	while (*at) {
		struct context *c = *at;

		if (!c->retired || c->pending > 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		ub_ctx_delete(c->ctx);
		mem_free(c);
	}
}

static void
retire(struct context **c)
{
	if (*c)
		(*c)->retired = true;
	*c = NULL;
}

/* A changed resolv.conf (DHCP, VPN) is used from the next question on. */
static void
check_resolv_conf(struct resolver *r)
{
	struct stat now;

	if (r->options.servers.n > 0 || time_monotonic() - r->checked < RECHECK)
		return;
	r->checked = time_monotonic();
	if (stat(r->options.resolv_conf, &now) < 0)
		return;
	if (now.st_ino == r->resolv_seen.st_ino &&
		now.st_mtim.tv_sec == r->resolv_seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == r->resolv_seen.st_mtim.tv_nsec)
		return;
	r->resolv_seen = now;
	retire(&r->plain);
	retire(&r->validating);
}

struct resolver *
resolver_open(const struct resolver_options *o, struct why *why)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	r->options = *o;
	r->checked = -RECHECK;
	if (base_open(&r->base) < 0) {
		why_errno(why, "4.3.0", "epoll");
		mem_free(r);
		return NULL;
	}
	return r;
}

void
resolver_close(struct resolver *r)
{
	for (struct context *c = r->all, *next; c; c = next) {
		next = c->next;
		ub_ctx_delete(c->ctx);
		mem_free(c);
	}
	event_later_cancel(&r->base.later);
	io_close(&r->base.io);
	mem_free(r);
}

/* ---- questions ---- */

struct question {
	struct context *context;
	uint16_t type;
	struct arena *arena;
	void (*fn)(void *arg, const struct dns_reply *reply);
	void *arg;
};

static void
answered(void *mine, int rcode, void *packet, int len, int security, char *why_bogus,
	int limited)
{
	struct question *q = mine;
	struct dns_reply reply;

	(void)limited;
	if (rcode == ns_r_servfail || security == 1 || len <= 0) {
		reply = (struct dns_reply){ .status = DNS_TEMPFAIL,
			.reason = STR("Host not found, try again") };
		if (security == 1 && why_bogus)
			reply.reason = arena_printf(q->arena, "DNSSEC: %s", why_bogus);
	} else {
		packet_read(str_of(packet, (size_t)len), q->type, q->arena, &reply);
	}
	reply.secure = security == 2;
	q->context->pending--;
	q->fn(q->arg, &reply);
}

static void
refuse(const struct question *q, enum dns_status status)
{
	struct dns_reply reply = { .status = (uint8_t)status,
		.reason = status == DNS_TEMPFAIL ? STR("Host not found, try again")
						 : STR("Host not found") };

	q->fn(q->arg, &reply);
}

void
resolver_ask(struct resolver *r, struct str name, uint16_t type, bool validate,
	struct arena *arena, void (*fn)(void *arg, const struct dns_reply *reply),
	void *arg)
{
	struct question *q = arena_alloc(arena, sizeof(*q));
	char *text = arena_cstr(arena, name);
	struct context **c = validate ? &r->validating : &r->plain;
	int error;

	*q = (struct question){ NULL, type, arena, fn, arg };
	if (!text || name.len == 0 || name.len > 255) {
		refuse(q, DNS_NXDOMAIN);
		return;
	}
	check_resolv_conf(r);
	free_retired(r);
	if (!*c)
		*c = context_new(r, validate);
	if (!*c) {
		refuse(q, DNS_TEMPFAIL);
		return;
	}
	q->context = *c;
	q->context->pending++;
	error = ub_resolve_event(q->context->ctx, text, type, ns_c_in, q, answered, NULL);
	if (error) {
		q->context->pending--;
		refuse(q, error == UB_SYNTAX ? DNS_NXDOMAIN : DNS_TEMPFAIL);
	}
}
