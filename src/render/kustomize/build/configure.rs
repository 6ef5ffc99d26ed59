//! What `configurations` and `crds` add to a kustomization.

use std::rc::Rc;

use super::{Build, Folder};
use crate::render::kustomize::config::Config;
use crate::render::kustomize::decode::{CONFIGURATION, decode};
use crate::render::kustomize::files::{Source, Spot};

/// How a configuration is added to another one.
type Add = fn(&mut Config, Config) -> Result<(), String>;

impl Build<'_> {
    /// Adds to what transformers change.
    pub(super) fn configure(&mut self, into: &mut Config, config: Config, add: Add, spot: &Spot) {
        let merged = self.allowance.work(config.size() * (config.size() + into.size()));
        let merged = merged.and_then(|()| add(into, config));
        let merged = merged.map_err(|why| self.allowance.passed(spot, "InvalidConfiguration", why));
        self.refuse(merged);
    }

    pub(super) fn configuration(&mut self, folder: &Folder, added: &mut Config, path: &str, spot: &Spot) {
        let loaded = self.files.load(&folder.root, path, spot);
        let Some((file, bytes)) = self.refuse(loaded) else { return };
        let source = Source::new(file, bytes);
        let document = self.files.document(&source);
        let Some(document) = self.refuse_all(document) else { return };
        let at = Spot::new(&Rc::new(source));
        let config = decode::<Config>(document, CONFIGURATION, &at, "InvalidConfiguration");
        let Some(config) = self.refuse_all(config) else { return };
        self.configure(added, config, Config::merge, &at);
    }
}
