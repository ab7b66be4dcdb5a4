/* smartprof.toml, as `smartprof check` takes it (docs/CHECK.md). */
#ifndef SP_PROFILES_GATE_CONFIG_H
#define SP_PROFILES_GATE_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/gate/judge.h"

#define SP_GATE_FILE "smartprof.toml"
#define SP_GATE_ALLOWED 0.20    /* growth, unless the file says otherwise */
#define SP_GATE_CONFIDENCE 0.99 /* of a check as a whole: no figure of it is a false alarm */
#define SP_GATE_RUNS 10u

struct sp_gate_limit {
	const char *span; /* of SP_GATE_SPAN */
	enum sp_gate_metric metric;
	double most; /* ns or bytes */
};

struct sp_gate_command {
	const char *name, *run;
	const char *prepare, *start, *baseline_run; /* NULL: not told */
	unsigned runs, profiled;                    /* how many */
	uint64_t timeout_ns;                        /* 0: none */
	double allowed[SP_GATE_METRICS];            /* growth; negative: may grow as it likes */
	double success;                             /* part of the runs that must end well */
	bool same_code_fails;                       /* growth without a change of code */
	struct sp_gate_limit *limits;
	size_t limit_count, limit_capacity;
};

struct sp_gate_config {
	json_t *root; /* texts are its */
	struct sp_gate_command *commands;
	size_t command_count;
	double confidence;
	uint64_t decide_ns;      /* how long --decide may take */
	const char *main_branch; /* NULL: to be found */
};

/* NULL: why has a line for people, which names the file's line where that is known. The text may be anything. */
#define SP_GATE_WHY 300
struct sp_gate_config *sp_gate_config_parse(const char *text, size_t length, char why[static SP_GATE_WHY]);
void sp_gate_config_free(struct sp_gate_config *config);

/* "1.5s", "20ms", "2m", "3us"; "100MB", "1.5GiB". NAN: it is none. */
double sp_gate_parse_ns(const char *text);
double sp_gate_parse_bytes(const char *text);

#endif
