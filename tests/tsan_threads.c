// For programs of the thread sanitizer: what the sanitizer of g++ 12 does not know, by way of what it knows.
// - C11 threads: librdkafka starts its threads with thrd_create. A thread that the sanitizer never saw ends the program at
//   its first instrumented step.
// - pthread_mutex_clocklock: std::timed_mutex calls it. The sanitizer does not see that the mutex is held.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

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

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const struct timespec* until) {
  struct timespec now, wall;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &wall);
  int64_t left_ns = (until->tv_sec - now.tv_sec) * INT64_C(1000000000) + (until->tv_nsec - now.tv_nsec);
  if (left_ns < 0) left_ns = 0;
  const int64_t end_ns = wall.tv_nsec + left_ns;
  wall.tv_sec += end_ns / 1000000000;
  wall.tv_nsec = end_ns % 1000000000;
  return pthread_mutex_timedlock(mutex, &wall);
}
