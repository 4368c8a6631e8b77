# $1 role, $2 database, $3 port, $4 "role": only that role's, $5 "titles": may signal
export PGCONNECT_TIMEOUT=2
freed=$(psql -X -q -A -t -w -U "${POSTGRES_USER:-postgres}" -p "$3" -d postgres -v role="$1" -v db="$2" -v only="$4" 2>/dev/null <<'SQL'
SELECT pid FROM (
  SELECT pid FROM pg_stat_activity
  WHERE datname = :'db' AND state = 'idle' AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND (:'only' = '' OR usename = :'role')
  ORDER BY state_change LIMIT 1) AS oldest
WHERE pg_terminate_backend(pid)
SQL
)
if [ $? -eq 0 ]; then
  [ -z "$freed" ] || echo "pg_terminate_backend($freed)"
  exit 0
fi
[ "$5" = titles ] || exit 0

title() {
  t=$(tr '\000' ' ' 2>/dev/null <"/proc/$1/cmdline") || return
  printf '%s' "${t%"${t##*[! ]}"}"
}
started() {
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return
  set -f
  set -- ${s##*) }
  echo "${20}"
}
ours() {
  case $1 in "postgres: $role $db "*" idle") ;; *) return 1 ;; esac
  client=${1#"postgres: $role $db "}
  case ${client% idle} in *' '* | '') return 1 ;; esac
}
role=$1 db=$2 oldest= since=
for dir in /proc/[0-9]*; do
  pid=${dir#/proc/}
  [ "$(cat "$dir/comm" 2>/dev/null)" = postgres ] && ours "$(title "$pid")" || continue
  at=$(started "$pid")
  if [ -n "$at" ] && { [ -z "$since" ] || [ "$at" -lt "$since" ]; }; then
    oldest=$pid since=$at
  fi
done
if [ -n "$oldest" ] && [ "$(started "$oldest")" = "$since" ] && ours "$(title "$oldest")"; then
  kill -TERM "$oldest" && echo "SIGTERM to idle backend $oldest"
fi
exit 0
