/* Alerts: what was found, and how people are told. */
#ifndef SP_TOOLS_HISTORY_ALERT_H
#define SP_TOOLS_HISTORY_ALERT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/history/alerts.h"
#include "profiles/history/store.h"
#include "tools/history/values.h"

struct sp_told {
	char *key;  /* what it is about: an alert of the same key within the quiet time is the same */
	char *text; /* a line for people, inert */
	json_t *json;
	bool sure, quiet; /* quiet: was told not long ago */
};
struct sp_tolds {
	struct sp_told *items;
	size_t count, capacity;
};

struct sp_alert_ways {
	const char *file; /* lines of JSON are added to; NULL: beside the history */
	const char
		*command;  /* run without a shell, with the alerts as lines of JSON on its standard input; NULL: none */
	uint64_t quiet_ns; /* how long an alert that was told is not told again; 0: each is told each time */
};

/* [alert] of smartprof.toml, where there is one: texts are *root's, which is to be freed in any case. False after a complaint. */
struct sp_alert_settings {
	double *threshold;
	struct sp_alert_ways *ways;
	int (*set_quiet)(void *context, const char *text); /* 0, or after a complaint another number */
	void *context;
};
bool sp_alert_settings_read(const struct sp_alert_settings *settings, json_t **root);

/* accepted.c: the baselines of the history, read once. Returns 0 or a negative errno; free with json_decref in any case. */
int sp_accepted_read(struct sp_history *store, json_t **baselines);

/* What they say of these runs; free() its array. */
void sp_accepted_find(const json_t *baselines, const struct sp_history_group *group, const struct sp_values *values,
	struct sp_alert_kept *kept, bool **pinned);

/* Marks those that were told within the quiet time. */
void sp_alerts_quiet(struct sp_tolds *alerts, const struct sp_alert_ways *ways, const char *history);

/* Tells the sure ones that are not quiet: file and command. False after a complaint. */
bool sp_alerts_tell(const struct sp_tolds *alerts, const struct sp_alert_ways *ways, const char *history);

#endif
