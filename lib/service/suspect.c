/* suspect.c -- see suspect.h. A network is one number, so that neither side ever sees
 * half of one: the first half of an IPv6 address; an IPv4 address behind a 1, where no
 * address of the Internet begins with so many zeros. */
#include "config.h"
#include "suspect.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define V4      (UINT64_C(1) << 32)
#define V4_MASK UINT64_C(0xffffff00)

struct suspect_page *
suspect_page_map(int fd)
{
	void *page = mmap(NULL, sizeof(struct suspect_page), PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return NULL;
	return page;
}

struct suspect_page *
suspect_page_new(int *fd)
{
	struct suspect_page *page = NULL;

	*fd = memfd_create("suspect", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd >= 0 && ftruncate(*fd, sizeof(*page)) == 0 &&
		fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		page = suspect_page_map(*fd);
	if (!page)
		fd_close(fd);
	return page;
}

void
suspect_page_free(struct suspect_page *page)
{
	if (page)
		munmap(page, sizeof(*page));
}

uint64_t
suspect_network(const struct net_addr *a)
{
	if (a->sa.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

		return MAX(get_u64(in6->sin6_addr.s6_addr), UINT64_C(1));
	}
	return V4 | (get_u32(&((const struct sockaddr_in *)&a->sa)->sin_addr) & V4_MASK);
}

const char *
suspect_text(uint64_t network, char *out)
{
	bool v4 = network >> 32 == 1;
	struct net_addr a = { .len = sizeof(a.sa) };
	char text[NET_ADDR_TEXT];

	if (v4) {
		struct sockaddr_in *in = (struct sockaddr_in *)&a.sa;

		in->sin_family = AF_INET;
		put_u32(&in->sin_addr, (uint32_t)network);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;

		in6->sin6_family = AF_INET6;
		put_u64(in6->sin6_addr.s6_addr, network);
	}
	snprintf(out, SUSPECT_TEXT, "%s/%d", net_addr_text(&a, text), v4 ? 24 : 64);
	return out;
}
