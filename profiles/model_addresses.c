/* All addresses of a profile, asked for at once: the symbolizer then works on them in parallel. */
#include "profiles/model.h"

#include <stdlib.h>

struct addresses {
	struct sp_symbol_query *list;
	size_t count, capacity;
	struct sp_map seen; /* (address, module) */
};

static void add(struct addresses *all, struct sp_module_info *module, uint32_t index, uint64_t address)
{
	uint32_t *cell;
	int found;

	if (module->handle < 0)
		return;
	cell = sp_map_at(&all->seen, address, index, &found);
	if (found)
		return;
	*cell = 1;
	module->asked = true;
	sp_grow(&all->list, &all->capacity, all->count + 1, sizeof(*all->list));
	all->list[all->count++] = (struct sp_symbol_query){.address = address, .module = module->handle};
}

void sp_addresses_prepare(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	const struct sp_snapshot *snapshot = profile->snapshot;
	struct addresses all = {0};

	for (size_t i = 0; i < snapshot->stack_count; i++) {
		const struct sp_stack *stack = &snapshot->stacks[i];

		for (uint32_t k = 0; k < stack->depth; k++) {
			uint64_t address = snapshot->frames[stack->frame + k] - !sp_stack_is_exact(stack, k);
			uint32_t module = sp_modules_find(profile, address, stack->epoch);

			add(&all, &profile->modules[module], module, address);
		}
	}
	if (symbolizer)
		sp_symbolizer_prepare(symbolizer, all.list, all.count);
	free(all.list);
	sp_map_free(&all.seen);
}
