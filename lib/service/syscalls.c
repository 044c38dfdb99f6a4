/* syscalls.c -- see syscalls.h. Rows that look at an argument come first: they are few,
 * and the others are answered from the kernel's bitmap without running the filter at all.
 *
 * Not here, for anybody in a jail: execve, ptrace, process_vm_*, io_uring_*, bpf, mount
 * and namespaces, module and key calls, listen, userfaultfd, perf_event_open. */
#include "config.h"
#include "service.h"
#include "syscalls.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>

#define ALWAYS SYSCALL_ALWAYS
/* Those who open files at all: which, Landlock and the file modes say. */
#define FILES \
	(SANDBOX_TABLES | SANDBOX_SPOOL_READ | SANDBOX_SPOOL_WRITE | SANDBOX_MAILDROP | \
		SANDBOX_SPAWN | SANDBOX_MAILBOX | SANDBOX_DNS_FILES | SANDBOX_CLIENTS | \
		SANDBOX_DATA | SANDBOX_KEYS)
#define WRITES \
	(SANDBOX_SPOOL_WRITE | SANDBOX_SPAWN | SANDBOX_MAILBOX | SANDBOX_MAILDROP | \
		SANDBOX_DATA)
#define NETWORK (SANDBOX_INTERNET | SANDBOX_CONNECT_LOCAL)
#define EXECUTES \
	(SANDBOX_PCRE | SANDBOX_SPAWN | \
		SANDBOX_CLIENTS) /* JIT; modules of getpwnam in a child; plug-ins */

#define CALL(name, bits) \
	{ \
		SYS_##name, bits, 0, -1, 0, 0 \
	}
#define CALL_IF(name, bits, argument, mask, value) \
	{ \
		SYS_##name, bits, 0, argument, mask, value \
	}
#define CALL_BUT(name, bits, unless, argument, mask, value) \
	{ \
		SYS_##name, bits, unless, argument, mask, value \
	}

#define OPENS_TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)
#define THREAD_FLAGS   (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE)

const struct syscall_row syscall_rows[] = {
	/* ---- by argument ---- */
	CALL_BUT(mmap, ALWAYS, EXECUTES, 2, PROT_EXEC, 0),
	CALL(mmap, EXECUTES),
	CALL_BUT(mprotect, ALWAYS, EXECUTES, 2, PROT_EXEC, 0),
	CALL(mprotect, EXECUTES),
	CALL_IF(clone, ALWAYS, 0, THREAD_FLAGS | NAMESPACES, THREAD_FLAGS),
	CALL_IF(clone, SANDBOX_SPAWN | SANDBOX_FORK, 0, NAMESPACES, 0),
	CALL_IF(tgkill, ALWAYS, 0, ~0U, SYSCALL_OWN_PID), /* abort() */
	CALL_IF(ioctl, ALWAYS, 1, ~0U, FIONREAD),
	CALL_IF(ioctl, ALWAYS, 1, ~0U, SIOCOUTQ),
	CALL_IF(ioctl, ALWAYS, 1, ~0U, TCGETS),
	CALL_IF(socket, SANDBOX_INTERNET, 0, ~0U, AF_INET),
	CALL_IF(socket, SANDBOX_INTERNET, 0, ~0U, AF_INET6),
	CALL_IF(socket, SANDBOX_CONNECT_LOCAL, 0, ~0U, AF_UNIX),
	CALL_IF(socket, SANDBOX_CLIENTS, 0, ~0U, AF_NETLINK), /* getaddrinfo() */
	CALL_IF(socketpair, ALWAYS, 0, ~0U, AF_UNIX),
	/* libc asks for the status of a descriptor in this form. */
	CALL_BUT(newfstatat, ALWAYS, FILES, 3, AT_EMPTY_PATH, AT_EMPTY_PATH),
	CALL_IF(prctl, ALWAYS, 0, ~0U, PR_SET_NAME),
	/* Who never writes files cannot open one for that, Landlock or not. */
	CALL_BUT(openat, FILES, WRITES, 2, OPENS_TO_WRITE, 0),
	CALL(openat, WRITES),
	CALL_IF(prlimit64, ALWAYS, 0, ~0U, 0), /* its own */
#ifdef __x86_64__
	CALL_BUT(open, FILES, WRITES, 1, OPENS_TO_WRITE, 0),
	CALL(open, WRITES),
#endif

	/* ---- what everybody does ---- */
	CALL(read, ALWAYS),
	CALL(write, ALWAYS),
	CALL(readv, ALWAYS),
	CALL(writev, ALWAYS),
	CALL(pread64, ALWAYS),
	CALL(pwrite64, ALWAYS),
	CALL(preadv, ALWAYS),
	CALL(pwritev, ALWAYS),
	CALL(pwritev2, ALWAYS),
	CALL(close, ALWAYS),
	CALL(close_range, ALWAYS),
	CALL(lseek, ALWAYS),
	CALL(fstat, ALWAYS),
	CALL(fsync, ALWAYS),
	CALL(fdatasync, ALWAYS),
	CALL(ftruncate, ALWAYS),
	CALL(fallocate, ALWAYS),
	CALL(fadvise64, ALWAYS),
	CALL(fcntl, ALWAYS),
	CALL(dup, ALWAYS),
	CALL(dup3, ALWAYS),
	CALL(pipe2, ALWAYS),
	CALL(memfd_create, ALWAYS),
	CALL(sendfile, ALWAYS),
	CALL(splice, ALWAYS),
	CALL(munmap, ALWAYS),
	CALL(mremap, ALWAYS),
	CALL(brk, ALWAYS),
	CALL(madvise, ALWAYS),
	CALL(msync, ALWAYS),
	CALL(mlock, ALWAYS),
	CALL(munlock, ALWAYS),
	CALL(futex, ALWAYS),
	CALL(set_robust_list, ALWAYS),
	CALL(rseq, ALWAYS),
	CALL(membarrier, ALWAYS),
	CALL(sched_yield, ALWAYS),
	CALL(sched_getaffinity, ALWAYS),
	CALL(restart_syscall, ALWAYS),
	CALL(exit, ALWAYS),
	CALL(exit_group, ALWAYS),
	CALL(rt_sigaction, ALWAYS),
	CALL(rt_sigprocmask, ALWAYS),
	CALL(rt_sigreturn, ALWAYS),
	CALL(sigaltstack, ALWAYS),
	CALL(signalfd4, ALWAYS),
	CALL(epoll_create1, ALWAYS),
	CALL(epoll_ctl, ALWAYS),
	CALL(epoll_pwait, ALWAYS),
	CALL(epoll_pwait2, ALWAYS),
	CALL(ppoll, ALWAYS),
	CALL(pselect6, ALWAYS),
	CALL(eventfd2, ALWAYS),
	CALL(timerfd_create, ALWAYS),
	CALL(timerfd_settime, ALWAYS),
	CALL(sendto, ALWAYS),
	CALL(sendmsg, ALWAYS),
	CALL(sendmmsg, ALWAYS),
	CALL(recvfrom, ALWAYS),
	CALL(recvmsg, ALWAYS),
	CALL(recvmmsg, ALWAYS),
	CALL(accept4, ALWAYS),
	CALL(shutdown, ALWAYS),
	CALL(getsockopt, ALWAYS),
	CALL(setsockopt, ALWAYS),
	CALL(getsockname, ALWAYS),
	CALL(getpeername, ALWAYS),
	CALL(clock_gettime, ALWAYS),
	CALL(clock_getres, ALWAYS),
	CALL(clock_nanosleep, ALWAYS),
	CALL(nanosleep, ALWAYS),
	CALL(gettimeofday, ALWAYS),
	CALL(getpid, ALWAYS),
	CALL(gettid, ALWAYS),
	CALL(getppid, ALWAYS),
	CALL(getuid, ALWAYS),
	CALL(geteuid, ALWAYS),
	CALL(getgid, ALWAYS),
	CALL(getegid, ALWAYS),
	CALL(getrandom, ALWAYS),
	CALL(uname, ALWAYS),
	CALL(sysinfo, ALWAYS),
	CALL(getrusage, ALWAYS),
	CALL(umask, ALWAYS),
#ifdef __x86_64__
	CALL(epoll_wait, ALWAYS),
	CALL(poll, ALWAYS),
	CALL(select, ALWAYS),
	CALL(dup2, ALWAYS),
	CALL(time, ALWAYS),
	CALL(arch_prctl, ALWAYS),
#endif

	/* ---- files ---- */
	CALL(newfstatat, FILES),
	CALL(statx, FILES),
	CALL(faccessat, FILES),
	CALL(faccessat2, FILES),
	CALL(readlinkat, FILES),
	CALL(getdents64, FILES),
	CALL(statfs, FILES),
	CALL(fstatfs, FILES),
	CALL(flock, FILES),
	CALL(getcwd, FILES),
	CALL(chdir, FILES),
	CALL(fchdir, FILES),
#ifdef __x86_64__
	CALL(stat, FILES),
	CALL(lstat, FILES),
	CALL(access, FILES),
	CALL(readlink, FILES),
	CALL(mkdir, WRITES),
	CALL(rename, WRITES),
	CALL(unlink, WRITES),
	CALL(rmdir, WRITES),
	CALL(link, WRITES),
	CALL(chmod, WRITES),
#endif
	CALL(mkdirat, WRITES),
	CALL(renameat, WRITES),
	CALL(renameat2, WRITES),
	CALL(unlinkat, WRITES),
	CALL(linkat, WRITES),
	CALL(fchmod, WRITES),
	CALL(fchmodat, WRITES),
	CALL(utimensat, WRITES),
	CALL(truncate, WRITES),
	CALL(copy_file_range, WRITES),
	CALL(sync_file_range, WRITES),
	CALL(syncfs, WRITES),
	CALL(fchown, WRITES),

	/* ---- network ---- */
	CALL(connect, NETWORK),
	CALL(bind, SANDBOX_INTERNET),

	/* ---- parents of deliveries, and the way of their children into a jail ---- */
	CALL(wait4, SANDBOX_SPAWN | SANDBOX_FORK),
	CALL(waitid, SANDBOX_SPAWN | SANDBOX_FORK),
	CALL(setitimer, SANDBOX_FORK),
	CALL(kill, SANDBOX_SPAWN),
	CALL(setuid, SANDBOX_SPAWN),
	CALL(setgid, SANDBOX_SPAWN),
	CALL(setresuid, SANDBOX_SPAWN),
	CALL(setresgid, SANDBOX_SPAWN),
	CALL(setgroups, SANDBOX_SPAWN),
	CALL(getgroups, SANDBOX_SPAWN),
	CALL(setsid, SANDBOX_SPAWN),
	CALL(setpgid, SANDBOX_SPAWN),
	CALL(fchownat, SANDBOX_SPAWN),
	CALL(capset, SANDBOX_SPAWN),
	CALL(capget, SANDBOX_SPAWN),
	CALL(prctl, SANDBOX_SPAWN),
	CALL(seccomp, SANDBOX_SPAWN),
	CALL(landlock_create_ruleset, SANDBOX_SPAWN),
	CALL(landlock_add_rule, SANDBOX_SPAWN),
	CALL(landlock_restrict_self, SANDBOX_SPAWN),
#ifdef __x86_64__
	CALL(vfork, SANDBOX_SPAWN),
	CALL(fork, SANDBOX_SPAWN),
	CALL(chown, SANDBOX_SPAWN),
#endif

#ifdef SANITIZED
	/* The leak check stops its own threads from a child process, and reads files. */
	CALL(clone, ALWAYS),
	CALL(ptrace, ALWAYS),
	CALL(wait4, ALWAYS),
	CALL(prctl, ALWAYS),
	CALL(openat, ALWAYS),
	CALL(newfstatat, ALWAYS),
	CALL(readlinkat, ALWAYS),
	CALL(getdents64, ALWAYS),
	CALL(mmap, ALWAYS),
	CALL(mprotect, ALWAYS),
	CALL(tgkill, ALWAYS),
	CALL(kill, ALWAYS),
	CALL(ioctl, ALWAYS),
	CALL(prlimit64, ALWAYS),
	CALL(process_vm_readv, ALWAYS),
	CALL(sched_setaffinity, ALWAYS),
#ifdef __x86_64__
	CALL(open, ALWAYS),
	CALL(stat, ALWAYS),
	CALL(readlink, ALWAYS),
#endif
#endif
};
const size_t syscall_rows_count = COUNT(syscall_rows);
