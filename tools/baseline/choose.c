/* Which baseline a check compares with. */
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/baseline/baseline.h"

struct taken {
	json_t *baseline;
	char id[SP_HISTORY_BASELINE_ID];
	bool accepted_only;
};

static int take_first(const struct sp_history_baseline *row, void *context)
{
	struct taken *taken = context;
	const char *why;
	json_t *baseline = sp_baseline_parse(row->content, strlen(row->content), &why);

	if (!baseline)
		return 0; /* another version's */
	if (taken->accepted_only &&
		(!*sp_baseline_text(baseline, "because") || !sp_git_is_before(row->commit, "HEAD"))) {
		json_decref(baseline);
		return 0;
	}
	taken->baseline = baseline;
	memcpy(taken->id, row->id, sizeof(row->id));
	return 1;
}

static json_t *first(struct sp_history *store, const struct sp_history_baseline_filter *filter, bool accepted_only)
{
	struct taken taken = {.accepted_only = accepted_only};

	sp_history_baselines(store, filter, take_first, &taken);
	return taken.baseline;
}

json_t *sp_baseline_named(struct sp_history *store, const char *name, char id[static SP_HISTORY_BASELINE_ID])
{
	struct sp_history_baseline_filter filter = {.name = name};
	struct taken taken = {0};

	sp_history_baselines(store, &filter, take_first, &taken);
	if (!taken.baseline && strlen(name) >= 4 && strspn(name, "0123456789abcdef") == strlen(name)) {
		filter = (struct sp_history_baseline_filter){.id = name};
		sp_history_baselines(store, &filter, take_first, &taken);
	}
	memcpy(id, taken.id, sizeof(taken.id));
	return taken.baseline;
}

static char *describe(const json_t *baseline, const char *why, const char *machine)
{
	const char *commit = sp_baseline_text(baseline, "commit");

	return sp_text("Baseline '%s' of %s%s%.12s, %s%s.", sp_baseline_text(baseline, "name"),
		sp_baseline_text(baseline, "created"), *commit ? ", commit " : "", commit, why,
		strcmp(sp_baseline_machine(baseline), machine) == 0
			? ", on this class of machines"
			: "; another class of machines, so only memory is compared");
}

static char *named_text(struct sp_history *store, const char *name, const char *machine, json_t **baseline)
{
	struct sp_history_baseline_filter filter = {.name = name, .machine = machine};
	char id[SP_HISTORY_BASELINE_ID];

	*baseline = first(store, &filter, false);
	if (!*baseline)
		*baseline = sp_baseline_named(store, name, id);
	return *baseline ? describe(*baseline, "asked for", machine)
			 : sp_text("There is no baseline '%s'; smartprof baseline list shows those there are.", name);
}

/* What somebody accepted on the way to here is newer than what it grew from. */
static bool is_newer(const json_t *accepted, const json_t *other)
{
	return accepted && (!other || sp_baseline_created_ns(accepted) > sp_baseline_created_ns(other));
}

json_t *sp_baseline_choose(struct sp_history *store, const char *name, const struct sp_git_here *here,
	const char *machine, char **text)
{
	static const char of_main[] =
		"the newest of the main branch, as there is none of the commit where this one left it";
	const char *slash = strchr(here->main_branch, '/'), *branch = slash ? slash + 1 : here->main_branch;
	const struct {
		struct sp_history_baseline_filter filter;
		const char *why;
	} ways[] = {{{.commit = here->merge_base, .machine = machine},
			    "the newest of the commit where this branch left the main one"},
		{{.branch = here->main_branch, .machine = machine}, of_main},
		{{.branch = branch, .machine = machine}, of_main}, /* of a remote */
		{{.machine = machine}, "the newest there is, as there is none of a main branch"},
		{{0}, "the newest there is"}};
	json_t *baseline = NULL, *accepted;

	if (name) {
		*text = named_text(store, name, machine, &baseline);
		return baseline;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && !baseline; i++) {
		const struct sp_history_baseline_filter *filter = &ways[i].filter;

		if ((filter->commit && !*filter->commit) || (filter->branch && !*filter->branch))
			continue;
		baseline = first(store, filter, false);
		if (baseline)
			*text = describe(baseline, ways[i].why, machine);
	}
	accepted = first(store, &(struct sp_history_baseline_filter){.machine = machine}, true);
	if (is_newer(accepted, baseline)) {
		char *why = sp_text("accepted on the way to here, because: %s", sp_baseline_text(accepted, "because"));

		json_decref(baseline);
		if (baseline)
			free(*text);
		baseline = json_incref(accepted);
		*text = describe(baseline, why, machine);
		free(why);
	}
	json_decref(accepted);
	if (!baseline)
		*text = sp_copy_text(
			"There is no baseline; smartprof baseline save makes one of the runs in the history.");
	return baseline;
}
