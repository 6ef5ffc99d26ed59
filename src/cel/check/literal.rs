//! Lists and maps that are written out.

use cel::common::ast::{EntryExpr, IdedExpr, ListExpr, MapExpr};

use super::super::Refused;
use super::super::node::Node;
use super::super::types::Type;
use super::{Checked, Checker};

impl Checker<'_> {
    pub(super) fn list(&mut self, list: &ListExpr) -> Checked {
        let mut items = Vec::with_capacity(list.elements.len());
        let mut joined = None;
        let mut elements = Vec::with_capacity(list.elements.len());
        for (at, element) in list.elements.iter().enumerate() {
            let optional = list.optional_indices.contains(&at);
            let (node, of) = self.element(element, optional)?;
            elements.push(self.known.resolve(&of));
            joined = Some(self.join(joined, of)?);
            items.push((node, optional));
        }
        self.elements = elements;
        let of = joined.unwrap_or_else(|| self.known.variable());
        Ok((Node::List(items), Type::list(of)))
    }

    pub(super) fn map(&mut self, map: &MapExpr) -> Checked {
        let mut entries = Vec::with_capacity(map.entries.len());
        let (mut keys, mut values) = (None, None);
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(Refused::invalid("a field stands where an entry of a map should be"));
            };
            let (key, of) = self.check(&entry.key)?;
            keys = Some(self.join(keys, of)?);
            let (value, of) = self.element(&entry.value, entry.optional)?;
            values = Some(self.join(values, of)?);
            entries.push((key, value, entry.optional));
        }
        let keys = keys.unwrap_or_else(|| self.known.variable());
        let values = values.unwrap_or_else(|| self.known.variable());
        Ok((Node::Map(entries), Type::map(keys, values)))
    }

    fn element(&mut self, element: &IdedExpr, optional: bool) -> Checked {
        let (node, of) = self.check(element)?;
        if !optional {
            return Ok((node, of));
        }
        match self.known.resolve(&of) {
            Type::Optional(of) => Ok((node, *of)),
            // Where that is not known, the API server's compiler crashes.
            other => Err(self.mismatch(&Type::optional(other.clone()), &other)),
        }
    }
}
