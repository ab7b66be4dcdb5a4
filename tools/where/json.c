/* What threads do, for programs to read. */
#include "tools/where/where.h"

#include <stdlib.h>

#include "profiles/base/json.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define INLINED 8u

static void add_frames(json_t *frames, struct sp_where_code *code, const struct sp_where_stack *stack, size_t frame)
{
	struct sp_symbol names[INLINED];
	const char *module;
	uint64_t offset;
	size_t count = sp_where_names(code, stack, frame, names, INLINED, &module, &offset);

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}", "function", sp_json_text(names[i].function),
			"module", sp_json_text(*module ? module : NULL), "offset", sp_json_count(offset), "file",
			sp_json_text(names[i].file), "inlined", names[i].inlined, "guessed", frame >= stack->guessed);

		json_object_set_new(row, "line", names[i].line ? sp_json_count(names[i].line) : json_null());
		json_array_append_new(frames, row);
	}
}

static json_t *lock_json(const struct sp_where_lock *lock)
{
	if (!lock->address)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "address", sp_json_count(lock->address), "kind",
		sp_json_text(lock->kind), "place", sp_json_text(*lock->place ? lock->place : NULL), "holder",
		lock->holder ? sp_json_count((uint64_t)lock->holder) : json_null(), "ended_holder",
		lock->ended ? sp_json_count((uint64_t)lock->ended) : json_null());
}

static json_t *thread_json(struct sp_where_code *code, const struct sp_where_thread *t)
{
	const struct sp_where_task *task = t->task;
	bool in_call = task->has_call && task->call >= 0;
	json_t *frames = json_array();
	char state[2] = {task->state, 0};

	for (size_t i = 0; i < t->stack.count; i++)
		add_frames(frames, code, &t->stack, i);
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:o}", "tid", task->tid, "name",
		sp_json_text(task->name), "state", sp_json_text(state), "what", sp_json_text(t->wait.what), "since_ns",
		task->has_call && task->since_ns != SP_WAITED_UNKNOWN ? sp_json_count(task->since_ns) : json_null(),
		"call", sp_json_text(in_call ? sp_where_call_name(task->call) : NULL), "fd",
		t->wait.fd >= 0 ? json_integer(t->wait.fd) : json_null(), "lock", lock_json(&t->wait.lock), "says",
		sp_json_text(*t->says ? t->says : NULL), "sampled", t->sampled, "moved", t->moved, "complete",
		t->stack.whole, "frames", frames);
}

json_t *sp_where_json(const struct sp_where_process *p, struct sp_where_code *code,
	const struct sp_where_thread *threads)
{
	const struct sp_where_thread **circle = sp_alloc(p->count, sizeof(*circle));
	json_t *rows = json_array(), *deadlock = json_array();
	size_t n = sp_where_circle(p, threads, circle);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(deadlock, json_integer(circle[i]->task->tid));
	free(circle);
	for (size_t i = 0; i < p->count; i++)
		json_array_append_new(rows, thread_json(code, &threads[i]));
	return json_pack("{s:i, s:o, s:o, s:o}", "pid", p->pid, "program", sp_json_text(p->name), "threads", rows,
		"deadlock", deadlock);
}
