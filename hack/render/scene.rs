//! The tree that is built: an overlay over many bases.

use std::fmt::Write as _;

/// Files by path, for a build of `overlay` that has so many objects.
pub fn files(objects: usize) -> Vec<(String, String)> {
    let bases = objects / 4;
    assert!(bases > 0 && objects.is_multiple_of(4), "{objects} is no multiple of four");
    let mut files = Vec::new();
    let mut overlay = String::from(OVERLAY);
    for n in 0..bases {
        let mut file = |name: &str, text: &str| {
            files.push((format!("apps/app-{n}/{name}"), text.replace("{n}", &n.to_string())));
        };
        file("kustomization.yaml", BASE);
        file("deployment.yaml", DEPLOYMENT);
        file("service.yaml", SERVICE);
        file("account.yaml", ACCOUNT);
        file("app.env", "LOG_LEVEL=info\nWORKERS=4\nNAME=app-{n}\nURL=http://app-{n}.example.com/\n");
        writeln!(overlay, "- ../apps/app-{n}").expect("written");
    }
    files.push(("overlay/kustomization.yaml".to_owned(), overlay));
    files.push(("overlay/resources.yaml".to_owned(), PATCH.to_owned()));
    files
}

const BASE: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- deployment.yaml
- service.yaml
- account.yaml
labels:
- pairs:
    app.kubernetes.io/name: app-{n}
  includeSelectors: true
configMapGenerator:
- name: app-{n}
  envs:
  - app.env
patches:
- target:
    kind: Deployment
  patch: |-
    - op: add
      path: /spec/revisionHistoryLimit
      value: 3
";

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels:
    tier: backend
spec:
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      app: app-{n}
  template:
    metadata:
      labels:
        app: app-{n}
      annotations:
        prometheus.io/scrape: \"true\"
    spec:
      serviceAccountName: app-{n}
      securityContext:
        runAsNonRoot: true
      containers:
      - name: app
        image: example/app
        args: [\"--port=8080\", \"--name=app-{n}\"]
        ports:
        - name: http
          containerPort: 8080
        env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: LOG_LEVEL
          valueFrom:
            configMapKeyRef:
              name: app-{n}
              key: LOG_LEVEL
        envFrom:
        - configMapRef:
            name: app-{n}
        resources:
          requests:
            cpu: 50m
            memory: 64Mi
        readinessProbe:
          httpGet:
            path: /healthz
            port: http
          periodSeconds: 5
        volumeMounts:
        - name: settings
          mountPath: /etc/app
      - name: sidecar
        image: example/sidecar:1.0
      volumes:
      - name: settings
        configMap:
          name: app-{n}
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: app-{n}
spec:
  selector:
    app: app-{n}
  ports:
  - name: http
    port: 80
    targetPort: http
";

const ACCOUNT: &str = "\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-{n}
automountServiceAccountToken: false
";

const OVERLAY: &str = "\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: production
namePrefix: prod-
labels:
- pairs:
    env: production
  includeTemplates: true
commonAnnotations:
  owner: team-platform
images:
- name: example/app
  newName: registry.example.com/platform/app
  newTag: 2.4.1
- name: example/sidecar
  digest: sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3
replicas:
- name: app-0
  count: 5
patches:
- path: resources.yaml
  target:
    kind: Deployment
- target:
    kind: Service
    name: app-0
  patch: |-
    - op: add
      path: /spec/type
      value: NodePort
resources:
";

const PATCH: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: any
spec:
  template:
    spec:
      containers:
      - name: app
        resources:
          limits:
            memory: 256Mi
        env:
        - name: ENVIRONMENT
          value: production
      priorityClassName: normal
";
