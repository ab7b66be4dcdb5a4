/* smartprof push: profiles to the engines that a team looks at. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/report/report.h"
#include "tools/tools.h"

enum { FLAG_LABEL = 1000, FLAG_TOKEN_FILE, FLAG_CA_FILE, FLAG_WATCH, FLAG_INIT, FLAG_FLUSH, FLAG_STATUS, FLAG_JSON };

static const struct option flags[] = {
	{"label", required_argument, NULL, FLAG_LABEL},
	{"token-file", required_argument, NULL, FLAG_TOKEN_FILE},
	{"ca-file", required_argument, NULL, FLAG_CA_FILE},
	{"watch", required_argument, NULL, FLAG_WATCH},
	{"init", no_argument, NULL, FLAG_INIT},
	{"flush", no_argument, NULL, FLAG_FLUSH},
	{"status", no_argument, NULL, FLAG_STATUS},
	{"json", no_argument, NULL, FLAG_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct request {
	struct sp_outbox_entry entry; /* without a profile */
	const char *watch, *target;
	bool init, flush, status, json;
	struct sp_outbox box;
	struct sp_push_sender sender;
	size_t sent, kept, failed;
};

static void print_help(void)
{
	const struct sp_push_engine *engine;

	printf("usage: smartprof push TARGET [--label NAME=VALUE]... [--token-file FILE] [--ca-file FILE] PROFILE...\n"
	       "       smartprof push TARGET [--label NAME=VALUE]... [--token-file FILE] [--ca-file FILE] --watch DIR\n"
	       "       smartprof push TARGET [--token-file FILE] [--ca-file FILE] --init\n"
	       "       smartprof push [TARGET] --flush\n"
	       "       smartprof push --status [--json]\n\n"
	       "Sends profiles (files, directories, programs, latest) to TARGET. Nothing is sent unless it is asked "
	       "for, "
	       "here or\nby SMARTPROF_PUSH. Targets:\n\n");
	for (size_t i = 0; (engine = sp_push_engine(i)); i++)
		printf("  %s%s\n      %s\n", engine->name,
			engine->is_directory ? ":DIR" : "+http[s]://[USER@]HOST[:PORT][/PATH]", engine->what);
	printf("\n  --label NAME=VALUE  say where profiles are from; service, version, environment, host and program "
	       "are\n"
	       "                      known, and may be said otherwise\n"
	       "  --token-file FILE   a token, or USER's password; else SMARTPROF_PUSH_TOKEN has it\n"
	       "  --ca-file FILE      certificates to trust instead of the system's\n"
	       "  --watch DIR         send what is written there from now on, until it is ended\n"
	       "  --init              make what the engine needs before the first profile\n"
	       "  --flush             send what waits in the outbox, and what was refused once more\n"
	       "  --status            show the outbox\n"
	       "  --json              print JSON\n"
	       "  --help              show this text\n\n"
	       "What does not reach the engine stays in the outbox and is sent with the next profile, or by --flush.\n"
	       "Exit status: 0; 1 not all was sent; 2 bad usage or unreadable input.\n");
}

static int put_targets(void)
{
	const struct sp_push_engine *engine;
	char begin[64];

	for (size_t i = 0; (engine = sp_push_engine(i)); i++) {
		snprintf(begin, sizeof(begin), "%s%c", engine->name, engine->is_directory ? ':' : '+');
		sp_completion_put(begin);
	}
	return 0;
}

static int take_label(struct request *r, const char *text)
{
	const char *why;

	if (sp_push_label_parse(&r->entry.labels, text, &why))
		return 0;
	sp_complain("push: --label: '%s': %s", text, why);
	return SP_EXIT_USAGE;
}

/* The sender that comes later may stand elsewhere. */
static int take_file(char **to, const char *flag, const char *name)
{
	char path[PATH_MAX];

	if (!sp_absolute(path, name)) {
		sp_complain("push: --%s: the path is too long", flag);
		return SP_EXIT_USAGE;
	}
	free(*to);
	*to = sp_copy_text(path);
	return 0;
}

static int parse(int argc, char **argv, struct request *r)
{
	int got, status = 0;

	opterr = 0;
	while (!status && (got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (optarg && strcmp(optarg, SP_COMPLETE_VALUES) == 0)
			return SP_EXIT_USAGE;
		switch (got) {
		case 'h':
			print_help();
			return 0;
		case FLAG_LABEL:
			status = take_label(r, optarg);
			break;
		case FLAG_TOKEN_FILE:
			status = take_file(&r->entry.token_file, "token-file", optarg);
			break;
		case FLAG_CA_FILE:
			status = take_file(&r->entry.ca_file, "ca-file", optarg);
			break;
		case FLAG_WATCH:
			r->watch = optarg;
			break;
		case FLAG_INIT:
			r->init = true;
			break;
		case FLAG_FLUSH:
			r->flush = true;
			break;
		case FLAG_STATUS:
			r->status = true;
			break;
		case FLAG_JSON:
			r->json = true;
			break;
		default:
			return sp_flag_error("push", got, argv, flags);
		}
	}
	return status ? status : -1;
}

static int take_target(struct request *r, const char *text)
{
	struct sp_push_target target;
	const char *why;

	if (!sp_push_target_parse(&target, text, &why)) {
		sp_complain("push: '%s' is no target: %s", text, why);
		return SP_EXIT_USAGE;
	}
	r->entry.target = sp_copy_text(target.text);
	r->target = r->sender.named = r->entry.target;
	return 0;
}

/* --- sending now */

static void keep(struct request *r, const char *path, const char *why_not)
{
	const char *why;
	int err = r->box.fd >= 0 ? 0 : sp_outbox_open(&r->box, true, &why);

	if (!err) {
		err = sp_outbox_put(&r->box, &r->entry);
		why = strerror(-err);
	}
	if (err)
		sp_complain("push: %s: %s; and it cannot be kept in %s: %s", path, why_not, r->box.path, why);
	else
		sp_complain("push: %s: %s; it is kept, smartprof push --flush sends it", path, why_not);
	*(err ? &r->failed : &r->kept) += 1;
}

/* The facts of one profile are no labels of the next. */
static void copy_labels(struct sp_push_labels *to, const struct sp_push_labels *from)
{
	for (size_t i = 0; i < from->count; i++)
		sp_push_label_add(to, from->list[i].name, from->list[i].value);
}

static void send_text(struct request *r, const char *path, struct sp_buffer *text)
{
	struct sp_outbox_entry entry = r->entry;
	struct sp_push_result result;

	entry.markdown = *text;
	entry.labels = (struct sp_push_labels){0};
	copy_labels(&entry.labels, &r->entry.labels);
	sp_push_send(&r->sender, &r->box, &entry, &result);
	sp_push_labels_free(&entry.labels);
	if (result.end == SP_HTTP_DONE) {
		r->sent++;
		if (*result.note)
			sp_complain("push: %s: %s", path, result.note);
	} else if (result.end == SP_HTTP_LATER) {
		r->entry.markdown = *text;
		keep(r, path, result.why);
		r->entry.markdown = (struct sp_buffer){0};
	} else {
		sp_complain("push: %s: %s", path, result.why);
		r->failed++;
	}
}

/* false after a complaint. */
static bool read_file(struct request *r, const char *path, struct sp_buffer *text)
{
	int err = sp_input_read(path, text);

	if (err) {
		sp_complain("push: %s: %s", path,
			err == SP_INPUT_SPOOL ? "it is a spool, of which smartprof report makes a profile"
					      : sp_input_error(err));
		r->failed++;
	}
	return !err;
}

/* An index that an index names is no profile: it may name the first one. */
static void send_member(void *context, const char *path)
{
	struct sp_buffer text = {0};

	if (read_file(context, path, &text))
		send_text(context, path, &text);
	sp_buffer_free(&text);
}

static void send_file(struct request *r, const char *path)
{
	struct sp_buffer text = {0};
	bool is_read = read_file(r, path, &text);

	if (is_read && !sp_report_is_index(&text)) {
		send_text(r, path, &text);
	} else if (is_read && !sp_report_each_member(path, &text, send_member, r)) {
		sp_complain("push: %s: it is the index of a run, and names no profiles", path);
		r->failed++;
	}
	sp_buffer_free(&text);
}

static void send_found(void *context, const char *path, const char *why)
{
	struct request *r = context;

	if (!why) {
		send_file(r, path);
		return;
	}
	sp_complain("push: %s: %s", path, why);
	r->failed++;
}

static int send_all(struct request *r, char **names, int count)
{
	const char *why;

	sp_outbox_open(&r->box, false, &why); /* where there is none yet, one is made when it is needed */
	for (int i = 0; i < count; i++) {
		char named[PATH_MAX];
		const char *path = sp_input_named("push", names[i], named);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			sp_input_each(path, send_found, r);
		else
			send_file(r, path);
	}
	return r->failed || r->kept ? 1 : 0;
}

/* --- the others */

static int init(struct request *r)
{
	struct sp_push_result result = {0};

	if (!sp_push_sender_turn(&r->sender, &r->entry, &result)) {
		sp_complain("push: --init: %s", result.why);
		return 1;
	}
	if (r->sender.target.engine->init)
		return r->sender.target.engine->init(r->sender.http, &r->sender.target);
	printf("%s needs nothing before its first profile\n", r->target);
	return 0;
}

static int flush(struct request *r)
{
	struct sp_push_flushed flushed = {0};
	const char *why;
	int err = sp_outbox_open(&r->box, false, &why);
	struct sp_value value;

	if (err && err != -ENOENT) {
		sp_complain("push: %s: %s", r->box.path, why);
		return SP_EXIT_USAGE;
	}
	sp_value_load(&value, SP_OPT_PUSH, environ, sp_settings_file());
	if (!r->sender.named)
		r->sender.named = value.text;
	if (!err)
		sp_push_flush(&r->box, &r->sender, r->target, true, true, &flushed);
	if (flushed.busy)
		sp_complain("push: another process is sending what is there; see smartprof push --status");
	printf("%zu sent, %zu waiting, %zu refused\n", flushed.sent, flushed.waiting, flushed.refused);
	return flushed.waiting || flushed.refused || flushed.busy ? 1 : 0;
}

static int show_status(struct request *r)
{
	struct sp_buffer text = {0};
	const char *why;
	int err = sp_outbox_open(&r->box, false, &why), status = 0;

	if (err && err != -ENOENT) {
		sp_complain("push: %s: %s", r->box.path, why);
		return SP_EXIT_USAGE;
	}
	sp_push_status(&text, &r->box, r->json);
	status = sp_write_output("push", NULL, &text, 0) ? 1 : 0;
	sp_buffer_free(&text);
	return status;
}

static int watch(struct request *r)
{
	char directory[PATH_MAX];
	const char *why;
	int err = sp_outbox_open(&r->box, true, &why);

	if (err) {
		sp_complain("push: %s: %s", r->box.path, why);
		return SP_EXIT_USAGE;
	}
	if (!sp_absolute(directory, r->watch)) {
		sp_complain("push: --watch: %s: the path is too long", r->watch);
		return SP_EXIT_USAGE;
	}
	r->sender.timeout_ms = SP_PUSH_HURRIED_MS;
	return sp_push_watch(&r->box, &r->sender, &r->entry, directory);
}

static int complain_usage(const char *what)
{
	sp_complain("push: %s; see smartprof push --help", what);
	return SP_EXIT_USAGE;
}

static int act(struct request *r, char **words, int count)
{
	int status;

	if (count == 1 && strcmp(words[0], SP_COMPLETE_VALUES) == 0)
		return put_targets();
	if (r->init + r->flush + r->status + (r->watch != NULL) > 1)
		return complain_usage("--watch, --init, --flush and --status are one at a time");
	if (r->status)
		return count ? complain_usage("--status is of all targets") : show_status(r);
	if (r->json)
		return complain_usage("--json is for --status");
	if (!count && !r->flush)
		return complain_usage("name a target");
	status = count ? take_target(r, words[0]) : 0;
	if (status)
		return status;
	if (count > 1 && (r->init || r->flush || r->watch))
		return complain_usage("profiles are not named with --watch, --init or --flush");
	if (r->flush)
		return flush(r);
	sp_push_settings_add(&r->entry);
	if (r->init)
		return init(r);
	if (r->watch)
		return watch(r);
	return count > 1 ? send_all(r, words + 1, count - 1) : complain_usage("name profiles to send");
}

int sp_cmd_push(int argc, char **argv)
{
	struct request r = {.box = {.fd = -1, .lock_fd = -1}, .sender = {.timeout_ms = SP_PUSH_PATIENT_MS}};
	int status;

	status = parse(argc, argv, &r);
	if (r.watch)
		sp_limit_memory();
	else
		sp_limit_reading();
	if (status < 0)
		status = act(&r, argv + optind, argc - optind);
	sp_push_sender_close(&r.sender);
	sp_outbox_close(&r.box);
	sp_outbox_entry_free(&r.entry);
	return status;
}
