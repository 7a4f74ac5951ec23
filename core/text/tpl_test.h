/* tpl_test.h - the tests of templates: value is name(arguments). A table: any thread. */
#ifndef FATHOM_TEXT_TPL_TEST_H
#define FATHOM_TEXT_TPL_TEST_H

#include "tpl_call.h"

/** NULL when there is none of that name. */
const tpl_function *tpl_test_find(const char *name, size_t length);

fm_status tpl_test_apply(tpl_run *r, const tpl_function *t, tpl_value v, const tpl_args *args,
                         bool *out);

#endif
