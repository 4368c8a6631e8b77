# $1 pid of the postmaster, $2 role, $3 database, $4 port, $5 "role": only that role's,
# $6 how many at most, $7 the pids that may go, with commas; empty: any
export PGCONNECT_TIMEOUT=2 PGOPTIONS='-c search_path=pg_catalog'
postmaster=$1 role=$2 db=$3 only=$5 most=$6 pids=$7 tried=' '
for superuser in "$POSTGRES_USER" "$POSTGRESQL_USERNAME" postgres "$(id -un 2>/dev/null)"; do
  case $tried in *" $superuser "*) continue ;; esac
  tried="$tried$superuser "
  [ -n "$superuser" ] || continue
  freed=$(psql -X -q -A -t -w -U "$superuser" -p "$4" -d postgres -v role="$role" -v db="$db" -v only="$only" -v most="$most" -v pids="$pids" 2>/dev/null <<'SQL'
SELECT pid FROM (
  SELECT pid FROM pg_stat_activity AS a
  WHERE datname = :'db' AND state = 'idle' AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND (:'only' = '' OR usename = :'role')
    AND (:'pids' = '' OR pid = ANY (string_to_array(:'pids', ',')::int[]))
    AND query !~* '^\s*listen\M' AND NOT EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND locktype = 'advisory')
  ORDER BY state_change LIMIT :most) AS oldest
WHERE pg_terminate_backend(pid)
SQL
  ) || continue
  for pid in $freed; do echo "pg_terminate_backend($pid)"; done
  exit 0
done

# No programs are started from here on, whose time would add up: read leaves out
# the NULs behind a title.
title() {
  title=
  IFS= read -r title 2>/dev/null <"/proc/$1/cmdline"
  title=${title%"${title##*[! ]}"}
}
# started sets since when a child of the postmaster runs; it fails for others.
started() {
  started= stat=
  read -r stat 2>/dev/null <"/proc/$1/stat" || return
  set -f
  set -- ${stat##*) }
  set +f
  [ "$2" = "$postmaster" ] && started=${20}
}
# ours tells an idle session of the database by its title: $1 1 this role's, 2
# any role's. What has more words than ROLE DATABASE ADDRESS is not looked at: a
# name may hold spaces.
ours() {
  rest=${title#"$prefix"}
  [ "$rest" != "$title" ] || return
  case $1$rest in
  1"$role $db "*' idle') client=${rest#"$role $db "} ;;
  2*" $db "*' idle') client=${rest#*" $db "} && case ${rest%%" $db "*} in *' '* | '') return 1 ;; esac ;;
  *) return 1 ;;
  esac
  case ${client% idle} in *' '* | '') return 1 ;; esac
}
# A server with a cluster_name has it before each title: as the checkpointer's.
prefix=
for dir in /proc/[0-9]*; do
  started "${dir#/proc/}" || continue
  title "${dir#/proc/}"
  case $title in
  'postgres: '*checkpointer) prefix=${title%checkpointer} ;;
  esac
done
[ -n "$prefix" ] || exit 0
# free ends the oldest that was not ended before.
ended=' '
free() {
  for whose in 1 2; do
    [ "$whose$only" != 2role ] || return 1
    oldest= since=
    for dir in /proc/[0-9]*; do
      pid=${dir#/proc/}
      case $ended in *" $pid "*) continue ;; esac
      case ,$pids, in ,, | *",$pid,"*) ;; *) continue ;; esac
      started "$pid" || continue
      title "$pid"
      ours "$whose" || continue
      if [ -z "$since" ] || [ "$started" -lt "$since" ]; then
        oldest=$pid since=$started
      fi
    done
    if [ -n "$oldest" ] && started "$oldest" && [ "$started" = "$since" ] && title "$oldest" && ours "$whose"; then
      kill -TERM "$oldest" && echo "SIGTERM to idle backend $oldest"
      ended="$ended$oldest "
      return 0
    fi
  done
  return 1
}
while [ "$most" -gt 0 ] && free; do
  most=$((most - 1))
done
exit 0
