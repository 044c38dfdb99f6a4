/* postern_jail.c -- status --jail: the walls that each running process has, as the kernel
 * shows them in /proc. What the kernel does not show (Landlock) is said to be so. */
#include "postern.h"
#include "log.h"
#include "sandbox_internal.h"
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	char name[32];
	uid_t uid;
	int no_new_privs, seccomp;
	uint64_t caps, bounding;
};

/* ---- /proc/PID/status ---- */

static bool
field(struct str status, const char *name, struct str *out)
{
	struct str line;

	while (str_token(&status, "\n", &line)) {
		if (!str_starts(line, str_c(name)) || line.data[strlen(name)] != ':')
			continue;
		*out = str_trim(str_from(line, strlen(name) + 1));
		return true;
	}
	return false;
}

static long
number(struct str status, const char *name)
{
	struct str text, first;
	long n = 0;

	if (!field(status, name, &text) || !str_token(&text, " \t", &first) ||
		str_to_long(first, &n) < 0)
		return -1;
	return n;
}

static uint64_t
bits(struct str status, const char *name)
{
	struct str text;

	return field(status, name, &text) ? strtoull(text.data, NULL, 16) : 0;
}

static bool
read_process(const char *pid, struct process *out)
{
	struct buf status CLEANUP(buf_free) = BUF_INIT;
	struct str name = STR_NONE;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	if (read_file(path, 64 * 1024, &status) < 0)
		return false;
	*out = (struct process){ .pid = atoi(pid),
		.parent = (pid_t)number(buf_str(&status), "PPid"),
		.uid = (uid_t)number(buf_str(&status), "Uid"),
		.no_new_privs = (int)number(buf_str(&status), "NoNewPrivs"),
		.seccomp = (int)number(buf_str(&status), "Seccomp"),
		.caps = bits(buf_str(&status), "CapEff"),
		.bounding = bits(buf_str(&status), "CapBnd") };
	field(buf_str(&status), "Name", &name);
	snprintf(out->name, sizeof(out->name), STR_FMT, STR_ARG(name));
	return true;
}

/* ---- one line ---- */

static const char *
own_network(const struct process *p, pid_t master)
{
	char path[64], its[64], of_master[64];
	ssize_t a, b;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)p->pid);
	a = readlink(path, its, sizeof(its));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)master);
	b = readlink(path, of_master, sizeof(of_master));
	if (a <= 0 || b <= 0)
		return "?";
	return a == b && memcmp(its, of_master, (size_t)a) == 0 ? "shared" : "own";
}

static void
show(const struct process *p, pid_t master)
{
	static const char *const modes[] = { "off", "strict", "filter" };
	const struct passwd *user = getpwuid(p->uid);
	char uid[20];

	snprintf(uid, sizeof(uid), "%u", (unsigned)p->uid);
	printf("%-8d %-10s %-16s %-12s %-7s %-16llx %-16llx %s\n", (int)p->pid, p->name,
		user ? user->pw_name : uid, p->no_new_privs == 1 ? "yes" : "no",
		p->seccomp >= 0 && p->seccomp <= 2 ? modes[p->seccomp] : "?",
		(unsigned long long)p->caps, (unsigned long long)p->bounding,
		own_network(p, master));
}

/* Children of master, and theirs: deliveries. */
static bool
belongs(const struct process *p, pid_t master)
{
	struct process parent;
	char text[20];

	if (p->parent == master)
		return true;
	snprintf(text, sizeof(text), "%d", (int)p->parent);
	return p->parent > 1 && read_process(text, &parent) && parent.parent == master;
}

int
jail_show(pid_t master)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	struct process p;

	if (!proc)
		log_fatal("/proc: %m");
	printf("%-8s %-10s %-16s %-12s %-7s %-16s %-16s %s\n", "PID", "PROGRAM", "USER",
		"NO_NEW_PRIVS", "SECCOMP", "CAPABILITIES", "BOUNDING SET", "NETWORK");
	while ((entry = readdir(proc)))
		if (ascii_is_digit(entry->d_name[0]) && read_process(entry->d_name, &p) &&
			belongs(&p, master))
			show(&p, master);
	closedir(proc);
	if (landlock_version() > 0)
		printf("Landlock: version %d of the kernel's interface is in use; /proc "
		       "does "
		       "not show it for each process.\n",
			landlock_version());
	else
		printf("Landlock: this kernel has none.\n");
	return 0;
}
