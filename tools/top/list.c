/* smartprof top without an argument: which processes there are. */
#include "tools/top/list.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/redact/redact.h"
#include "profiles/spool/find.h"
#include "profiles/spool/follow.h"
#include "symbolize/base/memory.h"

const char sp_top_list_title[] = "    PID     CPU s     for s  PROGRAM";

static char *clean(const struct sp_buffer *text)
{
	struct sp_buffer out = {0};

	if (text->data)
		sp_escape(&out, SP_ESCAPE_PLAIN, text->data, text->length);
	return out.data ? out.data : sp_copy_text("");
}

static void take_texts(struct sp_top_listed *item, const struct sp_snapshot *s)
{
	const struct sp_text *text = &s->header.text;
	const char *program = sp_snapshot_text(s, text->program);
	struct sp_buffer shown = {0};

	sp_redact_text(&shown, program, strlen(program));
	item->program = clean(&shown);
	sp_buffer_clear(&shown);
	if (text->command && text->command < s->text_bytes && text->command_bytes < s->text_bytes - text->command)
		sp_redact_command(&shown, s->text + text->command, text->command_bytes + 1);
	item->command = clean(&shown);
	sp_buffer_free(&shown);
}

static void set_line(struct sp_top_listed *item)
{
	struct sp_buffer line = {0};

	sp_buffer_printf(&line, "%7d %9.2f %9.0f  %s%s  %s", item->pid, item->cpu_s, item->seconds, item->program,
		item->alive ? "" : " (died)", item->command);
	item->line = line.data;
}

/* false: it cannot be shown. */
static bool take(struct sp_top_listed *item, const struct sp_spool_file *file)
{
	struct sp_follow look = {.fd = sp_spool_open(file->path)};
	struct sp_snapshot peek = {0};
	uint64_t user_ns, sys_ns;
	const char *why;
	bool good = look.fd >= 0 && sp_follow_look(&look, 0, &why) == 0 &&
		sp_snapshot_peek(&peek, look.fd, &why) == 0 &&
		(look.now.is.running || (peek.header.state == SP_STATE_RUNNING && !sp_spool_is_claimed(look.fd)));

	if (good) {
		*item = (struct sp_top_listed){.pid = file->pid, .alive = look.now.is.running};
		memcpy(item->path, file->path, sizeof(item->path));
		sp_snapshot_cpu(&look.now.is, &user_ns, &sys_ns);
		item->cpu_s = ((double)user_ns + (double)sys_ns) / 1e9;
		item->seconds = (double)look.now.is.taken_ns / 1e9;
		take_texts(item, &peek);
		set_line(item);
	}
	sp_snapshot_free(&peek);
	sp_follow_free(&look);
	if (look.fd >= 0)
		close(look.fd);
	return good;
}

static int by_cpu(const void *left, const void *right)
{
	const struct sp_top_listed *a = left, *b = right;

	if (a->alive != b->alive)
		return a->alive ? -1 : 1;
	return a->cpu_s != b->cpu_s ? (a->cpu_s > b->cpu_s ? -1 : 1) : a->pid - b->pid;
}

size_t sp_top_list(struct sp_top_listed **list)
{
	struct sp_spool_file *files;
	size_t count = 0, capacity = 0, found = sp_spool_list_all(&files);

	*list = NULL;
	for (size_t i = 0; i < found; i++) {
		sp_grow(list, &capacity, count + 1, sizeof(**list));
		count += take(&(*list)[count], &files[i]);
	}
	free(files);
	if (count)
		qsort(*list, count, sizeof(**list), by_cpu);
	return count;
}

void sp_top_list_free(struct sp_top_listed *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].line);
		free(list[i].program);
		free(list[i].command);
	}
	free(list);
}

static json_t *listed_json(const struct sp_top_listed *item)
{
	json_t *object = json_object();

	sp_json_set(object, "pid", sp_json_count((uint64_t)item->pid));
	sp_json_set(object, "program", sp_json_text(item->program));
	sp_json_set(object, "command", sp_json_text(item->command));
	sp_json_set(object, "state", sp_json_text(item->alive ? "running" : "died"));
	sp_json_set(object, "cpu_seconds", sp_json_number(item->cpu_s));
	sp_json_set(object, "wall_seconds", sp_json_number(item->seconds));
	return object;
}

void sp_top_list_put(struct sp_buffer *out, const struct sp_top_listed *list, size_t count, int json)
{
	json_t *array = json ? json_array() : NULL, *object;

	if (!json)
		sp_buffer_printf(out, "%s\n", sp_top_list_title);
	for (size_t i = 0; i < count; i++) {
		if (json)
			json_array_append_new(array, listed_json(&list[i]));
		else
			sp_buffer_printf(out, "%s\n", list[i].line);
	}
	if (!json)
		return;
	object = json_object();
	sp_json_set(object, "processes", array);
	sp_json_put(out, object, false);
	sp_buffer_puts(out, "\n");
}
