/* sandbox_internal.h -- the walls of the jail, one file each; sandbox.c puts them up in
 * order. */
#ifndef SANDBOX_INTERNAL_H
#define SANDBOX_INTERNAL_H

#include "service.h"

/* Each is 0 when the wall stands, -1 and errno when it does not (ENOSYS, EOPNOTSUPP: the
 * kernel has no such wall). */

/* ---- landlock.c: files, TCP ports, signals and abstract sockets ---- */
/* 0 when the kernel has none. */
int landlock_version(void);
int landlock_enter(unsigned what, const struct conf *c) MUST_CHECK;

/* ---- seccomp.c: system calls ---- */
int seccomp_enter(unsigned what) MUST_CHECK;
/* The filter that it enters: instructions written to code, and how many. */
enum { SECCOMP_MOST = 1024 };
struct sock_filter;
unsigned short seccomp_program(unsigned what, struct sock_filter *code);
/* Refused calls end in a handler that makes them fail with EPERM and notes their number.
 * The descriptor becomes readable then; sandbox_say_refused() logs each number once. */
int seccomp_refusals(void); /* -1 before seccomp_enter() */
void seccomp_say_refused(const char *program);

/* ---- capabilities.c ---- */
/* The bounding set, while still root with all of them. */
int capabilities_bound(unsigned what) MUST_CHECK;
/* All other sets, once the user was switched: empty, but for root parents of deliveries.
 */
int capabilities_limit(unsigned what) MUST_CHECK;

/* Test builds (--enable-captured) leave out a wall named in POSTERN_WITHOUT, to see what
 * stands in for it. False in all others. */
bool sandbox_without(const char *wall);

#endif
