//! The agent's own records, written as itself: inventories, statuses, finalizers, Events, and the
//! Secrets that it may read.

mod event;
mod inventory;
mod secret;
mod status;

pub use event::{Events, News, NewsType};
pub use inventory::{create_inventory, delete_inventory, list_inventories, update_inventory};
pub use secret::{SecretData, digest_key, read_secret};
pub use status::{set_finalizers, write_status};
