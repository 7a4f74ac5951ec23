/* parts_layout.c - the formats of answers. */
#include <string.h>

#include "parts.h"

static const parts_layout layouts[] = {
    {
        .name = "deepseek-r1",
        .reasons = true,
        .next_call = PARTS_CALL "function" PARTS_SEP,
        .open = "\n```json\n",
        .close = "\n```",
        .separator = "\n",
    },
    {
        .name = "deepseek-v3",
        .next_call = PARTS_CALL "function" PARTS_SEP,
        .open = "\n```json\n",
        .close = "\n```",
        .separator = "\n",
    },
    {
        .name = "deepseek-v3.1",
        .reasons = true,
        .next_call = PARTS_CALL,
        .open = PARTS_SEP,
        .close = "",
        .separator = "",
    },
    {.name = "think", .reasons = true},
    {.name = "none"},
};

static const parts_layout *find_layout(const char *name) {
    for (size_t i = 0; name && i < sizeof layouts / sizeof layouts[0]; i++)
        if (strcmp(layouts[i].name, name) == 0) return &layouts[i];
    return NULL;
}

fm_status parts_layout_get(fm_parts_format format, const parts_layout **out, fm_error *err) {
    const parts_layout *layout = find_layout(format.name);
    *out = NULL;
    if (!layout)
        return error_set(err, FM_ERR_ARG,
                         "the answer format \"%.80s\" is not known: use deepseek-r1, deepseek-v3, "
                         "deepseek-v3.1, think or none",
                         format.name ? format.name : "");
    if (format.in_reasoning && !layout->reasons)
        return error_set(err, FM_ERR_ARG,
                         "the answer format %s has no reasoning, so no answer begins inside it",
                         layout->name);
    *out = layout;
    return FM_OK;
}
