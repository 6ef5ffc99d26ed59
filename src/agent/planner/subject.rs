//! A Sync as its plan is made for a pull request: without any key, and without any value of a Secret.

use crate::agent::inputs::{self, Contents, Named};
use crate::agent::lens::Lens;
use crate::agent::tip::Key;
use crate::agent::world::World;
use crate::api::{SourceKind, SyncSpec, Unknown};
use crate::cluster::Session;
use crate::failure::Failed;
use crate::inventory::Owned;
use crate::plan::Owner;
use crate::render::sops::Keys;
use crate::render::{Limits, Options};

/// As whom the cluster is asked about a proposal.
pub enum Asking {
    /// As the account that may only dry-run.
    As(Session),
    /// As nobody, and why.
    Nobody(String),
    /// As nobody, nor is anything told that stands in the cluster.
    Apart,
}

/// The merge that is planned.
pub struct Merge {
    /// Of which repository.
    pub url: String,
    /// Into which commit.
    pub base: String,
    /// Of which head.
    pub head: String,
}

/// What is known of the variables of a Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Every value: what looks like a variable in an object is a text.
    Known,
    /// Not those of sources that are not read here.
    Withheld,
}

/// A Sync that is planned.
pub struct Subject {
    /// Which.
    pub key: Key,
    /// Its spec, without what is not known here.
    pub spec: SyncSpec,
    /// Who owns what it applies.
    pub owner: Owner,
    /// What it owns.
    pub owned: Owned,
    /// How it looks at its objects.
    pub lens: std::sync::Arc<Lens>,
    /// What it is rendered with.
    pub options: Options,
    /// What is not known here, in words.
    pub withheld: Vec<String>,
    /// What is known of its variables.
    pub values: Values,
    /// Digest of what it is rendered with that stands in no commit: of what was read here, or where some of it is not, of what
    /// the Sync has read itself.
    pub inputs: Option<String>,
    /// Whether values of live objects may be secret: they came from Secrets, or were encrypted.
    pub veiled: bool,
}

impl Subject {
    /// Reads what may be read.
    ///
    /// # Errors
    /// The spec cannot be meant so.
    pub async fn new(
        world: &World,
        key: Key,
        mut spec: SyncSpec,
        owned: Owned,
        asking: &Asking,
    ) -> Result<Self, Failed> {
        let veiled = inputs::is_veiled(&spec);
        let maps = matches!(asking, Asking::As(_));
        let all = inputs::wanted(&spec);
        let sources = |spec: &SyncSpec| spec.substitute.as_ref().map_or(0, |substitute| substitute.from.len());
        let named = sources(&spec);
        let mut withheld = withhold(&mut spec, maps);
        let mut contents = Contents::default();
        if let Asking::As(session) = asking {
            let (found, read) = inputs::read(session, &key.namespace, &inputs::wanted(&spec)).await;
            contents = found;
            if let Err(failed) = read {
                withheld.push(failed.message);
                withheld.extend(withhold(&mut spec, false));
            }
        }
        let content = |named: &[Named]| named.iter().filter(|named| named.is_content()).count();
        let inputs = if content(&inputs::wanted(&spec)) < content(&all) {
            world.registry.inputs(&key)
        } else {
            inputs::digest(&world.key, &all, &contents).map(|digest| digest.to_string())
        };
        let options = inputs::options(&key, &spec, &contents, Limits::agent())?;
        let options = Options { decryption: Keys::withheld(), ..options };
        let owner = Owner { cluster: world.name.clone(), namespace: key.namespace.clone(), name: key.name.clone() };
        let lens = Lens::of(&spec).0;
        let values = if sources(&spec) < named { Values::Withheld } else { Values::Known };
        Ok(Self { key, spec, owner, owned, lens, options, withheld, values, inputs, veiled })
    }
}

/// Takes everything out of a spec that names a Secret, and unless `maps` every ConfigMap too; what that was, in words. The
/// login of a chart is one of them: a chart that needs it cannot be had.
fn withhold(spec: &mut SyncSpec, maps: bool) -> Vec<String> {
    let stays = |kind: SourceKind| maps && kind == SourceKind::ConfigMap;
    let mut told = Vec::new();
    let mut note = |field: &str, kind: SourceKind, name: &str| {
        told.push(format!("{field} names the {kind} {name}, which is not known here"));
    };
    spec.decryption = None;
    if let Some(substitute) = &mut spec.substitute {
        for source in substitute.from.iter().filter(|source| !stays(source.kind)) {
            note("spec.substitute.from", source.kind, &source.name);
            // What it would have given has no value.
            substitute.unknown = Unknown::Keep;
        }
        substitute.from.retain(|source| stays(source.kind));
    }
    if let Some(helm) = &mut spec.helm {
        for values in helm.values_from.iter().filter(|values| !stays(values.kind)) {
            note("spec.helm.valuesFrom", values.kind, &values.name);
        }
        helm.values_from.retain(|values| stays(values.kind));
        if let Some(chart) = &mut helm.chart {
            for (reference, field) in [
                (chart.secret_ref.take(), "spec.helm.chart.secretRef"),
                (chart.ca_secret_ref.take(), "spec.helm.chart.caSecretRef"),
            ] {
                if let Some(reference) = reference {
                    note(field, SourceKind::Secret, &reference.name);
                }
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_spec_names_a_secret_afterwards() {
        let spec = json!({
            "repositoryRef": {"name": "r"},
            "decryption": {"provider": "sops", "secretRef": {"name": "age"}},
            "substitute": {"vars": {"A": "1"}, "from": [{"kind": "ConfigMap", "name": "m"}, {"kind": "Secret", "name": "s"}]},
            "helm": {
                "chart": {"repository": "oci://r.example.com", "name": "web", "version": "1.0.0",
                    "secretRef": {"name": "login"}, "caSecretRef": {"name": "ca"}},
                "valuesFrom": [{"kind": "Secret", "name": "v"}, {"kind": "ConfigMap", "name": "w"}],
            },
        });
        let spec: SyncSpec = serde_json::from_value(spec).expect("a spec");
        assert!(inputs::is_veiled(&spec));
        for (maps, left, told) in [(true, vec!["m", "w"], 4), (false, vec![], 6)] {
            let mut bare = spec.clone();
            assert_eq!(withhold(&mut bare, maps).len(), told);
            let names: Vec<_> = inputs::wanted(&bare).into_iter().map(|named| named.id.name).collect();
            assert_eq!(names, left);
            assert!(bare.substitute.is_some_and(|s| s.unknown == Unknown::Keep && s.vars.len() == 1));
        }
        let plain: SyncSpec = serde_json::from_value(json!({"repositoryRef": {"name": "r"}})).expect("a spec");
        assert!(!inputs::is_veiled(&plain) && withhold(&mut plain.clone(), true).is_empty());
    }
}
