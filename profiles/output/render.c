/* Rendering a spool. */
#include "profiles/output/render.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/model/facts.h"
#include "profiles/output/captures.h"
#include "profiles/spool/events.h"
#include "profiles/spool/find.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/window.h"

static int fail(const char **why, int error, const char *phrase)
{
	*why = phrase;
	return error;
}

static int open_spool(const char *path, const char **why)
{
	int fd = sp_spool_open(path);

	return fd < 0 ? fail(why, fd, strerror(-fd)) : fd;
}

/* A spool is rendered into a file only if we may remove it, and only by one renderer. */
static int claim(int fd, const char **why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(why, -errno, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(why, -EINVAL, "is not a regular file");
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return fail(why, -EPERM, "does not belong to this user alone");
	if (!sp_spool_claim(fd))
		return fail(why, -EWOULDBLOCK, "is being rendered already");
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return fail(why, -ENOENT, "has been rendered meanwhile");
	return 0;
}

static bool is_small(const struct sp_snapshot *s)
{
	uint64_t user_ns, sys_ns, sampled_ns = 0;
	int64_t bytes = 0;

	if (s->header.control.asleep && !s->header.control.starts)
		return true;
	if (*sp_snapshot_text(s, s->header.text.output_file) && sp_snapshot_is_root(s))
		return false;
	for (size_t i = 0; i < s->stack_count; i++)
		sampled_ns += s->stacks[i].user_ns + s->stacks[i].sys_ns;
	for (size_t i = 0; i < s->thread_count; i++)
		bytes = (int64_t)((uint64_t)bytes + (uint64_t)s->threads[i].heap.bytes_base -
			(uint64_t)s->threads[i].heap.countdown);
	sp_snapshot_cpu(s, &user_ns, &sys_ns);
	return user_ns + sys_ns < SP_SMALL_CPU_NS && sampled_ns < SP_SMALL_CPU_NS && bytes < SP_SMALL_BYTES;
}

static void render(struct sp_profile *profile, const char *name, bool full, struct sp_buffer *out)
{
	sp_facts_collect(profile);
	sp_markdown_write(out, profile, name, full || profile->full);
}

/* A process that was root when it made its spool may have become somebody else and have written anything since, so root
 * goes by what it left where only root can: a link beside the spool. */
struct sp_output_wish sp_render_wish(const char *spool_path, const struct sp_snapshot *s, char place[static PATH_MAX])
{
	const struct sp_text *text = &s->header.text;
	char link[PATH_MAX];
	ssize_t n;

	if (geteuid() != 0)
		return (struct sp_output_wish){
			sp_snapshot_text(s, text->output_dir), sp_snapshot_text(s, text->output_file)};
	n = sp_spool_place_path(link, spool_path) ? readlink(link, place, PATH_MAX - 1) : -1;
	place[n > 0 ? n : 0] = '\0';
	return (struct sp_output_wish){
		place[0] == SP_PLACE_DIRECTORY ? place + 1 : "", place[0] == SP_PLACE_FILE ? place + 1 : ""};
}

static int render_file(int fd, struct sp_snapshot *snapshot, const struct sp_output_wish *wish,
	const struct sp_render_options *o, struct sp_render_result *result)
{
	struct sp_output output;
	struct sp_profile *profile;
	struct sp_buffer text = {0};
	int err = sp_output_open(&output, snapshot, wish);

	if (err) {
		sp_output_close(&output);
		return fail(&result->why, err, "is readable, but no directory for its profile can be made");
	}
	profile = sp_profile_from_snapshot(snapshot, o->symbols, o->progress, o->progress_context);
	do {
		profile->place_note = output.note;
		sp_buffer_free(&text);
		render(profile, output.name, o->full, &text);
		err = sp_output_write(&output, profile, &text);
	} while (err && sp_output_fall_back(&output, snapshot, err) == 0);
	if (err) {
		result->why = "is readable, but its profile cannot be written";
	} else {
		snprintf(result->path, sizeof(result->path), "%s/%s", output.directory, output.name);
		if (snapshot->mark_count)
			sp_captures_write(fd, &output, o);
	}
	sp_output_close(&output);
	sp_buffer_free(&text);
	sp_profile_free(profile);
	return err;
}

static int check_tree(int fd, const struct sp_render_options *options, const char **why)
{
	struct sp_snapshot peek;
	const char *tree;
	int err;

	if (!options->only_tree && !options->only_root)
		return 0;
	err = sp_snapshot_peek(&peek, fd, why);
	if (!err) {
		tree = sp_snapshot_text(&peek, peek.header.text.tree);
		if ((options->only_tree && strcmp(tree, options->only_tree) != 0) ||
			(options->only_root && atoi(tree) != options->only_root &&
				peek.header.pid != options->only_root))
			err = fail(why, -ECANCELED, "belongs to another tree");
	}
	sp_snapshot_free(&peek);
	return err;
}

/* The thread that runs, if there is one alone. */
static struct sp_thread_record *only_thread(struct sp_snapshot *s)
{
	struct sp_thread_record *only = NULL;

	for (size_t i = 1; i < s->thread_count; i++) {
		if (s->threads[i].state != 1)
			continue;
		if (only)
			return NULL;
		only = &s->threads[i];
	}
	return only;
}

/* Of the only thread it is known how long it had waited for a CPU, and no more than it was off one. */
static void add_queue_time(struct sp_snapshot *s, const struct sp_ending *ending)
{
	struct sp_thread_record *only = only_thread(s);
	uint64_t used_ns = only ? only->start_ns + only->cpu_user_ns + only->cpu_sys_ns : 0, most_ns;

	if (!only || only->tid != s->header.pid || used_ns > s->taken_ns)
		return;
	most_ns = s->taken_ns - used_ns;
	if (ending->queue_ns > only->queue_ns) {
		only->queue_ns = ending->queue_ns < most_ns ? ending->queue_ns : most_ns;
		only->queue_at_ns = s->taken_ns;
	}
}

/* What the process has used since its spool was last told, and no sample stands for. */
static void add_cpu_time(struct sp_snapshot *s, const struct sp_ending *ending)
{
	struct sp_spool_header *h = &s->header;
	uint64_t user_ns, sys_ns, more_user_ns, used_ns = ending->user_ns + ending->sys_ns;
	struct sp_thread_record *only = only_thread(s);

	sp_snapshot_cpu(s, &user_ns, &sys_ns);
	if (used_ns < h->earlier_ns || used_ns - h->earlier_ns <= user_ns + sys_ns)
		return;
	used_ns -= h->earlier_ns + user_ns + sys_ns;
	more_user_ns =
		(uint64_t)((double)used_ns * (double)ending->user_ns / (double)(ending->user_ns + ending->sys_ns));
	h->cpu.self_user_ns = user_ns + more_user_ns;
	h->cpu.self_sys_ns = sys_ns + used_ns - more_user_ns;
	if (only) {
		only->cpu_user_ns += more_user_ns;
		only->cpu_sys_ns += used_ns - more_user_ns;
	}
}

/* The parent knows how the process ended when it was killed, or ended past the C library, and could not record it. */
static void add_ending(struct sp_snapshot *s, const struct sp_render_options *options)
{
	struct sp_spool_header *h = &s->header;
	const struct sp_ending *ending = &options->ending;
	int status = ending->wait_status;

	if (!options->only_root || h->pid != options->only_root || h->state != SP_STATE_RUNNING)
		return;
	h->state = SP_STATE_ENDED;
	h->exit_kind = WIFSIGNALED(status) ? SP_EXIT_SIGNAL : SP_EXIT_CODE;
	h->exit_value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	add_cpu_time(s, ending);
	if (ending->ended_ns > h->start_monotonic_ns + s->taken_ns)
		s->taken_ns = ending->ended_ns - h->start_monotonic_ns;
	add_queue_time(s, ending);
}

static int remove_spool(const char *path, const char **why)
{
	char place[PATH_MAX];

	if (unlink(path) < 0 && errno != ENOENT)
		return fail(why, -errno, "has been rendered but cannot be removed");
	if (sp_spool_place_path(place, path))
		unlink(place);
	return 0;
}

int sp_render_spool(const char *spool_path, const struct sp_render_options *options, struct sp_render_result *result)
{
	struct sp_snapshot snapshot = {0};
	struct sp_output_wish wish;
	char place[PATH_MAX];
	int fd, err;

	*result = (struct sp_render_result){.why = ""};
	fd = open_spool(spool_path, &result->why);
	if (fd < 0)
		return fd;
	err = claim(fd, &result->why);
	if (!err)
		err = check_tree(fd, options, &result->why);
	if (!err)
		sp_events_await_writer(fd);
	if (!err)
		err = sp_snapshot_read(&snapshot, fd, &result->why);
	if (!err && options->only_orphan && snapshot.running &&
		!(options->own && strcmp(options->own, spool_path) == 0))
		err = fail(&result->why, -ECANCELED, "is in use");
	if (!err) {
		add_ending(&snapshot, options);
		wish = sp_render_wish(spool_path, &snapshot, place);
	}
	if (!err && !is_small(&snapshot))
		err = render_file(fd, &snapshot, &wish, options, result);
	if (!err)
		err = remove_spool(spool_path, &result->why);
	sp_snapshot_free(&snapshot);
	close(fd);
	return err;
}

int sp_render_held(int fd, const char *spool_path, const struct sp_output_wish *wish,
	const struct sp_render_options *options, struct sp_render_result *result)
{
	struct sp_snapshot snapshot = {0};
	struct sp_output_wish told;
	char place[PATH_MAX];
	struct stat st;
	int err;

	*result = (struct sp_render_result){.why = ""};
	if (!sp_spool_claim(fd))
		return fail(&result->why, -EWOULDBLOCK, "is being rendered already");
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return fail(&result->why, -ENOENT, "has been rendered meanwhile");
	err = sp_snapshot_read(&snapshot, fd, &result->why);
	if (!err) {
		told = wish ? *wish : sp_render_wish(spool_path, &snapshot, place);
		err = render_file(fd, &snapshot, &told, options, result);
	}
	if (!err)
		err = remove_spool(spool_path, &result->why);
	sp_snapshot_free(&snapshot);
	return err;
}

static int render_part(struct sp_profile *profile, const struct sp_render_options *options, struct sp_buffer *out,
	const char **why)
{
	if (!options->by && !options->top) {
		render(profile, "", options->full, out);
		return 0;
	}
	sp_facts_collect(profile);
	if (options->by)
		*why = sp_markdown_by(out, profile, options->by, options->top, &options->filter);
	else
		sp_markdown_write_top(out, profile, "", options->top);
	return options->by && *why ? -ENODATA : 0;
}

int sp_render_snapshot(struct sp_snapshot *snapshot, const struct sp_render_options *options, struct sp_buffer *out,
	const char **why)
{
	struct sp_profile *profile = sp_profile_filtered(snapshot, options->symbols, &options->filter,
		options->progress, options->progress_context);
	const char *span = options->filter.span;
	int err = -ENODATA;

	if (span && !sp_span_is_known(profile, span))
		*why = SP_NO_SUCH_SPAN;
	else
		err = render_part(profile, options, out, why);
	sp_profile_free(profile);
	return err;
}

/* Makes it what it was at the mark; of a copy, if one is given. */
static int rewind_to(struct sp_snapshot *snapshot, const char *label, struct sp_snapshot *copy, const char **why)
{
	if (!label)
		return 0;
	if (!sp_mark_find(snapshot, label))
		return fail(why, -ENOKEY, label);
	if (copy)
		sp_snapshot_copy(copy, snapshot);
	snapshot = copy ? copy : snapshot;
	sp_mark_rewind(snapshot, sp_mark_find(snapshot, label));
	return 0;
}

int sp_render_open(int fd, const struct sp_render_options *options, struct sp_buffer *out, const char **why)
{
	struct sp_snapshot snapshot = {0}, marked = {0};
	const struct sp_snapshot *since = options->since_mark ? &marked : options->since;
	int err = sp_snapshot_read(&snapshot, fd, why);

	if (!err)
		err = rewind_to(&snapshot, options->since_mark, &marked, why);
	if (!err)
		err = rewind_to(&snapshot, options->at_mark, NULL, why);
	if (!err && since)
		err = sp_window_take(&snapshot, since, why);
	if (!err)
		err = sp_render_snapshot(&snapshot, options, out, why);
	sp_snapshot_free(&marked);
	sp_snapshot_free(&snapshot);
	return err;
}

int sp_render_text(const char *spool_path, const struct sp_render_options *options, struct sp_buffer *out,
	const char **why)
{
	int err, fd = open_spool(spool_path, why);

	if (fd < 0)
		return fd;
	err = sp_render_open(fd, options, out, why);
	close(fd);
	return err;
}
