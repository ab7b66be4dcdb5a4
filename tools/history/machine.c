/* The machine that runs are made on, as far as it decides how fast they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env/env.h"
#include "tools/history/record.h"
#include "tools/tools.h"

static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");

	*line = '\0';
	if (file && !fgets(line, (int)size, file))
		*line = '\0';
	if (file)
		fclose(file);
	line[strcspn(line, "\n")] = '\0';
}

static void read_model(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096];

	*model = '\0';
	while (file && !*model && fgets(line, sizeof(line), file)) {
		const char *value = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (value && strncmp(line, "model name", 10) == 0)
			snprintf(model, size, "%s", value + 1 + strspn(value + 1, " "));
	}
	if (file)
		fclose(file);
}

void sp_record_machine(struct sp_history_machine *machine)
{
	static struct sp_config config;
	static char model[256], governor[64], kernel[64];
	char *dot;

	if (!*kernel) {
		sp_config_load(&config, sp_settings_where(), sp_settings_file());
		read_model(model, sizeof(model));
		read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof(governor));
		snprintf(kernel, sizeof(kernel), "%s", config.machine.kernel);
		dot = strchr(kernel, '.');
		dot = dot ? strpbrk(dot + 1, ".-+") : NULL; /* patches of one version are one class */
		if (dot)
			*dot = '\0';
	}
	sp_history_set(&machine->cpu, *model ? model : config.machine.architecture);
	machine->millicores = config.machine.usable_millicores;
	machine->memory_bytes = config.machine.memory_bytes;
	sp_history_set(&machine->kernel, kernel);
	sp_history_set(&machine->governor, governor);
}
