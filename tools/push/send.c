/* One profile to one target, and the outbox to all. */
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
#define HURRIED_SECONDS 60 /* after this a sender that nobody waits for begins nothing more */

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

/* --- the outbox */

static void note_result(struct sp_outbox_state *state, void *context)
{
	const struct sp_push_result *result = context;
	uint64_t now = sp_time_ns(CLOCK_REALTIME) / 1000000u;

	if (result->end == SP_HTTP_DONE || result->end == SP_HTTP_REFUSED) {
		state->failed_in_row = 0;
		state->not_before_s = 0;
	}
	if (result->end == SP_HTTP_DONE) {
		state->sent++;
		state->last_success_s = now / 1000;
		return;
	}
	snprintf(state->last_error, sizeof(state->last_error), "%s", result->why);
	state->last_error_s = now / 1000;
	if (result->end == SP_HTTP_REFUSED) {
		state->refused++;
		return;
	}
	state->failures++;
	state->asked = result->retry_after_ms > 0;
	state->not_before_s = (now + sp_http_backoff_ms(state->failed_in_row++, result->retry_after_ms) + 999) / 1000;
}

struct flush {
	struct sp_outbox *box;
	struct sp_push_sender *sender;
	const char *only;
	bool asked, tell;
	uint64_t until_ns;
	struct sp_names waiting; /* targets that are not to be tried any more */
	struct sp_push_flushed *flushed;
};

#define LONGEST_WAIT_S (86400 * 9 / 8 + 2) /* a day that was asked for, and what chance adds: sp_http_backoff_ms */

static bool is_due(const struct flush *f, const struct sp_outbox_state *state)
{
	uint64_t now_s = sp_time_ns(CLOCK_REALTIME) / 1000000000u;

	/* A clock that was set back does not hold anything up for longer than an engine may ask for. */
	return state->not_before_s <= now_s || state->not_before_s > now_s + LONGEST_WAIT_S ||
		(f->asked && !state->asked);
}

static void tell(const struct flush *f, const char *target, const struct sp_push_result *result)
{
	if (!f->tell || (result->end == SP_HTTP_DONE && !*result->note))
		return;
	if (result->end == SP_HTTP_DONE)
		sp_complain("push: %s: %s", target, result->note);
	else
		sp_complain("push: %s: %s; %s", target, result->why,
			result->end == SP_HTTP_REFUSED ? "the profile is kept apart, see smartprof push --status"
						       : "what is for it stays in the outbox");
}

/* Whether the target has been given up in this round; with `give_up` it is from now on. */
static bool is_given_up(struct flush *f, const char *target, bool give_up)
{
	uint32_t before = f->waiting.count, id;

	for (id = 0; id < before; id++)
		if (strcmp(sp_names_text(&f->waiting, id), target) == 0)
			return true;
	if (give_up)
		sp_names_id(&f->waiting, target);
	return false;
}

/* Whether it is for a target that is not to be asked now. */
static bool is_left(struct flush *f, const char *name)
{
	char *target = sp_outbox_target(f->box, name);
	bool other = target && f->only && strcmp(f->only, target) != 0, waits = false;
	struct sp_outbox_state state;

	if (target && !other) {
		sp_outbox_state_read(f->box, target, &state);
		waits = is_given_up(f, target, false) || !is_due(f, &state);
	}
	f->flushed->waiting += waits;
	free(target);
	return other || waits;
}

static void send_file(struct flush *f, const struct sp_outbox_file *file)
{
	struct sp_outbox_entry entry;
	struct sp_push_result result;
	const char *why;

	if (is_left(f, file->name))
		return;
	if (!sp_outbox_read(f->box, file->name, &entry, &why)) {
		bool damaged = why == sp_outbox_damaged;

		if (f->tell)
			sp_complain("push: %s/%s: %s; it is %s", f->box->path, file->name, why,
				damaged ? "removed" : "kept apart");
		(damaged ? sp_outbox_remove : sp_outbox_refuse)(f->box, file->name);
		f->flushed->refused += !damaged;
		return;
	}
	sp_push_send(f->sender, f->box, &entry, &result);
	sp_outbox_state_change(f->box, entry.target, note_result, &result);
	tell(f, entry.target, &result);
	if (result.end == SP_HTTP_DONE) {
		sp_outbox_remove(f->box, file->name);
		f->flushed->sent++;
	} else if (result.end == SP_HTTP_REFUSED) {
		sp_outbox_refuse(f->box, file->name);
		f->flushed->refused++;
	} else {
		f->flushed->waiting++;
		is_given_up(f, entry.target, true);
	}
	sp_outbox_entry_free(&entry);
}

/* Returns whether anything is there that it has not seen to before; with `see_to` it does. */
static bool go_round(struct flush *f, struct sp_map *seen, bool see_to)
{
	struct sp_outbox_file *files;
	size_t count = sp_outbox_list(f->box, &files);
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		const char *dot = strchr(files[i].name, '.');
		uint32_t *done;
		int found;

		done = sp_map_at(seen, strtoull(files[i].name, NULL, 10), dot ? strtoull(dot + 1, NULL, 10) : 0,
			&found);
		if (*done || (files[i].refused && !f->asked))
			continue;
		any = true;
		*done = see_to;
		if (!see_to)
			break;
		if (f->asked || sp_time_ns(CLOCK_MONOTONIC) < f->until_ns)
			send_file(f, &files[i]);
		else
			f->flushed->waiting++;
	}
	free(files);
	return any;
}

/* Whoever finds the lock taken leaves its profile to us: so there is another look once it has been given up. */
void sp_push_flush(struct sp_outbox *box, struct sp_push_sender *sender, const char *only, bool asked, bool tell_it,
	struct sp_push_flushed *flushed)
{
	struct flush f = {.box = box,
		.sender = sender,
		.only = only,
		.asked = asked,
		.tell = tell_it,
		.until_ns = sp_time_ns(CLOCK_MONOTONIC) + HURRIED_SECONDS * 1000000000ull,
		.flushed = flushed};
	struct sp_map seen = {0};

	*flushed = (struct sp_push_flushed){0};
	do {
		flushed->busy = !sp_outbox_lock(box);
		if (!flushed->busy)
			go_round(&f, &seen, true);
		sp_outbox_unlock(box);
	} while (!flushed->busy && go_round(&f, &seen, false));
	sp_map_free(&seen);
	sp_names_free(&f.waiting);
}
