/* addr_test.c -- addresses, network patterns, endpoints. */
#include "net.h"
#include "test.h"
#include <sys/stat.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
	struct str text;
	const char *want; /* NULL: refused */
} addresses[] = {
	{ STR_INIT("192.0.2.1"), "192.0.2.1" },
	{ STR_INIT("[192.0.2.1]"), "192.0.2.1" },
	{ STR_INIT("2001:DB8:0::1"), "2001:db8::1" },
	{ STR_INIT("[2001:db8::1]"), "2001:db8::1" },
	{ STR_INIT("[IPv6:2001:db8::1]"), "2001:db8::1" },
	{ STR_INIT("ipv6:::1"), "::1" },
	{ STR_INIT("::ffff:192.0.2.1"), "192.0.2.1" }, /* mapped */
	{ STR_INIT("IPv6:192.0.2.1"), NULL },
	{ STR_INIT("192.0.2"), NULL },
	{ STR_INIT("192.0.2.256"), NULL },
	{ STR_INIT("192.0.2.1\0"), NULL },
	{ STR_INIT("[192.0.2.1"), NULL },
	{ STR_INIT("192.0.2.1]"), NULL },
	{ STR_INIT("["), NULL },
	{ STR_INIT("[]"), NULL },
	{ STR_INIT(""), NULL },
	{ STR_INIT("mx.example"), NULL },
	{ STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"), NULL },
};

TEST(addresses_are_parsed)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		char text[NET_ADDR_TEXT];
		struct net_addr a;
		int got;

		test_row(i);
		got = net_addr_parse(addresses[i].text, 25, &a);
		CHECK((got == 0) == (addresses[i].want != NULL));
		if (got < 0)
			continue;
		CHECK_STR(str_c(net_addr_text(&a, text)), addresses[i].want);
		CHECK_INT(net_addr_port(&a), 25);
		net_addr_unmap(&a);
		CHECK_STR(str_c(net_addr_text(&a, text)), addresses[i].want);
		CHECK_INT(net_addr_port(&a), 25);
	}
}

static const struct {
	struct str pattern;
	struct str address;
	bool has;
	const char *why; /* what the refusal says; NULL: a good pattern */
} blocks[] = {
	{ STR_INIT("192.0.2.0/24"), STR_INIT("192.0.2.255"), true, NULL },
	{ STR_INIT("192.0.2.0/24"), STR_INIT("192.0.3.0"), false, NULL },
	{ STR_INIT("192.0.2.0/24"), STR_INIT("::ffff:192.0.2.7"), true, NULL },
	{ STR_INIT("192.0.2.0/24"), STR_INIT("::1"), false, NULL },
	{ STR_INIT("192.0.2.128/25"), STR_INIT("192.0.2.127"), false, NULL },
	{ STR_INIT("192.0.2.128/25"), STR_INIT("192.0.2.129"), true, NULL },
	{ STR_INIT("192.0.2.1"), STR_INIT("192.0.2.1"), true, NULL },
	{ STR_INIT("192.0.2.1"), STR_INIT("192.0.2.2"), false, NULL },
	{ STR_INIT("0.0.0.0/0"), STR_INIT("198.51.100.1"), true, NULL },
	{ STR_INIT("0.0.0.0/0"), STR_INIT("::1"), false, NULL },
	{ STR_INIT("[2001:db8::]/32"), STR_INIT("2001:db8:ffff::1"), true, NULL },
	{ STR_INIT("[2001:db8::/32]"), STR_INIT("2001:db9::"), false, NULL },
	{ STR_INIT("2001:db8::/33"), STR_INIT("2001:db8:8000::"), false, NULL },
	{ STR_INIT("[::1]"), STR_INIT("::1"), true, NULL },
	{ STR_INIT("[::1]"), STR_INIT("127.0.0.1"), false, NULL },
	{ STR_INIT("[::]/0"), STR_INIT("2001:db8::1"), true, NULL },
	{ STR_INIT("192.0.2.1/24"), STR_NONE, false,
		"non-null host address bits in \"192.0.2.1/24\", perhaps you should use "
		"\"192.0.2.0/24\" instead" },
	{ STR_INIT("[2001:db8::1]/64"), STR_NONE, false, "\"[2001:db8::]/64\" instead" },
	{ STR_INIT("192.0.2.0/33"), STR_NONE, false, "use 0 to 32" },
	{ STR_INIT("192.0.2.0/"), STR_NONE, false, "bad mask" },
	{ STR_INIT("192.0.2.0/x"), STR_NONE, false, "bad mask" },
	{ STR_INIT("192.0.2.0/-1"), STR_NONE, false, "bad mask" },
	{ STR_INIT("[::1"), STR_NONE, false, "bad network" },
	{ STR_INIT("[::1]x"), STR_NONE, false, "bad network" },
	{ STR_INIT("[::/0]/0"), STR_NONE, false, "bad network" },
	{ STR_INIT("example.com"), STR_NONE, false, "bad network" },
	{ STR_INIT(""), STR_NONE, false, "bad network" },
};

TEST(blocks_have_addresses)
{
	for (size_t i = 0; i < COUNT(blocks); i++) {
		struct net_block b;
		struct net_addr a;
		struct why why = { "", "" };
		int got;

		test_row(i);
		got = net_block_parse(blocks[i].pattern, &b, &why);
		CHECK((got == 0) == (blocks[i].why == NULL));
		if (blocks[i].why) {
			CHECK(strstr(why.text, blocks[i].why) != NULL);
			continue;
		}
		CHECK(net_addr_parse(blocks[i].address, 0, &a) == 0);
		CHECK(net_block_has(&b, &a) == blocks[i].has);
	}
}

static const struct {
	struct str endpoint;
	size_t least, most; /* sockets */
	const char *why;
} endpoints[] = {
	{ STR_INIT("127.0.0.1:0"), 1, 1, NULL },
	{ STR_INIT("localhost:0"), 1, 2, NULL }, /* ::1 as well, where hosts says so */
	{ STR_INIT("0"), 1, 1, NULL },
	{ STR_INIT("::1:25"), 0, 0, "bad address" },
	{ STR_INIT(":25"), 0, 0, "bad address" },
	{ STR_INIT(""), 0, 0, "bad address" },
	{ STR_INIT("127.0.0.1:"), 0, 0, "bad address" },
	{ STR_INIT("127.0.0.1:no-such-service"), 0, 0, "no-such-service" },
	{ STR_INIT("192.0.2.77:0"), 0, 0, "cannot listen on 192.0.2.77" },
};

TEST(inet_endpoints_are_bound)
{
	for (size_t i = 0; i < COUNT(endpoints); i++) {
		struct net_fds fds = { .n = 0 };
		struct why why = { "", "" };
		int got;

		test_row(i);
		got = net_listen_inet(
			endpoints[i].endpoint, NULL, true, false, 10, &fds, &why);
		CHECK((got == 0) == (endpoints[i].why == NULL));
		CHECK(fds.n >= endpoints[i].least && fds.n <= endpoints[i].most);
		if (endpoints[i].why)
			CHECK(strstr(why.text, endpoints[i].why) != NULL);
		while (fds.n > 0)
			close(fds.fd[--fds.n]);
	}
}

static int
port_of(int fd)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	return ntohs(at.sin_port);
}

TEST(a_bare_port_binds_the_interfaces)
{
	struct str two[] = { STR("127.0.0.1"), STR("127.0.0.2") };
	struct str loopback[] = { STR("loopback-only"), STR("127.0.0.1") };
	char port[8];
	struct str bad[] = { STR("127.0.0.1"), STR("192.0.2.77") };
	struct net_fds fds = { .n = 0 };
	struct why why;

	CHECK(net_listen_inet(STR("0"), &(struct strs){ two, 2 }, true, false, 10, &fds,
		      &why) == 0);
	CHECK_INT((long long)fds.n, 2);
	while (fds.n > 0)
		close(fds.fd[--fds.n]);
	CHECK(net_listen_inet(STR("0"), &(struct strs){ loopback, 2 }, true, false, 10,
		      &fds, &why) == 0);
	CHECK_INT((long long)fds.n, 2); /* port 0 is another one each time */
	while (fds.n > 0)
		close(fds.fd[--fds.n]);
	CHECK(net_listen_inet(STR("0"), &(struct strs){ loopback, 1 }, true, false, 10,
		      &fds, &why) == 0);
	snprintf(port, sizeof(port), "%d", port_of(fds.fd[0]));
	close(fds.fd[--fds.n]);
	CHECK(net_listen_inet(str_c(port), &(struct strs){ loopback, 2 }, true, false, 10,
		      &fds, &why) == 0);
	CHECK_INT((long long)fds.n, 1); /* the same address, bound once */
	while (fds.n > 0)
		close(fds.fd[--fds.n]);
	/* All or nothing. */
	CHECK(net_listen_inet(STR("0"), &(struct strs){ bad, 2 }, true, false, 10, &fds,
		      &why) < 0);
	CHECK_INT((long long)fds.n, 0);
}

TEST(descriptors_pass_unix_sockets)
{
	char path[200], text[10];
	struct why why;
	struct stat st;
	int listener, client, server, null, fd;
	pid_t pid;
	uid_t uid;
	gid_t gid;

	snprintf(path, sizeof(path), "%s/socket", test_dir());
	CHECK(net_connect_unix(path, &why) < 0);
	listener = net_listen_unix(path, 0622, 5, &why);
	CHECK(listener >= 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0622);
	close(listener);
	listener =
		net_listen_unix(path, 0600, 5, &why); /* what is left over is replaced */
	client = net_connect_unix(path, &why);
	server = accept(listener, NULL, NULL);
	CHECK(client >= 0 && server >= 0);
	CHECK(net_peer_cred(server, &pid, &uid, &gid) == 0);
	CHECK(pid == getpid() && uid == geteuid());

	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(net_send_fd(client, STR("x"), null) == 0);
	close(null);
	CHECK(net_recv_fd(server, text, sizeof(text), &fd) == 1);
	CHECK(fd >= 0 && read(fd, text, 1) == 0);
	close(fd);
	CHECK(write(client, "abc", 3) == 3);
	CHECK(net_recv_fd(server, text, sizeof(text), &fd) == 3 && fd == -1);
	close(client);
	CHECK(net_recv_fd(server, text, sizeof(text), &fd) == 0);
	close(server);
	close(listener);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	CHECK(net_listen_unix(path, 0600, 5, &why) < 0);
}
