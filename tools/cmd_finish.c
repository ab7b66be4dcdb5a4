/* smartprof finish [SPOOL] [TREE]: started by the agent. SPOOL is that of a process that ends; with TREE, the file of a tree of
 * processes (sampler/spool.h), also what its members have left is rendered before anybody who waits goes on; else what
 * there is of it comes afterwards.
 *
 * A process waits for the end of a pipe whose other end is our descriptor 3: it closes with us.
 * What is written to it is "+" for every profile that stands, else a complaint. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/time.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "profiles/spool/read.h"
#include "profiles/spool/tree_file.h"
#include "tools/push/send.h"

#define WALL_LIMIT_SECONDS 300 /* after this the renderer no longer waits for what does not come */
#define NICENESS 10
#define READY_FD 3
#define ABANDONED_SECONDS 60
#define OTHERS_MS 8000
#define OTHERS_NAP_MS 20

/* What is to be done, and how it went. */
struct job {
	const char *spool, *tree_file; /* NULL: none */
	char directory[PATH_MAX];      /* where they lie */
	char tree[SP_TREE_NAME_BYTES]; /* empty: unknown */
	struct sp_symbolizer_options symbols;
	int err; /* of `spool` */
};

static void report(const struct sp_spool_file *file, int err, const struct sp_render_result *result, void *context)
{
	struct job *job = context;
	bool own = job->spool && strcmp(file->path, job->spool) == 0, told;

	if (!err)
		sp_push_note(result->path);
	if (!own || err == -EWOULDBLOCK || err == -ENOENT) { /* or another renderer of the tree has it */
		dprintf(READY_FD, "+");
		return;
	}
	told = err && job->err;
	job->err = err;
	if (told) /* at the first try */
		return;
	if (err) /* stderr is /dev/null here: the process passes it on if it was asked to be verbose */
		dprintf(READY_FD, "%s %s; `smartprof recover` renders it later", file->path, result->why);
	else if (!result->path[0])
		dprintf(READY_FD, "it used less than 20 ms of CPU and 1 MB of memory: too little for a profile");
	else
		dprintf(READY_FD, "+");
}

static void note(const struct sp_spool_file *file, int err, const struct sp_render_result *result, void *context)
{
	(void)file;
	(void)context;
	if (!err)
		sp_push_note(result->path);
}

/* The process's own spool alone, without another process for it. */
static void render_own(struct job *job)
{
	struct sp_render_options options = {.symbols = &job->symbols};
	struct sp_spool_file file;
	struct sp_render_result result;
	int err;

	snprintf(file.path, sizeof(file.path), "%s", job->spool);
	alarm(WALL_LIMIT_SECONDS);
	err = sp_render_spool(job->spool, &options, &result);
	alarm(0);
	report(&file, err, &result, job);
}

/* Whether nobody is left who will have it rendered, although its process went in order. */
static bool is_abandoned(const struct job *job, const struct sp_spool_header *h, const char *tree)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return h->left &&
		(uint64_t)now.tv_sec > (h->start_monotonic_ns + h->end_ns) / 1000000000u + ABANDONED_SECONDS &&
		!sp_tree_file_is_held(job->directory, tree);
}

/* abandoned: those of other trees, too. */
static bool is_wanted(const struct job *job, const struct sp_spool_file *file, bool abandoned)
{
	struct sp_spool_header header;
	char tree[SP_TREE_NAME_BYTES];

	if ((job->spool && strcmp(file->path, job->spool) == 0) || !sp_spool_is_orphan(file) ||
		sp_spool_peek(file->path, &header, tree, sizeof(tree)) != 0)
		return false;
	return (job->tree[0] && strcmp(tree, job->tree) == 0) || (abandoned && is_abandoned(job, &header, tree));
}

/* What is there of the tree, the process's own spool first. To be freed; returns how many. */
static long list_tree(const struct job *job, struct sp_spool_file **files)
{
	long count = sp_spool_list(files, job->directory), wanted = 0;
	struct sp_spool_file *list = *files;

	for (long i = 0; i < count; i++) {
		bool own = job->spool && strcmp(list[i].path, job->spool) == 0;
		struct sp_spool_file file = list[i];

		if (!own && !is_wanted(job, &file, false))
			continue;
		list[i] = list[wanted];
		list[wanted] = own ? list[0] : file;
		if (own)
			list[0] = file;
		wanted++;
	}
	return wanted;
}

static void render_tree(struct job *job)
{
	struct sp_render_options options = {.only_orphan = true, .own = job->spool, .symbols = &job->symbols};
	struct sp_spool_file *files;
	long count = list_tree(job, &files);

	if (count == 1 && job->spool)
		render_own(job);
	else if (count > 0)
		sp_render_all(files, (size_t)count, &options, report, job);
	free(files);
}

static bool is_claimed(const struct sp_spool_file *file)
{
	int fd = sp_spool_open(file->path);
	bool claimed = fd >= 0 && sp_spool_is_claimed(fd);

	if (fd >= 0)
		close(fd);
	return claimed;
}

/* Another renderer may have been at some of it since before this one began. Returns whether it has left anything. */
static bool wait_for_others(struct job *job)
{
	struct sp_spool_file *files;
	bool claimed = true, left = false;

	for (int n = 0; n < OTHERS_MS / OTHERS_NAP_MS && claimed; n++) {
		long count = list_tree(job, &files);

		claimed = left = false;
		for (long i = 0; i < count; i++)
			if (is_claimed(&files[i]))
				claimed = true;
			else
				left = true;
		free(files);
		if (claimed)
			sp_nap_ms(OTHERS_NAP_MS);
	}
	return left;
}

/* Work that nobody waits for. */
static void render_rest(struct job *job)
{
	struct sp_render_options options = {.only_orphan = true, .symbols = &job->symbols};
	struct sp_spool_file *files;
	long count = sp_spool_list(&files, job->directory), wanted = 0;

	for (long i = 0; i < count; i++)
		if (is_wanted(job, &files[i], true))
			files[wanted++] = files[i];
	if (wanted > 0)
		sp_render_all(files, (size_t)wanted, &options, note, NULL);
	if (count >= 0)
		free(files);
	sp_spool_clean(job->directory);
}

/* False: these are no arguments of the agent's. */
static bool take_arguments(struct job *job, int argc, char **argv)
{
	struct sp_spool_header header;
	const char *any, *slash;

	*job = (struct job){0};
	for (int i = 1; i < argc; i++) {
		const char **which =
			sp_tree_file_parse(argv[i], job->tree, sizeof(job->tree)) ? &job->tree_file : &job->spool;

		if (argv[i][0] == '-' || *which)
			return false;
		*which = argv[i];
	}
	any = job->spool ? job->spool : job->tree_file;
	slash = any ? strrchr(any, '/') : NULL;
	if (!slash || (size_t)(slash - any) >= sizeof(job->directory))
		return false;
	memcpy(job->directory, any, (size_t)(slash - any));
	if (job->spool && !job->tree[0] && sp_spool_peek(job->spool, &header, job->tree, sizeof(job->tree)) != 0)
		job->tree[0] = '\0';
	return true;
}

int sp_cmd_finish(int argc, char **argv)
{
	static struct job job;

	if (!take_arguments(&job, argc, argv)) {
		sp_complain("finish: name a spool, a tree file or both; the agent starts this command, see smartprof "
			    "recover --help");
		return SP_EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN); /* nobody may be waiting any more */
	sp_limit_rendering();
	sp_yield_memory();
	setpriority(PRIO_PROCESS, 0, NICENESS);
	sp_symbols_options(&job.symbols, false);
	if (job.tree_file) {
		sp_tree_file_reset(job.tree_file);
		render_tree(&job);
		sp_tree_file_done(job.tree_file);
		if (wait_for_others(&job))
			render_tree(&job);
	} else {
		render_own(&job);
	}
	close(READY_FD);
	sp_push_start();
	render_rest(&job);
	sp_push_start();
	return job.err ? 1 : 0;
}
