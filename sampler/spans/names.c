/* Two tables that only grow, each found by a hash of the agent's own. */
#include "sampler/spans/names.h"

#include "sampler/spans/table.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

#define NAME_BUCKETS 2048u
#define NODE_BUCKETS 8192u

/* Numbers of records, 0 empty. An entry that was made in vain, because another thread was first, is in no bucket. */
static struct {
	uint32_t names[NAME_BUCKETS], nodes[NODE_BUCKETS];
} table SP_BIG;
static uint32_t
	used; /* atomic: something is in the table, or will be in a moment: a child that has none need not empty it */

static struct sp_span_name *name_at(uint32_t index)
{
	return (struct sp_span_name *)sp_section(SP_SEC_SPAN_NAMES) + index;
}

static struct sp_span_node *node_at(uint32_t index)
{
	return (struct sp_span_node *)sp_section(SP_SEC_SPAN_NODES) + index;
}

static uint64_t name_key(uint32_t index)
{
	return name_at(index)->hash;
}

static uint64_t node_key(uint32_t index)
{
	return node_at(index)->key;
}

static const struct sp_span_table names = {table.names, NAME_BUCKETS, name_key},
				  nodes = {table.nodes, NODE_BUCKETS, node_key};

static uint32_t enter(const struct sp_span_table *table, uint64_t key, uint32_t index, uint32_t *empty)
{
	sp_store(&used, 1);
	return sp_span_table_enter(table, key, index, empty);
}

uint32_t sp_span_name(enum sp_span_kind kind, const char *text)
{
	uint64_t key = 0x9e3779b97f4a7c15ULL + kind;
	uint32_t length, index, found, *empty = NULL;
	struct sp_span_name *name;

	for (length = 0; length < SP_SPAN_TEXT_MAX && text[length]; length++)
		key = sp_span_mix(key ^ (unsigned char)text[length]);
	key |= 1;
	found = sp_span_table_find(&names, key, &empty);
	if (found || !empty || !(index = sp_spool_allot(SP_SEC_SPAN_NAMES, 1)))
		return found;
	name = name_at(index);
	name->kind = kind;
	name->text = sp_spool_text(text, length);
	name->hash = key;
	__atomic_store_n(&name->ready, 1, __ATOMIC_RELEASE);
	return enter(&names, key, index, empty);
}

uint32_t sp_span_node(uint32_t parent, uint32_t name)
{
	uint64_t key = (uint64_t)parent << 32 | name;
	uint32_t index, found, *empty = NULL;
	struct sp_span_node *node;

	if (!name)
		return 0;
	found = sp_span_table_find(&nodes, key, &empty);
	if (found || !empty || !(index = sp_spool_allot(SP_SEC_SPAN_NODES, 1)))
		return found;
	node = node_at(index);
	node->parent = parent;
	node->name = name;
	node->key = key;
	__atomic_store_n(&node->ready, 1, __ATOMIC_RELEASE);
	return enter(&nodes, key, index, empty);
}

static bool is_label(uint32_t node)
{
	return node && name_at(node_at(node)->name)->kind == SP_SPAN_LABEL;
}

static bool is_same_key(uint32_t label, uint32_t other)
{
	const char *texts = sp_section(SP_SEC_TEXT), *a = texts + name_at(label)->text,
		   *b = texts + name_at(other)->text;

	for (; *a && *a != '=' && *a == *b; a++, b++)
		;
	return *a == *b;
}

uint32_t sp_span_labelled(uint32_t node, uint32_t label)
{
	uint32_t labels[SP_SPAN_LABELS + 1], n = 1;
	bool has = false;

	/* The innermost first; in front of it there is room for a new one. */
	for (; is_label(node) && n <= SP_SPAN_LABELS; node = node_at(node)->parent) {
		bool same = is_same_key(node_at(node)->name, label);

		labels[n++] = same ? label : node_at(node)->name;
		has |= same;
	}
	labels[0] = label;
	if (is_label(node) || (!has && n > SP_SPAN_LABELS))
		return 0;
	do
		node = sp_span_node(node, labels[--n]);
	while (node && n > (has ? 1u : 0u));
	return node;
}

SP_AT_FORK void sp_span_names_forget(void)
{
	if (!used)
		return;
	sp_clear_pages(&table, sizeof table);
	used = 0;
}
