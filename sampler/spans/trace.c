/* Thread contexts are others' memory, and may go away: all of it is read through the kernel, but for the slots of threads
 * that the loader made with them. */
#include "sampler/spans/trace.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "sampler/spans/context.h"
#include "sampler/spool/write.h"

#define SYMBOL "otel_thread_ctx_v1"
#define OBJECTS_MAX 4096u
#define DYNAMIC_MAX 64u /* entries of an object's dynamic section that are looked at */
#define CHAIN_MAX 64u
#define FIRST_LOOK_NS 100000000u /* a process that is shorter does not pay for it */
#define LOOK_NS 1000000000u
#define LOOK_MOST_NS 16000000000ull

static struct sp_trace_loader loader;
static uint64_t next_look_ns; /* atomic */
static uint64_t looked_every_ns, objects_hash;
/* Where the pointer is. place: a distance below the thread pointer, or, odd, the number of the module's memory, times two. */
static uint64_t place, place_offset; /* atomic; 0: nowhere */

struct symbols {
	uint64_t hash, table, names;
};

void sp_trace_init(const struct sp_trace_loader *from)
{
	loader = *from;
	looked_every_ns = objects_hash = place = place_offset = 0;
	next_look_ns = FIRST_LOOK_NS;
}

/* --- finding the symbol --------------------------------------------------------------------------- */

static bool read_word(uint64_t at, void *word, size_t bytes)
{
	return sp_read_memory(word, (const void *)(uintptr_t)at, bytes);
}

static bool read_dynamic(const struct link_map *object, struct symbols *s)
{
	ElfW(Dyn) entries[DYNAMIC_MAX];
	uint64_t at = (uint64_t)(uintptr_t)object->l_ld;
	size_t n = DYNAMIC_MAX, i;

	while (n && !read_word(at, entries, n * sizeof *entries))
		n /= 2; /* it ends in the last mapped page */
	*s = (struct symbols){0};
	for (i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_GNU_HASH)
			s->hash = entries[i].d_un.d_ptr;
		else if (entries[i].d_tag == DT_SYMTAB)
			s->table = entries[i].d_un.d_ptr;
		else if (entries[i].d_tag == DT_STRTAB)
			s->names = entries[i].d_un.d_ptr;
	}
	/* The loader has put addresses in place of offsets, where it can write. */
	return s->hash > object->l_addr && s->table > object->l_addr && s->names > object->l_addr;
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = h * 33 + (uint8_t)*name;
	return h;
}

static bool is_symbol(const struct symbols *s, uint32_t index, uint64_t *value)
{
	char name[sizeof SYMBOL];
	ElfW(Sym) symbol;

	if (!read_word(s->table + (uint64_t)index * sizeof symbol, &symbol, sizeof symbol) ||
		symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_TLS ||
		!read_word(s->names + symbol.st_name, name, sizeof name) || memcmp(name, SYMBOL, sizeof name) != 0)
		return false;
	*value = symbol.st_value;
	return true;
}

/* The symbol's offset in its object's thread-local memory; the hash table is that of the gABI's GNU supplement. */
static bool find_symbol(const struct link_map *object, uint64_t *value)
{
	uint32_t head[4], hash = hash_of(SYMBOL), index, i, word;
	uint64_t bloom, bits, chains;
	struct symbols s;

	if (!object->l_ld || !read_dynamic(object, &s) || !read_word(s.hash, head, sizeof head) || !head[0] ||
		!head[2] || !read_word(s.hash + 16 + (uint64_t)(hash / 64 % head[2]) * 8, &bloom, sizeof bloom))
		return false;
	bits = 1ull << hash % 64 | 1ull << (hash >> (head[3] & 31)) % 64;
	chains = s.hash + 16 + (uint64_t)head[2] * 8;
	if ((bloom & bits) != bits || !read_word(chains + (uint64_t)(hash % head[0]) * 4, &index, sizeof index) ||
		index < head[1])
		return false;
	chains += (uint64_t)head[0] * 4;
	for (i = 0; i < CHAIN_MAX && read_word(chains + (uint64_t)(index - head[1]) * 4, &word, sizeof word);
		i++, index++) {
		if ((word | 1) == (hash | 1) && is_symbol(&s, index, value))
			return true;
		if (word & 1)
			break;
	}
	return false;
}

/* Where the object's thread-local memory is; 0 when it has none. */
static uint64_t place_of(uint64_t object)
{
	uint64_t module, below;

	if (!read_word(object + loader.module_offset, &module, sizeof module) ||
		!read_word(object + loader.place_offset, &below, sizeof below) || !module || module >> 32)
		return 0;
	/* The C library's own words for: none, and not below the thread pointer. */
	return below && below != (uint64_t)-1 && !(below & 1) ? below : module << 1 | 1;
}

static uint64_t hash_objects(void)
{
	uint64_t hash = 1, at = (uint64_t)(uintptr_t)loader.first;
	struct link_map object;
	uint32_t i;

	for (i = 0; at && i < OBJECTS_MAX && read_word(at, &object, sizeof object); i++) {
		hash = (hash ^ at ^ object.l_addr) * 0x9e3779b97f4a7c15ULL;
		at = (uint64_t)(uintptr_t)object.l_next;
	}
	return hash;
}

/* The definition that the loader would take is that of the first object which has one. */
static const struct link_map *find_object(const struct link_map *but, uint64_t *offset)
{
	uint64_t at = (uint64_t)(uintptr_t)loader.first;
	struct link_map object;
	uint32_t i;

	for (i = 0; at && i < OBJECTS_MAX && read_word(at, &object, sizeof object); i++) {
		if (at != (uint64_t)(uintptr_t)but && find_symbol(&object, offset))
			return (const struct link_map *)at;
		at = (uint64_t)(uintptr_t)object.l_next;
	}
	return NULL;
}

bool sp_trace_is_others(void)
{
	uint64_t offset;

	return find_object(loader.own, &offset) != NULL;
}

uint64_t sp_trace_own_place(void)
{
	uint64_t offset, below;

	if (!loader.own || !loader.module_offset || !find_symbol(loader.own, &offset))
		return 0;
	below = place_of((uint64_t)(uintptr_t)loader.own);
	return !below || below & 1 ? 0 : SP_TLS_BELOW(below) - offset;
}

static void search(void)
{
	const struct link_map *object;
	uint64_t found = 0, offset = 0;

	object = find_object(loader.own, &offset);
	if (object && loader.own)
		sp_context_stop();
	if (!object && loader.own && find_symbol(loader.own, &offset))
		object = loader.own;
	if (object)
		found = place_of((uint64_t)(uintptr_t)object);
	sp_store(&place, 0);
	__atomic_store_n(&place_offset, offset, __ATOMIC_RELEASE);
	__atomic_store_n(&place, found, __ATOMIC_RELEASE);
}

/* Returns whether anything had changed. */
static bool look(void)
{
	uint64_t hash = hash_objects();

	if (hash == objects_hash)
		return false;
	objects_hash = hash;
	search();
	return true;
}

void sp_trace_look(uint64_t now)
{
	static uint32_t lock;

	if (now < sp_load(&next_look_ns) || !loader.module_offset || !sp_try_lock(&lock))
		return;
	sp_context_look();
	looked_every_ns = look() || sp_context_is_on() ? LOOK_NS : 2 * looked_every_ns;
	if (looked_every_ns > LOOK_MOST_NS)
		looked_every_ns = LOOK_MOST_NS;
	sp_store(&next_look_ns, now + looked_every_ns);
	sp_unlock(&lock);
}

/* --- reading a thread's -------------------------------------------------------------------------- */

/* The block of the module in the thread's vector, as the ABI and the C library have it: before the vector stands how many
 * entries it has, of two words each. */
static bool dynamic_block(const uint64_t *thread_pointer, uint64_t module, uint64_t *block)
{
	uint64_t vector = thread_pointer[SP_TLS_VECTOR_WORD], entries;

	return vector && read_word(vector - 16, &entries, sizeof entries) && module <= entries &&
		read_word(vector + 16 * module, block, sizeof *block) && *block && *block != (uint64_t)-1;
}

/* Without its attributes. */
static bool read_context(struct sp_context *context)
{
	uint64_t where = __atomic_load_n(&place, __ATOMIC_ACQUIRE), offset = sp_load(&place_offset), block, record;
	const uint64_t *thread_pointer = (const uint64_t *)sp_thread_pointer();

	if (!(where & 1))
		record = *(const volatile uint64_t *)((const char *)thread_pointer - SP_TLS_BELOW(where) + offset);
	else if (!dynamic_block(thread_pointer, where >> 1, &block) ||
		!read_word(block + offset, &record, sizeof record))
		return false;
	return record && !(record & 1) && read_word(record, context, offsetof(struct sp_context, key)) &&
		context->valid == 1;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	while (count && !bytes[count - 1])
		count--;
	return !count;
}

/* When all records are taken, the oldest one is. */
static struct sp_traced *take_record(void)
{
	uint32_t index = sp_spool_allot(SP_SEC_TRACED, 1), count = sp_spool_count(SP_SEC_TRACED);

	if (!index && count < 2)
		return NULL;
	if (!index)
		index = 1 + (uint32_t)(sp_add(&sp_agent.spool->traces.replaced, 1) % (count - 1));
	return (struct sp_traced *)sp_section(SP_SEC_TRACED) + index;
}

void sp_trace_note(struct sp_thread *t, uint32_t stack, uint64_t weight_ns)
{
	struct sp_traced *record;
	struct sp_context context;

	if (sp_unlikely(t->context.shown) && !sp_context_is_on())
		sp_context_take_back(t);
	if (sp_likely(!sp_load(&place)) || t->foreign || !(t->owned || t->met) || !read_context(&context) ||
		is_zero(context.trace_id, sizeof context.trace_id) || is_zero(context.span_id, sizeof context.span_id))
		return;
	sp_add(&sp_agent.spool->traces.samples, 1);
	sp_add(&sp_agent.spool->traces.ns, weight_ns);
	record = take_record();
	if (!record)
		return;
	__atomic_store_n(&record->ready, 0, __ATOMIC_RELEASE);
	memcpy(record->trace_id, context.trace_id, sizeof record->trace_id);
	memcpy(record->span_id, context.span_id, sizeof record->span_id);
	record->stack = stack;
	record->thread = sp_thread_record_index(t);
	record->tsc = sp_tsc();
	record->weight_ns = weight_ns;
	__atomic_store_n(&record->ready, 1, __ATOMIC_RELEASE);
}
