{{- define "gateway.pod" -}}
{{- include "smartcourse.pod.base" (dict "root" . "component" "gateway" "graceSeconds" 45) }}
containers:
  - name: nginx
    {{- include "smartcourse.container.base" (list . "gateway") | nindent 4 }}
    {{- include "smartcourse.container.command" (list . "python" "-m" "api_gateway.nginx") | nindent 4 }}
    ports:
      - {name: http, containerPort: 8000}
    env:
      {{- include "smartcourse.env.merged" (list (include "gateway.env.nginx" .) .Values.env) | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list "nginx" .Values.nginx.resources) | nindent 6 }}
    {{- include "smartcourse.probes.http" (dict "port" "http" "startup" "/healthz" "ready" "/healthz" "live" "/healthz") | nindent 4 }}
    lifecycle:
      preStop:
        sleep: {seconds: 5}  # requests go on coming until every node has heard that this pod is leaving
    volumeMounts:
      - {name: tmp-nginx, mountPath: /tmp}
      - {name: socket, mountPath: /run/gateway}
  - name: decide
    {{- include "smartcourse.container.base" (list . "gateway") | nindent 4 }}
    {{- include "smartcourse.container.command" (list . "python" "-m" "api_gateway.decision") | nindent 4 }}
    ports:
      - {name: metrics, containerPort: 9090}
    env:
      {{- include "smartcourse.env.merged" (list (include "gateway.env.decide" .) .Values.env) | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list "gateway" .Values.resources) | nindent 6 }}
    {{- include "smartcourse.probes.http" (dict "port" "metrics" "startup" "/health/ready" "ready" "/health/ready" "live" "/health/live") | nindent 4 }}
    lifecycle:
      preStop:
        sleep: {seconds: 10}  # nginx asks until it has stopped taking requests
    volumeMounts:
      - {name: tmp-decide, mountPath: /tmp}
      - {name: socket, mountPath: /run/gateway}
volumes:
  - name: tmp-nginx
    emptyDir: {sizeLimit: 256Mi}
  - name: tmp-decide
    emptyDir: {sizeLimit: 256Mi}
  - name: socket
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
