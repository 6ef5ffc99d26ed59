package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tandemcd.io/hack/lab/stack"
)

// populateLimit bounds what the controllers do once all programs are ready.
const populateLimit = 2 * time.Minute

type object = map[string]any

// createNodes makes the nodes that kwok then brings to life, and the storage
// class whose claims it binds.
func (p *plane) createNodes(ctx context.Context) error {
	for number := range p.nodes {
		name := fmt.Sprintf("node-%d", number+1)
		if err := p.create(ctx, "/api/v1/nodes", object{
			"apiVersion": "v1", "kind": "Node",
			"metadata": object{
				"name": name,
				"labels": object{
					"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
					"topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", number%3+1),
				},
			},
		}); err != nil {
			return err
		}
	}
	return p.create(ctx, "/apis/storage.k8s.io/v1/storageclasses", object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{
			"name":        "kwok-volume",
			"annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		"provisioner": "kwok.x-k8s.io/volume",
	})
}

// create retries while the API server still starts.
func (p *plane) create(ctx context.Context, path string, what object) error {
	ctx, cancel := context.WithTimeout(ctx, populateLimit)
	defer cancel()
	err := stack.Poll(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		err := p.api.do(ctx, http.MethodPost, path, what, nil)
		var refused *statusError
		if errors.As(err, &refused) && refused.code == http.StatusConflict {
			return nil
		}
		return err
	})
	if err != nil {
		return p.run.Blame(apiServer, fmt.Errorf("POST %s: %w", path, err))
	}
	return nil
}

// populate waits until a Pod could run: its namespace has a ServiceAccount and
// the authority's certificate, and every node takes Pods.
func (p *plane) populate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, populateLimit)
	defer cancel()
	if !p.without[controllerManager] {
		for _, path := range []string{
			"/api/v1/namespaces/default/serviceaccounts/default",
			"/api/v1/namespaces/default/configmaps/kube-root-ca.crt",
		} {
			err := stack.Poll(ctx, 20*time.Millisecond, func(ctx context.Context) error {
				return p.api.do(ctx, http.MethodGet, path, nil, nil)
			})
			if err != nil {
				return p.run.Blame(controllerManager, fmt.Errorf("did not create %s: %w", path, err))
			}
		}
		p.run.Step("ServiceAccount default in namespace default")
	}
	if p.without[kwok] || p.nodes == 0 {
		return nil
	}
	if err := stack.Poll(ctx, 30*time.Millisecond, p.nodesReady); err != nil {
		culprit := kwok
		if errors.Is(err, errTainted) {
			culprit = controllerManager
		}
		return p.run.Blame(culprit, err)
	}
	p.run.Step("%d nodes ready", p.nodes)
	return nil
}

var errTainted = errors.New("is ready but still has taints")

func (p *plane) nodesReady(ctx context.Context) error {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Taints []any }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := p.api.do(ctx, http.MethodGet, "/api/v1/nodes?resourceVersion=0", nil, &list); err != nil {
		return err
	}
	if len(list.Items) < p.nodes {
		return fmt.Errorf("%d of %d nodes exist", len(list.Items), p.nodes)
	}
	for _, node := range list.Items {
		ready := false
		for _, condition := range node.Status.Conditions {
			ready = ready || condition.Type == "Ready" && condition.Status == "True"
		}
		if !ready {
			return fmt.Errorf("%s is not ready", node.Metadata.Name)
		}
		// Without the controller manager nobody takes the taints away.
		if len(node.Spec.Taints) > 0 && !p.without[controllerManager] {
			return fmt.Errorf("%s %w", node.Metadata.Name, errTainted)
		}
	}
	return nil
}
