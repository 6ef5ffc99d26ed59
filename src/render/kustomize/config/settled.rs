//! kustomize's own fields together with those that were added, in the order in which it merges them.
//!
//! Each kustomization puts its own configurations behind kustomize's fields, sorts them by kind, and merges the whole into
//! what its bases brought. Of two fields with one path the first counts, where it is for the kinds of the second. So a field
//! that was added for one kind hides kustomize's own for all kinds, unless a base brought that one before: people limit a
//! prefix to some kinds by it.

use std::borrow::Cow;

use super::{Config, TABLES, Table, merge_all, own};
use crate::render::kustomize::finish::rank;
use crate::render::kustomize::resource::Gvk;
use crate::render::kustomize::types::FieldSpec;

type Fields = Cow<'static, [FieldSpec]>;

/// A list of fields for every table; `None` where nothing was merged yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled([Option<Fields>; TABLES.len()]);

impl Settled {
    /// Those of a kustomization: kustomize's own, and what its configurations add.
    ///
    /// # Errors
    /// As [`Config::merge`].
    pub fn of_kustomization(added: &Config) -> Result<Self, String> {
        let mut all = Self(TABLES.map(|table| Some(Cow::Borrowed(own(table)))));
        all.merge(Self::of_added(added))?;
        Ok(all)
    }

    /// What was added, alone.
    pub fn of_added(added: &Config) -> Self {
        Self(TABLES.map(|table| {
            let added = added.added(table);
            (!added.is_empty()).then(|| Cow::Owned(added.clone()))
        }))
    }

    /// Merges others behind these.
    ///
    /// # Errors
    /// As [`Config::merge`].
    pub fn merge(&mut self, others: Self) -> Result<(), String> {
        for (mine, theirs) in self.0.iter_mut().zip(others.0) {
            match (&mut *mine, theirs) {
                // Both are kustomize's own.
                (_, None) | (Some(Cow::Borrowed(_)), Some(Cow::Borrowed(_))) => {}
                (None, Some(own @ Cow::Borrowed(_))) => *mine = Some(own),
                (_, Some(theirs)) => {
                    let mut all = Vec::new();
                    merge_all(&[], &mut all, mine.take().unwrap_or_default().into_owned())?;
                    merge_all(&[], &mut all, theirs.into_owned())?;
                    all.sort_by_cached_key(|spec| order(&spec.gvk));
                    *mine = Some(Cow::Owned(all));
                }
            }
        }
        Ok(())
    }

    /// The fields of a table.
    pub fn table(&self, table: Table) -> Fields {
        let at = TABLES.iter().position(|other| *other == table);
        at.and_then(|at| self.0[at].clone()).unwrap_or(Cow::Borrowed(own(table)))
    }
}

/// kustomize's order of types.
fn order(gvk: &Gvk) -> (i64, String) {
    let or = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
    (rank(&gvk.kind), [or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K")].join("_"))
}
