/* Stage 2 of the model begins with all addresses of a profile: each is looked up once, and all are asked for
 * at once, so that the symbolizer works on them in parallel. */
#include "profiles/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/again.h"
#include "profiles/model/build.h"

struct loader {
	struct sp_profile *profile;
	struct sp_addresses *all;
	struct sp_map ids; /* (address, epoch) -> index into the list */
};

/* The interrupted instruction and an entry function are themselves; a return address belongs to the
 * call before it. k: of the stack's frames. */
static bool is_exact(const struct sp_stack *stack, uint32_t k)
{
	return (k == 0 && !(stack->flags & SP_STACK_IS_HEAP)) ||
		(k == stack->depth - 1u && (stack->flags & SP_STACK_ENTRY));
}

static uint32_t address_id(struct loader *l, uint64_t address, uint64_t epoch)
{
	struct sp_addresses *all = l->all;
	int found;
	uint32_t *cell = sp_map_at(&l->ids, address, epoch, &found);

	if (found)
		return *cell;
	*cell = (uint32_t)all->count;
	sp_grow(&all->list, &all->capacity, all->count + 1, sizeof(*all->list));
	all->list[all->count] =
		(struct sp_address){.address = address, .module = sp_modules_find(l->profile, address, epoch)};
	return (uint32_t)all->count++;
}

/* A stack of the table and its addresses. */
struct unfolded {
	const struct sp_stack *stack;
	uint64_t addresses[SP_MAX_DEPTH];
	uint32_t *ids; /* of them: in of_frame[] */
};

/* Neighbours in the table mostly were called by the same functions: what they share at the outer end is
 * copied. Returns how many frames that are. */
static uint32_t copy_outer(const struct unfolded *now, const struct unfolded *last)
{
	const struct sp_stack *x = now->stack, *y = last->stack;
	uint32_t least = x->depth < y->depth ? x->depth : y->depth, n = 0;

	if (x->epoch != y->epoch || (x->flags & SP_STACK_ENTRY) != (y->flags & SP_STACK_ENTRY))
		return 0;
	while (n + 1 < least && now->addresses[x->depth - n - 1] == last->addresses[y->depth - n - 1])
		n++;
	memcpy(now->ids + x->depth - n, last->ids + y->depth - n, n * sizeof(*now->ids));
	return n;
}

static void load_stack(struct loader *l, const struct unfolded *now, const struct unfolded *last)
{
	const struct sp_stack *stack = now->stack;
	uint32_t rest = stack->depth - (stack->depth && last->stack ? copy_outer(now, last) : 0);

	for (uint32_t k = 0; k < rest; k++)
		now->ids[k] = address_id(l, now->addresses[k] - !is_exact(stack, k), stack->epoch);
}

static void prepare(struct sp_profile *profile, const struct sp_addresses *all, struct sp_symbolizer *symbolizer)
{
	struct sp_symbol_query *queries = sp_alloc(all->count, sizeof(*queries));
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++) {
		struct sp_module_info *module = &profile->modules[all->list[i].module];

		if (module->handle < 0)
			continue;
		module->asked = true;
		queries[count++] = (struct sp_symbol_query){.address = all->list[i].address, .module = module->handle};
	}
	if (symbolizer)
		sp_symbolizer_prepare(symbolizer, queries, count);
	free(queries);
}

/* Frames that were read are the addresses; of those not wanted none is asked for. */
static void load_written(struct sp_addresses *all, const struct sp_profile *profile)
{
	const struct sp_written *w = profile->written;
	const struct sp_profile *old = w->profile;
	size_t count = 0;

	all->count = old->frame_count;
	all->list = sp_alloc(all->count, sizeof(*all->list));
	for (size_t i = 0; i < all->count; i++)
		all->list[i] = (struct sp_address){
			.address = old->frames[i].address + profile->modules[w->frames[i].module].bias,
			.module = w->frames[i].wanted ? w->frames[i].module : 0};
	for (size_t i = 0; i < old->path_count; i++) {
		uint32_t depth = profile->snapshot->stacks[i].depth;

		all->first[i] = count;
		memcpy(all->of_frame + count, old->frame_ids + old->paths[i].first, depth * sizeof(*all->of_frame));
		count += depth;
	}
}

void sp_addresses_load(struct sp_addresses *addresses, struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	const struct sp_snapshot *snapshot = profile->snapshot;
	struct loader l = {.profile = profile, .all = addresses};
	struct unfolded *stacks = sp_alloc(2, sizeof(*stacks)); /* this one and the last, by turns */
	size_t count = 0;

	*addresses = (struct sp_addresses){0};
	addresses->of_frame = sp_alloc(snapshot->depth_sum, sizeof(*addresses->of_frame));
	addresses->first = sp_alloc(snapshot->stack_count, sizeof(*addresses->first));
	if (profile->written)
		load_written(addresses, profile);
	for (size_t i = 0; !profile->written && i < snapshot->stack_count; i++) {
		struct unfolded *now = &stacks[i % 2];

		now->stack = &snapshot->stacks[i];
		now->ids = addresses->of_frame + count;
		addresses->first[i] = count;
		sp_snapshot_stack(snapshot, i, now->addresses);
		load_stack(&l, now, &stacks[1 - i % 2]);
		count += now->stack->depth;
	}
	free(stacks);
	sp_map_free(&l.ids);
	prepare(profile, addresses, symbolizer);
}

void sp_addresses_free(struct sp_addresses *addresses)
{
	free(addresses->list);
	free(addresses->of_frame);
	free(addresses->first);
	*addresses = (struct sp_addresses){0};
}
