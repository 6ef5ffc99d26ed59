package cluster

import (
	"fmt"
	"strconv"

	"tandemcd.io/hack/lab/stack"
)

// environment makes the programs collect garbage less often: most of what they
// do while they start is to allocate, and a lab lives for seconds.
var environment = []string{"GOGC=400"}

func (p *plane) etcd() stack.Program {
	client := "http://127.0.0.1:" + strconv.Itoa(p.ports.etcd)
	peer := "http://127.0.0.1:" + strconv.Itoa(p.ports.peer)
	return stack.Program{
		Name: etcd,
		Argv: []string{
			p.program(etcd),
			"--name=lab",
			"--data-dir=" + p.run.Path("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=lab=" + peer,
			// Nobody needs this data after a power cut.
			"--unsafe-no-fsync",
			// It is alone and elects itself after this many milliseconds.
			"--heartbeat-interval=10", "--election-timeout=100",
			"--log-level=warn",
		},
		Ready: plainOK(client + "/health"),
	}
}

func (p *plane) apiServer() stack.Program {
	return stack.Program{
		Name: apiServer,
		Env:  environment,
		Argv: append([]string{
			p.program(apiServer),
			"--etcd-servers=http://127.0.0.1:" + strconv.Itoa(p.ports.etcd),
			"--bind-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(p.ports.api),
			"--tls-cert-file=" + p.files.serving.Cert,
			"--tls-private-key-file=" + p.files.serving.Key,
			"--client-ca-file=" + p.files.authority,
			"--token-auth-file=" + p.files.tokenFile,
			"--authorization-mode=Node,RBAC",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-signing-key-file=" + p.files.accountKey,
			"--service-account-key-file=" + p.files.accountKey,
			"--service-cluster-ip-range=" + clusterIPRange,
			// A loopback address may not stand in Endpoints.
			"--endpoint-reconciler-type=none",
			"--audit-policy-file=" + p.files.policy,
			"--audit-log-path=" + p.files.audit,
			// Tests read it as one file while it grows.
			"--audit-log-maxsize=1000000",
			"--audit-log-mode=blocking-strict",
			// On SIGTERM watches are ended; else it would wait a minute for them.
			"--shutdown-watch-termination-grace-period=1s",
			"--profiling=false",
		}, p.run.Extra...),
		Ready: p.api.ready,
	}
}

func (p *plane) controllerManager() stack.Program {
	config := p.files.kubeconfigs[controllerManager]
	return stack.Program{
		Name: controllerManager,
		Env:  environment,
		Argv: []string{
			p.program(controllerManager),
			"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
			"--bind-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(p.ports.manager),
			"--tls-cert-file=" + p.files.serving.Cert, "--tls-private-key-file=" + p.files.serving.Key,
			"--controllers=*,-node-ipam-controller",
			"--leader-elect=false",
			"--root-ca-file=" + p.files.authority,
			"--service-account-private-key-file=" + p.files.accountKey,
			"--cluster-signing-cert-file=" + p.files.authority, "--cluster-signing-key-file=" + p.files.authorityKey,
			// New nodes are looked at every so often; the lab waits for it.
			"--node-monitor-period=500ms",
			"--kube-api-qps=500", "--kube-api-burst=1000",
			"--profiling=false",
		},
		Ready: p.tlsOK(p.ports.manager, "/healthz"),
	}
}

func (p *plane) scheduler() stack.Program {
	config := p.files.kubeconfigs[scheduler]
	return stack.Program{
		Name: scheduler,
		Env:  environment,
		Argv: []string{
			p.program(scheduler),
			"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
			"--bind-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(p.ports.scheduler),
			"--tls-cert-file=" + p.files.serving.Cert, "--tls-private-key-file=" + p.files.serving.Key,
			"--leader-elect=false",
			"--kube-api-qps=500", "--kube-api-burst=1000",
			"--profiling=false",
		},
		Ready: p.tlsOK(p.ports.scheduler, "/readyz"),
	}
}

func (p *plane) kwok() stack.Program {
	address := "127.0.0.1:" + strconv.Itoa(p.ports.kwok)
	return stack.Program{
		Name: kwok,
		Env:  environment,
		Argv: []string{
			p.program(kwok),
			"--kubeconfig=" + p.files.kubeconfigs[kwok],
			"--config=" + p.run.Options[OptionStages],
			"--manage-all-nodes",
			"--node-lease-duration-seconds=40",
			"--server-address=" + address,
			"--tls-cert-file=" + p.files.serving.Cert, "--tls-private-key-file=" + p.files.serving.Key,
		},
		Ready: plainOK(fmt.Sprintf("http://%s/healthz", address)),
	}
}
