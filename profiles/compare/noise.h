/* The noise file: how far runs of one program differ though nothing changed (docs/COMPARE.md). */
#ifndef SP_PROFILES_NOISE_H
#define SP_PROFILES_NOISE_H

#include "profiles/compare/compare.h"

/* What identical runs of a program differ by: standard deviations of logarithms, from `freedom` + 1 runs. */
struct sp_noise_row {
	const char *function, *module; /* as sp_normal_name and sp_normal_module write them */
	double spread;
};
struct sp_noise {
	struct sp_pool pool;
	const char *program, *environment;
	unsigned runs;
	double metrics[SP_METRICS]; /* negative: not measured */
	struct sp_noise_row *rows;
	size_t row_count, row_capacity;
};

/* Learns it from runs of one binary; free with sp_noise_free. */
struct sp_noise *sp_noise_learn(struct sp_profile **profiles, const char **names, size_t count);
/* Untrusted text. NULL, a phrase in *why, and the line it is about. */
struct sp_noise *sp_noise_parse(const char *text, size_t length, const char **why, size_t *line);
char *sp_noise_text(const struct sp_noise *noise); /* JSON; free() it */
void sp_noise_free(struct sp_noise *noise);

/* The spread of a function of that normal name, negative when none was measured. */
double sp_noise_function(const struct sp_noise *noise, const char *function, const char *module);

#endif
