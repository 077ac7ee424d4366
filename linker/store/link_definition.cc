#include "linker/store/link_definition.h"

#include "base/side_by_side.h"

namespace farshore::linker {
namespace {

constexpr size_t kForgottenAtOnce = 16;  // entries of a link that is deleted

}  // namespace

LinkDefinition::LinkDefinition(Reactor& reactor, LinkStore& store, StoredLink link, int64_t revision)
    : reactor_(reactor), store_(store), revision_(revision), storing_(reactor) {
  take(std::move(link));
}

void LinkDefinition::take(StoredLink link) {
  link_ = std::move(link);
  paused_topics_ = {link_.paused_topics.begin(), link_.paused_topics.end()};
}

bool LinkDefinition::topic_paused(const std::string& topic) const { return paused_topics_.contains(topic); }

void LinkDefinition::learn_cluster_ids(const ClusterId& source, const ClusterId& target) {
  link_.spec.source_cluster_id = source;
  link_.spec.target_cluster_id = target;
}

Task<Result<StoredEntry>> LinkDefinition::stored_if_ours(Deadline deadline) {
  auto read = co_await store_.read(key(), deadline);
  // Another cluster answers: that says nothing about the link.
  if (!read && read.error() == ErrorCode::kConflict) co_return Error(ErrorCode::kUnavailable, read.error().detail);
  if (!read) co_return std::move(read).error();
  StoredEntry entry = std::move(*read);
  if (entry.revision == 0) co_return Error(ErrorCode::kNotFound, "the link was deleted at the target");
  CO_TRY(StoredLink stored, decode_stored_link(entry.value));
  if (stored.id != link_.id || stored.epoch != link_.epoch)
    co_return Error(ErrorCode::kConflict, "another gateway has taken this link over");
  co_return std::move(entry);
}

// With storing_ held, after a write that lost: it may have lost against an earlier write of this gateway whose answer
// never came.
Task<Status> LinkDefinition::reread(Deadline deadline) {
  CO_TRY(StoredEntry entry, co_await stored_if_ours(deadline));
  CO_TRY(StoredLink stored, decode_stored_link(entry.value));
  take(std::move(stored));
  revision_ = entry.revision;
  co_return ok();
}

Task<Result<StoredLink>> LinkDefinition::update(Edit edit, Deadline deadline) {
  auto guard = co_await storing_.lock(deadline);
  if (!guard) co_return guard.error().in("another change of the link is being stored");
  StoredLink before = link_;
  for (bool again = true;; again = false) {
    StoredLink changed = link_;
    CO_CHECK(edit(changed));
    StoredEntry entry;
    entry.key = key();
    entry.value = encode(changed);
    entry.revision = revision_;
    auto revision = co_await store_.replace(std::move(entry), deadline);
    if (revision) {
      revision_ = *revision;
      take(std::move(changed));
      co_return before;
    }
    if (revision.error() != ErrorCode::kConflict || !again) co_return std::move(revision).error();
    CO_CHECK(co_await reread(deadline));
  }
}

Task<Status> LinkDefinition::forget(Deadline deadline) {
  auto guard = co_await storing_.lock(deadline);
  if (!guard) co_return guard.error().in("another change of the link is being stored");
  // Listed before the entry goes: afterwards another gateway may make a link of that name, with entries of its own.
  auto rest = co_await store_.list(link_children_prefix(link_.spec.name), deadline);
  for (bool again = true;; again = false) {
    StoredEntry entry;
    entry.key = key();
    entry.revision = revision_;
    auto deleted = co_await store_.replace(std::move(entry), deadline);
    if (deleted) break;
    // An earlier change of this gateway may have been stored although its answer never came.
    if (deleted.error() != ErrorCode::kConflict || !again) co_return std::move(deleted).error();
    CO_CHECK(co_await reread(deadline));
  }
  // If this fails, the entries left behind do no harm: readers find no link that they belong to, and the backend
  // collects them.
  if (!rest) co_return ok();
  bool ended = false;
  OneOfMany one = [&](size_t i) { return forget_one(std::move((*rest)[i]), ended, deadline); };
  co_await side_by_side(reactor_, rest->size(), kForgottenAtOnce, std::move(one));
  co_return ok();
}

Task<void> LinkDefinition::forget_one(StoredEntry left, bool& ended, Deadline deadline) {
  if (ended || parse_link_key(left.key).kind == LinkKey::Kind::kRelayTopic) co_return;
  left.value.clear();
  auto deleted = co_await store_.replace(std::move(left), deadline);  // kConflict: it is another link's already
  // kFenced: a deleted link writes nothing more.
  if (!deleted && deleted.error() != ErrorCode::kConflict) ended = true;
}

}  // namespace farshore::linker
