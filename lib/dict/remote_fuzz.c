/* remote_fuzz.c -- replies of servers of tables: socketmap, tcp, memcache, redis. The
 * first byte says which; the server says the rest, and hangs up. */
#include "query.h"
#include "remote.h"
#include "wire.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct remote_ops memcache_remote, redis_remote, socketmap_remote,
	tcp_remote;

/* A type's own table, which is private to it, as dict_open() makes it from a file. */
static struct dict *
table_of(const char *type)
{
	static char path[] = "/tmp/remote-fuzz-XXXXXX";
	struct arena *a CLEANUP(arena_free_at) = arena_new();
	struct why why;
	struct dict *d;
	int fd = mkstemp(path);

	ensure(fd >= 0 &&
		write_all(fd, STR("memcache = unix:/x\nhosts = unix:/x\n")) == 0);
	close(fd);
	d = dict_open(arena_printf(a, "%s:%s", type, path), 0, NULL, &why);
	ensure(d && d->state && unlink(path) == 0);
	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	return d;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct remote_ops *const types[] = { &socketmap_remote, &tcp_remote,
		&memcache_remote, &redis_remote };
	static struct dict *tables[4];
	struct wire w = { .fd = -1 };
	struct arena *a = arena_new();
	struct str value = STR_NONE;
	struct why why;
	bool lost = false;
	size_t type;
	int ends[2];

	if (!tables[3]) {
		tables[2] = table_of("memcache");
		tables[3] = table_of("redis");
		tables[0] = dict_open(STR("socketmap:unix:/x:map"), 0, NULL, &why);
	}
	if (size == 0 || size > 65536) {
		arena_free(a);
		return 0;
	}
	type = data[0] % COUNT(types);
	ensure(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	ensure(write(ends[1], data + 1, size - 1) == (ssize_t)size - 1);
	shutdown(ends[1], SHUT_WR);
	w.fd = ends[0];
	types[type]->ask(&w, tables[type] ? tables[type]->state : NULL, STR("key"), a,
		&value, &why, &lost);
	ensure(value.len <= size); /* nothing but what was said */
	wire_close(&w);
	close(ends[1]);
	arena_free(a);
	return 0;
}
