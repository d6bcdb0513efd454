{{- define "gateway.pod" -}}
{{- include "smartcourse.pod.base" (dict "root" . "component" "gateway" "graceSeconds" 45) }}
containers:
  - name: nginx
    {{- include "smartcourse.container.base" (list . "gateway") | nindent 4 }}
    {{- include "smartcourse.container.command" (list . "python" "-m" "api_gateway.nginx") | nindent 4 }}
    ports:
      - {name: http, containerPort: 8000}
      {{- if .Values.tlsSecretName }}
      - {name: https, containerPort: 8443}
      {{- end }}
      {{- if .Values.proxyProtocol }}
      - {name: probes, containerPort: 8081}
      {{- end }}
    env:
      {{- include "smartcourse.env.merged" (list (include "gateway.env.nginx" .) .Values.env) | nindent 6 }}
    resources:
      {{- include "smartcourse.resources" (list "nginx" .Values.nginx.resources) | nindent 6 }}
    {{- include "smartcourse.probes.http" (dict "port" (ternary "probes" "http" .Values.proxyProtocol) "startup" "/healthz" "ready" "/healthz" "live" "/healthz") | nindent 4 }}
    lifecycle:
      preStop:
        sleep: {seconds: 5}  # requests go on coming until every node has heard that this pod is leaving
    volumeMounts:
      - {name: tmp-nginx, mountPath: /tmp}
      - {name: socket, mountPath: /run/gateway}
      {{- if .Values.tlsSecretName }}
      - {name: tls, mountPath: /etc/smartcourse/tls, readOnly: true}
      - {name: tls-kept, mountPath: /run/tls}
      {{- end }}
  - name: decide
    {{- include "smartcourse.container.base" (list . "gateway") | nindent 4 }}
    {{- include "smartcourse.container.command" (list . "python" "-m" "api_gateway.decision") | nindent 4 }}
    ports:
      - {name: metrics, containerPort: 9090}
      {{- if .Values.global.forwardAuth.enabled }}
      - {name: forward-auth, containerPort: 8010}
      {{- end }}
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
  {{- if .Values.tlsSecretName }}
  - name: tls
    secret: {secretName: {{ .Values.tlsSecretName | quote }}, defaultMode: 0440}
  - name: tls-kept  # the pair that nginx serves with, while another may be on its way
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
  {{- end }}
{{- end }}
