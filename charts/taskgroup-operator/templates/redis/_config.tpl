{{/* noeviction: a queue must refuse a write rather than lose an old one. */}}
{{- define "taskgroup.redis.config" -}}
port 6379
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory {{ .Values.redis.maxMemory }}
maxmemory-policy noeviction
{{- with .Values.redis.extraConfig }}
{{ . | trim }}
{{- end }}
{{- end }}

{{/* The password reaches Redis by a file in memory: never an argument that `ps` shows. */}}
{{- define "taskgroup.redis.start" -}}
umask 077
printf 'include /etc/redis/redis.conf\nrequirepass "%s"\n' "$REDISCLI_AUTH" > /run/redis/redis.conf
exec redis-server /run/redis/redis.conf
{{- end }}
