/* judge.c -- see judge.h. Whatever the library does here, it does to this process only:
 * that has no descriptor but its socket, and a timer that ends it. */
#include "judge.h"
#include "dovecot_line.h"
#include "event.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE 9 /* seconds for one call: smtpd waits for ten */
#define OURS     3 /* the socket */

static struct buf input;

/* ---- lines ---- */

static void
say(struct buf *line)
{
	buf_addc(line, '\n');
	if (write_all(OURS, buf_str(line)) < 0)
		_exit(0); /* nobody is interested any more */
}

/* False: it is over. */
static bool
read_line(struct str *line)
{
	static size_t used;
	ssize_t n, end;

	mem_wipe(input.data, used);
	buf_drop(&input, used);
	while ((end = str_chr(buf_str(&input), '\n')) < 0) {
		buf_need(&input, DOVECOT_LINE_MOST);
		n = read(OURS, input.data + input.len, input.room - input.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		input.len += (size_t)n;
	}
	*line = str_sub(buf_str(&input), 0, (size_t)end);
	used = (size_t)end + 1;
	return true;
}

static void
tell_log(const char *text, bool bad)
{
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&line, "LOG\tSASL authentication %s: ", bad ? "failure" : "problem");
	dovecot_add_escaped(&line, str_c(text));
	say(&line);
}

/* ---- the library ---- */

static void
limit_time(int seconds)
{
	struct itimerval limit = { .it_value.tv_sec = seconds };

	(void)setitimer(ITIMER_REAL, &limit, NULL);
}

static void
say_mechanism(const struct sasl_mechanism *m)
{
	static const struct {
		unsigned property;
		const char *word;
	} words[] = {
		{ SASL_PLAINTEXT, "plaintext" },
		{ SASL_ACTIVE, "active" },
		{ SASL_DICTIONARY, "dictionary" },
		{ SASL_ANONYMOUS, "anonymous" },
		{ SASL_MUTUAL, "mutual-auth" },
		{ SASL_FORWARD, "forward-secrecy" },
	};
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	buf_addz(&line, "MECH\t");
	dovecot_add_escaped(&line, m->name);
	for (size_t i = 0; i < COUNT(words); i++)
		if (m->properties & words[i].property)
			buf_printf(&line, "\t%s", words[i].word);
	say(&line);
}

static void
add_value(struct buf *line, const char *name, struct str value)
{
	if (value.len == 0)
		return;
	buf_printf(line, "\t%s=", name);
	dovecot_add_escaped(line, value);
}

static void
say_answer(struct str id, const struct sasl_answer *answer)
{
	static const char *const words[] = { [SASL_MORE] = "CONT",
		[SASL_DONE] = "OK",
		[SASL_REFUSED] = "FAIL",
		[SASL_TEMPFAIL] = "FAIL" };
	struct buf line CLEANUP(buf_free) = BUF_INIT;

	buf_printf(&line, "%s\t" STR_FMT, words[answer->status], STR_ARG(id));
	if (answer->status == SASL_MORE) {
		buf_addc(&line, '\t');
		buf_add(&line, answer->text);
	} else {
		add_value(&line, "user", answer->username);
		add_value(&line, "reason", answer->text);
	}
	if (answer->status == SASL_TEMPFAIL)
		buf_addz(&line, "\ttemp");
	say(&line);
}

/* "AUTH" TAB id TAB mechanism, parameters that are nothing to the library, resp=. */
static void
begin(struct str line, struct str *id, struct sasl_answer *answer)
{
	struct str word, mechanism = STR(""), response = STR_NONE;

	(void)str_split(&line, '\t', &word);
	(void)str_split(&line, '\t', id);
	(void)str_split(&line, '\t', &mechanism);
	while (str_split(&line, '\t', &word))
		if (str_starts(word, STR("resp=")))
			response = str_from(word, 5);
	if (str_is(response, "="))
		response = STR("");
	cyrus_begin(mechanism, response, answer);
}

/* A login, from the first line to the verdict. */
static void
judge(struct str line)
{
	struct sasl_answer answer;
	struct str id = STR("0"), kept, word;

	begin(line, &id, &answer);
	kept = str_of(strndup(id.data, id.len), id.len);
	limit_time(0);
	say_answer(kept, &answer);
	while (answer.status == SASL_MORE && read_line(&line)) {
		(void)str_split(&line, '\t', &word);
		(void)str_split(&line, '\t', &word);
		limit_time(PATIENCE);
		cyrus_continue(line, &answer);
		limit_time(0);
		say_answer(kept, &answer);
	}
}

NORETURN static void
run(const struct cyrus_config *config, struct str line)
{
	struct why why;

	limit_time(PATIENCE);
	if (!cyrus_start(config, tell_log, &why))
		tell_log(why.text, false);
	else if (line.len == 0)
		cyrus_mechanisms(say_mechanism);
	else
		judge(line);
	_exit(0);
}

int
judge_begin(const struct cyrus_config *config, struct str line, pid_t *pid)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	*pid = fork();
	if (*pid == 0) {
		event_after_fork();
		(void)signal(SIGALRM, SIG_DFL);
		(void)signal(SIGPIPE, SIG_IGN);
		if (dup2(pair[1], OURS) < 0 || close_range(OURS + 1, ~0U, 0) < 0)
			_exit(1);
		run(config, line);
	}
	close(pair[1]);
	if (*pid > 0)
		return pair[0];
	close(pair[0]);
	return -1;
}
