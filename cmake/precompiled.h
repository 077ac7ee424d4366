// The headers that almost every file needs, parsed once. Nothing of the project: a change here rebuilds everything.
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
#include <boost/system/result.hpp>
