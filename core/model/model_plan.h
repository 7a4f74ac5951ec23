/*
 * model_plan.h - a model's twin on devices that only plan (fm_model.planning): made before anything
 * is loaded, it shows what a model takes, which device "auto" takes, and whether there is room.
 */
#ifndef FATHOM_MODEL_MODEL_PLAN_H
#define FATHOM_MODEL_MODEL_PLAN_H

#include "model.h"

/** Makes the twin where `p` places the layers. */
fm_status model_plan(const fm_model_params *p, fm_model *m, fm_error *err);
/** Frees the twin, if there is one. */
void model_drop_plan(fm_model *m);

/** FM_ERR_MEMORY when the weights have no room where the twin is; the text has model_advise's. */
fm_status model_check_room(const fm_model_params *p, fm_model *m, fm_error *err);

/** For a model without room: the setting nearest to `p` that has room for the weights, a step and
 * one full context, as "would fit with …", or what there is left to do. Written to `out`, whole.
 * Drops the twin. */
enum { MODEL_ADVICE_SIZE = 320 };
void model_advise(const fm_model_params *p, fm_model *m, char out[MODEL_ADVICE_SIZE]);

#endif
