#!/bin/sh
# Makes the database of the environment when the folder is empty, then serves it, as the official image does.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-k /tmp -c listen_addresses=" start
  createdb --host /tmp --username "$POSTGRES_USER" "${POSTGRES_DB:-$POSTGRES_USER}"
  pg_ctl --wait stop
  rm /tmp/password
fi
exec postgres -k /tmp -c "listen_addresses=*"
