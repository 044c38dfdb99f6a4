/* files_fuzz.c -- main.cf and master.cf of any kind: one input is main.cf up to the first
 * line "--", then master.cf. */
#include "conf.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/postern-fuzz-XXXXXX";

static void
remove_folder(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ensure(system(command) == 0);
}

static void
make_folder(void)
{
	static bool made;

	if (made)
		return;
	ensure(mkdtemp(folder));
	atexit(remove_folder);
	made = true;
}

static void
write_file(const char *name, struct str text)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ensure(f && fwrite(text.data, 1, text.len, f) == text.len && fclose(f) == 0);
}

static void
use(const struct conf *c, struct conf_issues *issues)
{
	struct master_conf *m = master_conf_load(folder, c, issues);

	conf_warn_unhonoured(c, issues);
	conf_warn_deprecated(c, issues);
	if (m)
		master_conf_warn(m, folder, issues);
	master_conf_free(m);
	(void)conf_transport_int(c, STR("slow"), "destination_concurrency_limit");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size);
	ssize_t end = str_find(text, STR("\n--\n"));
	size_t main_cf = end < 0 ? size : (size_t)end;
	struct conf_issues issues CLEANUP(conf_issues_free);
	struct str networks = STR("mynetworks=127.0.0.0/8"); /* no look-ups of names */
	struct strs overrides = { &networks, 1 };
	struct conf *c;

	make_folder();
	conf_issues_init(&issues);
	write_file("main.cf", str_sub(text, 0, main_cf));
	write_file("master.cf", str_from(text, main_cf + 4));
	c = conf_load(folder, STR("fuzz"), &overrides, &issues);
	if (c)
		use(c, &issues);
	conf_free(c);
	return 0;
}
