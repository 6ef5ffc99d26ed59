//! `vars`.

use super::resource::Resource;
use super::resources::Resources;
use super::types::{FieldSpec, Var};

/// Gives `$(NAME)` its value.
pub fn resolve(_: &mut [Resource], vars: &[Var], _: &[FieldSpec]) -> Result<(), String> {
    if vars.is_empty() { Ok(()) } else { Err("vars are not built yet".to_owned()) }
}

/// Adds the vars of a kustomization.
pub fn merge(known: &mut Vec<Var>, _: &mut Resources, vars: &[Var]) -> Result<(), String> {
    known.extend_from_slice(vars);
    Ok(())
}

/// Adds the vars of a base.
pub fn merge_layer(known: &mut Vec<Var>, vars: Vec<Var>) -> Result<(), String> {
    known.extend(vars);
    Ok(())
}
