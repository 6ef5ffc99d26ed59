//! The chart installs the objects of `tandem install`, and refuses values that make no sense.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::Value;

use crate::charts::helm;
use crate::cli::Folder;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn template(namespace: &str, values: &[&str]) -> Output {
    let home = Folder::with(&[]);
    Command::new(helm())
        .args(["template", "tandem", "charts/tandem", "--namespace", namespace])
        .args(values.iter().flat_map(|value| ["--set", value]))
        .current_dir(ROOT)
        .env("HOME", home.path())
        .output()
        .expect("helm runs")
}

/// Objects by kind, namespace and name. The Namespace is Helm's to create, and that definitions
/// stay is its annotation; everything else is compared.
fn objects(yaml: &[u8]) -> BTreeMap<String, Value> {
    let objects: Vec<Value> = serde_yaml::from_multiple(std::str::from_utf8(yaml).expect("UTF-8")).expect("YAML");
    let named =
        objects.into_iter().filter(|object| !object.is_null() && object["kind"] != "Namespace").map(|mut object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = format!("{}/{}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
            if object["kind"] == "CustomResourceDefinition" {
                let metadata = object["metadata"].as_object_mut().expect("metadata");
                let annotations = metadata.remove("annotations");
                let keep = serde_json::json!({"helm.sh/resource-policy": "keep"});
                assert!(annotations.is_none_or(|annotations| annotations == keep));
            }
            (key, object)
        });
    named.collect()
}

fn check(namespace: &str, values: &[&str], install: &[&str]) {
    let rendered = template(namespace, values);
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    let arguments = [&["install", "--export", "--namespace", namespace], install].concat();
    let exported = Folder::with(&[]).command(&arguments).output().expect("the program runs");
    assert!(exported.status.success(), "{exported:?}");
    let (chart, export) = (objects(&rendered.stdout), objects(&exported.stdout));
    assert_eq!(chart.keys().collect::<Vec<_>>(), export.keys().collect::<Vec<_>>());
    for (key, object) in &export {
        assert_eq!(&chart[key], object, "{key}");
    }
}

#[test]
fn the_chart_installs_what_install_does() {
    check("tandem-system", &[], &[]);
    check(
        "gitops",
        &["cluster=prod", "replicas=3", "image.repository=registry.example.com/tandem", "image.tag=1.2.3"],
        &["--cluster", "prod", "--replicas", "3", "--image", "registry.example.com/tandem:1.2.3"],
    );
}

#[test]
fn the_definitions_stay_when_the_release_goes() {
    let rendered = template("tandem-system", &[]);
    let text = String::from_utf8(rendered.stdout).expect("UTF-8");
    assert_eq!(text.matches("helm.sh/resource-policy: keep").count(), tandem::api::crds::names().len());
    let without = template("tandem-system", &["crds.install=false"]);
    assert!(!String::from_utf8(without.stdout).expect("UTF-8").contains("CustomResourceDefinition"));
}

#[test]
fn helm_comes_from_an_image_where_one_is_named() {
    let rendered = template("tandem-system", &["helm.image=registry.example.com/helm:4.3.1", "helm.path=/bin/helm"]);
    let objects = objects(&rendered.stdout);
    let pod = &objects["Deployment/tandem-system/tandem"]["spec"]["template"]["spec"];
    let copies = &pod["initContainers"][0];
    assert_eq!(copies["image"], "registry.example.com/helm:4.3.1");
    assert_eq!(copies["command"], serde_json::json!(["cp", "/bin/helm", "/programs/helm"]));
    let agent = &pod["containers"][0];
    let env = agent["env"].as_array().expect("env").iter().find(|env| env["name"] == "TANDEM_HELM");
    assert_eq!(env.expect("named")["value"], "/programs/helm");
    let mounted = |container: &Value| {
        container["volumeMounts"].as_array().expect("mounts").iter().any(|m| m["mountPath"] == "/programs")
    };
    assert!(mounted(agent) && mounted(copies));
    assert!(pod["volumes"].as_array().expect("volumes").iter().any(|volume| volume["name"] == "programs"));
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (value, named) in [
        ("replicas=0", "replicas"),
        ("replica=2", "replica"),
        ("cluster=", "cluster"),
        ("cluster=a b", "cluster"),
        ("image.digest=sha256:1", "digest"),
        ("ingress.enabled=true", "host"),
    ] {
        let rendered = template("tandem-system", &[value]);
        let told = String::from_utf8_lossy(&rendered.stderr).into_owned();
        assert!(!rendered.status.success() && told.contains(named), "{value}: {told}");
    }
}
