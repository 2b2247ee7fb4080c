{{- define "ossec.selector" -}}
app.kubernetes.io/name: ossec-log-server
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ossec.labels" -}}
{{ include "ossec.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/component: log-analysis
app.kubernetes.io/part-of: ossec
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "ossec.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "ossec.metadata" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "ossec.labels" . | nindent 2 }}
{{- end }}

{{- define "ossec.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- if .Values.metrics.enabled }}
OSSEC_METRICS_PORT: "9514"
{{- end }}
{{- end }}
