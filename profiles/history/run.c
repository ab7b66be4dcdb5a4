/* A run as the history keeps it. */
#include "profiles/history/run.h"

#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

const char *const sp_history_part_names[SP_HISTORY_PARTS] = {"profile", "log", "timeline"};

/* Every text a run owns. */
#define TEXTS 13
static void list_texts(struct sp_history_run *run, char **texts[TEXTS])
{
	char **all[TEXTS] = {&run->kind, &run->program, &run->command, &run->args_class, &run->environment,
		&run->directory, &run->commit, &run->branch, &run->build_id, &run->state, &run->machine.cpu,
		&run->machine.kernel, &run->machine.governor};

	memcpy(texts, all, sizeof(all));
}

struct sp_history_run *sp_history_run_make(void)
{
	struct sp_history_run *run = sp_alloc(1, sizeof(*run));

	run->jobs = 1;
	run->exit_status = -1;
	run->dirty = -1;
	return run;
}

void sp_history_run_free(struct sp_history_run *run)
{
	char **texts[TEXTS];

	if (!run)
		return;
	list_texts(run, texts);
	for (size_t i = 0; i < TEXTS; i++)
		free(*texts[i]);
	for (size_t i = 0; i < run->metric_count; i++)
		free(run->metrics[i].name);
	for (size_t i = 0; i < run->function_count; i++) {
		free(run->functions[i].name);
		free(run->functions[i].module);
	}
	for (size_t i = 0; i < run->tag_count; i++)
		free(run->tags[i]);
	for (size_t i = 0; i < SP_HISTORY_PARTS; i++)
		free(run->blobs[i].data);
	free(run->metrics);
	free(run->functions);
	free(run->tags);
	free(run->note);
	free(run);
}

void sp_history_set(char **text, const char *value)
{
	char *copy = sp_copy_text(value ? value : "");

	free(*text);
	*text = copy;
}

void sp_history_add_metric(struct sp_history_run *run, const char *name, double value, double error)
{
	if (!isfinite(value) || !isnan(sp_history_value(run, name, NULL)))
		return;
	sp_grow(&run->metrics, &run->metric_capacity, run->metric_count + 1, sizeof(*run->metrics));
	run->metrics[run->metric_count++] =
		(struct sp_history_metric){sp_copy_text(name), value, isfinite(error) ? error : NAN};
}

void sp_history_add_function(struct sp_history_run *run, enum sp_history_of of, const char *name, const char *module,
	double self, double total, double error)
{
	if (!isfinite(self))
		return;
	sp_grow(&run->functions, &run->function_capacity, run->function_count + 1, sizeof(*run->functions));
	run->functions[run->function_count++] = (struct sp_history_function){.of = of,
		.name = sp_copy_text(name),
		.module = sp_copy_text(module ? module : ""),
		.self = self,
		.total = isfinite(total) ? total : NAN,
		.error = isfinite(error) ? error : NAN};
}

void sp_history_add_tag(struct sp_history_run *run, const char *tag)
{
	for (size_t i = 0; i < run->tag_count; i++)
		if (strcmp(run->tags[i], tag) == 0)
			return;
	sp_grow(&run->tags, &run->tag_capacity, run->tag_count + 1, sizeof(*run->tags));
	run->tags[run->tag_count++] = sp_copy_text(tag);
}

void sp_history_set_blob(struct sp_history_run *run, enum sp_history_part part, const void *data, size_t bytes)
{
	struct sp_history_blob *blob = &run->blobs[part];

	free(blob->data);
	blob->data = sp_alloc_bytes(bytes + 1);
	memcpy(blob->data, data, bytes);
	blob->bytes = bytes;
	SHA256Data(data, bytes, blob->hash);
}

double sp_history_value(const struct sp_history_run *run, const char *name, double *error)
{
	for (size_t i = 0; i < run->metric_count; i++) {
		if (strcmp(run->metrics[i].name, name) != 0)
			continue;
		if (error)
			*error = run->metrics[i].error;
		return run->metrics[i].value;
	}
	return NAN;
}

bool sp_history_is_good(const struct sp_history_run *run)
{
	return run->jobs <= 1 && run->state && strcmp(run->state, "ok") == 0;
}

/* --- what a hash is of */

/* Each with its length: no two contents are the same bytes. */
static void hash_text(SHA2_CTX *hash, const char *text)
{
	uint32_t length = text ? (uint32_t)strlen(text) : 0;

	SHA256Update(hash, (const uint8_t *)&length, sizeof(length));
	SHA256Update(hash, (const uint8_t *)text, length);
}

static void hash_number(SHA2_CTX *hash, uint64_t number)
{
	SHA256Update(hash, (const uint8_t *)&number, sizeof(number));
}

static void hash_double(SHA2_CTX *hash, double value)
{
	uint64_t bits = UINT64_MAX;

	value += 0.0; /* no negative zero */
	if (!isnan(value))
		memcpy(&bits, &value, sizeof(bits));
	hash_number(hash, bits);
}

static void end_hash(SHA2_CTX *hash, char *hex, size_t digits)
{
	char all[SHA256_DIGEST_STRING_LENGTH];

	SHA256End(hash, all);
	memcpy(hex, all, digits);
	hex[digits] = '\0';
}

void sp_history_machine_class(struct sp_history_machine *machine)
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	hash_text(&hash, machine->cpu);
	hash_number(&hash, machine->millicores);
	hash_number(&hash,
		(machine->memory_bytes + (1u << 29)) >> 30); /* the kernel's share of it differs from start to start */
	hash_text(&hash, machine->kernel);
	hash_text(&hash, machine->governor);
	end_hash(&hash, machine->class, sizeof(machine->class) - 1);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct sp_history_metric *)left)->name, ((const struct sp_history_metric *)right)->name);
}

static int by_function(const void *left, const void *right)
{
	const struct sp_history_function *a = left, *b = right;
	int order = a->of == b->of ? strcmp(a->name, b->name) : a->of < b->of ? -1 : 1;

	return order ? order : strcmp(a->module, b->module);
}

/* Whatever order they were added in. */
static void *sorted(const void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	void *copy = sp_alloc_bytes(count * size + 1);

	if (count)
		memcpy(copy, items, count * size);
	qsort(copy, count, size, compare);
	return copy;
}

static void hash_figures(SHA2_CTX *hash, const struct sp_history_run *run)
{
	struct sp_history_metric *metrics = sorted(run->metrics, run->metric_count, sizeof(*metrics), by_name);
	struct sp_history_function *functions =
		sorted(run->functions, run->function_count, sizeof(*functions), by_function);

	hash_number(hash, run->metric_count);
	for (size_t i = 0; i < run->metric_count; i++) {
		hash_text(hash, metrics[i].name);
		hash_double(hash, metrics[i].value);
		hash_double(hash, metrics[i].error);
	}
	hash_number(hash, run->function_count);
	for (size_t i = 0; i < run->function_count; i++) {
		hash_number(hash, functions[i].of);
		hash_text(hash, functions[i].name);
		hash_text(hash, functions[i].module);
		hash_double(hash, functions[i].self);
		hash_double(hash, functions[i].total);
		hash_double(hash, functions[i].error);
	}
	free(metrics);
	free(functions);
}

void sp_history_run_id(const struct sp_history_run *run, char id[static SP_HISTORY_ID])
{
	char **texts[TEXTS];
	SHA2_CTX hash;

	SHA256Init(&hash);
	list_texts((struct sp_history_run *)run, texts);
	for (size_t i = 0; i < TEXTS; i++)
		hash_text(&hash, *texts[i]);
	hash_number(&hash, run->started_ns);
	hash_number(&hash, run->jobs);
	hash_number(&hash, run->profiled);
	hash_number(&hash, (uint64_t)(int64_t)run->dirty);
	hash_number(&hash, (uint64_t)(int64_t)run->exit_status);
	hash_number(&hash, (uint64_t)(int64_t)run->signal);
	hash_number(&hash, run->machine.millicores);
	hash_number(&hash, run->machine.memory_bytes);
	hash_figures(&hash, run);
	for (size_t i = 0; i < SP_HISTORY_PARTS; i++)
		hash_text(&hash, run->blobs[i].hash);
	end_hash(&hash, id, SP_HISTORY_ID - 1);
}
