/* Changes of series, one a line of the input: VALUE:ERROR:MACHINE ..., ERROR - when unknown. Prints a line for each:
 * INDEX:RATIO:STATE:KIND:FROM:TO ..., the first run after the change, "confirmed" or "suspected", "step" or "slope", and the first and
 * the last run that it may be. With the word alerts instead what is said of it when it has so many runs as of the tenth: 1 for a
 * sure alert, 0 for none, run by run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/alerts.h"
#include "symbolize/base/memory.h"

#define FIRST_LOOK 10u

static struct sp_history_value parse(char *word)
{
	char *machine, *error = strchr(word, ':');
	struct sp_history_value v = {.error = NAN};

	v.value = strtod(word, NULL);
	if (!error)
		return v;
	machine = strchr(++error, ':');
	v.error = *error == '-' ? NAN : strtod(error, NULL);
	v.machine = machine ? machine + 1 : NULL;
	return v;
}

static void put_changes(const struct sp_history_value *values, size_t n)
{
	struct sp_changes changes = {0};

	sp_changes_find(&changes, values, n);
	for (size_t i = 0; i < changes.count; i++)
		printf("%s%zu:%.4f:%s:%s:%zu:%zu", i ? " " : "", changes.items[i].after, changes.items[i].ratio,
			changes.items[i].state == SP_CHANGE_CONFIRMED ? "confirmed" : "suspected",
			changes.items[i].gradual ? "slope" : "step", changes.items[i].surely_before + 1,
			changes.items[i].surely_after);
	sp_changes_free(&changes);
}

static void put_alerts(const struct sp_history_value *values, size_t n)
{
	for (size_t seen = FIRST_LOOK; seen <= n; seen++)
		printf("%d ", sp_alert_of(values, seen, SP_THRESHOLD).sure);
}

int main(int argc, char **argv)
{
	bool alerts = argc > 1 && strcmp(argv[1], "alerts") == 0;
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct sp_history_value *values = NULL;
		size_t n = 0, capacity = 0;

		for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
			sp_grow(&values, &capacity, n + 1, sizeof(*values));
			values[n++] = parse(word);
		}
		(alerts ? put_alerts : put_changes)(values, n);
		printf("\n");
		free(values);
	}
	free(line);
	return 0;
}
