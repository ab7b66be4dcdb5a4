/* Makes a history for tests: compose_history DATABASE, with a run on each line of the input, as words KEY=VALUE:
 * at (seconds since 1970), program, args, commit, branch, build, machine (its CPU), state, profiled (1), any metric (a name that ends in _ns or _bytes,
 * with an error behind a comma), and fn=NAME,MODULE,NANOSECONDS or alloc=NAME,MODULE,BYTES. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/store.h"

static void add_function(struct sp_history_run *run, enum sp_history_of of, char *value)
{
	char *module = strchr(value, ','), *cost = module ? strchr(module + 1, ',') : NULL;

	if (!cost)
		return;
	*module++ = *cost++ = '\0';
	sp_history_add_function(run, of, value, module, strtod(cost, NULL), NAN, NAN);
}

static void set(struct sp_history_run *run, const char *key, char *value)
{
	const struct {
		const char *key;
		char **text;
	} texts[] = {{"program", &run->program}, {"args", &run->args_class}, {"command", &run->command},
		{"commit", &run->commit}, {"branch", &run->branch}, {"build", &run->build_id},
		{"machine", &run->machine.cpu}, {"state", &run->state}};
	char *error;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0) {
			sp_history_set(texts[i].text, value);
			return;
		}
	if (strcmp(key, "at") == 0) {
		run->started_ns = (uint64_t)(strtod(value, NULL) * 1e9);
	} else if (strcmp(key, "profiled") == 0) {
		run->profiled = *value == '1';
	} else if (strcmp(key, "fn") == 0 || strcmp(key, "alloc") == 0) {
		add_function(run, *key == 'f' ? SP_HISTORY_CPU : SP_HISTORY_ALLOCATED, value);
	} else {
		error = strchr(value, ',');
		sp_history_add_metric(run, key, strtod(value, NULL), error ? strtod(error + 1, NULL) : NAN);
	}
}

static struct sp_history_run *parse(char *line)
{
	struct sp_history_run *run = sp_history_run_make();

	sp_history_set(&run->kind, "monitor");
	sp_history_set(&run->program, "work");
	sp_history_set(&run->command, "./work 1");
	sp_history_set(&run->environment, "development");
	sp_history_set(&run->state, "ok");
	run->exit_status = 0;
	sp_history_set(&run->machine.cpu, "a CPU");
	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value++ = '\0';
		set(run, word, value);
	}
	return run;
}

int main(int argc, char **argv)
{
	char why[SP_HISTORY_WHY], *line = NULL;
	struct sp_history *store;
	size_t room = 0;
	int status = argc == 2 ? 0 : 2;

	if (status || sp_history_open(&store, argv[1], SP_HISTORY_WRITE, why)) {
		fprintf(stderr, "compose_history: %s\n", status ? "which database?" : why);
		return 2;
	}
	status = sp_history_begin(store) ? 1 : 0;
	while (!status && getline(&line, &room, stdin) > 0) {
		struct sp_history_run *run = parse(line);

		status = sp_history_add(store, run) ? 1 : 0;
		sp_history_run_free(run);
	}
	if (status || sp_history_commit(store)) {
		fprintf(stderr, "compose_history: %s\n", sp_history_error(store));
		status = 1;
	}
	sp_history_close(store);
	free(line);
	return status;
}
