//! The transformers of a kustomization: prepared first, so that everything that is wrong with them
//! is told at once, and then run in kustomize's order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::super::Allowance;
use super::super::merge::Schema;
use super::build::{Build, Folder};
use super::config::{Config, Table, merge_all};
use super::decode::{REPLACEMENT, decode};
use super::files::{Source, Spot};
use super::metadata::Trail;
use super::patches::{self, Merge, Prepared};
use super::replacements;
use super::resources::Resources;
use super::select::Matcher;
use super::trace::Trace;
use super::transform::{End, Images, Namespace, Subjects, extend_names, set_entries, set_replicas};
use super::types::{FieldSpec, Label, Replacement, Replica};
use super::{hash, plugins};
use crate::object::Problem;

type Specs = Cow<'static, [FieldSpec]>;

/// One transformer.
#[derive(Debug)]
pub enum Step {
    /// `patchesStrategicMerge`.
    Strategic(Vec<Merge>),
    /// An entry of `patches`.
    Patch(Prepared),
    /// An entry of `patchesJson6902`.
    Json(Value, Matcher, Spot),
    /// `namespace`.
    Namespace(Namespace),
    /// `namePrefix`, `nameSuffix`.
    Name(End, String, Specs),
    /// Labels or annotations.
    Entries(BTreeMap<String, String>, Specs),
    /// An entry of `replicas`.
    Replicas(Replica, Specs),
    /// An entry of `images`.
    Images(Images),
    /// `replacements`.
    Replacements(Vec<(Replacement, Spot)>),
    /// Hashes behind names.
    Hashes,
}

/// A transformer, the name that kustomize has for it, and where it is written.
#[derive(Debug)]
pub struct Placed {
    /// The transformer.
    pub step: Step,
    /// kustomize's name for it.
    pub kind: &'static str,
    /// Where it is written.
    pub spot: Spot,
    /// Whether it stands in the kustomization itself.
    pub own: bool,
}

/// The transformers of a kustomization, in the order in which they run.
pub struct Steps {
    steps: Vec<Placed>,
    /// Transformers that are to find nothing to change.
    validators: Vec<Placed>,
    spot: Spot,
}

impl Steps {
    /// Reads and checks them. What is wrong is noted in the build.
    pub fn prepare(build: &mut Build<'_>, folder: &Folder, config: &Config) -> Self {
        let mut steps = Vec::new();
        let (k, spot) = (&folder.kustomization, &folder.spot);
        let mut add = |kind: &'static str, step: Step, spot: Spot| steps.push(Placed { step, kind, spot, own: true });

        let mut merges = Vec::new();
        for (at, entry) in k.patches_strategic_merge.iter().enumerate() {
            let spot = spot.at("patchesStrategicMerge").at(at);
            let prepared = patches::prepare_strategic(&mut build.files, &folder.root, entry, &spot);
            merges.extend(build.refuse_all(prepared).unwrap_or_default());
        }
        if !k.patches_strategic_merge.is_empty() {
            let spot = spot.at("patchesStrategicMerge");
            if merges.is_empty() && build.problems.is_empty() {
                build.problems.push(spot.problem("InvalidPatch", "the patches are empty"));
            }
            add("PatchStrategicMergeTransformer", Step::Strategic(merges), spot);
        }
        for (at, patch) in k.patches.iter().enumerate() {
            let spot = spot.at("patches").at(at);
            let prepared = patches::prepare(&mut build.files, &folder.root, patch, &spot);
            if let Some(prepared) = build.refuse_all(prepared) {
                add("PatchTransformer", Step::Patch(prepared), spot);
            }
        }
        if !k.namespace.is_empty() {
            let namespace = Namespace {
                name: k.namespace.clone(),
                specs: config.table(Table::Namespace).into_owned(),
                unset_only: false,
                subjects: Subjects::default(),
            };
            add("NamespaceTransformer", Step::Namespace(namespace), spot.at("namespace"));
        }
        for (end, kind, field, text, table) in [
            (End::Prefix, "PrefixTransformer", "namePrefix", &k.name_prefix, Table::NamePrefix),
            (End::Suffix, "SuffixTransformer", "nameSuffix", &k.name_suffix, Table::NameSuffix),
        ] {
            if !text.is_empty() {
                add(kind, Step::Name(end, text.clone(), config.table(table)), spot.at(field));
            }
        }
        for (at, label) in k.labels.iter().enumerate() {
            let spot = spot.at("labels").at(at);
            let size = label.fields.len() + config.size();
            let specs = build.allowance.work(size * size).and_then(|()| label_specs(label, config));
            let specs = specs.map_err(|why| build.allowance.passed(&spot, "InvalidConfiguration", why));
            if let Some(specs) = build.refuse(specs) {
                add("LabelTransformer", Step::Entries(label.pairs.clone(), specs), spot);
            }
        }
        if !k.labels.is_empty() || !k.common_labels.is_empty() {
            let step = Step::Entries(k.common_labels.clone(), config.table(Table::CommonLabels));
            add("LabelTransformer", step, spot.at("commonLabels"));
        }
        if !k.common_annotations.is_empty() {
            let step = Step::Entries(k.common_annotations.clone(), config.table(Table::CommonAnnotations));
            add("AnnotationsTransformer", step, spot.at("commonAnnotations"));
        }
        for (at, patch) in k.patches_json6902.iter().enumerate() {
            let spot = spot.at("patchesJson6902").at(at);
            let prepared = patches::prepare_json(&mut build.files, &folder.root, patch, &spot);
            if let Some(Prepared::Json(operations, target, place)) = build.refuse_all(prepared) {
                add("PatchJson6902Transformer", Step::Json(operations, target, place), spot);
            }
        }
        for (at, replica) in k.replicas.iter().enumerate() {
            let step = Step::Replicas(replica.clone(), config.table(Table::Replicas));
            add("ReplicaCountTransformer", step, spot.at("replicas").at(at));
        }
        for (at, image) in k.images.iter().enumerate() {
            let step = Step::Images(Images::new(image.clone(), config.table(Table::Images).into_owned()));
            add("ImageTagTransformer", step, spot.at("images").at(at));
        }
        if !k.replacements.is_empty() {
            let mut all = Vec::new();
            for (at, replacement) in k.replacements.iter().enumerate() {
                all.extend(replacements_of(build, folder, replacement, &spot.at("replacements").at(at)));
            }
            add("ReplacementTransformer", Step::Replacements(all), spot.at("replacements"));
        }
        steps.extend(plugins::transformers(build, folder, "transformers", &k.transformers));
        let validators = plugins::transformers(build, folder, "validators", &k.validators);
        Self { steps, validators, spot: spot.clone() }
    }

    /// Runs them all, until one fails.
    ///
    /// # Errors
    /// Everything that is wrong with that one.
    pub fn apply(
        self,
        resources: &mut Resources,
        schema: &Schema,
        trail: Option<&Trail>,
        allowance: &Allowance,
    ) -> Result<(), Vec<Problem>> {
        for Placed { step, kind, spot, own } in self.steps {
            step.apply(resources, schema, &spot, allowance)?;
            step.note(resources, &spot);
            if let Some(trail) = trail.filter(|_| own) {
                for resource in resources.bodies() {
                    let grown = trail.changed_by(resource, &self.spot, kind);
                    allowance.take(grown).map_err(|why| vec![spot.problem("LimitExceeded", why)])?;
                }
            }
            resources.drop_gone();
        }
        for Placed { step, kind, spot, .. } in self.validators {
            allowance.walk().map_err(|why| vec![spot.problem("LimitExceeded", why)])?;
            let mut copy = Resources::from_all(resources.all().to_vec());
            step.apply(&mut copy, schema, &spot, allowance)?;
            if !copy
                .all()
                .iter()
                .map(|resource| &resource.body)
                .eq(resources.all().iter().map(|resource| &resource.body))
            {
                return Err(vec![spot.problem("ValidatorChanges", format!("the validator {kind} changes objects"))]);
            }
        }
        Ok(())
    }
}

impl Step {
    /// Notes what it did, for those who ask.
    fn note(&self, resources: &mut Resources, spot: &Spot) {
        let own = match self {
            Self::Patch(Prepared::Merge(merges, _)) if merges.len() == 1 => merges[0].spot(),
            Self::Json(_, _, spot) | Self::Patch(Prepared::Json(_, _, spot)) => spot,
            _ => spot,
        };
        note_of(resources, own, spot);
    }

    fn apply(
        &self,
        resources: &mut Resources,
        schema: &Schema,
        spot: &Spot,
        allowance: &Allowance,
    ) -> Result<(), Vec<Problem>> {
        let at = |rule: &'static str| move |why: String| vec![allowance.passed(spot, rule, why)];
        allowance.work(resources.all().len()).map_err(at("LimitExceeded"))?;
        match self {
            Self::Strategic(merges) => merges.iter().try_for_each(|merge| {
                merge.apply_old(resources, schema, allowance).map_err(|problem| vec![problem])?;
                note_of(resources, merge.spot(), spot);
                Ok(())
            }),
            Self::Patch(patch) => patch.apply(resources, schema, allowance),
            Self::Json(operations, target, spot) => {
                patches::apply_json(resources, operations, target, false, spot, allowance)
                    .map_err(|problem| vec![problem])
            }
            Self::Namespace(namespace) => namespace.apply(resources, allowance).map_err(at("InvalidNamespace")),
            Self::Name(end, text, specs) => {
                extend_names(resources, *end, text, specs, allowance).map_err(at("InvalidField"))
            }
            Self::Entries(entries, specs) => {
                set_entries(resources, entries, specs, allowance).map_err(at("InvalidField"))
            }
            Self::Replicas(replica, specs) => {
                set_replicas(resources, replica, specs, allowance).map_err(at("InvalidReplicas"))
            }
            Self::Images(images) => images.apply(resources, allowance).map_err(at("InvalidField")),
            Self::Replacements(all) => all.iter().try_for_each(|(replacement, own)| {
                let replaced = replacements::replace(resources.all_mut(), replacement, allowance);
                replaced.map_err(|why| vec![allowance.passed(own, "InvalidReplacement", why)])?;
                note_of(resources, own, spot);
                Ok(())
            }),
            Self::Hashes => {
                resources.all_mut().iter_mut().filter(|resource| resource.needs_hash).try_for_each(|resource| {
                    let hash = hash::hash(&resource.body).map_err(at("InvalidGenerator"))?;
                    resource.remember();
                    let name = format!("{}-{hash}", resource.name());
                    resource.body["metadata"]["name"] = Value::String(name);
                    Ok(())
                })
            }
        }
    }
}

/// Notes what the entry at `own` did, which the field at `spot` holds. One in a file of its own is told by that file.
fn note_of(resources: &mut Resources, own: &Spot, spot: &Spot) {
    if resources.all().iter().any(|resource| resource.trace.is_some()) {
        let doing = if own.file() == spot.file() { String::new() } else { spot.field() };
        Trace::note(resources.bodies(), own, &doing);
    }
}

/// The fields of an entry of `labels`. Where nothing is added to kustomize's own, they are put
/// together once.
fn label_specs(label: &Label, config: &Config) -> Result<Cow<'static, [FieldSpec]>, String> {
    static KNOWN: [OnceLock<Vec<FieldSpec>>; 8] = [const { OnceLock::new() }; 8];
    let tables = [Table::Labels, Table::CommonLabels, Table::TemplateLabels, Table::VolumeClaimTemplateLabels];
    if !label.fields.is_empty() || !tables.into_iter().all(|table| matches!(config.table(table), Cow::Borrowed(_))) {
        return gathered_label_specs(label, config).map(Cow::Owned);
    }
    let flags = [label.include_selectors, label.include_templates, label.include_volume_claim_templates];
    let known = &KNOWN[flags.into_iter().fold(0, |at, flag| at * 2 + usize::from(flag))];
    if let Some(specs) = known.get() {
        return Ok(Cow::Borrowed(specs));
    }
    let specs = gathered_label_specs(label, config)?;
    Ok(Cow::Borrowed(known.get_or_init(|| specs)))
}

fn gathered_label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>, String> {
    let mut specs = Vec::new();
    let mut add = |more: &[FieldSpec]| merge_all(&[], &mut specs, more.to_vec());
    add(&label.fields)?;
    add(&config.table(Table::Labels))?;
    if label.include_selectors {
        add(&config.table(Table::CommonLabels))?;
        return Ok(specs);
    }
    if label.include_templates {
        add(&config.table(Table::TemplateLabels))?;
    }
    if label.include_volume_claim_templates {
        add(&config.table(Table::VolumeClaimTemplateLabels))?;
    }
    add(&[FieldSpec { path: "metadata/labels".to_owned(), create: true, ..FieldSpec::default() }])?;
    Ok(specs)
}

/// An entry of `replacements`: itself, or those of its file.
pub fn replacements_of(
    build: &mut Build<'_>,
    folder: &Folder,
    entry: &Replacement,
    spot: &Spot,
) -> Vec<(Replacement, Spot)> {
    if entry.path.is_empty() {
        return vec![(entry.clone(), spot.clone())];
    }
    if entry.source.is_some() || entry.targets.as_ref().is_some_and(|targets| !targets.is_empty()) {
        let message = "has both path and a replacement of its own; one of them is to go";
        build.problems.push(spot.problem("InvalidReplacement", message));
        return Vec::new();
    }
    let loaded = build.files.load(&folder.root, &entry.path, &spot.at("path"));
    let Some((file, bytes)) = build.refuse(loaded) else { return Vec::new() };
    let source = Source::new(file, bytes);
    let document = build.files.document(&source);
    let Some(document) = build.refuse_all(document) else { return Vec::new() };
    let whole = Spot::new(&std::rc::Rc::new(source));
    let entries: Vec<(Value, Spot)> = match document {
        Value::Array(entries) => entries.into_iter().enumerate().map(|(at, entry)| (entry, whole.at(at))).collect(),
        entry @ Value::Object(_) => vec![(entry, whole)],
        _ => {
            let message = "the file holds neither a replacement nor a list of them";
            build.problems.push(whole.problem("InvalidReplacement", message));
            return Vec::new();
        }
    };
    let mut all = Vec::new();
    for (entry, spot) in entries {
        let decoded = decode::<Replacement>(entry, REPLACEMENT, &spot, "InvalidReplacement");
        all.extend(build.refuse_all(decoded).map(|replacement| (replacement, spot)));
    }
    all
}
