/*
 * parts_marks.h - the marks of answer formats and whole calls, written out for the suites that read
 * and write them.
 */
#ifndef FATHOM_TESTS_TEXT_PARTS_MARKS_H
#define FATHOM_TESTS_TEXT_PARTS_MARKS_H

#define CALLS                     "<｜tool▁calls▁begin｜>"
#define CALLS_END                 "<｜tool▁calls▁end｜>"
#define CALL                      "<｜tool▁call▁begin｜>"
#define CALL_END                  "<｜tool▁call▁end｜>"
#define SEP                       "<｜tool▁sep｜>"
#define V3_CALL(name, arguments)  CALL "function" SEP name "\n```json\n" arguments "\n```" CALL_END
#define V31_CALL(name, arguments) CALL name SEP arguments CALL_END

#endif
