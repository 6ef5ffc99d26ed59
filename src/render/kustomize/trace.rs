//! Why fields have their values, where somebody asked: each resource is looked at after each step,
//! and what differs since is that step's doing. A build that nobody asks about does none of it.

use serde_json::Value;

use super::files::Spot;
use super::resource::Resource;
use crate::object::{Cause, Causes};

/// A resource as it was seen last, and the causes of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    seen: Value,
    causes: Causes,
}

impl Trace {
    /// Starts with a resource that stands in a file, or that a generator at `spot` made.
    pub fn begin(resource: &mut Resource, spot: &Spot) {
        let causes = Causes::of(&resource.body, "", &|pointer| cause(spot, pointer));
        resource.trace = Some(Box::new(Self { seen: resource.body.clone(), causes }));
    }

    /// Looks at resources after something that stands at `spot` may have changed them. `doing` is
    /// what people call it, where the place alone does not say it.
    pub fn note<'a>(resources: impl IntoIterator<Item = &'a mut Resource>, spot: &Spot, doing: &str) {
        let at = |pointer: &str| {
            let cause = cause(spot, pointer);
            if doing.is_empty() { cause } else { Cause { by: doing.to_owned(), ..cause } }
        };
        for Resource { body, trace, .. } in resources {
            if let Some(trace) = trace.as_deref_mut().filter(|trace| trace.seen != *body) {
                trace.causes = trace.causes.changed(&trace.seen, body, "", &at);
                trace.seen = body.clone();
            }
        }
    }

    /// The causes.
    pub fn into_causes(self) -> Causes {
        self.causes
    }
}

/// A patch has the shape of what it is laid on, so its own line for a field is often known.
fn cause(spot: &Spot, pointer: &str) -> Cause {
    Cause { file: spot.file().to_owned(), line: spot.line_below(pointer), by: spot.field() }
}
