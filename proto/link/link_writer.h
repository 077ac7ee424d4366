// LinkWriter: the gateway on whose behalf a request is sent to a Farshore target. It is in the client id of every
// request of a link: "farshore-link/<link id>/<link epoch>". So the target can compare every write with the stored
// link, those of Kafka's own APIs too (commits, configs), which have no field for it. A client id without it is an
// ordinary client's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace farshore {

struct LinkWriter {
  LinkId link;
  LinkEpoch epoch;
  friend bool operator==(const LinkWriter&, const LinkWriter&) = default;
};

std::string client_id_of(const LinkWriter& writer);
std::optional<LinkWriter> parse_link_writer(std::string_view client_id);

}  // namespace farshore
