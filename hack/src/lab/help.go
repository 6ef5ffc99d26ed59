package main

const usage = `hack/lab builds and runs real servers on this machine's loopback: a Kubernetes
cluster with fake nodes on which Pods become ready, for tests and for trying
Tandem out. No container engine, no root.

  hack/lab up                     build what is missing, start a cluster
  eval "$(hack/lab env)"          KUBECONFIG and more for this shell
  "$TANDEM_LAB_BIN/kubectl" get nodes
  hack/lab down                   stop it and remove its data

Commands
  up      start a cluster; several side by side with --name
  down    stop a cluster or server and remove its data; --all for all without an owner
  status  what runs, which programs it consists of and where their logs are
  env     what a client needs, as shell exports or JSON
  serve   start a Git server over HTTP or SSH, one that hangs, or a proxy
  build   build programs and print the folder they are in
  stop    end or pause one program of a cluster or server, to see what happens
  start   run it again, with the same ports and data

hack/lab COMMAND --help tells more.

Programs are built from Go modules pinned under hack/, once for each version,
into ${TANDEM_CACHE:-${XDG_CACHE_HOME:-~/.cache}}/tandem/lab. Data lives under
${TMPDIR:-/tmp}/tandem-lab-UID and goes with the cluster.
`
