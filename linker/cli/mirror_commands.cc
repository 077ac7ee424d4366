#include <charconv>
#include <iostream>

#include "linker/cli/session.h"
#include "linker/cli/verb_total.h"

namespace farshore::cli {
namespace {

// Limits of commands that do more than ask; --timeout sets another one. A promote that gives up needs some time to undo
// what it did.
constexpr std::chrono::milliseconds kPromoteDefault{60000};
constexpr std::chrono::seconds kGiveUpTime{30}, kFailoverLimit{300}, kVerifyLimit{600};

struct MirrorOptions {
  std::string link, topic, source_topic, state;
  std::vector<std::string> topics, go_on_at;
  bool all = false, dry_run = false, source_quiesced = false, allow_source_writes = false;
  int64_t deadline_ms = 0;
};

void print_promotion(const api::PromotionRecord& record, bool dry_run = false) {
  if (dry_run)
    std::cout << "What a " << record.kind() << " would report now:\n";
  else
    std::cout << "Ended by " << record.kind() << " at " << human_time_ms(record.wall_ms()) << '\n';
  Table table({"PARTITION", "ENDS AT", "NEW EPOCH", "LOST AT LEAST", "BLIND FOR", "STRANDED", "ABORTED", "TORN"});
  for (const auto& p : record.partitions())
    table.row({std::to_string(p.partition()), p.state().empty() ? std::to_string(p.failover_offset()) : p.state(),
               std::to_string(p.new_epoch()),
               !loss_is_known(p)
                   ? "unknown"
                   : human_count(p.lost_at_least_records()) + " records, " + human_duration_ms(p.lost_at_least_ms()),
               human_lag_ms(p.blind_window_ms()), human_count(p.stranded_records()),
               std::to_string(p.aborted_transactions_size()), std::to_string(p.torn_transactions_size())});
  std::cout << table.to_string();
  for (const auto& p : record.partitions())
    for (const auto& torn : p.torn_transactions())
      std::cout << "Torn transaction: partition " << p.partition() << ": " << torn << '\n';
}

std::string known(int64_t offset) { return offset < 0 ? "unknown" : std::to_string(offset); }

void print_loss(const api::NamedLoss& loss) {
  std::cout << "  " << human_time_ms(loss.wall_ms());
  if (loss.partition() >= 0)
    std::cout << " partition " << loss.partition() << " offsets [" << loss.from_offset() << ", " << loss.to_offset()
              << ")";
  else
    std::cout << " several partitions";
  std::cout << ' ' << loss.kind();
  if (loss.ranges() > 1)
    std::cout << ": " << human_losses(loss.ranges(), loss.offsets()) << ", since "
              << human_time_ms(loss.first_wall_ms());
  std::cout << '\n';
}

void print_mirror(const api::MirrorTopic& mirror) {
  std::cout << "Mirror topic:  " << mirror.topic() << "\nLink:          " << mirror.link() << " (" << mirror.mode()
            << ")"
            << "\nSource topic:  " << mirror.source_topic() << "  id " << mirror.source_topic_id()
            << "\nState:         " << mirror.state();
  if (!mirror.state_reason().empty()) std::cout << " (" << mirror.state_reason() << ")";
  std::cout << ", since " << human_time_ms(mirror.state_since_ms())
            << "\nLag:           " << human_lag(mirror.lag_records(), mirror.lag_unknown_partitions()) << " records, "
            << human_lag_ms(mirror.lag_ms_max()) << '\n';
  for (const auto& note : mirror.notes()) std::cout << "Note:          " << note << '\n';
  if (mirror.losses_total() > 0)
    std::cout << "Lost:          " << human_losses(mirror.losses_total(), mirror.lost_offsets_total()) << '\n';
  for (const auto& loss : mirror.losses()) print_loss(loss);
  if (!mirror.source_fence().empty()) std::cout << "Source writes: " << mirror.source_fence() << '\n';
  for (const auto& drift : mirror.config_drift()) std::cout << "Config drift:  " << drift << '\n';
  Table table({"PARTITION", "STATE", "SOURCE HW", "MIRRORED TO", "LAG", "LAG TIME", "LAST CONTACT", "ERROR"});
  for (const auto& p : mirror.partitions())
    table.row({std::to_string(p.partition()), p.state(), known(p.source_high_watermark()),
               known(p.mirrored_end_offset()), human_lag(p.lag_records(), 0), human_lag_ms(p.lag_ms()),
               human_ago_ms(p.last_contact_ms_ago()), p.error()});
  if (!table.empty()) std::cout << '\n' << table.to_string();
  if (mirror.has_promotion() && !mirror.promotion().kind().empty()) {
    std::cout << '\n';
    print_promotion(mirror.promotion());
  }
}

void print_mirrors(const google::protobuf::RepeatedPtrField<api::MirrorTopic>& mirrors) {
  Table table({"TOPIC", "LINK", "SOURCE TOPIC", "STATE", "PARTITIONS", "LAG RECORDS", "LAG", "REASON"});
  for (const auto& m : mirrors)
    table.row({m.topic(), m.link(), m.source_topic(), m.state(), std::to_string(m.partitions_size()),
               human_lag(m.lag_records(), m.lag_unknown_partitions()), human_lag_ms(m.lag_ms_max()), m.state_reason()});
  std::cout << (table.empty() ? "no mirror topics\n" : table.to_string());
}

template <class Request>
void fill(Request& request, const MirrorOptions& options) {
  if (options.topics.empty() == !options.all)
    throw CommandFailed{"name the topics, or give --all for every mirror topic of the link (not both)", 2};
  request.set_link(options.link);
  for (const auto& topic : options.topics) request.add_topics(topic);
  request.set_all(options.all);
}

// Reads a stream of progress to its end. Exit code 1 if any topic ended with an error. `total` is printed at the end.
template <class Message>
void follow(Session& session, std::unique_ptr<grpc::ClientReader<Message>> reader,
            const std::function<bool(const Message&)>& show, const std::function<std::string()>& total = nullptr) {
  auto all = nlohmann::ordered_json::array();
  bool failed = false;
  Message message;
  while (reader->Read(&message)) {
    if (session.json()) all.push_back(to_json(message));
    failed |= !show(message);
  }
  auto status = reader->Finish();
  if (session.json()) session.print(all);
  if (const std::string text = total && !session.json() ? total() : std::string(); !text.empty())
    std::cout << text << std::endl;
  session.check(status);
  if (failed) throw CommandFailed{"", 1};
}

bool show_verb(const Session& session, const api::VerbProgress& progress, bool dry_run) {
  if (!session.json()) {
    std::cout << progress.topic() << ": "
              << (progress.error().empty() ? progress.step() : "FAILED: " + progress.error());
    if (progress.done() && progress.rto_ms() > 0 && !dry_run)
      std::cout << "  (took " << human_duration_ms(progress.rto_ms()) << ")";
    std::cout << std::endl;
    if (progress.done() && progress.mirror().has_promotion()) print_promotion(progress.mirror().promotion(), dry_run);
  }
  return progress.error().empty();
}

// Shows each step, and the total of all topics.
void follow_verb(Session& session, std::unique_ptr<grpc::ClientReader<api::VerbProgress>> reader, bool dry_run) {
  VerbTotal total;
  const auto show = [&](const api::VerbProgress& progress) {
    total.add(progress);
    return show_verb(session, progress, dry_run);
  };
  follow<api::VerbProgress>(session, std::move(reader), show, [&] { return total.to_string(dry_run); });
}

void promote(Session& session, const MirrorOptions& options) {
  api::PromoteRequest request;
  fill(request, options);
  request.set_dry_run(options.dry_run);
  request.set_source_quiesced(options.source_quiesced);
  request.set_allow_source_writes(options.allow_source_writes);
  request.set_deadline_ms(options.deadline_ms);
  grpc::ClientContext context;
  const auto limit = options.deadline_ms > 0 ? std::chrono::milliseconds(options.deadline_ms) : kPromoteDefault;
  session.begin(context, std::chrono::ceil<std::chrono::seconds>(limit) + kGiveUpTime);
  follow_verb(session, session.stub().Promote(&context, request), options.dry_run);
}

void failover(Session& session, const MirrorOptions& options) {
  api::FailoverRequest request;
  fill(request, options);
  request.set_dry_run(options.dry_run);
  grpc::ClientContext context;
  session.begin(context, kFailoverLimit);
  follow_verb(session, session.stub().Failover(&context, request), options.dry_run);
}

void verify(Session& session, const MirrorOptions& options) {
  api::VerifyRequest request;
  fill(request, options);
  grpc::ClientContext context;
  session.begin(context, kVerifyLimit);
  follow<api::VerifyProgress>(session, session.stub().Verify(&context, request), [&](const api::VerifyProgress& p) {
    const bool fine = p.error().empty() && (!p.done() || p.equal() || p.not_compared());
    if (!session.json() && p.done()) {
      std::cout << p.topic();
      if (p.partition() >= 0) std::cout << '-' << p.partition();
      if (p.from_offset() >= 0) std::cout << "  [" << p.from_offset() << ", " << p.to_offset() << ")";
      if (!p.error().empty())
        std::cout << "  FAILED: " << p.error();
      else if (p.equal())
        std::cout << "  equal  " << p.source_digest();
      else if (p.not_compared())
        std::cout << "  not compared";
      else
        std::cout << "  DIFFERENT from offset " << p.first_difference();
      if (!p.note().empty()) std::cout << "  (" << p.note() << ")";
      std::cout << std::endl;
    }
    return fine;
  });
}

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

void pause_or_resume(Session& session, const MirrorOptions& options,
                     grpc::Status (api::Control::Stub::*method)(grpc::ClientContext*, const api::MirrorsRequest&,
                                                                api::MirrorsReply*)) {
  api::MirrorsRequest request;
  fill(request, options);
  request.set_dry_run(options.dry_run);
  for (const std::string& text : options.go_on_at) {
    api::GoOnAt& at = *request.add_go_on_at();
    const size_t colon = text.find(':');
    const auto offset = colon == std::string::npos ? std::nullopt : whole_number(text.substr(colon + 1));
    const auto partition = whole_number(text.substr(0, colon));
    if (!offset || !partition || *partition > INT32_MAX)
      throw CommandFailed{"--go-on-at wants PARTITION:OFFSET, not " + text, 2};
    at.set_partition(static_cast<int32_t>(*partition));
    at.set_source_offset(*offset);
  }
  auto reply = session.call(method, request);
  if (session.json()) return session.print(reply);
  for (const auto& line : reply.plan()) std::cout << (options.dry_run ? "would " : "") << line << '\n';
  print_mirrors(reply.mirrors());
}

}  // namespace

void add_mirror_commands(CLI::App& app, Session& session) {
  auto* mirror = app.add_subcommand("mirror", "mirror topics of a link")->require_subcommand(1);
  auto options = std::make_shared<MirrorOptions>();
  auto command = [&](const char* name, const char* help) {
    auto* sub = mirror->add_subcommand(name, help);
    sub->add_option("--link", options->link, "name of the link")->required();
    return sub;
  };
  auto many = [&](const char* name, const char* help) {
    auto* sub = command(name, help);
    sub->add_option("topics", options->topics, "mirror topics, by their names at the target");
    sub->add_flag("--all", options->all, "every mirror topic of the link");
    sub->add_flag("--dry-run", options->dry_run, "say what would happen");
    return sub;
  };

  auto* creates = command("create", "mirror one topic that the link's filters do not select");
  creates->add_option("source-topic", options->source_topic, "topic at the source")->required();
  creates->add_option("--topic", options->topic,
                      "its name at the target; default: the link's prefix and the same name");
  creates->add_flag("--dry-run", options->dry_run, "check only");
  creates->callback([&session, options] {
    api::CreateMirrorRequest request;
    request.set_link(options->link);
    request.set_source_topic(options->source_topic);
    request.set_topic(options->topic);
    request.set_dry_run(options->dry_run);
    auto reply = session.call(&api::Control::Stub::CreateMirror, request);
    if (session.json()) return session.print(reply);
    print_mirror(reply);
  });

  auto* lists = mirror->add_subcommand("list", "mirror topics");
  lists->add_option("--link", options->link, "only of this link");
  lists->add_option("--state", options->state, "only in this state (ACTIVE, FAILED, ...)");
  lists->callback([&session, options] {
    api::ListMirrorsRequest request;
    request.set_link(options->link);
    request.set_state(options->state);
    auto reply = session.call(&api::Control::Stub::ListMirrors, request);
    if (session.json()) return session.print(to_json(reply)["mirrors"]);
    print_mirrors(reply.mirrors());
  });

  auto* describes = command("describe", "one mirror topic, by partition");
  describes->add_option("topic", options->topic, "name at the target")->required();
  describes->callback([&session, options] {
    api::MirrorRef request;
    request.set_link(options->link);
    request.set_topic(options->topic);
    auto reply = session.call(&api::Control::Stub::DescribeMirror, request);
    if (session.json()) return session.print(reply);
    print_mirror(reply);
  });

  many("pause", "stop mirroring these topics")->callback([&session, options] {
    pause_or_resume(session, *options, &api::Control::Stub::PauseMirrors);
  });
  auto* resumes = many("resume", "mirror these topics again; also tries FAILED topics again, after a repair");
  resumes->add_option("--go-on-at", options->go_on_at,
                      "PARTITION:OFFSET of a FAILED relay: go on at this source offset, and give up what is before it "
                      "and not known to be at the target; the range is recorded and shown");
  resumes->callback([&session, options] { pause_or_resume(session, *options, &api::Control::Stub::ResumeMirrors); });
  auto* promotes =
      many("promote", "planned switch: wait until all records are mirrored, then make the topics writable");
  promotes->add_flag("--source-quiesced", options->source_quiesced, "producers at a Kafka source have been stopped");
  promotes->add_flag("--allow-source-writes", options->allow_source_writes,
                     "accept that records written to the source later are not copied");
  promotes->add_option("--deadline-ms", options->deadline_ms, "give up after this many milliseconds; default 60000");
  promotes->callback([&session, options] { promote(session, *options); });
  many("unfence", "let clients of the source write again to topics that a promote has fenced")
      ->callback([&session, options] { pause_or_resume(session, *options, &api::Control::Stub::UnfenceMirrors); });
  auto* fails_over = many("failover", "end the mirrors at once, whatever the lag; reports at least how much is lost");
  fails_over->get_option("--link")->required(false)->description(
      "name of the link; without it: mirrors whose link was deleted");
  fails_over->callback([&session, options] { failover(session, *options); });
  many("verify", "compare the records of source and target by digests")->callback([&session, options] {
    verify(session, *options);
  });
}

}  // namespace farshore::cli
