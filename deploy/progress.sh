# Progress of long work. Sourced by deploy/quickstart and deploy/install-packages; bash only, because python3 may not be
# installed yet. On a terminal: one live line, drawn again each second. Elsewhere: a plain line for every tenth of the
# work, and one after 30 seconds without any.
#
#   ninja_command   | progress ninja building SECONDS      lines like "[12/215] Building CXX object a.o"
#   apt_get_command | progress apt   installing SECONDS    lines of APT::Status-Fd, like "pmstatus:zstd:45.0:Unpacking"
#
# SECONDS: how long the work is expected to take. It is used for the first 5 seconds, and until a twentieth of the work is
# done; from then on the time that is left follows from the measured rate. Lines that are not progress (compiler output) are printed as they are.
# PROGRESS_TERMINAL=0 or 1 overrides the test for a terminal.

progress_time() {  # SECONDS -> "45 s", "12 min"
  if [ "$1" -ge 100 ]; then printf '%d min' $((($1 + 30) / 60)); else printf '%d s' "$1"; fi
}

# Sets done_ and total from a line; fails if the line is no progress.
progress_parse_ninja() {
  [[ $1 =~ ^\[([0-9]+)/([0-9]+)\]\ (Building|Linking|Generating|Creating|Re-|Running|Scanning|Copying) ]] || return 1
  done_=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
}
progress_parse_apt() {  # downloading is the first half of a thousand, installing the second
  [[ $1 =~ ^(dl|pm)status:[^:]*:([0-9]+)(\.([0-9]))?[0-9]*: ]] || return 1
  total=1000 done_=$(((10#${BASH_REMATCH[2]}) * 5 + 10#${BASH_REMATCH[4]:-0} / 2))
  [ "${BASH_REMATCH[1]}" = dl ] || done_=$((done_ + 500))
}

progress_left() {  # DONE TOTAL ELAPSED EXPECTED -> what is left, in words
  local left
  if [ "$3" -ge 5 ] && [ "$2" -gt 0 ] && [ $(($1 * 20)) -ge "$2" ]; then left=$(($3 * ($2 - $1) / $1)); else left=$(($4 - $3)); fi
  if [ "$left" -ge 0 ]; then printf 'about %s left' "$(progress_time "$left")"; else printf 'longer than expected'; fi
}

progress_text() {  # WORK DONE TOTAL ELAPSED EXPECTED
  local share=''
  [ "$3" -eq 0 ] || { [ "$3" = 1000 ] && share="$(($2 / 10)) %, " || share="step $2 of $3, "; }
  printf '%s: %s%s so far, %s' "$1" "$share" "$(progress_time "$4")" "$(progress_left "$2" "$3" "$4" "$5")"
}

progress() {  # FORMAT WORK SECONDS
  local format=$1 work=$2 expected=$3 began=$SECONDS done_=0 total=0 terminal=0 tenth=-1 said=0 line part='' now status
  [ -t 1 ] && terminal=1
  terminal=${PROGRESS_TERMINAL:-$terminal}
  while true; do
    now=$((SECONDS - began))
    if [ "$terminal" = 1 ]; then
      printf '\r\033[K  %s' "$(progress_text "$work" $done_ $total $now "$expected")"
    elif [ $tenth -lt $((total > 0 ? done_ * 10 / total : 0)) ] || [ $((now - said)) -ge 30 ]; then
      tenth=$((total > 0 ? done_ * 10 / total : 0)) said=$now
      printf '  %s\n' "$(progress_text "$work" $done_ $total $now "$expected")"
    fi
    status=0
    IFS= read -r -t 1 line || status=$?
    if [ $status -gt 128 ]; then  # a second without a whole line: keep its beginning
      part+=$line
      continue
    fi
    line=$part$line part=''
    if [ $status != 0 ] && [ -z "$line" ]; then break; fi
    if ! progress_parse_"$format" "$line" && [ "$line" != 'ninja: no work to do.' ] && [ "$format" = ninja ]; then
      [ "$terminal" = 0 ] || printf '\r\033[K'
      printf '%s\n' "$line"
    fi
    [ $status = 0 ] || break
  done
  [ "$terminal" = 0 ] || printf '\r\033[K'
  printf '  %s: %s in all\n' "$work" "$(progress_time $((SECONDS - began)))"
}
