// Code that is not ours, to verify our log with. x/mod 0.36 leaves some full tiles unverified; 0.42 does not.
module helm-ai-kernel.local/test/log-tools

go 1.26.0

require (
	github.com/transparency-dev/formats v0.1.1
	golang.org/x/mod v0.42.0
)

require (
	filippo.io/mldsa v0.0.0-20260215214346-43d0283efc3e // indirect
	golang.org/x/crypto v0.52.0 // indirect
)
