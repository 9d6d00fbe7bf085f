{{- define "stemsvc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "stemsvc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "stemsvc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "stemsvc.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "stemsvc.selector" -}}
app.kubernetes.io/name: {{ include "stemsvc.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "stemsvc.labels" -}}
{{ include "stemsvc.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "stemsvc.serviceAccount" -}}
{{- default (include "stemsvc.fullname" .) .Values.serviceAccount.name -}}
{{- end }}

{{/* An image by its key in `images`. */}}
{{- define "stemsvc.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $path := $image.repository -}}
{{- with .root.Values.images.registry }}{{ $path = printf "%s/%s" . $path }}{{ end -}}
{{- printf "%s:%s" $path (default .root.Chart.AppVersion $image.tag) -}}
{{- end }}

{{/* What all our pods have: the user that they run as, and what they may not do. */}}
{{- define "stemsvc.pod" -}}
serviceAccountName: {{ include "stemsvc.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "stemsvc.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "stemsvc.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.secrets.existingSecret }}
      key: {{ .key }}
{{- end }}

{{/* The broker's environment variables. */}}
{{- define "stemsvc.brokerEnv" -}}
{{- if .Values.broker.internal }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "REDIS_PASSWORD" "key" "redis-password") }}
- name: STEMSVC_BROKER_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "stemsvc.fullname" . }}-redis:6379/0
{{- else }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_BROKER_URL" "key" "broker-url") }}
{{- end }}
{{- end }}

{{/* What all our processes share: the ConfigMap and the secrets. */}}
{{- define "stemsvc.env" -}}
{{- include "stemsvc.brokerEnv" . }}
{{- if .Values.database.internal }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "POSTGRES_PASSWORD" "key" "postgres-password") }}
- name: STEMSVC_DATABASE_URL
  value: postgresql://stemsvc:$(POSTGRES_PASSWORD)@{{ include "stemsvc.fullname" . }}-postgres:5432/stemsvc
{{- else }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_DATABASE_URL" "key" "database-url") }}
{{- end }}
- name: STEMSVC_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.existingSecret }}
      key: secret-key
      optional: true
{{- if .Values.secrets.s3Keys }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_S3_ACCESS_KEY_ID" "key" "s3-access-key-id") }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_S3_SECRET_ACCESS_KEY" "key" "s3-secret-access-key") }}
{{- end }}
{{- end }}

{{- define "stemsvc.envFrom" -}}
- configMapRef:
    name: {{ include "stemsvc.fullname" . }}
{{- end }}

{{/* Start the pods again when the settings change. */}}
{{- define "stemsvc.annotations" -}}
checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The writable folders, and the pools. */}}
{{- define "stemsvc.mounts" -}}
- {name: data, mountPath: /var/lib/stemsvc}
- {name: tmp, mountPath: /tmp}
- {name: config, mountPath: /etc/stemsvc, readOnly: true}
{{- end }}

{{- define "stemsvc.volumes" -}}
- name: data
  emptyDir: {sizeLimit: {{ .space | quote }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .space | quote }}}
- name: config
  configMap:
    name: {{ include "stemsvc.fullname" .root }}-pools
{{- end }}

{{/* Alive: the main loop has touched its file within a minute. */}}
{{- define "stemsvc.liveness" -}}
livenessProbe:
  exec:
    command: [sh, -c, 'test $(($(date +%s) - $(stat -c %Y /var/lib/stemsvc/alive))) -lt 60']
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}
