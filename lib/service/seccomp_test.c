/* seccomp_test.c -- what the filter answers for calls, asked without entering it: so
 * another architecture's numbers, and machines that are only emulated here, can be tried.
 */
#include "config.h"
#include "sandbox_internal.h"
#include "test.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OURS  AUDIT_ARCH_X86_64
#define OTHER AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OURS  AUDIT_ARCH_AARCH64
#define OTHER AUDIT_ARCH_ARM
#endif

#ifdef OURS
#define ALLOW  SECCOMP_RET_ALLOW
#define REFUSE SECCOMP_RET_TRAP
#define KILL   SECCOMP_RET_KILL_PROCESS

/* The few instructions that the filter is made of (linux/filter.h). */
static uint32_t
answer(const struct sock_filter *code, size_t n, const struct seccomp_data *call)
{
	uint32_t a = 0;

	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *i = &code[at];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			ensure(i->k % 4 == 0 && i->k + 4 <= sizeof(*call));
			memcpy(&a, (const char *)call + i->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			ensure(!"an instruction that this test does not know");
		}
	}
	ensure(!"the filter ends with an answer");
	return KILL;
}

static const struct {
	unsigned what;
	uint32_t arch;
	long number;
	uint64_t args[6];
	uint32_t want;
} rows[] = {
	{ 0, OURS, SYS_read, { 0 }, ALLOW }, { 0, OURS, SYS_exit_group, { 0 }, ALLOW },
	{ 0, OURS, SYS_execve, { 0 }, REFUSE }, { 0, OURS, SYS_ptrace, { 0 }, REFUSE },
	{ 0, OURS, SYS_io_uring_setup, { 0 }, REFUSE },
	{ 0, OURS, SYS_bpf, { 0 }, REFUSE }, { 0, OURS, SYS_mount, { 0 }, REFUSE },
	{ 0, OURS, SYS_unshare, { 0 }, REFUSE }, { 0, OURS, SYS_listen, { 0 }, REFUSE },
	{ 0, OURS, SYS_connect, { 0 }, REFUSE }, { 0, OURS, SYS_openat, { 0 }, REFUSE },
	{ 0, OURS, 9999, { 0 }, REFUSE },
	/* libc is sent to clone(), whose flags can be seen. */
	{ 0, OURS, SYS_clone3, { 0 }, SECCOMP_RET_ERRNO | ENOSYS },
	/* By argument; the upper half of a register is not looked at. */
	{ 0, OURS, SYS_mmap, { 0, 0, PROT_READ | PROT_WRITE }, ALLOW },
	{ 0, OURS, SYS_mmap, { 0, 0, PROT_READ | PROT_EXEC }, REFUSE },
	{ SANDBOX_PCRE, OURS, SYS_mmap, { 0, 0, PROT_READ | PROT_EXEC }, ALLOW },
	{ 0, OURS, SYS_mprotect, { 0, 0, PROT_EXEC }, REFUSE },
	{ 0, OURS, SYS_socketpair, { AF_UNIX }, ALLOW },
	{ 0, OURS, SYS_socketpair, { AF_INET }, REFUSE },
	{ 0, OURS, SYS_socket, { AF_INET }, REFUSE },
	{ SANDBOX_INTERNET, OURS, SYS_socket, { AF_INET }, ALLOW },
	{ SANDBOX_INTERNET, OURS, SYS_socket, { AF_INET6 }, ALLOW },
	{ SANDBOX_INTERNET, OURS, SYS_socket, { AF_UNIX }, REFUSE },
	{ SANDBOX_INTERNET, OURS, SYS_socket, { AF_PACKET }, REFUSE },
	{ SANDBOX_INTERNET, OURS, SYS_connect, { 0 }, ALLOW },
	{ SANDBOX_TABLES, OURS, SYS_openat, { 0, 0, O_RDONLY | O_CLOEXEC }, ALLOW },
	{ SANDBOX_TABLES, OURS, SYS_openat, { 0, 0, O_WRONLY }, REFUSE },
	{ SANDBOX_TABLES, OURS, SYS_openat, { 0, 0, O_RDWR | O_CREAT }, REFUSE },
	{ SANDBOX_SPOOL_WRITE, OURS, SYS_openat, { 0, 0, O_RDWR | O_CREAT }, ALLOW },
	{ SANDBOX_TABLES, OURS, SYS_unlinkat, { 0 }, REFUSE },
	{ SANDBOX_SPOOL_WRITE, OURS, SYS_unlinkat, { 0 }, ALLOW },
	{ 0, OURS, SYS_clone,
		{ CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD },
		ALLOW },
	{ 0, OURS, SYS_clone, { 17 }, REFUSE }, /* fork() */
	{ SANDBOX_SPAWN, OURS, SYS_clone, { 17 }, ALLOW },
	{ SANDBOX_SPAWN, OURS, SYS_clone, { CLONE_NEWUSER | 17 }, REFUSE },
	/* Another table's numbers mean other calls. */
	{ 0, OTHER, SYS_read, { 0 }, KILL }, { 0, 0, SYS_read, { 0 }, KILL },
#ifdef __x86_64__
	{ 0, OURS, 0x40000000, { 0 }, KILL }, /* x32 */
#endif
};

#ifdef SANITIZED
#define REFUSALS false /* the sanitizers are allowed what a daemon is not */
#else
#define REFUSALS true
#endif

TEST(the_filter_answers)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sock_filter code[SECCOMP_MOST];
		size_t n = seccomp_program(rows[i].what, code);
		struct seccomp_data call = { .nr = (int)rows[i].number,
			.arch = rows[i].arch };

		if (rows[i].want == REFUSE && !REFUSALS)
			continue;
		for (size_t a = 0; a < 6; a++)
			call.args[a] = rows[i].args[a];
		test_row(i);
		CHECK_INT(answer(code, n, &call), rows[i].want);
	}
}

TEST(only_its_own_process_is_aborted)
{
	struct sock_filter code[SECCOMP_MOST];
	size_t n = seccomp_program(0, code);
	struct seccomp_data call = { .nr = SYS_tgkill, .arch = OURS };

	call.args[0] = (uint64_t)getpid();
	CHECK_INT(answer(code, n, &call), ALLOW);
	call.args[0]++;
	if (REFUSALS)
		CHECK_INT(answer(code, n, &call), REFUSE);
}
#else
TEST(without_a_table_of_its_own_a_machine_has_no_filter)
{
	CHECK(seccomp_enter(0) < 0 && errno == ENOSYS);
}
#endif

TEST_MAIN()
