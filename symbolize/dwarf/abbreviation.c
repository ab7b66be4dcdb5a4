/* Tables of abbreviations: see abbreviation.h. */
#include "symbolize/dwarf/abbreviation.h"

#include <dwarf.h>
#include <string.h>

bool sp_abbreviation_take(struct sp_input *in, uint64_t *code, uint64_t *tag, bool *children)
{
	*code = sp_take_leb(in, false);
	if (!*code || in->bad)
		return false;
	*tag = sp_take_leb(in, false);
	*children = sp_take(in, 1) != 0;
	return !in->bad;
}

bool sp_attribute_take(struct sp_input *in, uint64_t *name, uint64_t *form)
{
	*name = sp_take_leb(in, false);
	*form = sp_take_leb(in, false);
	if (*form == DW_FORM_implicit_const)
		sp_take_leb(in, true); /* the value, which the DIEs do not have */
	return (*name || *form) && !in->bad;
}

int sp_form_bytes(const struct sp_unit_format *format, unsigned form)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return format->address_bytes;
	case DW_FORM_ref_addr:
		return format->version < 3 ? format->address_bytes : format->offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return format->offset_bytes;
	default:
		return SP_FORM_VARIABLE;
	}
}

void sp_form_skip(const struct sp_unit_format *format, struct sp_input *in, unsigned form)
{
	int bytes = sp_form_bytes(format, form);

	if (form == DW_FORM_indirect) {
		form = (unsigned)sp_take_leb(in, false);
		bytes = sp_form_bytes(format, form);
	}
	if (bytes != SP_FORM_VARIABLE) {
		sp_skip(in, (uint64_t)bytes);
		return;
	}
	switch (form) {
	case DW_FORM_string:
		sp_skip(in, strnlen((const char *)in->at, (size_t)(in->end - in->at)) + 1);
		break;
	case DW_FORM_sdata:
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		sp_take_leb(in, false);
		break;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		sp_skip(in, sp_take_leb(in, false));
		break;
	case DW_FORM_block1:
		sp_skip(in, sp_take(in, 1));
		break;
	case DW_FORM_block2:
		sp_skip(in, sp_take(in, 2));
		break;
	case DW_FORM_block4:
		sp_skip(in, sp_take(in, 4));
		break;
	default:
		in->bad = true;
	}
}
