//! Patches, as kustomize lays them on objects: strategic merge patches ([`strategic`]) and JSON
//! patches ([`json6902`]).
//!
//! What is right here is what kustomize v5.8 does, also where Kubernetes would do otherwise:
//! elements that a patch adds come before those that were there, merging drops repeated elements
//! of lists that are merged by key, `replace` of a JSON patch sets a field that was not there,
//! and of the directives there is `$patch` alone: `$setElementOrder`, `$retainKeys` and
//! `$deleteFromPrimitiveList` are fields like any other.

mod json6902;
mod list;
mod schema;
mod strategic;
mod unwritten;

pub use json6902::json6902;
pub use schema::Schema;
pub use strategic::strategic;
pub use unwritten::drop_unwritten;

#[cfg(test)]
mod tests;
