package cluster

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"tandemcd.io/hack/lab/pki"
)

// The users of the token file. All may do everything: what is under test is
// the rights of the agent, not those of Kubernetes' own programs. They differ
// in their names, so that the audit log tells them apart.
const admin = "admin"

var users = []struct{ file, user string }{
	{admin, "admin"},
	{controllerManager, "system:kube-controller-manager"},
	{scheduler, "system:kube-scheduler"},
	{kwok, "kwok"},
}

// files that the programs read.
type files struct {
	authority, authorityKey string
	serving                 pki.Pair
	accountKey              string // signs ServiceAccount tokens
	tokenFile               string
	policy, audit           string
	tokens, kubeconfigs     map[string]string // by file name in users
}

// auditPolicy records every request once it is answered, watches when they
// begin as well.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

const clusterIPRange, apiServiceIP = "10.96.0.0/16", "10.96.0.1"

func (p *plane) writeFiles() error {
	folder := p.run.Path("pki")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	authority, err := pki.NewAuthority(folder, "ca")
	if err != nil {
		return err
	}
	f := files{
		authority: authority.File, authorityKey: authority.Key,
		accountKey: p.run.Path("pki/service-account.key"), audit: p.run.Path("audit.log"),
		tokens: map[string]string{}, kubeconfigs: map[string]string{},
	}
	if f.serving, err = authority.Server(folder, "serving",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", apiServiceIP); err != nil {
		return err
	}
	if err := pki.NewKey(f.accountKey); err != nil {
		return err
	}
	var lines strings.Builder
	for _, user := range users {
		f.tokens[user.file] = "lab-" + rand.Text()
		fmt.Fprintf(&lines, "%s,%s,%s,\"system:masters\"\n", f.tokens[user.file], user.user, user.user)
		if f.kubeconfigs[user.file], err = p.writeKubeconfig(user.file, f.authority, f.tokens[user.file]); err != nil {
			return err
		}
	}
	if f.tokenFile, err = p.run.Write("pki/tokens.csv", lines.String()); err != nil {
		return err
	}
	if f.policy, err = p.run.Write("audit-policy.yaml", auditPolicy); err != nil {
		return err
	}
	p.files = f
	return nil
}

func (p *plane) writeKubeconfig(user, authority, token string) (string, error) {
	ca, err := os.ReadFile(authority)
	if err != nil {
		return "", err
	}
	name := "tandem-lab-" + p.run.Name
	return p.run.Write(user+".kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[2]s}
clusters:
- name: %[1]s
  cluster:
    server: %[3]s
    certificate-authority-data: %[4]s
users:
- name: %[2]s
  user: {token: %[5]s}
`, name, user, p.server(), base64.StdEncoding.EncodeToString(ca), token))
}
