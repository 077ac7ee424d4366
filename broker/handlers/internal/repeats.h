// Repeats: what one request names more than once. The rule of all handlers that take a list: a change that is named
// twice is refused and made not even once (INVALID_REQUEST, as Kafka), and a question is answered once: else a small
// request could ask for any amount of work.
#pragma once

#include <map>
#include <utility>

namespace farshore::broker {

template <class Key>
class Repeats {
 public:
  void add(Key key) { ++named_[std::move(key)].times; }
  bool repeated(const Key& key) const {
    auto it = named_.find(key);
    return it != named_.end() && it->second.times > 1;
  }
  // True for the first call with this key.
  bool first(const Key& key) { return !std::exchange(named_[key].answered, true); }

 private:
  struct Named {
    int times = 0;
    bool answered = false;
  };
  std::map<Key, Named> named_;
};

}  // namespace farshore::broker
