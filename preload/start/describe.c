/* What the spool says of its process and settings. */
#include "preload/start/describe.h"

#include <string.h>

#include "env/env.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/spool_place.h"
#include "sampler/mapped.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/usage.h"

/* Arguments, each NUL-terminated. */
static uint32_t command_text(char **argv, uint32_t *bytes)
{
	size_t length = 1;
	uint32_t at;
	char *to;
	int i, n;

	for (n = 0; argv[n] && length + strlen(argv[n]) + 1 < 32768; n++)
		length += strlen(argv[n]) + 1;
	at = sp_spool_allot(SP_SEC_TEXT, (uint32_t)length);
	if (!at)
		return 0;
	to = (char *)sp_section(SP_SEC_TEXT) + at;
	for (i = 0; i < n; i++)
		to = stpcpy(to, argv[i]) + 1;
	*to = 0;
	*bytes = (uint32_t)length - 1;
	return at;
}

/* Lines "name\tvalue\tsource\n". */
static uint32_t settings_text(const struct sp_config *config)
{
	enum { VALUE_BYTES = 1024, SOURCE_BYTES = 512, LINE_BYTES = VALUE_BYTES + SOURCE_BYTES + 64 };
	const struct sp_where where = sp_process_where();
	char lines[8192], *to = lines;
	int i;

	for (i = 0; i < SP_OPTIONS && lines + sizeof lines - to > LINE_BYTES; i++) {
		to = stpcpy(to, sp_option_rows[i].name);
		*to++ = '\t';
		to += sp_option_format(&sp_option_rows[i], &config->values[i], to, VALUE_BYTES);
		*to++ = '\t';
		to += sp_source_text(config, &where, i, to, SOURCE_BYTES);
		*to++ = '\n';
	}
	*to = 0;
	return sp_spool_string(lines);
}

static const char *allocator_path(const char *exe)
{
	const void *bypass = sp_real_malloc_bypass();
	struct dl_find_object object;

	if (_dl_find_object(bypass ? (void *)(uintptr_t)bypass : (void *)sp_real.malloc, &object) != 0)
		return "";
	return *object.dlfo_link_map->l_name ? object.dlfo_link_map->l_name : exe;
}

/* When the dynamic linker was told to run the program, /proc/self/exe is the linker. */
static void find_program(char exe[SP_PATH_MAX])
{
	struct sp_mapped mapped;
	long n;

	if (sp_process.entry && sp_mapped_find(sp_process.entry, &mapped)) {
		memcpy(exe, mapped.path, SP_PATH_MAX);
		return;
	}
	n = sp_sys(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", exe, SP_PATH_MAX - 1);
	exe[n > 0 ? n : 0] = 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Programs write other texts over their arguments, for ps to show: those it was started with count. Where they cannot be had
 * any more, the text's first word is the name, as in "postgres: writer" and "redis-server *:6379". */
static const char *program_name(const char *exe)
{
	const char *called = sp_process.argv[0] ? sp_process.argv[0] : "";

	if (sp_agent.attached)
		sp_process.argv[0][strcspn(called, " :")] = 0; /* our own copy, when the command has been noted */
	called = base_name(called);
	return *called ? called : base_name(exe);
}

void sp_describe_process(struct sp_spool_header *h, const struct sp_config *c, uint64_t start_ticks)
{
	char exe[SP_PATH_MAX];

	find_program(exe);
	h->pid = sp_agent.pid;
	h->ppid = sp_process.ppid;
	sp_agent.uid = h->uid = (uint32_t)sp_sys(SYS_geteuid);
	h->is_root = sp_process.is_root;
	h->machine = SP_MACHINE;
	h->code_address_bits = 64 - (uint32_t)__builtin_clzll(sp_plain_address((1ull << 55) - 1));
	h->start_ticks = start_ticks;
	h->pid_namespace = sp_pid_namespace();
	h->start_realtime_ns = sp_clock_read_ns(CLOCK_REALTIME) - sp_now_ns();
	h->attached_ns = sp_process.attached_ns;
	h->earlier_ns = sp_usage_before_ns();
	h->start_monotonic_ns = sp_agent.start_monotonic_ns;
	h->start_tsc = sp_agent.start_tsc;
	h->tsc_per_us_x1024 = sp_agent.tsc_per_us_x1024;
	h->memory_limit_bytes = c->machine.memory_limit_bytes;
	h->usable_millicores = c->machine.usable_millicores;
	h->host_cores = c->machine.host_cores;
	h->text.exe = sp_spool_string(exe);
	h->text.command = command_text(sp_process.argv, &h->text.command_bytes);
	/* The name it was called by: one file may be many programs. */
	h->text.program = sp_spool_string(program_name(exe));
	h->text.kernel = sp_spool_string(c->machine.kernel);
	h->text.cwd = sp_spool_string(sp_process.cwd);
	h->text.output_dir = sp_spool_string(sp_process.output_dir);
	h->text.output_file = sp_spool_string(sp_process.output_file);
	h->text.span_log = sp_spool_string(sp_process.span_log);
	h->text.environment = sp_spool_string(sp_environment_name(c->environment));
	h->text.environment_reason = sp_spool_string(c->reason);
	h->text.settings = settings_text(c);
	h->text.allocator = sp_spool_string(allocator_path(exe));
	h->text.tree = sp_spool_string(sp_process.tree);
}
