#!/usr/bin/env bash
# upward_include.sh COMPILER BUILD_DIR: a file of room `base` that includes a header of a room above must not compile,
# and the same file without that include must (so that this test cannot pass by accident).
set -euo pipefail
compiler=$1 view=$2/view
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
compile() { "$compiler" -std=c++20 -fsyntax-only -I"$view/base" -I"$view/proto_batch" "$1" 2>"$dir/out"; }

printf '#include "base/bytes.h"\nint main() {}\n' > "$dir/allowed.cc"
printf '#include "base/bytes.h"\n#include "broker/log/log.h"\nint main() {}\n' > "$dir/upward.cc"
compile "$dir/allowed.cc" || { cat "$dir/out"; echo "the control file does not compile"; exit 1; }
if compile "$dir/upward.cc"; then echo "an upward include compiled"; exit 1; fi
grep -q 'broker/log/log.h' "$dir/out" || { cat "$dir/out"; echo "it failed for another reason"; exit 1; }
echo "refused, as it must be"
