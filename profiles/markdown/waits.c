/* `## Waits` and `## Locks`: where threads waited, and for whom. */
#include <stdlib.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/spans.h"
#include "profiles/model/wait_rows.h"
#include "profiles/model/waits.h"

#define HOLDERS 3u /* shown of a lock */
#define Z95 1.96

static void put_error(struct sp_writer *w, const struct sp_wait_place *place)
{
	const struct sp_waits_info *all = w->profile->waits;

	sp_buffer_printf(&w->out, "%.1f",
		100 * Z95 * sp_waits_share_error((double)place->ns, place->variance, (double)all->ns, all->variance));
}

static const char *function_name(const struct sp_profile *p, uint32_t frame)
{
	return p->functions[p->frames[frame].function].name;
}

/* Who called whom, from the caller of what blocked outwards. */
static void put_chain(struct sp_writer *w, const struct sp_wait_place *place)
{
	const struct sp_profile *p = w->profile;
	const struct sp_path *path = &p->paths[place->path];
	uint32_t at = sp_wait_chain_at(p, place->path, place->frame);

	for (uint32_t i = 0; i < SP_WAIT_CHAIN && at + i < path->depth; i++) {
		sp_buffer_puts(&w->out, i ? " ← " : "");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, function_name(p, p->frame_ids[path->first + at + i]));
	}
}

/* What the waits of a kind, or of any, were most: where its advice leads. */
void sp_put_main_wait(struct sp_writer *w, enum sp_wait_kind kind)
{
	const struct sp_waits_info *waits = w->profile->waits;
	const struct sp_wait_place *most = NULL;

	for (size_t i = 0; waits && !most && i < waits->place_count && !waits->places[i].idle; i++)
		if (kind == SP_WAIT_KINDS || sp_wait_kind_of(waits->places[i].call) == kind)
			most = &waits->places[i];
	if (!most)
		return;
	sp_buffer_puts(&w->out, " Most, ");
	sp_put_duration(&w->out, most->ns);
	sp_buffer_puts(&w->out, ", was waited in ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, sp_wait_call_names[most->call]);
	sp_buffer_puts(&w->out, " ← ");
	put_chain(w, most);
	sp_buffer_puts(&w->out, ".");
}

static void put_lock_name(struct sp_writer *w, uint32_t lock)
{
	const struct sp_lock_info *info = sp_waits_lock(w->profile->waits, lock);

	if (info)
		sp_escape_name(&w->out, SP_ESCAPE_CELL, info->name);
}

static void put_place(struct sp_writer *w, const struct sp_wait_place *place, double all)
{
	const struct sp_profile *p = w->profile;
	const struct sp_profile_frame *f = &p->frames[place->frame];

	sp_buffer_printf(&w->out, "| %.1f%% | ", all > 0 ? 100 * (double)place->ns / all : 0.0);
	put_error(w, place);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, place->ns);
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)place->count);
	sp_put_duration(&w->out, place->longest_ns);
	sp_buffer_printf(&w->out, " | %s%s | ", place->idle ? "idle, " : "",
		sp_wait_kind_name(sp_wait_kind_of(place->call)));
	sp_escape_name(&w->out, SP_ESCAPE_CELL, sp_wait_call_names[place->call]);
	sp_buffer_puts(&w->out, " | ");
	put_chain(w, place);
	sp_buffer_puts(&w->out, " | ");
	if (f->file)
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, f->file, f->line);
	sp_buffer_puts(&w->out, " | ");
	put_lock_name(w, place->lock);
	sp_buffer_puts(&w->out, " |\n");
}

static void put_waits_head(struct sp_writer *w)
{
	sp_buffer_puts(&w->out,
		"## Waits\n\nWhere threads were blocked, by a sample of their waits that is fair to time; ± in "
		"percentage "
		"points, 95 %. A place is idle, and holds nothing up, if threads wait there for work: on a condition, "
		"a semaphore or descriptors, at least five times, for half of the run or more, and outside of what "
		"takes the CPU time there.\n\n"
		"| % | ± | Waited | Waits | Longest | Kind | Call | Where | Location | For |\n"
		"|---:|---:|---:|---:|---:|:---|:---|:---|:---|:---|\n");
}

static void write_places(struct sp_writer *w)
{
	const struct sp_waits_info *waits = w->profile->waits;

	if (!waits->place_count)
		return;
	put_waits_head(w);
	for (size_t i = 0; i < waits->place_count && i < w->limits.sites; i++)
		put_place(w, &waits->places[i], (double)waits->ns);
	sp_buffer_puts(&w->out, "\n");
}

static void put_span(struct sp_writer *w, uint32_t node)
{
	struct sp_buffer name = {0};

	sp_span_put_name(&name, w->profile->snapshot, node);
	sp_buffer_puts(&w->out, ", in the span ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, name.data ? name.data : "");
	sp_buffer_free(&name);
}

static bool is_seen(const struct sp_lock_holder *h)
{
	return h->function != UINT32_MAX || h->call;
}

static void put_holder_place(struct sp_writer *w, const struct sp_lock_holder *h)
{
	if (h->function != UINT32_MAX)
		sp_escape_name(&w->out, SP_ESCAPE_CELL, w->profile->functions[h->function].name);
	if (h->function != UINT32_MAX && !h->call)
		sp_buffer_puts(&w->out, " on a CPU");
	if (h->call) {
		sp_buffer_puts(&w->out, h->function != UINT32_MAX ? " in " : "in ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, sp_wait_call_names[h->call - 1]);
	}
}

static void put_holder(struct sp_writer *w, const struct sp_lock_info *lock, const struct sp_lock_holder *h)
{
	sp_buffer_printf(&w->out, "%.0f %% ± ", 100 * (double)h->ns / (double)lock->ns);
	sp_buffer_printf(&w->out, "%.0f ",
		100 * Z95 * sp_waits_share_error((double)h->ns, h->variance, (double)lock->ns, lock->variance));
	put_holder_place(w, h);
	if (!is_seen(h))
		sp_buffer_puts(&w->out, "not seen");
	if (h->span)
		put_span(w, h->span);
}

/* Where they were seen, and then what was not. */
static void put_holders(struct sp_writer *w, const struct sp_lock_info *lock)
{
	const char *before = "";

	for (int seen = 1; seen >= 0; seen--)
		for (size_t i = 0, shown = 0; lock->ns && i < lock->holder_count && shown < HOLDERS; i++) {
			if (is_seen(&lock->holders[i]) != seen)
				continue;
			sp_buffer_puts(&w->out, before);
			put_holder(w, lock, &lock->holders[i]);
			before = "; ";
			shown++;
		}
}

/* That threads waited for most, of those that one of them has while others wait. */
static const struct sp_lock_info *main_lock(const struct sp_waits_info *waits)
{
	for (size_t i = 0; waits && i < waits->lock_count; i++)
		if (waits->locks[i].held || waits->locks[i].contentions || sp_waits_is_gil(&waits->locks[i]))
			return &waits->locks[i];
	return NULL;
}

bool sp_advise_on_lock(struct sp_writer *w, double least_percent)
{
	const struct sp_lock_info *lock = main_lock(w->profile->waits);
	uint64_t ns = lock ? lock->contentions ? lock->waited_ns : lock->ns : 0;
	double percent = sp_percent(ns, w->profile->waiting.wall_ns);

	if (!lock || percent < least_percent)
		return false;
	sp_buffer_printf(&w->out, "threads waited for %.0f %% of their time for ", percent);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, lock->name);
	for (size_t i = 0; lock->ns && i < lock->holder_count; i++)
		if (lock->holders[i].function != UINT32_MAX) {
			sp_buffer_puts(&w->out, " (held mostly, as far as it was seen, by ");
			put_holder_place(w, &lock->holders[i]);
			sp_buffer_puts(&w->out, ")");
			break;
		}
	sp_buffer_puts(&w->out,
		sp_waits_is_gil(lock)
			? "; one thread at a time runs Python code: use processes, or calls that give it up meanwhile."
			: "; hold it for less time, take it less often, or give each thread data of its own.");
	return true;
}

static void put_lock(struct sp_writer *w, const struct sp_lock_info *lock)
{
	bool exact = lock->contentions;

	sp_buffer_puts(&w->out, "| ");
	sp_put_duration(&w->out, exact ? lock->waited_ns : lock->ns);
	sp_buffer_puts(&w->out, " | ");
	if (exact)
		sp_buffer_printf(&w->out, "%llu", (unsigned long long)lock->contentions);
	sp_buffer_puts(&w->out, " | ");
	if (exact)
		sp_put_duration(&w->out, lock->longest_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, lock->name);
	sp_buffer_puts(&w->out, " | ");
	if (lock->waiter_ns)
		sp_escape_name(&w->out, SP_ESCAPE_CELL, w->profile->functions[lock->waiter].name);
	sp_buffer_puts(&w->out, " | ");
	put_holders(w, lock);
	sp_buffer_puts(&w->out, " |\n");
}

static void put_locks_head(struct sp_writer *w, const char *exactness)
{
	sp_buffer_printf(&w->out,
		"## Locks\n\nWhat threads waited for each other with. %s The holder is where the thread that had the "
		"lock "
		"was meanwhile, as far as it was seen.\n\n"
		"| Waited | Contentions | Longest | Lock | Mostly by | Held |\n|---:|---:|---:|:---|:---|:---|\n",
		exactness);
}

static void write_locks(struct sp_writer *w)
{
	const struct sp_waits_info *waits = w->profile->waits;

	if (!waits->lock_count)
		return;
	put_locks_head(w, "Contentions, and what was waited for a lock, are exact.");
	for (size_t i = 0; i < waits->lock_count && i < w->limits.sites; i++)
		put_lock(w, &waits->locks[i]);
	sp_buffer_puts(&w->out, "\n");
}

/* --- of merged profiles, of which only the rows are known */

static void put_row(struct sp_writer *w, const struct sp_wait_row *row, double all, double all_error2)
{
	sp_buffer_printf(&w->out, "| %.1f%% | %.1f | ", all > 0 ? 100 * (double)row->ns / all : 0.0,
		100 * sp_waits_share_error((double)row->ns, row->error_ns * row->error_ns, all, all_error2));
	sp_put_duration(&w->out, row->ns);
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)row->count);
	sp_put_duration(&w->out, row->longest_ns);
	sp_buffer_printf(&w->out, " | %s%s | ", row->idle ? "idle, " : "", sp_wait_kind_name(row->kind));
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->call);
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->caller);
	sp_buffer_puts(&w->out, " |  | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->lock);
	sp_buffer_puts(&w->out, " |\n");
}

static void put_lock_row(struct sp_writer *w, const struct sp_wait_lock *lock)
{
	const struct sp_wait_row *row = lock->most;

	sp_buffer_puts(&w->out, "| ");
	sp_put_duration(&w->out, lock->ns);
	sp_buffer_puts(&w->out, " |  | ");
	sp_put_duration(&w->out, lock->longest_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->lock);
	sp_buffer_puts(&w->out, " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->caller);
	sp_buffer_puts(&w->out, row->holder[0] || row->holder_call[0] ? " | mostly " : " | ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->holder);
	sp_buffer_puts(&w->out, row->holder[0] && row->holder_call[0] ? " in " : row->holder_call[0] ? "in " : "");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, row->holder_call);
	sp_buffer_puts(&w->out, " |\n");
}

static void write_rows(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	struct sp_wait_lock *locks;
	size_t count = sp_wait_rows_locks(p, &locks);
	double all = 0, all_error2 = 0;

	for (size_t i = 0; i < p->wait_row_count; i++) {
		all += (double)p->wait_rows[i].ns;
		all_error2 += p->wait_rows[i].error_ns * p->wait_rows[i].error_ns;
	}
	put_waits_head(w);
	for (size_t i = 0; i < p->wait_row_count && i < w->limits.sites; i++)
		put_row(w, &p->wait_rows[i], all, all_error2);
	sp_buffer_puts(&w->out, "\n");
	if (count)
		put_locks_head(w, "What was waited for a lock is an estimate here.");
	for (size_t i = 0; i < count && i < w->limits.sites; i++)
		put_lock_row(w, &locks[i]);
	sp_buffer_puts(&w->out, count ? "\n" : "");
	free(locks);
}

void sp_write_waits(struct sp_writer *w)
{
	if (sp_put_written(w, "## Waits", "# ") || sp_put_written(w, "## Locks", "# "))
		return;
	if (w->profile->waits) {
		write_places(w);
		write_locks(w);
	} else if (w->profile->wait_row_count) {
		write_rows(w);
	}
}
