/* hello.c -- the first frame of a link: which version is spoken, and who calls.
 *
 * broker connects for others and says for whom; the kernel (SO_PEERCRED) says that it is
 * broker: root, the mail owner, or the user that this whole instance runs as. A command
 * connects by path and calls itself "command"; who runs it is what the kernel says. */
#include "ipc_impl.h"
#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define hello_FIELDS(FIELD, LIST) \
	FIELD(U32, version) \
	FIELD(STR, program) \
	FIELD(STR, service) \
	FIELD(U32, pid) \
	FIELD(U32, uid)
IPC_STRUCT(hello)

int
ipc_hello(int fd, const struct ipc_caller *caller)
{
	struct hello hello = { IPC_VERSION, str_c(caller->program),
		str_c(caller->service), (uint32_t)caller->pid, caller->uid };
	struct frame f = { .kind = FRAME_HELLO };
	struct buf payload CLEANUP(buf_free) = BUF_INIT;
	struct buf bytes CLEANUP(buf_free) = BUF_INIT;

	hello_put(&payload, &hello);
	f.len = (uint32_t)payload.len;
	buf_need(&bytes, FRAME_HEADER);
	frame_put(bytes.data, &f);
	bytes.len = FRAME_HEADER;
	buf_add(&bytes, buf_str(&payload));
	return write_all(fd, buf_str(&bytes));
}

bool
ipc_is_hello(struct str bytes)
{
	return bytes.len > 0 && bytes.data[0] == 0;
}

struct str
ipc_after_hello(struct str bytes)
{
	if (bytes.len < FRAME_HEADER)
		return STR_NONE;
	return str_from(bytes, FRAME_HEADER + (size_t)get_u32(bytes.data));
}

/* Names go into log lines and decisions: letters, digits and a few marks only. */
static bool
copy_name(char *out, size_t room, struct str name)
{
	if (name.len >= room)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_print(name.data[i]))
			return false;
	}
	if (name.len > 0)
		memcpy(out, name.data, name.len);
	out[name.len] = 0;
	return true;
}

bool
hello_take(struct ipc_link *l, const struct frame *f, struct str payload)
{
	struct ipc_caller *who = &l->caller->who;
	struct hello hello;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!l->wants_hello || f->kind != FRAME_HELLO)
		return link_malformed(l, l->wants_hello
						 ? "did not begin with HELLO"
						 : "sent HELLO where none belongs");
	if (getsockopt(l->io.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return link_malformed(l, "has no credentials");
	if (peer.uid != 0 && peer.uid != l->trusted && peer.uid != geteuid())
		return link_malformed(l, "runs as a user that may not speak to us");
	if (hello_get(payload, &hello, NULL) < 0 ||
		!copy_name(who->program, sizeof(who->program), hello.program) ||
		!copy_name(who->service, sizeof(who->service), hello.service))
		return link_malformed(l, "sent a HELLO that cannot be read");
	if (hello.version != IPC_VERSION)
		return link_malformed(l,
			"speaks another version of our protocol: the parts of "
			"the installation do not belong together");
	who->pid = (pid_t)hello.pid;
	who->uid = hello.uid;
	if (str_is(hello.program, "command")) {
		who->pid = peer.pid;
		who->uid = peer.uid;
	}
	l->wants_hello = false;
	timer_cancel(&l->hello_timer);
	snprintf(l->name, sizeof(l->name), "%s(%s)[%d]", who->program, who->service,
		(int)who->pid);
	return true;
}
