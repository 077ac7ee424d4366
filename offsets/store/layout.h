// Codec of the store's rows; FORMAT.md has the fields. Bytes from the KvStore are checked: a row of another version, or
// a damaged one, is kCorrupt, and the owner deletes the store.
#pragma once

#include <string>
#include <string_view>

#include "offsets/store/translation_store.h"

namespace farshore::offsets::layout {

inline constexpr char kRunRows = 'r', kTargetRows = 't', kAnchorRows = 'a', kAppliedRows = 'p', kUnloggedRows = 'u';
// Sealed runs (run_table.h), and the same by target.
inline constexpr char kBlockRows = 'b', kBlockTargetRows = 'c';
inline constexpr char kIdentityKey[] = "m/log";
// Before the identity once a run was sealed: programs that know no blocks take the image for another log's, and rebuild
// it.
inline constexpr std::string_view kSealedMark = "sealed:";

// Of one table ('r', 't', 'a'), all rows of a key: [prefix, prefix_end).
std::string prefix(char table, const LinkPartition& key);
std::string prefix_end(char table, const LinkPartition& key);

// A row of a table that is ordered by the runs' place.
std::string place_key(char table, const LinkPartition& key, LogEpoch epoch, SourceOffset source);
std::string run_key(const LinkPartition& key, LogEpoch epoch, SourceOffset source);
std::string run_value(const TranslationRun& run);
Result<TranslationRun> read_run(std::string_view key, std::string_view value);

// The same run, found by its target.
std::string target_key(const LinkPartition& key, TargetOffset target);
std::string target_value(const TranslationRun& run);
Result<TranslationRun> read_target(std::string_view key, std::string_view value);

// Where the block of sealed runs is whose first run is at this target.
std::string block_target_key(const LinkPartition& key, TargetOffset target);
std::string block_target_value(const TranslationRun& first);
Result<std::pair<LogEpoch, SourceOffset>> read_block_target(std::string_view value);

std::string anchor_key(const LinkPartition& key, const RelayAnchor& anchor);
std::string anchor_value(const RelayAnchor& anchor);
Result<RelayAnchor> read_anchor(std::string_view key, std::string_view value);

std::string unlogged_value(TargetOffset logged_end);  // its key is the bare prefix
Result<TargetOffset> read_unlogged(std::string_view value);

std::string applied_key(int32_t log_partition);
std::string applied_value(const AppliedTo& to);
Result<std::pair<int32_t, AppliedTo>> read_applied(std::string_view key, std::string_view value);

}  // namespace farshore::offsets::layout
