#include <unistd.h>

#include <iostream>

#include "linker/cli/session.h"

namespace farshore::cli {
namespace {

void print_status(const api::StatusReply& status, bool partitions) {
  if (!status.not_ready_reason().empty()) std::cout << "not ready: " << status.not_ready_reason() << "\n\n";
  Table links({"LINK", "STATE", "TOPICS", "LAG RECORDS", "LAG", "RATE", "MIRRORED", "SOURCE SEEN", "TARGET SEEN"});
  for (const auto& link : status.links())
    links.row({link.spec().name(), link.state(), human_count(link.mirror_topics()),
               human_lag(link.lag_records(), link.lag_unknown_partitions()), human_lag_ms(link.lag_ms_max()),
               human_bytes(link.bytes_per_second()) + "/s", human_bytes(static_cast<double>(link.bytes_total())),
               human_ago_ms(link.last_source_contact_ms_ago()), human_ago_ms(link.last_target_contact_ms_ago())});
  std::cout << (links.empty() ? "no links\n" : links.to_string());
  for (const auto& link : status.links())
    if (!link.state_reason().empty()) std::cout << link.spec().name() << ": " << link.state_reason() << '\n';
  for (const auto& link : status.links())
    if (link.losses_total() > 0)
      std::cout << link.spec().name()
                << ": records were lost: " << human_losses(link.losses_total(), link.lost_offsets_total())
                << "; 'farshore mirror describe' names them\n";
  for (const auto& link : status.links())
    if (link.fenced_source_topics() > 0)
      std::cout << link.spec().name() << ": " << human_fences(link.fenced_source_topics()) << '\n';
  Table mirrors({"TOPIC", "STATE", "PARTITIONS", "LAG RECORDS", "LAG", "REASON"});
  for (const auto& mirror : status.mirrors()) {
    mirrors.row({mirror.topic(), mirror.state(), std::to_string(mirror.partitions_size()),
                 human_lag(mirror.lag_records(), mirror.lag_unknown_partitions()), human_lag_ms(mirror.lag_ms_max()),
                 human_reason(mirror.state_reason(), mirror.source_fence())});
    if (!partitions) continue;
    for (const auto& p : mirror.partitions())
      mirrors.row({"  " + std::to_string(p.partition()), p.state(),
                   p.mirrored_end_offset() < 0 ? "not opened" : "to " + std::to_string(p.mirrored_end_offset()),
                   human_lag(p.lag_records(), 0), human_lag_ms(p.lag_ms()), p.error()});
  }
  if (!mirrors.empty()) std::cout << '\n' << mirrors.to_string();
}

}  // namespace

void add_status_command(CLI::App& app, Session& session) {
  struct Options {
    bool watch = false, partitions = false;
    std::string link;
    int64_t interval_ms = 1000;
  };
  auto options = std::make_shared<Options>();
  auto* status = app.add_subcommand("status", "links, mirror topics and their lag at a glance");
  status->add_flag("--watch,-w", options->watch, "print again at each change, until interrupted");
  status->add_flag("--partitions", options->partitions, "also show each partition");
  status->add_option("--link", options->link, "only this link");
  status->add_option("--interval-ms", options->interval_ms, "milliseconds between two looks of --watch")
      ->check(CLI::Range(100, 60000));
  status->callback([&session, options] {
    api::StatusRequest request;
    request.set_watch(options->watch);
    request.set_interval_ms(options->interval_ms);
    request.set_link(options->link);
    request.set_partitions(options->partitions);
    grpc::ClientContext context;
    if (!options->watch || session.timeout_s > 0) session.begin(context, std::chrono::seconds(30));
    auto reader = session.stub().Status(&context, request);
    api::StatusReply reply;
    bool terminal = isatty(STDOUT_FILENO);
    while (reader->Read(&reply)) {
      if (session.json()) {
        std::cout << (options->watch ? to_json(reply).dump() : to_json(reply).dump(2)) << std::endl;
        continue;
      }
      if (options->watch && terminal) std::cout << "\033[H\033[2J";
      print_status(reply, options->partitions);
      if (options->watch && !terminal) std::cout << std::endl;
    }
    session.check(reader->Finish());
  });
}

void add_offsets_commands(CLI::App& app, Session& session) {
  struct Options {
    std::string link, topic, group;
    int32_t partition = 0, epoch = 0;
    int64_t offset = 0, through = -1;
    bool reverse = false;
  };
  auto options = std::make_shared<Options>();
  auto* offsets = app.add_subcommand("offsets", "offset translation and consumer groups")->require_subcommand(1);

  auto* translate =
      offsets->add_subcommand("translate", "find the offset at the target of a record at the source, or the reverse");
  translate->add_option("--link", options->link, "name of the link")->required();
  translate->add_option("--topic", options->topic, "mirror topic, by its name at the target")->required();
  translate->add_option("--partition", options->partition, "partition")->required();
  translate->add_option("--offset", options->offset, "offset at the source (with --reverse: at the target)")
      ->required();
  translate->add_option("--through", options->through, "translate every offset from --offset to this one")
      ->check(CLI::NonNegativeNumber);
  auto* epoch = translate->add_option("--epoch", options->epoch, "leader epoch of the record, if known");
  translate->add_flag("--reverse", options->reverse, "from target to source");
  translate->callback([&session, options, epoch] {
    api::TranslateOffsetRequest request;
    request.set_link(options->link);
    request.set_topic(options->topic);
    request.set_partition(options->partition);
    request.set_reverse(options->reverse);
    request.set_has_epoch(epoch->count() > 0);
    request.set_epoch(epoch->count() > 0 ? options->epoch : -1);
    const bool many = options->through >= 0;
    if (many && options->through < options->offset)
      throw CommandFailed{
          "--through " + std::to_string(options->through) + " is below --offset " + std::to_string(options->offset), 2};
    auto all = nlohmann::ordered_json::array();
    for (int64_t at = options->offset; at <= (many ? options->through : options->offset); ++at) {
      request.set_offset(at);
      auto reply = session.call(&api::Control::Stub::TranslateOffset, request);
      if (session.json() && many) {
        all.push_back(to_json(reply));
      } else if (session.json()) {
        session.print(reply);
      } else {
        std::cout << "source " << reply.source_offset() << " = target " << reply.target_offset()
                  << (reply.exact() ? "" : "  (next record)") << (reply.note().empty() ? "" : "  " + reply.note())
                  << '\n';
      }
    }
    if (session.json() && many) session.print(all);
  });

  auto* groups = offsets->add_subcommand(
      "groups", "consumer groups: offsets committed at the source, and offsets written at the target");
  groups->add_option("--link", options->link, "name of the link")->required();
  groups->add_option("--group", options->group, "only this group");
  groups->callback([&session, options] {
    api::ListGroupSyncRequest request;
    request.set_link(options->link);
    request.set_group(options->group);
    auto reply = session.call(&api::Control::Stub::ListGroupSync, request);
    if (session.json()) return session.print(to_json(reply)["groups"]);
    Table table({"GROUP", "TOPIC", "PARTITION", "SOURCE COMMIT", "TARGET COMMIT", "WANTED", "STATE"});
    for (const auto& group : reply.groups())
      for (const auto& p : group.partitions())
        table.row({group.group(), p.topic(), std::to_string(p.partition()), std::to_string(p.source_committed()),
                   std::to_string(p.target_committed()), std::to_string(p.target_wanted()), p.state()});
    std::cout << (table.empty() ? "no consumer group has offsets on mirror topics of this link\n" : table.to_string());
  });
}

}  // namespace farshore::cli
