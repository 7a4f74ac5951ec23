/* status.c - the texts of the status codes, made from the one list in fathom.h. */
#include "../fathom.h"

const char *fm_status_text(fm_status status) {
    switch (status) {
#define STATUS_CASE(name, value, text)                                                             \
    case FM_##name:                                                                                \
        return text;
        FM_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}
