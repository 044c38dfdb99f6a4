/* command_test.c -- what the end of a command means, and which need a shell. */
#include "command.h"
#include "test.h"

#define EXITED(code) ((code) << 8)

static const struct {
	int status;
	struct str output;
	enum verdict want;
	const char *code, *text;
} ends[] = {
	{ EXITED(0), STR_INIT(""), ACCEPT, "2.0.0", "" },
	{ EXITED(0), STR_INIT("5.1.1 all is well"), ACCEPT, "2.0.0",
		"5.1.1 all is well" },
	{ EXITED(0), STR_INIT(" fine "), ACCEPT, "2.0.0", " fine" },
	{ EXITED(75), STR_INIT(""), TEMPFAIL, "4.3.0", "temporary failure" },
	{ EXITED(67), STR_INIT("who?"), PERMFAIL, "5.1.1",
		"user unknown. Command output: who?" },
	{ EXITED(67), STR_INIT("4.2.2 full"), TEMPFAIL, "4.2.2", "full" },
	{ EXITED(1), STR_INIT("5.7.123 no"), PERMFAIL, "5.7.123", "no" },
	{ EXITED(75), STR_INIT("2.1.5 yes"), PERMFAIL, "5.0.0", "yes" },
	{ EXITED(65), STR_INIT(" 5.1.1 no"), PERMFAIL, "5.6.0",
		"data format error. Command output:  5.1.1 no" },
	{ EXITED(65), STR_INIT("5.1.1  no "), PERMFAIL, "5.1.1", "no " },
	{ EXITED(1), STR_INIT("5.1 no"), PERMFAIL, "5.3.0",
		"Command died with status 1: \"cmd\". Command output: 5.1 no" },
	{ EXITED(1), STR_INIT("5.1.1.1 no"), PERMFAIL, "5.3.0",
		"Command died with status 1: \"cmd\". Command output: 5.1.1.1 no" },
	{ EXITED(63), STR_INIT(""), PERMFAIL, "5.3.0",
		"Command died with status 63: \"cmd\"" },
	{ EXITED(79), STR_INIT(""), PERMFAIL, "5.3.0",
		"Command died with status 79: \"cmd\"" },
	{ EXITED(78), STR_INIT(""), PERMFAIL, "5.3.5", "local configuration error" },
	{ 9, STR_INIT("5.1.1 x"), TEMPFAIL, "4.3.0",
		"Command died with signal 9: \"cmd\". Command output: 5.1.1 x" },
};

TEST(ends_have_meanings)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct why why;

		test_row(i);
		CHECK_INT(
			command_verdict(ends[i].status, ends[i].output, STR("cmd"), &why),
			ends[i].want);
		CHECK_STR(str_c(why.code), ends[i].code);
		CHECK_STR(str_c(why.text), ends[i].text);
	}
}

static const struct {
	struct str command;
	size_t words; /* 0: a shell's work */
} commands[] = {
	{ STR_INIT("/usr/bin/procmail -a x"), 3 },
	{ STR_INIT("procmail"), 1 },
	{ STR_INIT("exit 1"), 0 },
	{ STR_INIT("exec true"), 0 },
	{ STR_INIT("A=b program"), 0 },
	{ STR_INIT("program | other"), 0 },
	{ STR_INIT("program $USER"), 0 },
	{ STR_INIT("program 'x'"), 0 },
	{ STR_INIT(""), 0 },
};

TEST(plain_commands_need_no_shell)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct arena *a CLEANUP(arena_free_at) = arena_new();

		test_row(i);
		CHECK_INT(command_words(commands[i].command, a).n, commands[i].words);
	}
}

TEST_MAIN()
