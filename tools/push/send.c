/* One profile to one target. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define ANSWER_MOST 65536u

static bool fail(struct sp_push_result *result, enum sp_http_end end, const char *why)
{
	result->end = end;
	snprintf(result->why, sizeof(result->why), "%s", why);
	return false;
}

void sp_push_sender_close(struct sp_push_sender *s)
{
	sp_http_close(s->http);
	if (s->token)
		explicit_bzero(s->token, strlen(s->token));
	free(s->token);
	free(s->ca_file);
	free(s->to);
	*s = (struct sp_push_sender){.timeout_ms = s->timeout_ms, .named = s->named};
}

static bool take_token(struct sp_push_sender *s, const struct sp_outbox_entry *entry, struct sp_push_result *result)
{
	bool by_variable = s->named && strcmp(s->named, entry->target) == 0;
	const char *why;

	if (!entry->token_file && !by_variable)
		return true;
	s->token = sp_http_token(entry->token_file, SP_PUSH_TOKEN_VARIABLE, &why);
	if (!s->token) {
		snprintf(result->why, sizeof(result->why), "the token: %.300s: %s",
			entry->token_file ? entry->token_file : SP_PUSH_TOKEN_VARIABLE, why);
		result->end = SP_HTTP_DENIED;
		return false;
	}
	if (!*s->token) {
		free(s->token);
		s->token = NULL;
	}
	return true;
}

bool sp_push_sender_turn(struct sp_push_sender *s, const struct sp_outbox_entry *entry, struct sp_push_result *result)
{
	char *to = sp_text("%s\n%s\n%s", entry->target, entry->token_file ? entry->token_file : "",
		entry->ca_file ? entry->ca_file : "");
	const char *why;

	if (s->to && strcmp(s->to, to) == 0) {
		free(to);
		return true;
	}
	sp_push_sender_close(s);
	if (!sp_push_target_parse(&s->target, entry->target, &why)) {
		free(to);
		return fail(result, SP_HTTP_DENIED, why);
	}
	if (!s->target.engine->is_directory) {
		struct sp_http_options options = {.timeout_ms = s->timeout_ms};

		if (!take_token(s, entry, result)) {
			free(to);
			return false;
		}
		s->ca_file = entry->ca_file ? sp_copy_text(entry->ca_file) : NULL;
		options.token = s->token;
		options.ca_file = s->ca_file;
		options.user = *s->target.user ? s->target.user : NULL;
		s->http = sp_http_open(&options, &why);
		if (!s->http) {
			free(to);
			sp_push_sender_close(s);
			return fail(result, SP_HTTP_DENIED, why);
		}
	}
	s->to = to;
	return true;
}

/* --- one profile */

/* The directory is whoever's reads it, and there before us. */
static void write_file(struct sp_push_sender *s, const struct sp_push_request *request, struct sp_push_result *result)
{
	int fd = open(s->target.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = fd < 0 ? -errno : 0;

	if (!err)
		err = sp_output_put(fd, request->url, &request->body, true);
	if (fd >= 0)
		close(fd);
	result->end = SP_HTTP_DONE;
	if (err)
		fail(result, SP_HTTP_LATER, strerror(-err));
}

static void take_answer(struct sp_push_result *result, const struct sp_http_answer *answer)
{
	result->retry_after_ms = answer->retry_after_ms;
	result->ahead_s = answer->ahead_s;
	snprintf(result->why, sizeof(result->why), "%s", answer->why);
}

/* Whether a request needs not be sent; false with the result's end where that could not be asked. */
static bool is_done(struct sp_push_sender *s, const struct sp_push_request *request, struct sp_push_result *result)
{
	const struct sp_http_request http = {.method = "GET", .url = request->unless, .answer_most = ANSWER_MOST};
	struct sp_http_answer answer = {0};
	bool done;

	result->end = SP_HTTP_DONE;
	if (!request->unless)
		return false;
	result->end = sp_http_send(s->http, &http, &answer);
	take_answer(result, &answer);
	sp_make_inert(result->why);
	done = result->end == SP_HTTP_DONE && (!answer.body.length || answer.body.data[0] != '0');
	sp_buffer_free(&answer.body);
	return done;
}

static void send_request(struct sp_push_sender *s, const struct sp_push_request *request, struct sp_push_result *result)
{
	const struct sp_http_request http = {.method = request->method,
		.url = request->url,
		.headers = (const char *const *)request->headers,
		.body = request->body.data ? request->body.data : "",
		.length = request->body.length,
		.gzip = request->gzip,
		.answer_most = ANSWER_MOST};
	struct sp_http_answer answer = {0};

	if (is_done(s, request, result) || result->end != SP_HTTP_DONE)
		return;
	result->end = sp_http_send(s->http, &http, &answer);
	take_answer(result, &answer);
	if (result->end == SP_HTTP_DONE && s->target.engine->check &&
		!s->target.engine->check(&answer, result->why, sizeof(result->why))) {
		result->end = SP_HTTP_REFUSED;
		sp_http_hide_token(s->http, result->why, strlen(result->why));
	}
	sp_make_inert(result->why);
	sp_buffer_free(&answer.body);
}

static void read_health(const struct sp_outbox *box, struct sp_push_health *health)
{
	struct sp_outbox_state *states;
	struct sp_outbox_file *files;
	size_t count;

	if (box->fd < 0)
		return;
	count = sp_outbox_states(box, &states);
	for (size_t i = 0; i < count; i++) {
		health->sent += states[i].sent;
		health->refused += states[i].refused;
		health->dropped += states[i].dropped;
		health->failures += states[i].failures;
	}
	free(states);
	health->waiting = sp_outbox_list(box, &files);
	for (size_t i = 0; i < health->waiting; i++)
		health->waiting_bytes += files[i].bytes;
	free(files);
}

void sp_push_send(struct sp_push_sender *s, const struct sp_outbox *box, struct sp_outbox_entry *entry,
	struct sp_push_result *result)
{
	struct sp_push_parcel parcel = {0};
	struct sp_push_health health = {0};
	struct sp_push_item item;
	const char *why;

	*result = (struct sp_push_result){0};
	if (!sp_push_sender_turn(s, entry, result))
		return;
	if (!sp_push_item_read(&item, &entry->markdown, &entry->labels, &why)) {
		fail(result, SP_HTTP_REFUSED, why);
		return;
	}
	if (s->target.engine->tells_health)
		read_health(box, &health); /* which looks into all that waits */
	item.health = &health;
	if (!s->target.engine->pack(&parcel, &item, &s->target, &why))
		fail(result, SP_HTTP_REFUSED, why);
	for (size_t i = 0; i < parcel.count && result->end == SP_HTTP_DONE; i++)
		(s->target.engine->is_directory ? write_file : send_request)(s, &parcel.list[i], result);
	if (result->end == SP_HTTP_DONE)
		snprintf(result->note, sizeof(result->note), "%s", parcel.note);
	sp_push_hint(&s->target.engine->limits, item.end_ns, result);
	sp_push_parcel_free(&parcel);
	sp_push_item_free(&item);
	if (result->end == SP_HTTP_DENIED)
		sp_push_sender_close(s); /* the token's file may be another next time */
}
