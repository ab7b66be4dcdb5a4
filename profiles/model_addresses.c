/* Stage 2 of the model begins with all addresses of a profile: each is looked up once, and all are asked for
 * at once, so that the symbolizer works on them in parallel. */
#include "profiles/model.h"

#include <stdlib.h>
#include <string.h>

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

/* Neighbours in the table mostly were called by the same functions: what they share at the outer end is
 * copied. Returns how many frames that are. */
static uint32_t copy_outer(struct loader *l, const struct sp_stack *stack, const struct sp_stack *last)
{
	const uint64_t *addresses = l->profile->snapshot->frames;
	uint64_t here = stack->frame + stack->depth, there = last->frame + last->depth;
	uint32_t least = stack->depth < last->depth ? stack->depth : last->depth, n = 0;

	if (stack->epoch != last->epoch || (stack->flags & SP_STACK_ENTRY) != (last->flags & SP_STACK_ENTRY))
		return 0;
	while (n + 1 < least && addresses[here - n - 1] == addresses[there - n - 1])
		n++;
	memmove(l->all->of_frame + here - n, l->all->of_frame + there - n, n * sizeof(*l->all->of_frame));
	return n;
}

static void load_stack(struct loader *l, const struct sp_stack *stack, const struct sp_stack *last)
{
	const uint64_t *addresses = l->profile->snapshot->frames + stack->frame;
	uint32_t rest = stack->depth - (stack->depth ? copy_outer(l, stack, last) : 0);

	for (uint32_t k = 0; k < rest; k++)
		l->all->of_frame[stack->frame + k] = address_id(l, addresses[k] - !is_exact(stack, k), stack->epoch);
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

void sp_addresses_load(struct sp_addresses *addresses, struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	const struct sp_snapshot *snapshot = profile->snapshot;
	struct loader l = {.profile = profile, .all = addresses};
	const struct sp_stack none = {0}, *last = &none;

	*addresses = (struct sp_addresses){0};
	addresses->of_frame = sp_alloc(snapshot->frame_count, sizeof(*addresses->of_frame));
	for (size_t i = 0; i < snapshot->stack_count; i++) {
		load_stack(&l, &snapshot->stacks[i], last);
		last = &snapshot->stacks[i];
	}
	sp_map_free(&l.ids);
	prepare(profile, addresses, symbolizer);
}

void sp_addresses_free(struct sp_addresses *addresses)
{
	free(addresses->list);
	free(addresses->of_frame);
	*addresses = (struct sp_addresses){0};
}
