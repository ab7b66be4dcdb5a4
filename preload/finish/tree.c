/* Who renders for whom in a tree of processes: see tree.h. */
#include "preload/finish/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "env/facts.h"
#include "env/text.h"
#include "preload/finish/renderer.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/spool_place.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/walk/shared.h"

/* How many spools may wait while the tree's first process lives on, before somebody has them rendered. */
#define WAITING_MOST 500u
#define WAITING_BYTES_MOST (256ull << 20)
#define WAITING_MEMORY_SHARE 16 /* tmpfs counts as memory of the cgroup */
#define WAITING_NS_MOST 60000000000ull
#define RENDERER_NS 10000000000ull /* a renderer that has not said that it is done is waited for so long */

static struct {
	struct sp_tree_file *file; /* not in forked children: the lock would be theirs, too */
	bool holds, looked, joined;
} tree SP_WRITTEN_AT_FORK;

_Static_assert(sizeof(struct sp_facts) <= sizeof((struct sp_tree_file *)0)->facts, "there is room for them");
_Static_assert(sizeof(struct sp_tree_file) <= SP_TREE_PAGE_BYTES, "the rules begin there");

static bool set_path(const char *directory, size_t length)
{
	struct sp_text_out out = {sp_paths.tree, sizeof sp_paths.tree, 0};

	sp_text_put_some(&out, directory, length);
	sp_text_put(&out, "/");
	sp_text_put(&out, sp_process.tree);
	sp_text_put(&out, SP_TREE_SUFFIX);
	return out.length + 1 < sizeof sp_paths.tree;
}

static bool is_sound(long fd)
{
	struct stat st;

	return sp_sys(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == (uid_t)sp_sys(SYS_geteuid) &&
		st.st_nlink == 1 && st.st_size >= (off_t)SP_TREE_FILE_BYTES;
}

/* Maps the file, if it is one, and closes it. */
static struct sp_tree_file *map_file(long fd)
{
	long p = -ENODEV;

	if (is_sound(fd))
		p = sp_sys(SYS_mmap, NULL, SP_TREE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sp_sys(SYS_close, fd);
	if (sp_is_error(p))
		return NULL;
	sp_sys(SYS_madvise, p, SP_TREE_FILE_BYTES, MADV_DONTFORK);
	if (sp_sys(SYS_madvise, p, SP_TREE_PAGE_BYTES, SP_MADV_POPULATE_WRITE) == 0)
		return (struct sp_tree_file *)p;
	sp_sys(SYS_munmap, p, SP_TREE_FILE_BYTES);
	return NULL;
}

/* From here on the process goes by what it holds. */
static void use_file(struct sp_tree_file *file)
{
	tree.file = file;
	if (file)
		sp_shared_rules_use((struct sp_shared_rules *)((char *)file + SP_TREE_PAGE_BYTES));
}

/* Other threads may be at a walk: they find no rules, and what they keep is theirs alone. */
static void leave_file(void)
{
	struct sp_tree_file *file = tree.file;

	tree.file = NULL;
	sp_shared_rules_use(NULL);
	if (file)
		sp_sys(SYS_mmap, file, SP_TREE_FILE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* The counts stay when this program has replaced the one that held the tree before. Returns 0, -EAGAIN when somebody
 * else holds it (`smartprof run` does), or another negative errno. */
static int take_hold(int flags)
{
	long fd = sp_sys(SYS_openat, AT_FDCWD, sp_paths.tree, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags,
		     0600),
	     err;
	struct sp_tree_file *file;

	if (fd < 0)
		return (int)fd;
	if (flags & O_CREAT)
		sp_sys(SYS_fchmod, fd, 0600); /* whatever the umask */
	err = sp_lock_take(fd);
	if (!err)
		err = sp_sys(SYS_ftruncate, fd, SP_TREE_FILE_BYTES);
	if (err) {
		sp_sys(SYS_close, fd);
		return (int)err;
	}
	file = map_file(fd);
	if (!file) {
		sp_sys(SYS_unlinkat, AT_FDCWD, sp_paths.tree, 0); /* nobody could use it */
		return -ENOSPC;
	}
	if (!sp_agent.has_spool)
		sp_agent.uid = (uint32_t)sp_sys(SYS_geteuid); /* whose the file is: the renderer's user */
	file->holder = sp_agent.pid;
	file->pid_namespace = sp_pid_namespace();
	file->closed = 0;
	__atomic_store_n(&file->magic, SP_TREE_MAGIC, __ATOMIC_RELEASE);
	use_file(file);
	tree.holds = true;
	return 0;
}

/* Looks where the first spool would be, too. Returns whether the tree is held now. */
static bool hold(int flags)
{
	char directory[SP_PATH_MAX];
	int err = -ENOENT;

	for (enum sp_spool_place place = SP_PLACE_SHM; place < SP_PLACES && err && err != -EAGAIN; place++)
		if (sp_spool_directory(directory, sizeof directory, place) && set_path(directory, strlen(directory)))
			err = take_hold(flags);
	return tree.holds;
}

static bool is_first_gone(void)
{
	const char *at = sp_process.tree;
	uint64_t pid;

	return sp_text_number(&at, &pid) && sp_sys(SYS_kill, (int)pid, 0) == -ESRCH;
}

static bool may_hold(void)
{
	return *sp_process.tree && !sp_process.follow_none && !sp_agent.sealed && !sp_is_stale_child() &&
		!sp_is_vfork_child();
}

bool sp_tree_expect(void)
{
	if (sp_likely(tree.looked) || !may_hold())
		return false;
	tree.looked = true;
	return (sp_process.is_root || is_first_gone()) && hold(O_CREAT);
}

bool sp_tree_resume(void)
{
	tree.looked = may_hold() && hold(0);
	return tree.looked;
}

void sp_tree_before_exec(void)
{
	if (tree.holds && __atomic_load_n(&tree.file->waiting, __ATOMIC_SEQ_CST) > tree.joined)
		sp_render(NULL, sp_paths.tree, false);
}

/* Maps the file in the directory that the first `length` bytes name, if there is one, in place of another. */
static void look_in(const char *directory, size_t length)
{
	long fd;

	if (tree.holds || (tree.file && !strncmp(sp_paths.tree, directory, length) && sp_paths.tree[length] == '/'))
		return;
	leave_file();
	if (!set_path(directory, length))
		return;
	fd = sp_sys(SYS_openat, AT_FDCWD, sp_paths.tree, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	use_file(fd < 0 ? NULL : map_file(fd));
}

void sp_tree_share(void)
{
	char directory[SP_PATH_MAX];

	if (!tree.file && !sp_process.is_root && *sp_process.tree &&
		sp_spool_directory(directory, sizeof directory, SP_PLACE_SHM))
		look_in(directory, strlen(directory));
}

struct sp_facts *sp_tree_facts(void)
{
	sp_tree_share();
	if (!tree.file || __atomic_load_n(&tree.file->magic, __ATOMIC_ACQUIRE) != SP_TREE_MAGIC)
		return NULL;
	return (struct sp_facts *)tree.file->facts;
}

void sp_tree_join(const char *spool_path)
{
	const char *slash = strrchr(spool_path, '/');
	uint64_t none = 0;

	sp_tree_expect();
	if (slash)
		look_in(spool_path, (size_t)(slash - spool_path));
	if (!tree.file)
		return;
	tree.joined = true;
	__atomic_fetch_add(&tree.file->spools, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&tree.file->waiting, 1, __ATOMIC_SEQ_CST);
	__atomic_compare_exchange_n(&tree.file->waiting_ns, &none, sp_clock_read_ns(CLOCK_MONOTONIC), false,
		__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void sp_tree_refused(void)
{
	sp_tree_share();
	if (tree.file)
		sp_add(&tree.file->refused, 1);
}

bool sp_tree_knows_events(uint64_t limits)
{
	return tree.file && sp_load(&tree.file->events_limits) == limits;
}

void sp_tree_tell_events(uint64_t limits)
{
	if (tree.file)
		sp_store(&tree.file->events_limits, limits);
}

SP_AT_FORK void sp_tree_forked(void)
{
	tree.file = NULL;
	sp_shared_rules_use(NULL);
	tree.holds = tree.looked = tree.joined = false;
}

bool sp_tree_is_held(void)
{
	return tree.holds;
}

static void note_refused(uint64_t processes)
{
	char line[160];
	struct sp_text_out out = {line, sizeof line, 0};

	sp_text_put(&out, "Processes of this tree without a profile, for want of room for their spools: ");
	sp_text_put_number(&out, processes);
	sp_text_put(&out, ".");
	sp_note(line);
}

const char *sp_tree_close(void)
{
	uint64_t spools, refused;

	if (!tree.holds)
		return NULL;
	tree.holds = false;
	/* A member looks at `closed` after it has counted its spool. */
	__atomic_store_n(&tree.file->closed, 1, __ATOMIC_SEQ_CST);
	spools = __atomic_load_n(&tree.file->spools, __ATOMIC_SEQ_CST);
	refused = sp_load(&tree.file->refused);
	if (refused)
		note_refused(refused);
	sp_sys(SYS_unlinkat, AT_FDCWD, sp_paths.tree, 0);
	return spools ? sp_paths.tree : NULL;
}

void sp_tree_give_up(void)
{
	struct sp_tree_file *file = tree.file;
	const char *left = sp_tree_close();

	if (left && __atomic_load_n(&file->waiting, __ATOMIC_SEQ_CST) > tree.joined)
		sp_render(NULL, left, false);
	leave_file();
}

static bool is_held(const struct sp_tree_file *file)
{
	if (__atomic_load_n(&file->magic, __ATOMIC_ACQUIRE) != SP_TREE_MAGIC || !sp_lock_is_taken(sp_paths.tree))
		return false;
	/* A process that was made in its memory keeps its lock when it is killed. */
	return file->pid_namespace != sp_agent.spool->pid_namespace || !file->holder ||
		sp_sys(SYS_kill, file->holder, 0) != -ESRCH;
}

static uint64_t most_bytes(void)
{
	uint64_t limit = sp_agent.spool->memory_limit_bytes / WAITING_MEMORY_SHARE;

	return limit && limit < WAITING_BYTES_MOST ? limit : WAITING_BYTES_MOST;
}

/* Counts a spool of so many bytes. Returns whether it is time to render what waits and this process is the one to
 * start that. */
static bool count_in(struct sp_tree_file *file, uint64_t bytes)
{
	uint64_t now = sp_clock_read_ns(CLOCK_MONOTONIC), last = sp_load(&file->renderer_ns);
	uint64_t first = sp_load(&file->waiting_ns);

	bytes = __atomic_add_fetch(&file->waiting_bytes, bytes, __ATOMIC_SEQ_CST);
	return (sp_load(&file->waiting) >= WAITING_MOST || bytes >= most_bytes() ||
		       (first && now - first >= WAITING_NS_MOST)) &&
		(!last || now - last >= RENDERER_NS) &&
		__atomic_compare_exchange_n(&file->renderer_ns, &last, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool sp_tree_is_theirs(void)
{
	return tree.file && !tree.holds && is_held(tree.file) && !sp_load(&tree.file->closed);
}

bool sp_tree_leave(uint64_t bytes, const char **due)
{
	struct sp_tree_file *file = tree.file;

	*due = NULL;
	__atomic_store_n(&sp_agent.spool->left, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&file->closed, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&sp_agent.spool->left, 0, __ATOMIC_SEQ_CST);
		return false;
	}
	if (count_in(file, bytes))
		*due = sp_paths.tree;
	return true;
}
