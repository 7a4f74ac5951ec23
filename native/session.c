/* session.c - opens and closes what a command needs of a model directory. */
#include "session.h"

#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int session_check_model(const options *o) {
    const char *dir = o->words[0];
    if (!dir)
        return terminal_refuse("%s needs a model directory: fathom %s; ./dev model smollm2 fetches "
                               "a small model and prints its directory",
                               o->command->name, o->command->usage);
    struct stat info;
    if (stat(dir, &info) != 0)
        return terminal_fail("%s: %s; ./dev model smollm2 fetches a small model and prints its "
                             "directory",
                             dir, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return terminal_fail("%s: no directory; give one that holds config.json, tokenizer.json "
                             "and *.safetensors",
                             dir);
    return STATUS_DONE;
}

int session_open_tokenizer(session *s, const options *o, bool required) {
    fm_error err;
    fm_status status = fm_tokenizer_open(o->words[0], &s->tokenizer, &err);
    if (status == FM_OK || (status == FM_ERR_NOT_FOUND && !required)) return STATUS_DONE;
    return terminal_fail("%s", err.text);
}

static void show_warning(void *user, fm_log_level level, const char *line) {
    (void)user;
    if (level == FM_LOG_WARN) terminal_note("warning: %s", line);
    if (level == FM_LOG_ERROR) terminal_note("error: %s", line);
}

int session_open_engine(session *s, const options *o) {
    fm_error err;
    fm_model_params params = options_model_params(o);
    fm_engine_params engine_params = options_engine_params(o);
    params.log = show_warning;
    if (fm_model_open(o->words[0], &params, &s->model, &err) != FM_OK ||
        fm_engine_new(s->model, &engine_params, &s->engine, &err) != FM_OK)
        return terminal_fail("%s", err.text);
    if (o->profile) fm_model_profile(s->model, true);
    return STATUS_DONE;
}

void session_close(session *s) {
    fm_engine_free(s->engine);
    fm_model_close(s->model);
    fm_tokenizer_close(s->tokenizer);
    *s = (session){0};
}
