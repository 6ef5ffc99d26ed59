//! `vars`: values of fields that stand for `$(NAME)` in other fields.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::super::Allowance;
use super::fieldspec::{Make, visit};
use super::replacements::path;
use super::resource::{Gvk, ResId, Resource};
use super::resources::Resources;
use super::select::scalar_text;
use super::types::{FieldSpec, Var};
use crate::object::{split_api_version, yaml};

/// Fields of containers, and of containers that run before them.
const OF_CONTAINERS: [&str; 4] = ["args", "command", "env/value", "volumeMounts/mountPath"];

/// Kinds with Pods, and where the spec of their Pods is.
const WITH_PODS: [(&str, &str); 7] = [
    ("CronJob", "spec/jobTemplate/spec/template/spec/"),
    ("DaemonSet", "spec/template/spec/"),
    ("Deployment", "spec/template/spec/"),
    ("Job", "spec/template/spec/"),
    ("Pod", "spec/"),
    ("ReplicaSet", "spec/template/spec/"),
    ("StatefulSet", "spec/template/spec/"),
];

/// All other fields that may name a var; no kind stands for any.
const OTHERS: [(&str, &str); 16] = [
    ("CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server"),
    ("DaemonSet", "spec/template/spec/volumes/nfs/server"),
    ("Deployment", "spec/template/spec/volumes/nfs/server"),
    ("Deployment", "spec/template/metadata/annotations"),
    ("Ingress", "spec/rules/host"),
    ("Ingress", "spec/tls/hosts"),
    ("Ingress", "spec/tls/secretName"),
    ("Job", "spec/template/spec/volumes/nfs/server"),
    ("Pod", "spec/volumes/nfs/server"),
    ("ReplicaSet", "spec/template/spec/volumes/nfs/server"),
    ("Service", "spec/ports/port"),
    ("Service", "spec/ports/targetPort"),
    ("StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server"),
    ("PersistentVolume", "spec/nfs/server"),
    ("", "metadata/labels"),
    ("", "metadata/annotations"),
];

static OWN: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    let spec = |kind: &str, path: String| FieldSpec {
        gvk: Gvk { kind: kind.to_owned(), ..Gvk::default() },
        path,
        create: false,
    };
    let mut all = Vec::new();
    for (kind, pod) in WITH_PODS {
        for containers in ["containers", "initContainers"] {
            all.extend(OF_CONTAINERS.iter().map(|field| spec(kind, format!("{pod}{containers}/{field}"))));
        }
    }
    all.extend(OTHERS.iter().map(|(kind, path)| spec(kind, (*path).to_owned())));
    all
});

/// Adds the vars of a kustomization, and marks the resources that they read.
///
/// # Errors
/// Where a var reads from several resources, or there is one of its name.
pub fn merge(
    known: &mut Vec<Var>,
    resources: &mut Resources,
    vars: &[Var],
    allowance: &Allowance,
) -> Result<(), String> {
    for var in vars {
        allowance.work(resources.all().len())?;
        let meant: Vec<usize> = (0..resources.all().len()).filter(|at| reads(var, &resources.all()[*at])).collect();
        match *meant {
            [] => {}
            [at] => resources.body(at).vars.push(var.name.clone()),
            [first, second, ..] => {
                let [first, second] = [first, second].map(|at| resources.all()[at].label());
                return Err(format!("{} reads from {first} and from {second}; name its namespace in objref", var.name));
            }
        }
    }
    merge_layer(known, vars.to_vec(), allowance)
}

/// Adds the vars of a base.
///
/// # Errors
/// Where there is one of that name.
pub fn merge_layer(known: &mut Vec<Var>, vars: Vec<Var>, allowance: &Allowance) -> Result<(), String> {
    for var in vars {
        allowance.work(known.len())?;
        if known.iter().any(|other| other.name == var.name) {
            return Err(format!("there are two vars named {}", var.name));
        }
        known.push(var);
    }
    Ok(())
}

/// Whether a resource has, or had, the name that a var reads from.
fn reads(var: &Var, resource: &Resource) -> bool {
    if resource.is_gone() {
        return false;
    }
    let gvk = wanted(var);
    let same = |id: &ResId| {
        id.name == var.objref.name
            && id.gvk == gvk
            && (var.objref.namespace.is_empty() || id.effective_namespace() == var.objref.namespace)
    };
    same(&resource.current()) || resource.formers().any(|id| same(&id))
}

/// The type that a var reads from: `apiVersion` wins over group and version.
fn wanted(var: &Var) -> Gvk {
    if var.objref.api_version.is_empty() {
        return var.objref.gvk.clone();
    }
    let (group, version) = split_api_version(&var.objref.api_version);
    Gvk { group: group.to_owned(), version: version.to_owned(), kind: var.objref.gvk.kind.clone() }
}

/// Puts the values of vars where `$(NAME)` stands; `extra` are fields of `configurations`.
///
/// # Errors
/// A var without a value, and a field that cannot hold one.
pub fn resolve(
    resources: &mut [Resource],
    vars: &[Var],
    extra: &[FieldSpec],
    allowance: &Allowance,
) -> Result<(), String> {
    if vars.is_empty() {
        return Ok(());
    }
    let mut values: HashMap<&str, Value> = HashMap::new();
    for var in vars {
        allowance.work(resources.len())?;
        values.insert(&var.name, value(resources, var)?);
    }
    for resource in resources {
        let gvk = resource.gvk();
        allowance.work(OWN.len() + extra.len())?;
        for spec in OWN.iter().chain(extra).filter(|spec| spec.applies(&gvk)) {
            visit(&mut resource.body, spec, Make::Nothing, &mut |node| replace(node, &values, allowance))?;
        }
    }
    Ok(())
}

fn value(resources: &[Resource], var: &Var) -> Result<Value, String> {
    let Some(resource) = resources.iter().find(|resource| resource.vars.contains(&var.name)) else {
        let told = format!("{} {}", wanted(var).kind, var.objref.name);
        return Err(format!(
            "{} reads from {told}, which is not there; apiVersion, kind and name are needed",
            var.name
        ));
    };
    let field = if var.fieldref.field_path.is_empty() { "metadata.name" } else { &var.fieldref.field_path };
    let wrong = |why: &str| format!("{}: {} has no field {field}{why}", var.name, resource.label());
    let parts = indexed(path::parts(field).map_err(|why| wrong(&format!(": {why}")))?);
    match path::lookup(&resource.body, &parts) {
        Ok(Some(value)) => Ok(value.clone()),
        Ok(None) => Err(wrong("")),
        Err(why) => Err(wrong(&format!(": {why}"))),
    }
}

/// `ports[0]` is `ports` and `0`.
fn indexed(parts: Vec<String>) -> Vec<String> {
    let mut all = Vec::with_capacity(parts.len());
    for part in parts {
        match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((name, place)) if place.parse::<usize>().is_ok() => {
                all.extend((!name.is_empty()).then(|| name.to_owned()));
                all.push(place.to_owned());
            }
            _ => all.push(part),
        }
    }
    all
}

fn replace(node: &mut Value, values: &HashMap<&str, Value>, allowance: &Allowance) -> Result<(), String> {
    match node {
        Value::String(text) => {
            if let Some(value) = replaced(text, values, allowance)? {
                *node = value;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                if let Value::String(text) = field
                    && let Some(value) = replaced(text, values, allowance)?
                {
                    *field = value;
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let Value::String(text) = element else {
                    return Err("an element of the list is no text".to_owned());
                };
                if let Some(value) = replaced(text, values, allowance)? {
                    *element = value;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A text with its vars replaced; a text that is one var alone becomes its value, whatever its
/// type. `$$` stands for `$`, and what is no var stays. `None` where nothing is to be done.
fn replaced(text: &str, values: &HashMap<&str, Value>, allowance: &Allowance) -> Result<Option<Value>, String> {
    if !text.contains('$') {
        return Ok(None);
    }
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        done.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if behind.is_empty() {
            rest = &rest[at..];
            break;
        }
        if let Some(inner) = behind.strip_prefix('(').and_then(|inner| inner.find(')').map(|end| &inner[..end])) {
            let value = values.get(inner).filter(|value| !value.is_object() && !value.is_array());
            match value {
                Some(value) if text.len() == inner.len() + 3 => {
                    allowance.resized(text.len() as u64, yaml::memory(value))?;
                    return Ok(Some(value.clone()));
                }
                Some(value) => {
                    let value = scalar_text(value);
                    allowance.fits((done.len() + value.len()) as u64)?;
                    done.push_str(&value);
                }
                None => done.push_str(&format!("$({inner})")),
            }
            rest = &behind[inner.len() + 2..];
        } else {
            let first = behind.chars().next().map_or(0, char::len_utf8);
            if !behind.starts_with('$') {
                done.push('$');
            }
            done.push_str(&behind[..first]);
            rest = &behind[first..];
        }
    }
    done.push_str(rest);
    allowance.resized(text.len() as u64, done.len() as u64)?;
    Ok(Some(Value::String(done)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vars_stand_between_parentheses_and_two_dollars_for_one() {
        let values = HashMap::from([("A", Value::from("a")), ("N", Value::from(5)), ("L", Value::from(vec![1]))]);
        for (text, expected) in [
            ("$(A)", Value::from("a")),
            ("$(N)", Value::from(5)),
            ("x$(N)y$(A)", Value::from("x5ya")),
            ("$$(A)", Value::from("$(A)")),
            ("$(B)$(L)", Value::from("$(B)$(L)")),
            ("$(A", Value::from("$(A")),
            ("$é$", Value::from("$é$")),
            ("100$", Value::from("100$")),
        ] {
            assert_eq!(replaced(text, &values, &Allowance::default()), Ok(Some(expected)), "{text}");
        }
        assert_eq!(replaced("plain", &values, &Allowance::default()), Ok(None));
    }

    #[test]
    fn a_place_in_a_list_is_a_part_of_its_own() {
        let parts = |path: &str| indexed(path::parts(path).expect("a path"));
        assert_eq!(parts("spec.ports[0].port"), ["spec", "ports", "0", "port"]);
        assert_eq!(parts("metadata.annotations[a.b/c]"), path::parts("metadata.annotations[a.b/c]").expect("a path"));
    }
}
