/* command.c -- see command.h. */
#include "command.h"
#include "deliver.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define OUTPUT_MOST 4096 /* of what a command says; the rest is read and dropped */

static atomic_int running; /* the process group, 0: none */

void
command_kill(void)
{
	int group = running;

	if (group > 0)
		kill(-group, SIGKILL);
}

/* ---- which program ---- */

/* Words that only a shell understands, and characters that mean something to it. */
struct strs
command_words(struct str command, struct arena *arena)
{
	static const char *const builtins[] = { ".", ":", "[", "alias", "break", "case",
		"cd", "command", "continue", "eval", "exec", "exit", "export", "for",
		"if", "read", "readonly", "return", "set", "shift", "test", "times",
		"trap", "type", "ulimit", "umask", "unset", "until", "wait", "while" };
	struct strs words = { .items = arena_alloc(arena,
				      (command.len / 2 + 2) * sizeof(struct str)) };
	struct str word;

	for (size_t i = 0; i < command.len; i++)
		if (!ascii_is_alnum(command.data[i]) &&
			str_chr(STR("!@%-_=+:,./ \t\r\n"), command.data[i]) < 0)
			return (struct strs){ 0 };
	while (str_token(&command, " \t\r\n", &word))
		words.items[words.n++] = word;
	for (size_t i = 0; i < COUNT(builtins) && words.n; i++)
		if (str_is(words.items[0], builtins[i]))
			words.n = 0;
	if (words.n && str_chr(words.items[0], '=') >= 0)
		words.n = 0; /* an assignment */
	return words;
}

char **
command_strings(struct strs list, struct arena *arena)
{
	char **out = arena_alloc(arena, (list.n + 1) * sizeof(*out));

	for (size_t i = 0; i < list.n; i++) {
		out[i] = arena_cstr(arena, list.items[i]);
		if (!out[i])
			return NULL;
	}
	return out;
}

/* sh -c COMMAND, or SHELL COMMAND. */
static struct strs
shell_words(struct str shell, struct str command, struct arena *arena)
{
	struct str rest = shell.len ? shell : STR("sh -c"), word;
	struct strs words = { .items = arena_alloc(
				      arena, (rest.len / 2 + 3) * sizeof(struct str)) };

	while (str_token(&rest, " \t", &word))
		words.items[words.n++] = word;
	words.items[words.n++] = command;
	return words;
}

struct program {
	char **argv;
	char **spare; /* by the shell, when argv is no program: a word of the shell's own
		       */
	bool usual_shell; /* argv is for /bin/sh, wherever PATH leads */
	char **environment;
	const char *directory;
	struct str name;     /* for texts: the command as it was given */
	const char *speaker; /* who says that it cannot be executed */
};

static int
find_program(const struct command_request *ask, struct arena *arena, struct program *out)
{
	struct str first = ask->argv.items[0];
	struct strs words = ask->argv;

	*out = (struct program){ .environment = command_strings(ask->environment, arena),
		.directory = arena_cstr(arena, ask->directory),
		.name = first,
		.speaker = "pipe: fatal: pipe_command" };
	if (ask->how & COMMAND_TEXT) {
		struct strs by_shell = shell_words(ask->shell, first, arena);

		out->speaker = "local: fatal";
		words = command_words(first, arena);
		if (ask->shell.len > 0 || words.n == 0) {
			words = by_shell;
			out->usual_shell = ask->shell.len == 0;
		} else if (str_chr(words.items[0], '/') < 0)
			out->spare = command_strings(by_shell, arena);
	}
	out->argv = command_strings(words, arena);
	errno = EINVAL; /* a NUL somewhere */
	return out->argv && out->environment && out->directory ? 0 : -1;
}

/* ---- the child ---- */

/* Its last words are the command's output: in the log, and in the bounce. */
PRINTF(2, 3)
NORETURN static void
give_up(const struct program *p, const char *fmt, ...)
{
	char text[1000];
	int len = snprintf(text, sizeof(text), "%s: ", p->speaker);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, ap);
	va_end(ap);
	_exit(write(2, text, strlen(text)) < 0 ? EX_OSERR : EX_TEMPFAIL);
}

NORETURN static void
run_program(const struct program *p, int in, int out)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	for (int signo = 1; signo < NSIG; signo++)
		sigaction(signo, &usual, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(EX_OSERR);
	close_range(3, ~0U, 0);
	if (p->directory[0] && chdir(p->directory) < 0)
		give_up(p, "cannot change directory to \"%s\" for uid=%lu gid=%lu: %s\n",
			p->directory, (unsigned long)geteuid(), (unsigned long)getegid(),
			strerror(errno));
	environ = p->environment;
	if (p->usual_shell)
		execv("/bin/sh", p->argv);
	else
		execvp(p->argv[0], p->argv);
	if (p->spare && errno == ENOENT)
		execv("/bin/sh", p->spare);
	give_up(p, "execvp %s: %s\n", p->argv[0], strerror(errno));
}

/* ---- the conversation ---- */

struct talk {
	pid_t pid;
	int pidfd, in, out; /* -1: closed, or over */
	deadline_t patience;
	struct content_cursor content;
	struct line_filter lines;
	struct buf pending; /* content on its way */
	size_t written;     /* of pending */
	bool all_read;      /* the content's end is in pending */
	bool blank_line;
	struct buf output;
	bool content_failed;
};

/* More content into pending. */
static void
next_part(struct talk *t)
{
	struct str chunk;
	int got;

	buf_clear(&t->pending);
	t->written = 0;
	got = content_next(&t->content, &chunk);
	if (got > 0) {
		line_filter(&t->lines, chunk, &t->pending);
		return;
	}
	t->content_failed = got < 0;
	t->all_read = true;
	line_filter_end(&t->lines, &t->pending);
	if (t->blank_line)
		line_filter(&t->lines, STR("\n"), &t->pending);
}

/* A command need not read all of its input, so a broken pipe is none of our trouble. */
static void
feed(struct talk *t)
{
	while (t->in >= 0) {
		ssize_t wrote;

		while (t->written == t->pending.len && !t->all_read)
			next_part(t);
		if (t->written == t->pending.len || t->content_failed) {
			fd_close(&t->in);
			t->in = -1;
			break;
		}
		wrote = write(
			t->in, t->pending.data + t->written, t->pending.len - t->written);
		if (wrote < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (wrote < 0) {
			t->all_read = true;
			t->written = t->pending.len;
			continue;
		}
		t->written += (size_t)wrote;
	}
}

static void
listen_to(struct talk *t)
{
	char piece[4096];
	ssize_t got;

	while (t->out >= 0) {
		got = read(t->out, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			fd_close(&t->out);
			t->out = -1;
		} else if (t->output.len < OUTPUT_MOST)
			buf_add(&t->output,
				str_of(piece,
					MIN((size_t)got, OUTPUT_MOST - t->output.len)));
	}
}

/* Until the command has ended; what a child that it left behind says later is nobody's
 * business. False: its time is over. */
static bool
converse(struct talk *t)
{
	for (;;) {
		struct pollfd wait[3] = { { t->pidfd, POLLIN, 0 }, { t->in, POLLOUT, 0 },
			{ t->out, POLLIN, 0 } };
		msec_t left = t->patience - time_monotonic();

		if (left <= 0)
			return false;
		if (poll(wait, 3, (int)MIN(left, 1000000)) < 0 && errno != EINTR)
			return false;
		feed(t);
		listen_to(t);
		if (t->content_failed)
			return false;
		if (wait[0].revents)
			return true;
	}
}

static int
start(struct talk *t, const struct program *p)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return -1;
	}
	t->pid = fork();
	if (t->pid == 0)
		run_program(p, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	if (t->pid < 0)
		return -1;
	setpgid(t->pid, t->pid);
	running = t->pid;
	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pidfd >= 0 && fd_nonblock(t->in) == 0 && fd_nonblock(t->out) == 0)
		return 0;
	kill(-t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	return -1;
}

static void
talk_close(struct talk *t)
{
	running = 0;
	fd_close(&t->pidfd);
	fd_close(&t->in);
	fd_close(&t->out);
	buf_free(&t->pending);
	buf_free(&t->output);
	content_close(&t->content);
}

/* ---- what it means ---- */

static const struct {
	const char *code, *text;
} meanings[] = {
	[EX_USAGE - EX__BASE] = { "5.3.0", "command line usage error" },
	[EX_DATAERR - EX__BASE] = { "5.6.0", "data format error" },
	[EX_NOINPUT - EX__BASE] = { "5.3.0", "cannot open input" },
	[EX_NOUSER - EX__BASE] = { "5.1.1", "user unknown" },
	[EX_NOHOST - EX__BASE] = { "5.1.2", "host name unknown" },
	[EX_UNAVAILABLE - EX__BASE] = { "5.3.0", "service unavailable" },
	[EX_SOFTWARE - EX__BASE] = { "5.3.0", "internal software error" },
	[EX_OSERR - EX__BASE] = { "4.3.0", "system resource problem" },
	[EX_OSFILE - EX__BASE] = { "5.3.0", "critical OS file missing" },
	[EX_CANTCREAT - EX__BASE] = { "5.2.0", "can't create user output file" },
	[EX_IOERR - EX__BASE] = { "5.3.0", "input/output error" },
	[EX_TEMPFAIL - EX__BASE] = { "4.3.0", "temporary failure" },
	[EX_PROTOCOL - EX__BASE] = { "5.5.0", "remote error in protocol" },
	[EX_NOPERM - EX__BASE] = { "5.7.0", "permission denied" },
	[EX_CONFIG - EX__BASE] = { "5.3.5", "local configuration error" },
};

/* "5.1.1 text" or "4.2.2 text": what counts then, and not the exit code. With 2.x.x,
 * which contradicts it, the text does. */
static bool
take_code(struct str *output, char code[12])
{
	struct str rest = *output, word;

	if (output->len == 0 || ascii_is_space(output->data[0]) ||
		!str_token(&rest, " ", &word) || !why_code_is_valid(word))
		return false;
	if (word.data[0] == '2')
		word = STR("5.0.0");
	snprintf(code, 12, STR_FMT, STR_ARG(word));
	while (str_starts(rest, STR(" ")))
		rest = str_from(rest, 1);
	*output = rest;
	return true;
}

enum verdict
command_verdict(int status, struct str output, struct str name, struct why *why)
{
	const char *quote = output.len ? ". Command output: " : "";
	int exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	size_t i = (size_t)(exit - EX__BASE);
	char code[12];

	if (exit == 0) {
		while (output.len > 0 && ascii_is_space(output.data[output.len - 1]))
			output.len--;
		*why = (struct why){ .code = "2.0.0" };
		snprintf(why->text, sizeof(why->text), STR_FMT, STR_ARG(output));
		return ACCEPT;
	}
	if (WIFSIGNALED(status))
		return why_set(why, "4.3.0",
			"Command died with signal %d: \"" STR_FMT "\"%s" STR_FMT,
			WTERMSIG(status), STR_ARG(name), quote, STR_ARG(output));
	if (take_code(&output, code))
		return why_set(why, code, STR_FMT, STR_ARG(output));
	if (exit >= EX__BASE && i < COUNT(meanings))
		return why_set(why, meanings[i].code, "%s%s" STR_FMT, meanings[i].text,
			quote, STR_ARG(output));
	return why_set(why, "5.3.0",
		"Command died with status %d: \"" STR_FMT "\"%s" STR_FMT, exit,
		STR_ARG(name), quote, STR_ARG(output));
}

/* One line that can stand in a log. */
static struct str
printable(struct buf *output)
{
	for (size_t i = 0; i < output->len; i++) {
		unsigned char c = (unsigned char)output->data[i];

		if (c == '\n' || c == '\t')
			output->data[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			output->data[i] = '_';
	}
	return buf_str(output);
}

static enum verdict
talk_ended(struct talk *t, bool in_time, struct str name, struct why *why)
{
	struct str said = printable(&t->output);
	int status = 0;

	if (!in_time)
		kill(-t->pid, SIGKILL);
	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (t->content_failed)
		return why_set(why, "4.3.0", "queue file read error");
	if (in_time)
		return command_verdict(status, said, name, why);
	return why_set(why, "5.3.0",
		"Command time limit exceeded: \"" STR_FMT "\"%s" STR_FMT, STR_ARG(name),
		said.len ? ". Command output: " : "", STR_ARG(said));
}

void
command_run(void *arg)
{
	struct command_work *w = arg;
	const struct command_request *ask = w->ask;
	struct talk t CLEANUP(talk_close) = { .pidfd = -1,
		.in = -1,
		.out = -1,
		.patience = deadline_in((msec_t)ask->time_limit),
		.lines = { .quote_from = ask->how & COMMAND_QUOTE_FROM,
			.quote_dot = ask->how & COMMAND_QUOTE_DOT,
			.eol = ask->eol.len ? ask->eol : STR("\n") },
		.blank_line = ask->how & COMMAND_BLANK_LINE };
	struct program program;

	if (find_program(ask, w->arena, &program) < 0 || start(&t, &program) < 0) {
		w->verdict = why_errno(&w->why, "4.3.0", "cannot run the command");
		return;
	}
	content_open(&t.content, ask->content, w->rest_fd, ask->rest);
	/* Our own lines need no quotes, only the ends that were asked for. */
	line_filter(
		&(struct line_filter){ .eol = t.lines.eol }, ask->headers, &t.pending);
	w->verdict = talk_ended(&t, converse(&t), program.name, &w->why);
}
