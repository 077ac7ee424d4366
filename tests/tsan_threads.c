// For programs of the thread sanitizer: C11 threads by way of POSIX's. librdkafka starts its threads with thrd_create,
// which the sanitizer of g++ 12 does not know: a thread that it never saw ends the program at its first instrumented step.
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
  thrd_start_t run;
  void* argument;
};

static void* begin(void* given) {
  struct start start = *(struct start*)given;
  free(given);
  return (void*)(intptr_t)start.run(start.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t run, void* argument) {
  struct start* start = malloc(sizeof *start);
  if (!start) return thrd_nomem;
  start->run = run;
  start->argument = argument;
  if (pthread_create(thread, NULL, begin, start) == 0) return thrd_success;
  free(start);
  return thrd_error;
}

int thrd_join(thrd_t thread, int* result) {
  void* value = NULL;
  if (pthread_join(thread, &value) != 0) return thrd_error;
  if (result) *result = (int)(intptr_t)value;
  return thrd_success;
}
