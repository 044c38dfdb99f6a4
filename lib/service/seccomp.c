/* seccomp.c -- the system calls of each program: an allow-list made into BPF by hand, so
 * that nobody has to trust a library for it (seccomp(2)).
 *
 * What is not in the list fails with EPERM, after a handler noted its number: a call that
 * we forgot shows in the log instead of in a core file. The handler belongs to the
 * process; one that was captured can replace it, and gains nothing: the call is not made
 * either way. Calls through another architecture's table (i386, x32) kill the process. */
#include "config.h"
#include "sandbox_internal.h"
#include "log.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <fcntl.h>
#include <unistd.h>
#include "syscalls.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#define ARG_LOW(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

struct program {
	struct sock_filter *code;
	unsigned short n;
};

static void
add(struct program *p, unsigned short code, uint32_t k, uint8_t yes, uint8_t no)
{
	ensure(p->n < SECCOMP_MOST);
	p->code[p->n++] = (struct sock_filter){ code, yes, no, k };
}
#define LOAD(p, at)   add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at), 0, 0)
#define GIVE(p, what) add(p, BPF_RET | BPF_K, (what), 0, 0)

static void
allow_call(struct program *p, uint32_t number)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
	GIVE(p, SECCOMP_RET_ALLOW);
}

/* Allowed when (argument & mask) == value; otherwise the next row is looked at. Only the
 * low half is compared: every argument in the table is an int, or a mask of low flags. */
static void
allow_call_with(struct program *p, const struct syscall_row *row)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, row->number, 0, 5);
	LOAD(p, ARG_LOW(row->argument));
	add(p, BPF_ALU | BPF_AND | BPF_K, row->mask, 0, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K,
		row->value == SYSCALL_OWN_PID ? (uint32_t)getpid() : row->value, 0, 1);
	GIVE(p, SECCOMP_RET_ALLOW);
	LOAD(p, offsetof(struct seccomp_data, nr));
}

static void
start_program(struct program *p)
{
#ifdef OUR_ARCH
	LOAD(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	GIVE(p, SECCOMP_RET_KILL_PROCESS);
#endif
	LOAD(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	add(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* x32 */
	GIVE(p, SECCOMP_RET_KILL_PROCESS);
#endif
	/* Its flags are in memory, where no filter can look: without it libc falls back
	 * to clone(). */
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	GIVE(p, SECCOMP_RET_ERRNO | ENOSYS);
}

unsigned short
seccomp_program(unsigned what, struct sock_filter *code)
{
	struct program p = { .code = code };

	start_program(&p);
	for (size_t i = 0; i < syscall_rows_count; i++) {
		const struct syscall_row *row = &syscall_rows[i];

		if (!(row->bits & (what | SYSCALL_ALWAYS)) || row->unless & what)
			continue;
		if (row->argument < 0)
			allow_call(&p, row->number);
		else
			allow_call_with(&p, row);
	}
	GIVE(&p, SECCOMP_RET_TRAP);
	return p.n;
}

/* ---- refused calls ---- */

#define NUMBERS 512
static atomic_uchar refused[NUMBERS]; /* 1: to be told; 2: told */
static int refusal_event = -1;

/* SIGSYS comes in the thread that made the call, between two of its instructions. */
static void
on_refusal(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	unsigned number = (unsigned)info->si_syscall;
	uint64_t one = 1;
	unsigned char untold = 0;

	(void)signo;
#if defined(__x86_64__)
	at->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	at->uc_mcontext.regs[0] = (unsigned long)-EPERM;
#endif
	if (number < NUMBERS &&
		atomic_compare_exchange_strong(&refused[number], &untold, 1))
		while (write(refusal_event, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

int
seccomp_refusals(void)
{
	return refusal_event;
}

void
seccomp_say_refused(const char *program)
{
	uint64_t count;

	if (read(refusal_event, &count, sizeof(count)) < 0)
		return;
	for (unsigned i = 0; i < NUMBERS; i++) {
		unsigned char untold = 1;

		if (atomic_compare_exchange_strong(&refused[i], &untold, 2))
			log_warn("%s: system call %u was refused by the jail; "
				 "sandbox = no turns the jail off",
				program, i);
	}
}

static int
catch_refusals(void)
{
	struct sigaction catch = { .sa_sigaction = on_refusal,
		.sa_flags = SA_SIGINFO | SA_RESTART };

	if (refusal_event < 0)
		refusal_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return refusal_event < 0 ? -1 : sigaction(SIGSYS, &catch, NULL);
}

int
seccomp_enter(unsigned what)
{
	struct sock_filter code[SECCOMP_MOST];
	struct sock_fprog filter = { .filter = code };

#ifndef OUR_ARCH
	/* The numbers of another architecture's table would need its check. */
	errno = ENOSYS;
	return -1;
#endif
	if (catch_refusals() < 0)
		return -1;
	filter.len = seccomp_program(what, code);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}
