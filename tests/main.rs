//! All tests against the outside of Tandem, in one binary.

#![allow(clippy::print_stdout, clippy::print_stderr)] // figures, and what went wrong, are for the one who runs them

mod apply;
mod chart;
mod cli;
mod cluster_real;
mod cluster_wire;
mod crds;
mod deploy;
mod faults;
mod forge;
mod git_faults;
mod git_http;
mod git_remote;
mod git_ssh;
mod git_wire;
mod install;
mod jobs;
mod kustomize;
mod kustomize_random;
mod kustomize_reference;
mod lab;
mod manifests;
mod order;
mod prune;
mod reasons;
mod render_cases;
mod shared_fields;
mod tidy;
mod yaml_kubectl;
