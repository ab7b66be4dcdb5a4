/* Mapped objects: lookup, the spool's module table, unloads. */
#include "sampler/spool/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sampler/mapped.h"
#include "sampler/object.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

#define HEAD_BYTES 4096u       /* of an object: headers, and mostly names and hashes of its symbols */
#define TABLE_BYTES_MAX 16384u /* of its table of functions */
#define NAME_PIECE 64u         /* in no two pages */

static bool find_object(uint64_t address, struct dl_find_object *found)
{
	return _dl_find_object((void *)address, found) == 0;
}

static const char *object_path(const struct dl_find_object *object)
{
	const char *name = object->dlfo_link_map->l_name;

	if (name && *name && !strncmp(name, "linux-vdso", 10))
		return "[vdso]";
	if (name && *name)
		return name;
	return (const char *)sp_section(SP_SEC_TEXT) + sp_agent.spool->text.exe;
}

/* Tells builds apart that have no build-id: the headers, and where functions start (.eh_frame_hdr). */
static uint64_t hash_content(const struct dl_find_object *object)
{
	const ElfW(Ehdr) *ehdr = sp_object_header(object);
	uint64_t bias = object->dlfo_link_map->l_addr, hash;
	int i;

	if (!ehdr)
		return 0;
	hash = sp_object_hash(0, ehdr, HEAD_BYTES);
	for (i = 0; i < ehdr->e_phnum; i++) {
		const ElfW(Phdr) *ph = (const ElfW(Phdr) *)((const char *)ehdr + ehdr->e_phoff) + i;
		const char *at = (const char *)(bias + ph->p_vaddr);

		if (ph->p_type == PT_GNU_EH_FRAME && at >= (char *)object->dlfo_map_start &&
			at + ph->p_memsz <= (char *)object->dlfo_map_end)
			hash = sp_object_hash(hash, at, ph->p_memsz < TABLE_BYTES_MAX ? ph->p_memsz : TABLE_BYTES_MAX);
	}
	return hash;
}

static uint64_t hash_name(const struct dl_find_object *object)
{
	const char *name = object->dlfo_link_map->l_name;

	return name ? sp_object_hash(0, name, strlen(name)) : 0;
}

/* What is mapped, as far as that can be told from memory. */
static void read_identity(const struct dl_find_object *object, struct sp_module *m)
{
	m->loaded_as = hash_name(object);
	m->build_id_bytes = sp_object_build_id(object, m->build_id);
	m->content = m->build_id_bytes ? 0 : hash_content(object);
}

/* File systems that make device numbers up (major number 0) may give a file another one than its mapping. */
static bool is_mapped_file(const struct sp_mapped_file *file, const struct sp_mapped *mapped)
{
	return file->inode == mapped->inode && (file->device == mapped->device || !(file->device >> 8 & 0xfff));
}

static bool look_at(const char *path, struct sp_mapped_file *file)
{
	struct stat st;

	if (sp_sys(SYS_newfstatat, AT_FDCWD, path, &st, 0) != 0)
		return false;
	*file = (struct sp_mapped_file){.device = st.st_dev,
		.inode = st.st_ino,
		.bytes = (uint64_t)st.st_size,
		.modified_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
		.changed_ns = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec};
	return true;
}

/* What the path leads to now may be another file than the one that was mapped. mapped: NULL unknown. */
static void note_file(struct sp_mapped_file *file, const char *path, const struct sp_mapped *mapped)
{
	struct sp_mapped_file found;

	if (mapped)
		*file = (struct sp_mapped_file){.device = mapped->device, .inode = mapped->inode};
	if (look_at(path, &found) && (!mapped || is_mapped_file(&found, mapped)))
		*file = found;
}

/* Builds of one layout are told apart by their files, as long as there are such. */
static bool is_same_file(const struct sp_module *m)
{
	const char *path = (const char *)sp_section(SP_SEC_TEXT) + m->path;
	struct sp_mapped_file now;
	struct sp_mapped mapped;

	return (look_at(path, &now) && !memcmp(&now, &m->file, sizeof now)) || !sp_mapped_find(m->start, &mapped) ||
		is_mapped_file(&m->file, &mapped);
}

/* Another build may have come to the same place under the same name. */
static bool is_same_build(const struct sp_module *m, const struct dl_find_object *object)
{
	struct sp_module now = {0};

	read_identity(object, &now);
	return now.content == m->content && now.build_id_bytes == m->build_id_bytes &&
		!memcmp(now.build_id, m->build_id, sizeof now.build_id) && (m->build_id_bytes || is_same_file(m));
}

static bool is_same_object(struct sp_module *m, const struct dl_find_object *object)
{
	uint32_t generation = (uint32_t)sp_load(&sp_agent.unload_gen);

	if (m->start != (uint64_t)(uintptr_t)object->dlfo_map_start || m->bias != object->dlfo_link_map->l_addr ||
		m->loaded_as != hash_name(object))
		return false;
	if (sp_likely(sp_load(&m->checked) == generation))
		return true;
	/* The program itself, which has no name there, is never unloaded. */
	if (*object->dlfo_link_map->l_name && !is_same_build(m, object))
		return false;
	sp_store(&m->checked, generation);
	return true;
}

/* The module that held `address` at `epoch`. */
static struct sp_module *module_at(uint64_t address, uint64_t epoch)
{
	struct sp_module *modules = sp_section(SP_SEC_MODULES);
	uint32_t i, n = sp_spool_count(SP_SEC_MODULES);

	for (i = 1; i < n; i++) {
		struct sp_module *m = &modules[i];
		if (__atomic_load_n(&m->ready, __ATOMIC_ACQUIRE) && address >= m->start && address < m->end &&
			m->epoch_from <= epoch && epoch < sp_load(&m->epoch_to))
			return m;
	}
	return NULL;
}

/* Ends the time of the modules in whose place `object` is now. */
static void retire_overlapping(const struct dl_find_object *object)
{
	struct sp_module *modules = sp_section(SP_SEC_MODULES);
	uint64_t start = (uint64_t)(uintptr_t)object->dlfo_map_start, end = (uint64_t)(uintptr_t)object->dlfo_map_end;
	uint64_t epoch = 0;
	uint32_t i, n = sp_spool_count(SP_SEC_MODULES);

	for (i = 1; i < n; i++) {
		struct sp_module *m = &modules[i];
		if (!__atomic_load_n(&m->ready, __ATOMIC_ACQUIRE) || m->end <= start || m->start >= end ||
			sp_load(&m->epoch_to) != UINT64_MAX)
			continue;
		if (!epoch) {
			epoch = sp_add(&sp_agent.spool->module_epoch, 1) + 1;
		}
		sp_store(&m->epoch_to, epoch);
	}
}

/* Enters the path, and what identifies the file where there is no build-id. A program may give the loader a path
 * that is relative to where it was then. */
static uint32_t note_path(struct sp_module *m, const struct dl_find_object *object)
{
	const char *text = sp_section(SP_SEC_TEXT), *path = object_path(object);
	struct sp_mapped mapped;
	bool known;

	if (path[0] == '[' || (path[0] == '/' && m->build_id_bytes))
		return path == text + sp_agent.spool->text.exe ? sp_agent.spool->text.exe
							       : sp_spool_text(path, strlen(path));
	known = sp_mapped_find(m->start, &mapped);
	if (path[0] != '/' && known)
		path = mapped.path;
	if (!m->build_id_bytes)
		note_file(&m->file, path, known ? &mapped : NULL);
	return sp_spool_text(path, strlen(path));
}

static struct sp_module *new_module(const struct dl_find_object *object)
{
	uint32_t index = sp_spool_allot(SP_SEC_MODULES, 1);
	struct sp_module *m;

	if (!index) {
		sp_drop(SP_DROP_MODULES);
		return NULL;
	}
	m = (struct sp_module *)sp_section(SP_SEC_MODULES) + index;
	m->start = (uint64_t)(uintptr_t)object->dlfo_map_start;
	m->end = (uint64_t)(uintptr_t)object->dlfo_map_end;
	m->bias = object->dlfo_link_map->l_addr;
	m->epoch_from = sp_load(&sp_agent.spool->module_epoch);
	m->epoch_to = UINT64_MAX;
	m->checked = (uint32_t)sp_load(&sp_agent.unload_gen);
	m->loaded_as = hash_name(object);
	return m;
}

static void register_object(const struct dl_find_object *object)
{
	struct sp_module *m = new_module(object);

	if (!m)
		return;
	read_identity(object, m);
	m->path = note_path(m, object);
	__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
}

static uint32_t note(struct sp_thread *t, const uint64_t *frames, uint32_t n)
{
	struct dl_find_object object;
	uint64_t low = 1, high = 0;
	uint32_t i;

	(void)t; /* proves the guard: a module must not be registered by a handler inside its registration */
	for (i = 0; i < n; i++) {
		struct sp_module *m;

		if (frames[i] >= low && frames[i] < high)
			continue; /* same object as the frame before */
		if (!find_object(frames[i], &object))
			continue; /* code without an object: JIT */
		m = module_at(frames[i], sp_load(&sp_agent.spool->module_epoch));
		if (!m || !is_same_object(m, &object)) {
			retire_overlapping(&object);
			register_object(&object);
		}
		low = (uint64_t)(uintptr_t)object.dlfo_map_start;
		high = (uint64_t)(uintptr_t)object.dlfo_map_end;
	}
	return (uint32_t)sp_load(&sp_agent.spool->module_epoch);
}

/* How many outer frames are those of the stack before. They keep their objects from being unloaded. */
static uint32_t count_noted(const struct sp_noted *noted, const uint64_t *frames, uint32_t n)
{
	uint32_t most = noted->depth < n ? noted->depth : n, i = 0;

	if (noted->spool != sp_spool_generation() || noted->epoch != (uint32_t)sp_load(&sp_agent.spool->module_epoch) ||
		noted->unload_gen != (uint32_t)sp_load(&sp_agent.unload_gen) || sp_agent.attached)
		return 0;
	while (i < most && noted->frames[i] == frames[n - 1 - i])
		i++;
	return i;
}

uint32_t sp_modules_note(struct sp_thread *t, const uint64_t *frames, uint32_t n)
{
	struct sp_noted *noted = &t->noted;
	uint32_t i = count_noted(noted, frames, n), generation = (uint32_t)sp_load(&sp_agent.unload_gen);

	noted->depth = 0;
	noted->epoch = note(t, frames, n - i);
	noted->unload_gen = generation;
	noted->spool = sp_spool_generation();
	for (; i < n && i < SP_NOTED_FRAMES; i++)
		noted->frames[i] = frames[n - 1 - i];
	noted->depth = i;
	return noted->epoch;
}

/* What the loader says of an object that may be unloaded at any moment, copied: `object` leads to the copies. */
struct careful {
	struct dl_find_object object;
	struct link_map map;
	char name[SP_MAPPED_PATH_BYTES + NAME_PIECE];
	uint8_t head[HEAD_BYTES];
};

static bool read_name(char *to, const char *from)
{
	size_t i;

	for (i = 0; i < SP_MAPPED_PATH_BYTES; i++) {
		size_t past = (uintptr_t)(from + i) % NAME_PIECE;

		if ((i == 0 || past == 0) && !sp_read_memory(to + i, from + i, NAME_PIECE - past))
			return false;
		if (!to[i])
			return true;
	}
	return false;
}

static bool read_carefully(struct careful *c)
{
	if (!sp_read_memory(&c->map, c->object.dlfo_link_map, sizeof c->map) || !c->map.l_name ||
		!read_name(c->name, c->map.l_name) || !sp_read_memory(c->head, c->object.dlfo_map_start, HEAD_BYTES))
		return false;
	c->map.l_name = c->name;
	c->object.dlfo_link_map = &c->map;
	return true;
}

/* The build-id, if its note is where linkers put it: in the first page. */
static bool build_id_of(const struct careful *c, struct sp_module *m)
{
	struct dl_find_object at_home = c->object;
	struct link_map map = c->map;

	map.l_addr += (uintptr_t)c->head - (uintptr_t)c->object.dlfo_map_start;
	at_home.dlfo_link_map = &map;
	at_home.dlfo_map_start = (void *)(uintptr_t)c->head;
	at_home.dlfo_map_end = (void *)(uintptr_t)(c->head + HEAD_BYTES);
	m->build_id_bytes = sp_object_build_id(&at_home, m->build_id);
	return m->build_id_bytes;
}

uint32_t sp_modules_note_unsure(struct sp_thread *t, uint64_t address)
{
	uint64_t epoch = sp_load(&sp_agent.spool->module_epoch);
	struct sp_module *m = module_at(address, epoch), found = {0};
	struct careful c;

	(void)t;
	if (!find_object(address, &c.object) || (m && m->start == (uint64_t)(uintptr_t)c.object.dlfo_map_start) ||
		!read_carefully(&c) || !build_id_of(&c, &found))
		return (uint32_t)epoch;
	retire_overlapping(&c.object);
	m = new_module(&c.object);
	if (m) {
		memcpy(m->build_id, found.build_id, sizeof m->build_id);
		m->build_id_bytes = found.build_id_bytes;
		m->path = note_path(m, &c.object);
		__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
	}
	return (uint32_t)sp_load(&sp_agent.spool->module_epoch);
}

bool sp_modules_same(const uint64_t *frames, uint32_t n, uint32_t epoch)
{
	struct dl_find_object object;
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct sp_module *m = module_at(frames[i], epoch);
		bool found = find_object(frames[i], &object);
		if ((m != NULL) != found || (m && !is_same_object(m, &object)))
			return false;
	}
	return true;
}
