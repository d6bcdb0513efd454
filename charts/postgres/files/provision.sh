#!/bin/sh
# Run init.sql on the PostgreSQL that $ADMIN_URL names, once it lets us in.
#
# psql takes a URL only as an argument, where every process of the machine could read the password. So the URL is
# written as a connection service file (libpq's pg_service.conf) that nobody else can read.
#
# Environment: ADMIN_URL (postgresql://user:password@host:port/database?parameters), WAIT_SECONDS, and init.sql's own.
# Usage: provision.sh init.sql
set -eu
umask 077

PGSERVICEFILE=$(mktemp)
export PGSERVICEFILE PGSERVICE=provision
trap 'rm -f "$PGSERVICEFILE" "$PGSERVICEFILE.error"' EXIT

LC_ALL=C awk '
function decoded(text,    result, digits) {
    result = ""
    while (match(text, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
        digits = toupper(substr(text, RSTART + 1, 2))
        result = result substr(text, 1, RSTART - 1) \
            sprintf("%c", (index(hex, substr(digits, 1, 1)) - 1) * 16 + index(hex, substr(digits, 2, 1)) - 1)
        text = substr(text, RSTART + 3)
    }
    return result text
}
function put(key, value) {
    if (value != "") print key "=" decoded(value)
}
function before(text, mark) { return index(text, mark) ? substr(text, 1, index(text, mark) - 1) : text }
function after(text, mark) { return index(text, mark) ? substr(text, index(text, mark) + length(mark)) : "" }
BEGIN {
    hex = "0123456789ABCDEF"
    url = ENVIRON["ADMIN_URL"]
    if (url !~ /^postgres(ql)?:\/\//) {
        print "ADMIN_URL is not a URL that begins with postgresql://" > "/dev/stderr"
        exit 1
    }
    rest = after(url, "://")
    query = after(rest, "?")
    rest = before(rest, "?")
    authority = before(rest, "/")
    account = ""
    if (match(authority, /.*@/)) {
        account = substr(authority, 1, RLENGTH - 1)
        authority = substr(authority, RLENGTH + 1)
    }

    print "[provision]"
    put("user", before(account, ":"))
    put("password", after(account, ":"))
    put("dbname", after(rest, "/"))
    hosts = ports = ""
    count = split(authority, each, ",")
    for (i = 1; i <= count; i++) {
        host = each[i]
        port = ""
        if (match(host, /:[0-9]*$/)) {
            port = substr(host, RSTART + 1)
            host = substr(host, 1, RSTART - 1)
        }
        gsub(/^\[|\]$/, "", host)
        hosts = hosts (i > 1 ? "," : "") host
        ports = ports (i > 1 ? "," : "") (port == "" ? "5432" : port)
    }
    put("host", hosts)
    put("port", ports)
    count = split(query, each, "&")
    for (i = 1; i <= count; i++) put(before(each[i], "="), after(each[i], "="))
}' > "$PGSERVICEFILE"
unset ADMIN_URL

deadline=$(($(date +%s) + ${WAIT_SECONDS:-300}))
until psql -X -q -w -c 'SELECT 1' > /dev/null 2> "$PGSERVICEFILE.error"; do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "PostgreSQL did not let us in within ${WAIT_SECONDS:-300} s; it said last:" >&2
        cat "$PGSERVICEFILE.error" >&2
        exit 1
    fi
    sleep 1
done
psql -X -w -v ON_ERROR_STOP=1 -f "$1"
