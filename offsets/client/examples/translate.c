/* farshore-example-translate-c TARGET TOPIC PARTITION OFFSET...: for each offset of the source, which one it is at the
 * target: `<source> -> <target>`, with ` (next)` where the target has no such record. Works for mirror links (a
 * Farshore target) and for relay links (any other Kafka), with the gateway and the source gone. */
#include <stdio.h>
#include <stdlib.h>

#include <farshore/farshore.h>

int main(int argc, char** argv) {
  farshore_translator* translator;
  int i, result = 0;
  if (argc < 5) {
    fprintf(stderr, "farshore-example-translate-c TARGET TOPIC PARTITION OFFSET...\n");
    return 2;
  }
  translator = farshore_translator_open(argv[1], NULL);
  if (!translator) {
    fprintf(stderr, "%s\n", farshore_last_error());
    return 2;
  }
  for (i = 4; i < argc && result == 0; ++i) {
    const long long source = strtoll(argv[i], NULL, 10);
    const int64_t target = farshore_to_target(translator, argv[2], (int32_t)strtol(argv[3], NULL, 10), source, 20000);
    if (target >= 0) {
      printf("%lld -> %lld%s\n", source, (long long)target, farshore_translated_exactly(translator) ? "" : " (next)");
      continue;
    }
    fprintf(stderr, "%lld: %s\n", source, farshore_last_error());
    if (target == FARSHORE_OUT_OF_RANGE)
      fprintf(stderr, "it translates up to %lld\n", (long long)farshore_translation_limit(translator));
    result = 1;
  }
  farshore_translator_close(translator);
  return result;
}
