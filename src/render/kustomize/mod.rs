//! kustomize: from a folder with a kustomization to its objects, as kustomize v5.8 builds them.
//!
//! What is right here is what kustomize does, to the last character of a value; where it would run
//! programs, fetch from elsewhere or leave the tree, and where it would pass over a mistake in
//! silence, there is a problem instead.

mod build;
mod charts;
mod config;
mod crds;
mod decode;
mod fieldspec;
mod files;
mod finish;
mod generate;
mod go_json;
mod hash;
mod inline;
mod metadata;
mod patches;
mod pattern;
mod plugins;
mod read;
mod references;
mod replacements;
mod resource;
mod resources;
mod scope;
mod select;
mod shared;
mod steps;
mod trace;
mod transform;
mod types;
mod vars;

use std::rc::Rc;

use super::{Needs, Options, Recorder, Tree};
use crate::object::{Manifest, Problem};
use build::Build;
pub use decode::{KUSTOMIZATION, Shape};
use files::{Files, Source, Spot};
pub use references::names;

/// What a kustomization may be called.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Builds the folder `path`. `None` where it has no kustomization; that there is none is recorded.
pub fn build(
    tree: &dyn Tree,
    record: &Recorder<'_>,
    path: &str,
    options: &Options,
    needs: &mut Needs,
) -> Option<(Vec<Manifest>, Vec<Problem>)> {
    let mut files = Files::new(tree, record, options);
    let spot = Spot::new(&Rc::new(Source::new(path, Vec::new())));
    let source = match files.kustomization(path, &spot) {
        Ok(source) => source?,
        Err(problem) => return Some((Vec::new(), vec![problem])),
    };
    let mut build = Build::new(files);
    std::mem::swap(&mut build.needs, needs);
    let manifests = build.run(path, source);
    std::mem::swap(&mut build.needs, needs);
    Some((manifests, build.problems))
}
