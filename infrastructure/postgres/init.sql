-- The database and the roles of a SmartCourse, on a server that may already hold some or all of them.
--
-- Run with psql 15 or newer, by a superuser or by a role with CREATEROLE and CREATEDB, connected to any database:
--   psql -X -v ON_ERROR_STOP=1 -f init.sql
-- It is run again whenever a password changes; running it twice changes nothing else.
--
-- Environment:
--   USER_A_PASSWORD, COURSE_A_PASSWORD, NOTIFICATION_A_PASSWORD   required, but for the service whose _B_ one is given
--   USER_B_PASSWORD, COURSE_B_PASSWORD, NOTIFICATION_B_PASSWORD   in place of these, or beside them during a rotation
--   SMARTCOURSE_DATABASE                                          default: smartcourse
--   SMARTCOURSE_HOLDER                                            namespace/name; unset: whose it is isn't noted
--
-- For each of user, course and notification:
--   <service>_owner   owns the service's tables; nobody logs in as it
--   <service>_a, _b   two login roles, members of the owner, so that a password can be rotated without an interruption;
--                     the one that is given none cannot log in, its password is void and its sessions are ended

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

\getenv database SMARTCOURSE_DATABASE
\if :{?database} \else \set database '' \endif
SELECT coalesce(nullif(:'database', ''), 'smartcourse') AS database \gset

\getenv holder SMARTCOURSE_HOLDER
\if :{?holder} \else \set holder '' \endif

-- CREATE DATABASE cannot run in a transaction; the lock keeps two runs from racing to it.
SELECT pg_advisory_lock(hashtext('smartcourse-provision')) \gset
SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec

\connect :"database"
SET client_min_messages = warning;

BEGIN;
SELECT pg_advisory_xact_lock(hashtext('smartcourse-provision')) \gset

-- Two SmartCourses on one server would change each other's passwords and share their tables: the database's comment
-- says whose it is. A comment that somebody else has made is left as it is.
SELECT set_config('smartcourse.holder', :'holder', true) \gset
DO $holder$
DECLARE
    holder CONSTANT text := 'SmartCourse ' || current_setting('smartcourse.holder');
    found CONSTANT text := shobj_description(
        (SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database');
BEGIN
    IF holder = 'SmartCourse ' OR found = holder THEN
        RETURN;
    END IF;
    IF found LIKE 'SmartCourse %' THEN
        RAISE EXCEPTION 'the database "%" belongs to the %', current_database(), found
            USING HINT = format('Give each SmartCourse a server of its own. If that one is gone for good, hand the '
                                'database over: COMMENT ON DATABASE %I IS NULL', current_database());
    END IF;
    IF found IS NULL THEN
        EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), holder);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'it could not be noted whose database "%" is: %', current_database(), SQLERRM;
END
$holder$;

-- Passwords travel as COPY data and are used by a statement inside a block: neither is written to the server's log,
-- whatever log_statement says. The delimiter and the quote are characters that no password contains.
CREATE TEMPORARY TABLE provision_password (
    position integer GENERATED ALWAYS AS IDENTITY,
    value text NOT NULL
) ON COMMIT DROP;
\copy provision_password (value) FROM PROGRAM 'printenv USER_A_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))
\copy provision_password (value) FROM PROGRAM 'printenv USER_B_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))
\copy provision_password (value) FROM PROGRAM 'printenv COURSE_A_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))
\copy provision_password (value) FROM PROGRAM 'printenv COURSE_B_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))
\copy provision_password (value) FROM PROGRAM 'printenv NOTIFICATION_A_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))
\copy provision_password (value) FROM PROGRAM 'printenv NOTIFICATION_B_PASSWORD || echo' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', FORCE_NOT_NULL (value))

DO $provision$
DECLARE
    services CONSTANT text[] := ARRAY['user', 'course', 'notification'];
    service text;
    owner text;
    login text;
    secrets text[];
BEGIN
    IF (SELECT count(*) FROM provision_password) <> 2 * array_length(services, 1) THEN
        RAISE EXCEPTION 'a password of more than one line was given' USING HINT = 'Use passwords without line breaks.';
    END IF;

    FOREACH service IN ARRAY services LOOP
        owner := service || '_owner';
        SELECT array_agg(value ORDER BY position) INTO secrets FROM provision_password
         WHERE (position + 1) / 2 = array_position(services, service);
        IF secrets = ARRAY['', ''] THEN
            RAISE EXCEPTION 'the environment variables %_A_PASSWORD and %_B_PASSWORD are empty or not set',
                upper(service), upper(service)
                USING HINT = format('Set the first to the password that %s-service logs in with.', service);
        END IF;

        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', owner);
        END IF;

        FOREACH login IN ARRAY ARRAY[service || '_a', service || '_b'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', login);
            END IF;
            -- The services' pools are made to fit the server. Roles of before had a limit that four pods could reach.
            IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = login) = 60 THEN
                EXECUTE format('ALTER ROLE %I CONNECTION LIMIT -1', login);
            END IF;
            -- A direct grant: a superuser is a member of everything, pg_has_role() would not tell.
            IF NOT EXISTS (SELECT FROM pg_auth_members
                            WHERE roleid = owner::regrole AND member = login::regrole) THEN
                EXECUTE format('GRANT %I TO %I', owner, login);
            END IF;
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
        END LOOP;

        FOR i IN 1 .. 2 LOOP
            login := service || (ARRAY['_a', '_b'])[i];
            BEGIN
                IF secrets[i] <> '' THEN
                    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', login, secrets[i]);
                ELSIF (SELECT rolcanlogin FROM pg_roles WHERE rolname = login) THEN
                    EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', login);
                END IF;
            EXCEPTION WHEN OTHERS THEN
                -- Raised anew: the original error's context would quote the statement, password included.
                RAISE EXCEPTION 'could not set the password of role %: %', login, SQLERRM
                    USING ERRCODE = SQLSTATE,
                          HINT = 'From PostgreSQL 16 on, only the role that created it (or a superuser) may change it.';
            END;
        END LOOP;

        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA public TO %I', owner);
    END LOOP;

    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;

    -- GRANT and REVOKE by somebody who is not the owner only warn: look at what came of them.
    FOREACH service IN ARRAY services LOOP
        IF NOT (has_schema_privilege(service || '_owner', 'public', 'USAGE')
                AND has_schema_privilege(service || '_owner', 'public', 'CREATE')
                AND has_database_privilege(service || '_a', current_database(), 'CONNECT')
                AND has_database_privilege(service || '_b', current_database(), 'CONNECT')) THEN
            RAISE EXCEPTION 'role % may not create tables in database "%"', service || '_owner', current_database()
                USING HINT = format('Make %I the owner of the database (ALTER DATABASE %I OWNER TO %I) or drop it, '
                                    'so that it is created here.', current_user, current_database(), current_user);
        END IF;
    END LOOP;
END
$provision$;
COMMIT;

-- Only now can nobody come back: end the sessions of the roles that may log in no longer.
DO $expel$
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
      JOIN pg_roles ON pg_roles.oid = usesysid
     WHERE rolname ~ '^(user|course|notification)_[ab]$' AND NOT rolcanlogin;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'sessions of a role that may log in no longer were not ended: %', SQLERRM;
END
$expel$;

\echo Database :database and the roles of user, course and notification are in place.
