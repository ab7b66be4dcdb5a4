/* The constructor: what every process pays, so it does only what cannot be done later. The rest
 * waits in activate.c until the process has shown that it uses CPU or memory. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "env/attach.h"
#include "env/env.h"
#include "env/text.h"
#include "preload/export.h"
#include "preload/finish/tree.h"
#include "preload/hooks/blocking.h"
#include "preload/hooks/exit.h"
#include "preload/hooks/malloc.h"
#include "preload/hooks/signals.h"
#include "preload/hooks/span_functions.h"
#include "preload/hooks/threads.h"
#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/start/activate.h"
#include "preload/start/context.h"
#include "preload/start/fork.h"
#include "preload/start/retire.h"
#include "sampler/clock/clock.h"
#include "sampler/heap/filter.h"
#include "sampler/race_tools.h"
#include "sampler/sys.h"
#include "sampler/threads/self.h"
#include "sampler/threads/usage.h"
#include "sampler/waits/waits.h"
#include "sampler/walk/unwind.h"

#define COMMAND_BYTES 32768u /* as much of the arguments as the profile shows */
#define ENVIRONMENT_BYTES (1u << 20)
#define TREE_VARIABLE "SMARTPROF_TREE"
#define TREE_BYTES 48

/* Strings and pointers for the life of the process, one after the other. */
static char SP_BIG_AT_START first_pool[65536] __attribute__((aligned(16)));
static char *pool = first_pool;
static size_t pool_used, pool_size = sizeof first_pool;
#define POOL_CHUNK_BYTES (1u << 20)

static void *take(size_t bytes)
{
	size_t at = pool_used, size;
	long p;

	bytes = (bytes + 7) & ~(size_t)7;
	if (bytes <= pool_size - at) {
		pool_used += bytes;
		return pool + at;
	}
	size = bytes > POOL_CHUNK_BYTES ? bytes : POOL_CHUNK_BYTES;
	p = sp_sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sp_is_error(p))
		return NULL;
	pool = (char *)p;
	pool_size = size;
	pool_used = bytes;
	return pool;
}

static const char *join(const char *a, const char *between, const char *b)
{
	size_t na = strlen(a), nc = strlen(between), nb = strlen(b);
	char *out = take(na + nc + nb + 1);

	if (!out)
		return "";
	memcpy(out, a, na);
	memcpy(out + na, between, nc);
	memcpy(out + na + nc, b, nb + 1);
	return out;
}

/* Makes `name` absolute; "./x" counts as "x", and an empty name stays empty. */
static const char *absolute(const char *name)
{
	while (name && name[0] == '.' && name[1] == '/')
		name += 2;
	if (!name || !*name)
		return "";
	return name[0] == '/' ? join(name, "", "") : join(sp_process.cwd, "/", name);
}

/* The bytes from the first string to the end of the last, if they stand one behind the other, as the kernel puts them; else
 * 0, or more than there can be. */
static size_t block_bytes(char **list)
{
	size_t n;

	for (n = 0; list[n]; n++)
		if (n && list[n] <= list[n - 1])
			return 0;
	return n ? (size_t)(list[n - 1] - list[0]) + strlen(list[n - 1]) + 1 : 0;
}

static char **copy_block(char **list, size_t bytes)
{
	size_t n, i;
	char **to, *block;

	for (n = 0; list[n]; n++)
		;
	to = take((n + 1) * sizeof *to + bytes);
	if (!to)
		return list;
	block = memcpy(to + n + 1, list[0], bytes);
	for (i = 0; i < n; i++)
		to[i] = block + (list[i] - list[0]);
	to[n] = NULL;
	return to;
}

/* A copy of as many of the strings as come to `most` bytes. */
static char **copy_list(char **list, size_t most)
{
	const size_t block = block_bytes(list);
	size_t n, i, bytes = 0;
	char **to;

	if (block && block <= most)
		return copy_block(list, block);
	for (n = 0; list[n] && (bytes += strlen(list[n]) + 1) <= most; n++)
		;
	to = take((n + 1) * sizeof *to);
	if (!to)
		return list;
	for (i = 0; i < n; i++)
		to[i] = (char *)(uintptr_t)join(list[i], "", "");
	to[n] = NULL;
	return to;
}

/* Replaces `*slot`, or appends to the environment. */
static void put_environment(char **slot, const char *text)
{
	char **room;
	size_t n;

	if (slot) {
		*slot = (char *)(uintptr_t)text;
		return;
	}
	for (n = 0; __environ[n]; n++)
		;
	room = take((n + 2) * sizeof *room);
	if (!room)
		return;
	memcpy(room, __environ, n * sizeof *room);
	room[n] = (char *)(uintptr_t)text;
	room[n + 1] = NULL;
	__environ = room;
}

static char **find_variable(const char *name)
{
	size_t length = strlen(name);
	char **e;

	for (e = __environ; e && *e; e++)
		if (!strncmp(*e, name, length) && (*e)[length] == '=')
			return e;
	return NULL;
}

/* What a start asks for of the environment, which may be long: variables that begin as ours do, and the loader's. None of the settings
 * that it asks for has another name. */
static char **asked;
#define ASKED_MOST 64u
#define PRELOAD_VARIABLE "LD_PRELOAD"

static bool is_asked(const char *variable)
{
	return (*variable == *SP_VARIABLE_PREFIX &&
		       !strncmp(variable, SP_VARIABLE_PREFIX, sizeof SP_VARIABLE_PREFIX - 1)) ||
		(*variable == *PRELOAD_VARIABLE && !strncmp(variable, PRELOAD_VARIABLE "=", sizeof PRELOAD_VARIABLE));
}

static void pick_asked(char **envp)
{
	char **to = take((ASKED_MOST + 1) * sizeof *to);
	size_t n = 0;

	asked = envp;
	if (!to)
		return;
	for (; *envp; envp++) {
		if (!is_asked(*envp))
			continue;
		if (n == ASKED_MOST)
			return;
		to[n++] = *envp;
	}
	to[n] = NULL;
	asked = to;
}

/* The same of a copy, whose variables stand in the same order. */
static void follow_copy(char **envp, char **copy)
{
	char **to = asked;

	if (asked == envp) {
		asked = copy;
		return;
	}
	for (; *to && *envp && *copy; envp++, copy++)
		if (*to == *envp)
			*to++ = *copy;
	*to = NULL;
}

/* A relative path in LD_PRELOAD is lost on a child in another directory, and ld.so would say so on
 * the child's stderr. With `remove` our entry goes altogether (SMARTPROF_FOLLOW=fork or none). */
static void rewrite_preload(bool remove)
{
	const char *given = sp_environ_get(asked, PRELOAD_VARIABLE);
	const char *own = strrchr(sp_process.library, '/'), *from, *end;
	const char *text = "";
	char **slot, *entry;
	bool changed = false;

	if (!given || !own || (!remove && *given == '/' && !strchr(given, ' ') && !strchr(given, ':')))
		return; /* nearly always it is our path alone */
	slot = find_variable(PRELOAD_VARIABLE);
	if (!slot)
		return;
	for (from = *slot + sizeof PRELOAD_VARIABLE; *from; from = *end ? end + 1 : end) {
		size_t length, name = strlen(own + 1);

		end = from + strcspn(from, " :");
		length = (size_t)(end - from);
		if (length >= name && !strncmp(end - name, own + 1, name) &&
			(remove || (memchr(from, '/', length) && *from != '/'))) {
			changed = true; /* one without a slash was found by ld.so's search: so will others' */
			if (!remove)
				text = join(text, *text ? ":" : "", sp_process.library);
			continue;
		}
		if (!length || !(entry = take(length + 1)))
			continue;
		memcpy(entry, from, length);
		entry[length] = 0;
		text = join(text, *text ? ":" : "", entry);
	}
	if (changed)
		put_environment(slot, join(PRELOAD_VARIABLE "=", "", text));
}

static struct sp_value setting(enum sp_option option)
{
	struct sp_value value;

	sp_value_load(&value, option, asked, sp_process.file);
	return value;
}

static bool is_under_valgrind(void)
{
	const char *preload = sp_environ_get(asked, PRELOAD_VARIABLE);

	return preload && strstr(preload, "/vgpreload_");
}

static bool is_first(const char *tree)
{
	uint64_t first;

	return sp_text_number(&tree, &first) && (int)first == sp_agent.pid;
}

/* The tree of processes: the first one settles where profiles go, and hands that on. It stays the
 * first when it replaces itself by execve, as wrapper scripts do. `smartprof run` gives it a name.
 * Returns whether this is such a one, or under that. */
static bool join_tree(void)
{
	const char *inherited = sp_environ_get(asked, TREE_VARIABLE), *colon;
	const char *dir = setting(SP_OPT_DIR).text;
	struct sp_value output = setting(SP_OPT_OUTPUT), log = setting(SP_OPT_SPAN_LOG);
	char *tree = take(TREE_BYTES);
	struct sp_text_out name = {tree, TREE_BYTES, 0};

	if (!tree)
		return false;
	colon = inherited ? strchr(inherited, ':') : NULL;
	if (colon && colon - inherited >= TREE_BYTES)
		colon = NULL;
	sp_text_put_some(&name, inherited ? inherited : "", colon ? (size_t)(colon - inherited) : 0);
	sp_process.is_root = is_first(tree);
	if (colon && colon[1] == '/') {
		sp_process.output_dir = colon + 1;
	} else {
		if (!sp_process.is_root) {
			name.length = 0;
			sp_text_put_number(&name, (uint64_t)sp_agent.pid);
			sp_text_put(&name, ".");
			sp_text_put_number(&name, sp_clock_read_ns(CLOCK_REALTIME));
		}
		sp_process.output_dir = absolute(dir ? dir : "profiles");
		sp_process.is_root = true;
		put_environment(find_variable(TREE_VARIABLE),
			join(join(TREE_VARIABLE "=", tree, ":"), "", sp_process.output_dir));
	}
	sp_process.tree = tree;
	sp_process.output_file = absolute(output.text);
	sp_process.span_log = absolute(log.text);
	/* Children may run elsewhere. */
	if (output.source >= SP_SOURCE_VARIABLE && *output.text != '/')
		put_environment(find_variable("SMARTPROF_OUTPUT"),
			join("SMARTPROF_OUTPUT=", "", sp_process.output_file));
	if (log.source >= SP_SOURCE_VARIABLE && *log.text != '/')
		put_environment(find_variable("SMARTPROF_SPAN_LOG"),
			join("SMARTPROF_SPAN_LOG=", "", sp_process.span_log));
	return colon && sp_process.is_root && is_first(tree);
}

static void learn_own_place(void)
{
	struct dl_find_object object;

	if (_dl_find_object((void *)&sp_agent, &object) == 0) {
		sp_agent.own_start = object.dlfo_map_start;
		sp_agent.own_end = object.dlfo_map_end;
		sp_memory_is_agents(object.dlfo_map_start,
			(size_t)((char *)object.dlfo_map_end - (char *)object.dlfo_map_start));
		sp_process.library = absolute(object.dlfo_link_map->l_name);
	}
	sp_process.command = absolute(setting(SP_OPT_BIN).text);
}

static void learn_cwd(void)
{
	char *cwd = take(0);
	size_t room = pool_size - pool_used;
	long n = room ? sp_sys(SYS_getcwd, cwd, room < SP_PATH_MAX ? room : SP_PATH_MAX) : 0;

	sp_process.cwd = n > 1 && cwd[0] == '/' ? take((size_t)n) : "";
}

/* A relative path must be found by children that may run in another directory. */
static void learn_file(char **envp)
{
	static struct sp_file SP_BIG file;
	const struct sp_where where = {"", sp_process.cwd, envp};
	const char *name = sp_environ_get(envp, "SMARTPROF_CONFIG");

	sp_process.file = NULL; /* a library that is attached again may have had one */
	if (!sp_file_is_expected(&where))
		return; /* and the pages of one stay untouched */
	sp_file_read(&file, &where);
	sp_process.file = &file;
	if (name && *name && *name != '/')
		put_environment(find_variable("SMARTPROF_CONFIG"), join("SMARTPROF_CONFIG=", "", absolute(name)));
}

static void loaded_main(void)
{
}

/* The loader resolves an indirect function while it binds this library: all that the program needs is mapped, and
 * no constructor has run. Those of the libraries that it needs run before ours, and are part of it. */
static __attribute__((used)) void (*note_begin(void))(void)
{
	sp_agent.pid = (int)sp_sys(SYS_getpid); /* and its only thread's id */
	sp_usage_begin(sp_agent.pid);
	sp_process_start_time();
	return loaded_main;
}

void loaded(void) SP_HIDDEN __attribute__((ifunc("note_begin"))); /* clang would export a static one */

static const char *program = ""; /* base name of argv[0] */

/* What any process that samples needs, once settings and place are known. */
static void prepare(void)
{
	sp_agent.page_bytes = getauxval(AT_PAGESZ);
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	sp_agent.config.signal = sp_signal_number(setting(SP_OPT_SIGNAL).number);
	sp_process.signal_is_asked = setting(SP_OPT_SIGNAL).source >= SP_SOURCE_FILE;
	sp_agent.activate = sp_activate;
	sp_agent.share = sp_tree_share;
	sp_agent.adopt = sp_threads_adopt;
	sp_agent.forked = sp_fork_child;
	sp_agent.watch_forks = sp_fork_watch;
	sp_agent.look = sp_signals_look;
}

static bool is_wanted(char **envp, const struct sp_file *file)
{
	struct sp_value verbose;

	if (sp_program_wanted(envp, file, program))
		return true;
	sp_value_load(&verbose, SP_OPT_VERBOSE, envp, file);
	sp_process.verbose = verbose.number;
	sp_verbose("not profiling", "SMARTPROF_ENABLED is off, or SMARTPROF_PROGRAM names other programs");
	return false;
}

/* --- in a process that runs already */

SP_EXPORT struct sp_attach smartprof_attach_request
	__attribute__((section(".data.attach"))) = {.magic = SP_ATTACH_MAGIC};

/* As many of the request's strings, which start at *from. */
static char **take_strings(const char **from, uint32_t count)
{
	const struct sp_attach *a = &smartprof_attach_request;
	char **list = take((count + 1) * sizeof *list);
	uint32_t i;

	for (i = 0; list && i < count && *from < a->text + sizeof a->text; i++) {
		list[i] = (char *)(uintptr_t)join(*from, "", "");
		*from += strlen(*from) + 1;
	}
	if (list)
		list[i] = NULL;
	return list;
}

/* Neither the program's environment nor its arguments are touched, or read: its threads may be changing them. */
static bool learn_request(void)
{
	const struct sp_attach *a = &smartprof_attach_request;
	const char *text = a->text;

	pool = first_pool;
	pool_size = sizeof first_pool;
	pool_used = 0;
	sp_process.argv = take_strings(&text, a->arguments);
	sp_process.envp = take_strings(&text, a->variables);
	if (!sp_process.argv || !sp_process.envp)
		return false;
	asked = sp_process.envp;
	sp_process.under_valgrind = is_under_valgrind();
	learn_cwd();
	learn_file(asked);
	learn_own_place();
	sp_process.entry = getauxval(AT_BASE) ? 0 : getauxval(AT_ENTRY);
	sp_process.ppid = (int)sp_sys(SYS_getppid);
	sp_process.output_dir = absolute(setting(SP_OPT_DIR).text);
	sp_process.output_file = absolute(setting(SP_OPT_OUTPUT).text);
	sp_process.span_log = "";
	sp_process.tree = "";
	sp_process.is_root = sp_process.follow_none = true;
	sp_process.attached_ns = a->run_ns;
	sp_process.attached_facts = &smartprof_attach_request.facts;
	sp_process.spool_path = "";
	return true;
}

static void begin_late(void)
{
	static int signal; /* that has been taken over before; 0: none was */

	sp_usage_begin_all();
	sp_process_start_time();
	prepare();
	if (!signal) {
		sp_note("the agent was put into the process while it ran (smartprof attach): CPU time before that is "
			"not counted, "
			"and its heap is not profiled");
		sp_fork_watch();
		sp_exit_init();
		signal = sp_agent.config.signal;
	}
	sp_agent.config.signal = signal;
	sp_signals_init_late();
	sp_clock_resume_all();
	sp_self_init((int)sp_sys(SYS_gettid));
	sp_store(&sp_agent.state, SP_AGENT_DORMANT);
	sp_activate();
}

static const char *start_late(void)
{
	if (getauxval(AT_SECURE))
		return "it runs with more rights than its caller";
	sp_agent.attached = true;
	sp_agent.pid = (int)sp_sys(SYS_getpid);
	if (!sp_attach_retire() || !learn_request())
		return "what was there of the agent cannot be put aside";
	begin_late();
	if (sp_agent_state() == SP_AGENT_ACTIVE)
		return NULL;
	return sp_process.trouble ? sp_process.trouble : "it has no memory for it";
}

static void put_text(char *to, size_t size, const char *text)
{
	struct sp_text_out out = {to, size, 0};

	sp_text_put(&out, text);
}

static int end_at_once(void *unused)
{
	(void)unused;
	sp_sys(SYS_exit, 0);
	return 0;
}

/* For the command that follows this thread, see env/attach.h. */
static void tell_end(void)
{
	static char SP_BIG stack[1024] __attribute__((aligned(16)));

	/* A thread, and so nobody's child that would have to be waited for. */
	__clone(end_at_once, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_THREAD | CLONE_SIGHAND, NULL, NULL,
		(void *)(uintptr_t)SP_ATTACH_ENDS, NULL);
}

static void attach(void)
{
	struct sp_attach *a = &smartprof_attach_request;
	const char *why;

	a->asked = 0;
	a->answer = SP_ATTACH_BEGUN;
	why = start_late();
	put_text(a->why, sizeof a->why, why ? why : "");
	put_text(a->spool, sizeof a->spool, why ? "" : sp_process.spool_path);
	__atomic_store_n(&a->answer, why ? SP_ATTACH_REFUSED : SP_ATTACH_STARTED, __ATOMIC_RELEASE);
	tell_end();
}

/* Called where the library has been put into the process before. */
SP_EXPORT void smartprof_attach(void)
{
	int saved_errno = errno;

	attach();
	errno = saved_errno;
}

/* From the constructor, which the loader has called in the midst of the program's run. */
static void attach_first(void)
{
	int saved_errno;

	if (!sp_libc_find_late())
		return; /* no C library of ours: the request stays unanswered */
	saved_errno = errno;
	sp_agent.single_threaded = sp_libc_symbol("__libc_single_threaded");
	sp_real_find_malloc_bypass();
	attach();
	errno = saved_errno;
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	enum { FOLLOW_EXEC, FOLLOW_FORK, FOLLOW_NONE } follow;
	bool resumes, comes;
	int saved_errno;

	loaded();
	if (smartprof_attach_request.asked) {
		attach_first();
		return;
	}
	if (!sp_libc_find(envp))
		return;
	saved_errno = errno;
	if ((int)sp_sys(SYS_getpid) != sp_agent.pid) /* a library's constructor has forked */
		note_begin();
	if (argc)
		program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	sp_agent.single_threaded = sp_libc_symbol("__libc_single_threaded");
	sp_malloc_resolve();
	sp_real_find_malloc_bypass();
	sp_filter_boot_done();
	/* The process has more rights than its caller, to whom the environment and the directory belong. */
	if (getauxval(AT_SECURE))
		goto out;
	pick_asked(envp);
	if (!is_wanted(asked, NULL))
		goto out;
	learn_cwd();
	learn_file(asked);
	if (sp_process.file && sp_process.file->count && !is_wanted(asked, sp_process.file))
		goto out;
	/* What was allocated before this counts, and the next allocation is looked at again. */
	sp_tls.heap.bytes_base -= sp_tls.heap.countdown;
	sp_tls.heap.countdown = 0;
	sp_process.argv = copy_list(argv, COMMAND_BYTES);
	sp_process.entry = getauxval(AT_BASE) ? 0 : getauxval(AT_ENTRY);
	sp_process.envp = copy_list(envp, ENVIRONMENT_BYTES);
	follow_copy(envp, sp_process.envp);
	sp_process.under_valgrind = is_under_valgrind();
	sp_process.spool_path = "";
	sp_process.verbose = setting(SP_OPT_VERBOSE).number;
	sp_process.ppid = (int)sp_sys(SYS_getppid);
	learn_own_place();
	resumes = join_tree();
	sp_agent.dormant_bytes = sp_process.is_root ? SP_DORMANT_BYTES : SP_DORMANT_CHILD_BYTES;
	follow = setting(SP_OPT_FOLLOW).number; /* in the order of the table's choices */
	sp_process.follow_none = follow == FOLLOW_NONE;
	rewrite_preload(follow != FOLLOW_EXEC);
	prepare();
	sp_agent.pre_activation_heap =
		(setting(SP_OPT_MODE).number & SP_MODE_HEAP) && setting(SP_OPT_START).number && !sp_is_under_valgrind();
	if (sp_real_malloc_bypass()) /* so the program's fork may not lead through ours either */
		sp_fork_watch();
	sp_exit_init();
	comes = sp_signals_init();
	sp_self_init(sp_agent.pid);
	if (!sp_is_under_valgrind()) /* where time means nothing */
		sp_waits_start(sp_blocking_call_of);
	if (setting(SP_OPT_SPAN_CONTEXT).number)
		sp_context_load();
	sp_span_functions_start(setting(SP_OPT_SPAN_FUNCTIONS).text);
	sp_store(&sp_agent.state, SP_AGENT_DORMANT);
	if (resumes && sp_tree_resume())
		sp_signals_watch_fatal();
	if (!sp_process_arm_start() || !comes)
		sp_activate(); /* no timer to be had, or its signal is blocked: nothing else would wake it */
out:
	errno = saved_errno;
}
