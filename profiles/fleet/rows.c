/* Writing the rows: those of spans and of the profile itself. */
#include "profiles/fleet/rows.h"

#include <math.h>
#include <string.h>

#include "profiles/fleet/facts.h"
#include "profiles/fleet/put.h"
#include "profiles/fleet/sql.h"
#include "profiles/fleet/stack_rows.h"
#include "profiles/model/facts.h"
#include "profiles/model/spans.h"

/* --- spans */

static void put_span(struct sp_buffer *out, const struct sp_span_info *span)
{
	const double half = span->cpu_error / SP_FLEET_Z95;
	const uint64_t numbers[SP_FLEET_SPANS] = {[SP_FLEET_SPAN_COUNT] = span->count,
		[SP_FLEET_SPAN_SUM] = span->sum_ns,
		[SP_FLEET_SPAN_SELF] = span->self_ns,
		[SP_FLEET_SPAN_CPU] = span->cpu_ns,
		[SP_FLEET_SPAN_BYTES] = span->bytes,
		[SP_FLEET_SPAN_MAX] = span->max_ns,
		[SP_FLEET_SPAN_MEDIAN] = span->median_ns,
		[SP_FLEET_SPAN_P99] = span->p99_ns};
	const double reals[SP_FLEET_SPAN_REALS] = {
		[SP_FLEET_SPAN_CPU_VAR] = half * half, [SP_FLEET_SPAN_US_SQ] = span->spread.us_sq};

	sp_fleet_put_member(out, "span", sp_fleet_text(span->name));
	for (int i = 0; i < SP_FLEET_SPANS; i++)
		if (numbers[i])
			sp_buffer_printf(out, ",\"%s\":%llu", sp_fleet_spans[i].name, (unsigned long long)numbers[i]);
	for (int i = 0; i < SP_FLEET_SPAN_REALS; i++)
		if (reals[i] > 0 && isfinite(reals[i]))
			sp_buffer_printf(out, ",\"%s\":%.17g", sp_fleet_span_reals[i].name, reals[i]);
}

static void put_spans(struct sp_fleet_rows *rows, const struct sp_profile *p, const struct sp_buffer *prefix)
{
	struct sp_buffer *out = &rows->spans;

	for (size_t i = 0; i < p->span_count && i < SP_FLEET_ROWS_MOST; i++) {
		sp_buffer_add(out, prefix->data, prefix->length);
		put_span(out, &p->spans[i]);
		sp_buffer_puts(out, "}\n");
	}
}

/* --- the profile */

static void put_labels(struct sp_buffer *out, const struct sp_profile *p, const struct sp_fleet_origin *o)
{
	const char *environment = o->environment ? o->environment : sp_profile_fact(p, "environment");
	json_t *names = json_array(), *values = json_array();
	uint8_t digest[SHA256_DIGEST_LENGTH];
	uint64_t series;
	SHA2_CTX hash;

	SHA256Init(&hash);
	for (size_t i = 0; i < o->label_count; i++) {
		json_array_append_new(names, sp_fleet_text(o->labels[i].name));
		json_array_append_new(values, sp_fleet_text(o->labels[i].value));
		sp_fleet_hash_text(&hash, o->labels[i].name);
		sp_fleet_hash_text(&hash, o->labels[i].value);
	}
	SHA256Final(digest, &hash);
	memcpy(&series, digest, sizeof(series));
	sp_fleet_put_member(out, "service", sp_fleet_text(o->service));
	sp_fleet_put_member(out, "version", sp_fleet_text(o->version));
	sp_fleet_put_member(out, "environment", sp_fleet_text(environment ? environment : ""));
	sp_fleet_put_member(out, "host", sp_fleet_text(o->host));
	sp_fleet_put_member(out, "label_names", names);
	sp_fleet_put_member(out, "label_values", values);
	sp_buffer_printf(out, ",\"series\":%llu", o->label_count ? (unsigned long long)(series >> 1) : 0);
}

static void name_profile(struct sp_fleet_rows *rows, const struct sp_fleet_origin *o)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX hash;

	SHA256Init(&hash);
	sp_fleet_hash_text(&hash, o->service);
	sp_fleet_hash_text(&hash, o->version);
	sp_fleet_hash_text(&hash, o->host);
	sp_fleet_hash_text(&hash, o->environment ? o->environment : "");
	for (size_t i = 0; i < o->label_count; i++) {
		sp_fleet_hash_text(&hash, o->labels[i].name);
		sp_fleet_hash_text(&hash, o->labels[i].value);
	}
	SHA256Update(&hash, (const uint8_t *)o->content, o->length);
	SHA256Final(digest, &hash);
	sp_fleet_put_id(rows->id, digest);
}

/* Which process it was; the rest is numbers and facts. */
static void put_process(struct sp_buffer *out, const struct sp_profile *p)
{
	const char *role = sp_profile_fact(p, "tree_role"), *command = sp_profile_fact(p, "command"),
		   *tree = sp_profile_fact(p, "tree");

	sp_fleet_put_member(out, "command", sp_fleet_text(command ? command : ""));
	sp_fleet_put_member(out, "tree", sp_fleet_text(tree ? tree : ""));
	sp_buffer_printf(out, ",\"pid\":%llu,\"ppid\":%llu,\"root\":%d,\"start_ns\":%llu",
		(unsigned long long)(sp_profile_fact_number(p, "pid") & INT32_MAX),
		(unsigned long long)(sp_profile_fact_number(p, "ppid") & INT32_MAX), role && strcmp(role, "root") == 0,
		(unsigned long long)sp_facts_start_ns(p));
}

static void put_profile(struct sp_fleet_rows *rows, const struct sp_profile *p, const struct sp_fleet_origin *o)
{
	struct sp_buffer *out = &rows->profile;
	struct sp_fleet_facts facts;

	sp_fleet_facts_take(&facts, p);
	sp_buffer_printf(out, "{\"id\":\"%s\",\"time\":%llu", rows->id, (unsigned long long)rows->time_s);
	put_labels(out, p, o);
	put_process(out, p);
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		sp_fleet_put_member(out, sp_fleet_texts[i], sp_fleet_text(facts.texts[i]));
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		if (facts.numbers[i])
			sp_buffer_printf(out, ",\"%s\":%llu", sp_fleet_numbers[i].name,
				(unsigned long long)facts.numbers[i]);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		if (facts.reals[i] != 0 && isfinite(facts.reals[i]))
			sp_buffer_printf(out, ",\"%s\":%.17g", sp_fleet_reals[i].name, facts.reals[i]);
	sp_buffer_puts(out, "}\n");
	sp_fleet_facts_free(&facts);
}

void sp_fleet_rows_write(struct sp_fleet_rows *rows, struct sp_profile *profile, const struct sp_fleet_origin *origin)
{
	struct sp_buffer prefix = {0};
	uint64_t start_ns = sp_facts_start_ns(profile), end_s = (start_ns + profile->wall_ns) / 1000000000u;

	*rows = (struct sp_fleet_rows){.time_s = start_ns && end_s <= UINT32_MAX ? end_s : origin->now_s};
	name_profile(rows, origin);
	sp_buffer_printf(&prefix, "{\"profile\":\"%s\",\"time\":%llu", rows->id, (unsigned long long)rows->time_s);
	put_labels(&prefix, profile, origin);
	sp_fleet_stack_rows_write(rows, profile, &prefix);
	put_spans(rows, profile, &prefix);
	put_profile(rows, profile, origin);
	sp_buffer_free(&prefix);
}

void sp_fleet_rows_free(struct sp_fleet_rows *rows)
{
	sp_buffer_free(&rows->stacks);
	sp_buffer_free(&rows->samples);
	sp_buffer_free(&rows->spans);
	sp_buffer_free(&rows->profile);
}
