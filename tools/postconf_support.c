/* postconf_support.c -- postconf --support: for each parameter how soon it is wanted
 * (tier), whether a setting has its effect, and since which release. */
#include "postconf.h"
#include "json.h"

/* What is honoured without a word on it was so from the beginning. */
#define FIRST_RELEASE "0.1.0"

static const char *
since(const struct param_info *p)
{
	if (!p->honoured)
		return "";
	return p->since ? p->since : FIRST_RELEASE;
}

static void
print_json(const struct param_info *p)
{
	fputs("{\"name\": ", stdout);
	json_string(stdout, str_c(p->name));
	printf(", \"tier\": %u, \"honoured\": %s", (unsigned)p->tier,
		p->honoured ? "true" : "false");
	if (p->honoured) {
		fputs(", \"since\": ", stdout);
		json_string(stdout, str_c(since(p)));
	}
	puts("}");
}

static void
print_row(const struct param_info *p)
{
	printf("%-60s %u %s%s%s\n", p->name, (unsigned)p->tier,
		p->honoured ? "yes" : "no", p->honoured ? " " : "", since(p));
}

int
print_support(char **arguments)
{
	bool json = *arguments && strcmp(*arguments, "-j") == 0;
	size_t n;
	const struct param_info *params = conf_params(&n);
	void (*print)(const struct param_info *) = json ? print_json : print_row;

	arguments += json;
	for (size_t i = 0; !*arguments && i < n; i++)
		print(&params[i]);
	for (; *arguments; arguments++) {
		const struct param_info *p = conf_param(str_c(*arguments));

		if (p)
			print(p);
		else
			postconf_warn("%s: unknown parameter", *arguments);
	}
	return fflush(stdout) != 0;
}
