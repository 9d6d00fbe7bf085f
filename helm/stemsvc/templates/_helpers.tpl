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
{{- $named := printf "%s/%s:%s" (trimSuffix "/" $registry) $image.repository (default .root.Chart.AppVersion $image.tag) -}}
{{- with $image.digest }}{{ $named = printf "%s@%s" $named . }}{{ end -}}
{{- $named -}}
{{- end }}

{{/* The name that a key of the Secret has there: `secrets.keys` may call it otherwise. */}}
{{- define "stemsvc.key" -}}
{{- default .key (get .root.Values.secrets.keys .key) -}}
{{- end }}

{{- define "stemsvc.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.secrets.existingSecret | toYaml }}
      key: {{ include "stemsvc.key" . | toYaml }}
{{- end }}

{{/* Who puts secrets into the pods: the Secret, or, where a setting names a folder, something else such as Vault's agent. */}}
{{- define "stemsvc.secretsDir" -}}
{{- default "/run/secrets/stemsvc" (get .Values.settings "STEMSVC_SECRETS_DIR") -}}
{{- end }}

{{/* The keys of the Secret that a pod can't do without; empty where a folder has them. */}}
{{- define "stemsvc.neededKeys" -}}
{{- if not .Values.database.internal }}
- database-url
{{- end }}
{{- if not .Values.broker.internal }}
- broker-url
{{- end }}
{{- if .Values.secrets.s3Keys }}
- s3-access-key-id
- s3-secret-access-key
{{- end }}
{{- end }}

{{/*
What is wrong with `secret`, the Secret as the cluster has it (empty: it has none); nothing where nothing is.
*/}}
{{- define "stemsvc.secretLacks" -}}
{{- $values := .root.Values }}
{{- $needed := include "stemsvc.neededKeys" .root | fromYamlArray }}
{{- if $values.database.internal }}{{ $needed = append $needed "postgres-password" }}{{ end }}
{{- if $values.broker.internal }}{{ $needed = append $needed "redis-password" }}{{ end }}
{{- if $values.flower.enabled }}{{ $needed = append $needed "flower-password" }}{{ end }}
{{- if .secret }}
{{- $missing := list }}
{{- range $needed }}{{ $key := include "stemsvc.key" (dict "root" $.root "key" .) }}{{ if not (hasKey (dig "data" dict $.secret) $key) }}{{ $missing = append $missing $key }}{{ end }}{{ end }}
{{- with $missing -}}
the Secret {{ $values.secrets.existingSecret }} lacks {{ join ", " . }}: pods that need them wait until it has them.
{{- end }}
{{- else -}}
{{- $keys := list }}
{{- range $needed }}{{ $keys = append $keys (include "stemsvc.key" (dict "root" $.root "key" .)) }}{{ end -}}
there is no Secret {{ $values.secrets.existingSecret }} in {{ .root.Release.Namespace }}: pods wait until it is made. It needs {{ join ", " $keys }}.
{{- end }}
{{- end }}

{{/*
The secrets as files, which our processes read again when they change: environment variables would need a restart. The
fsGroup may read them, nobody else.
*/}}
{{- define "stemsvc.secretsVolume" -}}
{{- if not (hasKey .Values.settings "STEMSVC_SECRETS_DIR") }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- with include "stemsvc.neededKeys" . | fromYamlArray }}
      - secret:
          name: {{ $.Values.secrets.existingSecret | toYaml }}
          items:
            {{- range . }}
            - {key: {{ include "stemsvc.key" (dict "root" $ "key" .) }}, path: {{ . }}}
            {{- end }}
      {{- end }}
      - secret:
          name: {{ .Values.secrets.existingSecret | toYaml }}
          optional: true
          items:
            {{- range list "secret-key" "bootstrap-key" "storage-secret" "fetch-proxy" "otlp-headers" "chat-anthropic-key" "chat-openai-key" "chat-google-key" "chat-local-key" }}
            - {key: {{ include "stemsvc.key" (dict "root" $ "key" .) }}, path: {{ . }}}
            {{- end }}
{{- end }}
{{- end }}

{{- define "stemsvc.secretsMount" -}}
{{- if not (hasKey .Values.settings "STEMSVC_SECRETS_DIR") }}
- {name: secrets, mountPath: {{ include "stemsvc.secretsDir" . }}, readOnly: true}
{{- end }}
{{- end }}

{{/* The broker's environment variables. */}}
{{- define "stemsvc.brokerEnv" -}}
{{- if .Values.broker.internal }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "REDIS_PASSWORD" "key" "redis-password") }}
- name: STEMSVC_BROKER_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "stemsvc.fullname" . }}-redis:6379/0
{{- end }}
{{- end }}

{{/* The job store's environment variables. */}}
{{- define "stemsvc.storeEnv" -}}
{{- if .Values.database.internal }}
{{ include "stemsvc.secretEnv" (dict "root" . "name" "POSTGRES_PASSWORD" "key" "postgres-password") }}
- name: STEMSVC_DATABASE_URL
  value: postgresql://stemsvc:$(POSTGRES_PASSWORD)@{{ include "stemsvc.fullname" . }}-postgres:5432/stemsvc
{{- end }}
- {name: STEMSVC_SECRETS_DIR, value: {{ include "stemsvc.secretsDir" . | quote }}}
{{- end }}

{{/* What all our processes share: the ConfigMap, the files of secrets, and what is not in them. */}}
{{- define "stemsvc.env" -}}
{{- include "stemsvc.brokerEnv" . }}
{{- include "stemsvc.storeEnv" . }}
{{- end }}

{{- define "stemsvc.envFrom" -}}
- configMapRef:
    name: {{ include "stemsvc.fullname" .root | toYaml }}
{{- with .given.extraEnvFrom }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Brings the store's tables up to date before a pod uses them. Every pod that opens the store has it, so no order of
objects matters: not that of Helm's hooks, nor Argo CD's waves, nor `kubectl apply`. The pods do it one at a time, under
a lock in the store; the first one does the work, the others find nothing to do. Init containers of the values come before it: a
proxy that leads to the store, with `restartPolicy: Always`, runs by then, and as long as the pod.
*/}}
{{- define "stemsvc.migrate" -}}
{{- with .given.extraInitContainers }}
{{- toYaml . }}
{{ end -}}
- name: migrate
  image: {{ .image | quote }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  # a first install starts the database at the same time
  args: [migrate, --wait, "600"]
  envFrom:
    {{- include "stemsvc.envFrom" . | nindent 4 }}
  env:
    {{- include "stemsvc.storeEnv" .root | trim | nindent 4 }}
    {{- with include "stemsvc.moreEnv" . }}
    {{- . | nindent 4 }}
    {{- end }}
  securityContext:
    {{- include "stemsvc.container" .given | nindent 4 }}
  resources:
    {{- toYaml .root.Values.migration.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- include "stemsvc.secretsMount" .root | nindent 4 }}
    {{- with include "stemsvc.moreMounts" . }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}

{{/*
Start the pods again when the settings change, or `secrets.revision`, which is changed by hand: only Helm in a cluster sees
the Secret, and the same values must render the same everywhere.
*/}}
{{- define "stemsvc.annotations" -}}
{{- $own := dict "checksum/config" (include (print $.root.Template.BasePath "/configmap.yaml") .root | sha256sum) -}}
{{- with .root.Values.secrets.revision }}{{ $_ := set $own "stemsvc/host-revision" . }}{{ end -}}
{{- toYaml (merge $own (default dict .more) (dig "annotations" dict (default dict .given)) .root.Values.podAnnotations) -}}
{{- end }}

{{/* The writable folders, and the pools. */}}
{{- define "stemsvc.host.folders" -}}
- {name: data, mountPath: /var/lib/stemsvc}
- {name: tmp, mountPath: /tmp}
- {name: config, mountPath: /etc/stemsvc, readOnly: true}
{{- end }}

{{- define "stemsvc.mounts" -}}
{{- include "stemsvc.host.folders" .root }}
{{- include "stemsvc.secretsMount" .root }}
{{- with include "stemsvc.moreMounts" . }}
{{ . }}
{{- end }}
{{- end }}

{{- define "stemsvc.volumes" -}}
- name: data
  emptyDir: {sizeLimit: {{ .space | quote }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .space | quote }}}
- name: config
  configMap:
    name: {{ include "stemsvc.fullname" .root }}-pools
{{- include "stemsvc.secretsVolume" .root }}
{{- with include "stemsvc.moreVolumes" . }}
{{ . }}
{{- end }}
{{- end }}

{{/* The volume for a pool's weights: the pool's own, or that of all, or a folder of the node. A volume has one source. */}}
{{- define "stemsvc.weightsVolume" -}}
{{- $volume := dict "emptyDir" (dict "sizeLimit" "10Gi") -}}
{{- if .root.Values.weights.claim.create -}}
{{- $volume = dict "persistentVolumeClaim" (dict "claimName" (printf "%s-weights" (include "stemsvc.fullname" .root))) -}}
{{- end -}}
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
{{- $env := list "STEMSVC_CACHE_DIR" "STEMSVC_SHUTDOWN_GRACE_SECONDS" "STEMSVC_IDLE_EXIT_SECONDS" -}}
{{- range include "stemsvc.env" $ | fromYamlArray }}{{ $env = append $env .name }}{{ end -}}
{{- $given := include "stemsvc.poolGiven" (dict "root" $ "pool" $pool) | fromYaml -}}
{{- include "stemsvc.checkGiven" (dict "root" $ "given" $given "where" $where "env" $env "volumes" (list "weights") "paths" (list "/var/cache/stemsvc")) -}}
{{- with $pool.keda -}}
{{- if gt (int (default 0 .min)) (int .max) }}{{ fail (printf "%s: keda.min is more than keda.max" $where) }}{{ end -}}
{{- if .jobs -}}
{{- range $name := list "cooldown" "stabilization" "fallback" "pausedReplicas" }}{{ if hasKey $pool.keda $name }}{{ fail (printf "%s: keda.%s is of pools without keda.jobs: a ScaledJob has no such thing" $where $name) }}{{ end }}{{ end -}}
{{- else if hasKey . "idle" }}{{ fail (printf "%s: keda.idle is of pools with keda.jobs" $where) }}
{{- end -}}
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
/s: Prefix
/assets: Prefix
{{- end }}

{{/* The page's files beside its folders. They stand apart: a rule of a route has eight matches in older gateways. */}}
{{- define "stemsvc.pageFiles" -}}
/manifest.webmanifest: Exact
/sw.js: Exact
/icon.svg: Exact
/icon-192.png: Exact
/icon-512.png: Exact
/icon-mask.png: Exact
/demo.flac: Exact
{{- end }}

{{/*
The rules of Prometheus. Without a fetcher that the values want there is no alert that none lives. The chapters of the
alerts are where the docs are published.
*/}}
{{- define "stemsvc.alerts" -}}
{{- $file := .Files.Get "files/alerts.yaml" | fromYaml -}}
{{- $docs := trimSuffix "/" .Values.monitoring.rules.docsUrl -}}
{{- range $group := $file.groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if $docs -}}
{{- $url := $rule.annotations.runbook_url | replace "docs/alerts.md" (printf "%s/alerts/" $docs) -}}
{{- $_ := set $rule.annotations "runbook_url" $url -}}
{{- end -}}
{{- if or $.Values.fetcher.replicas (ne $rule.alert "StemsvcNoFetcher") }}{{ $rules = append $rules $rule }}{{ end -}}
{{- end -}}
{{- $_ := set $group "rules" $rules -}}
{{- end -}}
{{- toYaml $file -}}
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
