/* What threads do, for a person to read. */
#include "tools/where/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define INLINED 8u

static void put_frame(struct sp_buffer *out, struct sp_where_code *code, const struct sp_where_stack *stack,
	size_t frame)
{
	struct sp_symbol names[INLINED];
	const char *module, *base;
	uint64_t offset;
	size_t count = sp_where_names(code, stack, frame, names, INLINED, &module, &offset);

	base = strrchr(module, '/');
	base = base ? base + 1 : module;
	for (size_t i = 0; i < count; i++) {
		sp_buffer_printf(out, "    %s", frame >= stack->guessed ? "? " : "");
		if (names[i].function)
			sp_escape_name(out, SP_ESCAPE_PLAIN, names[i].function);
		else
			sp_buffer_printf(out, "0x%llx", (unsigned long long)offset);
		if (names[i].file && names[i].line) {
			sp_buffer_puts(out, "  ");
			sp_escape_name(out, SP_ESCAPE_PLAIN, names[i].file);
			sp_buffer_printf(out, ":%u", names[i].line);
		} else {
			sp_buffer_puts(out, "  (");
			sp_escape_name(out, SP_ESCAPE_PLAIN, *base ? base : "no file");
			sp_buffer_puts(out, ")");
		}
		sp_buffer_puts(out, names[i].inlined ? " [inlined]\n" : "\n");
	}
}

static void put_stack(struct sp_buffer *out, struct sp_where_code *code, const struct sp_where_thread *t)
{
	const struct sp_where_stack *stack = &t->stack;

	for (size_t i = 0; i < stack->count; i++)
		put_frame(out, code, stack, i);
	if (stack->count == SP_WHERE_FRAMES)
		sp_buffer_puts(out, "    …\n");
	else if (stack->count && !stack->whole && !t->sampled)
		sp_buffer_puts(out,
			"    … what called this cannot be told without the registers of a stopped thread\n");
	if (stack->guessed < stack->count)
		sp_buffer_puts(out, "    (? by the look of the stack, as the frame pointer is not known)\n");
}

static void put_thread(struct sp_buffer *out, struct sp_where_code *code, const struct sp_where_thread *t)
{
	const struct sp_where_task *task = t->task;

	sp_buffer_printf(out, "thread %d ", task->tid);
	sp_escape_name(out, SP_ESCAPE_PLAIN, task->name);
	if (task->has_call && task->since_ns != SP_WAITED_UNKNOWN) {
		sp_buffer_puts(out, ", for ");
		sp_put_duration(out, task->since_ns);
	}
	sp_buffer_printf(out, ": %s\n", t->wait.what);
	if (*t->says)
		sp_buffer_printf(out, "    %s\n", t->says);
	if (task->refused)
		sp_buffer_puts(out, "    the system call and the stack are not yours to look at; ask as root\n");
	if (t->moved)
		sp_buffer_puts(out, "    it went on while it was looked at: the stack may be of two moments\n");
	if (t->sampled)
		sp_buffer_puts(out, "    its last sample:\n");
	put_stack(out, code, t);
}

static void put_circle(struct sp_buffer *out, const struct sp_where_process *p, const struct sp_where_thread *threads)
{
	const struct sp_where_thread **circle = sp_alloc(p->count, sizeof(*circle));
	size_t n = sp_where_circle(p, threads, circle);

	if (n)
		sp_buffer_puts(out, "\ndeadlock: ");
	for (size_t i = 0; i < n; i++)
		sp_buffer_printf(out, "thread %d waits for ", circle[i]->task->tid);
	if (n)
		sp_buffer_printf(out, "thread %d, which never lets go\n", circle[0]->task->tid);
	free(circle);
}

void sp_where_put_text(struct sp_buffer *out, const struct sp_where_process *p, struct sp_where_code *code,
	const struct sp_where_thread *threads)
{
	size_t waiting = 0;

	for (size_t i = 0; i < p->count; i++)
		waiting += p->tasks[i].has_call;
	sp_buffer_printf(out, "process %d ", p->pid);
	sp_escape_name(out, SP_ESCAPE_PLAIN, p->name);
	sp_buffer_printf(out, ": %zu thread%s, %zu waiting\n", p->count, p->count == 1 ? "" : "s", waiting);
	for (size_t i = 0; i < p->count; i++) {
		sp_buffer_puts(out, "\n");
		put_thread(out, code, &threads[i]);
	}
	put_circle(out, p, threads);
}
