//! kustomize: from a folder with a kustomization to its objects, as kustomize v5.8 builds them.

#![allow(dead_code)] // Until the build calls all of it.

mod fieldspec;
mod generate;
mod hash;
mod references;
mod resource;
mod scope;
mod select;
mod types;
