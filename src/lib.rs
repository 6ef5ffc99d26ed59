//! Tandem keeps a Kubernetes cluster equal to a Git repository of reviewed commits.
//!
//! The flow, and the rooms in the order in which a commit passes them:
//!
//! ```text
//! Git ──fetch──▶ revision ──accept (per Sync)──▶ render ──▶ manifests ──plan──▶ admit ──▶
//!    apply by phases ──health──▶ prune ──▶ outcome ──▶ status, events, metrics
//!         ▲ drift and health come back through watches, not through polling
//! ```
//!
//! Decisions (`object` to `report`) are pure: no async, clock, environment, files or network.
//! Doors (`git`, `charts`, `forge`, `sandbox`, `cluster`, `server`) open one outside world each and decide nothing.
//! Only `agent` and `cli` see both. ARCHITECTURE.md has the table of imports that a test enforces.

pub mod cel;
pub mod editor;
pub mod failure;
pub mod health;
pub mod inventory;
pub mod object;
pub mod plan;
pub mod render;
pub mod report;
pub mod revision;
pub mod schema;
pub mod standard;

pub mod api;

pub mod charts;
pub mod cluster;
pub mod forge;
pub mod git;
pub mod sandbox;
pub mod server;

pub mod agent;
pub mod cli;
