/*
 * file_out.h - a whole file written at once: it appears under its name when it is complete, so that
 * whoever stops in between leaves an older file as it was.
 */
#ifndef FATHOM_NATIVE_FILE_OUT_H
#define FATHOM_NATIVE_FILE_OUT_H

#include <stddef.h>

/** Writes `length` bytes to `path`, readable and writable by the user alone; an older file, also
 * one that a link leads to, is replaced and keeps its permissions. Returns 0 or an errno: EINVAL
 * where there is anything but a plain file. */
int file_out_write(const char *path, const char *data, size_t length);

#endif
