//! Health of a set: counts, the worst, and the first few names for a message.

use serde::{Deserialize, Serialize};

use super::{Health, Status};
use crate::object::ObjectId;

/// How many of the objects that are not current a [`SetHealth`] names.
pub const NAMED: usize = 3;

/// Objects by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// As wanted.
    pub current: u32,
    /// On their way.
    pub in_progress: u32,
    /// Not becoming so by themselves.
    pub failed: u32,
    /// Being deleted.
    pub terminating: u32,
    /// Not in the cluster.
    pub not_found: u32,
    /// Not known yet.
    pub unknown: u32,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u32 {
        Status::ALL.iter().map(|status| self.of(*status)).sum()
    }

    /// Those of one status.
    pub fn of(&self, status: Status) -> u32 {
        match status {
            Status::Current => self.current,
            Status::InProgress => self.in_progress,
            Status::Failed => self.failed,
            Status::Terminating => self.terminating,
            Status::NotFound => self.not_found,
            Status::Unknown => self.unknown,
        }
    }

    /// Counts one more.
    pub fn add(&mut self, status: Status) {
        *match status {
            Status::Current => &mut self.current,
            Status::InProgress => &mut self.in_progress,
            Status::Failed => &mut self.failed,
            Status::Terminating => &mut self.terminating,
            Status::NotFound => &mut self.not_found,
            Status::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// Health of what a Sync owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetHealth {
    /// Objects by status.
    pub counts: Counts,
    /// The first few that are not current, worst first, then by identity.
    pub worst: Vec<(ObjectId, Health)>,
}

impl SetHealth {
    /// Health of these objects. Their order does not matter.
    pub fn of<'a>(objects: impl IntoIterator<Item = (&'a ObjectId, &'a Health)>) -> Self {
        let mut counts = Counts::default();
        let mut not_current = Vec::new();
        for (id, health) in objects {
            counts.add(health.status);
            if health.status != Status::Current {
                not_current.push((id, health));
            }
        }
        not_current.sort_by_key(|(id, health)| (std::cmp::Reverse(health.status.severity()), *id));
        let worst = not_current.into_iter().take(NAMED).map(|(id, health)| (id.clone(), health.clone())).collect();
        Self { counts, worst }
    }

    /// The worst status; `Current` for an empty set.
    pub fn status(&self) -> Status {
        let present = Status::ALL.into_iter().filter(|status| self.counts.of(*status) > 0);
        present.max_by_key(|status| status.severity()).unwrap_or(Status::Current)
    }

    /// For people: `3 of 4 objects current; Deployment.apps/shop/web: 1 of 2 replicas are
    /// available`. Names at most [`NAMED`] objects.
    pub fn summary(&self) -> String {
        let (total, current) = (self.counts.total(), self.counts.current);
        let mut text = match (total, current) {
            (0, _) => return "no objects".to_owned(),
            (1, 1) => "the object is current".to_owned(),
            (total, current) if total == current => format!("all {total} objects are current"),
            _ => format!("{current} of {total} objects current"),
        };
        for (id, health) in &self.worst {
            text.push_str("; ");
            text.push_str(&id.to_string());
            text.push_str(": ");
            text.push_str(if health.message.is_empty() { health.status.as_str() } else { &health.message });
        }
        let named = u32::try_from(self.worst.len()).unwrap_or(u32::MAX);
        if let Some(more) = (total - current).checked_sub(named).filter(|more| *more > 0) {
            text.push_str(&format!("; and {more} more"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(statuses: &[Status]) -> SetHealth {
        let objects: Vec<_> = statuses
            .iter()
            .enumerate()
            .map(|(at, status)| {
                (ObjectId::new("shop", format!("o{at}"), "", "Pod"), Health::new(*status, format!("message {at}")))
            })
            .collect();
        let forwards = SetHealth::of(objects.iter().map(|(id, health)| (id, health)));
        let backwards = SetHealth::of(objects.iter().rev().map(|(id, health)| (id, health)));
        assert_eq!(forwards, backwards, "order matters");
        forwards
    }

    #[test]
    fn the_worst_comes_first_and_is_named() {
        use Status::{Current, Failed, InProgress, NotFound, Unknown};
        for (statuses, worst, summary) in [
            (&[][..], Current, "no objects"),
            (&[Current], Current, "the object is current"),
            (&[Current, Current], Current, "all 2 objects are current"),
            (&[InProgress], InProgress, "0 of 1 objects current; Pod/shop/o0: message 0"),
            (
                &[Current, InProgress, Failed],
                Failed,
                "1 of 3 objects current; Pod/shop/o2: message 2; Pod/shop/o1: message 1",
            ),
            (
                &[Unknown, NotFound, InProgress, InProgress, Failed],
                Failed,
                "0 of 5 objects current; Pod/shop/o4: message 4; Pod/shop/o1: message 1; Pod/shop/o0: message 0; and 2 more",
            ),
        ] {
            let set = set(statuses);
            assert_eq!(set.status(), worst, "{statuses:?}");
            assert_eq!(set.summary(), summary);
            assert_eq!(set.counts.total() as usize, statuses.len());
        }
    }
}
