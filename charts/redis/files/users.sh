#!/bin/sh
# Redis's users: printed as lines of its configuration, or set on the running server, which is not restarted.
#
# `admin` may do everything. The services have two users, who may do all but administrate: the one that $REDIS_URL names
# logs in with $REDIS_PASSWORD, the other with $REDIS_SPARE_PASSWORD, which is there while a rotation lasts; without it the
# other can't log in, and where that is set its connections are ended. Redis is given the passwords' SHA-256, on its
# standard input or in a file: they are nobody's arguments.
#
# Environment: REDISCLI_AUTH (the admin's password), REDIS_URL (redis://user:password@host:port/…), REDIS_PASSWORD,
# REDIS_SPARE_PASSWORD (optional); to set: WAIT_SECONDS.
# Usage: users.sh print|set
set -eu
: "${REDISCLI_AUTH:?}" "${REDIS_PASSWORD:?}" # without its users' lines Redis would let everybody in

user=${REDIS_URL#*://}
case "${user%%:*}" in
    '' | default) used=default idle=default_b ;;
    default_b) used=default_b idle=default ;;
    *)
        echo "REDIS_URL names neither of the users default and default_b: see docs/how-to/rotate-secrets.md" >&2
        exit 1
        ;;
esac

rules() { # name, password or nothing, what it may do
    if [ -n "$2" ]; then
        printf '%s reset on #%s %s\n' "$1" "$(printf '%s' "$2" | sha256sum | cut -d ' ' -f 1)" "$3"
    else
        printf '%s reset off %s\n' "$1" "$3"
    fi
}

services() {
    rules "$used" "$REDIS_PASSWORD" '~* &* +@all -@admin'
    rules "$idle" "${REDIS_SPARE_PASSWORD:-}" '~* &* +@all -@admin'
}

address=${REDIS_URL##*@}
address=${address%%/*}
ask() { redis-cli -h "${address%:*}" -p "${address##*:}" --user admin "$@" 2>&1; }

wait_for_redis() {
    deadline=$(($(date +%s) + ${WAIT_SECONDS:-300}))
    until answer=$(ask ping) && [ "$answer" = PONG ]; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "Redis did not let the admin in within ${WAIT_SECONDS:-300} s; it said last: $answer" >&2
            exit 1
        fi
        sleep 1
    done
}

disconnect() {
    # A connection that has not logged in yet counts as `default`: of what is open only what was before is ended.
    sleep 3
    ask client list | awk -v user="user=$1" '{
        id = age = 0
        for (i = 1; i <= NF; i++) {
            if ($i ~ /^id=/) id = substr($i, 4)
            if ($i ~ /^age=/) age = substr($i, 5)
        }
        for (i = 1; i <= NF; i++) if ($i == user && age >= 2) print "CLIENT KILL ID " id
    }' | ask > /dev/null
}

case "${1:-}" in
    print) { rules admin "$REDISCLI_AUTH" '~* &* +@all'; services; } | sed 's/^/user /' ;;
    set)
        wait_for_redis
        answer=$(services | sed 's/^/ACL SETUSER /' | ask)
        if [ "$answer" != "$(printf 'OK\nOK')" ]; then
            echo "Redis did not take its users: $answer" >&2
            exit 1
        fi
        [ -n "${REDIS_SPARE_PASSWORD:-}" ] || disconnect "$idle"
        ;;
    *)
        echo "Usage: users.sh print|set" >&2
        exit 2
        ;;
esac
