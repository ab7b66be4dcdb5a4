/* Finding entries in .eh_frame: .eh_frame_hdr's search table, CIEs and FDEs. */
#include "sampler/walk/cfi_entry.h"

#include <dlfcn.h>

/* Pointer encodings (LSB): a form, and what the number is relative to. */
enum { FORM = 0x0f, RELATIVE = 0x70, INDIRECT = 0x80, OMITTED = 0xff };
enum { TO_NOTHING = 0x00, TO_ITSELF = 0x10, TO_TABLE = 0x30 };
enum { FORM_ULEB = 1, FORM_SLEB = 9 };
#define AS_LINKERS_DO 0x3b /* sdata4, relative to the table */

#define ENTRY_BYTES_MAX (1u << 20)
#define ENTRIES_SCANNED_MAX 4096u /* where there is no search table: some 40 us */

/* Where an object's tables are, and the bounds that nothing in a damaged one may lead out of. */
struct tables {
	const uint8_t *header;
	const uint8_t *low, *end;
	struct sp_reader search; /* the search table, or the first entry's place if there is none */
	uint8_t encoding;        /* of the search table */
	uint64_t count;
};

/* Bytes of a number of this form; 0: varies, or no such form. */
static unsigned form_bytes(uint8_t encoding)
{
	static const uint8_t bytes[16] = {8, 0, 2, 4, 8, 0, 0, 0, 0, 0, 2, 4, 8};

	return bytes[encoding & FORM];
}

uint64_t sp_cfi_read_pointer(struct sp_reader *r, uint8_t encoding, uint64_t base)
{
	uint64_t here = (uint64_t)(uintptr_t)r->at, value;
	unsigned bytes = form_bytes(encoding);

	if (bytes)
		value = encoding & 8 ? sp_read_signed(r, bytes) : sp_read_fixed(r, bytes);
	else if ((encoding & FORM) == FORM_ULEB)
		value = sp_read_uleb(r);
	else if ((encoding & FORM) == FORM_SLEB)
		value = (uint64_t)sp_read_sleb(r);
	else
		r->bad = true, value = 0;
	switch (encoding & RELATIVE) {
	case TO_NOTHING:
		break;
	case TO_ITSELF:
		value += here;
		break;
	case TO_TABLE:
		value += base;
		r->bad |= !base;
		break;
	default:
		r->bad = true;
	}
	r->bad |= (encoding & INDIRECT) != 0; /* code is never found by way of a table of addresses */
	return value;
}

/* A length, and the part of the table it bounds. */
static struct sp_reader read_entry(struct sp_reader table)
{
	uint64_t bytes = sp_read_fixed(&table, 4);

	if (bytes == 0 || bytes > ENTRY_BYTES_MAX || bytes > (uint64_t)(table.end - table.at))
		table.bad = true;
	else
		table.end = table.at + bytes;
	return table;
}

/* What the letters stand for has a length of its own, so that unknown ones can be passed over. */
static void read_augmentation(struct sp_reader *r, const char *letters, struct sp_cfi_entry *e)
{
	uint64_t bytes = sp_read_uleb(r);
	const uint8_t *start = r->at;

	sp_read_past(r, bytes);
	for (struct sp_reader data = {start, r->at, r->bad}; *letters && !data.bad; letters++) {
		if (*letters == 'R')
			e->encoding = (uint8_t)sp_read_fixed(&data, 1);
		else if (*letters == 'S')
			e->is_interrupted = true;
		else if (*letters == 'L')
			sp_read_past(&data, 1);
		else if (*letters == 'P')
			sp_read_past(&data, form_bytes((uint8_t)sp_read_fixed(&data, 1)));
		else
			return;
	}
}

static bool read_cie(struct sp_reader r, struct sp_cfi_entry *e, bool *augmented)
{
	const char *letters;
	uint64_t version;

	r = read_entry(r);
	if (sp_read_fixed(&r, 4) != 0)
		return false;
	version = sp_read_fixed(&r, 1);
	letters = (const char *)r.at;
	while (!r.bad && sp_read_fixed(&r, 1))
		;
	if (r.bad || (version != 1 && version != 3 && version != 4))
		return false;
	if (version == 4 && sp_read_fixed(&r, 2) != 8) /* sizes of an address and of a segment selector */
		return false;
	e->code_align = sp_read_uleb(&r);
	e->data_align = sp_read_sleb(&r);
	e->return_column = version == 1 ? sp_read_fixed(&r, 1) : sp_read_uleb(&r);
	*augmented = letters[0] == 'z';
	if (*augmented)
		read_augmentation(&r, letters + 1, e);
	else if (letters[0])
		return false;
	e->initial = r;
	return !r.bad && e->return_column < SP_CFI_REGISTERS;
}

bool sp_is_signal_return(const void *code)
{
	return !memcmp(code, SP_SIGNAL_RETURN, SP_SIGNAL_RETURN_BYTES);
}

/* Not every function that is marked as a signal frame is the kernel's way back: others are marked so that their callers'
 * addresses are looked up as they are. */
static bool is_signal_return(const struct sp_cfi_entry *e, const struct dl_find_object *object)
{
	const uint8_t *start = (const uint8_t *)e->start;

	if (e->start < (uint64_t)(uintptr_t)object->dlfo_map_start)
		return false;
	return (e->bytes >= SP_SIGNAL_RETURN_BYTES && sp_is_signal_return(start)) ||
		(e->bytes >= SP_SIGNAL_RETURN_LEAD + SP_SIGNAL_RETURN_BYTES &&
			sp_is_signal_return(start + SP_SIGNAL_RETURN_LEAD));
}

/* Reads an FDE. False also when it is a CIE. */
static bool read_fde(struct sp_reader fde, const uint8_t *low, struct sp_cfi_entry *e)
{
	struct sp_reader back;
	uint64_t distance;
	bool augmented;

	fde = read_entry(fde);
	back = (struct sp_reader){fde.at, fde.end, fde.bad};
	distance = sp_read_fixed(&fde, 4);
	if (fde.bad || distance == 0 || distance > (uint64_t)(back.at - low))
		return false;
	back.at -= distance;
	*e = (struct sp_cfi_entry){0};
	if (!read_cie(back, e, &augmented))
		return false;
	e->start = sp_cfi_read_pointer(&fde, e->encoding, 0);
	e->bytes = sp_cfi_read_pointer(&fde, e->encoding & FORM, 0);
	if (augmented)
		sp_read_past(&fde, sp_read_uleb(&fde));
	e->program = fde;
	return !fde.bad;
}

/* Of an object that is mapped with gaps, the loader tells only the segment that holds the code. */
static void find_bounds(const struct dl_find_object *object, struct tables *t)
{
	t->low = (uint64_t)(uintptr_t)t->header > INT32_MAX ? t->header - INT32_MAX : NULL;
	t->end = t->header + INT32_MAX;
	if (t->header > (const uint8_t *)object->dlfo_map_start && t->header < (const uint8_t *)object->dlfo_map_end) {
		t->low = object->dlfo_map_start;
		t->end = object->dlfo_map_end;
	}
}

static bool read_header(const struct dl_find_object *object, struct tables *t)
{
	uint64_t base = (uint64_t)(uintptr_t)object->dlfo_eh_frame, first;
	struct sp_reader r;
	uint8_t encodings[3];

	t->header = object->dlfo_eh_frame;
	if (!t->header)
		return false;
	find_bounds(object, t);
	r = (struct sp_reader){t->header, t->end, false};
	if (sp_read_fixed(&r, 1) != 1)
		return false;
	for (int i = 0; i < 3; i++)
		encodings[i] = (uint8_t)sp_read_fixed(&r, 1);
	first = encodings[0] == OMITTED ? 0 : sp_cfi_read_pointer(&r, encodings[0], base);
	t->count = encodings[1] == OMITTED ? 0 : sp_cfi_read_pointer(&r, encodings[1], base);
	t->encoding = encodings[2];
	t->search = r;
	if (encodings[1] != OMITTED && t->encoding != OMITTED)
		return !r.bad && form_bytes(t->encoding) &&
			t->count <= (uint64_t)(t->end - r.at) / (2 * form_bytes(t->encoding));
	t->count = 0;
	t->search.at = (const uint8_t *)first;
	return first >= (uint64_t)(uintptr_t)t->low && first < (uint64_t)(uintptr_t)t->end;
}

/* Number `i` of the search table: where a function starts, and its entry. */
static uint64_t read_row(const struct tables *t, uint64_t i, uint64_t *entry)
{
	struct sp_reader r = t->search;
	uint64_t base = (uint64_t)(uintptr_t)t->header, start;
	int32_t row[2];

	if (sp_likely(t->encoding == AS_LINKERS_DO)) {
		memcpy(row, r.at + i * sizeof row, sizeof row);
		*entry = base + (uint64_t)(int64_t)row[1];
		return base + (uint64_t)(int64_t)row[0];
	}
	r.at += i * 2 * form_bytes(t->encoding);
	start = sp_cfi_read_pointer(&r, t->encoding, base);
	*entry = sp_cfi_read_pointer(&r, t->encoding, base);
	return r.bad ? ~0ull : start;
}

static bool search(const struct tables *t, uint64_t pc, struct sp_cfi_entry *e)
{
	uint64_t low = 0, high = t->count, entry;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (read_row(t, middle, &entry) <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	read_row(t, low - 1, &entry);
	if (entry < (uint64_t)(uintptr_t)t->low || entry >= (uint64_t)(uintptr_t)t->end)
		return false;
	return read_fde((struct sp_reader){(const uint8_t *)entry, t->end, false}, t->low, e);
}

/* A linker that could not sort the functions has left the table out. */
static bool scan(const struct tables *t, uint64_t pc, struct sp_cfi_entry *e)
{
	struct sp_reader at = {t->search.at, t->end, false}, entry;
	unsigned n;

	for (n = 0; n < ENTRIES_SCANNED_MAX; n++) {
		entry = read_entry(at);
		if (entry.bad)
			return false;
		if (read_fde(at, t->low, e) && pc - e->start < e->bytes)
			return true;
		at.at = entry.end;
	}
	return false;
}

bool sp_cfi_entry_find(uint64_t pc, struct sp_cfi_entry *e)
{
	struct dl_find_object object;
	struct tables t;

	if (_dl_find_object((void *)pc, &object) != 0 || !read_header(&object, &t))
		return false;
	if (!(t.count ? search(&t, pc, e) : scan(&t, pc, e)) || pc - e->start >= e->bytes)
		return false;
	e->is_signal_return = e->is_interrupted && is_signal_return(e, &object);
	return true;
}
