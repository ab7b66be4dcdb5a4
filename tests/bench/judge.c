/* What `smartprof check` says of recorded runs, one history a line of the input: ALLOWED; BASELINE; NOW; AGAIN; FIRST; SECOND, the last five lists of
 * runs as CPU:WALL:QUEUE in nanoseconds. They are judged as runs that were just made: NOW against BASELINE; where that alarms, AGAIN; where
 * something is suspicious, FIRST and SECOND as the runs in turns of both programs, until they decide. Prints a line for each: alarms in the first
 * batch, alarms that count, 1 where the runs in turns say it is worse (or the alarm counts and there are none), and how many pairs were looked at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/gate/check.h"
#include "profiles/monitor/pairs.h"
#include "symbolize/base/memory.h"

struct runs {
	struct sp_gate_values cpu, wall;
	double queue;
};

static struct runs parse(char *text)
{
	struct runs runs = {.queue = 0};
	char *rest;

	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		sp_gate_add_value(&runs.cpu, strtod(word, &word));
		sp_gate_add_value(&runs.wall, strtod(word + 1, &word));
		runs.queue += strtod(word + 1, NULL);
	}
	return runs;
}

static double waited(const struct runs *runs)
{
	double wall = 0;

	for (size_t i = 0; i < runs->wall.count; i++)
		wall += runs->wall.items[i];
	return wall > 0 ? runs->queue / wall : 0;
}

static void copy(struct sp_gate_values *to, const struct sp_gate_values *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		sp_gate_add_value(to, from->items[i]);
}

static void measure(struct sp_check_command *c, const struct runs *now)
{
	copy(&sp_check_figure(c, "cpu", SP_GATE_CPU)->current, &now->cpu);
	copy(&sp_check_figure(c, "wall", SP_GATE_WALL)->current, &now->wall);
	c->waited[0] = waited(now);
}

static bool is_suspect(const struct sp_check_command *c)
{
	for (size_t i = 0; i < c->figure_count; i++)
		if (sp_check_is_suspect(&c->figures[i]) || c->figures[i].state == SP_FIGURE_DISTURBED)
			return true;
	return false;
}

static bool is_worse(const struct sp_check_command *c)
{
	for (size_t i = 0; i < c->figure_count; i++)
		if (c->figures[i].state == SP_FIGURE_WORSE)
			return true;
	return false;
}

struct answer {
	struct sp_pairs_verdict grown, beyond; /* against the first; against what is allowed */
};

static struct answer look(enum sp_pairs_metric metric, const struct sp_gate_values *first,
	const struct sp_gate_values *second, size_t n, double allowed)
{
	struct sp_gate_values most = {0};
	struct answer a = {.grown = sp_pairs_judge(metric, first->items, second->items, n, 1)};

	for (size_t i = 0; i < n; i++)
		sp_gate_add_value(&most, first->items[i] * (1 + allowed));
	a.beyond = sp_pairs_judge(metric, most.items, second->items, n, 1);
	free(most.items);
	return a;
}

static bool is_answered(const struct answer *a)
{
	return a->grown.answer == SP_PAIRS_MORE ? a->beyond.answer != SP_PAIRS_UNDECIDED
						: a->grown.answer != SP_PAIRS_UNDECIDED;
}

static bool is_beyond(const struct answer *a)
{
	return a->grown.answer == SP_PAIRS_MORE && a->beyond.answer == SP_PAIRS_MORE;
}

/* Whether runs in turns call it worse: as tools/check/decide.c. */
static bool decide(const struct runs *first, const struct runs *second, double allowed, size_t *pairs)
{
	struct answer cpu = {.grown = {.pairs = 0}}, wall = cpu;
	size_t most = first->cpu.count < second->cpu.count ? first->cpu.count : second->cpu.count;

	for (size_t n = 1; n <= most; n++) {
		if (!sp_pairs_is_look(n))
			continue;
		cpu = look(SP_PAIRS_CPU, &first->cpu, &second->cpu, n, allowed);
		wall = look(SP_PAIRS_WALL, &first->wall, &second->wall, n, allowed);
		*pairs = n;
		if (is_beyond(&cpu) || (is_answered(&cpu) && is_answered(&wall)))
			break;
	}
	return (cpu.grown.answer == SP_PAIRS_MORE && cpu.grown.low > 1 + allowed) ||
		(wall.grown.answer == SP_PAIRS_MORE && wall.grown.low > 1 + allowed);
}

static void judge(double allowed, const struct runs runs[5])
{
	struct sp_gate_command config = {.name = "recorded", .success = 1, .same_code_fails = true};
	struct sp_gate_config gate = {.commands = &config, .command_count = 1, .confidence = SP_GATE_CONFIDENCE};
	struct sp_check check = {.config = &gate, .command_count = 1};
	struct sp_check_command *c = check.commands = sp_alloc(1, sizeof(*check.commands));
	size_t pairs = 0;
	bool worse;

	c->config = &config;
	measure(c, &runs[1]);
	copy(&sp_check_figure(c, "cpu", SP_GATE_CPU)->baseline, &runs[0].cpu);
	copy(&sp_check_figure(c, "wall", SP_GATE_WALL)->baseline, &runs[0].wall);
	for (size_t i = 0; i < c->figure_count; i++)
		c->figures[i].allowed = allowed;
	c->waited[1] = waited(&runs[0]);
	sp_check_judge(&check, true);
	if (check.alarms) {
		measure(c, &runs[2]);
		check.repeated = true;
		sp_check_judge(&check, false);
	}
	worse = is_worse(c);
	printf("%zu %d", check.alarms, worse);
	if (runs[3].cpu.count && is_suspect(c))
		worse = decide(&runs[3], &runs[4], allowed, &pairs);
	printf(" %d %zu\n", worse, pairs);
	sp_check_free(&check);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct runs runs[5] = {{.queue = 0}};
		char *rest = line, *part = strsep(&rest, ";");
		double allowed = strtod(part, NULL);

		for (size_t i = 0; i < 5 && (part = strsep(&rest, ";")); i++)
			runs[i] = parse(part);
		judge(allowed, runs);
		for (size_t i = 0; i < 5; i++) {
			free(runs[i].cpu.items);
			free(runs[i].wall.items);
		}
	}
	free(line);
	return 0;
}
