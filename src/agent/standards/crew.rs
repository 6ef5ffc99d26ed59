//! The tasks of all Standards during a term.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::agent::mailbox::Trigger;
use crate::agent::term::{Roll, unreadable};
use crate::agent::tip::Key;
use crate::agent::world::World;
use crate::api::Standard;
use crate::cluster::observe::{Event, Unreadable};

use super::follow::{self, Handle};
use super::{Entry, Force, namespaces};

/// The tasks of Standards; dropping it ends them.
pub struct Crew {
    world: Arc<World>,
    running: BTreeMap<String, (Handle, JoinHandle<()>)>,
    /// Those that cannot be read: they hold everything.
    unreadable: BTreeMap<String, ()>,
    roll: Roll,
    namespaces: JoinHandle<()>,
}

impl Crew {
    /// Nobody is there yet.
    pub fn new(world: Arc<World>) -> Self {
        let namespaces = tokio::spawn(namespaces::watch(world.clone()));
        Self { world, running: BTreeMap::new(), unreadable: BTreeMap::new(), roll: Roll::default(), namespaces }
    }

    /// Something happened to a Standard.
    pub fn event(&mut self, event: Event<Result<Standard, Unreadable>>) {
        match event {
            Event::ListBegan => self.roll.begin(),
            Event::Listed(Ok(standard)) => {
                self.roll.answers(Key::of(&standard));
                self.applied(standard);
            }
            Event::Applied(Ok(standard)) => self.applied(standard),
            Event::ListEnded => {
                let known: Vec<Key> =
                    self.running.keys().chain(self.unreadable.keys()).map(|name| Key::new("", name)).collect();
                let gone = self.roll.missing(known.iter());
                gone.iter().for_each(|key| self.gone(&key.name));
                self.world.standards.all_listed();
            }
            Event::Deleted(Ok(standard)) => self.gone(&Key::of(&standard).name),
            Event::Deleted(Err(bad)) => self.gone(&bad.name),
            Event::Listed(Err(bad)) | Event::Applied(Err(bad)) => {
                // It is there, even though it cannot be read: nobody knows what it speaks of.
                self.roll.answers(Key::new("", bad.name.clone()));
                unreadable("Standard", &bad);
                self.end(&bad.name);
                self.unreadable.insert(bad.name.clone(), ());
                let force = Force::Nothing(format!("it cannot be read: {}", bad.message));
                if self.world.standards.put(Entry { name: bad.name, selector: None, action: None, floor: None, force })
                {
                    self.world.registry.tell_all(|| Trigger::Standard);
                }
            }
            Event::Failing(error) if error.refusal().is_some_and(|refusal| refusal.code == 404) => {
                // The kind is not there, and so is no Standard.
                self.world.standards.all_listed();
            }
            Event::Failing(error) => {
                tracing::warn!(%error, "Standards cannot be watched");
                self.world.standards.failing(error.to_string());
            }
        }
    }

    fn applied(&mut self, standard: Standard) {
        let name = Key::of(&standard).name;
        self.unreadable.remove(&name);
        match self.running.get(&name).filter(|(_, task)| !task.is_finished()) {
            Some((handle, _)) if handle.is_of(&standard) => handle.spec(standard),
            _ => {
                self.end(&name);
                let started = follow::start(self.world.clone(), standard);
                self.running.insert(name, started);
            }
        }
    }

    /// Ends the task of a Standard; what it had in force stays.
    fn end(&mut self, name: &str) {
        if let Some((_, task)) = self.running.remove(name) {
            task.abort();
            self.world.registry.leave_standard(name);
        }
    }

    fn gone(&mut self, name: &str) {
        self.end(name);
        self.unreadable.remove(name);
        if self.world.standards.remove(name) {
            self.world.registry.tell_all(|| Trigger::Standard);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.namespaces.abort();
        self.running.values().for_each(|(_, task)| task.abort());
    }
}
