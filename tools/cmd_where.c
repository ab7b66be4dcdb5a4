/* smartprof where: what each thread of a process does right now, without stopping any. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiles/base/json.h"
#include "profiles/spool/find.h"
#include "symbolize/base/memory.h"
#include "tools/live.h"
#include "tools/report/report.h"
#include "tools/tools.h"
#include "tools/where/where.h"

static void print_help(void)
{
	printf("usage: smartprof where [--json] PID\n\n"
	       "Tells what each thread of a process does right now: the system call it waits in and since when, on "
	       "which\nfile, socket or lock and who holds that, and the stack. No thread is stopped for it, and the "
	       "process\nneed not be profiled; it may hang. Of a thread that runs, the last sample is shown if the "
	       "process is\nprofiled.\n\n"
	       "  --json          print it as JSON\n" SP_SYMBOLS_HELP "  --help          show this text\n\n"
	       "Registers of a thread that is not stopped are not known, so a stack is walked by the tables that "
	       "compilers\nwrite as long as these need none; `?` marks what was found by the look of the stack. It "
	       "asks for what\na debugger asks for: the same user, or root where kernel.yama.ptrace_scope is not 0.\n");
}

/* The process's spool, if it has one. */
static bool load_spool(struct sp_snapshot *snapshot, int pid)
{
	struct sp_spool_file *files;
	size_t count = sp_spool_list_all(&files);
	const char *why;
	bool loaded = false;

	for (size_t i = 0; i < count && !loaded; i++) {
		int fd = files[i].pid == pid && !sp_spool_is_orphan(&files[i]) ? sp_spool_open(files[i].path) : -1;

		if (fd < 0)
			continue;
		loaded = sp_snapshot_read(snapshot, fd, &why) == 0;
		close(fd);
		if (!loaded)
			sp_snapshot_free(snapshot);
	}
	free(files);
	return loaded;
}

static void take_last_sample(struct sp_where_thread *t, const struct sp_snapshot *s)
{
	uint64_t addresses[SP_MAX_DEPTH];

	for (size_t i = s->log_count; i-- > 0;) {
		const struct sp_log_entry *entry = &s->log[i];
		const struct sp_stack *stack = &s->stacks[entry->stack];

		if (entry->thread >= s->thread_count || s->threads[entry->thread].tid != t->task->inner_tid ||
			s->threads[entry->thread].state != 1)
			continue;
		sp_snapshot_stack(s, entry->stack, addresses);
		t->stack.count = stack->depth < SP_WHERE_FRAMES ? stack->depth : SP_WHERE_FRAMES;
		memcpy(t->stack.frames, addresses, t->stack.count * sizeof(*addresses));
		t->stack.whole = !(stack->flags & SP_STACK_CUT);
		t->sampled = t->stack.count > 0;
		return;
	}
}

static bool is_python(const char *module)
{
	const char *name = strrchr(module, '/');

	name = name ? name + 1 : module;
	return strncmp(name, "python3", 7) == 0 || strncmp(name, "libpython3", 10) == 0;
}

/* CPython waits for its interpreter lock, and for nothing else, in this function of the C library. */
static bool waits_for_gil(struct sp_where_code *code, const struct sp_where_stack *stack)
{
	bool timed = false;

	for (size_t i = 0; i < stack->count && i < 6; i++) {
		struct sp_symbol name;
		const char *module;
		uint64_t offset;

		sp_where_names(code, stack, i, &name, 1, &module, &offset);
		if (timed && is_python(module))
			return true;
		timed = timed || (name.function && strstr(name.function, "pthread_cond_timedwait"));
	}
	return false;
}

static void say(struct sp_where_thread *t, const struct sp_where_process *p, struct sp_where_code *code)
{
	struct sp_where_lock *lock = &t->wait.lock;
	struct sp_buffer out = {0};

	*t->says = '\0';
	if (t->sampled || !waits_for_gil(code, &t->stack))
		return;
	if (t->task->call == SYS_futex)
		sp_where_gil_read(lock, p, t->task->arguments[0]);
	if (lock->holder == t->task->tid) /* got it since */
		lock->holder = 0;
	sp_buffer_puts(&out, "it waits for Python's interpreter lock (the GIL)");
	sp_where_put_holder(&out, p, lock);
	if (lock->gil && !lock->holder)
		sp_buffer_puts(&out, lock->is_free ? ", which nobody has at this moment" : "; who has it is not known");
	snprintf(t->says, sizeof(t->says), "%s", out.data);
	sp_buffer_free(&out);
}

#define TRIES 4 /* to find a thread in the same place before and after */

static void look(struct sp_where_thread *t, const struct sp_where_process *p, struct sp_where_code *code,
	const struct sp_snapshot *snapshot)
{
	t->moved = true;
	for (int i = 0; i < TRIES && t->moved; i++) {
		sp_where_wait_read(&t->wait, p, t->task);
		sp_where_walk(code, p, t->task, &t->stack);
		t->moved = t->task->has_call && !sp_where_again(p, t->task);
	}
	if (!t->task->has_call && snapshot)
		take_last_sample(t, snapshot);
	say(t, p, code);
}

static int show(const struct sp_where_process *p, const struct sp_symbolizer_options *symbols, bool json)
{
	struct sp_where_thread *threads = sp_alloc(p->count, sizeof(*threads));
	struct sp_where_code *code = sp_where_code_new(p, symbols);
	struct sp_snapshot snapshot = {0};
	bool has_spool = load_spool(&snapshot, p->pid);
	struct sp_buffer out = {0};
	int status;

	for (size_t i = 0; i < p->count; i++) {
		threads[i].task = &p->tasks[i];
		look(&threads[i], p, code, has_spool ? &snapshot : NULL);
	}
	if (json)
		sp_json_put(&out, sp_where_json(p, code, threads), false);
	else
		sp_where_put_text(&out, p, code, threads);
	status = sp_write_output("where", NULL, &out, 0) ? 1 : 0;
	sp_buffer_free(&out);
	if (has_spool)
		sp_snapshot_free(&snapshot);
	sp_where_code_free(code);
	free(threads);
	return status;
}

int sp_cmd_where(int argc, char **argv)
{
	static const struct option flags[] = {{"json", no_argument, NULL, 'j'}, SP_SYMBOLS_FLAGS,
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct sp_symbolizer_options symbols = {0};
	struct sp_where_process process;
	bool json = false;
	int got, status;

	opterr = 0;
	sp_symbols_options(&symbols, 1);
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		int taken = sp_symbols_flag(&symbols, got, optarg);

		if (taken < 0)
			return SP_EXIT_USAGE;
		if (taken)
			continue;
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'j')
			return sp_flag_error("where", got, argv, flags);
		json = true;
	}
	if (argc - optind != 1) {
		sp_complain("where: give it one process id; see smartprof where --help");
		return SP_EXIT_USAGE;
	}
	sp_json_init();
	status = sp_where_read(&process, argv[optind]);
	if (!status)
		status = show(&process, &symbols, json);
	sp_where_free(&process);
	return status;
}
