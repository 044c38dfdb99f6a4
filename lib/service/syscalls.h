/* syscalls.h -- the table behind seccomp.c: which bit of enum SANDBOX_* needs which call.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <stddef.h>
#include <stdint.h>

#define SYSCALL_ALWAYS (1U << 31)
#define SYSCALL_OWN_PID \
	UINT32_C(0xfffffffe) /* as value: the pid of the process that enters */

struct syscall_row {
	uint32_t number;
	unsigned bits;   /* allowed with any of these */
	unsigned unless; /* but not with any of these: a wider row stands elsewhere */
	int argument;    /* -1: whatever the arguments; else (argument & mask) == value */
	uint32_t mask, value;
};
extern const struct syscall_row syscall_rows[];
extern const size_t syscall_rows_count;

#endif
