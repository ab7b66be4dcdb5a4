/* What was found out about two commands, in words. */
#include <math.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/monitor/pairs.h"

static const char *const answers[] = {"undecided", "same", "less", "more"};

static void put_answer(struct sp_buffer *out, const struct sp_pairs_verdict *v)
{
	switch (v->answer) {
	case SP_PAIRS_MORE:
	case SP_PAIRS_LESS:
		sp_buffer_printf(out, "surely %s", answers[v->answer]);
		return;
	case SP_PAIRS_SAME:
		sp_buffer_printf(out, "no difference of %.0f %%", 100 * SP_PAIRS_EFFECT);
		return;
	default:
		sp_buffer_puts(out, "not sure; ");
		if (v->more)
			sp_buffer_printf(out, "%zu more pair%s would tell", v->more, v->more == 1 ? "" : "s");
		else
			sp_buffer_puts(out, "it varies too much for any number of pairs");
	}
}

void sp_pairs_put(struct sp_buffer *out, const struct sp_monitor_series *first, const struct sp_monitor_series *second,
	const struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS])
{
	sp_escape(out, SP_ESCAPE_PLAIN, second->command, strlen(second->command));
	sp_buffer_puts(out, "\n  against ");
	sp_escape(out, SP_ESCAPE_PLAIN, first->command, strlen(first->command));
	sp_buffer_printf(out, ", %zu pairs:\n", first->count < second->count ? first->count : second->count);
	for (unsigned m = 0; m < SP_PAIRS_METRICS; m++) {
		const struct sp_pairs_verdict *v = &verdicts[m];

		sp_buffer_printf(out, "  %-12s ", sp_pairs_metric_names[m]);
		if (v->pairs && isfinite(v->high))
			sp_buffer_printf(out, "%.3g times (%.3g to %.3g): ", v->ratio, v->low, v->high);
		else
			sp_buffer_printf(out, "%.3g times so far: ", v->ratio);
		put_answer(out, v);
		sp_buffer_puts(out, "\n");
	}
}

json_t *sp_pairs_json(const struct sp_monitor_series *first, const struct sp_monitor_series *second,
	const struct sp_pairs_verdict verdicts[SP_PAIRS_METRICS])
{
	static const char *const keys[SP_PAIRS_METRICS] = {"wall", "cpu", "peak_rss"};
	json_t *object = json_object();

	sp_json_set(object, "reference", sp_json_text(first->command));
	sp_json_set(object, "command", sp_json_text(second->command));
	for (unsigned m = 0; m < SP_PAIRS_METRICS; m++) {
		const struct sp_pairs_verdict *v = &verdicts[m];
		json_t *row = json_object();

		sp_json_set(row, "answer", sp_json_text(answers[v->answer]));
		sp_json_set(row, "ratio", sp_json_number(v->ratio));
		sp_json_set(row, "low", sp_json_number(v->low));
		sp_json_set(row, "high", sp_json_number(v->high));
		sp_json_set(row, "pairs", json_integer((json_int_t)v->pairs));
		sp_json_set(row, "more_pairs", v->more ? json_integer((json_int_t)v->more) : json_null());
		sp_json_set(object, keys[m], row);
	}
	return object;
}
