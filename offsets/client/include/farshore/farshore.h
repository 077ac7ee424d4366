/* libfarshore for C: FailoverConsumer and Translator as opaque handles. failover_consumer.h and translator.h beside
 * this file (C++) describe the guarantees and blocking times. Times are milliseconds; a negative time is
 * FARSHORE_INVALID. Offsets are Kafka's. Text is UTF-8 and ends with a zero byte; keys and values have a length. No
 * function keeps a pointer that it was given.
 *
 * These functions are the whole binary interface: the C++ headers are made of them. A later release adds functions and
 * result codes, and changes none. */
#ifndef FARSHORE_H
#define FARSHORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FARSHORE_API __attribute__((visibility("default")))
#else
#define FARSHORE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct farshore_config farshore_config;
typedef struct farshore_consumer farshore_consumer;
typedef struct farshore_continued farshore_continued;
typedef struct farshore_translator farshore_translator;

FARSHORE_API const char* farshore_version(void); /* of the library that runs, "major.minor.patch" */

/* Results: 0 or more is success, less is one of these. */
enum {
  FARSHORE_INVALID = -1,     /* wrong arguments or configuration; the text says what is allowed */
  FARSHORE_UNAVAILABLE = -2, /* call again later */
  FARSHORE_OUT_OF_RANGE = -3,
  FARSHORE_NOT_MIRRORED = -4,
  FARSHORE_CLOSED = -5,
  FARSHORE_FAILED = -6 /* refused; a second call alone does not help */
};
/* Of the last call of this thread that failed. The text is valid until the next call of this thread. */
FARSHORE_API const char* farshore_last_error(void);
FARSHORE_API int farshore_last_error_result(void);     /* one of the results above */
FARSHORE_API int farshore_last_error_kafka_code(void); /* of the broker that refused, as in Kafka's protocol; 0: none */
FARSHORE_API int farshore_last_error_retriable(void);  /* 1: the same call may succeed later by itself */
FARSHORE_API int farshore_last_error_fatal(void);      /* 1: this handle will never succeed again: close it */

/* Names:
 *   source, target              host:port[,host:port...]
 *   group                       the consumer group, the same at both clusters
 *   topics                      their names at the source, comma-separated
 *   prefix                      of the link: a topic is called prefix + name at the target
 *   link                        of a translator at a target with several relay links: the link's name
 *   source.lost.after.ms        after this time without an answer the source counts as lost (an event); at least 1000
 *   start.without.target.after.ms  start at the source if the target has not answered for so long; not set: never,
 *                               because the source may have been failed over
 * Any other name is a property of librdkafka, for both clusters; source.NAME and target.NAME are for one of them. */
FARSHORE_API farshore_config* farshore_config_new(void); /* NULL when memory is short */
FARSHORE_API int farshore_config_set(farshore_config* config, const char* name, const char* value);
FARSHORE_API void farshore_config_free(farshore_config* config);

/* NULL: refused, see farshore_last_error(). The config stays the caller's. */
FARSHORE_API farshore_consumer* farshore_consumer_open(const farshore_config* config);
/* Leaves the group (at most about 3 s). Calls of other threads, and later ones, give FARSHORE_CLOSED. */
FARSHORE_API void farshore_consumer_shutdown(farshore_consumer* consumer);
/* The same, and frees the handle. No other call is under way. */
FARSHORE_API void farshore_consumer_close(farshore_consumer* consumer);

enum { FARSHORE_NOTHING = 0, FARSHORE_RECORD = 1, FARSHORE_EVENT = 2 };
/* One of the above, or an error (call again, unless it is fatal). What the functions for records and events return is
 * of this result, and valid until the next poll or close. One thread at a time polls; the other functions may be called
 * by any thread. */
FARSHORE_API int farshore_consumer_poll(farshore_consumer* consumer, int timeout_ms);
FARSHORE_API int farshore_consumer_commit(farshore_consumer* consumer, int timeout_ms);
FARSHORE_API int farshore_consumer_at_target(const farshore_consumer* consumer); /* 1 or 0 */

/* After FARSHORE_RECORD. A null key or value gives NULL. */
FARSHORE_API const char* farshore_record_topic(const farshore_consumer* consumer);
FARSHORE_API int32_t farshore_record_partition(const farshore_consumer* consumer);
FARSHORE_API int64_t farshore_record_offset(const farshore_consumer* consumer);
FARSHORE_API int64_t farshore_record_timestamp_ms(const farshore_consumer* consumer);
FARSHORE_API const void* farshore_record_key(const farshore_consumer* consumer, size_t* size);
FARSHORE_API const void* farshore_record_value(const farshore_consumer* consumer, size_t* size);
FARSHORE_API size_t farshore_record_headers(const farshore_consumer* consumer);
/* For index < farshore_record_headers(); else NULL. */
FARSHORE_API const char* farshore_record_header_name(const farshore_consumer* consumer, size_t index);
FARSHORE_API const void* farshore_record_header_value(const farshore_consumer* consumer, size_t index, size_t* size);

/* After FARSHORE_EVENT. */
enum {
  FARSHORE_STARTED = 0,        /* at the source; or at the target, if it was failed over before */
  FARSHORE_SOURCE_LOST = 1,    /* the source did not answer for source.lost.after.ms */
  FARSHORE_SOURCE_BACK = 2,    /* the source answers again, and there was no failover */
  FARSHORE_WAITING = 3,        /* the consumer cannot start, or cannot move yet; the text says why */
  FARSHORE_FAILED_OVER = 4,    /* now at the target; the partitions are those that this member had */
  FARSHORE_TARGET_UNKNOWN = 5, /* the target does not answer */
  FARSHORE_TARGET_BACK = 6     /* the target answers again */
};
FARSHORE_API int farshore_event_kind(const farshore_consumer* consumer);
FARSHORE_API const char* farshore_event_text(const farshore_consumer* consumer);
FARSHORE_API size_t farshore_event_partitions(const farshore_consumer* consumer);
/* For index < farshore_event_partitions(); else NULL. */
FARSHORE_API const farshore_continued* farshore_event_partition(const farshore_consumer* consumer, size_t index);
FARSHORE_API const char* farshore_continued_topic(const farshore_continued* partition); /* its name at the source */
FARSHORE_API int32_t farshore_continued_partition(const farshore_continued* partition);
FARSHORE_API int64_t farshore_continued_failover_offset(const farshore_continued* partition);
FARSHORE_API int64_t farshore_continued_position(const farshore_continued* partition); /* at the source */
FARSHORE_API int64_t farshore_continued_at(const farshore_continued* partition);       /* at the target */
FARSHORE_API int64_t farshore_continued_consumed_but_lost(const farshore_continued* partition);
FARSHORE_API int64_t farshore_continued_committed_at(const farshore_continued* partition); /* at the target; -1 */
FARSHORE_API int farshore_continued_committed(const farshore_continued* partition);        /* 1 or 0 */

/* `target`: host:port[,host:port...]. `prefix`: of a mirror link, or NULL. NULL is returned when refused. */
FARSHORE_API farshore_translator* farshore_translator_open(const char* target, const char* prefix);
/* The same for a target where several relay links have topics of one name: `link` says which one is meant. */
FARSHORE_API farshore_translator* farshore_translator_open_link(const char* target, const char* link);
/* The same by the names target, prefix, link, and the properties of the target. */
FARSHORE_API farshore_translator* farshore_translator_open_config(const farshore_config* config);
/* No call is under way. */
FARSHORE_API void farshore_translator_close(farshore_translator* translator);
/* The offset at the other cluster, or an error: FARSHORE_UNAVAILABLE (call again), FARSHORE_OUT_OF_RANGE (past what was
 * mirrored), FARSHORE_NOT_MIRRORED (no link has the topic), FARSHORE_INVALID (several links have it: open_link),
 * FARSHORE_FAILED. Blocks for at most `timeout_ms`. An offset without a record at the other end gives the next one
 * there; farshore_translated_exactly() tells. Threads: any, side by side. */
FARSHORE_API int64_t farshore_to_target(farshore_translator* translator, const char* topic, int32_t partition,
                                        int64_t offset, int timeout_ms);
FARSHORE_API int64_t farshore_to_source(farshore_translator* translator, const char* topic, int32_t partition,
                                        int64_t offset, int timeout_ms);
/* Of the calling thread's last translation. */
FARSHORE_API int farshore_translated_exactly(const farshore_translator* translator); /* 0: no such record there */
/* The highest position that translates, where the question's offset is from; -1: not known. */
FARSHORE_API int64_t farshore_translation_limit(const farshore_translator* translator);
FARSHORE_API int farshore_translation_ended(const farshore_translator* translator);        /* 1: the limit is final */
FARSHORE_API const char* farshore_translated_topic(const farshore_translator* translator); /* at the other cluster */

#ifdef __cplusplus
}
#endif
#endif
