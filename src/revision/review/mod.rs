//! Review: was each change of the mainline approved by other people than those who made it?
//!
//! A [`Step`] is what one commit of the mainline changes against its first parent. An [`Approval`] says who approved
//! what, wherever that is known from: a signed note ([`note`]) or a forge. [`judge`] says whether a step has what the
//! [`Owners`] and the [`Settings`] ask for; where there is no owners file, [`judge_by_code_owners`] does. Owners are those of
//! the accepted revision, never those of the change itself.

mod approval;
mod codeowners;
pub mod floor;
pub mod glass;
mod judge;
pub mod note;
mod owners;
mod sensitive;
mod settings;
mod step;

pub use approval::{Account, Approval, Role, Voter};
pub use codeowners::{CodeOwners, Dialect, Logins, judge_by_code_owners};
pub use judge::{Discount, Discounted, Missing, PlanVote, Verdict, Vote, judge};
pub use owners::{Means, OWNERS_FILE, Owners, OwnersSpec, digest};
pub use sensitive::{KUSTOMIZATIONS, Patches, Side, is_of_tandem, rules, sensitive};
pub use settings::{Effect, Profile, Settings};
pub use step::{Authorship, Head, Maker, Step, carries_trailers};
