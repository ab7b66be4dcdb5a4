/* smartprof finish: started by the agent when its process ends; renders the process's spool, and
 * what other members of its tree have left behind.
 *
 * The process waits for the end of a pipe whose other end is our descriptor 3: it closes with us.
 * What is written to it is "+" when all went well, else a complaint. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "profiles/spool/read.h"

#define WALL_LIMIT_SECONDS 300 /* what it waits for does not come any more */
#define MEMORY_LEAST_BYTES (256ULL << 20)
#define NICENESS 10
#define READY_FD 3

/* The tree's first process, "<pid>.<ticks>"; false when the spool cannot be read. */
static int read_tree(const char *path, char *tree, size_t size)
{
	struct sp_snapshot snapshot = {0};
	const char *why;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	tree[0] = '\0';
	if (fd < 0)
		return -errno;
	if (sp_snapshot_peek(&snapshot, fd, &why) == 0)
		strncat(tree, sp_snapshot_text(&snapshot, snapshot.header.text.tree), size - 1);
	sp_snapshot_free(&snapshot);
	close(fd);
	return 0;
}

static void render_relatives(const char *spool, const char *tree, const struct sp_symbolizer_options *symbols)
{
	struct sp_render_options options = {.only_tree = tree, .only_orphan = true, .symbols = symbols};
	struct sp_spool_file *files;
	struct sp_render_result result;
	char directory[PATH_MAX] = "";
	const char *slash = strrchr(spool, '/');
	long count;

	if (!tree[0] || !slash)
		return;
	strncat(directory, spool, (size_t)(slash - spool) < sizeof(directory) - 1 ? (size_t)(slash - spool) : 0);
	count = sp_spool_list(&files, directory);
	for (long i = 0; i < count; i++)
		if (strcmp(files[i].path, spool) != 0 && sp_spool_is_orphan(&files[i])) {
			close(READY_FD); /* the process need not wait for its relatives */
			sp_render_watched(files[i].path, &options, &result);
		}
	if (count >= 0)
		free(files);
}

/* Where memory is short the program and what runs beside it come first: the spool can wait. */
static void yield_memory(void)
{
	static struct sp_config config;
	uint64_t most;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1000", 4) < 0)
			perror("smartprof: oom_score_adj"); /* then it is as likely to go as others */
		close(fd);
	}
	sp_config_load(&config, sp_settings_where(), NULL);
	most = config.machine.memory_limit_bytes / 2;
	if (most < MEMORY_LEAST_BYTES)
		most = MEMORY_LEAST_BYTES;
	sp_limit(RLIMIT_DATA, most);
}

int sp_cmd_finish(int argc, char **argv)
{
	struct sp_symbolizer_options symbols;
	struct sp_render_options options = {.symbols = &symbols};
	struct sp_render_result result;
	char tree[64];
	int err;

	if (argc != 2 || argv[1][0] == '-') {
		sp_complain("finish: it wants one spool; the agent starts it, see smartprof recover --help");
		return SP_EXIT_USAGE;
	}
	sp_limit_rendering();
	alarm(WALL_LIMIT_SECONDS);
	yield_memory();
	setpriority(PRIO_PROCESS, 0, NICENESS);
	read_tree(argv[1], tree, sizeof(tree));
	sp_symbols_options(&symbols, false);
	err = sp_render_spool(argv[1], &options, &result);
	if (err) /* stderr is /dev/null here: the process passes it on if it was asked to be verbose */
		dprintf(READY_FD, "%s %s; `smartprof recover` renders it later", argv[1], result.why);
	else if (!result.path[0])
		dprintf(READY_FD, "it used less than 20 ms of CPU and 1 MB of memory: too little for a profile");
	else
		dprintf(READY_FD, "+");
	alarm(0);
	render_relatives(argv[1], tree, &symbols);
	return err ? 1 : 0;
}
