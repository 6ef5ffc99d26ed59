//! Files of which operations must have a say, whoever owns the folder that they are in.

mod kinds;
mod patched;

use std::sync::LazyLock;

use regex::Regex;

pub use patched::KUSTOMIZATIONS;

use kinds::Spoken;
use patched::{Kustomized, Target};

/// Folder of Tandem's own files in a repository.
const OWN_FOLDER: &str = ".tandem/";

/// Built-in kinds of the whole cluster, and those that give rights or shape what is deployed.
const KINDS: &[&str] = &[
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "IngressClass",
    "IPAddress",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "Role",
    "RoleBinding",
    "RuntimeClass",
    "ServiceAccount",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Kinds of Tandem itself that stand in clusters.
const OWN_KINDS: &[&str] = &["Repository", "Standard", "Sync"];
/// Those of them that say what everybody may do.
const RULES: &[&str] = &["Repository", "Standard"];

/// A field `kind`, as YAML and JSON write it, with its value.
static KIND: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)["']?\bkind["']?\s*:\s*["']?(\{\{|\$|[A-Za-z]+)"#).ok());
/// A path of a JSON patch that leads to a kind.
static PATCHED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"(?m)\bpath["']?\s*:\s*["']?/kind\b"#).ok());
/// How a file begins that gzip packed, as charts are.
const PACKED: &[u8] = &[0x1f, 0x8b];

/// What a file holds on one side of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side<'a> {
    /// All of it.
    Bytes(&'a [u8]),
    /// More than is looked at.
    TooLarge,
}

/// Whether a path is one of Tandem's own files, which decide what everybody else may do.
pub fn is_of_tandem(path: &str) -> bool {
    path.starts_with(OWN_FOLDER) || path.contains("/.tandem/")
}

/// Why a change to a file needs operations; none where it does not. `sides` are what the file holds before and after,
/// whatever its name is: a kustomization takes files of any name.
///
/// It is read as text, for a template or a patch is no manifest yet, and as YAML, which has many ways to write one word. A
/// kind that is only made when it is rendered counts as one that needs operations, and so does what cannot be looked at.
pub fn sensitive(path: &str, sides: &[Side<'_>]) -> Option<String> {
    if is_of_tandem(path) {
        return Some("it is one of Tandem's own files".to_owned());
    }
    sides.iter().find_map(|side| match side {
        Side::TooLarge => Some("it is too large to be looked at".to_owned()),
        Side::Bytes(bytes) if bytes.starts_with(PACKED) => Some("it is packed, and not looked into".to_owned()),
        Side::Bytes(bytes) => spoken(bytes).iter().find_map(told),
    })
}

/// Whether a file says, or may say, what everybody may do: it speaks of a `Repository` or `Standard`, or of a kind that is not
/// to be seen. `sides` are what the file holds before and after.
pub fn rules(sides: &[Side<'_>]) -> bool {
    sides.iter().any(|side| match side {
        Side::TooLarge => true,
        Side::Bytes(bytes) if bytes.starts_with(PACKED) => true,
        Side::Bytes(bytes) => spoken(bytes).iter().any(is_rule),
    })
}

fn is_rule(spoken: &Spoken) -> bool {
    match spoken {
        Spoken::Kind(kind) => RULES.contains(&kind.as_str()) || !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        Spoken::Hidden | Spoken::Written => true,
    }
}

/// What a kustomization says of files of patches.
pub struct Patches(Option<Kustomized>);

impl Patches {
    /// Reads a kustomization, once for all files below it.
    pub fn read(kustomization: Side<'_>) -> Self {
        Self(match kustomization {
            Side::TooLarge => None,
            Side::Bytes(bytes) => Some(Kustomized::of(&String::from_utf8_lossy(bytes))),
        })
    }

    /// Why a file that it lays on objects needs operations, and whether that says what everybody may do; none where it does
    /// not. `path` is that of the file from the folder of the kustomization.
    pub fn of(&self, path: &str) -> Option<(String, bool)> {
        let Some(kustomized) = &self.0 else {
            return Some(("the kustomization above it is too large to be looked at".to_owned(), true));
        };
        let found = kustomized.targets(path).into_iter().filter_map(|target| match target {
            Target::Any => Some(("it patches objects of any kind".to_owned(), true)),
            Target::Kind(kind) => {
                let spoken = Spoken::Kind(kind.clone());
                told(&spoken).map(|_| (format!("it patches a {kind}"), is_rule(&spoken)))
            }
        });
        found.reduce(|one, other| if other.1 { other } else { one })
    }
}

/// All kinds that a file speaks of, read as text and as YAML.
fn spoken(bytes: &[u8]) -> Vec<Spoken> {
    let text = String::from_utf8_lossy(bytes);
    let kinds = KIND.iter().flat_map(|kind| kind.captures_iter(&text)).filter_map(|found| found.get(1));
    let written = PATCHED.iter().filter(|patched| patched.is_match(&text)).map(|_| Spoken::Written);
    let of_text = kinds.map(|kind| Spoken::Kind(kind.as_str().to_owned())).chain(written);
    of_text.chain(kinds::spoken_of(&text)).collect()
}

fn told(spoken: &Spoken) -> Option<String> {
    match spoken {
        Spoken::Kind(kind) if KINDS.contains(&kind.as_str()) || OWN_KINDS.contains(&kind.as_str()) => {
            Some(format!("it speaks of a {kind}"))
        }
        Spoken::Kind(kind) if kind.starts_with(|c: char| !c.is_ascii_alphabetic()) => {
            Some("it makes the kind of an object from a variable".to_owned())
        }
        Spoken::Kind(kind) if !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Some("it has a kind that is no name of one".to_owned())
        }
        Spoken::Kind(_) => None,
        Spoken::Hidden => Some("it writes a kind in a way that hides it".to_owned()),
        Spoken::Written => Some("it patches the kind of an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Patches, Side, rules, sensitive};

    #[test]
    fn what_says_what_everybody_may_do_is_found_in_files_of_any_name() {
        for (text, expected) in [
            ("kind: Repository\n", true),
            ("kind: Standard\n", true),
            ("kind: Deployment\n---\nkind: Repository\n", true),
            ("kind: {{ .Values.kind }}\n", true),
            ("kind: &k Repository\n", true),
            ("- {op: replace, path: /kind, value: Repository}\n", true),
            ("patches:\n- patch: |\n    kind: Repository\n", true),
            ("\u{1f}", false),
            ("kind: Sync\n", false),
            ("kind: Role\n", false),
            ("kind: Deployment\n", false),
            ("replicas: 3\n", false),
        ] {
            assert_eq!(rules(&[Side::Bytes(text.as_bytes())]), expected, "{text}");
        }
        assert!(rules(&[Side::Bytes(b"kind: Deployment"), Side::Bytes(b"kind: Standard")]), "one side is enough");
        assert!(rules(&[Side::TooLarge]) && rules(&[Side::Bytes(&[0x1f, 0x8b, 8])]), "what cannot be looked at");
    }

    #[test]
    fn a_patch_is_what_it_is_laid_on() {
        let entry = |target: &str| format!("patches:\n- {{path: ./fix/../patch.yaml, target: {target}}}\n");
        for (kustomization, expected) in [
            (entry("{kind: Role}"), Some(("it patches a Role", false))),
            (entry("{kind: Repository}"), Some(("it patches a Repository", true))),
            (entry("{kind: 'Ro.*'}"), Some(("it patches a Ro.*", true))),
            (entry("{name: shop}"), Some(("it patches objects of any kind", true))),
            (entry("{kind: Deployment}"), None),
            (
                entry("{kind: Deployment}") + "- {path: patch.yaml, target: {kind: Role}}\n",
                Some(("it patches a Role", false)),
            ),
            ("patches:\n- {path: patch.yaml}\n".to_owned(), None),
            (
                "patchesJson6902:\n- {path: patch.yaml, target: {kind: Role}}\n".to_owned(),
                Some(("it patches a Role", false)),
            ),
            ("patches:\n- {path: other.yaml, target: {kind: Role}}\n".to_owned(), None),
            ("patches: [\n# patch.yaml\n".to_owned(), Some(("it patches objects of any kind", true))),
            ("resources: [patch.yaml]\n".to_owned(), None),
        ] {
            let found = Patches::read(Side::Bytes(kustomization.as_bytes())).of("patch.yaml");
            let found = found.as_ref().map(|(why, rule)| (why.as_str(), *rule));
            assert_eq!(found, expected, "{kustomization}");
        }
        assert!(Patches::read(Side::TooLarge).of("patch.yaml").is_some());
    }

    #[test]
    fn operations_are_asked_about_what_gives_rights_or_is_of_the_whole_cluster() {
        for (path, text, expected) in [
            ("deploy/a.yaml", "kind: ClusterRole\n", true),
            ("deploy/a.yaml", "kind: ConfigMap\n", false),
            ("deploy/a.yaml", "kind: \"RoleBinding\"\n", true),
            ("deploy/a.json", "{\"kind\":\"Namespace\"}", true),
            ("deploy/a.yaml", "{apiVersion: v1, kind: Namespace}", true),
            ("chart/templates/x.yaml", "kind: {{ .Values.kind }}\n", true),
            ("chart/templates/x.yaml", "kind: ConfigMap\nx: {{ .Values.kind }}\n", false),
            ("deploy/a.yaml", "- op: replace\n  path: /kind\n  value: X\n", true),
            ("deploy/a.yaml", "- op: replace\n  path: /spec/kind\n  value: X\n", false),
            ("deploy/a.yaml", "data:\n  mankind: Role\n", false),
            ("deploy/a.yaml", "kind: Roles\n", false),
            ("deploy/roles", "kind: ClusterRole\n", true),
            ("deploy/roles", "all: well\n", false),
            (".tandem/owners.yaml", "", true),
            ("x/.tandem/owners.yaml", "", true),
        ] {
            let found = sensitive(path, &[Side::Bytes(text.as_bytes())]);
            assert_eq!(found.is_some(), expected, "{path}: {text}: {found:?}");
        }
        let sides = [Side::Bytes(b"kind: Role"), Side::Bytes(b"kind: ConfigMap")];
        assert!(sensitive("a.yaml", &sides).is_some(), "what it was counts too");
    }

    #[test]
    fn a_kind_is_found_however_yaml_writes_it() {
        for (text, expected) in [
            (r#""k\u0069nd": ClusterRole"#, true),
            (r#""k\u0069nd": ConfigMap"#, false),
            (r#"kind: "Cluster\x52ole""#, true),
            (r#"kind: "Config\x4dap""#, false),
            ("? kind\n: ClusterRole\n", true),
            ("? kind\n: ConfigMap\n", false),
            ("kind: !!str ClusterRole\n", true),
            ("kind: !!str ConfigMap\n", false),
            ("kind: !!binary Q2x1c3RlclJvbGU=\n", true),
            ("!!binary a2luZA==: ClusterRole\n", true),
            ("!!binary a2luZA==: ConfigMap\n", false),
            ("kind: &k ClusterRole\n", true),
            ("a: &k ClusterRole\nkind: *k\n", true),
            ("a: &k ConfigMap\nb: *k\nkind: ConfigMap\n", false),
            ("a: &k kind\n*k : ClusterRole\n", true),
            ("a: &k kind\n*k : ConfigMap\n", false),
            ("kind: >-\n  ClusterRole\n", true),
            ("kind: >-\n  ConfigMap\n", false),
            ("kind:\n  ClusterRole\n", true),
            ("kind: # what it is\n  ClusterRole\n", true),
            ("kind: # what it is\n  ConfigMap\n", false),
            ("kind: ConfigMap\n---\nkind: # the other\n  ClusterRole\n", true),
            ("kind: ${KIND}\n", true),
            ("kind: ENC[AES256_GCM,data:x]\n", true),
            ("kind: Cluster${REST}\n", true),
            ("patches:\n- patch: |-\n    - op: add\n      \"p\\u0061th\": \"/k\\u0069nd\"\n      value: X\n", true),
            ("patches:\n- patch: |-\n    - op: add\n      \"p\\u0061th\": \"/d\\u0061ta\"\n      value: X\n", false),
            ("patches:\n- patch: '[{\"op\":\"add\",\"path\":\"/k\\u0069nd\",\"value\":\"X\"}]'\n", true),
            ("patches:\n- patch: \"k\\u0069nd: # so\\n  ClusterRole\"\n", true),
            ("patches:\n- patch: \"k\\u0069nd: # so\\n  ConfigMap\"\n", false),
            ("replacements:\n- targets:\n  - fieldPaths: [kind]\n", true),
            ("replacements:\n- targets:\n  - fieldPaths: [data.kind]\n", false),
            ("replacements:\n- source: {kind: Secret, fieldPath: kind}\n", false),
            ("namePrefix:\n- path: kind\n", true),
            ("namePrefix:\n- path: data/kind\n", false),
            ("- {op: copy, from: /a, path: /kind}\n", true),
            ("- {op: copy, from: /kind, path: /a}\n", false),
            ("properties:\n  kind: {type: string}\n", false),
            ("kind: ''\n", false),
        ] {
            let found = sensitive("a", &[Side::Bytes(text.as_bytes())]);
            assert_eq!(found.is_some(), expected, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_needs_operations() {
        assert!(sensitive("a.yaml", &[Side::TooLarge]).is_some());
        assert!(sensitive("charts/a.tgz", &[Side::Bytes(&[0x1f, 0x8b, 8, 0])]).is_some());
        assert_eq!(sensitive("logo.png", &[Side::Bytes(b"\x89PNG\r\n\x1a\n\0\0")]), None);
    }
}
