#!/bin/sh
# Make the database cluster on an empty volume, then become the server. Understands the official image's
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_PASSWORD_FILE, POSTGRES_DB, POSTGRES_INITDB_ARGS and PGDATA.
set -eu

case "${1:-postgres}" in
  postgres) [ $# -eq 0 ] || shift ;;
  -*) ;;
  *) exec "$@" ;;
esac

initialise() {
  user=${POSTGRES_USER:-postgres}
  password=${POSTGRES_PASSWORD:-}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || password=$(cat "$POSTGRES_PASSWORD_FILE")
  if [ -z "$password" ]; then
    echo "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE: a server without a password is not started" >&2
    exit 1
  fi
  # Made beside its place and moved: an interrupted start leaves nothing that looks like a database. Where only
  # PGDATA itself can be written (it is the volume), initdb cleans up after itself as far as it is let.
  target=$PGDATA
  if mkdir -p "$PGDATA.partial" 2>/dev/null; then
    rm -rf "$PGDATA.partial"
    target=$PGDATA.partial
  fi
  secret=$(mktemp)
  printf '%s\n' "$password" >"$secret"
  # shellcheck disable=SC2086 # a list of options
  initdb --pgdata="$target" --username="$user" --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=scram-sha-256 --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
  rm -f "$secret"
  echo "host all all all scram-sha-256" >>"$target/pg_hba.conf"
  if [ -n "${POSTGRES_DB:-}" ] && [ "$POSTGRES_DB" != postgres ]; then
    printf 'CREATE DATABASE "%s";\n' "$POSTGRES_DB" | postgres --single -D "$target" postgres >/dev/null
  fi
  if [ "$target" != "$PGDATA" ]; then
    rmdir "$PGDATA" 2>/dev/null || true
    mv "$target" "$PGDATA"
  fi
}

[ -s "$PGDATA/PG_VERSION" ] || initialise
unset POSTGRES_PASSWORD
exec postgres -c listen_addresses='*' "$@"
