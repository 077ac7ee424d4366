// Kafka's primitive types on the wire: Reader decodes them, Writer encodes them. Sans-io.
#pragma once

#include "proto/kafka/reader.h"  // IWYU pragma: export
#include "proto/kafka/writer.h"  // IWYU pragma: export
