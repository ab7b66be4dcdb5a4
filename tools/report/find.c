/* smartprof report PID|PROGRAM: which spool that is, or why there is none. */
#include "tools/report/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/spool/find.h"
#include "profiles/spool/process.h"
#include "profiles/spool/read.h"
#include "tools/tools.h"

#define GENERATIONS 16 /* between a wrapper and the program */

struct wanted {
	int pid;             /* 0: `program` */
	const char *program; /* NULL: `pid` */
	char *path;          /* PATH_MAX */
	int rank;            /* of what stands there: 0 nothing; see rank_of */
	uint64_t began_ns;   /* when that began */
	int others[8];       /* processes of the same rank */
	size_t other_count;
};

static int parent_of(int pid)
{
	struct sp_process_stat stat;

	return sp_process_stat(pid, &stat) == 0 ? stat.ppid : 0;
}

static bool descends(int pid, const struct sp_spool_header *header, int from)
{
	int at = header->ppid;

	for (int n = 0; n < GENERATIONS && at > 1; n++, at = parent_of(at))
		if (at == from)
			return true;
	return pid == from;
}

/* The higher, the more it is what was asked for: a live process's before what one left behind, a process before those it
 * started. *began_ns: when it began, by which the last program of a process is known that ran several. */
static int rank_of(const struct wanted *w, const struct sp_spool_file *file, uint64_t *began_ns)
{
	struct sp_snapshot snapshot = {0};
	const char *why;
	int rank = 0, err, fd = sp_spool_open(file->path);

	if (fd < 0)
		return 0;
	err = sp_snapshot_peek(&snapshot, fd, &why);
	if (err == -EPROTO && !w->program && file->pid == w->pid) {
		rank = 1; /* whoever opens it says of which version it is */
	} else if (err == 0) {
		bool live = sp_spool_is_live(fd, &snapshot.header);

		*began_ns = snapshot.header.start_monotonic_ns;
		if (w->program)
			rank = live &&
				strcmp(sp_snapshot_text(&snapshot, snapshot.header.text.program), w->program) == 0;
		else if (file->pid == w->pid)
			rank = live ? 4 : 3;
		else if (live && descends(file->pid, &snapshot.header, w->pid))
			rank = snapshot.header.ppid == w->pid ? 2 : 1;
	}
	sp_snapshot_free(&snapshot);
	close(fd);
	return rank;
}

static void look_at(struct wanted *w, const struct sp_spool_file *file)
{
	uint64_t began_ns = 0;
	int rank = rank_of(w, file, &began_ns);

	if (!rank || rank < w->rank)
		return;
	if (rank > w->rank)
		w->other_count = 0;
	if (rank > w->rank || (!w->program && began_ns > w->began_ns)) {
		memcpy(w->path, file->path, PATH_MAX);
		w->began_ns = began_ns;
	}
	w->rank = rank;
	if (w->other_count < sizeof(w->others) / sizeof(w->others[0]))
		w->others[w->other_count++] = file->pid;
}

static void look_everywhere(struct wanted *w)
{
	struct sp_spool_file *files;
	size_t count = sp_spool_list_all(&files);

	for (size_t i = 0; i < count; i++)
		look_at(w, &files[i]);
	free(files);
}

static bool is_number(const char *what)
{
	return what[strspn(what, "0123456789")] == '\0';
}

int sp_spool_named(const char *command, const char *what, char path[static PATH_MAX])
{
	struct wanted w = {.path = path};

	if (!*what || strchr(what, '/') || sp_input_is_meant(what) || strcmp(what, "latest") == 0)
		return 0;
	if (is_number(what))
		w.pid = atoi(what);
	else
		w.program = what;
	look_everywhere(&w);
	if (!w.program || w.other_count < 2)
		return w.rank > 0;
	sp_complain("%s: %s: several processes of that name are being profiled; name one by its id, such as %d or %d",
		command, what, w.others[0], w.others[1]);
	return -1;
}

/* 1: it is, 0: it is not, -1: that cannot be seen. */
static int is_loaded(int pid)
{
	char name[40], line[PATH_MAX + 128];
	int loaded = 0;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	if (!maps)
		return -1;
	while (!loaded && fgets(line, sizeof(line), maps))
		loaded = strstr(line, "/" SP_LIBRARY) != NULL;
	fclose(maps);
	return loaded;
}

static bool is_anothers(int pid, unsigned *uid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st) < 0 || st.st_uid == geteuid())
		return false;
	*uid = st.st_uid;
	return true;
}

static bool is_elsewhere(int pid)
{
	char path[40];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/pid", &ours) == 0 && theirs.st_ino != ours.st_ino;
}

void sp_spool_complain_absent(const char *command, const char *what)
{
	int pid = atoi(what), loaded;
	unsigned uid = 0;

	if (!is_number(what)) {
		sp_complain("%s: %s: there is no such file, no process of that name is being profiled, and there "
			    "is no profile of "
			    "it; give it a process id, a program's name, a spool, a profile or `latest`",
			command, what);
		return;
	}
	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH)) {
		sp_complain("%s: process %s: it has no spool and no profile, and there is no such process: it "
			    "ended without "
			    "being profiled, or its profile is elsewhere; name the profile's file",
			command, what);
		return;
	}
	loaded = is_loaded(pid);
	if (is_anothers(pid, &uid))
		sp_complain("%s: process %s: it belongs to another user (%u), and so does its spool; ask as that user",
			command, what, uid);
	else if (is_elsewhere(pid))
		sp_complain("%s: process %s: it is in another pid namespace, where it has another number; ask in there "
			    "(nsenter -a -t %s)",
			command, what, what);
	else if (loaded < 0)
		sp_complain("%s: process %s: it is another user's; ask as that user", command, what);
	else if (!loaded)
		sp_complain("%s: process %s: it has no spool, as smartprof is not loaded in it; start it by "
			    "smartprof run, or with LD_PRELOAD=" SP_LIBRARY
			    "; smartprof attach %s samples its CPU time without a restart",
			command, what, what);
	else
		sp_complain("%s: process %s: it has no spool yet: it is being profiled, and has used next to no "
			    "CPU time and memory "
			    "so far, or is switched off (SMARTPROF_ENABLED, SMARTPROF_PROGRAM)",
			command, what);
}
