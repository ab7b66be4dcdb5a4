/* What kind of machine this is: kernel, architecture, libc, hypervisor; and whether perf events
 * work on it. */
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "env/internal.h"
#include "env/text.h"

#define PAGE_BYTES 4096
#define CPUINFO_BYTES 4096 /* the first processor's paragraph: reading all takes a large machine milliseconds */

enum { RELEASE, PROCESSOR, VENDOR, PRODUCT, PLACES };

/* Words that give a hypervisor or an emulator away; the first row that fits names it. The rows
 * about vendors are for machines whose processor has the hypervisor flag: Microsoft makes laptops. */
static const struct platform_row {
	int place;
	char word[24], name[24]; /* no pointers, which the loader would have to write in every process */
	bool emulated;
} platform_rows[] = {
	{RELEASE, "WSL2", "WSL 2", false},
	{RELEASE, "Microsoft", "WSL 1", false},
	{PROCESSOR, "VirtualApple", "Rosetta", true},
	{PROCESSOR, "QEMU TCG CPU", "QEMU TCG", true},
	{VENDOR, "Amazon EC2", "Amazon EC2", false},
	{VENDOR, "Google", "Google Compute Engine", false},
	{VENDOR, "Microsoft Corporation", "Hyper-V", false},
	{VENDOR, "VMware", "VMware", false},
	{VENDOR, "Xen", "Xen", false},
	{VENDOR, "innotek", "VirtualBox", false},
	{VENDOR, "Parallels", "Parallels", false},
	{PRODUCT, "KVM", "KVM", false},
	{VENDOR, "QEMU", "QEMU", false},
};

#ifdef __x86_64__
/* What a hypervisor calls itself (CPUID leaf 0x40000000), for the live machine. */
static const struct cpuid_row {
	char signature[13], name[16];
	bool emulated;
} cpuid_rows[] = {
	{"TCGTCGTCGTCG", "QEMU TCG", true},
	{"KVMKVMKVM", "KVM", false},
	{"Microsoft Hv", "Hyper-V", false},
	{"VMwareVMware", "VMware", false},
	{"XenVMMXenVMM", "Xen", false},
	{"VBoxVBoxVBox", "VirtualBox", false},
	{"bhyve bhyve ", "bhyve", false},
};
#endif

struct platform {
	char text[PLACES][64];
	bool virtual;
};

/* The model's name and the hypervisor flag of the first processor. */
static void read_processor(struct platform *platform, const char *root)
{
	struct sp_lines lines;
	char line[3072]; /* the flags are one long line */
	size_t seen = 0;
	bool done = false;

	if (sp_lines_open(&lines, root, "/proc/cpuinfo") < 0)
		return;
	for (; !done && seen < CPUINFO_BYTES && sp_lines_next(&lines, line, sizeof(line)); seen += strlen(line)) {
		const char *value = strchr(line, ':');
		struct sp_text_out out = {platform->text[PROCESSOR], sizeof(platform->text[PROCESSOR]), 0};

		if (!value)
			continue;
		if (strncmp(line, "model name", 10) == 0)
			sp_text_put(&out, value + 1);
		done = strncmp(line, "flags", 5) == 0; /* the model stands before them */
		if (done && strstr(value, " hypervisor"))
			platform->virtual = true;
	}
	sp_lines_close(&lines);
}

static void set_hypervisor(struct sp_machine *machine, const char *name, bool emulated)
{
	machine->hypervisor = name;
	machine->emulated = emulated;
}

/* Emulation can hide behind a vendor's name that KVM has too, so the processor is asked as well. */
static void ask_processor(struct sp_machine *machine)
{
#ifdef __x86_64__
	unsigned a, words[3];
	char signature[13] = "";

	__cpuid(0x40000000, a, words[0], words[1], words[2]);
	memcpy(signature, words, 12);
	for (size_t i = 0; i < sizeof(cpuid_rows) / sizeof(cpuid_rows[0]); i++) {
		if (strcmp(signature, cpuid_rows[i].signature) != 0)
			continue;
		if (cpuid_rows[i].emulated || !*machine->hypervisor)
			set_hypervisor(machine, cpuid_rows[i].name, cpuid_rows[i].emulated);
	}
#else
	(void)machine; /* others do not tell */
#endif
}

static void read_hypervisor(struct sp_machine *machine, const char *root)
{
	struct platform platform = {0};

	memcpy(platform.text[RELEASE], machine->kernel, sizeof(platform.text[RELEASE]));
	read_processor(&platform, root);
	if (platform.virtual) {
		sp_file_line(root, "/sys/class/dmi/id/sys_vendor", platform.text[VENDOR],
			sizeof(platform.text[VENDOR]));
		sp_file_line(root, "/sys/class/dmi/id/product_name", platform.text[PRODUCT],
			sizeof(platform.text[PRODUCT]));
	}
	machine->hypervisor = "";
	for (size_t i = 0; !*machine->hypervisor && i < sizeof(platform_rows) / sizeof(platform_rows[0]); i++)
		if (strstr(platform.text[platform_rows[i].place], platform_rows[i].word))
			set_hypervisor(machine, platform_rows[i].name, platform_rows[i].emulated);
	if (platform.virtual && !*root)
		ask_processor(machine);
	if (platform.virtual && !*machine->hypervisor)
		machine->hypervisor = "unknown";
}

/* The coarse clock moves once a tick, and says so. */
static uint32_t tick_us(void)
{
	struct timespec step;

	if (syscall(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &step) < 0 || step.tv_sec)
		return 0;
	return (uint32_t)(step.tv_nsec / 1000);
}

static void copy_text(char *to, size_t size, const char *from)
{
	struct sp_text_out out = {to, size, 0};

	sp_text_put(&out, from);
}

void sp_platform_read(struct sp_machine *machine, const char *root)
{
	struct utsname uts;

	if (!*root && syscall(SYS_uname, &uts) == 0) {
		copy_text(machine->kernel, sizeof(machine->kernel), uts.release);
		copy_text(machine->architecture, sizeof(machine->architecture), uts.machine);
	} else {
		sp_file_line(root, "/proc/sys/kernel/osrelease", machine->kernel, sizeof(machine->kernel));
		sp_file_line(root, "/proc/sys/kernel/arch", machine->architecture, sizeof(machine->architecture));
	}
	if (!*root)
		machine->tick_us = tick_us();
	machine->libc = sp_file_exists(root, "/lib64/ld-linux-x86-64.so.2") ||
			sp_file_exists(root, "/lib/ld-linux-aarch64.so.1")
		? "glibc"
		: sp_file_exists(root, "/lib/ld-musl-x86_64.so.1") || sp_file_exists(root, "/lib/ld-musl-aarch64.so.1")
		? "musl"
		: "";
	read_hypervisor(machine, root);
}

int sp_perf_try(void)
{
	struct perf_event_attr attr;
	long fd, page;
	int error = 0, saved = errno;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_TASK_CLOCK;
	attr.sample_period = 1000000;
	attr.disabled = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		goto out;
	}
	/* The page that is mapped to keep an event alive counts against RLIMIT_MEMLOCK. */
	page = syscall(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == -1)
		error = -errno;
	else
		syscall(SYS_munmap, page, PAGE_BYTES);
	syscall(SYS_close, fd);
out:
	errno = saved;
	return error;
}
