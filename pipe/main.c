/* pipe -- feeds mail to a command (pipe(8)). */
#include "pipe.h"
#include "explain.h"
#include "launcher.h"
#include "log.h"
#include "runner.h"

#define SLOTS 256

static struct pipe_options options;

static void
add_headers(const struct delivery *d, struct buf *out)
{
	struct str sender =
		d->envelope.sender.len ? d->envelope.sender : options.null_sender;

	if (options.from_line)
		from_line(sender, out);
	delivery_headers(d, &d->envelope.rcpts[0], sender,
		(options.return_path ? HEADER_RETURN_PATH : 0) |
			(options.original_to ? HEADER_ORIGINAL_TO : 0) |
			(options.delivered_to ? HEADER_DELIVERED_TO : 0),
		out);
}

static enum verdict
run_command(struct delivery *d, struct why *why)
{
	const struct conf *c = d->conf;
	struct buf head CLEANUP(buf_free) = BUF_INIT;
	struct command_request ask = { .environment = runner_environment(
					       c->p.export_environment, 0, d->arena),
		.directory = options.directory,
		.time_limit = (uint64_t)conf_transport_time(
			c, str_c(service_name()), "time_limit"),
		.eol = options.eol,
		.how = (uint8_t)((options.quote_from ? COMMAND_QUOTE_FROM : 0) |
				 (options.quote_dot ? COMMAND_QUOTE_DOT : 0) |
				 (options.blank_line ? COMMAND_BLANK_LINE : 0)),
		.content = d->ask.content,
		.rest = d->ask.rest };

	if (pipe_words(&options, d, &ask.argv, why) != ACCEPT)
		return TEMPFAIL;
	add_headers(d, &head);
	ask.headers = buf_str(&head);
	return runner_command(options.command.uid, options.command.gid, &ask, d->rest_fd,
		d->arena, why);
}

static void
explain_command(struct delivery *d)
{
	struct buf command CLEANUP(buf_free) = BUF_INIT;
	struct strs words;
	struct why why;

	if (pipe_words(&options, d, &words, &why) != ACCEPT) /* logged */
		return;
	for (size_t i = 0; i < words.n; i++)
		buf_printf(&command, "%s" STR_FMT, i ? " " : "", STR_ARG(words.items[i]));
	explain_step("command", STR_NONE, STR_NONE, "is run", buf_str(&command));
}

/* Whose address would it be? */
static bool
has_too_many(const struct delivery *d)
{
	if (d->envelope.n_rcpts == 1 || (!options.delivered_to && !options.original_to))
		return false;
	log_warn("pipe flag `%c' requires %s_destination_recipient_limit = 1",
		options.delivered_to ? 'D' : 'O', service_name());
	return true;
}

static void
pipe_deliver(struct delivery *d)
{
	struct str relay = str_c(service_name()), first = d->envelope.rcpts[0].address;
	struct why why;
	enum verdict v;

	if (options.size > 0 && d->ask.size > options.size) {
		delivery_all(d, PERMFAIL, "5.2.3", relay, STR("message too large"));
		return;
	}
	if (has_too_many(d)) {
		delivery_all(d, TEMPFAIL, "4.3.5", relay,
			STR("mail system configuration error"));
		return;
	}
	if (options.delivered_to && delivery_was_here(d, first)) {
		delivery_all(d, PERMFAIL, "5.4.6", relay,
			arena_printf(d->arena, "mail forwarding loop for " STR_FMT,
				STR_ARG(first)));
		return;
	}
	if (explain_on)
		explain_command(d);
	if (d->ask.probe) {
		delivery_all(d, ACCEPT, "2.0.0", relay,
			arena_printf(d->arena, "delivers to %s service", service_name()));
		return;
	}
	v = run_command(d, &why);
	for (size_t i = 0; v == ACCEPT && !options.final && i < d->envelope.n_rcpts; i++)
		delivery_relayed(d, i);
	if (v != ACCEPT)
		delivery_all(d, v, why.code, relay, str_c(why.text));
	else if (why.text[0])
		delivery_all(d, v, "2.0.0", relay,
			arena_printf(d->arena, "delivered via %s service (%s)",
				service_name(), why.text));
	else
		delivery_all(d, v, "2.0.0", relay,
			arena_printf(
				d->arena, "delivered via %s service", service_name()));
}

static void
pipe_before_jail(void)
{
	pipe_options_read(service_args(), service_conf(), &options);
	agent_filter("pipe_delivery_status_filter",
		service_conf()->p.pipe_delivery_status_filter);
	launcher_start(
		&(struct launcher_settings){ .commands = true, .chroot = options.chroot },
		service_conf());
}

static void
pipe_explain(
	const struct explain_request *ask, struct explain_reply *say, struct arena *arena)
{
	agent_explain(pipe_deliver, ask, say, arena);
}

static void
pipe_start(void)
{
	agent_run(pipe_deliver, SLOTS);
}

static const struct service pipe_service = {
	.name = "pipe",
	.user = USER_MAIL_OWNER,
	.sandbox = SANDBOX_TABLES,
	.peers = (const char *const[]){ "qmgr", "proxymap", NULL },
	.before_jail = pipe_before_jail,
	.start = pipe_start,
	.explain = pipe_explain,
	.drain = agent_drain,
};

int
main(int argc, char **argv)
{
	return service_main(&pipe_service, argc, argv);
}
