// LinkView: what one link shows of itself at this moment, in the control API and in /metrics. Reads, and changes
// nothing. Executor: the Env's. Valid until the next await.
#pragma once

#include <optional>
#include <vector>

#include "linker/link/link_metrics.h"
#include "linker/link/model/link_parts.h"
#include "linker/link/tasks/link_task.h"

namespace farshore::linker {

class LinkView {
 public:
  LinkView(LinkParts link, std::vector<TaskReport> tasks, double bytes_per_second)
      : link_(link), tasks_(std::move(tasks)), bytes_per_second_(bytes_per_second) {}

  api::Link describe() const;
  api::Link describe_as(const LinkSpec& spec) const;  // with these settings in place of its own
  std::optional<api::MirrorTopic> describe_topic(const std::string& topic) const;  // nullopt: no such mirror topic
  std::vector<api::MirrorTopic> describe_topics() const;                           // sorted by name
  // What it means for the mirror topics if the link is defined so: one line for each that it does not select.
  std::vector<std::string> notes_on(const LinkSpec& spec) const;
  // For /metrics, with the lag of the first `topics_max` topics.
  LinkReading read(size_t topics_max) const;

 private:
  void fill_spec(api::LinkSpec& out, const LinkSpec& spec) const;
  void fill_totals(api::Link& link) const;
  void fill_tasks(api::Link& link) const;
  std::map<LossKind, LossReport::Total> losses() const;  // of all its topics

  LinkParts link_;
  std::vector<TaskReport> tasks_;
  double bytes_per_second_;
};

}  // namespace farshore::linker
