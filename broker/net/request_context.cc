#include "broker/net/request_context.h"

#include "base/ensure.h"

namespace farshore::broker {

Slice RequestContext::slice_of(ConstBytes view) const {
  auto offset = view.data() - frame.data();
  ensure(offset >= 0 && static_cast<size_t>(offset) + view.size() <= frame.size(), "a view of this request's frame");
  return Slice(frame, static_cast<size_t>(offset), view.size());
}

}  // namespace farshore::broker
