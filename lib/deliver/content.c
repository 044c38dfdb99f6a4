/* content.c -- walks a message's content: the bytes at hand, then a descriptor. */
#include "deliver.h"
#include <errno.h>
#include <unistd.h>

#define CONTENT_STEP ((size_t)64 * 1024)

void
content_open(struct content_cursor *c, struct str first, int fd, octets_t rest)
{
	*c = (struct content_cursor){ .first = first, .fd = fd, .left = rest };
}

int
content_next(struct content_cursor *c, struct str *chunk)
{
	ssize_t got;

	if (c->first.len > 0) {
		*chunk = c->first;
		c->first = STR_NONE;
		return 1;
	}
	if (c->left == 0)
		return 0;
	if (!c->buffer)
		c->buffer = mem_alloc(CONTENT_STEP);
	/* By position: the descriptor is shared with other deliveries of this message. */
	do
		got = pread(c->fd, c->buffer, MIN(CONTENT_STEP, c->left), (off_t)c->at);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		errno = EIO; /* shorter than its announced length */
	if (got <= 0)
		return -1;
	c->at += (octets_t)got;
	c->left -= (octets_t)got;
	*chunk = str_of(c->buffer, (size_t)got);
	return 1;
}

void
content_close(struct content_cursor *c)
{
	mem_free(c->buffer);
	c->buffer = NULL;
}
