#!/bin/sh
# What the entry point of the official image does, in short: as root it goes on
# as the server's account; an empty volume gets a cluster with the roles and the
# database of the environment; then the server takes the place of this shell.
set -e
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}" "${SERVER_UID:=999}"
export PGDATA
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown "$SERVER_UID" "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid "$SERVER_UID" --regid "$SERVER_UID" --clear-groups -- "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
  initdb -U "$POSTGRES_USER" --pwfile=/tmp/password -A "${LOCAL_AUTH:-trust}" --locale=C -E UTF8 --no-sync --wal-segsize=1 >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  printf "fsync = off\nmax_wal_size = 64MB\nmin_wal_size = 32MB\nshared_buffers = 16MB\n" >>"$PGDATA/postgresql.conf"
  printf '%s\n' "$INIT_SQL" | postgres --single -j postgres >/dev/null
fi
exec postgres -c unix_socket_directories=/var/run/postgresql -c "listen_addresses=*" "$@"
