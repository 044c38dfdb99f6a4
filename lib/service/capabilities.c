/* capabilities.c -- capability sets by raw system calls (capabilities(7)). */
#include "sandbox_internal.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_WORDS _LINUX_CAPABILITY_U32S_3

static int
set_all(const uint32_t keep[CAP_WORDS])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[CAP_WORDS];

	for (size_t i = 0; i < CAP_WORDS; i++)
		sets[i] = (struct __user_cap_data_struct){ keep[i], keep[i], 0 };
	return (int)syscall(SYS_capset, &head, sets);
}

/* A launcher switches its children to their users and may have to end them.
 * It keeps no CAP_DAC_*: of files it may touch what root owns. */
static void
kept_for(unsigned what, uint32_t keep[CAP_WORDS])
{
	memset(keep, 0, CAP_WORDS * sizeof(*keep));
	if (what & (SANDBOX_SPAWN | SANDBOX_EXEC))
		keep[0] = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL;
	if (what & SANDBOX_KEYS)
		keep[0] = 1U << CAP_DAC_READ_SEARCH;
	if (what & SANDBOX_CHROOT)
		keep[0] |= 1U << CAP_SYS_CHROOT;
}

/* Where foreign commands are run the bounding set stays whole: it would follow them
 * through exec. A child of a parent that went through here has lost the right to do it
 * again, and the need. */
int
capabilities_bound(unsigned what)
{
	uint32_t keep[CAP_WORDS];

	kept_for(what, keep);
	if (what & SANDBOX_EXEC)
		return 0;
	for (int cap = 0; cap <= 63; cap++) {
		if (keep[cap / 32] & 1U << cap % 32 ||
			prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -1;
	}
	return 0;
}

int
capabilities_limit(unsigned what)
{
	uint32_t keep[CAP_WORDS];

	kept_for(geteuid() == 0 ? what : 0, keep);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	return set_all(keep);
}
