# $1 role, $2 database, $3 port, $4 "role": only that role's, $5 "titles": may signal, $6 how many
export PGCONNECT_TIMEOUT=2
freed=$(psql -X -q -A -t -w -U "${POSTGRES_USER:-postgres}" -p "$3" -d postgres -v role="$1" -v db="$2" -v only="$4" -v n="$6" 2>/dev/null <<'SQL'
SELECT pid FROM (
  SELECT pid FROM pg_stat_activity
  WHERE datname = :'db' AND state = 'idle' AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND (:'only' = '' OR usename = :'role')
  ORDER BY state_change LIMIT :n) AS oldest
WHERE pg_terminate_backend(pid)
SQL
)
if [ $? -eq 0 ]; then
  for pid in $freed; do echo "pg_terminate_backend($pid)"; done
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
  case $1 in "postgres: $cluster$role $db "*" idle") ;; *) return 1 ;; esac
  client=${1#"postgres: $cluster$role $db "}
  case ${client% idle} in *' '* | '') return 1 ;; esac
}
# cluster_name stands before the names in every title: "postgres: NAME: checkpointer".
cluster=
for dir in /proc/[0-9]*; do
  case $(title "${dir#/proc/}") in
  "postgres: "*": checkpointer")
    cluster=$(title "${dir#/proc/}")
    cluster=${cluster#"postgres: "}
    cluster=${cluster%checkpointer}
    ;;
  esac
done
role=$1 db=$2
for dir in /proc/[0-9]*; do
  pid=${dir#/proc/}
  [ "$(cat "$dir/comm" 2>/dev/null)" = postgres ] && ours "$(title "$pid")" && echo "$(started "$pid") $pid"
done | sort -n | head -n "$6" | while read -r since pid; do
  if [ -n "$pid" ] && [ "$(started "$pid")" = "$since" ] && ours "$(title "$pid")"; then
    kill -TERM "$pid" && echo "SIGTERM to idle backend $pid"
  fi
done
exit 0
