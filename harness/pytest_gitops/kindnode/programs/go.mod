module pytest-gitops.dev/kindnode

go 1.27
