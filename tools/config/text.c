/* smartprof config for people. */
#include "tools/config/config.h"

#include <stdarg.h>
#include <string.h>

#include "tools/tools.h"

#define SOURCE_BYTES 1024

struct ink {
	const char *head, *changed, *bad, *plain;
};

static struct ink ink_of(bool colour)
{
	return colour ? (struct ink){"\033[1m", "\033[36m", "\033[33m", "\033[0m"} : (struct ink){"", "", "", ""};
}

/* Prints what has names of files or values of variables in it. */
static __attribute__((format(printf, 1, 2))) void print_foreign(const char *format, ...)
{
	char text[2 * PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sp_make_inert(text);
	printf("%s\n", text);
}

static void print_environment(const struct sp_plan *plan, const struct ink *ink)
{
	const struct sp_config *config = &plan->config;
	enum sp_environment environment;
	char reason[128];

	printf("%senvironment%s    ", ink->head, ink->plain);
	print_foreign("%s: %s", sp_environment_name(config->environment), config->reason);
	for (unsigned i = 0; sp_environment_outvoted(config, plan->where, i, &environment, reason, sizeof(reason)); i++)
		print_foreign("               against: %s (%s)", reason, sp_environment_name(environment));
}

static void print_limit(const struct sp_limit *limit)
{
	if (limit->name)
		printf(", by %s%s%s", limit->name, limit->group[0] ? " of " : "", limit->group);
	printf("\n");
}

static void print_size(uint64_t bytes)
{
	if (bytes >= 10ull << 30)
		printf("%.1f GiB", (double)bytes / (1 << 30));
	else
		printf("%.0f MiB", (double)bytes / (1 << 20));
}

static void print_resources(const struct sp_plan *plan, const struct ink *ink)
{
	const struct sp_machine *machine = &plan->config.machine;

	printf("%scores%s          ", ink->head, ink->plain);
	if (!machine->usable_millicores)
		printf("unknown: neither /proc nor /sys tells\n");
	else if (machine->host_cores && machine->usable_millicores == machine->host_cores * 1000)
		printf("all %u usable\n", machine->host_cores);
	else {
		printf("%g", machine->usable_millicores / 1000.0);
		if (machine->host_cores)
			printf(" of %u", machine->host_cores);
		printf(" usable");
		print_limit(&machine->cores_limit);
	}
	printf("%smemory%s         ", ink->head, ink->plain);
	if (!machine->memory_limit_bytes) {
		printf("unknown: /proc/meminfo cannot be read\n");
		return;
	}
	print_size(machine->memory_limit_bytes);
	if (machine->memory_limit_bytes != machine->memory_bytes && machine->memory_bytes) {
		printf(" of ");
		print_size(machine->memory_bytes);
	}
	printf(" usable");
	print_limit(&machine->memory_limit);
}

static const char *or_unknown(const char *text)
{
	return *text ? text : "unknown";
}

static void print_platform(const struct sp_plan *plan, const struct ink *ink)
{
	const struct sp_machine *machine = &plan->config.machine;
	const char *events = sp_plan_events(plan);

	printf("%smachine%s        Linux %s, %s, %s", ink->head, ink->plain, or_unknown(machine->kernel),
		or_unknown(machine->architecture), *machine->libc ? machine->libc : "libc unknown");
	if (machine->tick_us)
		printf(", tick %u Hz", (1000000 + machine->tick_us / 2) / machine->tick_us);
	if (*machine->hypervisor)
		printf(", %s: %s", machine->emulated ? "emulated" : "virtual", machine->hypervisor);
	printf("\n%sperf events%s    ", ink->head, ink->plain);
	if (events)
		printf("%s (tried", events);
	else
		printf("not tried on a recorded machine (");
	if (machine->perf_event_paranoid == -2)
		printf("%skernel.perf_event_paranoid is unknown)\n", events ? "; " : "");
	else
		printf("%skernel.perf_event_paranoid is %d)\n", events ? "; " : "", machine->perf_event_paranoid);
}

static void print_file(const struct sp_plan *plan, const struct ink *ink)
{
	printf("%ssettings file%s  ", ink->head, ink->plain);
	if (plan->file && plan->file->path[0] && plan->file->problem)
		print_foreign("%s, ignored: %s", plan->file->path, plan->file->problem);
	else if (plan->file && plan->file->path[0])
		print_foreign("%s, %u set in it", plan->file->path, plan->file->count);
	else if (plan->where->cwd && *plan->where->cwd)
		print_foreign("no " SP_FILE_NAME " in %s or above", plan->where->cwd);
	else
		printf("none\n");
}

static void print_setting(const struct sp_plan *plan, int option, const struct ink *ink)
{
	const struct sp_value *value = &plan->config.values[option];
	bool changed = value->source != SP_SOURCE_DEFAULT && value->source != SP_SOURCE_DETECTED;
	char text[PATH_MAX], source[SOURCE_BYTES];

	if (sp_option_format(&sp_option_rows[option], value, text, sizeof(text)) == 0)
		strcpy(text, "-");
	sp_source_text(&plan->config, plan->where, (enum sp_option)option, source, sizeof(source));
	if (option == SP_OPT_ENVIRONMENT) /* its reasons stand above */
		source[strcspn(source, ":;")] = '\0';
	sp_make_inert(text);
	sp_make_inert(source);
	printf("%-36s  %s%-12s%s  %s\n", sp_option_rows[option].variable, changed ? ink->changed : "", text,
		changed ? ink->plain : "", source);
}

static void print_settings(const struct sp_plan *plan, const struct ink *ink)
{
	printf("\n%s%-36s  %-12s  %s%s\n", ink->head, "SETTING", "VALUE", "SOURCE", ink->plain);
	for (int i = 0; i < SP_OPTIONS; i++) {
		if (i == SP_OPT_CPU_THRESHOLD)
			printf("\n%s%-36s  %s%s\n", ink->head, "THRESHOLD",
				"(a moment beyond one is marked in the profile)", ink->plain);
		print_setting(plan, i, ink);
	}
}

static void print_cpu(const struct sp_plan *plan)
{
	const struct sp_config *config = &plan->config;
	const struct sp_value *interval = &config->values[SP_OPT_CPU_INTERVAL];
	char source[SOURCE_BYTES];

	if (!plan->cpu) {
		printf("  CPU       not profiled\n");
		return;
	}
	sp_source_text(config, plan->where, SP_OPT_CPU_INTERVAL, source, sizeof(source));
	sp_make_inert(source);
	if (plan->events_error == SP_EVENTS_UNKNOWN)
		printf("  CPU       task-clock events where they work, else the kernel's tick");
	else if (plan->events_error == 0)
		printf("  CPU       task-clock events");
	else
		printf("  CPU       timer at the kernel's tick");
	printf(", %llu µs wished (%s)", (unsigned long long)interval->number, source);
	if (plan->cpu_expected_us > interval->number)
		printf(",\n            expected to settle near %llu µs", (unsigned long long)plan->cpu_expected_us);
	else if (plan->cpu_expected_us)
		printf(",\n            which is affordable");
	if (plan->cpu_expected_us && plan->events_error)
		printf(", the tick");
	else if (plan->cpu_expected_us)
		printf(" at %llu %%", (unsigned long long)config->values[SP_OPT_OVERHEAD_BUDGET].number);
	if (plan->signal_cost_us && plan->cpu_expected_us && !plan->events_error)
		printf(": a clock signal costs %llu µs here", (unsigned long long)plan->signal_cost_us);
	printf("\n");
}

static void print_plan(const struct sp_plan *plan, const struct ink *ink)
{
	const struct sp_value *values = plan->config.values;
	static const char *const children[] = {"all, also other programs", "forked copies of the program only", "none"};
	char heap[32];

	printf("\n%sWhat will happen%s\n", ink->head, ink->plain);
	if (sp_plan_is_blocked(plan)) {
		printf("  nothing: see below\n");
		return;
	}
	print_cpu(plan);
	sp_option_format(&sp_option_rows[SP_OPT_HEAP_INTERVAL], &values[SP_OPT_HEAP_INTERVAL], heap, sizeof(heap));
	if (plan->heap)
		printf("  heap      a sample per %s allocated, fewer where that would cost more than %g %%\n", heap,
			(double)values[SP_OPT_OVERHEAD_BUDGET].number / 2);
	else
		printf("  heap      not profiled\n");
	print_foreign("  profiles  %s", plan->output);
	printf("  children  %s\n", children[values[SP_OPT_FOLLOW].number]);
}

void sp_config_print_warnings(const struct sp_plan *plan, bool colour)
{
	struct ink ink = ink_of(colour);

	for (unsigned i = 0; i < plan->warning_count; i++) {
		const struct sp_warning *warning = &plan->warnings[i];

		printf("%s%s%s: ", ink.bad, warning->blocking ? "no profile" : "warning", ink.plain);
		print_foreign("%s", warning->message);
		if (*warning->fix)
			print_foreign("  to fix it: %s", warning->fix);
	}
}

void sp_config_print(const struct sp_plan *plan, bool colour)
{
	struct ink ink = ink_of(colour);

	print_environment(plan, &ink);
	print_resources(plan, &ink);
	print_platform(plan, &ink);
	print_file(plan, &ink);
	print_settings(plan, &ink);
	print_plan(plan, &ink);
	if (plan->warning_count)
		printf("\n");
	sp_config_print_warnings(plan, colour);
}
