//! Charts through the real agent: applied, changed, pruned and watched like any other manifest.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use crate::charts::helm;
use crate::git_remote::serve;
use crate::lab::{Agent, Lab, Repo, Tenant, condition_of, run, wait_for};

/// A control plane whose agent has the real Helm.
fn shared() -> &'static (Lab, Agent) {
    static SHARED: OnceLock<(Lab, Agent)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let lab = Lab::for_many("charts");
        let agent = Agent::start_with(&lab, &["--helm", helm().to_str().expect("UTF-8")]);
        (lab, agent)
    })
}

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.2.3\n";

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}-config'}
data: {color: '{{ .Values.color }}', where: '{{ .Release.Namespace }}'}
";

const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: {name: '{{ .Release.Name }}-db'}
stringData: {password: '{{ .Values.db.password }}'}
";

/// Charts that the agent has had rendered for a release.
fn rendered(agent: &Agent, release: &str) -> usize {
    let of =
        |line: &&str| line.contains("a chart was rendered") && line.contains(&format!("\"release\":\"{release}\""));
    agent.log().lines().filter(of).count()
}

fn data(lab: &Lab, namespace: &str, what: &str, key: &str, value: &str) {
    lab.wait(namespace, what, |object| match object["data"][key].as_str() {
        Some(found) if found == value => Ok(()),
        _ => Err(object["data"].to_string()),
    });
}

fn patch(lab: &Lab, namespace: &str, spec: &str) {
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", &format!("{{\"spec\": {spec}}}")]);
}

#[test]
fn a_chart_is_applied_changed_and_pruned_like_any_manifest() {
    let (lab, agent) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let release = format!("rel-{namespace}");
    repo.write("deploy/Chart.yaml", CHART);
    repo.write("deploy/values.yaml", "color: blue\n");
    repo.write("deploy/prod.yaml", "color: green\n");
    repo.write("deploy/templates/config.yaml", CONFIG);
    repo.write("deploy/templates/gone.yaml", &CONFIG.replace("-config", "-gone"));
    let first = repo.push("a chart");
    tenant.deploy(&repo, &format!("helm: {{releaseName: {release}, valuesFiles: [prod.yaml]}}"));
    tenant.wait_applied("sync", &first);
    data(lab, namespace, &format!("cm/{release}-config"), "color", "green");
    data(lab, namespace, &format!("cm/{release}-config"), "where", namespace);
    assert_eq!(rendered(agent, &release), 1);

    // Another commit, an object that somebody changed, and the same spec: Helm has nothing to say.
    repo.write("other/x.yaml", "kind: x\n");
    let other = repo.push("elsewhere");
    lab.k(&["-n", namespace, "patch", "cm", &format!("{release}-config"), "-p", "{\"data\": {\"color\": \"red\"}}"]);
    data(lab, namespace, &format!("cm/{release}-config"), "color", "green");
    lab.k(&["-n", namespace, "annotate", "sync", "sync", "tandemcd.io/requestedAt=now"]);
    lab.wait(namespace, "sync/sync", |sync| match sync["status"]["lastHandledReconcileAt"].as_str() {
        Some("now") => Ok(()),
        _ => Err(sync["status"].to_string()),
    });
    assert_eq!(rendered(agent, &release), 1, "after {other}");

    patch(lab, namespace, r#"{"helm": {"values": {"color": "black"}}}"#);
    data(lab, namespace, &format!("cm/{release}-config"), "color", "black");
    assert_eq!(rendered(agent, &release), 2);

    repo.remove("deploy/templates/gone.yaml");
    let last = repo.push("one template less");
    tenant.wait_applied("sync", &last);
    lab.wait_absent(namespace, &format!("cm/{release}-gone"));
    assert_eq!(rendered(agent, &release), 3);

    repo.write("deploy/templates/bad.yaml", "a: b\n{{ fail \"not like this\" }}\n");
    repo.push("a mistake");
    let sync = tenant.wait_reason("sync", "Ready", "BuildFailed");
    let problem = &sync["status"]["problems"][0];
    assert_eq!(
        (problem["at"].as_str(), problem["rule"].as_str()),
        (Some("deploy/templates/bad.yaml:2"), Some("ChartRefused"))
    );
    assert!(problem["message"].as_str().is_some_and(|told| told.contains("not like this")), "{problem}");
}

#[test]
fn a_value_from_a_secret_is_shown_nowhere() {
    let (lab, agent) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let secret = |password: &str| {
        lab.apply(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: {namespace}}}\nstringData: {{values.yaml: 'db: {{password: {password}}}'}}\n"
        ));
    };
    repo.write("deploy/Chart.yaml", CHART);
    repo.write("deploy/templates/secret.yaml", SECRET);
    let first = repo.push("a chart with a secret");
    secret("canary-one-5671");
    tenant.deploy(&repo, "helm: {releaseName: shop, valuesFrom: [{kind: Secret, name: db}]}");
    tenant.wait_applied("sync", &first);
    let encoded = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    data(lab, namespace, "secret/shop-db", "password", &encoded("canary-one-5671"));

    secret("canary-two-5671");
    data(lab, namespace, "secret/shop-db", "password", &encoded("canary-two-5671"));

    // Helm's own words would show it.
    repo.write(
        "deploy/values.schema.json",
        r#"{"properties": {"db": {"properties": {"password": {"pattern": "^x"}}}}}"#,
    );
    repo.push("a schema that it does not fit");
    let sync = tenant.wait_reason("sync", "Ready", "BuildFailed");
    let told = sync["status"]["problems"][0]["message"].as_str().expect("a message");
    assert!(told.contains("'***' does not match pattern '^x'"), "{told}");
    let events = lab.k(&["-n", namespace, "get", "events.events.k8s.io", "-o", "json"]);
    let inventories = lab.k(&["-n", namespace, "get", "inventories.tandemcd.io", "-o", "json"]);
    for (place, text) in
        [("the status", sync.to_string()), ("Events", events), ("the inventory", inventories), ("the log", agent.log())]
    {
        // The whole of each: four digits alone stand in commits and times as well.
        for canary in ["canary-one-5671", "canary-two-5671"] {
            assert!(!text.contains(canary) && !text.contains(&encoded(canary)), "{place} shows it: {text}");
        }
    }
}

#[test]
fn hooks_run_in_the_order_of_their_weights() {
    let (lab, _) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let job = |name: &str, hook: &str, weight: i32| {
        format!(
            "apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {{helm.sh/hook: {hook}, helm.sh/hook-weight: '{weight}'}}
spec:
  template: {{spec: {{restartPolicy: Never, containers: [{{name: run, image: 'registry.example.com/run:1'}}]}}}}
"
        )
    };
    repo.write("deploy/Chart.yaml", CHART);
    // By name they would run the other way round.
    repo.write("deploy/templates/a-second.yaml", &job("a-second", "pre-install,pre-upgrade", 5));
    repo.write("deploy/templates/b-first.yaml", &job("b-first", "pre-install,pre-upgrade", -5));
    repo.write("deploy/templates/c-last.yaml", &job("c-last", "post-install", 2));
    repo.write("deploy/templates/d-third.yaml", &job("d-third", "post-install", 1));
    repo.write("deploy/templates/bye.yaml", &job("bye", "pre-delete", 0));
    repo.write("deploy/templates/test.yaml", &job("test", "test", 0));
    repo.write("deploy/templates/web.yaml", &crate::lab::manifests::web());
    let commit = repo.push("a chart with hooks");
    tenant.deploy(&repo, "helm: {releaseName: shop}");
    tenant.wait_applied("sync", &commit);
    let writes = tenant.writes(&commit);
    let order = [
        "patch jobs/b-first",
        "patch jobs/a-second",
        "patch deployments/web",
        "patch jobs/d-third",
        "patch jobs/c-last",
    ];
    let places: Vec<_> = order.iter().map(|what| writes.iter().position(|write| write == what)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{writes:?}");
    let at = |name: &str, pointer: &str| {
        let job = lab.get(namespace, &format!("job/{name}"));
        job.pointer(pointer).and_then(|time| time.as_str()).unwrap_or_else(|| panic!("{pointer} in {job:#}")).to_owned()
    };
    for (first, second) in [("b-first", "a-second"), ("d-third", "c-last")] {
        assert!(at(first, "/status/completionTime") <= at(second, "/metadata/creationTimestamp"), "{first}, {second}");
    }
    for left_out in ["job/bye", "job/test"] {
        assert!(lab.absent(namespace, left_out), "{left_out}");
    }
}

#[test]
fn a_definition_that_comes_later_is_seen_by_the_charts_that_ask_for_it() {
    let (lab, agent) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let group = format!("{namespace}.example.com");
    let asks = format!("has: '{{{{ .Capabilities.APIVersions.Has \"{group}/v1/Widget\" }}}}', ");
    repo.write("deploy/Chart.yaml", CHART);
    repo.write(
        "deploy/templates/config.yaml",
        &CONFIG.replace("\ndata: {", &format!("\ndata: {{{asks}kube: '{{{{ .Capabilities.KubeVersion.Version }}}}', ")),
    );
    let commit = repo.push("a chart that asks");
    tenant.deploy(&repo, &format!("helm: {{releaseName: asks-{namespace}, values: {{color: blue}}}}"));
    tenant.wait_applied("sync", &commit);
    let config = format!("cm/asks-{namespace}-config");
    data(lab, namespace, &config, "has", "false");
    let version = lab.k(&["version", "-o", "json"]);
    let version: serde_json::Value = serde_json::from_str(&version).expect("JSON");
    data(lab, namespace, &config, "kube", version["serverVersion"]["gitVersion"].as_str().expect("a version"));

    let define = |group: &str| {
        lab.apply(&format!(
            "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec: {{group: {group}, scope: Namespaced, names: {{kind: Widget, plural: widgets}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]}}
"
        ));
    };
    define(&format!("other.{group}"));
    lab.k(&["wait", "--for=condition=Established", &format!("crd/widgets.other.{group}")]);
    define(&group);
    data(lab, namespace, &config, "has", "true");
    assert_eq!(rendered(agent, &format!("asks-{namespace}")), 2, "once, and once for the one that it asks for");
}

/// Files over HTTP, and what was asked for.
struct Files {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Files {
    fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, files) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<BTreeMap<_, Vec<u8>>>>::default());
        let (noted, served) = (asked.clone(), files.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                noted.lock().expect("unpoisoned").push(path.clone());
                let found = served.lock().expect("unpoisoned").get(&path).cloned();
                let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = (&stream).write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Self { url, asked, files }
    }

    fn put(&self, path: &str, content: Vec<u8>) {
        self.files.lock().expect("unpoisoned").insert(path.to_owned(), content);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

/// Packs a chart with Helm itself; its file name and content.
fn package(folder: &Path, version: &str) -> (String, Vec<u8>) {
    let chart = folder.join("web");
    std::fs::create_dir_all(chart.join("templates")).expect("folders");
    std::fs::write(chart.join("Chart.yaml"), CHART.replace("1.2.3", version)).expect("writes");
    std::fs::write(chart.join("values.yaml"), "color: packed\n").expect("writes");
    std::fs::write(chart.join("templates/config.yaml"), CONFIG).expect("writes");
    run(Command::new(helm()).args(["package", "web"]).current_dir(folder).env("HOME", folder));
    let name = format!("web-{version}.tgz");
    let content = std::fs::read(folder.join(&name)).expect("packed");
    (name, content)
}

#[test]
fn a_chart_comes_from_a_repository_once_and_is_what_its_pin_says() {
    let (lab, _) = shared();
    let (repo, tenant, files) = (Repo::new(), Tenant::new(lab), Files::serve());
    let namespace = tenant.namespace.as_str();
    let folder = tempfile::tempdir().expect("a folder");
    let (name, packed) = package(folder.path(), "1.2.3");
    run(Command::new(helm()).args(["repo", "index", "."]).current_dir(folder.path()).env("HOME", folder.path()));
    files.put("/charts/index.yaml", std::fs::read(folder.path().join("index.yaml")).expect("an index"));
    files.put(&format!("/charts/{name}"), packed);
    repo.write("deploy/values.yaml", "color: of-the-commit\n");
    let first = repo.push("values alone");
    let chart = |version: &str| format!("chart: {{repository: '{}/charts', name: web, version: {version}}}", files.url);
    tenant.deploy(&repo, &format!("helm: {{releaseName: far, valuesFiles: [values.yaml], {}}}", chart("1.2.3")));
    tenant.wait_applied("sync", &first);
    data(lab, namespace, "cm/far-config", "color", "of-the-commit");
    assert_eq!(files.asked(), ["/charts/index.yaml", "/charts/web-1.2.3.tgz"]);

    // Another value, another Sync, and what was brought is enough.
    repo.write("deploy/values.yaml", "color: of-another\n");
    let second = repo.push("another value");
    tenant.wait_applied("sync", &second);
    data(lab, namespace, "cm/far-config", "color", "of-another");
    tenant.sync("again", "deploy", &format!("helm: {{releaseName: again, {}}}", chart("1.2.3")));
    tenant.wait_applied("again", &second);
    data(lab, namespace, "cm/again-config", "color", "packed");
    assert_eq!(files.asked().len(), 2, "{:?}", files.asked());

    // What is not there, what is no exact version, and what is not what its digest says.
    tenant.sync("missing", "deploy", &format!("helm: {{{}}}", chart("9.9.9")));
    tenant.wait_message("missing", "Ready", &["version 9.9.9", "it has 1.2.3"]);
    let range = lab
        .kubectl()
        .args(["-n", namespace, "patch", "sync", "missing", "--type=merge", "-p"])
        .arg(r#"{"spec": {"helm": {"chart": {"version": "^1.2.0"}}}}"#)
        .output()
        .expect("kubectl runs");
    let refused = String::from_utf8_lossy(&range.stderr).into_owned();
    assert!(!range.status.success() && refused.contains("stands in no reviewed commit"), "{refused}");
    let digest = format!("digest: 'sha256:{}'", "a".repeat(64));
    tenant.sync(
        "forged",
        "deploy",
        &format!("helm: {{chart: {{repository: '{}/charts', name: web, version: 1.2.3, {digest}}}}}", files.url),
    );
    tenant.wait_message("forged", "Ready", &["has the digest sha256:", "is wanted"]);
}

/// The value of a metric of the agent.
fn metric(agent: &Agent, name: &str) -> f64 {
    let all = agent.http("/metrics").unwrap_or_default();
    let value = all.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} in {all}"))
}

#[test]
fn a_repository_of_charts_that_hangs_troubles_no_other_tenant() {
    let lab = Lab::start("hanging-charts");
    let agent = Agent::start_with(&lab, &["--helm", helm().to_str().expect("UTF-8")]);
    let (repo, hanging, other, files) = (Repo::new(), Tenant::new(&lab), Tenant::new(&lab), Files::serve());
    let folder = tempfile::tempdir().expect("a folder");
    let (name, packed) = package(folder.path(), "1.2.3");
    run(Command::new(helm()).args(["repo", "index", "."]).current_dir(folder.path()).env("HOME", folder.path()));
    files.put("/charts/index.yaml", std::fs::read(folder.path().join("index.yaml")).expect("an index"));
    files.put(&format!("/charts/{name}"), packed);
    repo.write("deploy/values.yaml", "color: of-the-commit\n");
    repo.write(
        "plain/a.yaml",
        &CONFIG.replace("{{ .Release.Name }}-config", "a").replace("{{ .Values.color }}", "plain"),
    );
    let first = repo.push("values, and one without a chart");
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    hanging.repository("repo", &repo);
    let all: String = (0..24)
        .map(|n| {
            let chart = format!("{{repository: 'http://127.0.0.1:{port}/{n}', name: web, version: 1.2.3}}");
            hanging.sync_yaml(&format!("hangs-{n}"), "deploy", &format!("helm: {{chart: {chart}}}"))
        })
        .collect();
    lab.apply(&all);
    let (asked, _) = listener.accept().expect("it is asked");
    wait_for("Syncs that hang, and others behind them", || match metric(&agent, "tandem_queue_depth ") {
        waiting if waiting >= 8.0 => Ok(()),
        waiting => Err(waiting.to_string()),
    });
    other.repository("repo", &repo);
    other.sync("plain", "plain", "");
    other.wait_applied("plain", &first);
    let chart = format!("chart: {{repository: '{}/charts', name: web, version: 1.2.3}}", files.url);
    other.sync("far", "deploy", &format!("helm: {{releaseName: far, valuesFiles: [values.yaml], {chart}}}"));
    other.wait_applied("far", &first);
    data(&lab, &other.namespace, "cm/far-config", "color", "of-the-commit");
    assert!(metric(&agent, "tandem_queue_depth ") >= 8.0, "the others hang still");
    drop(asked);
}

#[test]
fn a_chart_comes_from_a_registry_with_the_credentials_of_the_account() {
    let (lab, agent) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let forge = serve("gitea", &[]);
    let (user, password, host) = (forge.get("user"), forge.get("password"), format!("127.0.0.1:{}", forge.get("port")));
    let folder = tempfile::tempdir().expect("a folder");
    let (name, packed) = package(folder.path(), "2.0.0+build.1");
    let mut push = Command::new(helm());
    push.args(["registry", "login", &host, "--username", &user, "--password", &password, "--plain-http"]);
    run(push.env("HOME", folder.path()));
    let mut push = Command::new(helm());
    push.args(["push", &name, &format!("oci://{host}/{user}"), "--plain-http"]).current_dir(folder.path());
    let pushed = push.env("HOME", folder.path()).output().expect("helm runs");
    let said = crate::lab::both(&pushed);
    assert!(pushed.status.success(), "{said}");
    let digest =
        said.lines().find_map(|line| line.trim().strip_prefix("Digest: ")).expect("a digest").trim().to_owned();
    lab.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: login, namespace: {namespace}}}\nstringData: {{username: '{user}', password: '{password}'}}\n"
    ));
    repo.write("deploy/values.yaml", "color: by-tag\n");
    let commit = repo.push("values alone");
    let chart = |pin: &str| {
        format!(
            "releaseName: oci, valuesFiles: [values.yaml], chart: {{repository: 'oci://{host}/{user}', name: web, {pin}, secretRef: {{name: login}}}}"
        )
    };
    tenant.deploy(&repo, &format!("helm: {{{}}}", chart("version: 2.0.0+build.1")));
    tenant.wait_applied("sync", &commit);
    data(lab, namespace, "cm/oci-config", "color", "by-tag");
    tenant.sync(
        "pinned",
        "deploy",
        &format!(
            "helm: {{{}}}",
            chart(&format!("digest: '{digest}'")).replace("releaseName: oci", "releaseName: pinned")
        ),
    );
    tenant.wait_applied("pinned", &commit);
    data(lab, namespace, "cm/pinned-config", "color", "by-tag");

    // The same forge is a chart repository as well.
    let mut upload = Command::new("curl");
    upload
        .args(["-fsS", "--user", &format!("{user}:{password}"), "-X", "POST", "--upload-file"])
        .arg(folder.path().join(&name));
    run(upload.arg(format!("http://{host}/api/packages/{user}/helm/api/charts")));
    let index = format!(
        "repository: 'http://{host}/api/packages/{user}/helm', name: web, version: 2.0.0+build.1, secretRef: {{name: login}}"
    );
    tenant.sync("indexed", "deploy", &format!("helm: {{releaseName: indexed, chart: {{{index}}}}}"));
    tenant.wait_applied("indexed", &commit);
    data(lab, namespace, "cm/indexed-config", "color", "packed");
    assert!(!packed.is_empty() && !agent.log().contains(&password), "the log shows the password");
}

#[test]
fn a_chart_comes_over_a_private_authority_and_over_no_other() {
    let (lab, _) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let forge = serve("gitea", &["--tls"]);
    let (user, password, host) = (forge.get("user"), forge.get("password"), format!("127.0.0.1:{}", forge.get("port")));
    let ca = forge.get("ca_file");
    let folder = tempfile::tempdir().expect("a folder");
    let (name, _) = package(folder.path(), "3.0.0");
    let index = format!("https://{host}/api/packages/{user}/helm");
    let mut upload = Command::new("curl");
    upload.args(["-fsS", "--cacert", &ca, "--user", &format!("{user}:{password}"), "-X", "POST", "--upload-file"]);
    run(upload.arg(folder.path().join(&name)).arg(format!("{index}/api/charts")));
    let by_helm = |arguments: &[&str]| {
        let mut command = Command::new(helm());
        run(command.args(arguments).args(["--ca-file", &ca]).current_dir(folder.path()).env("HOME", folder.path()));
    };
    by_helm(&["registry", "login", &host, "--username", &user, "--password", &password]);
    by_helm(&["push", &name, &format!("oci://{host}/{user}")]);

    // Another authority, that of another server.
    let other = serve("git-http", &["--root", folder.path().to_str().expect("UTF-8"), "--tls"]);
    for (secret, file) in [("ca", &ca), ("other", &other.get("ca_file"))] {
        lab.k(&["-n", namespace, "create", "secret", "generic", secret, &format!("--from-file=ca.crt={file}")]);
    }
    lab.k(&[
        "-n",
        namespace,
        "create",
        "secret",
        "generic",
        "login",
        &format!("--from-literal=username={user}"),
        &format!("--from-literal=password={password}"),
    ]);
    repo.write("deploy/values.yaml", "color: private\n");
    let commit = repo.push("values alone");
    tenant.repository("repo", &repo);
    let sync = |name: &str, repository: &str, trust: &str| {
        let chart = format!("repository: '{repository}', name: web, version: 3.0.0, secretRef: {{name: login}}{trust}");
        tenant.sync(name, "deploy", &format!("helm: {{valuesFiles: [values.yaml], chart: {{{chart}}}}}"));
    };
    let registry = format!("oci://{host}/{user}");
    for (from, repository) in [("index", &index), ("oci", &registry)] {
        sync(from, repository, ", caSecretRef: {name: ca}");
        sync(&format!("{from}-other"), repository, ", caSecretRef: {name: other}");
    }
    // Without an authority a registry on this machine itself is asked without TLS, so only the repository shows it.
    sync("index-untrusted", &index, "");
    for from in ["index", "oci"] {
        tenant.wait_applied(from, &commit);
        data(lab, namespace, &format!("cm/{from}-config"), "color", "private");
    }
    for wrong in ["index-other", "oci-other", "index-untrusted"] {
        let sync = tenant.wait_message(wrong, "Ready", &["certificate"]);
        assert_eq!(condition_of(&sync, "Ready").expect("a condition")["reason"], "ChartFetchFailed");
        assert!(lab.absent(namespace, &format!("cm/{wrong}-config")));
    }
}

/// What a chart prints has variables of the Sync, and a plan from a laptop is what the agent would do.
#[test]
fn variables_are_put_into_a_chart_and_a_plan_renders_it_as_the_agent_does() {
    let (lab, agent) = shared();
    let (repo, tenant) = (Repo::new(), Tenant::new(lab));
    let namespace = tenant.namespace.as_str();
    let config = CONFIG.replace(
        "\ndata: {",
        "\ndata: {team: '${TEAM}', kube: '{{ .Capabilities.KubeVersion.Version }}', count: '${COUNT:={{ .Values.count }}}', ",
    );
    let left_alone = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: script\n  annotations: {tandemcd.io/substitute: disabled}\n\
                      data: {run: 'echo ${HOME}'}\n";
    repo.write("deploy/Chart.yaml", CHART);
    repo.write("deploy/values.yaml", "count: 3\n");
    repo.write("deploy/templates/config.yaml", &config);
    repo.write("deploy/templates/secret.yaml", SECRET);
    repo.write("deploy/templates/script.yaml", left_alone);
    let commit = repo.push("a chart with variables");
    lab.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: colours, namespace: {namespace}}}\ndata: {{values.yaml: 'color: blue', TEAM: red}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: {namespace}}}\nstringData: {{values.yaml: 'db: {{password: canary-8812}}'}}\n"
    ));
    tenant.deploy(
        &repo,
        "helm: {releaseName: plans, valuesFrom: [{kind: ConfigMap, name: colours}, {kind: Secret, name: db}]}\n\
         substitute: {from: [{kind: ConfigMap, name: colours}]}",
    );
    tenant.wait_applied("sync", &commit);
    for (key, value) in [("team", "red"), ("count", "3"), ("color", "blue")] {
        data(lab, namespace, "cm/plans-config", key, value);
    }
    data(lab, namespace, "cm/script", "run", "echo ${HOME}");

    let plan = |arguments: &[&str]| {
        let mut command = crate::lab::tandem();
        command.args(arguments).args(["-n", namespace]).current_dir(repo.work());
        command.env("KUBECONFIG", lab.kubeconfig()).env("TANDEM_HELM", helm());
        let output = command.output().expect("tandem runs");
        (output.status.code(), crate::lab::both(&output))
    };
    let ours = ["plan", "deploy", "--sync", "sync"];
    let (code, told) = plan(&ours);
    assert!(code == Some(0) && told.contains("3 unchanged"), "{told}");
    let (code, told) = plan(&["diff", "sync"]);
    assert!(code == Some(0) && told.contains("3 unchanged"), "{told}");

    // What is not pushed yet, and what somebody changed in the cluster.
    repo.write("deploy/values.yaml", "count: 5\n");
    let changed = "{\"stringData\": {\"values.yaml\": \"db: {password: canary-9923}\"}}";
    let before = rendered(agent, "plans");
    lab.k(&["-n", namespace, "patch", "sync", "sync", "--type=merge", "-p", "{\"spec\": {\"suspend\": true}}"]);
    lab.k(&["-n", namespace, "patch", "secret", "db", "-p", changed]);
    let (code, told) = plan(&ours);
    assert!(code == Some(1) && told.contains("2 to configure, 1 unchanged"), "{told}");
    assert!(told.contains("\"3\"") && told.contains("\"5\"") && !told.contains("canary"), "{told}");
    assert_eq!(rendered(agent, "plans"), before, "a plan is the person's own render");
}

#[test]
fn without_helm_the_sync_that_needs_it_says_so_and_no_other_is_troubled() {
    let lab = Lab::start("nohelm");
    let _agent = Agent::start_with(&lab, &["--helm", "/nowhere/helm"]);
    let (repo, tenant) = (Repo::new(), Tenant::new(&lab));
    repo.write("deploy/Chart.yaml", CHART);
    repo.write("deploy/templates/config.yaml", CONFIG);
    repo.write("plain/a.yaml", &crate::lab::manifests::config("plain", "{a: b}"));
    let commit = repo.push("a chart and a folder");
    tenant.repository("repo", &repo);
    tenant.sync("chart", "deploy", "");
    tenant.sync("plain", "plain", "");
    tenant.wait_applied("plain", &commit);
    let sync = tenant.wait_message("chart", "Ready", &["/nowhere/helm is no program, and a chart needs Helm"]);
    let ready = condition_of(&sync, "Ready").expect("a condition");
    assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("False"), Some("BuildFailed")));
    assert_eq!(sync["status"]["problems"][0]["rule"], "HelmMissing");
    wait_for("the other Sync to stay ready", || {
        let plain = lab.get(&tenant.namespace, "sync/plain");
        let ready = condition_of(&plain, "Ready").cloned().unwrap_or_default();
        if ready["status"] == "True" { Ok(()) } else { Err(ready.to_string()) }
    });
}
