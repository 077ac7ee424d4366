// The metrics of a process in Prometheus's text format, version 0.0.4.
#pragma once

#include <string>

#include "base/metrics.h"

namespace farshore {

std::string render_metrics(MetricRegistry& metrics);

}  // namespace farshore
