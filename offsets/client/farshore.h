/* libfarshore for C: FailoverConsumer and Translator as opaque handles. failover_consumer.h and translator.h describe
 * the guarantees, blocking times and errors of each call. Times are milliseconds; offsets are Kafka's. Text is UTF-8
 * and ends with a zero byte; keys and values have a length. No function keeps a pointer that it was given. */
#ifndef FARSHORE_H
#define FARSHORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct farshore_config farshore_config;
typedef struct farshore_consumer farshore_consumer;
typedef struct farshore_translator farshore_translator;

/* Results: 0 or more is success, less is one of these; farshore_last_error() of the calling thread has the words. */
enum {
  FARSHORE_INVALID = -1,
  FARSHORE_UNAVAILABLE = -2, /* call again later */
  FARSHORE_OUT_OF_RANGE = -3,
  FARSHORE_NOT_MIRRORED = -4,
  FARSHORE_CLOSED = -5,
  FARSHORE_FAILED = -6
};
const char* farshore_last_error(void); /* valid until the next call of this thread */

/* Names: source, target, group, topics (comma-separated), prefix, source.lost.after.ms; any other is a property of
 * librdkafka. NULL when memory is short. */
farshore_config* farshore_config_new(void);
int farshore_config_set(farshore_config* config, const char* name, const char* value);
void farshore_config_free(farshore_config* config);

/* NULL: refused, see farshore_last_error(). The config stays the caller's. */
farshore_consumer* farshore_consumer_open(const farshore_config* config);
/* Leaves the group (at most about 3 s) and frees the handle. */
void farshore_consumer_close(farshore_consumer* consumer);

enum { FARSHORE_NOTHING = 0, FARSHORE_RECORD = 1, FARSHORE_EVENT = 2 };
/* One of the above, or an error. What the functions below return is of this result, valid until the next poll or close.
 * One thread at a time for a handle. */
int farshore_consumer_poll(farshore_consumer* consumer, int timeout_ms);
int farshore_consumer_commit(farshore_consumer* consumer, int timeout_ms);
int farshore_consumer_at_target(const farshore_consumer* consumer); /* 1 or 0 */

/* After FARSHORE_RECORD. A null key or value gives NULL. */
const char* farshore_record_topic(const farshore_consumer* consumer);
int32_t farshore_record_partition(const farshore_consumer* consumer);
int64_t farshore_record_offset(const farshore_consumer* consumer);
int64_t farshore_record_timestamp_ms(const farshore_consumer* consumer);
const void* farshore_record_key(const farshore_consumer* consumer, size_t* size);
const void* farshore_record_value(const farshore_consumer* consumer, size_t* size);

/* After FARSHORE_EVENT. Kinds: 0 started, 1 source lost, 2 source back, 3 waiting, 4 failed over, 5 target unknown. */
int farshore_event_kind(const farshore_consumer* consumer);
const char* farshore_event_text(const farshore_consumer* consumer);
size_t farshore_event_partitions(const farshore_consumer* consumer);
typedef struct farshore_continued {
  const char* topic;
  int32_t partition, committed;
  int64_t failover_offset, position, continued_at, consumed_but_lost;
} farshore_continued;
/* Fills `out` for index < farshore_event_partitions(); else FARSHORE_OUT_OF_RANGE. */
int farshore_event_partition(const farshore_consumer* consumer, size_t index, farshore_continued* out);

/* `target`: host:port[,host:port...]. `prefix`: of a mirror link, or NULL. NULL is returned when refused. */
farshore_translator* farshore_translator_open(const char* target, const char* prefix);
/* The same for a target where several relay links have topics of one name: `link` says which one is meant. */
farshore_translator* farshore_translator_open_link(const char* target, const char* link);
void farshore_translator_close(farshore_translator* translator);
/* The offset at the other cluster, or an error: FARSHORE_UNAVAILABLE (call again), FARSHORE_OUT_OF_RANGE (past what was
 * mirrored), FARSHORE_NOT_MIRRORED (no link has the topic), FARSHORE_INVALID (several links have it: open_link),
 * FARSHORE_FAILED. Blocks for at most `timeout_ms`. An offset without a record at the other end gives the next one
 * there; farshore_translated_exactly() tells. */
int64_t farshore_to_target(farshore_translator* translator, const char* topic, int32_t partition, int64_t offset,
                           int timeout_ms);
int64_t farshore_to_source(farshore_translator* translator, const char* topic, int32_t partition, int64_t offset,
                           int timeout_ms);
/* Of the last call on this handle: 1, or 0 if there is no such record at the other end. */
int farshore_translated_exactly(const farshore_translator* translator);
/* Of the last call on this handle: the highest position that translates, where the question's offset is from; -1. */
int64_t farshore_translation_limit(const farshore_translator* translator);

#ifdef __cplusplus
}
#endif
#endif
