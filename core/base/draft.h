/*
 * draft.h - a file that appears under its name only when it is complete. What is written goes to a
 * temporary file beside it, which draft_close renames and draft_abandon removes, so that whoever
 * stops in between leaves an older file as it was. Under a link, all that happens beside the file
 * it leads to. One thread at a time.
 */
#ifndef FATHOM_BASE_DRAFT_H
#define FATHOM_BASE_DRAFT_H

#include "error.h"

typedef struct draft draft;

/** Starts a file. An older one is to be replaced by one of the same permissions, through a link
 * too; FM_ERR_IO, before anything is made, where `path` names a directory, a device, a pipe or a
 * link that leads nowhere. FM_ERR_NOT_FOUND when its directory is absent, FM_ERR_MEMORY. *out is
 * NULL then. */
fm_status draft_create(const char *path, draft **out, fm_error *err);
/** The path as it was given, for messages; the draft's. */
const char *draft_path(const draft *d);
/** Appends `size` bytes. A failure is kept: the draft cannot become the file any more. */
fm_status draft_write(draft *d, const void *bytes, size_t size, fm_error *err);
/** Gives the file its name and frees the draft. Frees in every case; where it fails, an older file
 * is as it was. FM_ERR_STATE when an earlier write failed. */
fm_status draft_close(draft *d, fm_error *err);
/** Drops what was written. NULL is allowed. */
void draft_abandon(draft *d);

#endif
