/* Images of ELF files: see image.h. */
#include "symbolize/elf/image.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SECTIONS_LIMIT (1u << 20)
#define NAMES_LIMIT_BYTES (64u << 20)
#define NOTE_LIMIT_BYTES 65536u
#define PAGE_BYTES 4096u
/* Larger sections are mapped instead: their pages stay the page cache's and can be reclaimed. */
#define COPY_LIMIT_BYTES (32u << 20)
#define SHARED_MAX 256u

/* A part of the file and where it goes in the image. */
struct part {
	uint64_t from, bytes, to;
};

struct maker {
	const struct sp_disk_file *file;
	Elf64_Ehdr header;
	Elf64_Phdr *segments;
	Elf64_Shdr *sections;
	char *names;
	uint64_t names_bytes;
	struct part *parts; /* of sections, then of notes */
	size_t segment_count, section_count, part_count;
	uint64_t size, wanted; /* of the image; of the parts alone */
};

/* --- mapped sections whose file is cut meanwhile ------------------------------------------------ */

static struct shared {
	uintptr_t low, high; /* atomic; high 0: free */
} shared[SHARED_MAX];

/* The part that is no longer in the file reads as zeros. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	(void)context;
	for (size_t i = 0; i < SHARED_MAX; i++)
		if (at >= __atomic_load_n(&shared[i].low, __ATOMIC_ACQUIRE) &&
			at < __atomic_load_n(&shared[i].high, __ATOMIC_ACQUIRE) &&
			mmap((void *)(at & ~(uintptr_t)(PAGE_BYTES - 1)), PAGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
			return;
	sigaction(number, &dfl, NULL);
}

static void catch_bus_errors(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

static bool watch(const uint8_t *at, size_t bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, catch_bus_errors);
	for (size_t i = 0; i < SHARED_MAX; i++) {
		uintptr_t none = 0;

		if (!__atomic_compare_exchange_n(&shared[i].low, &none, UINTPTR_MAX, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&shared[i].high, (uintptr_t)at + bytes, __ATOMIC_RELEASE);
		__atomic_store_n(&shared[i].low, (uintptr_t)at, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

/* Forgets what is mapped within the image. */
static void unwatch(const uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < SHARED_MAX; i++) {
		uintptr_t low = __atomic_load_n(&shared[i].low, __ATOMIC_ACQUIRE);

		if (low < (uintptr_t)at || low >= (uintptr_t)at + bytes)
			continue;
		__atomic_store_n(&shared[i].high, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&shared[i].low, 0, __ATOMIC_RELEASE);
	}
}

/* --- choosing ----------------------------------------------------------------------------------- */

static int read_at(const struct maker *maker, void *to, size_t bytes, uint64_t at)
{
	int rc = sp_disk_read(maker->file, to, bytes, at);

	return rc == -ENODATA ? -ENOEXEC : rc;
}

/* A table of the file, malloc'ed. */
static int read_table(const struct maker *maker, void *table, uint64_t bytes, uint64_t at)
{
	void *read = malloc(bytes + 1);
	int rc = read ? read_at(maker, read, bytes, at) : -ENOMEM;

	if (rc) {
		free(read);
		read = NULL;
	}
	memcpy(table, &read, sizeof(read));
	return rc;
}

static int read_headers(struct maker *maker)
{
	const Elf64_Ehdr *h = &maker->header;
	uint64_t file_bytes = (uint64_t)maker->file->status.st_size;
	Elf64_Shdr first = {0};
	int rc = read_at(maker, &maker->header, sizeof(maker->header), 0);

	if (rc)
		return rc;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
		h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	maker->segment_count = h->e_phentsize == sizeof(Elf64_Phdr) ? h->e_phnum : 0;
	if (h->e_shoff && h->e_shentsize == sizeof(Elf64_Shdr) && h->e_shoff < file_bytes)
		rc = read_at(maker, &first, sizeof(first), h->e_shoff);
	/* More than fits the header stands in the first section's. */
	maker->section_count = rc || !h->e_shoff ? 0 : h->e_shnum ? h->e_shnum : first.sh_size;
	if (maker->section_count > SECTIONS_LIMIT || h->e_shoff > file_bytes ||
		maker->section_count * sizeof(first) > file_bytes - h->e_shoff)
		maker->section_count = 0; /* cut */
	rc = read_table(maker, &maker->segments, maker->segment_count * sizeof(Elf64_Phdr), h->e_phoff);
	return rc ? rc : read_table(maker, &maker->sections, maker->section_count * sizeof(first), h->e_shoff);
}

static bool is_in_file(const struct maker *maker, uint64_t at, uint64_t bytes)
{
	uint64_t file_bytes = (uint64_t)maker->file->status.st_size;

	return at <= file_bytes && bytes <= file_bytes - at;
}

static int read_names(struct maker *maker)
{
	uint32_t index = maker->header.e_shstrndx;
	const Elf64_Shdr *names;

	if (index == SHN_XINDEX && maker->section_count)
		index = maker->sections[0].sh_link;
	names = index && index < maker->section_count ? &maker->sections[index] : NULL;
	if (!names || names->sh_size > NAMES_LIMIT_BYTES || !is_in_file(maker, names->sh_offset, names->sh_size))
		return 0;
	maker->names_bytes = names->sh_size;
	return read_table(maker, &maker->names, names->sh_size, names->sh_offset);
}

static const char *name_of(const struct maker *maker, const Elf64_Shdr *section)
{
	if (section->sh_name >= maker->names_bytes ||
		!memchr(maker->names + section->sh_name, 0, maker->names_bytes - section->sh_name))
		return "";
	return maker->names + section->sh_name;
}

static bool is_debug(const char *name)
{
	return !strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8);
}

/* Whether the section says anything about names. */
static bool is_useful(const struct maker *maker, const Elf64_Shdr *section, bool with_debug)
{
	const char *name = name_of(maker, section);

	switch (section->sh_type) {
	case SHT_NOBITS:
	case SHT_NULL:
		return false;
	case SHT_SYMTAB:
	case SHT_DYNSYM:
	case SHT_STRTAB:
	case SHT_NOTE:
		return true;
	default:
		return (with_debug && is_debug(name)) || !strncmp(name, ".gnu_debug", 10) ||
			!strncmp(name, ".plt", 4) || !strcmp(name, ".rela.plt") || !strcmp(name, ".rela.dyn") ||
			!strncmp(name, ".eh_frame", 9);
	}
}

/* Mapped parts stand as they do in the file's pages. */
static bool is_mapped(const struct part *part)
{
	return part->bytes > COPY_LIMIT_BYTES;
}

static uint64_t add_part(struct maker *maker, uint64_t from, uint64_t bytes)
{
	struct part *part = &maker->parts[maker->part_count++];

	*part = (struct part){.from = from, .bytes = bytes};
	if (is_mapped(part))
		part->to = (maker->size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + from % PAGE_BYTES;
	else
		part->to = (maker->size + 15) & ~15ull;
	maker->size = part->to + bytes;
	if (is_mapped(part))
		maker->size = (maker->size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	maker->wanted += bytes;
	return part->to;
}

static void place_sections(struct maker *maker, bool with_debug)
{
	for (size_t i = 0; i < maker->section_count; i++) {
		Elf64_Shdr *section = &maker->sections[i];

		if (is_useful(maker, section, with_debug) && is_in_file(maker, section->sh_offset, section->sh_size))
			section->sh_offset = add_part(maker, section->sh_offset, section->sh_size);
		else if (section->sh_type != SHT_NULL)
			section->sh_type = SHT_NOBITS;
	}
}

/* Where sections were dropped the build-id is found by its segment. */
static void place_notes(struct maker *maker)
{
	for (size_t i = 0; i < maker->segment_count; i++) {
		Elf64_Phdr *segment = &maker->segments[i];

		if (segment->p_type == PT_NOTE && segment->p_filesz < NOTE_LIMIT_BYTES &&
			is_in_file(maker, segment->p_offset, segment->p_filesz))
			segment->p_offset = add_part(maker, segment->p_offset, segment->p_filesz);
		else
			segment->p_filesz = 0;
	}
}

static int place(struct maker *maker, bool with_debug)
{
	Elf64_Ehdr *h = &maker->header;
	uint64_t segments_bytes = maker->segment_count * sizeof(Elf64_Phdr);
	uint64_t sections_bytes = maker->section_count * sizeof(Elf64_Shdr);

	maker->parts = calloc(maker->section_count + maker->segment_count + 1, sizeof(*maker->parts));
	if (!maker->parts)
		return -ENOMEM;
	h->e_phnum = (Elf64_Half)maker->segment_count;
	h->e_phoff = segments_bytes ? sizeof(*h) : 0;
	h->e_shoff = sections_bytes ? sizeof(*h) + segments_bytes : 0;
	if (!sections_bytes)
		h->e_shnum = h->e_shstrndx = 0;
	maker->size = sizeof(*h) + segments_bytes + sections_bytes;
	place_sections(maker, with_debug);
	place_notes(maker);
	/* Sound files have no two sections at one place, let alone thousands. */
	return maker->wanted <= 2 * (uint64_t)maker->file->status.st_size + NOTE_LIMIT_BYTES ? 0 : -ENOEXEC;
}

/* --- filling ------------------------------------------------------------------------------------ */

static int fill_part(const struct maker *maker, uint8_t *image, const struct part *part)
{
	uint64_t before = part->from % PAGE_BYTES;
	uint8_t *at = image + part->to;

	if (!is_mapped(part))
		return sp_disk_read(maker->file, at, part->bytes, part->from);
	if (mmap(at - before, before + part->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, maker->file->fd,
		    (off_t)(part->from - before)) == MAP_FAILED)
		return -errno;
	return watch(at - before, before + part->bytes) ? 0 : -ENOMEM;
}

static int fill(const struct maker *maker, uint8_t *image)
{
	size_t segments_bytes = maker->segment_count * sizeof(Elf64_Phdr);
	int rc = 0;

	memcpy(image, &maker->header, sizeof(maker->header));
	memcpy(image + sizeof(maker->header), maker->segments, segments_bytes);
	memcpy(image + sizeof(maker->header) + segments_bytes, maker->sections,
		maker->section_count * sizeof(Elf64_Shdr));
	for (size_t i = 0; i < maker->part_count && !rc; i++)
		rc = fill_part(maker, image, &maker->parts[i]);
	return rc == -ENODATA ? -EAGAIN : rc;
}

static int make(struct sp_image *image, struct maker *maker, bool with_debug)
{
	int rc = read_headers(maker);
	void *at;

	if (!rc)
		rc = read_names(maker);
	if (!rc)
		rc = place(maker, with_debug);
	if (rc)
		return rc;
	at = mmap(NULL, maker->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	*image = (struct sp_image){.bytes = at, .size = maker->size, .partial = !with_debug};
	rc = fill(maker, at);
	if (!rc)
		rc = sp_disk_check(maker->file);
	if (rc)
		sp_image_free(image);
	return rc;
}

static int make_one(struct sp_image *image, const struct sp_disk_file *file, bool with_debug)
{
	struct maker maker = {.file = file};
	int rc = make(image, &maker, with_debug);

	free(maker.segments);
	free(maker.sections);
	free(maker.names);
	free(maker.parts);
	/* A file that is being written does not look like what it will be. */
	return rc == -ENOEXEC && sp_disk_check(file) ? -EAGAIN : rc;
}

int sp_image_read(struct sp_image *image, const struct sp_disk_file *file)
{
	int rc;

	*image = (struct sp_image){0};
	rc = make_one(image, file, true);
	return rc == -ENOMEM ? make_one(image, file, false) : rc;
}

void sp_image_free(struct sp_image *image)
{
	if (!image->bytes)
		return;
	unwatch(image->bytes, image->size);
	munmap(image->bytes, image->size);
	*image = (struct sp_image){0};
}
