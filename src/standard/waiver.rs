//! Waivers: one policy, one object, an owner, a reason, and an end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Expired, Review};
use crate::object::{Manifest, ObjectId, Origin, Problem, spec_of};

/// Days that a waiver may last at most.
const LONGEST: i64 = 90;
/// Days before its end in which it is told.
const SOON: i64 = 14;
const DAY: i64 = 86_400;

/// A waiver; until it ends it holds.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// Its name.
    pub name: String,
    /// The policy that it waives.
    pub policy: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: Timestamp,
    object: WaivedObject,
    origin: Origin,
    id: ObjectId,
}

/// What a `Waiver` says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaiverSpec {
    /// Name of the ValidatingAdmissionPolicy that is waived.
    policy: String,
    /// Exactly the object that may pass.
    object: WaivedObject,
    /// Who answers for it.
    owner: String,
    /// Why the object passes.
    reason: String,
    /// The last day, such as 2026-12-31, or a point in time; at most 90 days from now.
    expires: String,
}

/// The one object that a waiver is of.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaivedObject {
    api_version: String,
    kind: String,
    /// Of an object in a namespace.
    #[serde(default)]
    namespace: String,
    name: String,
}

impl Waiver {
    /// Reads a waiver, also one that has expired.
    pub(super) fn read(manifest: &Manifest, now: Timestamp) -> Result<Self, Problem> {
        let invalid = |message: String| Problem::new("InvalidWaiver", message);
        let spec: WaiverSpec = spec_of(&manifest.body, "Waiver", "InvalidWaiver")?;
        for (field, text) in [("policy", &spec.policy), ("owner", &spec.owner), ("reason", &spec.reason)] {
            if text.trim().is_empty() {
                return Err(invalid(format!("spec.{field} is empty")));
            }
        }
        let expires = end(&spec.expires)
            .ok_or_else(|| invalid(format!("spec.expires is no date: {}", spec.expires)).hint("write 2026-12-31"))?;
        if expires.as_second() - now.as_second() > LONGEST * DAY {
            let message = format!("spec.expires is more than {LONGEST} days from now");
            return Err(invalid(message).hint("choose an earlier end, and renew the waiver when it comes"));
        }
        Ok(Self {
            name: manifest.id.name.clone(),
            policy: spec.policy,
            owner: spec.owner,
            reason: spec.reason,
            expires,
            object: spec.object,
            origin: manifest.origin.clone(),
            id: manifest.id.clone(),
        })
    }

    /// Whether it holds no more.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.as_second() <= now.as_second()
    }

    /// As it is told once it has expired.
    pub(super) fn ended(&self) -> Expired {
        Expired { name: self.name.clone(), origin: self.origin.clone() }
    }

    /// What is to be told of its end: that it is near, or over.
    pub(super) fn warning(&self, now: Timestamp) -> Option<Problem> {
        let left = self.expires.as_second() - now.as_second();
        let (rule, message) = match left {
            ..=0 => ("WaiverExpired", format!("the waiver of {} has expired", self.policy)),
            left if left <= SOON * DAY => {
                ("WaiverExpiresSoon", format!("the waiver of {} expires in {} days", self.policy, left / DAY))
            }
            _ => return None,
        };
        let hint = "mend the object, or renew the waiver in a reviewed commit";
        Some(Problem::new(rule, message).hint(hint).at(&self.origin).of(&self.id))
    }

    /// When something else is to be told of it than now.
    pub(super) fn next_news(&self, now: Timestamp) -> Option<Timestamp> {
        let soon = Timestamp::from_second(self.expires.as_second() - SOON * DAY).ok();
        soon.into_iter().chain([self.expires]).filter(|at| *at > now).min()
    }

    /// Whether it is of this policy and exactly this object.
    pub(super) fn covers(&self, policy: &str, review: &Review<'_>) -> bool {
        let object = &self.object;
        self.policy == policy
            && object.api_version == review.api_version
            && object.kind == review.id.kind
            && object.namespace == review.id.namespace
            && object.name == review.id.name
    }
}

/// A point in time, or the end of a day in UTC.
fn end(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    let next = date.tomorrow().ok()?;
    Some(next.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}
