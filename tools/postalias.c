/* postalias -- makes, changes and asks alias databases (postalias(1), aliases(5)). */
#include "table_tool.h"

static const struct table_tool postalias = {
	.name = "postalias",
	.separator = ":\t",
	.options = "NUfijnoprsuvwc:d:q:",
	.help = { "postalias [-fijnNoprsuUvw] [-c config_dir] [-d key] [-q key] "
		  "[map_type:]file...",
		"makes alias databases from files of \"name: value, value\" lines\n"
		"  -q key   look up a name (-: names from standard input)\n"
		"  -d key   delete a name (-: names from standard input)\n"
		"  -s       list the database\n"
		"  -i       add entries from standard input\n"
		"  -r, -w   replace duplicate entries; do not warn about them\n"
		"  -j       with -q and -s: print JSON\n"
		"  -f       do not fold names to lower case\n"
		"  -n, -N   no NUL, a NUL behind names and values\n"
		"  -o       stay root for source files of other users\n"
		"  -p       mode 0644 instead of the source file's\n"
		"  -u, -U   UTF-8 support off, on\n"
		"  -c dir   the directory of main.cf\n"
		"  -v       say what is done\n" },
	.entry = source_alias_entry,
};

int
main(int argc, char **argv)
{
	return table_tool_main(&postalias, argc, argv);
}
