/* What waits in the outbox, to all targets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/time.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define HURRIED_SECONDS 60 /* after this a sender that nobody waits for begins nothing more */

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
