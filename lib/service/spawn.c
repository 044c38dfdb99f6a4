/* spawn.c -- see spawn.h. */
#include "spawn.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the environment variable ---- */

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{ "worker", offsetof(struct spawn, worker) },
	{ "generation", offsetof(struct spawn, generation) },
	{ "limit", offsetof(struct spawn, limit) },
}, descriptors[] = {
	{ "control", offsetof(struct spawn, control) },
	{ "broker", offsetof(struct spawn, broker) },
	{ "identities", offsetof(struct spawn, identities) },
	{ "log", offsetof(struct spawn, log) },
	{ "suspects", offsetof(struct spawn, suspects) },
	{ "accepted", offsetof(struct spawn, accepted) },
	{ "explain", offsetof(struct spawn, explain) },
}, switches[] = {
	{ "stays", offsetof(struct spawn, stays) },
	{ "stress", offsetof(struct spawn, stress) },
};

static void *
field(const struct spawn *s, size_t at)
{
	return (char *)s + at;
}

void
spawn_show(const struct spawn *s, struct buf *out)
{
	for (size_t i = 0; i < COUNT(numbers); i++)
		buf_printf(out, "%s=%u ", numbers[i].name,
			*(uint32_t *)field(s, numbers[i].at));
	for (size_t i = 0; i < COUNT(descriptors); i++)
		if (*(int *)field(s, descriptors[i].at) >= 0)
			buf_printf(out, "%s=%d ", descriptors[i].name,
				*(int *)field(s, descriptors[i].at));
	for (size_t i = 0; i < COUNT(switches); i++)
		if (*(bool *)field(s, switches[i].at))
			buf_printf(out, "%s=1 ", switches[i].name);
	buf_addz(out, "listen=");
	for (size_t i = 0; i < s->n_listeners; i++)
		buf_printf(out, "%s%d", i ? "," : "", s->listeners[i]);
}

static int
number(struct str text, uint32_t *out)
{
	uint64_t n;

	if (str_to_u64(text, &n) < 0 || n > UINT32_MAX)
		return -1;
	*out = (uint32_t)n;
	return 0;
}

/* Master starts its numbering at 3: the standard descriptors are never in the list. */
static int
descriptor(struct str text, int *out)
{
	uint32_t n;

	if (number(text, &n) < 0 || n < 3 || n > 1 << 20)
		return -1;
	*out = (int)n;
	return 0;
}

static int
listeners(struct str list, struct spawn *out)
{
	struct str item;

	while (str_token(&list, ",", &item)) {
		if (out->n_listeners == COUNT(out->listeners) ||
			descriptor(item, &out->listeners[out->n_listeners++]) < 0)
			return -1;
	}
	return 0;
}

static int
one_word(struct str name, struct str value, struct spawn *out)
{
	if (str_is(name, "listen"))
		return listeners(value, out);
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (str_is(name, numbers[i].name))
			return number(value, field(out, numbers[i].at));
	for (size_t i = 0; i < COUNT(descriptors); i++)
		if (str_is(name, descriptors[i].name))
			return descriptor(value, field(out, descriptors[i].at));
	for (size_t i = 0; i < COUNT(switches); i++)
		if (str_is(name, switches[i].name)) {
			*(bool *)field(out, switches[i].at) = true;
			return 0;
		}
	return -1;
}

int
spawn_parse(struct str text, struct spawn *out)
{
	struct str word, name;

	*out = (struct spawn){ .control = -1,
		.broker = -1,
		.identities = -1,
		.log = -1,
		.suspects = -1,
		.accepted = -1,
		.explain = -1 };
	while (str_token(&text, " ", &word)) {
		if (str_chr(word, '=') < 0 || !str_split(&word, '=', &name) ||
			one_word(name, word, out) < 0)
			return -1;
	}
	return out->worker && out->control >= 0 ? 0 : -1;
}

/* ---- records ---- */

int
record_send(int sock, const void *record, size_t size, int pass)
{
	struct iovec part = { (void *)(uintptr_t)record, size };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} side = { 0 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (pass >= 0) {
		m.msg_control = side.room;
		m.msg_controllen = sizeof(side.room);
		side.head =
			(struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&side.head), &pass, sizeof(int));
	}
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Takes the first descriptor; there is room for one only, the kernel drops others. */
static int
descriptor_of(struct msghdr *m)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

int
record_receive(int sock, void *record, size_t size, int *passed)
{
	struct iovec part = { record, size };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} side = { 0 };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = side.room,
		.msg_controllen = sizeof(side.room) };
	ssize_t got = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*passed = -1;
	if (got <= 0)
		return (int)got;
	*passed = descriptor_of(&m);
	if ((size_t)got == size && !(m.msg_flags & MSG_TRUNC))
		return 1;
	fd_close(passed);
	*passed = -1;
	errno = EPROTO;
	return -1;
}

int
control_send(int sock, enum control_kind kind, uint32_t value, int pass)
{
	struct control c = { (uint32_t)kind, value };

	return record_send(sock, &c, sizeof(c), pass);
}

int
control_receive(int sock, struct control *out, int *passed)
{
	return record_receive(sock, out, sizeof(*out), passed);
}

int
identity_send(int sock, const struct spawn_identity *who, int link)
{
	return record_send(sock, who, sizeof(*who), link);
}

/* The texts end inside their fields, whatever was sent. */
int
identity_receive(int sock, struct spawn_identity *who, int *link)
{
	int got = record_receive(sock, who, sizeof(*who), link);

	who->program[sizeof(who->program) - 1] = '\0';
	who->service[sizeof(who->service) - 1] = '\0';
	return got;
}
