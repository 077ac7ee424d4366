// EndReports: the reports about ended topics of one link that are stored at the target (proto/link/end_report.h). A
// report that cannot be stored now is stored by a later call of store_missing().
// Executor: the Env's. Owner: Link. Deadlines are the caller's.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/env.h"
#include "linker/store/link_definition.h"
#include "proto/link/end_report.h"

namespace farshore::linker {

class EndReports {
 public:
  // References outlive it.
  EndReports(Env& env, LinkStore& store, const LinkDefinition& definition)
      : env_(env), store_(store), definition_(definition) {}

  // Reads all that are stored, once; then find() knows them.
  Task<Status> load(Deadline deadline);
  // The figures that were stored about this end of the topic, if any, go into the record.
  void complete(const std::string& topic, PromotionRecord& record) const;
  // The topic has just been ended by this gateway. An error is logged; the report is kept for store_missing().
  Task<void> store(std::string topic, PromotionRecord record, Deadline deadline);
  Task<Status> store_missing(Deadline deadline);
  bool some_are_missing() const { return !missing_.empty(); }
  std::set<std::string> topics() const;  // that have a stored report
  // Deletes the stored reports of these topics.
  Task<Status> forget(std::set<std::string> gone, Deadline deadline);

 private:
  struct Stored {
    EndReport report;
    int64_t revision = 0;
  };
  Task<Status> put(std::string topic, EndReport report, Deadline deadline);
  std::string key(const std::string& topic) const { return end_report_key(definition_.spec().name, topic); }

  Env& env_;
  LinkStore& store_;
  const LinkDefinition& definition_;
  bool loaded_ = false;
  std::map<std::string, Stored> stored_;
  std::map<std::string, EndReport> missing_;
};

}  // namespace farshore::linker
