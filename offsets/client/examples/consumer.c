/* farshore-example-consumer-c SOURCE TARGET GROUP TOPIC IDLE_MS: a FailoverConsumer in C. Prints one line for each
 * record, `R <partition> <offset> <key>`, and one for each event, `E <text>`. Commits every 500 records and at the end.
 * Ends when it is at the target and no record came for IDLE_MS. */
#include <stdio.h>
#include <stdlib.h>

#include <farshore/farshore.h>

enum { POLL_MS = 100, COMMIT_EVERY = 500, COMMIT_MS = 10000 };

static int failed(const char* what) {
  fprintf(stderr, "farshore-example-consumer-c: %s: %s\n", what, farshore_last_error());
  return 1;
}

static void print_record(const farshore_consumer* consumer) {
  size_t size = 0;
  const char* key = farshore_record_key(consumer, &size);
  printf("R %d %lld %.*s\n", (int)farshore_record_partition(consumer), (long long)farshore_record_offset(consumer),
         key ? (int)size : 1, key ? key : "-");
}

static void print_event(const farshore_consumer* consumer) {
  size_t i;
  printf("E %s\n", farshore_event_text(consumer));
  for (i = 0; i < farshore_event_partitions(consumer); ++i) {
    const farshore_continued* p = farshore_event_partition(consumer, i);
    printf("E %s[%d] continued at %lld, consumed but lost %lld\n", farshore_continued_topic(p),
           (int)farshore_continued_partition(p), (long long)farshore_continued_at(p),
           (long long)farshore_continued_consumed_but_lost(p));
  }
}

static int consume(farshore_consumer* consumer, long idle_ms) {
  long idle = 0; /* how long polls have brought nothing */
  int uncommitted = 0;
  while (!farshore_consumer_at_target(consumer) || idle < idle_ms) {
    const int polled = farshore_consumer_poll(consumer, POLL_MS);
    if (polled < 0 && (polled == FARSHORE_INVALID || farshore_last_error_fatal())) return failed("poll");
    idle = polled == FARSHORE_NOTHING ? idle + POLL_MS : 0;
    if (polled == FARSHORE_EVENT) print_event(consumer);
    if (polled < 0) fprintf(stderr, "poll: %s\n", farshore_last_error()); /* it goes on by itself */
    if (polled != FARSHORE_RECORD) continue;
    print_record(consumer); /* this is where an application works on it; what it has not done, it must not commit */
    if (++uncommitted < COMMIT_EVERY) continue;
    uncommitted = 0;
    if (farshore_consumer_commit(consumer, COMMIT_MS) < 0) fprintf(stderr, "commit: %s\n", farshore_last_error());
  }
  if (uncommitted > 0 && farshore_consumer_commit(consumer, COMMIT_MS) < 0) return failed("the last commit");
  return 0;
}

int main(int argc, char** argv) {
  static const char* const names[] = {"source", "target", "group", "topics"};
  farshore_config* config;
  farshore_consumer* consumer;
  int i, result;
  if (argc != 6) {
    fprintf(stderr, "farshore-example-consumer-c SOURCE TARGET GROUP TOPIC IDLE_MS\n");
    return 2;
  }
  config = farshore_config_new();
  if (!config) return failed("config");
  for (i = 0; i < 4; ++i)
    if (farshore_config_set(config, names[i], argv[i + 1]) < 0) return failed(names[i]);
  farshore_config_set(config, "auto.offset.reset", "earliest"); /* any other name is librdkafka's */
  consumer = farshore_consumer_open(config);
  farshore_config_free(config);
  if (!consumer) return failed("open");
  result = consume(consumer, strtol(argv[5], NULL, 10));
  farshore_consumer_close(consumer);
  return result;
}
