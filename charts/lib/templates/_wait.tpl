{{/* Init containers that wait, so that everything may be created at once and in any order. */}}

{{/* Wait until the database is at the revision that this image needs, or at a newer one. (root, component, package, values) */}}
{{- define "smartcourse.container.waitForSchema" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
- name: wait-for-schema
  {{- include "smartcourse.container.base" (list $root $component) | nindent 2 }}
  command: [python, -m, {{ index . 2 }}.migrations, wait, --timeout, "600"]
  env:
    {{- include "smartcourse.env.secret" (list $root "DATABASE_URL" (printf "%s-db" $component) "url") | nindent 4 }}
    {{- include "smartcourse.env.process" (list $root $component 0) | nindent 4 }}
  resources:
    {{- include "smartcourse.resources" (list (index . 1) (index . 3).resources) | nindent 4 }}
  volumeMounts:
    {{- include "smartcourse.mount.tmp" . | nindent 4 }}
{{- end }}

{{/*
Wait until the component can log in to PostgreSQL and a query says true: what it asks for is made by another Job.
(root, component, query, values)
*/}}
{{- define "smartcourse.container.waitForDatabase" -}}
{{- $root := index . 0 -}}
- name: wait-for-database
  {{- include "smartcourse.container.base" (list $root (index . 1)) | nindent 2 }}
  command: [python, -c]
  args:
    - |
      import asyncio, os, sys, time
      import asyncpg

      async def fulfilled():
          connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=5)
          try:
              return await connection.fetchval(os.environ["WAIT_FOR"])
          finally:
              await connection.close()

      deadline = time.monotonic() + 600
      while True:
          try:
              if asyncio.run(fulfilled()):
                  sys.exit(0)
              reason = "not true yet: " + os.environ["WAIT_FOR"]
          except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
              reason = f"{type(error).__name__}: {error}"
          if time.monotonic() > deadline:
              sys.exit("gave up waiting for the database; " + reason)
          time.sleep(1)
  env:
    {{- include "smartcourse.env.secret" (list $root "DATABASE_URL" (printf "%s-db" (index . 1)) "url") | nindent 4 }}
    - name: WAIT_FOR
      value: {{ index . 2 | quote }}
  resources:
    {{- include "smartcourse.resources" (list (index . 1) (index . 3).resources) | nindent 4 }}
  volumeMounts:
    {{- include "smartcourse.mount.tmp" . | nindent 4 }}
{{- end }}
