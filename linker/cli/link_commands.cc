#include <iostream>

#include "linker/cli/session.h"
#include "proto/link/link_properties.h"

namespace farshore::cli {
namespace {

struct LinkOptions {
  std::string link, source, target, mode = "mirror", prefix, on_divergence = "truncate";
  std::vector<std::string> topics, groups, set;
  std::string source_cluster_id, target_cluster_id;
  bool dry_run = false, force = false, no_group_sync = false;
};

std::string filters(const google::protobuf::RepeatedPtrField<api::Filter>& list) {
  std::vector<std::string> parts;
  for (const auto& filter : list)
    parts.push_back((filter.kind() == api::Filter::EXCLUDE ? "!" : "") + filter.name() +
                    (filter.pattern() == api::Filter::PREFIXED ? "*" : ""));
  return join(parts, ",");
}

void print_link(const api::Link& link) {
  const auto& spec = link.spec();
  std::cout << "Name:          " << spec.name() << "\nID:            " << link.link_id()
            << "\nMode:          " << spec.mode() << "\nState:         " << link.state();
  if (!link.state_reason().empty()) std::cout << " (" << link.state_reason() << ")";
  std::cout << "\nSource:        " << spec.source().bootstrap() << "  cluster " << spec.source().cluster_id() << "  "
            << spec.source().kind() << "\nTarget:        " << spec.target().bootstrap() << "  cluster "
            << spec.target().cluster_id() << "  " << spec.target().kind()
            << "\nTopics:        " << filters(spec.topics())
            << "\nGroups:        " << (spec.group_sync() ? filters(spec.groups()) : std::string("not synced"))
            << "\nPrefix:        " << (spec.topic_prefix().empty() ? "none" : spec.topic_prefix())
            << "\nSettings:      on.divergence=" << spec.on_divergence()
            << " on.retention.gap=" << spec.on_retention_gap()
            << " topic.config.defaults=" << spec.topic_config_defaults()
            << " topic.sync.interval.ms=" << spec.topic_sync_interval_ms()
            << " group.sync.interval.ms=" << spec.group_sync_interval_ms()
            << "\nMirror topics: " << link.mirror_topics() << " with " << link.mirror_partitions() << " partitions"
            << "\nLag:           " << human_lag(link.lag_records(), link.lag_unknown_partitions()) << " records, "
            << human_lag_ms(link.lag_ms_max())
            << "\nMirrored:      " << human_bytes(static_cast<double>(link.bytes_total())) << ", now "
            << human_bytes(link.bytes_per_second()) << "/s\n";
  if (link.losses_total() > 0)
    std::cout << "Lost:          " << human_losses(link.losses_total(), link.lost_offsets_total())
              << "; 'farshore mirror describe' names them\n";
  if (link.fenced_source_topics() > 0)
    std::cout << "Source writes: " << human_fences(link.fenced_source_topics()) << '\n';
  Table tasks({"TASK", "STATE", "LAST RUN", "RUNS", "ERROR"});
  for (const auto& task : link.tasks())
    tasks.row({task.name(), task.state(), human_time_ms(task.last_run_ms()), human_count(task.runs()), task.error()});
  for (const auto& note : link.notes()) std::cout << "Note:          " << note << '\n';
  if (!tasks.empty()) std::cout << '\n' << tasks.to_string();
}

void create(Session& session, const LinkOptions& options) {
  api::CreateLinkRequest request;
  auto& spec = *request.mutable_spec();
  spec.set_name(options.link);
  spec.mutable_source()->set_bootstrap(options.source);
  spec.mutable_source()->set_cluster_id(options.source_cluster_id);
  spec.mutable_target()->set_bootstrap(options.target);
  spec.mutable_target()->set_cluster_id(options.target_cluster_id);
  spec.set_mode(options.mode);
  for (const auto& topic : options.topics) *spec.add_topics() = parse_filter(topic);
  for (const auto& group : options.groups) *spec.add_groups() = parse_filter(group);
  spec.set_topic_prefix(options.prefix);
  spec.set_group_sync(!options.no_group_sync);
  spec.set_on_divergence(options.on_divergence);
  for (const auto& pair : options.set) {
    auto equals = pair.find('=');
    if (equals == std::string::npos) throw CommandFailed{"--set takes key=value, not '" + pair + "'", 2};
    (*spec.mutable_extra())[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  request.set_dry_run(options.dry_run);
  auto reply = session.call(&api::Control::Stub::CreateLink, request);
  if (session.json()) return session.print(reply);
  for (const auto& line : reply.plan()) std::cout << (options.dry_run ? "would " : "") << line << '\n';
  for (const auto& line : reply.warnings()) std::cout << "warning: " << line << '\n';
  if (!options.dry_run)
    std::cout << "link " << options.link << " is " << reply.link().state() << ": " << reply.link().mirror_topics()
              << " mirror topics\n";
}

void list(Session& session) {
  auto reply = session.call(&api::Control::Stub::ListLinks, api::ListLinksRequest());
  if (session.json()) return session.print(to_json(reply)["links"]);
  Table table({"NAME", "MODE", "STATE", "SOURCE", "TARGET", "TOPICS", "LAG RECORDS", "LAG"});
  for (const auto& link : reply.links())
    table.row({link.spec().name(), link.spec().mode(), link.state(), link.spec().source().bootstrap(),
               link.spec().target().bootstrap(), human_count(link.mirror_topics()),
               human_lag(link.lag_records(), link.lag_unknown_partitions()), human_lag_ms(link.lag_ms_max())});
  std::cout << (table.empty()
                    ? "no links; make one with: farshore link create NAME --source B --target B --topics 'T*'\n"
                    : table.to_string());
}

void one_link(Session& session, const std::string& link,
              grpc::Status (api::Control::Stub::*method)(grpc::ClientContext*, const api::LinkRef&, api::Link*)) {
  api::LinkRef request;
  request.set_link(link);
  auto reply = session.call(method, request);
  if (session.json()) return session.print(reply);
  print_link(reply);
}

void update(Session& session, const LinkOptions& options) {
  api::UpdateLinkRequest request;
  request.set_link(options.link);
  request.set_dry_run(options.dry_run);
  for (const auto& pair : options.set) {
    auto equals = pair.find('=');
    if (equals == std::string::npos) throw CommandFailed{"--set takes key=value, not '" + pair + "'", 2};
    (*request.mutable_set())[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  auto reply = session.call(&api::Control::Stub::UpdateLink, request);
  if (session.json()) return session.print(reply);
  if (options.dry_run) std::cout << "The link as it would be; nothing was changed.\n";
  print_link(reply);
}

void remove(Session& session, const LinkOptions& options) {
  api::DeleteLinkRequest request;
  request.set_link(options.link);
  request.set_force(options.force);
  request.set_dry_run(options.dry_run);
  auto reply = session.call(&api::Control::Stub::DeleteLink, request);
  if (session.json()) return session.print(reply);
  for (const auto& line : reply.plan()) std::cout << (options.dry_run ? "would " : "") << line << '\n';
}

void tasks(Session& session, const std::string& link) {
  api::LinkRef request;
  request.set_link(link);
  auto reply = session.call(&api::Control::Stub::ListTasks, request);
  if (session.json()) return session.print(to_json(reply)["tasks"]);
  Table table({"TASK", "STATE", "LAST RUN", "RUNS", "ERROR"});
  for (const auto& task : reply.tasks())
    table.row({task.name(), task.state(), human_time_ms(task.last_run_ms()), human_count(task.runs()), task.error()});
  std::cout << table.to_string();
}

}  // namespace

void add_link_commands(CLI::App& app, Session& session) {
  auto* link = app.add_subcommand("link", "links between clusters")->require_subcommand(1);
  auto options = std::make_shared<LinkOptions>();
  auto named = [&](const char* name, const char* help) {
    auto* command = link->add_subcommand(name, help);
    command->add_option("link", options->link, "name of the link")->required();
    return command;
  };

  auto* creates = named("create", "link a source cluster to a target cluster");
  creates->add_option("--source", options->source, "bootstrap of the source, host:port[,...]")->required();
  creates->add_option("--target", options->target, "bootstrap of the target; default: the gateway's own target");
  creates->add_option("--topics", options->topics, "'name', 'prefix*', '*', '!excluded'; comma-separated or repeated")
      ->required()
      ->delimiter(',');
  creates->add_option("--groups", options->groups, "consumer groups whose committed offsets are copied; default '*'")
      ->delimiter(',');
  creates
      ->add_option("--mode", options->mode,
                   "mirror (Farshore target: same offsets) or relay (any other Kafka: exact translation)")
      ->check(CLI::IsMember({"mirror", "relay"}));
  creates->add_option("--prefix", options->prefix, "prefix of the topics' names at the target");
  creates
      ->add_option("--on-divergence", options->on_divergence,
                   "if the source loses mirrored records: cut the mirror (truncate), also if nothing is left of it "
                   "(truncate-all), or fail the topic (stop)")
      ->check(CLI::IsMember({"truncate", "truncate-all", "stop"}));
  creates->add_option("--source-cluster-id", options->source_cluster_id,
                      "the source's cluster id; another cluster is refused");
  creates->add_option("--target-cluster-id", options->target_cluster_id,
                      "the target's cluster id; another cluster is refused");
  creates->add_flag("--no-group-sync", options->no_group_sync, "do not copy committed offsets of consumer groups");
  creates->add_option("--set", options->set, "other properties, key=value");
  creates->add_flag("--dry-run", options->dry_run, "check everything and say what would happen");
  creates->callback([&session, options] { create(session, *options); });

  link->add_subcommand("list", "all links")->callback([&session] { list(session); });
  named("describe", "one link, with its tasks")->callback([&session, options] {
    one_link(session, options->link, &api::Control::Stub::DescribeLink);
  });
  named("pause", "stop copying; nothing is lost")->callback([&session, options] {
    one_link(session, options->link, &api::Control::Stub::PauseLink);
  });
  named("resume", "copy again, from the end of the target's logs")->callback([&session, options] {
    one_link(session, options->link, &api::Control::Stub::ResumeLink);
  });
  link->add_subcommand("properties", "list the properties that --set takes (needs no gateway)")->callback([] {
    std::cout << help_text(link_property_schema());
  });
  auto* updates = named("update", "change properties of a link");
  updates->add_option("--set", options->set, "key=value")->required();
  updates->add_flag("--dry-run", options->dry_run, "check only");
  updates->callback([&session, options] { update(session, *options); });
  auto* deletes = named("delete", "delete a link; its topics stay at the target");
  deletes->add_flag("--force", options->force,
                    "delete it even if mirror topics are not STOPPED (they stay as they are)");
  deletes->add_flag("--dry-run", options->dry_run, "say what would happen");
  deletes->callback([&session, options] { remove(session, *options); });
  named("task", "the tasks of a link and their last errors")->callback([&session, options] {
    tasks(session, options->link);
  });
}

}  // namespace farshore::cli
