//! What a render needs beside the tree: ConfigMaps and Secrets that the spec of a Sync names, read
//! as its account, each once however often it is named.
//!
//! A field of the spec that names a source adds it to [`wanted`], and takes what it needs out of
//! [`Contents`] in [`options`].

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, stream};
use zeroize::Zeroizing;

use super::releases;
use super::tip::Key;
use crate::api::{self, SourceKind, SyncSpec};
use crate::cluster::own::{SourceData, kind_info, read_source};
use crate::cluster::{Actor, ClusterError, Session};
use crate::failure::{Failed, Fault};
use crate::object::{Digest, DigestKey};
use crate::render::sops::{Keys, Service};
use crate::render::substitute::{Secrecy, Unknown, Variable, Variables, is_name};
use crate::render::{Limits, Options};

/// Requests at a time.
const AT_ONCE: usize = 8;
/// Fields that name sources whose content is rendered.
const SUBSTITUTE_FROM: &str = "spec.substitute.from";
const VALUES_FROM: &str = "spec.helm.valuesFrom";

/// A ConfigMap or Secret in the namespace of the Sync.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId {
    /// Its kind.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
}

/// A source that a spec names, and where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub id: SourceId,
    /// Whether it may be missing.
    pub presence: Presence,
    /// The field that names it, such as `spec.substitute.from`.
    pub field: &'static str,
}

/// Whether a source may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing is rendered without it.
    Required,
    /// Without it the render goes on.
    Optional,
}

/// What the sources hold. It never prints a value.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    namespace: String,
    /// `None` where an optional one is not there.
    found: BTreeMap<SourceId, Option<SourceData>>,
}

impl Contents {
    /// The namespace that all of them are in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What a source holds; `None` where it is not there, which only an optional one may be.
    pub fn get(&self, kind: SourceKind, name: &str) -> Option<&SourceData> {
        self.found.get(&SourceId { kind, name: name.to_owned() })?.as_ref()
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// The source or the key is missing; both are named, no value is.
    pub fn need(&self, kind: SourceKind, name: &str, key: &str) -> Result<&[u8], Failed> {
        let told = told(kind, &self.namespace, name);
        let data = self.get(kind, name).ok_or_else(|| not_found(kind, format!("{told} does not exist")))?;
        data.get(key).ok_or_else(|| {
            let keys: Vec<_> = data.keys().collect();
            let has = if keys.is_empty() { "it has none".to_owned() } else { format!("it has {}", keys.join(", ")) };
            invalid(kind, format!("{told} has no key {key}; {has}"))
        })
    }

    /// [`Contents::need`], as text.
    ///
    /// # Errors
    /// As there, or the value is no UTF-8.
    pub fn need_text(&self, kind: SourceKind, name: &str, key: &str) -> Result<&str, Failed> {
        let told = || format!("the key {key} of {} is not UTF-8 text", told(kind, &self.namespace, name));
        std::str::from_utf8(self.need(kind, name, key)?).map_err(|_| invalid(kind, told()))
    }

    /// Versions of what was read, `None` for what was not there.
    pub fn versions(&self) -> BTreeMap<SourceId, Option<String>> {
        let version = |data: &Option<SourceData>| data.as_ref().map(|data| data.resource_version.clone());
        self.found.iter().map(|(id, data)| (id.clone(), version(data))).collect()
    }
}

/// Every source that a spec names.
pub fn wanted(spec: &SyncSpec) -> Vec<Named> {
    let mut named = Vec::new();
    for source in spec.substitute.iter().flat_map(|substitute| &substitute.from) {
        named.push(Named {
            id: SourceId { kind: source.kind, name: source.name.clone() },
            presence: if source.optional { Presence::Optional } else { Presence::Required },
            field: SUBSTITUTE_FROM,
        });
    }
    if let Some(decryption) = &spec.decryption {
        named.push(Named {
            id: SourceId { kind: SourceKind::Secret, name: decryption.secret_ref.name.clone() },
            presence: Presence::Required,
            field: "spec.decryption.secretRef",
        });
    }
    for values in spec.helm.iter().flat_map(|helm| &helm.values_from) {
        named.push(Named {
            id: SourceId { kind: values.kind, name: values.name.clone() },
            presence: if values.optional { Presence::Optional } else { Presence::Required },
            field: VALUES_FROM,
        });
    }
    for (reference, field) in releases::chart_secrets(spec) {
        let id = SourceId { kind: SourceKind::Secret, name: reference.name.clone() };
        named.push(Named { id, presence: Presence::Required, field });
    }
    named
}

impl Named {
    /// Whether what it holds is rendered; else it is a credential or a key.
    pub fn is_content(&self) -> bool {
        matches!(self.field, SUBSTITUTE_FROM | VALUES_FROM)
    }
}

/// Keyed digest of what is rendered of these sources; none where no source is.
pub fn digest(key: &DigestKey, named: &[Named], contents: &Contents) -> Option<Digest> {
    let ids: BTreeSet<&SourceId> = named.iter().filter(|named| named.is_content()).map(|named| &named.id).collect();
    let content = |id: &SourceId| -> Option<BTreeMap<&str, &[u8]>> {
        contents.get(id.kind, &id.name).map(|data| data.iter().collect())
    };
    let all: Vec<_> = ids.iter().map(|id| (id.kind.to_string(), &id.name, content(id))).collect();
    (!all.is_empty()).then(|| key.digest_bytes(&Zeroizing::new(serde_json::to_vec(&all).unwrap_or_default())))
}

/// What a spec lets in that stands in no commit, each in words: who changes it changes what is deployed, and nobody has
/// reviewed that. Credentials and keys are not among it.
pub fn unpinned(spec: &SyncSpec) -> Vec<String> {
    let mut found: Vec<String> = wanted(spec)
        .iter()
        .filter(|named| named.is_content())
        .map(|named| format!("{} names the {} {}", named.field, named.id.kind, named.id.name))
        .collect();
    let chart = spec.helm.as_ref().and_then(|helm| helm.chart.as_ref()).filter(|chart| chart.digest.is_none());
    found.extend(chart.map(|chart| {
        let version = chart.version.as_deref().unwrap_or_default();
        format!("spec.helm.chart names {} {version} without a digest", chart.name)
    }));
    found
}

/// Reads each source once, as the session's actor.
///
/// # Errors
/// A source is missing or may not be read. All that is wrong is in the message, with the fields that
/// name it; the versions of what was found are beside it.
pub async fn read(session: &Session, namespace: &str, named: &[Named]) -> (Contents, Result<(), Failed>) {
    let ids: BTreeSet<&SourceId> = named.iter().map(|named| &named.id).collect();
    let mut reads = Vec::new();
    for id in ids {
        reads.push(async move { (id, read_source(session, id.kind, namespace, &id.name).await) }.boxed());
    }
    let answers: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    let mut contents = Contents { namespace: namespace.to_owned(), found: BTreeMap::new() };
    let mut wrong: Vec<Failed> = Vec::new();
    for (id, answer) in answers {
        let required = named.iter().find(|named| named.id == *id && named.presence == Presence::Required);
        let field = required.or_else(|| named.iter().find(|named| named.id == *id)).map_or("spec", |named| named.field);
        match answer {
            Ok(found) => {
                if found.is_none() && required.is_some() {
                    let message =
                        format!("{} does not exist, and {field} names it", told(id.kind, namespace, &id.name));
                    wrong.push(not_found(id.kind, message).with_hint("create it, or say `optional: true`"));
                }
                contents.found.insert(id.clone(), found);
            }
            Err(error) => wrong.push(refused(session, namespace, id, field, &error)),
        }
    }
    let mut wrong = wrong.into_iter();
    let Some(mut first) = wrong.next() else { return (contents, Ok(())) };
    // What time mends is tried again soon; the rest is told all the same.
    for other in wrong {
        let told = other.hint.map_or_else(String::new, |hint| format!(" (hint: {hint})"));
        first.message.push_str(&format!("; {}{told}", other.message));
    }
    (contents, Err(first))
}

/// What the render of a Sync is asked for.
///
/// # Errors
/// A source lacks what a field needs.
pub fn options(sync: &Key, spec: &SyncSpec, contents: &Contents, limits: Limits) -> Result<Options, Failed> {
    let (substitute, decryption) = (variables(spec, contents), keys(spec, contents)?);
    let helm = releases::settings(sync, spec, contents)?;
    Ok(Options { substitute, decryption, helm, ..Options::from(limits) })
}

/// Which keys of the Secret hold what: the names that Flux users know.
const KEYS: [(&str, Option<Service>); 6] = [
    (".agekey", None),
    (".asc", Some(Service::Pgp)),
    ("sops.vault-token", Some(Service::Vault)),
    ("sops.aws-kms", Some(Service::Aws)),
    ("sops.gcp-kms", Some(Service::Google)),
    ("sops.azure-kv", Some(Service::Azure)),
];

/// The key of the Secret that says which Vault its token is for.
const VAULT_ADDRESS: &str = "sops.vault-address";
/// The key of the Secret with the certificate authorities of that Vault.
const VAULT_CA: &str = "sops.vault-ca";

/// The private keys of `spec.decryption`.
fn keys(spec: &SyncSpec, contents: &Contents) -> Result<Keys, Failed> {
    let mut keys = Keys::default();
    let Some(decryption) = &spec.decryption else { return Ok(keys) };
    let name = &decryption.secret_ref.name;
    let told = told(SourceKind::Secret, &contents.namespace, name);
    let data = contents.get(SourceKind::Secret, name);
    for (key, bytes) in data.iter().flat_map(|data| data.iter()) {
        let wrong = |why| invalid(SourceKind::Secret, format!("the key {key} of {told} cannot be used: {why}"));
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned());
        if key == VAULT_ADDRESS {
            text.and_then(|text| keys.at_vault(text)).map_err(wrong)?;
            continue;
        }
        if key == VAULT_CA {
            text.and_then(|text| keys.vault_known_by(text)).map_err(wrong)?;
            continue;
        }
        let holds = |(end, _): &&(&str, _)| if end.starts_with('.') { key.ends_with(end) } else { key == *end };
        let Some((_, service)) = KEYS.iter().find(holds) else { continue };
        let added = text.and_then(|text| match service {
            None => keys.add(text),
            Some(service) => keys.add_of(*service, text),
        });
        added.map_err(wrong)?;
    }
    if keys.is_empty() {
        let ends: Vec<&str> = KEYS.iter().map(|(end, _)| *end).collect();
        let message = format!("{told} has no key for decryption, whose names end in {}", ends.join(", "));
        return Err(invalid(SourceKind::Secret, message)
            .with_hint("age-keygen makes a key: kubectl create secret generic NAME --from-file=age.agekey"));
    }
    if keys.of(Service::Vault).next().is_some() && keys.vault().is_none() {
        let message = format!(
            "{told} has a token of Vault and no {VAULT_ADDRESS}: the token would go wherever an encrypted file says"
        );
        return Err(invalid(SourceKind::Secret, message).with_hint(format!(
            "add {VAULT_ADDRESS} with the address that the token is for, such as https://vault:8200"
        )));
    }
    Ok(keys)
}

/// The variables of `spec.substitute`; `None` where there is no such field.
fn variables(spec: &SyncSpec, contents: &Contents) -> Option<Variables> {
    let substitute = spec.substitute.as_ref()?;
    let mut variables = Variables::default();
    variables.unknown = match substitute.unknown {
        api::Unknown::Refuse => Unknown::Refuse,
        api::Unknown::Keep => Unknown::Keep,
    };
    for source in &substitute.from {
        let Some(data) = contents.get(source.kind, &source.name) else { continue };
        let origin = told(source.kind, &contents.namespace, &source.name);
        let secrecy = match source.kind {
            SourceKind::ConfigMap => Secrecy::Plain,
            SourceKind::Secret => Secrecy::Secret,
        };
        for (key, bytes) in data.iter().filter(|(key, _)| is_name(key)) {
            variables.set(key, Variable::of_source(bytes, &origin, secrecy));
        }
    }
    for (name, value) in &substitute.vars {
        variables.set(name, Variable::new(value, "spec.substitute.vars", Secrecy::Plain));
    }
    Some(variables)
}

pub(super) fn told(kind: SourceKind, namespace: &str, name: &str) -> String {
    format!("{kind} {namespace}/{name}")
}

fn not_found(kind: SourceKind, message: String) -> Failed {
    match kind {
        SourceKind::ConfigMap => Failed::new("ConfigMapNotFound", Fault::Cluster, message),
        SourceKind::Secret => Failed::new("SecretNotFound", Fault::Cluster, message),
    }
}

pub(super) fn invalid(kind: SourceKind, message: String) -> Failed {
    match kind {
        SourceKind::ConfigMap => Failed::new("InvalidConfigMap", Fault::Cluster, message),
        SourceKind::Secret => Failed::new("InvalidSecret", Fault::Cluster, message),
    }
}

/// A source that could not be read; where the right is missing, with the rule that gives it.
fn refused(session: &Session, namespace: &str, id: &SourceId, field: &str, error: &ClusterError) -> Failed {
    let mut failed = Failed::from(error);
    failed.message = format!("{field}: {}", failed.message);
    if error.refusal().is_some_and(|refusal| refusal.code == 403) {
        failed.hint = Some(format!("{} in a Role of namespace {namespace}{}", rule(id), bound_to(session)));
    }
    failed
}

/// The rule of a Role that lets a source be read and watched.
pub fn rule(id: &SourceId) -> String {
    let (resource, name) = (kind_info(id.kind).plural, &id.name);
    format!("grant {{apiGroups: [\"\"], resources: [{resource}], resourceNames: [{name}], verbs: [get, list, watch]}}")
}

fn bound_to(session: &Session) -> String {
    match session.actor() {
        Actor::Own => String::new(),
        Actor::ServiceAccount { namespace, name } => format!(" that is bound to the ServiceAccount {namespace}/{name}"),
    }
}

/// Whether values in what it applied may come from where nobody sees them.
pub fn is_veiled(spec: &SyncSpec) -> bool {
    let variables = spec.substitute.iter().flat_map(|substitute| &substitute.from);
    let values = spec.helm.iter().flat_map(|helm| &helm.values_from);
    spec.decryption.is_some()
        || variables
            .map(|source| source.kind)
            .chain(values.map(|values| values.kind))
            .any(|kind| kind == SourceKind::Secret)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// Kind and name, keys with values.
    type Source<'a> = (SourceKind, &'a str, &'a [(&'a str, &'a [u8])]);

    fn spec(substitute: serde_json::Value) -> SyncSpec {
        serde_json::from_value(json!({"repositoryRef": {"name": "r"}, "substitute": substitute})).expect("a spec")
    }

    /// Sources of the namespace `shop`.
    pub fn contents(found: &[Source<'_>]) -> Contents {
        let source = |(kind, name, values): &Source<'_>| {
            let data = values.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect();
            (SourceId { kind: *kind, name: (*name).to_owned() }, Some(data))
        };
        Contents { namespace: "shop".to_owned(), found: found.iter().map(source).collect() }
    }

    #[test]
    fn keys_of_the_decryption_secret_are_all_that_end_in_agekey() {
        const KEY: &str = include_str!("../../tests/cases/sops/one.agekey");
        let spec = json!({"repositoryRef": {"name": "r"}, "decryption": {"provider": "sops", "secretRef": {"name": "sops-age"}}});
        let spec: SyncSpec = serde_json::from_value(spec).expect("a spec");
        assert_eq!(wanted(&spec)[0].field, "spec.decryption.secretRef");
        let options = |values: &[(&str, &[u8])]| {
            options(
                &Key::new("shop", "web"),
                &spec,
                &contents(&[(SourceKind::Secret, "sops-age", values)]),
                Limits::default(),
            )
        };
        let given = options(&[("a.agekey", KEY.as_bytes()), ("other", b"no key")]).expect("keys");
        assert!(!given.decryption.is_empty());
        assert!(!format!("{given:?}").to_ascii_uppercase().contains("SECRET-KEY"), "{given:?}");
        let vault = options(&[("sops.vault-token", b"x"), ("sops.vault-address", b"https://vault/\n")]).expect("keys");
        assert_eq!(vault.decryption.vault().map(|vault| (vault.told(), vault.port())), Some(("https://vault", 443)));
        for (values, expected) in [
            (
                &[("other", KEY.as_bytes())][..],
                "Secret shop/sops-age has no key for decryption, whose names end in .agekey, .asc, sops.vault-token, ",
            ),
            (&[("a.agekey", &b"# made for the shop\n"[..])][..], "Secret shop/sops-age has no key for decryption"),
            (
                &[("sops.vault-token", &b"hunter2"[..])][..],
                "Secret shop/sops-age has a token of Vault and no sops.vault-address: the token would go wherever ",
            ),
            (
                &[("sops.vault-token", &b"x"[..]), ("sops.vault-ca", b"x")][..],
                "the key sops.vault-ca of Secret shop/sops-age cannot be used: it holds no PEM certificate",
            ),
            (
                &[("sops.vault-token", &b"x"[..]), ("sops.vault-address", b"vault:8200")][..],
                "the key sops.vault-address of Secret shop/sops-age cannot be used: it is no address of a Vault",
            ),
            (
                &[("a.agekey", &[0xff][..])][..],
                "the key a.agekey of Secret shop/sops-age cannot be used: it is not UTF-8 text",
            ),
            (
                &[("a.agekey", &b"hunter2"[..])][..],
                "the key a.agekey of Secret shop/sops-age cannot be used: line 1: it is no private key",
            ),
        ] {
            let failed = options(values).expect_err(expected);
            assert!(failed.reason == "InvalidSecret" && failed.message.starts_with(expected), "{failed:?}");
            assert!(!failed.message.contains("hunter2"));
        }
    }

    #[test]
    fn the_spec_wins_over_sources_and_a_later_source_over_an_earlier_one() {
        use SourceKind::{ConfigMap, Secret};
        let from = json!([{"kind": "ConfigMap", "name": "a"}, {"kind": "Secret", "name": "b"}]);
        let spec = spec(json!({"vars": {"ONE": "spec"}, "from": from}));
        let contents = contents(&[
            (ConfigMap, "a", &[("ONE", b"a"), ("TWO", b"a\n\n"), ("THREE", b"a"), ("no-name", b"a")]),
            (Secret, "b", &[("TWO", b"b\nb\n"), ("BYTES", &[0xff])]),
        ]);
        let variables = options(&Key::new("shop", "web"), &spec, &contents, Limits::default())
            .expect("options")
            .substitute
            .expect("variables");
        let told = |name: &str| {
            let variable = variables.get(name)?;
            let value = variable.value.as_ref().map(|value| value.expose().to_owned());
            Some((value, variable.origin.as_str(), variable.secrecy))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told("ONE"), Some((some("spec"), "spec.substitute.vars", Secrecy::Plain)));
        assert_eq!(told("TWO"), Some((some("b\nb"), "Secret shop/b", Secrecy::Secret)));
        assert_eq!(told("THREE"), Some((some("a"), "ConfigMap shop/a", Secrecy::Plain)));
        assert_eq!(told("BYTES"), Some((None, "Secret shop/b", Secrecy::Secret)));
        assert_eq!(told("no-name"), None);
    }

    #[test]
    fn a_key_that_is_needed_is_there_or_named() {
        let contents = contents(&[(SourceKind::Secret, "age", &[("a.agekey", b"canary"), ("b", &[0xff])])]);
        let need = |name: &str, key: &str| contents.need_text(SourceKind::Secret, name, key);
        assert_eq!(need("age", "a.agekey"), Ok("canary"));
        for (name, key, reason, words) in [
            ("age", "key", "InvalidSecret", "Secret shop/age has no key key; it has a.agekey, b"),
            ("age", "b", "InvalidSecret", "the key b of Secret shop/age is not UTF-8 text"),
            ("none", "key", "SecretNotFound", "Secret shop/none does not exist"),
        ] {
            let failed = need(name, key).expect_err("refused");
            assert_eq!((failed.reason.as_str(), failed.message.as_str()), (reason, words));
        }
        let printed = format!("{contents:?}");
        assert!(!printed.contains("canary") && printed.contains("a.agekey"), "{printed}");
    }
}
