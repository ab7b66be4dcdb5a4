/* What a guardian knows of its targets, on disk: limits outlive it, and --explain can tell. One file a process, by its
 * number and start: <state directory>/guard/<pid>.<start_ticks>.json. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/json.h"
#include "profiles/base/xdg.h"
#include "profiles/output/output.h"
#include "profiles/spool/process.h"
#include "tools/guard/guard.h"
#include "tools/tools.h"

#define SCHEMA "smartprof-guard-state/1"
#define STATE_BYTES_MOST 16384u

static void name_file(char *name, size_t size, int pid, uint64_t start_ticks)
{
	snprintf(name, size, "%d.%llu.json", pid, (unsigned long long)start_ticks);
}

#define KEPT_SECONDS 86400 /* a report of a process that has ended may be under way */

/* Where they are; files of processes that are long gone are no use to anybody. */
static int open_directory(bool clean)
{
	char path[PATH_MAX];
	struct dirent **entries;
	bool made;
	int fd, count = 0;

	if (sp_state_path(path, sizeof(path), "guard"))
		return -ENOENT;
	fd = sp_directory_open(path, &made);
	if (fd >= 0 && clean)
		count = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < count; i++) {
		unsigned long long ticks;
		struct stat st;
		int pid;

		if (sscanf(entries[i]->d_name, "%9d.%llu.", &pid, &ticks) == 2 && !sp_process_alive(pid, ticks) &&
			fstatat(fd, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			time(NULL) - st.st_mtime > KEPT_SECONDS)
			unlinkat(fd, entries[i]->d_name, 0);
		free(entries[i]);
	}
	if (count > 0)
		free(entries);
	return fd;
}

static json_t *rule_json(const struct sp_guard_rule *r, const char *name)
{
	json_t *object = json_object();

	sp_json_set(object, "name", sp_json_text(name));
	sp_json_set(object, "threshold", sp_json_count(r->threshold));
	sp_json_set(object, "since_ns", sp_json_count(r->since_ns));
	sp_json_set(object, "high", sp_json_count(r->high));
	sp_json_set(object, "above", r->since_ns && r->last >= r->threshold ? json_true() : json_false());
	sp_json_set(object, "last", sp_json_count(r->last));
	sp_json_set(object, "fired", sp_json_count(r->fired));
	return object;
}

static json_t *sequence_json(const struct sp_guard_sequence *s)
{
	json_t *object = json_object();

	sp_json_set(object, "began_ns", sp_json_count(s->began_ns));
	sp_json_set(object, "captures", sp_json_count(s->captures));
	sp_json_set(object, "suppressed", sp_json_count(s->suppressed));
	return object;
}

static uint64_t own_start(void)
{
	struct sp_process_stat stat;

	return sp_process_stat(getpid(), &stat) == 0 ? stat.start_ticks : 0;
}

void sp_guard_state_save(struct sp_guard_target *t)
{
	json_t *object = json_object(), *rules = json_array();
	struct sp_buffer text = {0};
	char name[64];
	int fd = open_directory(false);

	for (unsigned i = 0; i < SP_GUARD_RULES; i++)
		json_array_append_new(rules, rule_json(&t->rules.rule[i], sp_guard_rule_names[i]));
	sp_json_set(object, "schema", sp_json_text(SCHEMA));
	sp_json_set(object, "guard", sp_json_count((uint64_t)getpid()));
	sp_json_set(object, "guard_start", sp_json_count(own_start()));
	sp_json_set(object, "window_ns", sp_json_count(t->rules.window_ns));
	sp_json_set(object, "rules", rules);
	sp_json_set(object, "memory", sequence_json(&t->rules.memory));
	sp_json_set(object, "cpu", sequence_json(&t->rules.cpu));
	sp_json_put(&text, object, false);
	name_file(name, sizeof(name), t->pid, t->start_ticks);
	if (fd >= 0) {
		sp_output_put(fd, name, &text, true); /* where that fails, limits begin anew with the next guardian */
		close(fd);
	}
	sp_buffer_free(&text);
	t->saved_ns = sp_guard_now_ns();
	t->unsaved = false;
}

static uint64_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static json_t *read_state(int pid, uint64_t start_ticks, bool clean)
{
	char name[64], *text = calloc(1, STATE_BYTES_MOST);
	int directory = open_directory(clean), fd = -1;
	json_t *state = NULL;
	ssize_t n = 0;

	name_file(name, sizeof(name), pid, start_ticks);
	if (directory >= 0)
		fd = sp_regular_open(directory, name);
	if (fd >= 0 && text)
		n = read(fd, text, STATE_BYTES_MOST);
	if (n > 0)
		state = json_loadb(text, (size_t)n, 0, NULL);
	if (state && strcmp(json_string_value(json_object_get(state, "schema")) ?: "", SCHEMA) != 0) {
		json_decref(state);
		state = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (directory >= 0)
		close(directory);
	free(text);
	return state;
}

static void take_sequence(struct sp_guard_sequence *s, const json_t *object)
{
	s->began_ns = number(object, "began_ns");
	s->captures = (uint32_t)number(object, "captures");
	s->suppressed = (uint32_t)number(object, "suppressed");
}

/* `whole`: with the thresholds and the window of the guardian that left it. */
static void take_rules(struct sp_guard_rules *rules, const json_t *state, bool whole)
{
	for (unsigned i = 0; i < SP_GUARD_RULES; i++) {
		const json_t *object = json_array_get(json_object_get(state, "rules"), i);
		struct sp_guard_rule *r = &rules->rule[i];

		if (whole)
			r->threshold = number(object, "threshold");
		if (r->threshold != number(object, "threshold"))
			continue; /* another threshold is another rule */
		r->high = number(object, "high");
		r->fired = (uint32_t)number(object, "fired");
		r->since_ns = whole ? number(object, "since_ns") : 0;
		r->last = whole ? number(object, "last") : 0;
	}
	if (whole)
		rules->window_ns = number(state, "window_ns");
	take_sequence(&rules->memory, json_object_get(state, "memory"));
	take_sequence(&rules->cpu, json_object_get(state, "cpu"));
}

void sp_guard_state_load(struct sp_guard_target *t)
{
	json_t *state = read_state(t->pid, t->start_ticks, true);

	if (state)
		take_rules(&t->rules, state, false);
	json_decref(state);
}

void sp_guard_state_drop(const struct sp_guard_target *t)
{
	int directory = open_directory(false);
	char name[64];

	name_file(name, sizeof(name), t->pid, t->start_ticks);
	if (directory < 0)
		return;
	unlinkat(directory, name, 0);
	close(directory);
}

/* --- --explain ---------------------------------------------------------------------------------- */

static void put_value(struct sp_buffer *out, unsigned rule, uint64_t value)
{
	if (rule == SP_GUARD_CPU)
		sp_buffer_printf(out, "%llu %%", (unsigned long long)value / 10);
	else
		sp_guard_put_megabytes(out, value);
}

static void explain_rule(const struct sp_guard_target *t, unsigned i, uint64_t now_ns)
{
	const struct sp_guard_rule *r = &t->rules.rule[i];
	struct sp_buffer line = {0};
	uint64_t value = i == SP_GUARD_CPU ? r->last : sp_guard_memory(&t->facts);

	sp_buffer_printf(&line, "  %s: ", sp_guard_rule_names[i]);
	if (i != SP_GUARD_CPU) {
		put_value(&line, i, value);
		sp_buffer_puts(&line, " now; ");
	} else if (r->since_ns) {
		put_value(&line, i, value);
		sp_buffer_puts(&line, " when it was last above or below; ");
	}
	sp_buffer_puts(&line, "needs ");
	put_value(&line, i, sp_guard_rule_needs(r));
	sp_buffer_printf(&line, " for %.4g s", (double)t->rules.window_ns / 1e9);
	if (r->high) {
		sp_buffer_puts(&line, " (a quarter more than it last fired at), or to fall below ");
		put_value(&line, i, r->threshold - r->threshold / 10);
		sp_buffer_puts(&line, " first");
	}
	if (r->since_ns && now_ns > r->since_ns) {
		sp_buffer_printf(&line, "; %s ", r->last >= r->threshold ? "above" : "below");
		put_value(&line, i, r->threshold);
		sp_buffer_printf(&line, " for %.0f s", (double)(now_ns - r->since_ns) / 1e9);
	}
	sp_buffer_printf(&line, "; fired %u %s\n", r->fired, r->fired == 1 ? "time" : "times");
	fputs(line.data, stdout);
	sp_buffer_free(&line);
}

static void explain_one(struct sp_guard_target *t, const json_t *state)
{
	uint64_t now_ns = sp_guard_now_ns();
	char name[SP_GUARD_NAME_BYTES];

	memcpy(name, t->facts.name, sizeof(name));
	sp_make_inert(name);
	if (state && sp_process_alive((int)number(state, "guard"), number(state, "guard_start")))
		printf("%s (%d): guarded by process %llu\n", name, t->pid, (unsigned long long)number(state, "guard"));
	else if (state)
		printf("%s (%d): not guarded any more; as its guardian left it:\n", name, t->pid);
	else
		printf("%s (%d): not guarded; a guardian with these thresholds would do as follows\n", name, t->pid);
	for (unsigned i = 0; i < SP_GUARD_RULES; i++)
		if (t->rules.rule[i].threshold)
			explain_rule(t, i, now_ns);
	printf("  captures: %u of %u in this sequence, %u suppressed\n", t->rules.memory.captures,
		SP_GUARD_SEQUENCE_CAPTURES, t->rules.memory.suppressed + t->rules.cpu.suppressed);
}

int sp_guard_explain(const struct sp_guard_wish *wish, int pid, const char *name)
{
	int pids[64];
	size_t count = name ? sp_guard_find(pids, sizeof(pids) / sizeof(pids[0]), name) : 1;

	if (!name)
		pids[0] = pid;
	if (!count)
		printf("no process goes by the name %s\n", name);
	for (size_t i = 0; i < count; i++) {
		struct sp_guard_target *t;
		json_t *state;
		int status = sp_guard_target_open(&t, wish, pids[i], false, name != NULL);

		if (status && !name)
			return status;
		if (status)
			continue;
		state = read_state(t->pid, t->start_ticks, false);
		if (state)
			take_rules(&t->rules, state, true);
		explain_one(t, state);
		json_decref(state);
		sp_guard_target_free(t);
	}
	return 0;
}
