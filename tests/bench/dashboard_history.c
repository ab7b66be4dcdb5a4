/* Fills a history with 60 days of runs that were never made, for the dashboard: noise, a step that has profiles on both sides, a
 * drift, failures, two machines, two branches. usage: dashboard_history HISTORY BEFORE.md AFTER.md [RUNS [COMMIT…]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/store.h"
#include "symbolize/base/memory.h"

#define DAY_NS 86400000000000u
#define START_NS 1790000000000000000u

static double gauss(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += drand48();
	return sum;
}

static char *read_file(const char *path, size_t *bytes)
{
	FILE *file = fopen(path, "r");
	char *text = sp_alloc(1, 16 << 20);

	*bytes = file ? fread(text, 1, (16 << 20) - 1, file) : 0;
	if (file)
		fclose(file);
	return text;
}

struct command {
	const char *program, *arguments;
	double ns, noise, step, drift;
};

static const struct command commands[] = {
	{"sqlite3", "db .schema", 4.2e8, 0.02, 1.18, 0},
	{"xz", "-3 FILE", 1.9e9, 0.015, 0.88, 0},
	{"python3", "</script><script>window.broken=1</script>", 8e7, 0.06, 1, 0},
	{"evil\xe2\x80\xae\x1b[31m", "", 2.5e8, 0.03, 1, 0.15},
	{"true", "", 1.2e6, 0.2, 1, 0},
};

static void set_machine(struct sp_history_machine *machine, int other)
{
	sp_history_set(&machine->cpu, other ? "Other <b>CPU</b>" : "Intel(R) Xeon(R) CPU");
	sp_history_set(&machine->kernel, "6.1");
	sp_history_set(&machine->governor, "");
	machine->millicores = other ? 8000 : 2000;
	machine->memory_bytes = 8ull << 30;
	sp_history_machine_class(machine);
}

static void set_timeline(struct sp_history_run *run, double ns)
{
	char text[8192], *at = text;

	at += sprintf(at, "{\"step_ns\":%.0f,\"points\":[", ns / 100);
	for (int i = 1; i <= 100; i++)
		at += sprintf(at, "%s[%.0f,%.0f,%.0f,1]", i > 1 ? "," : "", ns / 100 * i,
			ns / 100 * i * (0.8 + 0.1 * sin(i / 5.0)), 1e7 + 3e5 * i);
	sprintf(at, "]}");
	sp_history_set_blob(run, SP_HISTORY_TIMELINE, text, strlen(text));
}

static void fill(struct sp_history_run *run, const struct command *c, double part, const char *commit)
{
	bool after = part > 0.6, other = drand48() < 0.2, branch = drand48() < 0.2, failed = drand48() < 0.03;
	double ns = c->ns * exp(c->noise * gauss() + c->drift * part) * (after ? c->step : 1) * (other ? 1.4 : 1) *
		(branch ? 0.95 : 1);

	run->started_ns = START_NS + (uint64_t)(part * 60 * (double)DAY_NS);
	sp_history_set(&run->kind, "monitor");
	sp_history_set(&run->program, c->program);
	sp_history_set(&run->args_class, c->arguments);
	sp_history_set(&run->command, c->program);
	sp_history_set(&run->environment, "development");
	sp_history_set(&run->branch, branch ? "feature/<i>fast</i>" : "main");
	sp_history_set(&run->commit, commit);
	sp_history_set(&run->state, failed ? "failed" : "ok");
	run->exit_status = failed;
	run->profiled = true;
	set_machine(&run->machine, other);
	sp_history_add_metric(run, "wall_ns", ns, NAN);
	sp_history_add_metric(run, "user_ns", 0.8 * ns, 0.008 * ns);
	sp_history_add_metric(run, "sys_ns", 0.1 * ns * (1 + 0.1 * drand48()), NAN);
	sp_history_add_metric(run, "peak_rss_bytes", 4e7 * (1 + 0.001 * gauss()), NAN);
	sp_history_add_metric(run, "cpu_percent", 90 + gauss(), NAN);
	sp_history_add_metric(run, "queue_ns", 1e6 * drand48(), NAN);
	sp_history_add_function(run, SP_HISTORY_CPU, "work</script>", c->program, 0.5 * ns, 0.6 * ns, 0.01 * ns);
	sp_history_add_function(run, SP_HISTORY_CPU, "lookup", c->program, 2e8, 2e8, 1e6);
	set_timeline(run, ns);
}

int main(int argc, char **argv)
{
	size_t bytes[2], count = argc > 4 ? (size_t)atol(argv[4]) : 1000,
			 kinds = sizeof(commands) / sizeof(commands[0]);
	char *texts[2], why[SP_HISTORY_WHY];
	struct sp_history *store;

	if (argc < 4 || sp_history_open(&store, argv[1], SP_HISTORY_WRITE, why)) {
		fprintf(stderr, "dashboard_history: %s\n", argc < 4 ? "HISTORY BEFORE.md AFTER.md" : why);
		return 2;
	}
	texts[0] = read_file(argv[2], &bytes[0]);
	texts[1] = read_file(argv[3], &bytes[1]);
	srand48(3);
	sp_history_begin(store);
	for (size_t i = 0; i < count; i++) {
		struct sp_history_run *run = sp_history_run_make();
		double part = ((double)i + 0.5 * drand48()) / (double)count;
		char made[41];

		snprintf(made, sizeof(made), "%040zx", (size_t)(part * 100) + 0xabcdef0000);
		fill(run, &commands[i % kinds], part, argc > 5 ? argv[5 + (size_t)(part * (argc - 5))] : made);
		if (i % kinds == 0)
			sp_history_set_blob(run, SP_HISTORY_PROFILE, texts[part > 0.6], bytes[part > 0.6]);
		if (sp_history_add(store, run)) {
			fprintf(stderr, "dashboard_history: %s\n", sp_history_error(store));
			return 1;
		}
		sp_history_run_free(run);
	}
	sp_history_commit(store);
	sp_history_close(store);
	return 0;
}
