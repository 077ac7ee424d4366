// The headers that almost every file needs, parsed once. Of the project only what every room includes anyway (Env and
// what it stands on): a change of these rebuilds everything with or without this file.
// Every header still compiles alone (target all_verify_interface_header_sets builds them without this file).
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "base/async_mutex.h"
#include "base/budget.h"
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/env.h"
#include "base/event.h"
#include "base/gate.h"
#include "base/ids.h"
#include "base/slab.h"
