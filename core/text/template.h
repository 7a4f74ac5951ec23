/* template.h - rendering within core/text: without a JSON text in between. */
#ifndef FATHOM_TEXT_TEMPLATE_H
#define FATHOM_TEXT_TEMPLATE_H

#include "../base/error.h"

/** Renders messages, of any bytes, with add_generation_prompt set. Otherwise as
 * fm_template_render. */
fm_status template_render_messages(const fm_template *t, const fm_message *messages,
                                   size_t n_messages, fm_rendering **out, fm_error *err);

#endif
