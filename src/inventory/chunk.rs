//! Chunks: an Inventory object holds at most 1,000 entries, and a change writes as few as possible.
//!
//! An entry stays in its chunk for as long as it lives: so a change of one object writes one chunk.
//! Between two writes the truth is the union of all chunks: additions are written before removals,
//! and a crash in between leaves more, never less.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Entry, Owned};
use crate::object::ObjectId;

/// Entries of a chunk, at most.
pub const CHUNK_ENTRIES: usize = 1000;

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// The chunks of a Sync as they stand in the cluster, by number. Shared, since the one chunk of most
/// Syncs is all that they own.
pub type Layout = BTreeMap<u32, Arc<Owned>>;

/// An inventory that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the inventory has format {found}, and this version of tandem reads {FORMAT}; nothing is applied or pruned")]
pub struct FormatError {
    /// The format that was found.
    pub found: u32,
}

impl crate::failure::Failure for FormatError {
    fn reason(&self) -> &'static str {
        "InventoryFormat"
    }

    fn fault(&self) -> crate::failure::Fault {
        crate::failure::Fault::Cluster
    }

    fn hint(&self) -> Option<String> {
        Some("a newer version of tandem wrote it: run that version, or a later one".to_owned())
    }
}

/// Whether a format can be read.
pub fn readable(format: u32) -> Result<(), FormatError> {
    if format == FORMAT { Ok(()) } else { Err(FormatError { found: format }) }
}

/// What the chunks say together. An entry that stands in two of them (no write of ours makes one) is
/// taken from the one that knows more, the lower number first.
pub fn union(layout: &Layout) -> Owned {
    let mut owned: Owned = BTreeMap::new();
    for (id, entry) in layout.values().flat_map(|entries| entries.iter()) {
        match owned.get(id) {
            Some(known) if knows(known) >= knows(entry) => {}
            _ => {
                owned.insert(id.clone(), entry.clone());
            }
        }
    }
    owned
}

fn knows(entry: &Entry) -> usize {
    [entry.uid.is_some(), entry.desired.is_some(), entry.baseline.is_some()].into_iter().filter(|known| *known).count()
}

/// One write of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkWrite {
    /// The chunk is created with these entries.
    Create(u32, Owned),
    /// The chunk's entries are replaced.
    Update(u32, Owned),
    /// The chunk is empty, and is deleted.
    Delete(u32),
}

/// The writes that turn `layout` into `owned`, in their order: those that add entries first, then
/// those that only change or remove, then deletions of empty chunks. Nothing where nothing changed.
pub fn chunks(layout: &Layout, owned: &Owned) -> Vec<ChunkWrite> {
    let mut next: BTreeMap<u32, Owned> = layout.keys().map(|number| (*number, Owned::new())).collect();
    let mut homeless: Vec<(&ObjectId, &Entry)> = Vec::new();
    for (id, entry) in owned {
        match layout.iter().find(|(_, entries)| entries.contains_key(id)) {
            Some((number, _)) => {
                next.entry(*number).or_default().insert(id.clone(), entry.clone());
            }
            None => homeless.push((id, entry)),
        }
    }
    place(&mut next, layout, homeless);
    let mut adds = Vec::new();
    let mut others = Vec::new();
    let mut deletions = Vec::new();
    for (number, entries) in next {
        match layout.get(&number) {
            Some(before) if **before == entries => {}
            _ if entries.is_empty() => deletions.push(ChunkWrite::Delete(number)),
            None => adds.push(ChunkWrite::Create(number, entries)),
            Some(before) if entries.keys().any(|id| !before.contains_key(id)) => {
                adds.push(ChunkWrite::Update(number, entries))
            }
            Some(_) => others.push(ChunkWrite::Update(number, entries)),
        }
    }
    adds.into_iter().chain(others).chain(deletions).collect()
}

/// Finds room for new entries: in chunks that are written anyway, then where there is most room,
/// then in new ones.
fn place(next: &mut BTreeMap<u32, Owned>, layout: &Layout, homeless: Vec<(&ObjectId, &Entry)>) {
    let mut homeless = homeless.into_iter().peekable();
    let mut order: Vec<u32> = next.keys().copied().collect();
    order
        .sort_by_key(|number| (layout.get(number).map(AsRef::as_ref) == next.get(number), next[number].len(), *number));
    let mut free = (0..).filter(|number| !layout.contains_key(number));
    let mut order = order.into_iter();
    while homeless.peek().is_some() {
        let number = order.next().or_else(|| free.next()).expect("there is always another number");
        let chunk = next.entry(number).or_default();
        while chunk.len() < CHUNK_ENTRIES
            && let Some((id, entry)) = homeless.next()
        {
            chunk.insert(id.clone(), entry.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: impl IntoIterator<Item = usize>) -> Owned {
        names
            .into_iter()
            .map(|name| (ObjectId::new("ns", format!("o{name:05}"), "", "ConfigMap"), Entry::default()))
            .collect()
    }

    /// The chunks after the writes, each held to the limit.
    fn after(layout: &Layout, writes: &[ChunkWrite]) -> Layout {
        let mut layout = layout.clone();
        for write in writes {
            match write {
                ChunkWrite::Create(number, entries) => {
                    assert!(layout.insert(*number, entries.clone().into()).is_none(), "chunk {number} was there");
                    assert!(entries.len() <= CHUNK_ENTRIES);
                }
                ChunkWrite::Update(number, entries) => {
                    assert!(layout.insert(*number, entries.clone().into()).is_some(), "chunk {number} was not there");
                    assert!(entries.len() <= CHUNK_ENTRIES);
                }
                ChunkWrite::Delete(number) => assert!(layout.remove(number).is_some()),
            }
        }
        layout
    }

    fn numbers(writes: &[ChunkWrite]) -> Vec<String> {
        let told = |write: &ChunkWrite| match write {
            ChunkWrite::Create(number, entries) => format!("create {number}: {}", entries.len()),
            ChunkWrite::Update(number, entries) => format!("update {number}: {}", entries.len()),
            ChunkWrite::Delete(number) => format!("delete {number}"),
        };
        writes.iter().map(told).collect()
    }

    #[test]
    fn a_change_writes_one_chunk_and_the_rest_stays() {
        let all = owned(0..2500);
        let writes = chunks(&Layout::new(), &all);
        assert_eq!(numbers(&writes), ["create 0: 1000", "create 1: 1000", "create 2: 500"]);
        let layout = after(&Layout::new(), &writes);
        assert_eq!(union(&layout), all);
        assert_eq!(chunks(&layout, &all), [], "nothing changed");

        let mut changed = all.clone();
        changed.values_mut().nth(1500).expect("an entry").uid = Some("u".into());
        assert_eq!(numbers(&chunks(&layout, &changed)), ["update 1: 1000"]);

        let more = owned(0..2501);
        assert_eq!(numbers(&chunks(&layout, &more)), ["update 2: 501"]);

        // What comes takes the place of what goes, where a chunk is written anyway.
        let swapped = owned((1..2500).chain([9000]));
        assert_eq!(numbers(&chunks(&layout, &swapped)), ["update 0: 1000"]);
    }

    #[test]
    fn additions_are_written_before_removals() {
        let layout = after(&Layout::new(), &chunks(&Layout::new(), &owned(0..2000)));
        let next = owned((1..1000).chain(5000..7000));
        let writes = chunks(&layout, &next);
        assert_eq!(numbers(&writes), ["update 0: 1000", "update 1: 1000", "create 2: 999"]);
        assert_eq!(union(&after(&layout, &writes)), next);
        let writes = chunks(&layout, &owned((0..999).chain([1000])));
        assert_eq!(numbers(&writes), ["update 0: 999", "update 1: 1"]);
        let writes = chunks(&layout, &owned(1000..2000));
        assert_eq!(numbers(&writes), ["delete 0"]);
        let layout = after(&layout, &writes);
        assert_eq!(numbers(&chunks(&layout, &owned(1000..2001))), ["create 0: 1"], "numbers are used again");
    }

    #[test]
    fn the_truth_is_the_union() {
        let id = owned([1]).into_keys().next().expect("an id");
        let told = Entry { uid: Some("u".into()), ..Entry::default() };
        for (one, two) in [(Entry::default(), told.clone()), (told.clone(), Entry::default())] {
            let chunk = |entry| Arc::new(Owned::from([(id.clone(), entry)]));
            let layout = Layout::from([(0, chunk(one)), (1, chunk(two))]);
            let owned = union(&layout);
            assert_eq!(owned, Owned::from([(id.clone(), told.clone())]));
            assert_eq!(union(&after(&layout, &chunks(&layout, &owned))), owned);
        }
    }

    #[test]
    fn another_format_is_refused() {
        assert_eq!(readable(FORMAT), Ok(()));
        assert_eq!(readable(2), Err(FormatError { found: 2 }));
    }
}
