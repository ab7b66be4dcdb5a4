/* The index of a tree of processes, and latest.md.
 *
 * tree.<time>.<root pid>.md lists the members that wrote profiles, by CPU time. The table itself keeps the state:
 * each member reads the table, adds its row and writes it anew, under the lock of the directory. All its cells come
 * from here and are plain, so that reading them back is simple. */
#include "profiles/output/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/escape.h"
#include "profiles/model/facts.h"

#define MEMBERS_MAX 100000u
#define HEAD_BYTES 16384

struct member {
	double cpu_seconds;
	unsigned long long peak_bytes;
	char program[65], exit[24], link[NAME_MAX + 1];
	int pid, ppid;
};

struct members {
	struct member *items;
	size_t count, capacity;
};

static void add(struct members *members, const struct member *m)
{
	for (size_t i = 0; i < members->count; i++)
		if (members->items[i].pid == m->pid && strcmp(members->items[i].link, m->link) == 0)
			return;
	if (members->count >= MEMBERS_MAX)
		return;
	sp_grow(&members->items, &members->capacity, members->count + 1, sizeof(*members->items));
	members->items[members->count++] = *m;
}

static int by_cpu(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->cpu_seconds != y->cpu_seconds)
		return x->cpu_seconds > y->cpu_seconds ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* Reads at most `size` - 1 bytes of a file of ours; false when there is none. */
static bool read_head(int directory_fd, const char *name, char *text, size_t size)
{
	int fd = sp_regular_open(directory_fd, name);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Copies the front matter's value of `key`. */
static bool head_fact(const char *text, const char *key, char *value, size_t size)
{
	const char *end = strstr(text, "\n---\n"), *at = text;
	size_t length = strlen(key), n;

	while ((at = strchr(at, '\n')) && (!end || at < end)) {
		at++;
		if (strncmp(at, key, length) != 0 || strncmp(at + length, ": ", 2) != 0)
			continue;
		at += length + 2;
		n = strcspn(at, "\n");
		if (n >= 2 && at[0] == '"') {
			at++;
			n -= 2;
		}
		snprintf(value, size, "%.*s", (int)n, at);
		return true;
	}
	value[0] = '\0';
	return false;
}

/* Looks for the newest file of the tree whose name ends in .<root pid>.md: its index, or its
 * root's profile. */
static bool find_file(int directory_fd, const char *tree, bool index, char *found, size_t size)
{
	char suffix[32], head[HEAD_BYTES], value[64];
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct timespec newest = {0, 0};
	struct dirent *entry;

	found[0] = '\0';
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	snprintf(suffix, sizeof(suffix), ".%d.md", atoi(tree));
	while ((entry = readdir(dir))) {
		size_t length = strlen(entry->d_name), n = strlen(suffix);
		struct stat st;

		if (length < n || strcmp(entry->d_name + length - n, suffix) != 0 ||
			(strncmp(entry->d_name, "tree.", 5) == 0) != index)
			continue;
		if (!read_head(directory_fd, entry->d_name, head, sizeof(head)) ||
			fstatat(directory_fd, entry->d_name, &st, 0) < 0)
			continue;
		if (!head_fact(head, "tree", value, sizeof(value)) || strcmp(value, tree) != 0)
			continue;
		if (!index && (!head_fact(head, "tree_role", value, sizeof(value)) || strcmp(value, "root") != 0))
			continue;
		if (found[0] &&
			(st.st_mtim.tv_sec < newest.tv_sec ||
				(st.st_mtim.tv_sec == newest.tv_sec && st.st_mtim.tv_nsec < newest.tv_nsec)))
			continue;
		newest = st.st_mtim;
		snprintf(found, size, "%s", entry->d_name);
	}
	closedir(dir);
	return found[0] != '\0';
}

static void read_index(int directory_fd, const char *name, struct members *members)
{
	int fd = sp_regular_open(directory_fd, name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char line[1024];

	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		struct member m = {0};

		if (sscanf(line, "| %lf | %llu | %64[^ |] | %d | %d | %23[^|]| [%*[^]]](%255[^)])", &m.cpu_seconds,
			    &m.peak_bytes, m.program, &m.pid, &m.ppid, m.exit, m.link) != 7)
			continue;
		for (size_t n = strlen(m.exit); n && m.exit[n - 1] == ' '; n--)
			m.exit[n - 1] = '\0';
		add(members, &m);
	}
	fclose(file);
}

static void fill(struct member *m, const char *link, const char *program, const char *exit)
{
	sp_output_safe_name(m->program, sizeof(m->program), program);
	snprintf(m->exit, sizeof(m->exit), "%.20s", exit ? exit : "unknown");
	snprintf(m->link, sizeof(m->link), "%s", link);
}

/* The root's row, from its profile: it may have ended before there was an index. */
static void add_root(int directory_fd, const char *name, struct members *members)
{
	char head[HEAD_BYTES], value[256], program[256];
	struct member m = {0};

	if (!read_head(directory_fd, name, head, sizeof(head)))
		return;
	head_fact(head, "cpu_user_seconds", value, sizeof(value));
	m.cpu_seconds = strtod(value, NULL);
	head_fact(head, "cpu_system_seconds", value, sizeof(value));
	m.cpu_seconds += strtod(value, NULL);
	head_fact(head, "heap_peak_bytes", value, sizeof(value));
	m.peak_bytes = strtoull(value, NULL, 10);
	head_fact(head, "pid", value, sizeof(value));
	m.pid = atoi(value);
	head_fact(head, "ppid", value, sizeof(value));
	m.ppid = atoi(value);
	head_fact(head, "program", program, sizeof(program));
	head_fact(head, "exit", value, sizeof(value));
	fill(&m, name, program, value);
	add(members, &m);
}

static void add_self(const struct sp_profile *p, const char *link, struct members *members)
{
	const struct sp_spool_header *h = &p->snapshot->header;
	struct member m = {.pid = h->pid, .ppid = h->ppid, .peak_bytes = h->heap.peak_bytes};

	m.cpu_seconds = (double)(p->cpu_user_ns + p->cpu_sys_ns) / 1e9;
	fill(&m, link, sp_snapshot_text(p->snapshot, h->text.program), sp_profile_fact(p, "exit"));
	add(members, &m);
}

static void write_index(int directory_fd, const char *name, const char *tree, struct members *members)
{
	struct sp_buffer out = {0};

	if (members->count)
		qsort(members->items, members->count, sizeof(*members->items), by_cpu);
	sp_buffer_printf(&out,
		"---\nschema: smartprof-tree/1\ntree: %s\nmembers: %zu\n---\n\n# Process Tree\n\n"
		"Processes that wrote a profile, most CPU time first.\n\n"
		"| CPU seconds | Peak heap bytes | Program | PID | Parent | Exit | Profile |\n"
		"|---:|---:|:---|---:|---:|:---|:---|\n",
		tree, members->count);
	for (size_t i = 0; i < members->count; i++) {
		const struct member *m = &members->items[i];

		sp_buffer_printf(&out, "| %.3f | %llu | %s | %d | %d | %s | [profile](%s) |\n", m->cpu_seconds,
			m->peak_bytes, m->program, m->pid, m->ppid, m->exit, m->link);
	}
	sp_output_put(directory_fd, name, &out, true);
	sp_buffer_free(&out);
}

static void point_latest(int directory_fd, const char *name)
{
	char temporary[64];
	struct stat st;

	if (fstatat(directory_fd, "latest.md", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(st.st_mode))
		return; /* not ours */
	snprintf(temporary, sizeof(temporary), ".smartprof.%d.link", getpid());
	unlinkat(directory_fd, temporary, 0);
	if (symlinkat(name, directory_fd, temporary) == 0 &&
		renameat(directory_fd, temporary, directory_fd, "latest.md") < 0)
		unlinkat(directory_fd, temporary, 0);
}

/* "<pid>.<ns>" and nothing else: it becomes part of file names and front matter. */
static bool tree_is_valid(const char *tree)
{
	size_t pid = strspn(tree, "0123456789"), ticks = tree[pid] == '.' ? strspn(tree + pid + 1, "0123456789") : 0;

	return pid && pid < 10 && ticks && ticks < 21 && !tree[pid + 1 + ticks];
}

void sp_output_tree_update(int directory_fd, const struct sp_profile *profile, const char *link)
{
	const struct sp_spool_header *h = &profile->snapshot->header;
	const char *tree = sp_snapshot_text(profile->snapshot, h->text.tree);
	char index[NAME_MAX + 1] = "", root[NAME_MAX + 1] = "", started[32];
	struct members members = {0};
	bool alone, have_index, is_root = sp_snapshot_is_root(profile->snapshot);

	if (!tree_is_valid(tree)) {
		point_latest(directory_fd, link);
		return;
	}
	have_index = find_file(directory_fd, tree, true, index, sizeof(index));
	if (!is_root)
		find_file(directory_fd, tree, false, root, sizeof(root));
	if (have_index || !is_root) {
		if (have_index)
			read_index(directory_fd, index, &members);
		else
			sp_facts_started(h, started, sizeof(started), "%Y%m%d-%H%M%S");
		if (!have_index)
			snprintf(index, sizeof(index), "tree.%s.%d.md", started, atoi(tree));
		if (root[0])
			add_root(directory_fd, root, &members);
		add_self(profile, link, &members);
		write_index(directory_fd, index, tree, &members);
	}
	/* The root's profile, or, if the root was a wrapper that was not worth one, that of the program it wrapped. */
	alone = members.count <= 1;
	point_latest(directory_fd, is_root || (alone && !root[0]) ? link : root[0] ? root : index);
	free(members.items);
}
