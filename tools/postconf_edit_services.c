/* postconf_edit_services.c -- master.cf edited: whole services (-M), their columns (-F),
 * their -o settings (-P). A service that is edited is written anew, in the place where it
 * began; everything else stays byte for byte. */
#include "postconf.h"
#include "arguments.h"

struct request {
	struct row_pattern what;
	struct str text;        /* as asked */
	struct str value;       /* -e */
	size_t column;          /* -F */
	struct service_row new; /* -M */
	bool met;
};
struct job {
	const struct postconf_options *options;
	struct arena *arena;
	VEC(struct request) requests;
	struct service_rows rows; /* -F, -P: as they become */
};

/* ---- what is asked for ---- */

static void
check_pattern(const struct job *job, const struct request *r)
{
	bool items = job->options->mode != MODE_SERVICES;
	bool every_name = job->options->mode == MODE_OVERRIDES &&
			  job->options->edit == EDIT_SET && str_is(r->what.item, "*");

	if (r->what.type.len > 0 && (r->what.item.len > 0) == items && !every_name)
		return;
	switch (job->options->mode) {
	case MODE_FIELDS:
		postconf_fatal("-Fe or -FX requires service_name/type/field_name");
	case MODE_OVERRIDES:
		postconf_fatal("-Pe or -PX requires service_name/type/parameter");
	default:
		postconf_fatal("-Me, -MX or -M# requires service_name/type");
	}
}

static bool
has_blank(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_space(s.data[i]))
			return true;
	return false;
}

static void
check_field(struct str value, size_t column, struct str shown)
{
	struct str digits = value;
	bool good = value.len > 0 && !has_blank(value), none = str_is(value, "-");
	uint64_t number;

	switch (column) {
	case COLUMN_TYPE:
		good = false;
		for (size_t i = 0; i < SERVICE_TYPES; i++)
			good = good || str_is(value, service_types[i]);
		break;
	case COLUMN_PRIVATE:
	case COLUMN_UNPRIVILEGED:
	case COLUMN_CHROOT:
		good = none || str_is(value, "y") || str_is(value, "n");
		break;
	case COLUMN_WAKEUP: /* a ? behind it: only once it was used */
		if (str_ends(digits, STR("?")))
			digits.len--;
		/* fall through */
	case COLUMN_PROCESS_LIMIT:
		good = none || str_to_u64(digits, &number) == 0;
		break;
	}
	if (!good)
		postconf_fatal("invalid %s field \"" STR_FMT "\" in \"" STR_FMT "\"",
			column_names[column], STR_ARG(value), STR_ARG(shown));
}

static void
read_service(struct job *job, struct request *r)
{
	struct service_line options = { .line = 0 };
	const char *wrong = row_parse(&r->new, r->value, job->arena);

	options.args = r->new.args;
	if (!wrong)
		wrong = arguments_options(&options, job->arena);
	if (wrong)
		postconf_fatal("%s: \"" STR_FMT "\"", wrong, STR_ARG(r->text));
	for (size_t i = 0; i < COLUMNS; i++)
		check_field(r->new.column[i], i, r->value);
}

static void
read_field(struct request *r)
{
	while (r->column < COLUMNS && !str_is(r->what.item, column_names[r->column]))
		r->column++;
	if (r->column == COLUMNS)
		postconf_fatal("invalid service attribute name: \"" STR_FMT "\"",
			STR_ARG(r->what.item));
	if (r->column == COLUMN_COMMAND)
		return;
	if (has_blank(r->value))
		postconf_fatal("-Fe does not accept whitespace in non-command field");
	check_field(r->value, r->column, r->value);
}

static void
add_request(struct job *job, struct str text)
{
	struct request r = { .text = text };
	struct str name = str_trim(text);
	enum postconf_mode mode = job->options->mode;

	if (job->options->edit == EDIT_SET)
		edit_request(text, &name, &r.value);
	if (!row_pattern_parse(name, &r.what))
		r.what = (struct row_pattern){ STR_NONE, STR_NONE, STR_NONE };
	check_pattern(job, &r);
	if (mode == MODE_SERVICES && job->options->edit == EDIT_SET)
		read_service(job, &r);
	if (mode == MODE_FIELDS)
		read_field(&r);
	if (mode == MODE_OVERRIDES && has_blank(r.value))
		postconf_fatal("-Pe does not accept whitespace in parameter value");
	*vec_push(&job->requests) = r;
}

/* ---- whole services ---- */

/* The last request that matches counts. */
static struct request *
request_for(struct job *job, struct str line)
{
	struct service_row row = { .args = { NULL, 0 } };
	struct request *found = NULL;

	if (!str_token(&line, " \t\r\n", &row.column[COLUMN_NAME]) ||
		!str_token(&line, " \t\r\n", &row.column[COLUMN_TYPE]))
		return NULL;
	for (size_t i = 0; i < job->requests.n; i++)
		if (row_matches(&row, &job->requests.items[i].what)) {
			found = &job->requests.items[i];
			found->met = true;
		}
	return found;
}

static void
edit_services(struct job *job, struct edited_file *f)
{
	struct str rest = buf_str(&f->old), line;
	enum postconf_edit edit = job->options->edit;
	struct request *current = NULL;
	enum line_kind kind;

	for (bool inside = false; physical_line(&rest, &inside, &line, &kind);) {
		if (kind == LINE_BEGINS) {
			current = request_for(job, line);
			if (current && edit == EDIT_SET)
				row_print(f->out, &current->new, true, job->arena);
		}
		edited_copy(
			f, line, kind != LINE_SILENT && current ? edit : EDIT_NOTHING);
	}
	for (size_t i = 0; edit == EDIT_SET && i < job->requests.n; i++)
		if (!job->requests.items[i].met)
			row_print(f->out, &job->requests.items[i].new, true, job->arena);
}

/* ---- parts of services ---- */

static void
set_command(struct service_row *row, struct str value, struct arena *a)
{
	const char *wrong = NULL;

	if (!str_token(&value, " \t", &row->column[COLUMN_COMMAND]))
		postconf_fatal("invalid command field \"\" in \"\"");
	wrong = arguments_split(value, a, &row->args);
	if (wrong)
		postconf_fatal("%s", wrong);
}

/* Sets, adds or removes -o name=value among the options of a row. */
static void
set_override(struct service_row *row, const struct request *r, enum postconf_edit edit,
	struct arena *a)
{
	struct strs old = row->args, new = { NULL, 0 };
	struct str setting = arena_printf(
		a, STR_FMT "=" STR_FMT, STR_ARG(r->what.item), STR_ARG(r->value));
	bool set = false;
	size_t i = 0;

	new.items = arena_alloc(a, (old.n + 2) * sizeof(*new.items));
	while (i < old.n && str_starts(old.items[i], STR("-"))) {
		struct str name = STR_NONE, text;

		if (!str_is(old.items[i], "-o") || i + 1 == old.n) {
			new.items[new.n++] = old.items[i++];
			continue;
		}
		text = old.items[i + 1];
		str_split(&text, '=', &name);
		if (!pattern_matches(r->what.item, str_trim(name))) {
			new.items[new.n++] = old.items[i];
			new.items[new.n++] = old.items[i + 1];
		} else if (edit == EDIT_SET) {
			new.items[new.n++] = STR("-o");
			new.items[new.n++] = setting;
			set = true;
		}
		i += 2;
	}
	if (edit == EDIT_SET && !set) {
		new.items[new.n++] = STR("-o");
		new.items[new.n++] = setting;
	}
	while (i < old.n)
		new.items[new.n++] = old.items[i++];
	row->args = new;
}

static void
edit_row(struct job *job, struct service_row *row, const struct request *r)
{
	if (job->options->mode == MODE_OVERRIDES)
		set_override(row, r, job->options->edit, job->arena);
	else if (r->column == COLUMN_COMMAND)
		set_command(row, r->value, job->arena);
	else
		row->column[r->column] = r->value;
	row->edited = true;
}

/* Names are those before the edits: a service can be renamed and changed at once. */
static void
edit_rows(struct job *job)
{
	for (size_t i = 0; i < job->rows.list.n; i++) {
		struct service_row *row = &job->rows.list.items[i], before = *row;

		for (size_t k = 0; k < job->requests.n; k++)
			if (row_matches(&before, &job->requests.items[k].what)) {
				edit_row(job, row, &job->requests.items[k]);
				job->requests.items[k].met = true;
			}
	}
	for (size_t k = 0; k < job->requests.n; k++)
		if (!job->requests.items[k].met)
			postconf_warn("unmatched service_name/type: \"" STR_FMT "\"",
				STR_ARG(job->requests.items[k].text));
}

static void
edit_parts(struct job *job, struct edited_file *f)
{
	struct str rest = buf_str(&f->old), line;
	struct service_row *row = NULL;
	size_t next = 0;
	enum line_kind kind;

	rows_read(&job->rows, job->options->directory, true, job->arena);
	edit_rows(job);
	for (bool inside = false; physical_line(&rest, &inside, &line, &kind);) {
		if (kind == LINE_BEGINS) {
			row = &job->rows.list.items[next++];
			if (row->edited)
				row_print(f->out, row, true, job->arena);
		}
		edited_copy(f, line,
			kind != LINE_SILENT && row && row->edited ? EDIT_REMOVE
								  : EDIT_NOTHING);
	}
	vec_free(&job->rows.list);
}

void
edit_master_cf(const struct postconf_options *o, struct arena *a)
{
	struct job job = { .options = o, .arena = a };
	struct edited_file f;

	for (size_t i = 0; i < o->arguments.n; i++)
		add_request(&job, o->arguments.items[i]);
	edited_open(&f, arena_printf(a, "%s/master.cf", o->directory));
	if (o->mode == MODE_SERVICES)
		edit_services(&job, &f);
	else
		edit_parts(&job, &f);
	edited_commit(&f);
	vec_free(&job.requests);
}
