/* file.c -- see file.h. */
#include "file.h"
#include "log.h"
#include "service.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAME      "mta_sts_policies"
#define READ_MOST ((size_t)256 << 20)
#define GROWS     ((size_t)64 << 20) /* then a fresh process writes it anew */

static struct {
	int fd; /* -1: in memory only */
	size_t grown;
} file = { .fd = -1 };

static void
put(struct policy *p, void *arg)
{
	policy_put(p, arg);
}

/* The last line is without its end when a power cut came in the middle of it. */
static void
read_lines(struct str text, const char *path)
{
	size_t bad = 0;
	ssize_t end;

	while ((end = str_chr(text, '\n')) >= 0) {
		bad += !policy_get(str_of(text.data, (size_t)end));
		text = str_from(text, (size_t)end + 1);
	}
	if (bad > 0)
		log_warn("%s: %zu lines cannot be used: these policies are fetched again",
			path, bad);
}

/* The directory belongs to mail_owner, and we may be root: what is written is a new file
 * in any case. */
static int
write_anew(const char *path, const char *fresh)
{
	struct buf text CLEANUP(buf_free) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	policies_each(put, &text);
	if (unlink(fresh) < 0 && errno != ENOENT)
		return -1;
	fd = open(fresh, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, buf_str(&text)) < 0 || fdatasync(fd) < 0 ||
		rename(fresh, path) < 0)
		return -1;
	return fd_take(&fd);
}

void
file_open(const struct conf *c)
{
	struct buf path CLEANUP(buf_free) = BUF_INIT, text CLEANUP(buf_free) = BUF_INIT;
	struct buf fresh CLEANUP(buf_free) = BUF_INIT;

	if (service_on_trial())
		return;
	buf_printf(&path, STR_FMT "/" NAME, STR_ARG(c->p.data_directory));
	buf_printf(&fresh, STR_FMT "/" NAME ".new", STR_ARG(c->p.data_directory));
	if (read_file(buf_cstr(&path), READ_MOST, &text) == 0)
		read_lines(buf_str(&text), buf_cstr(&path));
	else if (errno != ENOENT)
		log_warn("%s cannot be read: %m: policies are fetched again",
			buf_cstr(&path));
	file.fd = write_anew(buf_cstr(&path), buf_cstr(&fresh));
	if (file.fd < 0)
		log_warn(
			"%s cannot be written: %m: policies are known until this process "
			"ends",
			buf_cstr(&path));
}

struct line {
	struct buf text;
	int error; /* 0: it is on the disk */
};

static void
write_line(void *arg)
{
	struct line *line = arg;

	if (write_all(file.fd, buf_str(&line->text)) < 0 || fdatasync(file.fd) < 0)
		line->error = errno_of_failure();
}

void
file_append(const struct policy *p)
{
	struct line line = { .text = BUF_INIT };

	if (file.fd < 0)
		return;
	policy_put(p, &line.text);
	file.grown += line.text.len;
	event_offload(write_line, &line);
	if (line.error) {
		errno = line.error;
		log_warn(NAME ": cannot be written: %m");
	}
	buf_free(&line.text);
}

bool
file_is_long(void)
{
	return file.grown > GROWS;
}
