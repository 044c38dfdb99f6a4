/* out.c -- frames on their way out: gathered during a turn of the loop, written together.
 *
 * What a caller may forget at once is copied into pieces of 64 KB; pieces are kept in a
 * small pool, for a busy link fills and empties one in each turn. */
#include "ipc_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	PIECE_ROOM = 64 * 1024,
	POOL_MOST = 16,
	PARTS = 64, /* pieces in one system call */
};

static struct {
	struct piece *first;
	unsigned n;
} pool;

void
frame_put(char out[FRAME_HEADER], const struct frame *f)
{
	put_u32(out, f->len);
	put_u32(out + 4, f->id);
	put_u16(out + 8, f->type);
	out[10] = (char)f->kind;
	out[11] = (char)f->flags;
}

void
frame_get(const char *in, struct frame *f)
{
	f->len = get_u32(in);
	f->id = get_u32(in + 4);
	f->type = get_u16(in + 8);
	f->kind = (uint8_t)in[10];
	f->flags = (uint8_t)in[11];
}

void
fds_close(struct fds *f)
{
	for (size_t i = 0; i < f->n; i++)
		fd_close(&f->fd[i]);
	f->n = 0;
}

int
fds_take_first(struct fds *f)
{
	int first = f->n > 0 ? f->fd[0] : -1;

	if (f->n > 0)
		memmove(f->fd, f->fd + 1, --f->n * sizeof(f->fd[0]));
	return first;
}

static struct piece *
piece_new(size_t room)
{
	struct piece *p = pool.first;

	if (room == PIECE_ROOM && p) {
		pool.first = p->next;
		pool.n--;
	} else {
		p = mem_resize(NULL, sizeof(*p) + room);
	}
	*p = (struct piece){ .data = (char *)(p + 1), .room = room };
	return p;
}

static void
piece_free(struct piece *p)
{
	if (p->borrower)
		*p->borrower = NULL;
	fds_close(&p->fds);
	if (p->room == PIECE_ROOM && pool.n < POOL_MOST) {
		p->next = pool.first;
		pool.first = p;
		pool.n++;
	} else {
		mem_free(p);
	}
}

static void
append(struct out *o, struct piece *p)
{
	if (o->last)
		o->last->next = p;
	else
		o->first = p;
	o->last = p;
}

/* Bytes that fill the last piece and then new ones. */
static void
put_bytes(struct out *o, struct str s)
{
	while (s.len > 0) {
		struct piece *p = o->last;
		size_t n;

		if (!p || p->len >= p->room) { /* borrowed ones have no room */
			p = piece_new(MAX(s.len, (size_t)PIECE_ROOM));
			append(o, p);
		}
		n = MIN(s.len, p->room - p->len);
		memcpy((char *)(p + 1) + p->len, s.data, n);
		p->len += n;
		s = str_from(s, n);
	}
}

static void
put_header(struct out *o, struct frame *f, size_t payload, const int *fds, size_t n_fds)
{
	char header[FRAME_HEADER];

	ensure(payload <= IPC_FRAME_LIMIT);
	f->len = (uint32_t)payload;
	if (n_fds > 0) {
		struct piece *p = piece_new(PIECE_ROOM);

		for (size_t i = 0; i < n_fds && i < IPC_FDS_MOST; i++) {
			int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);

			if (fd < 0) /* the frame arrives with less: the caller sees */
				break;
			p->fds.fd[p->fds.n++] = fd;
			f->flags |= FRAME_FD;
		}
		append(o, p);
	}
	frame_put(header, f);
	put_bytes(o, str_of(header, sizeof(header)));
	o->pending += FRAME_HEADER + payload;
	o->queued += FRAME_HEADER + payload;
}

void
out_frame(struct out *o, struct frame *f, struct str payload, int fd)
{
	out_frame_fds(o, f, payload, &fd, fd >= 0 ? 1 : 0);
}

void
out_frame_fds(
	struct out *o, struct frame *f, struct str payload, const int *fds, size_t n_fds)
{
	put_header(o, f, payload.len, fds, n_fds);
	put_bytes(o, payload);
}

void
out_frame_borrowed(struct out *o, struct frame *f, struct str payload, int fd,
	struct piece **borrower)
{
	struct piece *p = piece_new(0);

	put_header(o, f, payload.len, &fd, fd >= 0 ? 1 : 0);
	p->data = payload.data;
	p->len = payload.len;
	p->borrower = borrower;
	*borrower = p;
	append(o, p);
}

void
out_own(struct out *o, struct piece *p)
{
	struct piece *mine = piece_new(p->len - p->at);
	struct piece **at = &o->first;

	memcpy((char *)(mine + 1), p->data + p->at, p->len - p->at);
	mine->len = mine->room = p->len - p->at;
	while (*at != p)
		at = &(*at)->next;
	*at = mine;
	mine->next = p->next;
	if (o->last == p)
		o->last = mine;
	piece_free(p);
}

/* n bytes went: frees what is empty. */
static void
advance(struct out *o, size_t n)
{
	o->pending -= n;
	o->sent += n;
	while (o->first) {
		struct piece *p = o->first;
		size_t here = MIN(n, p->len - p->at);

		p->at += here;
		n -= here;
		if (p->at < p->len)
			return;
		o->first = p->next;
		if (!o->first)
			o->last = NULL;
		piece_free(p);
	}
}

/* The next pieces, up to one that begins with a descriptor. */
static size_t
gather(const struct out *o, struct iovec *parts)
{
	size_t n = 0;

	for (struct piece *p = o->first; p && n < PARTS; p = p->next) {
		if (p->fds.n > 0 && n > 0)
			break;
		parts[n].iov_base = (char *)(uintptr_t)(p->data + p->at);
		parts[n++].iov_len = p->len - p->at;
	}
	return n;
}

static ssize_t
send_parts(int sock, struct iovec *parts, size_t n, const struct fds *fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IPC_FDS_MOST * sizeof(int))];
	} control = { .room = { 0 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = n };

	if (fds->n > 0) {
		size_t size = fds->n * sizeof(fds->fd[0]);
		struct cmsghdr *c;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(size);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), fds->fd, size);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int
out_write(struct out *o, int sock)
{
	struct iovec parts[PARTS];

	while (o->first) {
		struct piece *head = o->first;
		ssize_t n = send_parts(sock, parts, gather(o, parts), &head->fds);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0)
			return errno == ETOOMANYREFS ? 2 : -1;
		fds_close(&head->fds); /* they went with the first byte */
		advance(o, (size_t)n);
	}
	return 0;
}

void
out_free(struct out *o)
{
	while (o->first) {
		struct piece *p = o->first;

		o->first = p->next;
		piece_free(p);
	}
	o->last = NULL;
	o->pending = 0;
}
