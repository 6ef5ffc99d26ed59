//! The agent's own records, written as itself: inventories, statuses, finalizers, Events; and the
//! ConfigMaps and Secrets that a spec names, read as its account.

mod acceptance;
mod event;
mod inventory;
mod read;
mod secret;
mod source;
mod status;

pub use acceptance::write_acceptance;
pub use event::{Events, News, NewsType};
pub use inventory::{create_inventory, delete_inventory, list_inventories, update_inventory};
pub use read::read_own;
pub use secret::{digest_key, read_secret, signing_key};
pub use source::{SourceData, kind_info, read_source};
pub use status::{remove_from_status, set_finalizers, write_status};
