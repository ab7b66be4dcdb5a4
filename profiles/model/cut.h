/* A profile without what is too light to be worth its rows, so that what is written of it stays small. Its sums are the
 * same: [rest] stands for what was left out. */
#ifndef SP_PROFILES_MODEL_CUT_H
#define SP_PROFILES_MODEL_CUT_H

#include "profiles/model/model.h"

/* Shares are of the CPU time, or, of the heap, of what was allocated, what is in use and what was at the peak, added up.
 * - Of functions, lines and sites below SP_ROW_SHARE(share) the numbers are those of a row [rest].
 * - Of a stack those outer frames stay that lead to `share` of its innermost function, or of the heap's site, or to four times as
 *   much of anything. [rest] follows, and
 *   that function: the frame if it has such a share, or else its function if that has SP_ROW_SHARE(share), or else nothing.
 * The result rests on the profile, and its stacks and modules have the same numbers; sp_profile_cut_free. */
#define SP_ROW_SHARE(share) ((share) / 8)
struct sp_profile *sp_profile_cut(const struct sp_profile *profile, double share);
void sp_profile_cut_free(struct sp_profile *cut);

#define SP_REST "[rest]" /* the row's name, and its file's where files are what the rows are of */

#endif
