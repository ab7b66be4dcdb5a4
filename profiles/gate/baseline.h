/* A baseline: what commands took at one commit on one machine, run by run, as a JSON document (docs/CHECK.md has the schema). It
 * stands for itself: what is compared with it needs no store. */
#ifndef SP_PROFILES_GATE_BASELINE_H
#define SP_PROFILES_GATE_BASELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/gate/judge.h"
#include "profiles/history/run.h"

#define SP_BASELINE_SCHEMA "smartprof-baseline/1"
#define SP_BASELINE_BYTES_MAX (32u << 20)

/* Texts may be NULL. */
struct sp_baseline_head {
	const char *name, *commit, *branch, *because;
	int dirty; /* 1: files differed from the commit; 0: none; -1 unknown */
	uint64_t created_ns;
	const struct sp_history_machine *machine;
};

/* A new document without commands. */
json_t *sp_baseline_make(const struct sp_baseline_head *head);

/* Adds a run to the command it is of, which is made where it is missing: runs with the agent tell of what was allocated, of spans and
 * functions, others of time and memory. */
void sp_baseline_add(json_t *baseline, const struct sp_history_run *run);

/* Computes medians and errors; after the last run. */
void sp_baseline_finish(json_t *baseline);

/* A document of that schema; NULL: *why says what it lacks (static text). The text may be anything. */
json_t *sp_baseline_parse(const char *text, size_t length, const char **why);

/* Texts of it, never NULL. */
const char *sp_baseline_text(const json_t *baseline, const char *key);
uint64_t sp_baseline_created_ns(const json_t *baseline); /* since 1970; 0 unknown */
const char *sp_baseline_machine(const json_t *baseline); /* class */

/* The command with this class of arguments of this program; NULL: it has none. */
json_t *sp_baseline_find(const json_t *baseline, const char *program, const char *args_class);

/* Its runs' values of a figure ("wall", "cpu", "peak", "allocated", "start"; of a span "p99 NAME"), appended. */
void sp_baseline_values(const json_t *command, const char *figure, struct sp_gate_values *values);

/* The figure of a metric of the history, "p99 NAME" of "span.NAME.p99_ns", to be freed; NULL: it is of no span. */
char *sp_baseline_span_figure(const char *metric);

/* For people: what it holds; a row for `list`. */
void sp_baseline_put(struct sp_buffer *out, const json_t *baseline);

#endif
