//! Charts are rendered as Helm renders them: every case of `tests/cases/charts`, each also run through
//! the plain `helm`, outside the box.
//!
//! A case has the form of those of kustomize (`tests/kustomize/case.rs`), without what is wanted:
//! that is what Helm prints. `-- settings.yaml --` at the root says what a Sync would say.
//! `TANDEM_BLESS=1 cargo test charts` writes the problems of those that are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Map, Value};
use tandem::agent::programs::{Programs, ProgramsSettings};
use tandem::object::Problem;
use tandem::render::helm::{Cluster, Layer, Settings};
use tandem::render::substitute::Secrecy;
use tandem::render::{Blob, MemTree, Options, Rendered, Tree, render};

use crate::cli::Folder;
use crate::kustomize::case::{self, Case, Content, Expected};
use crate::lab::{both, tandem};

/// The real Helm, built where it is missing.
pub fn helm() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/lab");
        let built = Command::new(lab).args(["build", "helm"]).output().expect("hack/lab runs");
        assert!(built.status.success(), "{}", both(&built));
        let folder = String::from_utf8(built.stdout).expect("a path");
        Path::new(folder.lines().last().expect("a folder")).join("helm")
    })
}

/// Programs as this program would start them.
pub fn programs() -> Programs {
    let launcher = PathBuf::from(tandem().get_program());
    Programs::new(ProgramsSettings { helm: Some(helm().to_owned()), ..ProgramsSettings::started_by(launcher) })
}

/// Renders a folder whole.
pub async fn rendered(tree: &dyn Tree, folder: &str, programs: &Programs, mut options: Options) -> Rendered {
    loop {
        let rendered = render(tree, folder, &options);
        if rendered.needs.is_empty() {
            return rendered;
        }
        programs.meet(rendered.needs, &mut options).await.expect("answered");
    }
}

fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/charts");
    let mut files: Vec<_> = fs::read_dir(&root).expect("cases").map(|entry| entry.expect("a case").path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("a case");
        Case::parse(&name, file, &text)
    };
    files.into_iter().map(read).collect()
}

/// What `settings.yaml` says.
#[derive(Default)]
struct Said {
    settings: Settings,
    /// Values files from the chart's folder.
    values: Vec<String>,
}

fn said(case: &Case) -> Said {
    let Some(node) = case.tree.iter().find(|node| node.path == "settings.yaml") else { return Said::default() };
    let Content::File(bytes) = &node.content else { panic!("{}: settings.yaml is a link", case.name) };
    let documents = case::documents(std::str::from_utf8(bytes).expect("UTF-8")).expect("YAML");
    let text = |field: &str| documents[0].get(field).map(|value| value.as_str().expect("a text").to_owned());
    let texts = |field: &str| -> Vec<String> {
        let items = documents[0].get(field).and_then(Value::as_array);
        items.into_iter().flatten().map(|item| item.as_str().expect("a text").to_owned()).collect()
    };
    let values = texts("values");
    let settings = Settings {
        release_name: text("release"),
        namespace: text("namespace").unwrap_or_else(|| "default".to_owned()),
        cluster: Some(Cluster { kube_version: text("kube"), api_versions: texts("apis") }),
        values: values.iter().cloned().map(Layer::File).collect(),
        ..Settings::default()
    };
    Said { settings, values }
}

/// Runs the plain Helm over the files of a case.
fn plain(case: &Case, said: &Said, command: &[&str], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    case::on_disk(&case.tree, folder.path());
    let settings = &said.settings;
    let release = settings.release_name.clone().unwrap_or_else(|| case.build.clone());
    let mut helm = Command::new(helm());
    helm.args(command).args([&release, &format!("./{}", case.build), "--namespace", &settings.namespace]).args(more);
    for file in &said.values {
        helm.arg("--values").arg(Path::new(&case.build).join(file));
    }
    let cluster = settings.cluster.clone().unwrap_or_default();
    if let Some(version) = &cluster.kube_version {
        helm.args(["--kube-version", version]);
    }
    for api in &cluster.api_versions {
        helm.args(["--api-versions", api]);
    }
    helm.current_dir(folder.path()).env_clear().env("HOME", folder.path().join("home")).stdin(Stdio::null());
    helm.output().expect("helm runs")
}

fn hooks(object: &Value) -> Vec<String> {
    let said = object.pointer("/metadata/annotations/helm.sh~1hook").and_then(Value::as_str).unwrap_or_default();
    said.split(',').map(|event| event.trim().to_lowercase()).filter(|event| !event.is_empty()).collect()
}

/// Whether an object is a hook of something that never happens to a Sync.
fn is_left_out(object: &Value) -> bool {
    let hooks = hooks(object);
    let happens = ["pre-install", "pre-upgrade", "post-install", "post-upgrade"];
    !hooks.is_empty() && !hooks.iter().any(|hook| happens.contains(&hook.as_str()))
}

/// What Helm prints, as objects that are applied one by one.
fn objects(printed: &str) -> Vec<Value> {
    let documents = case::documents(printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
    let items = documents.into_iter().flat_map(|mut document| match document["kind"].as_str() {
        Some("List") => serde_json::from_value(document["items"].take()).expect("items"),
        _ => vec![document],
    });
    items.filter(|object| !is_left_out(object)).collect()
}

/// Our objects without the annotations that Tandem takes from Helm's.
fn without_ours(mut object: Value) -> Value {
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        annotations.retain(|key, _| !key.starts_with("tandemcd.io/"));
    }
    object
}

fn told(problems: &[Problem]) -> String {
    let told = |problem: &Problem| match &problem.hint {
        Some(hint) => format!("{problem}\n  hint: {hint}\n"),
        None => format!("{problem}\n"),
    };
    problems.iter().map(told).collect()
}

#[tokio::test]
async fn every_chart_is_rendered_as_helm_renders_it() {
    let bless = std::env::var_os("TANDEM_BLESS").is_some();
    let (cases, programs) = (all(), programs());
    let refused = cases.iter().filter(|case| case.name.starts_with("refused-")).count();
    assert!(cases.len() - refused >= 25 && refused >= 15, "{} cases, {refused} refused", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let said = said(case);
        let printed = plain(case, &said, &["template"], &["--include-crds", "--skip-tests"]);
        let options = Options { helm: said.settings.clone(), ..Options::default() };
        let ours = rendered(&case::in_memory(&case.tree), &case.build, &programs, options).await;
        let problems = told(&ours.problems);
        let ours: Vec<Value> = ours.manifests.into_iter().map(|manifest| without_ours(manifest.body)).collect();
        let complaint = match (printed.status.success(), case.name.starts_with("refused-")) {
            (true, false) if problems.is_empty() => {
                case::differ(&objects(&String::from_utf8_lossy(&printed.stdout)), &ours)
            }
            (true, false) => Some(format!("refused:\n{problems}")),
            (false, false) => Some(format!("Helm refuses it: {}", both(&printed))),
            (true, true) if case.tandem_only.is_none() => Some("Helm renders it".to_owned()),
            (false, true) if case.tandem_only.is_some() => Some(format!("Helm refuses it too: {}", both(&printed))),
            _ if problems.is_empty() => Some("rendered, and to be refused".to_owned()),
            _ if bless => {
                case.bless(&Expected::Refused(problems));
                None
            }
            _ if case.expected == Some(Expected::Refused(problems.clone())) => None,
            _ => Some(format!("refused with other words:\n{problems}")),
        };
        wrong.extend(complaint.map(|complaint| format!("{}: {complaint}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// `helm install` says itself which objects are the release's and which are hooks.
#[tokio::test]
async fn what_helm_would_install_is_what_is_rendered() {
    let programs = programs();
    let mut wrong = Vec::new();
    for case in all().iter().filter(|case| !case.name.starts_with("refused-") && !case.name.starts_with("capabilities"))
    {
        let said = said(case);
        let installed = plain(case, &said, &["install"], &["--dry-run=client", "--output", "json"]);
        assert!(installed.status.success(), "{}: {}", case.name, both(&installed));
        let release: Value = serde_json::from_slice(&installed.stdout).expect("JSON");
        let mut want = objects(release["manifest"].as_str().expect("a manifest"));
        for hook in release["hooks"].as_array().into_iter().flatten() {
            want.extend(objects(hook["manifest"].as_str().expect("a manifest")));
        }
        let options = Options { helm: said.settings.clone(), ..Options::default() };
        let ours = rendered(&case::in_memory(&case.tree), &case.build, &programs, options).await;
        // `install` creates definitions by itself, and does not tell them.
        let ours = ours.manifests.into_iter().filter(|manifest| manifest.id.kind != "CustomResourceDefinition");
        let ours: Vec<Value> = ours.map(|manifest| without_ours(manifest.body)).collect();
        wrong.extend(case::differ(&want, &ours).map(|complaint| format!("{}: {complaint}", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn hooks_and_what_is_kept_are_said_in_our_words() {
    let case = all().into_iter().find(|case| case.name == "hooks").expect("the case");
    let ours = rendered(&case::in_memory(&case.tree), "app", &programs(), Options::default()).await;
    assert_eq!(told(&ours.problems), "");
    let mut said = Map::new();
    for manifest in ours.manifests {
        let annotations = manifest.body.pointer("/metadata/annotations").and_then(Value::as_object);
        let own = annotations.into_iter().flatten().filter(|(key, _)| key.starts_with("tandemcd.io/"));
        let own: Vec<String> = own.map(|(key, value)| format!("{key}={}", value.as_str().expect("text"))).collect();
        said.insert(manifest.id.name.clone(), own.join(" ").into());
        assert!(manifest.origin.file.starts_with("app/templates/"), "{}", manifest.origin.file);
    }
    let expected = serde_json::json!({
        "both": "tandemcd.io/phase=before",
        "early": "tandemcd.io/order=-5 tandemcd.io/phase=before",
        "kept": "tandemcd.io/prune=disabled",
        "migrate": "tandemcd.io/order=5 tandemcd.io/phase=before",
        "migrator": "",
        "smoke": "tandemcd.io/phase=after",
    });
    assert_eq!(Value::Object(said), expected);
}

/// A chart of one template, which prints a ConfigMap with a text.
fn one(text: &str) -> MemTree {
    let template = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {text}}}\n");
    MemTree::new()
        .file("app/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")
        .file("app/templates/a.yaml", template)
}

/// What a chart may not do in the box, each beside one that does the same honestly.
#[tokio::test]
async fn a_chart_that_takes_too_much_is_ended_and_told() {
    let launcher = PathBuf::from(tandem().get_program());
    let settings = ProgramsSettings { helm: Some(helm().to_owned()), ..ProgramsSettings::started_by(launcher) };
    let programs = Programs::new(ProgramsSettings { chart_seconds: 3, ..settings });
    let mut wrong = Vec::new();
    for (what, text, expected) in [
        ("loops", "{{ range untilStep 1 2000000000 1 }}{{ end }}ok", Err("LimitExceeded")),
        ("loops honestly", "{{ range untilStep 1 2000 1 }}{{ end }}ok", Ok("ok")),
        ("counts without a list", "{{ range $i := 100000000000 }}{{ end }}ok", Err("LimitExceeded")),
        ("counts honestly", "{{ range $i := 10 }}{{ end }}ok", Ok("ok")),
        ("eats memory", "{{ repeat 2000000000 \"x\" | len }}", Err("LimitExceeded")),
        ("eats honestly", "'{{ repeat 2000000 \"x\" | len }}'", Ok("2000000")),
        ("prints much", "{{ range until 200000 }}{{ repeat 200 \"x\" }}{{ end }}", Err("LimitExceeded")),
        ("prints honestly", "{{ range until 3 }}{{ repeat 2 \"x\" }}{{ end }}", Ok("xxxxxx")),
        ("asks for a name", "'{{ getHostByName \"localhost\" }}'", Ok("")),
        ("asks for the environment", "{{ env \"HOME\" }}", Err("ChartRefused")),
        (
            "asks for a file of the system",
            "'{{ .Files.Get \"/etc/hostname\" }}{{ .Files.Get \"../../../etc/hostname\" }}'",
            Ok(""),
        ),
        ("asks for the cluster", "'{{ len (lookup \"v1\" \"Namespace\" \"\" \"\") }}'", Ok("0")),
    ] {
        let ours = rendered(&one(text), "app", &programs, Options::default()).await;
        let got = match (ours.problems.first(), ours.manifests.first()) {
            (Some(problem), _) => Err(problem.rule.as_str()),
            (None, Some(manifest)) => Ok(manifest.body["data"]["x"].as_str().unwrap_or_default()),
            (None, None) => Ok("nothing"),
        };
        if got != expected {
            wrong.push(format!("{what}: {got:?}, wanted {expected:?}: {}", told(&ours.problems)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn values_of_a_secret_are_masked_in_objects_and_in_helms_words() {
    let programs = programs();
    let given = Layer::Text {
        from: "Secret db".to_owned(),
        text: Blob::new("p: canary-7781\nq: canary-9912\n"),
        secrecy: Secrecy::Secret,
    };
    let options =
        || Options { helm: Settings { values: vec![given.clone()], ..Settings::default() }, ..Options::default() };
    let ours = rendered(&one("'url://{{ .Values.p }}@host'"), "app", &programs, options()).await;
    assert_eq!(told(&ours.problems), "");
    assert_eq!(ours.manifests[0].body["data"]["x"], "url://canary-7781@host");
    assert_eq!(ours.manifests[0].masked, ["/data/x"]);
    let open = rendered(&one("'url://{{ .Values.none }}@host'"), "app", &programs, options()).await;
    assert!(open.manifests[0].masked.is_empty(), "{:?}", open.manifests[0].masked);

    let fails = one("{{ fail (printf \"%s %q %s\" .Values.p .Values.q (b64enc .Values.p)) }}");
    let refused = told(&rendered(&fails, "app", &programs, options()).await.problems);
    assert!(refused.contains("*** \"***\" ***") && !refused.contains("7781"), "{refused}");
}

#[tokio::test]
async fn what_is_no_helm_4_is_told() {
    let launcher = PathBuf::from(tandem().get_program());
    for (path, said) in [
        ("/bin/echo", "a chart needs Helm v4, and /bin/echo says that it is version --short"),
        ("/bin/false", "a chart needs Helm v4, and /bin/false ends with exit status: 1"),
        ("/nowhere", "/nowhere is no program, and a chart needs Helm"),
    ] {
        let programs = Programs::new(ProgramsSettings {
            helm: Some(path.into()),
            ..ProgramsSettings::started_by(launcher.clone())
        });
        let ours = rendered(&one("ok"), "app", &programs, Options::default()).await;
        assert!(
            ours.problems[0].rule == "HelmMissing" && ours.problems[0].message.contains(said),
            "{}",
            told(&ours.problems)
        );
    }
}

#[tokio::test]
async fn a_kustomization_takes_charts_that_stand_in_the_tree() {
    let template = "apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}-cm', namespace: '{{ .Release.Namespace }}'}
data: {v: '{{ .Values.a }} {{ .Values.b }} {{ .Values.c }}', kube: '{{ .Capabilities.KubeVersion.Version }}'}
";
    let tree = MemTree::new()
        .file("app/charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")
        .file("app/charts/web/values.yaml", "a: chart\nb: chart\nc: chart\n")
        .file(
            "app/charts/web/crds/w.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: w}\n",
        )
        .file("app/charts/web/templates/a.yaml", template)
        .file(
            "app/charts/web/templates/job.yaml",
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: job, annotations: {helm.sh/hook: pre-install}}\n",
        )
        .file("app/values.yaml", "b: file\nc: file\n")
        .file(
            "app/patch.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: r-cm, namespace: prod}\ndata: {more: patched}\n",
        );
    let programs = programs();
    let chart = "name: web, releaseName: r, namespace: prod, kubeVersion: v1.30.0";
    for (more, names, value) in [
        ("", "ConfigMap/x-r-cm Job/x-job", "chart chart chart"),
        (", includeCRDs: true, skipHooks: true", "CustomResourceDefinition/w ConfigMap/x-r-cm", "chart chart chart"),
        (", valuesFile: values.yaml", "ConfigMap/x-r-cm Job/x-job", "chart file file"),
        (", valuesFile: values.yaml, valuesInline: {c: inline}", "ConfigMap/x-r-cm Job/x-job", "chart file inline"),
        (
            ", valuesFile: values.yaml, valuesInline: {a: inline, c: inline}, valuesMerge: merge",
            "ConfigMap/x-r-cm Job/x-job",
            "inline file file",
        ),
        (
            ", valuesFile: values.yaml, valuesInline: {c: inline}, valuesMerge: replace",
            "ConfigMap/x-r-cm Job/x-job",
            "chart chart inline",
        ),
        (
            ", valuesInline: {c: inline}, additionalValuesFiles: [values.yaml]",
            "ConfigMap/x-r-cm Job/x-job",
            "chart file file",
        ),
    ] {
        let text = format!("namePrefix: x-\nhelmCharts:\n- {{{chart}{more}}}\npatches: [{{path: patch.yaml}}]\n");
        let tree = tree.clone().file("app/kustomization.yaml", text);
        let ours = rendered(&tree, "app", &programs, Options::default()).await;
        assert_eq!(told(&ours.problems), "", "{more}");
        let told: Vec<_> = ours.manifests.iter().map(|m| format!("{}/{}", m.id.kind, m.id.name)).collect();
        assert_eq!(told.join(" "), names, "{more}");
        let config = ours.manifests.iter().find(|manifest| manifest.id.kind == "ConfigMap").expect("a ConfigMap");
        let data = &config.body["data"];
        let expected = serde_json::json!({"v": value, "kube": "v1.30.0", "more": "patched"});
        assert_eq!((data, config.id.namespace.as_str()), (&expected, "prod"), "{more}");
        assert_eq!(config.origin.file, "app/charts/web/templates/a.yaml");
        // What it read is what its commit is compared by.
        let read: Vec<_> = ours.read_set.records.iter().map(|record| record.path.as_str()).collect();
        assert!(read.contains(&"app/charts/web") && read.contains(&"app/kustomization.yaml"), "{read:?}");
    }
    for (chart, rule) in [
        ("name: web", "InvalidGenerator"),
        ("name: none, releaseName: r", "RemoteNotFetched"),
        ("name: web, releaseName: r, valuesMerge: both", "InvalidGenerator"),
        ("name: web, releaseName: r, valuesfile: values.yml", "FileNotFound"),
        ("name: web, releaseName: r, values: values.yml", "InvalidKustomization"),
        ("name: ../../web, releaseName: r", "RemoteNotFetched"),
        ("name: ../../../web, releaseName: r", "InvalidPath"),
    ] {
        let tree = tree.clone().file("app/kustomization.yaml", format!("helmCharts: [{{{chart}}}]\n"));
        let ours = rendered(&tree, "app", &programs, Options::default()).await;
        assert_eq!(
            ours.problems.iter().map(|p| p.rule.as_str()).collect::<Vec<_>>(),
            [rule],
            "{chart}: {}",
            told(&ours.problems)
        );
    }
}

#[test]
fn a_laptop_renders_charts_of_a_working_tree_and_of_any_revision() {
    let template = "apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}-{{ .Values.color }}', namespace: '{{ .Release.Namespace }}'}
data: {kube: '{{ .Capabilities.KubeVersion.Version }}', api: '{{ .Capabilities.APIVersions.Has \"example.com/v1/Widget\" }}'}
";
    let folder = Folder::with(&[
        ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("web/values.yaml", "color: blue\n"),
        ("web/templates/a.yaml", template),
        ("prod.yaml", "color: green\n"),
        (
            "sync.yaml",
            "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: shop, namespace: team}\nspec:\n  repositoryRef: {name: r}\n  path: web\n  helm: {valuesFiles: [../prod.yaml], values: {color: red}}\n",
        ),
    ]);
    folder.commit("a chart");
    folder.write("web/values.yaml", "color: black\n");
    let run =
        |args: &[&str]| folder.run(&[&["render", "web", "--helm", helm().to_str().expect("UTF-8")], args].concat());
    let of = |name: &str, namespace: &str| format!("  name: {name}\n  namespace: {namespace}\n");
    for (args, name, namespace) in [
        (&[][..], "web-black", "default"),
        (&["--rev", "HEAD"], "web-blue", "default"),
        (&["--values", "prod.yaml", "-n", "prod"], "web-green", "prod"),
        (&["-f", "prod.yaml", "--release-name", "r"], "r-green", "default"),
        (&["--sync-file", "sync.yaml"], "shop-red", "team"),
        (&["--sync-file", "sync.yaml", "-f", "prod.yaml", "--release-name", "r"], "r-green", "team"),
    ] {
        let shown = run(args);
        assert!(shown.starts_with("exit 0\n") && shown.contains(&of(name, namespace)), "{args:?}: {shown}");
        assert!(shown.contains("# web/templates/a.yaml:1\n"), "{shown}");
    }
    let cluster = run(&["--kube-version", "v1.30.7", "--api-versions", "example.com/v1,example.com/v1/Widget"]);
    assert!(cluster.contains("kube: v1.30.7") && cluster.contains("api: \"true\""), "{cluster}");

    folder.write("web/templates/b.yaml", "a: {{ .Values.x.y }}\n");
    let refused = run(&[]);
    assert!(refused.starts_with("exit 3\n") && refused.contains("web/templates/b.yaml:1: "), "{refused}");
    folder.write(
        "sync.yaml",
        "kind: Sync\nmetadata: {name: s}\nspec:\n  repositoryRef: {name: r}\n  helm: {valuesFrom: [{kind: Secret, name: db}]}\n",
    );
    let refused = run(&["--sync-file", "sync.yaml"]);
    assert!(refused.contains("spec.helm.valuesFrom names the Secret db, and no cluster is asked here"), "{refused}");
    let missing = folder.run(&["render", "web"]);
    assert!(missing.starts_with("exit 3\n") && missing.contains("there is no program helm (HelmMissing)"), "{missing}");
}
