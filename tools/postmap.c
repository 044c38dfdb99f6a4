/* postmap -- makes, changes and asks lookup tables (postmap(1)). */
#include "table_tool.h"

static enum source_entry
map_entry(struct str line, struct arena *arena UNUSED, struct str *key, struct str *value,
	struct why *why)
{
	return source_map_entry(line, key, value, why);
}

static const struct table_tool postmap = {
	.name = "postmap",
	.separator = "\t",
	.options = "NbUfFhijmnoprsuvwc:d:q:",
	.help = { "postmap [-bfFhijmnNoprsuUvw] [-c config_dir] [-d key] [-q key] "
		  "[map_type:]file...",
		"makes lookup tables from files of \"key value\" lines\n"
		"  -q key   look up a key (-: keys from standard input)\n"
		"  -d key   delete a key (-: keys from standard input)\n"
		"  -s       list the table\n"
		"  -i       add entries from standard input\n"
		"  -r, -w   replace duplicate entries; do not warn about them\n"
		"  -j       with -q and -s: print JSON\n"
		"  -b, -h   with -q -: look up the body lines, the headers of a message\n"
		"  -m       with -b, -h: with the MIME parts\n"
		"  -f       do not fold keys to lower case\n"
		"  -F       values name files, whose content is stored in base64\n"
		"  -n, -N   no NUL, a NUL behind keys and values\n"
		"  -o       stay root for source files of other users\n"
		"  -p       mode 0644 instead of the source file's\n"
		"  -u, -U   UTF-8 support off, on\n"
		"  -c dir   the directory of main.cf\n"
		"  -v       say what is done\n" },
	.entry = map_entry,
};

int
main(int argc, char **argv)
{
	return table_tool_main(&postmap, argc, argv);
}
