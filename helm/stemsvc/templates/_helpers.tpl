{{- define "stemsvc.name" -}}
{{- regexReplaceAll "[-.]+$" (default .Chart.Name .Values.nameOverride | trunc 40) "" -}}
{{- end }}

{{/* The prefix of all names. A release may begin with a digit or have dots in its name; a Service may not. */}}
{{- define "stemsvc.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "stemsvc.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "stemsvc.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name = $name | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "stemsvc-%s" $name }}{{ end -}}
{{- regexReplaceAll "-+$" (trunc 40 $name) "" -}}
{{- end }}

{{/* The name of a pool's objects. One that would pass 63 characters ends with a hash of itself. */}}
{{- define "stemsvc.poolName" -}}
{{- $name := printf "%s-worker-%s" (include "stemsvc.fullname" .root) .pool -}}
{{- if gt (len $name) 63 }}{{ $name = printf "%s-%s" (trunc 54 $name) (sha256sum $name | trunc 8) }}{{ end -}}
{{- $name -}}
{{- end }}

{{/* What a Deployment finds its pods by. Kubernetes lets nobody change it, and an upgrade must not try. */}}
{{- define "stemsvc.selector" -}}
{{- $selector := dict "app.kubernetes.io/name" (include "stemsvc.name" .root) "app.kubernetes.io/instance" .root.Release.Name -}}
{{- with .component }}{{ $_ := set $selector "app.kubernetes.io/component" . }}{{ end -}}
{{- toYaml $selector -}}
{{- end }}

{{/* The labels of an object; `more` are labels that this one has besides. */}}
{{- define "stemsvc.labels" -}}
{{- $labels := include "stemsvc.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_") -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $labels (default dict .more) .root.Values.commonLabels) -}}
{{- end }}

{{- define "stemsvc.serviceAccount" -}}
{{- default (include "stemsvc.fullname" .) .Values.serviceAccount.name -}}
{{- end }}

{{/* An image by its key in `images`. */}}
{{- define "stemsvc.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $registry := required "images.registry is the registry that has stemsvc's images: build and push them first" .root.Values.images.registry -}}
{{- printf "%s/%s:%s" (trimSuffix "/" $registry) $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- end }}

{{/* What all our pods have: the user that they run as, and what they may not do. */}}
{{- define "stemsvc.pod" -}}
serviceAccountName: {{ include "stemsvc.serviceAccount" . | toYaml }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ toYaml . }}
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
      name: {{ .root.Values.secrets.existingSecret | toYaml }}
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

{{/* The job store's environment variables. */}}
{{- define "stemsvc.storeEnv" -}}
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
      name: {{ .Values.secrets.existingSecret | toYaml }}
      key: secret-key
      optional: true
{{- end }}

{{/* What all our processes share: the ConfigMap and the secrets. */}}
{{- define "stemsvc.env" -}}
{{- include "stemsvc.brokerEnv" . }}
{{- include "stemsvc.storeEnv" . }}
{{- if .Values.secrets.s3Keys }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_S3_ACCESS_KEY_ID" "key" "s3-access-key-id") }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "STEMSVC_S3_SECRET_ACCESS_KEY" "key" "s3-secret-access-key") }}
{{- end }}
{{- end }}

{{- define "stemsvc.envFrom" -}}
- configMapRef:
    name: {{ include "stemsvc.fullname" . | toYaml }}
{{- end }}

{{/*
Brings the store's tables up to date before a pod uses them. Every pod that opens the store has it, so no order of
objects matters: not that of Helm's hooks, nor Argo CD's waves, nor `kubectl apply`. The pods do it one at a time, under
a lock in the store; the first one does the work, the others find nothing to do.
*/}}
{{- define "stemsvc.migrate" -}}
- name: migrate
  image: {{ .image | quote }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  # a first install starts the database at the same time
  args: [migrate, --wait, "600"]
  envFrom:
    {{- include "stemsvc.envFrom" .root | nindent 4 }}
  env:
    {{- include "stemsvc.storeEnv" .root | trim | nindent 4 }}
  securityContext:
    {{- include "stemsvc.container" .root | nindent 4 }}
  resources:
    {{- toYaml .root.Values.migration.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Start the pods again when the settings change. */}}
{{- define "stemsvc.annotations" -}}
{{- $own := dict "checksum/config" (include (print $.root.Template.BasePath "/configmap.yaml") .root | sha256sum) -}}
{{- toYaml (merge $own (default dict .more) .root.Values.podAnnotations) -}}
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

{{/* The volume for a pool's weights: the pool's own, or that of all, or a folder of the node. A volume has one source. */}}
{{- define "stemsvc.weightsVolume" -}}
{{- $volume := dict "emptyDir" (dict "sizeLimit" "10Gi") -}}
{{- range $given := list .root.Values.weights.volume (dig "weights" "volume" dict .pool) -}}
{{- $sources := dict -}}
{{- range $source, $fields := $given }}{{ if not (kindIs "invalid" $fields) }}{{ $_ := set $sources $source $fields }}{{ end }}{{ end -}}
{{- if gt (len $sources) 1 }}{{ fail (printf "weights.volume has the sources %s: a volume has one" (keys $sources | sortAlpha | join ", ")) }}{{ end -}}
{{- if $sources }}{{ $volume = $sources }}{{ end -}}
{{- end -}}
{{- toYaml $volume -}}
{{- end }}

{{/* Fail where a list has something twice. */}}
{{- define "stemsvc.once" -}}
{{- if ne (len .list) (len (uniq .list)) }}{{ fail (printf "%s: each may be there once, of %s" .what (join ", " .list)) }}{{ end -}}
{{- end }}

{{/* Fail for pools that Kubernetes would refuse, or of which it would take one for the other. */}}
{{- define "stemsvc.checkPools" -}}
{{- $pools := list -}}
{{- range $pool := .Values.workerPools -}}
{{- $pools = append $pools $pool.name -}}
{{- $where := printf "workerPools: %s" $pool.name -}}
{{- $env := list -}}
{{- $own := concat (include "stemsvc.env" $ | fromYamlArray) (list (dict "name" "STEMSVC_CACHE_DIR") (dict "name" "STEMSVC_SHUTDOWN_GRACE_SECONDS")) -}}
{{- range concat $own (default list $pool.extraEnv) }}{{ $env = append $env .name }}{{ end -}}
{{- include "stemsvc.once" (dict "list" $env "what" (printf "%s: extraEnv" $where)) -}}
{{- $volumes := list "data" "tmp" "config" "weights" -}}
{{- range $pool.extraVolumes }}{{ $volumes = append $volumes .name }}{{ end -}}
{{- include "stemsvc.once" (dict "list" $volumes "what" (printf "%s: extraVolumes" $where)) -}}
{{- $paths := list "/var/lib/stemsvc" "/tmp" "/etc/stemsvc" "/var/cache/stemsvc" -}}
{{- range $pool.extraVolumeMounts -}}
{{- if not (has .name $volumes) }}{{ fail (printf "%s: extraVolumeMounts: no volume is called %s" $where .name) }}{{ end -}}
{{- $paths = append $paths .mountPath -}}
{{- end -}}
{{- include "stemsvc.once" (dict "list" $paths "what" (printf "%s: extraVolumeMounts" $where)) -}}
{{- with $pool.keda -}}
{{- if gt (int (default 0 .min)) (int .max) }}{{ fail (printf "%s: keda.min is more than keda.max" $where) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- include "stemsvc.once" (dict "list" $pools "what" "the names of workerPools") -}}
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

{{/* What the outside may call: the api, its docs, and the page. Probes and metrics stay inside. */}}
{{- define "stemsvc.paths" -}}
/v1: Prefix
/docs: Prefix
/openapi.json: Exact
/: Exact
/app: Prefix
{{- end }}

{{/* A number of the values as it was written: Helm reads 1073741824 as 1.073741824e+09. */}}
{{- define "stemsvc.plain" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end -}}
{{- end }}

{{/* A quantity of memory (1Gi, 512M, 1073741824) in whole MiB. */}}
{{- define "stemsvc.mebibytes" -}}
{{- $text := include "stemsvc.plain" . -}}
{{- $units := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- if or (not $number) (not (hasKey $units $unit)) }}{{ fail (printf "%s is not a size: write 512Mi or 2Gi" $text) }}{{ end -}}
{{- divf (mulf (float64 $number) (get $units $unit)) 1048576.0 | floor | int64 -}}
{{- end }}

{{/*
The connections to PostgreSQL that the values' most pods may open, one more of each kind while an upgrade replaces them.
A process of the api has at most 15 (the pool of SQLAlchemy), a pool process of a worker 3, a dispatcher 5; a fetcher has
2 for each fetch and 10 for webhooks; 15 stay for the operator, for backups, and for the server itself.
*/}}
{{- define "stemsvc.connections" -}}
{{- $pods := .Values.api.replicas -}}
{{- with .Values.api.autoscaling }}{{ if .enabled }}{{ $pods = .maxReplicas }}{{ end }}{{ end -}}
{{- $count := mul (add $pods 1) .Values.api.processes 15 -}}
{{- $count = add $count (mul (add .Values.dispatcher.replicas 1) 5) -}}
{{- with .Values.fetcher }}{{ if .replicas }}{{ $count = add $count (mul (add .replicas 1) (add (mul .concurrency 2) 10)) }}{{ end }}{{ end -}}
{{- range .Values.workerPools -}}
{{- $pods = hasKey . "replicas" | ternary .replicas 1 -}}
{{- with .keda }}{{ $pods = .max }}{{ end -}}
{{- $count = add $count (mul (add $pods 1) (add (mul (default 2 .concurrency) 3) 1)) -}}
{{- end -}}
{{- add $count 15 -}}
{{- end }}
